//! What can be done with a secret's bytes. Rust because each of these reads or writes them.
//!
//! Plain copies go through the light gate. Whatever looks at bytes (compares, decodes, strips,
//! picks) runs in the domain.

use crate::asm;
use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::kernel::KERNEL;
use crate::kernel::Kernel;
use crate::secret::{Options, Pinned, Secret};
use base32ct::{Base32, Base32Unpadded, Base32Upper, Base32UpperUnpadded};
use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding};
use subtle::ConstantTimeEq;

/// Text encodings of binary secrets, as in RFC 4648.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextEncoding {
    /// Section 4; padding may be missing.
    Base64,
    /// Section 5; padding may be missing.
    Base64Url,
    /// Section 6, upper or lower case; padding may be missing.
    Base32,
    /// Section 8, either case.
    Hex,
}

/// Which bytes of a secret: `length` of them from `start`, `step` apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First byte.
    pub start: usize,
    /// Distance to the next; may be negative, never 0.
    pub step: isize,
    /// How many.
    pub length: usize,
}

/// Bytes that are looked at inside the domain.
///
/// # Safety
/// `at` is readable for `len` bytes while the result is used, its gate open.
unsafe fn bytes<'a>(at: *const u8, len: usize) -> &'a [u8] {
    // SAFETY: as the caller promises.
    unsafe { core::slice::from_raw_parts(at, len) }
}

/// Bytes that are written inside the domain.
///
/// # Safety
/// As [`bytes`], writable, and nobody else looks.
unsafe fn bytes_mut<'a>(at: *mut u8, len: usize) -> &'a mut [u8] {
    // SAFETY: as the caller promises.
    unsafe { core::slice::from_raw_parts_mut(at, len) }
}

impl Secret {
    /// `len` bytes of getrandom(2), written by the kernel into the slot.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::Unavailable`].
    pub fn random(len: usize, options: Options) -> Result<Self> {
        let kernel = crate::runtime::get()?.kernel;
        let (draft, filled) = Draft::filled(len, options, |at| fill_random(kernel, at, len))?;
        filled?;
        draft.finish()
    }

    /// A copy of `source`.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::Unavailable`].
    pub fn from_bytes(source: &[u8], options: Options) -> Result<Self> {
        // SAFETY: the slot holds as many bytes and is open.
        let fill = |at| unsafe { asm::copy(at, source.as_ptr(), source.len()) };
        Draft::filled(source.len(), options, fill)?.0.finish()
    }

    /// A secret with the same bytes, in a slot of its own.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Forked`], [`Error::Borrowed`], [`Error::Limit`].
    pub fn duplicate(&self, options: Options) -> Result<Self> {
        let range = Range { start: 0, step: 1, length: self.size() };
        self.pick(range, options)
    }

    /// Copies the secret to ordinary memory: the fenced door out.
    ///
    /// # Errors
    /// As [`Secret::duplicate`].
    ///
    /// # Panics
    /// If `out` has another length.
    pub fn export(&self, out: &mut [u8]) -> Result<()> {
        assert_eq!(out.len(), self.size(), "the caller sizes the buffer");
        let pinned = self.pin()?;
        // SAFETY: the slot holds as many bytes and is open.
        pinned.with(|at| unsafe { asm::copy(out.as_mut_ptr(), at, out.len()) })
    }

    /// Whether both hold the same bytes, in a time that depends on the lengths only.
    ///
    /// # Errors
    /// As [`Secret::duplicate`].
    pub fn equals(&self, other: &Self) -> Result<bool> {
        let (a, b) = (self.pin()?, other.pin()?);
        if self.size() != other.size() {
            return Ok(false);
        }
        let len = self.size();
        a.with(|a_at| {
            b.with(|b_at| {
                // SAFETY: both slots are open, pinned and hold `len` bytes.
                domain::run(a.runtime, || unsafe { equal(a_at, b_at, len) })
            })
        })??
    }

    /// Whether the secret holds these bytes, in a time that depends on the lengths only.
    ///
    /// # Errors
    /// As [`Secret::duplicate`].
    pub fn matches(&self, candidate: &[u8]) -> Result<bool> {
        let pinned = self.pin()?;
        if candidate.len() != self.size() {
            return Ok(false);
        }
        let len = self.size();
        pinned.with(|at| {
            // SAFETY: the slot is open, pinned and holds `len` bytes, as does the candidate.
            domain::run(pinned.runtime, || unsafe { equal(at, candidate.as_ptr(), len) })
        })?
    }

