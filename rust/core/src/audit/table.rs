//! Finds any piece of many forms at once. Rust because table and data are secret.
//!
//! A piece of [`WINDOW`] bytes contains four whole bytes at one of five places in a row. So it is
//! enough to look at every fifth place of the data, for all four-byte pieces of the forms: two
//! bit sets turn nearly all places away, a hash table finds the forms of the others, and what is
//! found is extended to both sides. No automaton: the table of a 32-byte key is 20 KiB, of an
//! RSA key of 2048 bits 200.
//!
//! Which memory is touched depends on the key: somebody who watches the caches of the machine
//! learns pieces of it, as with every parser of keys.

use super::Hit;
use super::forms::{Form, WINDOW};

/// Bytes of a piece.
const PIECE: usize = 4;
/// Places between two looks.
const STEP: usize = WINDOW - PIECE + 1;
/// Bytes of an entry of the hash table: place of a piece plus one.
const ENTRY: usize = 4;
/// Different bytes that a hit has at least: zeros, blanks and counters are everywhere.
const DISTINCT: u32 = 5;

/// Where the parts of a table lie: forms, entries, two bit sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    forms: usize,
    entries: usize,
    /// Logarithm of the bits of each bit set.
    bits: u32,
}

impl Layout {
    /// For so many bytes of forms.
    pub(super) fn of(forms: usize) -> Self {
        let bits = (forms * 16).next_power_of_two().clamp(1 << 13, 1 << 18).trailing_zeros();
        Self { forms, entries: (forms * 2).next_power_of_two(), bits }
    }

    /// Bytes of all parts.
    pub(super) fn size(self) -> usize {
        self.forms + self.entries * ENTRY + 2 * self.bytes()
    }

    /// Bytes of a bit set.
    fn bytes(self) -> usize {
        1 << (self.bits - 3)
    }

    /// The places of a piece in both bit sets.
    #[inline]
    fn bits_of(self, piece: u32) -> (usize, usize) {
        let shift = 32 - self.bits;
        let other = (piece ^ piece >> 15).wrapping_mul(0x846c_a68b);
        ((piece.wrapping_mul(0x9e37_79b1) >> shift) as usize, (other >> shift) as usize)
    }

    fn entry_of(self, piece: u32) -> usize {
        (piece.wrapping_mul(0x85eb_ca6b) ^ piece >> 13) as usize & (self.entries - 1)
    }
}

#[inline]
fn piece_at(data: &[u8], at: usize) -> Option<u32> {
    let piece = data.get(at..)?.first_chunk::<PIECE>()?;
    Some(u32::from_ne_bytes(*piece))
}

/// Whether a piece is no run of one byte. Zeros, which end many a number, are in half of all
/// pages; a window of eight with four equal bytes in a row may be missed.
pub(super) fn telling(piece: u32) -> bool {
    piece != piece.rotate_left(8)
}

/// Fills the table behind the forms, which lie at its start.
pub(super) fn build(room: &mut [u8], layout: Layout, forms: &[Form]) {
    let (bytes, rest) = room.split_at_mut(layout.forms);
    let (entries, sets) = rest.split_at_mut(layout.entries * ENTRY);
    let (entries, _) = entries.as_chunks_mut::<ENTRY>();
    let (first, second) = sets.split_at_mut(layout.bytes());
    for form in forms {
        for at in form.start..form.start + form.len - (PIECE - 1) {
            let Some(piece) = piece_at(bytes, at).filter(|piece| telling(*piece)) else { continue };
            let (one, other) = layout.bits_of(piece);
            for (set, bit) in [(&mut *first, one), (&mut *second, other)] {
                if let Some(byte) = set.get_mut(bit / 8) {
                    *byte |= 1 << (bit % 8);
                }
            }
            let mut index = layout.entry_of(piece);
            while let Some(entry) = entries.get_mut(index) {
                if u32::from_ne_bytes(*entry) == 0 {
                    *entry = (at as u32 + 1).to_ne_bytes();
                    break;
                }
                index = (index + 1) & (layout.entries - 1);
            }
        }
    }
}

