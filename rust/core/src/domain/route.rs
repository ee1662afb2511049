//! The global allocator of the extension: to the secret heap while inside the domain, to the
//! system otherwise; memory is freed by address. Rust because it decides where secrets lie.
//!
//! The interpreter, other extensions and the C library keep their own allocators.

use super::{heap, inside_with_heap};
use crate::runtime;
use std::alloc::{GlobalAlloc, Layout, System};

/// See the module comment. The final library names it its `#[global_allocator]`.
#[derive(Debug)]
pub struct Routed;

// SAFETY: blocks come from the system's allocator or from the heap, and go back to where their
// address says they came from; both keep the contract.
unsafe impl GlobalAlloc for Routed {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if inside_with_heap() {
            return runtime::heap_alloc(layout.size(), layout.align());
        }
        // SAFETY: passed on unchanged.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if inside_with_heap() {
            // Always zero.
            return runtime::heap_alloc(layout.size(), layout.align());
        }
        // SAFETY: passed on unchanged.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if heap::contains(at) {
            // SAFETY: the caller's block, of the heap by its address.
            unsafe { runtime::heap_free(at) };
            return;
        }
        // SAFETY: passed on unchanged.
        unsafe { System.dealloc(at, layout) };
    }

    #[inline]
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !heap::contains(at) && !inside_with_heap() {
            // SAFETY: passed on unchanged.
            return unsafe { System.realloc(at, layout, size) };
        }
        // What is in the heap stays there whoever grows it; what grows inside moves there.
        let new = runtime::heap_alloc(size, layout.align());
        if !new.is_null() {
            let common = layout.size().min(size);
            // SAFETY: two blocks of at least `common` bytes.
            unsafe { runtime::heap_copy(new, at, common) };
            // SAFETY: the caller's block.
            unsafe { self.dealloc(at, layout) };
        }
        new
    }
}
