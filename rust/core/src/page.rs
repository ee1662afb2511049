//! Bookkeeping of one page of an area: its size class and which slots are taken. Rust because
//! it decides which secret bytes may be overwritten.
//!
//! All of it lies in ordinary memory and none of it is secret. Slots are claimed and given back
//! by atomic operations on two words; a page that nothing may be claimed from has all bits set.

use crate::arena::Area;
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering::AcqRel, Ordering::Acquire,
    Ordering::Relaxed, Ordering::Release,
};

/// Slot sizes in bytes, all within one page. A slot holds its payload and an 8-byte canary.
pub(crate) const CLASSES: [u16; 13] =
    [32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1344, 2048];

/// Class of a page that belongs to nobody.
pub(crate) const FREE: u8 = 0xff;
/// Class of the first page of a run of pages.
pub(crate) const RUN: u8 = 0xfe;
/// Class of the other pages of a run.
pub(crate) const TAIL: u8 = 0xfd;

const FULL: u64 = u64::MAX;

/// See the module comment.
#[derive(Debug)]
pub(crate) struct Page {
    /// The area that it is in, for the life of the process.
    pub(crate) area: AtomicPtr<Area>,
    /// Which page of the area.
    pub(crate) index: u32,
    class: AtomicU8,
    bits: [AtomicU64; 2],
    /// In the list of pages with room.
    pub(crate) listed: AtomicBool,
    /// Pages of the run that starts here.
    pub(crate) run: AtomicU32,
}

/// What a free did to its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freed {
    /// Other slots were free already.
    Plain,
    /// The page had no room before: it should be listed.
    WasFull,
}

/// Slots of a class in one page.
pub(crate) fn slots(class: u8) -> usize {
    let size = CLASSES.get(usize::from(class)).copied().unwrap_or(4096);
    4096 / usize::from(size)
}

/// Slot size of a class in bytes.
pub(crate) fn slot_size(class: u8) -> usize {
    usize::from(CLASSES.get(usize::from(class)).copied().unwrap_or(4096))
}

/// The bits of word `word` that stand for no slot.
fn no_slot(class: u8, word: usize) -> u64 {
    let slots = slots(class).saturating_sub(word * 64);
    if slots >= 64 { 0 } else { FULL << slots }
}

impl Page {
    pub(crate) fn new(index: u32) -> Self {
        Self {
            area: AtomicPtr::new(core::ptr::null_mut()),
            index,
            class: AtomicU8::new(FREE),
            bits: [AtomicU64::new(FULL), AtomicU64::new(FULL)],
            listed: AtomicBool::new(false),
            run: AtomicU32::new(0),
        }
    }

    pub(crate) fn class(&self) -> u8 {
        self.class.load(Acquire)
    }

    /// Gives a free page to a class. Under the arena's lock.
    pub(crate) fn assign(&self, class: u8) {
        self.class.store(class, Release);
        for (word, bits) in self.bits.iter().enumerate() {
            bits.store(no_slot(class, word), Release);
        }
    }

    /// Marks a page as part of a run, or free again. Under the arena's lock.
    pub(crate) fn mark(&self, class: u8) {
        self.class.store(class, Release);
    }

    /// Claims a slot if the page is of that class and has one.
    #[inline]
    pub(crate) fn claim(&self, class: u8) -> Option<usize> {
        if self.class.load(Acquire) != class {
            return None;
        }
        for (word, bits) in self.bits.iter().enumerate() {
            let mut old = bits.load(Relaxed);
            while old != FULL {
                let bit = old.trailing_ones();
                match bits.compare_exchange_weak(old, old | (1 << bit), AcqRel, Relaxed) {
                    Ok(_) => {
                        let slot = word * 64 + bit as usize;
                        // The page may have changed hands before the claim; it cannot after.
                        if self.class.load(Acquire) == class {
                            return Some(slot);
                        }
                        self.unclaim(slot);
                        return None;
                    }
                    Err(now) => old = now,
                }
            }
        }
        None
    }

    /// Gives a slot back. `None`: it was free, so the caller's state is damaged.
    #[inline]
    pub(crate) fn unclaim(&self, slot: usize) -> Option<Freed> {
        let bits = self.bits.get(slot / 64)?;
        let bit = 1u64 << (slot % 64);
        let old = bits.fetch_and(!bit, AcqRel);
        match old {
            _ if old & bit == 0 => None,
            FULL => Some(Freed::WasFull),
            _ => Some(Freed::Plain),
        }
    }

    /// Takes an empty page back from its class: true if it was empty. Under the arena's lock.
    pub(crate) fn retire(&self) -> bool {
        let class = self.class();
        if usize::from(class) >= CLASSES.len() {
            return class == FREE;
        }
        let empty = [no_slot(class, 0), no_slot(class, 1)];
        for (word, bits) in self.bits.iter().enumerate() {
            let want = empty.get(word).copied().unwrap_or(FULL);
            if bits.compare_exchange(want, FULL, AcqRel, Relaxed).is_err() {
                // Somebody holds a slot: put back the words before this one.
                for (bits, want) in self.bits.iter().zip(empty).take(word) {
                    bits.store(want, Release);
                }
                return false;
            }
        }
        self.class.store(FREE, Release);
        true
    }

    /// Ends all claims from this page. Under the arena's lock.
    pub(crate) fn freeze(&self) {
        if self.class() == FREE {
            self.mark(TAIL);
        }
        for bits in &self.bits {
            bits.store(FULL, Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_fits_its_page() {
        for class in 0..CLASSES.len() as u8 {
            let page = Page::new(0);
            assert_eq!(page.claim(class), None);
            page.assign(class);
            for slot in 0..slots(class) {
                assert_eq!(page.claim(class), Some(slot));
                assert!((slot + 1) * slot_size(class) <= 4096);
            }
            assert_eq!(page.claim(class), None);
            assert!(!page.retire());
            for slot in 0..slots(class) {
                let was_full = slot == 0 || (slot == 64);
                let want = if was_full { Freed::WasFull } else { Freed::Plain };
                assert_eq!(page.unclaim(slot), Some(want), "class {class} slot {slot}");
                assert_eq!(page.unclaim(slot), None, "a double free is seen");
            }
            assert!(page.retire());
            assert_eq!(page.claim(class), None);
        }
    }

    #[test]
    fn a_stale_class_claims_nothing() {
        let page = Page::new(0);
        page.assign(1);
        assert_eq!(page.claim(2), None);
        assert!(page.retire(), "the failed claim left no bit behind");
    }
}
