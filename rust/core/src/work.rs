//! Work memory of scrypt and Argon2. Rust because it holds what is derived from a password.
//!
//! These functions are slow by being large: 16 MiB and more, which no limit on locked memory
//! lets a process have as secret memory. So this one kind of memory is ordinary by design: a
//! mapping of its own, absent from core files and forked children, locked if there is room,
//! wiped and unmapped when the operation ends. The kernel and debuggers can read it meanwhile.

use crate::asm;
use crate::error::{Error, Result};
use crate::kernel::{Advice, Errno, Kernel, PAGE, Prot};
use core::cell::Cell;

thread_local! {
    /// What the library's next large request on this thread gets: address and bytes. Neither is
    /// secret, and it was set outside the domain, so inside it is there.
    static OFFERED: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// See the module comment.
#[derive(Debug)]
pub(crate) struct Work {
    kernel: &'static dyn Kernel,
    base: *mut u8,
    len: usize,
    writable: bool,
}

impl Work {
    /// Maps `bytes` of zeros.
    ///
    /// # Errors
    /// The call that failed: ENOMEM from mmap(2) or mprotect(2).
    pub(crate) fn new(kernel: &'static dyn Kernel, bytes: usize) -> Result<Self> {
        let len = bytes.max(1).checked_next_multiple_of(PAGE);
        let len = len.ok_or(Error::Call { call: "mmap", errno: libc::ENOMEM })?;
        let base = kernel.reserve(len).map_err(fail("mmap"))?;
        let mut this = Self { kernel, base, len, writable: false };
        // SAFETY: our own fresh reservation.
        unsafe { kernel.protect(base, len, Prot::ReadWrite) }.map_err(fail("mprotect"))?;
        this.writable = true;
        for advice in [Advice::DontDump, Advice::DontFork] {
            // SAFETY: our range.
            unsafe { kernel.advise(base, len, advice) }.map_err(fail("madvise"))?;
        }
        if may_lock(kernel, len) {
            // SAFETY: our range. Without room it stays as it is.
            let _ = unsafe { kernel.lock(base, len) };
        }
        Ok(this)
    }

    /// First byte, aligned to a page.
    pub(crate) fn base(&self) -> *mut u8 {
        self.base
    }

    /// Lets the library's next request for at least a page on this thread have this memory
    /// until the result is dropped.
    pub(crate) fn offer(&self) -> Offer<'_> {
        OFFERED.set((self.base.expose_provenance(), self.len));
        Offer { _work: self }
    }
}

fn fail(call: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::Call { call, errno }
}

/// Not if it would take most of what secrets may have. Above the limit locking works only for a
/// process that no limit binds.
fn may_lock(kernel: &dyn Kernel, len: usize) -> bool {
    match kernel.memlock_limit() {
        Ok(Some(limit)) => len <= limit / 4 || len > limit,
        Ok(None) => true,
        Err(_) => false,
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.writable {
            // SAFETY: ours, and nobody uses it any more.
            unsafe { asm::wipe(self.base, self.len) };
        }
        // SAFETY: nobody uses it any more.
        let _ = unsafe { self.kernel.unmap(self.base, self.len) };
    }
}

/// The offer stands.
#[derive(Debug)]
pub(crate) struct Offer<'a> {
    _work: &'a Work,
}

impl Drop for Offer<'_> {
    fn drop(&mut self) {
        OFFERED.set((0, 0));
    }
}

/// The offered memory for a request of `size` bytes; null if there is none. It is handed out
/// again only after it was given back, which the one user does at its end.
pub(crate) fn take(size: usize) -> *mut u8 {
    let (base, len) = OFFERED.get();
    if base == 0 || size < PAGE || size > len {
        return core::ptr::null_mut();
    }
    core::ptr::with_exposed_provenance_mut(base)
}

/// Whether this is the start of the offered memory.
pub(crate) fn is_offered(at: *const u8) -> bool {
    let (base, _len) = OFFERED.get();
    base != 0 && at.addr() == base
}

/// Bytes of the offered memory.
pub(crate) fn offered() -> usize {
    OFFERED.get().1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Fake;
    use crate::kernel::fault::Fault;
    use crate::test_support::leak;

    #[test]
    fn every_failing_call_leaves_nothing() {
        let fake: &'static Fault<Fake> = leak(Fault::new(Fake::new(64, false)));
        let mut completed = false;
        for nth in 0..20 {
            fake.arm(nth, libc::ENOMEM, false);
            let made = Work::new(fake, 3 * PAGE);
            let unused = fake.disarm() == 0;
            drop(made);
            assert_eq!(fake.inner().held(), (0, 0), "call {nth}");
            completed |= unused;
        }
        assert!(completed);
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "another thread must not have the offer")]
    fn an_offer_is_for_this_thread_and_ends() {
        let fake: &'static Fake = leak(Fake::new(64, false));
        let work = Work::new(fake, 2 * PAGE).expect("work memory");
        assert!(take(2 * PAGE).is_null());
        let offer = work.offer();
        assert!(take(16).is_null(), "small requests go to the heap");
        assert!(take(2 * PAGE + 1).is_null());
        assert_eq!(take(2 * PAGE), work.base());
        assert!(is_offered(work.base()));
        let elsewhere = std::thread::spawn(|| take(PAGE).is_null()).join();
        assert!(elsewhere.expect("thread"));
        drop(offer);
        assert!(take(2 * PAGE).is_null());
    }
}
