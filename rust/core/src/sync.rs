//! A lock that neither allocates nor parks nor poisons. Rust because it guards the areas.
//!
//! `std::sync::Mutex` cannot be held across fork(2) by a pair of handlers; this one can.

use core::cell::UnsafeCell;
use core::fmt;
use core::hint::spin_loop;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

/// Spins this often before it yields the processor.
const SPINS: u32 = 64;

/// A spin lock that yields.
pub(crate) struct Spin<T> {
    locked: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the lock gives out one reference at a time, so sharing needs T: Send only.
unsafe impl<T: Send> Sync for Spin<T> {}

impl<T> fmt::Debug for Spin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spin").finish_non_exhaustive()
    }
}

impl<T> Spin<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { locked: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    pub(crate) fn lock(&self) -> SpinGuard<'_, T> {
        self.acquire();
        SpinGuard { lock: self }
    }

    /// Takes the lock without a guard, for fork handlers.
    pub(crate) fn acquire(&self) {
        let mut spins = 0;
        while self.locked.compare_exchange_weak(false, true, Acquire, Relaxed).is_err() {
            spins += 1;
            if spins < SPINS {
                spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }

    /// Gives the lock back without a guard.
    ///
    /// # Safety
    /// This thread (or, in a forked child, its image) holds the lock by [`Spin::acquire`].
    pub(crate) unsafe fn release(&self) {
        self.locked.store(false, Release);
    }

    /// The value of a lock that the caller holds by [`Spin::acquire`].
    ///
    /// # Safety
    /// As [`Spin::release`], and no guard is alive.
    #[allow(clippy::mut_from_ref, reason = "the lock is held, as for a guard")]
    pub(crate) unsafe fn held(&self) -> &mut T {
        // SAFETY: the caller holds the lock, so this is the only reference.
        unsafe { &mut *self.value.get() }
    }
}

/// Access to the value while the lock is held.
pub(crate) struct SpinGuard<'a, T> {
    lock: &'a Spin<T>,
}

impl<T> fmt::Debug for SpinGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpinGuard").finish_non_exhaustive()
    }
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard proves that this thread holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard proves that this thread holds the lock.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for SpinGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: the guard proves that this thread holds the lock.
        unsafe { self.lock.release() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn counts_right_from_many_threads() {
        let n = Arc::new(Spin::new(0u32));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let n = Arc::clone(&n);
                #[allow(clippy::disallowed_methods, reason = "a test of threads")]
                std::thread::spawn(move || (0..200).for_each(|_| *n.lock() += 1))
            })
            .collect();
        for t in threads {
            t.join().expect("thread");
        }
        assert_eq!(*n.lock(), 800);
    }
}
