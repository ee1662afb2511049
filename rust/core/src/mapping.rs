//! One mapping of secretmem with its guards. Rust because it is made of system calls.
//!
//! ```text
//!   reservation (PROT_NONE, anonymous, costs no RLIMIT_MEMLOCK)
//!   +-----------+-------------------------------+-----------+
//!   |   guard   |  secretmem pages (MAP_SHARED)  |   guard   |
//!   +-----------+-------------------------------+-----------+
//! ```
//!
//! The order is memfd_secret, ftruncate once, mmap inside the reservation, the kernel's touch of
//! every page from one thread (two threads that fault one page meet CVE-2025-40272; a touch of
//! our own would be SIGBUS over the per-user limit), MADV_DONTFORK, close. After the close no
//! process can take the descriptor, and the mapping keeps the pages.

use crate::error::{Error, Result, Unavailable as Refusal};
use crate::kernel::{Advice, Errno, Fd, Kernel, PAGE, Prot};
use crate::sync::Spin;
use core::mem::ManuallyDrop;

/// Mappings that a forked child does not have, or has only because a fork handler said so. A
/// child fills the holes, so that nothing else is ever mapped where a stale address points.
static PRIVATE: Spin<Vec<Range>> = Spin::new(Vec::new());

#[derive(Debug, Clone, Copy)]
struct Range {
    base: usize,
    len: usize,
    /// MADV_DOFORK is in force: the child has it.
    passed_on: bool,
}

/// Where the pages come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// memfd_secret(2).
    MemfdSecret,
    /// Degraded, chosen by name: memfd_create(2), mlock(2), MADV_DONTDUMP. The kernel and
    /// debuggers can read it.
    Mlock,
}

/// What a forked child gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// Nothing: MADV_DONTFORK.
    Private,
    /// The same pages, shared.
    Share,
}

/// Secretmem pages between guards. Unmapped on drop.
#[derive(Debug)]
pub struct Mapping {
    kernel: &'static dyn Kernel,
    base: *mut u8,
    len: usize,
    /// It has a reservation of its own, a page longer on each side.
    guarded: bool,
}

// SAFETY: a mapping is an address range; all access through it is `unsafe` and ruled there.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

/// A descriptor that is closed on every way out.
#[derive(Debug)]
pub struct OwnedFd {
    kernel: &'static dyn Kernel,
    fd: Fd,
}

impl OwnedFd {
    /// The number.
    #[must_use]
    pub fn raw(&self) -> Fd {
        self.fd
    }

    /// The number, which is now the caller's to close.
    #[must_use]
    pub(crate) fn into_raw(self) -> Fd {
        ManuallyDrop::new(self).fd
    }

    /// A descriptor that stays somebody else's.
    pub(crate) fn borrowed(kernel: &'static dyn Kernel, fd: Fd) -> ManuallyDrop<Self> {
        ManuallyDrop::new(Self { kernel, fd })
    }
}

impl Drop for OwnedFd {
    fn drop(&mut self) {
        self.kernel.close(self.fd);
    }
}

/// How a mapping is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Who makes the calls.
    pub kernel: &'static dyn Kernel,
    /// Where the pages come from.
    pub backend: Backend,
    /// What a forked child gets.
    pub fork: Fork,
    /// "arena", "stack", "window" or "area": named in errors.
    pub what: &'static str,
}

impl Spec {
    fn fail(&self, call: &'static str, errno: Errno, need: usize) -> Error {
        Error::from_call(call, errno, need, self.what)
    }

    /// Opens a file of `pages` pages.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the call is refused, else the errno as [`Error`].
    pub fn open_file(&self, pages: usize, cloexec: bool) -> Result<OwnedFd> {
        let flags = if cloexec { libc::O_CLOEXEC as u32 } else { 0 };
        let len = pages * PAGE;
        let (call, fd) = match self.backend {
            Backend::MemfdSecret => ("memfd_secret", self.kernel.memfd_secret(flags)),
            Backend::Mlock => ("memfd_create", self.kernel.memfd_create()),
        };
        let fd = fd.map_err(|e| match e {
            libc::ENOSYS | libc::EPERM | libc::EACCES => Error::Unavailable(Refusal::Errno(e)),
            _ => self.fail(call, e, len),
        })?;
        let fd = OwnedFd { kernel: self.kernel, fd };
        self.kernel.ftruncate(fd.fd, len).map_err(|e| self.fail("ftruncate", e, len))?;
        Ok(fd)
    }
}

