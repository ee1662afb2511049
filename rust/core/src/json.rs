//! One string out of a JSON document (RFC 8259). Rust because the document is secret.
//!
//! The document is read as a stream inside the domain: what is not on the path is checked and
//! passed over, never built. The parser allocates one buffer for strings with escapes and for
//! the brackets that are open, which is the whole claim.

use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::secret::{Options, Secret};
use core::fmt;
use serde_core::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Bytes of the longest document.
pub const MOST: usize = 64 << 10;
/// Most steps of a path; each takes its part of the stack.
pub const MOST_STEPS: usize = 8;
/// The parser's messages and its buffer at small sizes.
const HEAP: usize = 2 << 10;
/// The buffer doubles, so all of its lives together have four times its size, and the heap
/// rounds each up by at most a half.
const GROWTH: usize = 6;

/// One step into a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Of an object.
    Key(&'a str),
    /// Of an array, from 0.
    Index(usize),
}

/// What was found, for the way out.
const NOT_FOUND: usize = usize::MAX;
const NO_STRING: usize = usize::MAX - 1;
const TWICE: usize = usize::MAX - 2;

impl Secret {
    /// The string at `path`, as a new secret.
    ///
    /// # Errors
    /// [`Error::Json`] if this is no JSON, if there is no such string, or if an object on the
    /// path has the key twice; or as every use of a secret.
    pub fn json_field(&self, path: &[Step<'_>], options: Options) -> Result<Self> {
        let len = self.size();
        if len > MOST {
            return Err(Error::Json("a JSON document has at most 64 KiB"));
        }
        if path.len() > MOST_STEPS {
            return Err(Error::Json("a path into a JSON document has at most 8 steps"));
        }
        let pinned = self.pin()?;
        let draft = Draft::new(len, options)?;
        let found = pinned.with(|from| {
            draft.with(|to| {
                domain::run_with_heap(pinned.runtime, HEAP + GROWTH * len, || {
                    // SAFETY: the slot is open and holds `len` bytes.
                    let text = unsafe { core::slice::from_raw_parts(from, len) };
                    // SAFETY: so does the draft, which is another slot.
                    let out = unsafe { core::slice::from_raw_parts_mut(to, len) };
                    find(text, path, out)
                })
            })
        })???;
        match found {
            None => Err(Error::Json("the text is not valid JSON")),
            Some(NOT_FOUND) => Err(Error::Json("the JSON document has no such field")),
            Some(NO_STRING) => Err(Error::Json("the field of the JSON document is no string")),
            Some(TWICE) => Err(Error::Json("the JSON document has that field twice")),
            Some(len) => draft.finish_at(len),
        }
    }
}

/// Inside the domain: the length of the string that was put into `out`, or what is wrong.
fn find(text: &[u8], path: &[Step<'_>], out: &mut [u8]) -> Option<usize> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    let mut found = NOT_FOUND;
    Seek { path, out, found: &mut found }.deserialize(&mut parser).ok()?;
    parser.end().ok()?;
    Some(found)
}

/// A value, in which the rest of the path is looked for.
struct Seek<'a> {
    path: &'a [Step<'a>],
    out: &'a mut [u8],
    found: &'a mut usize,
}

impl Seek<'_> {
    /// The value is no string, and nothing in it is looked at.
    fn other(self) {
        *self.found = if self.path.is_empty() { NO_STRING } else { NOT_FOUND };
    }
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> core::result::Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> core::result::Result<(), E> {
        self.other();
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> core::result::Result<(), E> {
        self.other();
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> core::result::Result<(), E> {
        self.other();
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> core::result::Result<(), E> {
        self.other();
        Ok(())
    }

    fn visit_unit<E>(self) -> core::result::Result<(), E> {
        self.other();
        Ok(())
    }

    fn visit_str<E: serde_core::de::Error>(self, text: &str) -> core::result::Result<(), E> {
        if !self.path.is_empty() {
            self.other();
            return Ok(());
        }
        // A string is never longer than its JSON form.
        let out = self.out.get_mut(..text.len()).ok_or_else(|| E::custom("too long"))?;
        out.copy_from_slice(text.as_bytes());
        *self.found = text.len();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> core::result::Result<(), A::Error> {
        let (wanted, path) = match self.path.split_first() {
            Some((Step::Index(index), rest)) => (Some(*index), rest),
            _ => (None, self.path),
        };
        let mut found = if self.path.is_empty() { NO_STRING } else { NOT_FOUND };
        for at in 0.. {
            let next = if wanted == Some(at) {
                from.next_element_seed(Seek { path, out: self.out, found: &mut found })?
            } else {
                from.next_element::<IgnoredAny>()?.map(|_| ())
            };
            if next.is_none() {
                break;
            }
        }
        *self.found = found;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> core::result::Result<(), A::Error> {
        let (wanted, path) = match self.path.split_first() {
            Some((Step::Key(key), rest)) => (Some(*key), rest),
            _ => (None, self.path),
        };
        let mut found = if self.path.is_empty() { NO_STRING } else { NOT_FOUND };
        let mut seen = false;
        while let Some(is_it) = from.next_key_seed(Is(wanted))? {
            if !is_it {
                from.next_value::<IgnoredAny>()?;
            } else if seen {
                from.next_value::<IgnoredAny>()?;
                found = TWICE;
            } else {
                seen = true;
                from.next_value_seed(Seek { path, out: self.out, found: &mut found })?;
            }
        }
        *self.found = found;
        Ok(())
    }
}

/// Whether a key is the one that is wanted.
struct Is<'a>(Option<&'a str>);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> core::result::Result<bool, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> core::result::Result<bool, E> {
        Ok(self.0 == Some(key))
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use crate::domain::depth;
    use crate::domain::stacks::Class;

    /// Bytes of the stack that a signal on top may need.
    const SIGNAL: usize = 8 << 10;

    #[test]
    fn the_deepest_path_leaves_room_on_the_stack() {
        let value = r#"["\u2603 x", 1]"#;
        let text = [r#"{"a":"#.repeat(MOST_STEPS - 1).as_str(), value].concat();
        let text = text + &"}".repeat(MOST_STEPS - 1);
        let text = Secret::from_bytes(text.as_bytes(), Options::default()).expect("secret");
        let mut path = [Step::Key("a"); MOST_STEPS];
        path[MOST_STEPS - 1] = Step::Index(0);
        let deepest = depth::of(|| {
            let found = text.json_field(&path, Options::default()).expect("field");
            assert_eq!(found.matches("\u{2603} x".as_bytes()), Ok(true));
        });
        assert!(deepest > 0 && deepest + SIGNAL <= Class::Small.size(), "{deepest} bytes");
        // Shown by `cargo test -- --nocapture`.
        #[allow(clippy::print_stderr, reason = "a figure for whoever asks for it")]
        {
            eprintln!("JSON, {MOST_STEPS} steps: {deepest} bytes of stack");
        }
    }
}
