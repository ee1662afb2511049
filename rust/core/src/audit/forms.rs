//! The ways in which a part of a key may be written down. Rust because it writes them.
//!
//! All code here runs inside the domain and does not allocate.

use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding};

/// Consecutive bytes that make a hit: a general register's size.
pub const WINDOW: usize = 8;

/// Bits of the digits of Python's int (`PyLong_SHIFT`, longintrepr.h) in words of 4 bytes, and
/// of the numbers of code for AVX-512 IFMA, in words of 8.
const DIGITS: [(usize, usize, &str); 2] = [(30, 4, "Python int"), (52, 8, "52-bit digits")];

/// One thing to look for. Its bytes are in secret memory; this is public.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Form {
    /// Number of the key.
    pub key: usize,
    /// Which part of the key, or what is made of it: "seed", "round keys".
    pub part: &'static str,
    /// How it is written: "plain", "base64".
    pub shape: &'static str,
    /// Bytes.
    pub len: usize,
    /// Bytes in a row that make a hit.
    pub least: usize,
    /// Place among all forms.
    pub(super) start: usize,
}

/// Where forms are written to.
pub(super) struct Out<'a> {
    room: &'a mut [u8],
    forms: &'a mut [Form],
    used: usize,
    count: usize,
    full: bool,
    /// Bytes in a row that make a hit.
    pub(super) least: usize,
}

impl<'a> Out<'a> {
    pub(super) fn new(room: &'a mut [u8], forms: &'a mut [Form]) -> Self {
        Self { room, forms, used: 0, count: 0, full: false, least: WINDOW }
    }

    /// Bytes and forms that were written.
    pub(super) fn result(&self) -> (usize, usize) {
        (self.used, self.count)
    }

    /// Whether something did not fit.
    pub(super) fn full(&self) -> bool {
        self.full
    }

    /// Enters a form of `len` bytes that `write` writes. One that is too short is left out.
    pub(super) fn put(
        &mut self,
        part: &'static str,
        shape: &'static str,
        len: usize,
        write: impl FnOnce(&mut [u8]),
    ) {
        if len < self.least {
            return;
        }
        let place = self.room.get_mut(self.used..self.used + len);
        let (Some(place), Some(form)) = (place, self.forms.get_mut(self.count)) else {
            self.full = true;
            return;
        };
        write(place);
        *form = Form { key: 0, part, shape, len, least: self.least, start: self.used };
        self.used += len;
        self.count += 1;
    }

    /// As it is, and backwards: a number in the other byte order.
    pub(super) fn binary(&mut self, part: &'static str, data: &[u8]) {
        self.put(part, "plain", data.len(), |to| to.copy_from_slice(data));
        self.put(part, "reversed", data.len(), |to| {
            to.copy_from_slice(data);
            to.reverse();
        });
    }

    /// Base64 wherever it may begin in a text, and hexadecimal digits.
    pub(super) fn text(&mut self, part: &'static str, data: &[u8]) {
        for shift in 0..3 {
            let (skip, len) = base64_bounds(shift, data.len());
            self.put(part, "base64", len, |to| {
                base64::<Base64Unpadded>(data, shift, skip, to);
            });
            self.put(part, "base64url", len, |to| {
                base64::<Base64UrlUnpadded>(data, shift, skip, to);
            });
        }
        // The length fits by construction.
        self.put(part, "hex", data.len() * 2, |to| {
            let _ = base16ct::lower::encode(data, to);
        });
        self.put(part, "hex", data.len() * 2, |to| {
            let _ = base16ct::upper::encode(data, to);
        });
    }

    /// The digits of a number, which is given with the most significant byte first.
    pub(super) fn digits(&mut self, part: &'static str, number: &[u8]) {
        for (bits, bytes, shape) in DIGITS {
            let count = (number.len() * 8).div_ceil(bits);
            self.put(part, shape, count * bytes, |to| {
                for (index, place) in to.chunks_exact_mut(bytes).enumerate() {
                    let digit = digit(number, index * bits, bits).to_le_bytes();
                    place.copy_from_slice(digit.get(..bytes).unwrap_or(&digit));
                }
            });
        }
    }

    /// Each word of `size` bytes turned round: how a processor keeps words that a standard
    /// writes with the most significant byte first.
    pub(super) fn turned(&mut self, part: &'static str, data: &[u8], size: usize) {
        self.put(part, "words turned", data.len(), |to| {
            to.copy_from_slice(data);
            for word in to.chunks_exact_mut(size) {
                word.reverse();
            }
        });
    }
}

/// The characters of base64 that `len` bytes alone decide if `shift` bytes stand before them:
/// how many are left out, and how many there are.
fn base64_bounds(shift: usize, len: usize) -> (usize, usize) {
    let skip = (shift * 8).div_ceil(6);
    (skip, ((shift + len) * 8 / 6).saturating_sub(skip))
}

fn base64<E: Encoding>(data: &[u8], shift: usize, skip: usize, to: &mut [u8]) {
    let byte = |at: usize| at.checked_sub(shift).and_then(|i| data.get(i)).copied().unwrap_or(0);
    let mut four = [0; 4];
    for (index, place) in to.iter_mut().enumerate() {
        let at = index + skip;
        if at.is_multiple_of(4) || index == 0 {
            let group = at / 4 * 3;
            let three = [byte(group), byte(group + 1), byte(group + 2)];
            // Three bytes are four characters.
            let _ = E::encode(&three, &mut four);
        }
        *place = four.get(at % 4).copied().unwrap_or(0);
    }
}

/// `count` bits of a number from bit `from` on.
fn digit(number: &[u8], from: usize, count: usize) -> u64 {
    let mut value = 0;
    for bit in (from..from + count).rev() {
        let byte = number.iter().rev().nth(bit / 8).copied().unwrap_or(0);
        value = value << 1 | u64::from(byte >> (bit % 8) & 1);
    }
    value
}
