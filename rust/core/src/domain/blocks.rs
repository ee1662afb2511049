//! The bookkeeping of the secret heap, in ordinary memory: which bytes are whose. Rust because it
//! decides where secrets lie.
//!
//! A word for each 16 bytes of the heap tells whether a block starts there and of which class, or
//! where the next free block is. Each operation has an account of what it claimed and took.

use super::stacks::{self, Stack};
use crate::kernel::linux::die;

/// Address space for the heap; pages are locked as chunks are mapped.
pub(super) const REGION: usize = 64 << 20;
/// Smallest block.
pub(super) const GRANULE: usize = 16;
/// Largest alignment of a block.
pub(super) const ALIGN: usize = 64;
/// Classes 16, 32, 48, 64, 96, 128, 192 ... 8 MiB.
const CLASSES: usize = 40;
/// Marks a live block; the class is in the low bits.
const LIVE: u32 = 1 << 31;
/// End of a free list; not a live block's word.
const NONE: u32 = LIVE - 1;

/// Class of a size: sizes are powers of two and one and a half times those.
pub(super) fn class_of(size: usize) -> usize {
    let size = size.max(GRANULE);
    let log = (usize::BITS - (size - 1).leading_zeros()) as usize;
    let half = 3usize << (log.max(2) - 2);
    let class = 2 * (log - 4);
    if log > 5 && size <= half { class - 1 } else { class }
}

/// Bytes of a class.
pub(super) fn size_of_class(class: usize) -> usize {
    let power = GRANULE << (class / 2);
    if class.is_multiple_of(2) { power } else { power / 2 * 3 }
}

/// What an operation has of the heap.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    /// Fresh bytes that it may still take.
    pub(super) left: usize,
    /// Blocks that it took, less those that it freed.
    pub(super) blocks: isize,
    /// It took more than it had claimed; there was room.
    pub(super) over: bool,
    /// A request of its got null.
    pub(super) refused: bool,
}

pub(super) const CLOSED: Account = Account { left: 0, blocks: 0, over: false, refused: false };

#[derive(Debug)]
pub(super) struct State {
    /// Words of bookkeeping, one per granule; null before the first claim.
    pub(super) words: *mut u32,
    /// First byte that was never handed out, from the start of the region.
    pub(super) fresh: usize,
    /// Bytes that are mapped.
    pub(super) mapped: usize,
    pub(super) free: [u32; CLASSES],
    pub(super) live: usize,
    /// Fresh bytes that operations under way may still take, together.
    pub(super) claimed: usize,
    /// By the stack that the operation is on.
    pub(super) accounts: [Account; stacks::MOST],
}

// SAFETY: the pointer is to memory of the heap's own, used under its lock.
unsafe impl Send for State {}

impl State {
    pub(super) const fn new() -> Self {
        Self {
            words: core::ptr::null_mut(),
            fresh: 0,
            mapped: 0,
            free: [NONE; CLASSES],
            live: 0,
            claimed: 0,
            accounts: [CLOSED; stacks::MOST],
        }
    }

    /// The word of the block that starts at granule `index`.
    fn word(&mut self, index: usize) -> Option<&mut u32> {
        if self.words.is_null() || index >= REGION / GRANULE {
            return None;
        }
        // SAFETY: the table has a word for each granule of the region and lives for ever; the
        // lock is held, as `&mut self` shows.
        Some(unsafe { &mut *self.words.wrapping_add(index) })
    }

    pub(super) fn account(&mut self, stack: Option<Stack>) -> Option<&mut Account> {
        self.accounts.get_mut(stack?.index())
    }

    /// A block of the class, for the operation on that stack: one that was freed, else fresh
    /// bytes, else a larger one that was freed.
    pub(super) fn take(
        &mut self,
        class: usize,
        aligned: bool,
        stack: Option<Stack>,
    ) -> Option<usize> {
        let found =
            self.take_freed(class).or_else(|| self.take_fresh(class, stack)).or_else(|| {
                let larger = class + 1..CLASSES;
                // The classes of powers of two are aligned.
                larger.filter(|c| !aligned || c.is_multiple_of(2)).find_map(|c| self.take_freed(c))
            });
        let account = self.account(stack);
        let Some((index, class)) = found else {
            if let Some(account) = account {
                account.refused = true;
            }
            return None;
        };
        if let Some(account) = account {
            account.blocks += 1;
        }
        *self.word(index)? = LIVE | class as u32;
        self.live += 1;
        Some(index)
    }

    fn take_freed(&mut self, class: usize) -> Option<(usize, usize)> {
        let head = self.free.get(class).copied().filter(|head| *head != NONE)?;
        let next = *self.word(head as usize)?;
        *self.free.get_mut(class)? = next;
        Some((head as usize, class))
    }

    fn take_fresh(&mut self, class: usize, stack: Option<Stack>) -> Option<(usize, usize)> {
        let size = size_of_class(class);
        let align = if size.is_power_of_two() { size.min(ALIGN) } else { GRANULE };
        let at = self.fresh.next_multiple_of(align);
        let need = at + size - self.fresh;
        let spare = self.mapped.checked_sub(self.fresh + self.claimed)?;
        let account = self.account(stack);
        let left = account.as_ref().map_or(0, |account| account.left);
        let own = need.min(left);
        if need - own > spare {
            return None;
        }
        if let Some(account) = account {
            account.left -= own;
            account.over |= need > own;
        }
        self.claimed -= own;
        self.fresh += need;
        Some((at / GRANULE, class))
    }

    /// Class of the live block at `index`.
    pub(super) fn class_at(&mut self, index: usize) -> usize {
        match self.word(index) {
            Some(word) if *word & LIVE != 0 => (*word & !LIVE) as usize,
            _ => die("a block of the secret heap was freed twice or never was one"),
        }
    }

    pub(super) fn give(&mut self, index: usize, class: usize, stack: Option<Stack>) {
        if let Some(account) = self.account(stack) {
            account.blocks -= 1;
        }
        let Some(head) = self.free.get(class).copied() else { return };
        if let Some(word) = self.word(index) {
            *word = head;
        }
        if let Some(slot) = self.free.get_mut(class) {
            *slot = index as u32;
        }
        self.live -= 1;
        if self.live == 0 {
            // All of it is zero again.
            self.fresh = 0;
            self.free = [NONE; CLASSES];
        }
    }
}

#[cfg(test)]
#[path = "heap_tests.rs"]
mod tests;
