//! A buffer of the caller's that an operation fills. Rust because the domain writes to its
//! address.
//!
//! It need not hold anything yet, so nobody has to write zeros first; [`Filled`] is the proof
//! that it does afterwards.

use core::mem::MaybeUninit;

/// Room for an output. Nothing but bytes is ever written to it.
#[derive(Debug)]
pub struct Output<'a>(&'a mut [MaybeUninit<u8>]);

/// An output that was written from its first byte to its last.
#[derive(Debug)]
pub struct Filled<'a>(&'a [u8]);

impl<'a> From<&'a mut [MaybeUninit<u8>]> for Output<'a> {
    fn from(room: &'a mut [MaybeUninit<u8>]) -> Self {
        Self(room)
    }
}

impl<'a> From<&'a mut [u8]> for Output<'a> {
    fn from(room: &'a mut [u8]) -> Self {
        let (at, len) = (room.as_mut_ptr().cast(), room.len());
        // SAFETY: the same bytes, borrowed as long. They stay initialised: an `Output` gives out
        // no reference, and its address is written to only.
        Self(unsafe { core::slice::from_raw_parts_mut(at, len) })
    }
}

impl<'a> Output<'a> {
    /// Bytes of room.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "room for nothing is no special case")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Where to write; never to read.
    pub(crate) fn at(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().cast()
    }

    /// # Safety
    /// All of it was written.
    pub(crate) unsafe fn filled(self) -> Filled<'a> {
        let (at, len) = (self.0.as_ptr().cast(), self.0.len());
        // SAFETY: the same bytes, borrowed as long, initialised as the caller promises.
        Filled(unsafe { core::slice::from_raw_parts(at, len) })
    }
}

impl Filled<'_> {
    /// The output.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_becomes_bytes_when_it_was_written() {
        let mut room = [const { MaybeUninit::<u8>::uninit() }; 5];
        let mut output = Output::from(room.as_mut_slice());
        assert_eq!(output.len(), 5);
        // SAFETY: five bytes of room.
        unsafe { output.at().write_bytes(7, 5) };
        // SAFETY: all were written above.
        let filled = unsafe { output.filled() };
        assert_eq!(filled.bytes(), [7; 5]);
    }

    #[test]
    fn bytes_that_are_there_stay_until_they_are_written() {
        let mut bytes = [1u8, 2, 3];
        let mut output = Output::from(bytes.as_mut_slice());
        // SAFETY: three bytes of room.
        unsafe { output.at().write(9) };
        assert_eq!(bytes, [9, 2, 3]);
    }
}