impl Mapping {
    /// Maps `pages` fresh pages, all zero and present, between guards of its own.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Limit`] or the call that failed. Nothing is left behind.
    pub fn create(spec: Spec, pages: usize) -> Result<Self> {
        let fd = spec.open_file(pages, true)?;
        Self::of_file(spec, &fd, pages, Prot::ReadWrite)
    }

    /// Maps a file of [`Spec::open_file`]. A read-only mapping is not touched: it shows the pages
    /// of a writable one that was.
    ///
    /// # Errors
    /// As [`Mapping::create`].
    pub fn of_file(spec: Spec, fd: &OwnedFd, pages: usize, prot: Prot) -> Result<Self> {
        let len = pages * PAGE;
        let reservation = spec.kernel.reserve(len + 2 * PAGE);
        let reservation = reservation.map_err(|e| spec.fail("mmap", e, len))?;
        let base = reservation.wrapping_add(PAGE);
        let this = Self { kernel: spec.kernel, base, len, guarded: true };
        this.fill_from(spec, fd, prot)?;
        Ok(this)
    }

    /// Maps `pages` fresh pages at a place inside a reservation of the caller, which gets the
    /// place back when the mapping is dropped.
    ///
    /// # Errors
    /// As [`Mapping::create`].
    ///
    /// # Safety
    /// `[base, base + pages)` is reserved, unused, and outlives the mapping.
    pub(crate) unsafe fn create_at(spec: Spec, base: *mut u8, pages: usize) -> Result<Self> {
        let fd = spec.open_file(pages, true)?;
        let this = Self { kernel: spec.kernel, base, len: pages * PAGE, guarded: false };
        this.fill_from(spec, &fd, Prot::ReadWrite)?;
        Ok(this)
    }

    fn fill_from(&self, spec: Spec, fd: &OwnedFd, prot: Prot) -> Result<()> {
        let (base, len) = (self.base, self.len);
        // A fork waits for this lock: no child meets a private mapping that is mapped but not yet
        // absent from children and registered.
        let register = (spec.fork == Fork::Private).then(|| PRIVATE.lock());
        // SAFETY: the range is reserved for this mapping.
        unsafe { self.kernel.map(base, len, fd.fd, prot) }
            .map_err(|e| spec.fail("mmap", e, len))?;
        if let Some(mut register) = register {
            self.advise(Advice::DontFork, spec.what)?;
            register.push(Range { base: base.expose_provenance(), len, passed_on: false });
        }
        if spec.backend == Backend::Mlock {
            self.advise(Advice::DontDump, spec.what)?;
            // SAFETY: our range.
            let locked = unsafe { self.kernel.lock(base, len) };
            locked.map_err(|e| spec.fail("mlock", e, len))?;
        }
        if prot == Prot::ReadWrite { self.touch(spec.what) } else { Ok(()) }
    }

    /// Lets the kernel touch each page: over the per-user limit a call answers EFAULT where a
    /// store of ours would be SIGBUS.
    fn touch(&self, what: &'static str) -> Result<()> {
        for page in 0..self.len / PAGE {
            let at = self.base.wrapping_add(page * PAGE);
            loop {
                // SAFETY: one byte inside the mapping, which nobody else knows yet.
                match unsafe { self.kernel.getrandom(at, 1) } {
                    Ok(_) => break,
                    Err(libc::EINTR) => {}
                    Err(e) => return Err(Error::from_call("getrandom", e, self.len, what)),
                }
            }
            // SAFETY: the page is present now.
            unsafe { at.write(0) };
        }
        Ok(())
    }

    /// madvise(2) over the whole mapping.
    ///
    /// # Errors
    /// The call that failed.
    pub fn advise(&self, advice: Advice, what: &'static str) -> Result<()> {
        // SAFETY: our range.
        unsafe { self.kernel.advise(self.base, self.len, advice) }
            .map_err(|e| Error::from_call("madvise", e, self.len, what))
    }

    /// Lets the next forked child have a private mapping, or takes that back.
    ///
    /// # Errors
    /// The call that failed.
    pub(crate) fn pass_on(&self, passed_on: bool) -> Result<()> {
        let advice = if passed_on { Advice::DoFork } else { Advice::DontFork };
        self.advise(advice, "area")?;
        let base = self.base.addr();
        if let Some(range) = PRIVATE.lock().iter_mut().find(|r| r.base == base) {
            range.passed_on = passed_on;
        }
        Ok(())
    }

