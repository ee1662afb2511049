//! A kernel whose Nth call fails, once or for good. Rust because it stands where the kernel
//! stands. For test builds only.
//!
//! The habit is SQLite's: fail the 1st, 2nd, 3rd ... call of an operation until the operation
//! completes without reaching the fault.

use super::{Advice, AltStack, Errno, Fd, FileInfo, KResult, Kernel, Prot};
use core::ffi::c_int;
use core::sync::atomic::{AtomicI32, AtomicI64, Ordering::SeqCst};

/// Wraps a kernel; [`Fault::arm`] chooses the call that fails.
#[derive(Debug)]
pub struct Fault<K> {
    inner: K,
    /// Calls left before the fault; negative: disarmed.
    left: AtomicI64,
    errno: AtomicI32,
    persistent: AtomicI32,
    hits: AtomicI64,
}

impl<K> Fault<K> {
    /// A disarmed twin.
    pub const fn new(inner: K) -> Self {
        Self {
            inner,
            left: AtomicI64::new(-1),
            errno: AtomicI32::new(0),
            persistent: AtomicI32::new(0),
            hits: AtomicI64::new(0),
        }
    }

    /// Lets the `nth` call from now (counted from 0) fail with `errno`, or it and all later ones.
    pub fn arm(&self, nth: u32, errno: Errno, persistent: bool) {
        self.errno.store(errno, SeqCst);
        self.persistent.store(c_int::from(persistent), SeqCst);
        self.hits.store(0, SeqCst);
        self.left.store(i64::from(nth), SeqCst);
    }

    /// Ends the faults; returns how many calls failed.
    pub fn disarm(&self) -> i64 {
        self.left.store(-1, SeqCst);
        self.hits.swap(0, SeqCst)
    }

    /// The kernel behind.
    pub fn inner(&self) -> &K {
        &self.inner
    }

    fn pass(&self) -> KResult<()> {
        let left = self.left.load(SeqCst);
        if left < 0 {
            return Ok(());
        }
        if left > 0 {
            self.left.fetch_sub(1, SeqCst);
            return Ok(());
        }
        if self.persistent.load(SeqCst) == 0 {
            self.left.store(-1, SeqCst);
        }
        self.hits.fetch_add(1, SeqCst);
        Err(self.errno.load(SeqCst))
    }
}

impl<K: Kernel> Kernel for Fault<K> {
    fn memfd_secret(&self, flags: u32) -> KResult<Fd> {
        self.pass()?;
        self.inner.memfd_secret(flags)
    }
    fn memfd_create(&self) -> KResult<Fd> {
        self.pass()?;
        self.inner.memfd_create()
    }
    fn ftruncate(&self, fd: Fd, len: usize) -> KResult<()> {
        self.pass()?;
        self.inner.ftruncate(fd, len)
    }
    fn close(&self, fd: Fd) {
        self.inner.close(fd);
    }
    fn reserve(&self, len: usize) -> KResult<*mut u8> {
        self.pass()?;
        self.inner.reserve(len)
    }
    unsafe fn map(&self, at: *mut u8, len: usize, fd: Fd, prot: Prot) -> KResult<()> {
        self.pass()?;
        // SAFETY: passed on unchanged.
        unsafe { self.inner.map(at, len, fd, prot) }
    }
    // Giving memory back cannot be made to fail: the kernel has no such failure for whole
    // mappings, and a caller could do nothing about one.
    unsafe fn fill(&self, at: *mut u8, len: usize) -> KResult<()> {
        // SAFETY: passed on unchanged.
        unsafe { self.inner.fill(at, len) }
    }
    unsafe fn unmap(&self, at: *mut u8, len: usize) -> KResult<()> {
        // SAFETY: passed on unchanged.
        unsafe { self.inner.unmap(at, len) }
    }
    unsafe fn protect(&self, at: *mut u8, len: usize, prot: Prot) -> KResult<()> {
        // Closing must not fail (it would end the process); opening may.
        if prot != Prot::None {
            self.pass()?;
        }
        // SAFETY: passed on unchanged.
        unsafe { self.inner.protect(at, len, prot) }
    }
    unsafe fn protect_key(&self, at: *mut u8, len: usize, key: c_int) -> KResult<()> {
        self.pass()?;
        // SAFETY: passed on unchanged.
        unsafe { self.inner.protect_key(at, len, key) }
    }
    unsafe fn advise(&self, at: *mut u8, len: usize, advice: Advice) -> KResult<()> {
        self.pass()?;
        // SAFETY: passed on unchanged.
        unsafe { self.inner.advise(at, len, advice) }
    }
    unsafe fn lock(&self, at: *mut u8, len: usize) -> KResult<()> {
        self.pass()?;
        // SAFETY: passed on unchanged.
        unsafe { self.inner.lock(at, len) }
    }
    unsafe fn getrandom(&self, at: *mut u8, len: usize) -> KResult<usize> {
        self.pass()?;
        // SAFETY: passed on unchanged.
        unsafe { self.inner.getrandom(at, len) }
    }
    unsafe fn read(&self, fd: Fd, at: *mut u8, len: usize) -> KResult<usize> {
        self.pass()?;
        // SAFETY: passed on unchanged.
        unsafe { self.inner.read(fd, at, len) }
    }
    unsafe fn pread(&self, fd: Fd, at: *mut u8, len: usize, from: u64) -> KResult<usize> {
        self.pass()?;
        // SAFETY: passed on unchanged.
        unsafe { self.inner.pread(fd, at, len, from) }
    }
    unsafe fn write(&self, fd: Fd, at: *const u8, len: usize) -> KResult<usize> {
        self.pass()?;
        // SAFETY: passed on unchanged.
        unsafe { self.inner.write(fd, at, len) }
    }
    fn poll(&self, fd: Fd, output: bool) -> KResult<()> {
        self.pass()?;
        self.inner.poll(fd, output)
    }
    fn fstat(&self, fd: Fd) -> KResult<FileInfo> {
        self.pass()?;
        self.inner.fstat(fd)
    }
    unsafe fn look(&self, at: *const u8) -> KResult<()> {
        self.pass()?;
        // SAFETY: passed on unchanged.
        unsafe { self.inner.look(at) }
    }
    fn is_secretmem(&self, fd: Fd) -> KResult<bool> {
        self.pass()?;
        self.inner.is_secretmem(fd)
    }
    fn socket_type(&self, fd: Fd) -> KResult<Option<c_int>> {
        self.pass()?;
        self.inner.socket_type(fd)
    }
    fn pkey_alloc(&self) -> KResult<c_int> {
        self.pass()?;
        self.inner.pkey_alloc()
    }
    unsafe fn sigaltstack(&self, new: Option<AltStack>) -> KResult<AltStack> {
        // Asking and setting may fail. Putting back none has no failure, and putting back a stack
        // is tried again: see `leave` of the domain.
        if new.is_none_or(|stack| !stack.is_none()) {
            self.pass()?;
        }
        // SAFETY: passed on unchanged.
        unsafe { self.inner.sigaltstack(new) }
    }
    fn memlock_limit(&self) -> KResult<Option<usize>> {
        self.pass()?;
        self.inner.memlock_limit()
    }
}
