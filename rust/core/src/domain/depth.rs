//! How much operations take, for tests: of their stack (it is painted before they enter, and what
//! is left of the paint is looked for before the way out wipes it) and of their claim.

use core::cell::Cell;

const PAINT: u8 = 0xa5;

thread_local! {
    /// The stack that this thread painted last; null while it does not measure.
    static PAINTED: Cell<(*mut u8, usize)> = const { Cell::new((core::ptr::null_mut(), 0)) };
    static MEASURES: Cell<bool> = const { Cell::new(false) };
    static DEEPEST: Cell<usize> = const { Cell::new(0) };
    static BLOCKS: Cell<isize> = const { Cell::new(0) };
    static MOST_HEAP: Cell<usize> = const { Cell::new(0) };
}

/// Bytes of the deepest use of a stack by the operations of `code`, on this thread.
pub(crate) fn of(code: impl FnOnce()) -> usize {
    DEEPEST.set(0);
    MEASURES.set(true);
    code();
    MEASURES.set(false);
    DEEPEST.get()
}

/// Fresh bytes of the heap that the greediest operation of `code` took, on this thread. All that
/// it needs if the heap was empty before.
pub(crate) fn heap_of(code: impl FnOnce()) -> usize {
    MOST_HEAP.set(0);
    code();
    MOST_HEAP.get()
}

/// Blocks that the operations of this thread left in the heap, so far.
pub(crate) fn blocks() -> isize {
    BLOCKS.get()
}

pub(super) fn note_heap(bytes: usize, blocks: isize) {
    MOST_HEAP.set(MOST_HEAP.get().max(bytes));
    BLOCKS.set(BLOCKS.get() + blocks);
}

pub(super) fn paint(low: *mut u8, size: usize) {
    if MEASURES.get() {
        PAINTED.set((low, size));
        // SAFETY: a claimed stack that nobody runs on yet.
        unsafe { low.write_bytes(PAINT, size) };
    }
}

/// On the painted stack, after the operation.
pub(super) fn measure() {
    if MEASURES.get() {
        let (low, size) = PAINTED.get();
        // SAFETY: the stack that this runs on.
        let byte = |i: &usize| unsafe { low.wrapping_add(*i).read_volatile() };
        let left = (0..size).find(|i| byte(i) != PAINT);
        DEEPEST.set(DEEPEST.get().max(size - left.unwrap_or(size)));
    }
}