    /// Some of the bytes as a new secret.
    ///
    /// # Errors
    /// As [`Secret::duplicate`].
    ///
    /// # Panics
    /// If the range leaves the secret.
    pub fn pick(&self, range: Range, options: Options) -> Result<Self> {
        assert!(range.fits(self.size()), "the caller clips the range");
        let pinned = self.pin()?;
        let fill = |to: *mut u8| pinned.with(|from| pinned.gather(range, from, to));
        let (draft, filled) = Draft::filled(range.length, options, fill)?;
        filled??;
        draft.finish()
    }

    /// Both in a row as a new secret.
    ///
    /// # Errors
    /// As [`Secret::duplicate`].
    pub fn concat(&self, other: &Self, options: Options) -> Result<Self> {
        let (a, b) = (self.pin()?, other.pin()?);
        let len = self.size().saturating_add(other.size());
        let (draft, filled) = Draft::filled(len, options, |to| {
            // SAFETY: the first part of the draft is as long as the slot; all are open.
            a.with(|from| unsafe { asm::copy(to, from, self.size()) })?;
            let rest = to.wrapping_add(self.size());
            // SAFETY: the rest of the draft is as long as the other slot.
            b.with(|from| unsafe { asm::copy(rest, from, other.size()) })
        })?;
        filled?;
        draft.finish()
    }

    /// The secret without ASCII white space at its ends, as a new secret.
    ///
    /// # Errors
    /// As [`Secret::duplicate`].
    pub fn strip(&self, options: Options) -> Result<Self> {
        let pinned = self.pin()?;
        let len = self.size();
        // SAFETY: the slot is open, pinned and holds `len` bytes.
        let (start, end) = pinned.with(|at| unsafe { bounds(pinned.runtime, at, len) })??;
        drop(pinned);
        self.pick(Range { start, step: 1, length: end - start }, options)
    }

    /// What the secret's text stands for, as a new secret. White space at the ends is ignored.
    ///
    /// # Errors
    /// [`Error::Encoding`], or as [`Secret::duplicate`].
    pub fn decode(&self, encoding: TextEncoding, options: Options) -> Result<Self> {
        let pinned = self.pin()?;
        let len = self.size();
        let (draft, written) = Draft::filled(len, options, |to| {
            pinned.with(|from| {
                domain::run(pinned.runtime, || {
                    // SAFETY: the slot is open and holds `len` bytes.
                    let source = unsafe { bytes(from, len) };
                    // SAFETY: the same, and it is another slot.
                    let target = unsafe { bytes_mut(to, len) };
                    decode(encoding, stripped(source), target)
                })
            })
        })?;
        draft.finish_at(written??.ok_or(Error::Encoding)?)
    }
}

impl Secret {
    /// The secret as text, as a new secret.
    ///
    /// # Errors
    /// As [`Secret::duplicate`].
    pub fn encode(&self, encoding: TextEncoding, options: Options) -> Result<Self> {
        let pinned = self.pin()?;
        let (len, room) = (self.size(), 2 * self.size() + 8);
        let (draft, written) = Draft::filled(room, options, |to| {
            pinned.with(|from| {
                domain::run(pinned.runtime, || {
                    // SAFETY: the slot is open and holds `len` bytes.
                    let source = unsafe { bytes(from, len) };
                    // SAFETY: the draft is open and holds `room` bytes.
                    let target = unsafe { bytes_mut(to, room) };
                    encode(encoding, source, target)
                })
            })
        })?;
        draft.finish_at(written??.ok_or(Error::Encoding)?)
    }
}

impl Pinned<'_> {
    /// Copies the bytes of a range, from an open slot to an open draft.
    fn gather(&self, range: Range, from: *const u8, to: *mut u8) -> Result<()> {
        if range.step == 1 {
            // SAFETY: the range lies within the slot; both are open and distinct.
            unsafe { asm::copy(to, from.wrapping_add(range.start), range.length) };
            return Ok(());
        }
        domain::run(self.runtime, || {
            for i in 0..range.length {
                let (to, from) = (to.wrapping_add(i), from.wrapping_add(range.at(i)));
                // SAFETY: as above; each index was checked by `fits`.
                unsafe { asm::copy(to, from, 1) };
            }
        })
    }
}

impl Range {
    fn at(&self, i: usize) -> usize {
        self.start.wrapping_add_signed(self.step.wrapping_mul(i as isize))
    }