    /// First byte.
    #[must_use]
    pub fn base(&self) -> *mut u8 {
        self.base
    }

    /// Length in bytes, whole pages.
    #[must_use]
    pub fn size(&self) -> usize {
        self.len
    }

    /// The kernel that made it.
    pub(crate) fn kernel(&self) -> &'static dyn Kernel {
        self.kernel
    }
}

/// Takes the lock of the register for fork(2).
pub(crate) fn before_fork() {
    PRIVATE.acquire();
}

/// Gives it back in the parent.
///
/// # Safety
/// This thread called [`before_fork`].
pub(crate) unsafe fn after_fork_in_parent() {
    // SAFETY: taken by `before_fork`.
    unsafe { PRIVATE.release() };
}

/// In the child: fills the holes, and gives the lock back.
///
/// # Safety
/// This is the only thread; the lock is held by `before_fork`, or (after a bare clone(2)) by
/// nobody who lives.
pub(crate) unsafe fn after_fork_in_child(kernel: &dyn Kernel) {
    // SAFETY: the only thread.
    let ranges = unsafe { PRIVATE.held() };
    // What was passed on to this process, or to its parent, is here, by whatever call.
    for range in ranges.iter().filter(|range| !range.passed_on) {
        let at = core::ptr::with_exposed_provenance_mut(range.base);
        // SAFETY: the range is ours; the child has no pages there.
        let _ = unsafe { kernel.fill(at, range.len) };
    }
    // SAFETY: the only thread.
    unsafe { PRIVATE.release() };
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let base = self.base.addr();
        // Held over the unmapping: a fork meets a registered mapping or none.
        let mut register = PRIVATE.lock();
        register.retain(|r| r.base != base);
        let start = self.base.wrapping_sub(PAGE);
        // The kernel wipes the pages when the last mapping of them goes. A failure leaves them
        // mapped, which is safe.
        let _ = if self.guarded {
            // SAFETY: the reservation is ours and its owner is done with it.
            unsafe { self.kernel.unmap(start, self.len + 2 * PAGE) }
        } else {
            // SAFETY: the place is ours and its owner is done with it.
            unsafe { self.kernel.fill(self.base, self.len) }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Fake;
    use crate::kernel::fault::Fault;
    use crate::test_support::leak;

    fn spec(kernel: &'static dyn Kernel, backend: Backend) -> Spec {
        Spec { kernel, backend, fork: Fork::Private, what: "area" }
    }

    #[test]
    fn every_failing_call_is_named_and_leaves_nothing() {
        for backend in [Backend::MemfdSecret, Backend::Mlock] {
            let fake: &'static Fault<Fake> = leak(Fault::new(Fake::new(64, false)));
            let mut completed = false;
            for nth in 0..40 {
                fake.arm(nth, libc::ENOMEM, false);
                let made = Mapping::create(spec(fake, backend), 3);
                if fake.disarm() == 0 {
                    completed = made.is_ok();
                    break;
                }
                assert_eq!(
                    made.err(),
                    Some(Error::Limit { need: 3 * PAGE, what: "area", errno: libc::ENOMEM })
                );
                assert_eq!(fake.inner().held(), (0, 0), "call {nth}");
            }
            assert!(completed);
        }
    }

    #[test]
    fn both_accounting_regimes_end_in_limit() {
        for (at_touch, errno) in [(false, libc::EAGAIN), (true, libc::EFAULT)] {
            let fake: &'static Fake = leak(Fake::new(4, at_touch));
            let first = Mapping::create(spec(fake, Backend::MemfdSecret), 3);
            assert!(first.is_ok());
            let second = Mapping::create(spec(fake, Backend::MemfdSecret), 2);
            assert_eq!(second.err(), Some(Error::Limit { need: 2 * PAGE, what: "area", errno }));
            assert_eq!(fake.held(), (0, 3 * PAGE));
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        let fake: &'static Fault<Fake> = leak(Fault::new(Fake::new(64, false)));
        for errno in [libc::ENOSYS, libc::EPERM] {
            fake.arm(0, errno, false);
            let made = Mapping::create(spec(fake, Backend::MemfdSecret), 1);
            assert_eq!(made.err(), Some(Error::Unavailable(Refusal::Errno(errno))));
        }
    }
}
