//! Identities of age as text: Bech32 (BIP 173) of X25519 keys. Rust because the keys are secret.
//!
//! age's format (age-encryption.org/v1) is put together in Python, from this file, `age_stream`
//! and the primitives, and not by the Rust crates `age` 0.12.1 and `age-core` 0.12.0. Measured
//! inside the domain: `age` opens a file for X25519 in 5,192 bytes of stack and leaves nothing,
//! but the text of its first error leaves 160 blocks of lazy state in the secret heap, and the
//! next use of that state outside is SIGSEGV; its scrypt takes its work memory (16 MiB at work
//! factor 14, 256 MiB at 18) from the allocator, and the process is aborted when the secret heap
//! has no such block. Both crates bring a second cryptographic library and `rand`, whose
//! generator keeps its state in ordinary memory; `deny.toml` refuses both.
//!
//! The Bech32 code is the crate `bech32`, without its features that allocate.

use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::ops::Range;
use crate::secret::{Options, Secret};
use bech32::primitives::decode::CheckedHrpstring;
use bech32::primitives::iter::{ByteIterExt, Fe32IterExt};
use bech32::{Bech32, Hrp};

/// Bytes of a key.
pub const KEY_SIZE: usize = 32;
/// Bytes of the text of an identity.
pub const TEXT_SIZE: usize = IDENTITY.len() + 1 + DIGITS;

/// The human-readable parts, and the digits behind the separator: 256 bits and a checksum.
const IDENTITY: &str = "AGE-SECRET-KEY-";
const RECIPIENT: &str = "age";
const DIGITS: usize = 52 + 6;
/// Bytes of the longest text: 800 identities.
const MOST: usize = 64 << 10;

/// What a file of identities holds.
#[derive(Debug)]
pub enum Identities {
    /// The keys, in the order of their lines.
    Keys(Vec<Secret>),
    /// The number of the first line, from 1, that is neither an identity nor a comment.
    BadLine(usize),
}

/// The keys in a text: one identity a line; empty lines and lines that begin with `#` are none.
///
/// # Errors
/// [`Error::TooLarge`] for more than 64 KiB, or as every use of a secret.
pub fn identities(text: &Secret, options: Options) -> Result<Identities> {
    if text.size() > MOST {
        return Err(Error::TooLarge { max: MOST });
    }
    let pinned = text.pin()?;
    let size = text.size();
    let all = Draft::new(size / TEXT_SIZE * KEY_SIZE, Options::default())?;
    let (mut count, mut bad) = (0, 0);
    pinned.with(|from| {
        all.with(|to| {
            domain::run(pinned.runtime, || {
                // SAFETY: the slot is open and holds `size` bytes.
                let text = unsafe { core::slice::from_raw_parts(from, size) };
                // SAFETY: the draft is open and has that length.
                let keys = unsafe { core::slice::from_raw_parts_mut(to, all.len()) };
                (count, bad) = decode_lines(text, keys);
            })
        })
    })???;
    if bad != 0 {
        return Ok(Identities::BadLine(bad));
    }
    let all = all.finish()?;
    let key = |i| Range { start: i * KEY_SIZE, step: 1, length: KEY_SIZE };
    (0..count).map(|i| all.pick(key(i), options)).collect::<Result<_>>().map(Identities::Keys)
}

/// Inside the domain: how many keys there are, and the number of a bad line or 0.
fn decode_lines(text: &[u8], keys: &mut [u8]) -> (usize, usize) {
    let mut keys = keys.chunks_exact_mut(KEY_SIZE);
    let mut count = 0;
    for (i, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        if !keys.next().is_some_and(|key| decode(IDENTITY, line, key)) {
            return (count, i + 1);
        }
        count += 1;
    }
    (count, 0)
}

/// Inside the domain or not: whether the text is Bech32 of 32 bytes with that part in front, in
/// its case. Neither allocates nor panics.
fn decode(part: &str, text: &[u8], out: &mut [u8]) -> bool {
    let Ok(text) = core::str::from_utf8(text) else { return false };
    let Ok(parsed) = CheckedHrpstring::new::<Bech32>(text) else { return false };
    let fits = parsed.hrp().as_bytes() == part.as_bytes()
        && text.len() == part.len() + 1 + DIGITS
        && parsed.validate_segwit_padding().is_ok();
    if fits {
        for (to, byte) in out.iter_mut().zip(parsed.byte_iter()) {
            *to = byte;
        }
    }
    fits
}