    fn fits(&self, len: usize) -> bool {
        self.length == 0
            || (self.step != 0
                && self.length <= len
                && self.start < len
                && self.at(self.length - 1) < len)
    }
}

/// # Safety
/// As [`bytes`], for both.
unsafe fn equal(a: *const u8, b: *const u8, len: usize) -> bool {
    // SAFETY: as the caller promises.
    let a = unsafe { bytes(a, len) };
    // SAFETY: as the caller promises.
    let b = unsafe { bytes(b, len) };
    a.ct_eq(b).into()
}

/// Where the secret without white space starts and ends.
///
/// # Safety
/// As [`bytes`].
pub(crate) unsafe fn bounds(
    runtime: &crate::runtime::Runtime,
    at: *const u8,
    len: usize,
) -> Result<(usize, usize)> {
    let start = domain::run(runtime, || {
        // SAFETY: as the caller promises.
        let all = unsafe { bytes(at, len) };
        all.iter().position(|b| !is_space(*b)).unwrap_or(len)
    })?;
    let end = domain::run(runtime, || {
        // SAFETY: as the caller promises.
        let all = unsafe { bytes(at, len) };
        all.iter().rposition(|b| !is_space(*b)).map_or(0, |last| last + 1)
    })?;
    Ok((start, end.max(start)))
}

/// White space as `bytes.strip` of Python has it: the vertical tab too, which Rust leaves out.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// Inside the domain: neither allocates nor panics.
fn stripped(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_space(*last)
    {
        text = rest;
    }
    text
}

/// Inside the domain: neither allocates nor panics.
fn decode(encoding: TextEncoding, source: &[u8], target: &mut [u8]) -> Option<usize> {
    let padded = source.ends_with(b"=");
    let done = match (encoding, padded) {
        (TextEncoding::Base32, _) => return decode_base32(source, target, padded),
        (TextEncoding::Hex, _) => {
            return base16ct::mixed::decode(source, target).ok().map(<[u8]>::len);
        }
        (TextEncoding::Base64, true) => Base64::decode(source, target),
        (TextEncoding::Base64, false) => Base64Unpadded::decode(source, target),
        (TextEncoding::Base64Url, true) => Base64Url::decode(source, target),
        (TextEncoding::Base64Url, false) => Base64UrlUnpadded::decode(source, target),
    };
    done.ok().map(<[u8]>::len)
}

/// Inside the domain, as [`decode`]. Whether the letters are small is no secret.
fn decode_base32(source: &[u8], target: &mut [u8], padded: bool) -> Option<usize> {
    use base32ct::Encoding as _;
    let upper = source.iter().any(u8::is_ascii_uppercase);
    let done = match (upper, padded) {
        (true, true) => Base32Upper::decode(source, target),
        (true, false) => Base32UpperUnpadded::decode(source, target),
        (false, true) => Base32::decode(source, target),
        (false, false) => Base32Unpadded::decode(source, target),
    };
    done.ok().map(<[u8]>::len)
}

/// Inside the domain: neither allocates nor panics. Without padding; hexadecimal digits are small.
fn encode(encoding: TextEncoding, source: &[u8], target: &mut [u8]) -> Option<usize> {
    let text = match encoding {
        TextEncoding::Base64 => Base64Unpadded::encode(source, target).ok()?,
        TextEncoding::Base64Url => Base64UrlUnpadded::encode(source, target).ok()?,
        TextEncoding::Base32 => {
            <Base32UpperUnpadded as base32ct::Encoding>::encode(source, target).ok()?
        }
        TextEncoding::Hex => return base16ct::lower::encode(source, target).ok().map(<[u8]>::len),
    };
    Some(text.len())
}

fn fill_random(kernel: &dyn Kernel, at: *mut u8, len: usize) -> Result<()> {
    let mut done = 0;
    while done < len {
        // SAFETY: the rest of the open slot.
        match unsafe { kernel.getrandom(at.wrapping_add(done), len - done) } {
            Ok(n) => done += n,
            Err(libc::EINTR) => {}
            Err(errno) => {
                return Err(Error::Call { call: "getrandom", errno });
            }
        }
    }
    Ok(())
}

/// memfd_secret(2) itself, for programs that want the descriptor.
///
/// # Errors
/// The call's errno.
pub fn memfd_secret(flags: u32) -> core::result::Result<i32, i32> {
    KERNEL.memfd_secret(flags)
}
