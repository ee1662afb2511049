//! The kernel as this crate sees it. Rust because each method is a system call.
//!
//! [`Kernel`] is the seam: [`linux::Linux`] is the only implementation that
//! makes system calls, `fault::Fault` fails the Nth call of another kernel,
//! `fake::Fake` serves unit tests and Miri from the Rust heap.

use core::ffi::c_int;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(any(test, feature = "fault"))]
pub mod fault;
pub mod linux;

/// An errno value, as in errno(3).
pub type Errno = c_int;
/// A file descriptor.
pub type Fd = c_int;
/// Result of a system call.
pub type KResult<T> = core::result::Result<T, Errno>;

/// Size of a page in bytes. x86-64 and the 4 KiB configuration of aarch64; checked at start.
pub const PAGE: usize = 4096;

/// Protection of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prot {
    /// No access.
    None,
    /// Read only.
    Read,
    /// Read and write.
    ReadWrite,
}

/// Advice of madvise(2) that we give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// The mapping is absent in a forked child.
    DontFork,
    /// The mapping is present in a forked child.
    DoFork,
    /// The mapping stays out of core files (memfd_secret implies it).
    DontDump,
}

/// What fstat(2) and lseek(2) say, as far as we ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileInfo {
    /// Bytes from the current position to the end if this is a regular file.
    pub regular_left: Option<usize>,
    /// A character device, as terminals are.
    pub character: bool,
}

/// A signal stack (stack_t).
#[derive(Debug, Clone, Copy)]
pub struct AltStack {
    /// Lowest byte; null if disabled.
    pub base: *mut u8,
    /// Size in bytes.
    pub size: usize,
    /// SS_DISABLE, SS_ONSTACK.
    pub flags: c_int,
}

impl AltStack {
    /// Whether this says that there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.flags & libc::SS_DISABLE != 0
    }
}

/// The system calls of this crate. Addresses are page aligned, lengths are whole pages
/// unless stated.
#[allow(clippy::missing_errors_doc, reason = "a failure is always the call's errno")]
pub trait Kernel: Sync + core::fmt::Debug {
    /// memfd_secret(2). ENOSYS, EPERM, EMFILE, ENFILE, ENOMEM, EINVAL.
    fn memfd_secret(&self, flags: u32) -> KResult<Fd>;
    /// memfd_create(2), for the degraded backend.
    fn memfd_create(&self) -> KResult<Fd>;
    /// ftruncate(2); once only on a secretmem file.
    fn ftruncate(&self, fd: Fd, len: usize) -> KResult<()>;
    /// close(2).
    fn close(&self, fd: Fd);
    /// Reserves address space: mmap(2), anonymous, PROT_NONE, MAP_NORESERVE.
    fn reserve(&self, len: usize) -> KResult<*mut u8>;
    /// mmap(2), MAP_SHARED | MAP_FIXED, from offset 0. EAGAIN over RLIMIT_MEMLOCK (old accounting).
    ///
    /// # Safety
    /// `[at, at + len)` is a reservation of the caller that nothing else uses.
    unsafe fn map(&self, at: *mut u8, len: usize, fd: Fd, prot: Prot) -> KResult<()>;
    /// Puts a PROT_NONE reservation back over the range: mmap(2), MAP_FIXED.
    ///
    /// # Safety
    /// The caller owns the range and nothing in it is used any more.
    unsafe fn fill(&self, at: *mut u8, len: usize) -> KResult<()>;
    /// munmap(2).
    ///
    /// # Safety
    /// The caller owns the range and nothing in it is used any more.
    unsafe fn unmap(&self, at: *mut u8, len: usize) -> KResult<()>;
    /// mprotect(2).
    ///
    /// # Safety
    /// The caller owns the range and no reference relies on the old protection.
    unsafe fn protect(&self, at: *mut u8, len: usize, prot: Prot) -> KResult<()>;
    /// pkey_mprotect(2) to read and write under `key`.
    ///
    /// # Safety
    /// As [`Kernel::protect`].
    unsafe fn protect_key(&self, at: *mut u8, len: usize, key: c_int) -> KResult<()>;
    /// madvise(2).
    ///
    /// # Safety
    /// The caller owns the range.
    unsafe fn advise(&self, at: *mut u8, len: usize, advice: Advice) -> KResult<()>;
    /// mlock(2), for the degraded backend.
    ///
    /// # Safety
    /// The caller owns the range.
    unsafe fn lock(&self, at: *mut u8, len: usize) -> KResult<()>;
    /// getrandom(2) into any memory. EFAULT if the page cannot be had.
    ///
    /// # Safety
    /// `[at, at + len)` is writable memory of the caller.
    unsafe fn getrandom(&self, at: *mut u8, len: usize) -> KResult<usize>;
    /// read(2).
    ///
    /// # Safety
    /// `[at, at + len)` is writable memory of the caller.
    unsafe fn read(&self, fd: Fd, at: *mut u8, len: usize) -> KResult<usize>;
    /// pread(2).
    ///
    /// # Safety
    /// As [`Kernel::read`].
    unsafe fn pread(&self, fd: Fd, at: *mut u8, len: usize, from: u64) -> KResult<usize>;
    /// write(2).
    ///
    /// # Safety
    /// `[at, at + len)` is readable memory of the caller.
    unsafe fn write(&self, fd: Fd, at: *const u8, len: usize) -> KResult<usize>;
    /// poll(2) for POLLIN or POLLOUT on one descriptor. EINTR on a signal, and four times a second
    /// without one: a signal that came just before the call is then looked at, too.
    fn poll(&self, fd: Fd, output: bool) -> KResult<()>;
    /// fstat(2), and for a regular file lseek(2).
    fn fstat(&self, fd: Fd) -> KResult<FileInfo>;
    /// Lets the kernel read a word, so that the page is present: futex(2), FUTEX_WAIT for another
    /// value or for no time. EFAULT if the page cannot be had.
    ///
    /// # Safety
    /// `at` is readable memory of the caller, aligned to 4 bytes.
    unsafe fn look(&self, at: *const u8) -> KResult<()>;
    /// Whether it is a file of memfd_secret(2): fstatfs(2), SECRETMEM_MAGIC (linux/magic.h).
    fn is_secretmem(&self, fd: Fd) -> KResult<bool>;
    /// fstat(2), and getsockopt(2) SO_TYPE; `None` if it is no socket.
    fn socket_type(&self, fd: Fd) -> KResult<Option<c_int>>;
    /// pkey_alloc(2) with all access disabled. EINVAL or ENOSPC where there is none.
    fn pkey_alloc(&self) -> KResult<c_int>;
    /// sigaltstack(2): sets `new` if given, returns what was there. EPERM on the signal stack.
    ///
    /// # Safety
    /// `new` stays valid memory until it is replaced.
    unsafe fn sigaltstack(&self, new: Option<AltStack>) -> KResult<AltStack>;
    /// Soft RLIMIT_MEMLOCK in bytes; `None` is unlimited. getrlimit(2).
    fn memlock_limit(&self) -> KResult<Option<usize>>;
}

/// The kernel that this build uses.
#[cfg(not(feature = "fault"))]
pub static KERNEL: linux::Linux = linux::Linux;
/// The kernel that this build uses: Linux, with calls that can be made to fail.
#[cfg(feature = "fault")]
pub static KERNEL: fault::Fault<linux::Linux> = fault::Fault::new(linux::Linux);