/// A table that was built.
pub(super) struct Table<'a> {
    layout: Layout,
    forms: &'a [Form],
    bytes: &'a [u8],
    entries: &'a [[u8; ENTRY]],
    first: &'a [u8],
    second: &'a [u8],
}

impl<'a> Table<'a> {
    pub(super) fn of(table: &'a [u8], layout: Layout, forms: &'a [Form]) -> Self {
        let (bytes, rest) = table.split_at(layout.forms);
        let (entries, sets) = rest.split_at(layout.entries * ENTRY);
        let (entries, _) = entries.as_chunks();
        let (first, second) = sets.split_at(layout.bytes());
        Self { layout, forms, bytes, entries, first, second }
    }

    /// Looks for all forms. Gives how many hits were written to `hits`, by their place in the
    /// data, and where the look ended: before the end if there was no more room.
    ///
    /// `seen` has a word for each form.
    pub(super) fn find(&self, data: &[u8], seen: &mut [usize], hits: &mut [Hit]) -> (usize, usize) {
        seen.fill(0);
        let (mut count, mut at) = (0, 0);
        while let Some(piece) = piece_at(data, at) {
            if self.may_have(piece) && !self.found(data, at, piece, seen, hits, &mut count) {
                return (count, at);
            }
            at += STEP;
        }
        (count, data.len())
    }

    #[inline]
    fn may_have(&self, piece: u32) -> bool {
        let (one, other) = self.layout.bits_of(piece);
        let has =
            |set: &[u8], bit: usize| set.get(bit / 8).is_some_and(|b| b >> (bit % 8) & 1 == 1);
        has(self.first, one) && has(self.second, other)
    }

    /// Notes the forms that have this piece; false if there is no more room.
    #[cold]
    fn found(
        &self,
        data: &[u8],
        at: usize,
        piece: u32,
        seen: &mut [usize],
        hits: &mut [Hit],
        count: &mut usize,
    ) -> bool {
        let mut index = self.layout.entry_of(piece);
        while let Some(entry) = self.entries.get(index) {
            let Some(place) = (u32::from_ne_bytes(*entry) as usize).checked_sub(1) else { break };
            index = (index + 1) & (self.layout.entries - 1);
            if piece_at(self.bytes, place) != Some(piece) {
                continue;
            }
            let number = self.forms.partition_point(|form| form.start <= place).saturating_sub(1);
            let (Some(form), Some(seen)) = (self.forms.get(number), seen.get_mut(number)) else {
                continue;
            };
            if *seen >= at + PIECE {
                continue;
            }
            let (start, end) = self.extended(data, at, place, form);
            let Some(whole) = data.get(start..end) else { continue };
            if whole.len() < form.least || distinct(whole) < DISTINCT {
                continue;
            }
            let Some(hit) = hits.get_mut(*count) else { return false };
            *hit = Hit { form: number, address: start as u64, size: end - start };
            *seen = end;
            *count += 1;
        }
        true
    }

    /// Widens a piece that was found to all that fits around it.
    fn extended(&self, data: &[u8], at: usize, place: usize, form: &Form) -> (usize, usize) {
        let own = self.bytes.get(form.start..form.start + form.len).unwrap_or_default();
        let inner = place - form.start;
        let (before, own_before) = (data.get(..at), own.get(..inner));
        let back = before.unwrap_or_default().iter().rev();
        let back = back.zip(own_before.unwrap_or_default().iter().rev());
        let (after, own_after) = (data.get(at..), own.get(inner..));
        let forth = after.unwrap_or_default().iter();
        let forth = forth.zip(own_after.unwrap_or_default());
        let same = |(a, b): &(&u8, &u8)| a == b;
        (at - back.take_while(same).count(), at + forth.take_while(same).count())
    }
}

/// How many different bytes there are.
fn distinct(bytes: &[u8]) -> u32 {
    let mut set = [0u128; 2];
    for byte in bytes {
        if let Some(half) = set.get_mut(usize::from(byte >> 7)) {
            *half |= 1 << (byte & 127);
        }
    }
    set.iter().map(|half| half.count_ones()).sum()
}
