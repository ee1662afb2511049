//! One value out of a .env document. Rust because the document is secret.
//!
//! There is no standard of the format; the library dotenvy decides, with one difference: nothing
//! is substituted. The library would put variables of this process's environment in the place of
//! `$NAME`, so a dollar sign is shown to it as a control character that the document does not
//! have, and put back. A value with `${`, which asks for substitution, is refused.

use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::secret::{Options, Secret};

/// Bytes of the longest document.
pub const MOST: usize = 64 << 10;
/// Most lines of a document.
pub const MOST_LINES: usize = 1000;
/// The library's reader has 8 KiB.
const HEAP: usize = 12 << 10;
/// The document's copy, its lines and values, which grow by doubling, and what is kept of them.
const GROWTH: usize = 12;
/// Two blocks of the smallest size for each line, for its name and value.
const LINE: usize = 32;
/// Of the library's table, with the tables that it grew out of.
const BUCKET: usize = 128;

/// What was found, for the way out.
const NOT_FOUND: usize = usize::MAX;
const TWICE: usize = usize::MAX - 1;
const SUBSTITUTED: usize = usize::MAX - 2;

impl Secret {
    /// The value of `name`, as a new secret.
    ///
    /// # Errors
    /// [`Error::Document`] if this is no such document, or if it has no such name, or has it
    /// twice; or as every use of a secret.
    pub fn dotenv_field(&self, name: &str, options: Options) -> Result<Self> {
        let len = self.size();
        if len > MOST {
            return Err(Error::Document("a .env document has at most 64 KiB"));
        }
        let pinned = self.pin()?;
        let lines = pinned.with(|from| {
            domain::run(pinned.runtime, || {
                // SAFETY: the slot is open and holds `len` bytes.
                let text = unsafe { core::slice::from_raw_parts(from, len) };
                text.split(|byte| *byte == b'\n').count()
            })
        })??;
        if lines > MOST_LINES {
            return Err(Error::Document("a .env document has at most 1000 lines"));
        }
        let draft = Draft::new(len, options)?;
        let found = pinned.with(|from| {
            draft.with(|to| {
                domain::run_with_heap(pinned.runtime, heap(len, lines), || {
                    // SAFETY: the slot is open and holds `len` bytes.
                    let text = unsafe { core::slice::from_raw_parts(from, len) };
                    // SAFETY: so does the draft, which is another slot.
                    let out = unsafe { core::slice::from_raw_parts_mut(to, len) };
                    find(text, name, out)
                })
            })
        })???;
        match found {
            None => Err(Error::Document("the text is not a valid .env document")),
            Some(NOT_FOUND) => Err(Error::Document("the .env document has no such name")),
            Some(TWICE) => Err(Error::Document("the .env document has that name twice")),
            Some(SUBSTITUTED) => Err(Error::Document(
                "the value asks for substitution (${NAME}), which is not done here",
            )),
            Some(len) => draft.finish_at(len),
        }
    }
}

/// Bytes that the library may take.
fn heap(len: usize, lines: usize) -> usize {
    let buckets = (lines * 8 / 7 + 1).next_power_of_two().max(4);
    HEAP + GROWTH * len + LINE * lines + BUCKET * buckets
}

/// Inside the domain: the length of the value that was put into `out`, or what is wrong.
fn find(text: &[u8], name: &str, out: &mut [u8]) -> Option<usize> {
    let stand_in = (1..9u8).find(|byte| !text.contains(byte))?;
    let mut shown = Vec::new();
    shown.try_reserve_exact(text.len()).ok()?;
    shown.extend(text.iter().map(|byte| if *byte == b'$' { stand_in } else { *byte }));
    let text = shown.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&shown);
    let mut found = NOT_FOUND;
    for item in dotenvy::from_read_iter(text) {
        let (key, value) = item.ok()?;
        if key != name {
            continue;
        }
        found = if found == NOT_FOUND { put(value.as_bytes(), stand_in, out)? } else { TWICE };
    }
    Some(found)
}

/// Copies a value with its dollar signs.
fn put(value: &[u8], stand_in: u8, out: &mut [u8]) -> Option<usize> {
    // Escapes only shorten.
    let out = out.get_mut(..value.len())?;
    for (to, from) in out.iter_mut().zip(value) {
        *to = if *from == stand_in { b'$' } else { *from };
    }
    let asks = out.windows(2).any(|pair| pair == b"${");
    Some(if asks { SUBSTITUTED } else { out.len() })
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use crate::domain::depth;
    use crate::domain::stacks::Class;

    /// Bytes of the stack that a signal on top may need.
    const SIGNAL: usize = 8 << 10;

    fn field(text: &str, name: &str) -> Result<Secret> {
        let text = Secret::from_bytes(text.as_bytes(), Options::default()).expect("secret");
        text.dotenv_field(name, Options::default())
    }

    #[test]
    fn it_leaves_room_on_the_stack() {
        let deepest = depth::of(|| {
            let found = field("A=1\nexport B=\"x $y\\n\" # no\n", "B").expect("field");
            assert_eq!(found.matches(b"x $y\n"), Ok(true));
            assert!(field("A='", "A").is_err());
        });
        assert!(deepest > 0 && deepest + SIGNAL <= Class::Small.size(), "{deepest} bytes");
        // Shown by `cargo test -- --nocapture`.
        #[allow(clippy::print_stderr, reason = "a figure for whoever asks for it")]
        {
            eprintln!(".env: {deepest} bytes of stack");
        }
    }

    #[test]
    fn the_claim_holds_for_the_largest_documents() {
        let room = MOST - 16;
        let one = format!("A='{}'\nB=b", "x".repeat(room));
        let many = (0..MOST_LINES - 1).fold(String::new(), |text, i| {
            text + "N" + &i.to_string() + "=" + &"y".repeat(50) + "\n"
        });
        let open = format!("B=b\nA=\"{}", "z".repeat(room));
        let wrong = format!("B=b\nA=\"{}\" x", "z".repeat(room - 8));
        let lines = format!("A='{}'\nB=b", "x\n".repeat(MOST_LINES - 2));
        for text in [&one, &(many + "B=b"), &lines] {
            assert_eq!(field(text, "B").expect("field").matches(b"b"), Ok(true));
        }
        for text in [&open, &wrong] {
            assert!(matches!(field(text, "B"), Err(Error::Document(_))));
        }
        for len in [0, 1, 100, 1000, 5000] {
            let text = format!("A={}\nB=b", "v".repeat(len));
            assert_eq!(field(&text, "A").expect("field").size(), len);
        }
    }
}
