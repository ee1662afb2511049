//! Where a secret lies. Rust because it is an address in secret memory.

use super::area::Body;
use crate::kernel::PAGE;
use crate::page::{Page, slot_size};
use core::sync::atomic::Ordering::Relaxed;

/// Bytes of the generation before the payload of an inherited secret.
pub(super) const GENERATION: usize = 8;

/// Where a secret lies. Given back by [`Arena::free`](super::Arena::free) only.
#[derive(Debug)]
pub(crate) enum Place {
    /// A slot of a page, or a run of pages (slot 0).
    Slot(&'static Page, usize),
    /// A mapping of its own.
    Own(*mut Body),
}

// SAFETY: the pointer is to a body that this place alone owns.
unsafe impl Send for Place {}

/// A claimed slot and the facts that its owner needs.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(super) place: Place,
    /// First byte of the payload.
    pub(crate) payload: *mut u8,
    /// Of an inherited slot; 0 otherwise.
    pub(crate) generation: u64,
}

// SAFETY: the pointer is into secret memory that this slot alone owns; access is `unsafe`.
unsafe impl Send for Slot {}

impl Slot {
    /// The mapping and gate that the slot is in.
    #[inline]
    pub(crate) fn body(&self) -> &Body {
        match self.place {
            Place::Slot(page, _) => {
                let area = page.area.load(Relaxed);
                // SAFETY: records are never freed; the claimed slot keeps the body.
                unsafe { &*area }.body()
            }
            // SAFETY: owned by this place until `free`.
            Place::Own(body) => unsafe { &*body },
        }
    }

    pub(super) fn generation_word(&self) -> *mut u64 {
        self.payload.wrapping_sub(GENERATION).cast()
    }

    /// Reads the generation from secret memory. The gate is open.
    ///
    /// # Safety
    /// The slot is of an inheriting arena, mapped, and open.
    pub(crate) unsafe fn read_generation(&self) -> u64 {
        // SAFETY: slots of an inheriting arena start with the word, 8-byte aligned.
        unsafe { self.generation_word().read_volatile() }
    }
}

/// First byte of a claimed place.
pub(super) fn start_of(place: &Place) -> *mut u8 {
    match *place {
        // SAFETY: owned by this place.
        Place::Own(body) => unsafe { &*body }.mapping.base(),
        Place::Slot(page, slot) => {
            let area = page.area.load(Relaxed);
            // SAFETY: records are never freed; the claimed slot keeps the body.
            let base = unsafe { &*area }.body().mapping.base();
            base.wrapping_add(page.index as usize * PAGE + slot * slot_size(page.class()))
        }
    }
}