/// The text of an identity, as a new secret.
///
/// # Errors
/// [`Error::Key`] for another length, or as every use of a secret.
pub fn identity_text(key: &Secret, options: Options) -> Result<Secret> {
    if key.size() != KEY_SIZE {
        return Err(Error::Key("an X25519 private key has 32 bytes"));
    }
    let pinned = key.pin()?;
    let draft = Draft::new(TEXT_SIZE, options)?;
    pinned.with(|from| {
        draft.with(|to| {
            domain::run(pinned.runtime, || {
                // SAFETY: the slot is open and holds as many bytes.
                let key = unsafe { core::slice::from_raw_parts(from, KEY_SIZE) };
                // SAFETY: the draft is open and has that length.
                let text = unsafe { core::slice::from_raw_parts_mut(to, TEXT_SIZE) };
                encode(IDENTITY, key, text);
                text.make_ascii_uppercase();
            })
        })
    })???;
    draft.finish()
}

/// Inside the domain or not: neither allocates nor panics.
fn encode(part: &str, key: &[u8], out: &mut [u8]) {
    let Ok(part) = Hrp::parse(part) else { return };
    let text = key.iter().copied().bytes_to_fes().with_checksum::<Bech32>(&part).bytes();
    for (to, byte) in out.iter_mut().zip(text) {
        *to = byte;
    }
}

/// The text of a recipient: its public key.
#[must_use]
pub fn recipient_text(public: &[u8; KEY_SIZE]) -> String {
    let mut text = vec![0; RECIPIENT.len() + 1 + DIGITS];
    encode(RECIPIENT, public, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The public key of a recipient's text.
#[must_use]
pub fn recipient(text: &str) -> Option<[u8; KEY_SIZE]> {
    let mut public = [0; KEY_SIZE];
    decode(RECIPIENT, text.as_bytes(), &mut public).then_some(public)
}

#[cfg(test)]
mod tests {
    use super::*;

    // From C2SP/CCTV, age/testdata/x25519.
    const TEXT: &str = "AGE-SECRET-KEY-1XMWWC06LY3EE5RYTXM9MFLAZ2U56JJJ36S0MYPDRWSVLUL66MV4QX3S7F6";

    fn secret(text: &str) -> Secret {
        Secret::from_bytes(text.as_bytes(), Options::default()).expect("secret")
    }

    fn keys(text: &str) -> Vec<Secret> {
        match identities(&secret(text), Options::default()).expect("readable") {
            Identities::Keys(keys) => keys,
            Identities::BadLine(line) => panic!("line {line}"),
        }
    }

    fn bad_line(text: &str) -> usize {
        match identities(&secret(text), Options::default()).expect("readable") {
            Identities::Keys(keys) => panic!("{} keys", keys.len()),
            Identities::BadLine(line) => line,
        }
    }

    #[test]
    fn a_text_is_read_and_written_back() {
        let text = format!("# created: today\r\n\n{TEXT}\r\n{TEXT}");
        let keys = keys(&text);
        assert_eq!(keys.len(), 2);
        for key in &keys {
            let written = identity_text(key, Options::default()).expect("text");
            assert_eq!(written.matches(TEXT.as_bytes()), Ok(true));
        }
    }

    #[test]
    fn what_is_no_identity_is_named_by_its_line() {
        assert_eq!(keys("").len(), 0);
        assert_eq!(bad_line("\n# a comment\nx"), 3);
        assert_eq!(bad_line(&format!("{TEXT}\n{}", TEXT.to_lowercase())), 2);
        assert_eq!(bad_line(&TEXT.replace("F6", "F7")), 1);
        assert_eq!(bad_line(&format!(" {TEXT}")), 1);
        assert_eq!(bad_line(&format!("{TEXT} ")), 1);
        let short = secret(&"A".repeat(MOST + 1));
        let refused = identities(&short, Options::default()).map(|_| ());
        assert_eq!(refused, Err(Error::TooLarge { max: MOST }));
    }

    #[test]
    fn recipients_are_read_and_written() {
        // The public key of `age-keygen -y` for TEXT is tested in Python; here any will do.
        let public = core::array::from_fn(|i| i as u8);
        let text = recipient_text(&public);
        assert_eq!(text.len(), 62);
        assert_eq!(recipient(&text), Some(public));
        assert_eq!(recipient(&text.to_uppercase()), None);
        assert_eq!(recipient(&text.replacen("age1", "agf1", 1)), None);
        assert_eq!(recipient(TEXT), None);
    }
}
