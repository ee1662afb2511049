//! The only file that makes system calls. Rust because it is the kernel border.

#![allow(
    clippy::disallowed_methods,
    reason = "the list of disallowed methods is what only this file may call"
)]

use super::{Advice, AltStack, Errno, Fd, FileInfo, KResult, Kernel, PAGE, Prot};
use core::ffi::{c_int, c_uint, c_void};
use core::ptr;

/// Number of memfd_secret(2): 447 on x86-64 and in the generic table
/// (include/uapi/asm-generic/unistd.h).
const SYS_MEMFD_SECRET: libc::c_long = 447;
/// What fstatfs(2) says of a secretmem file (include/uapi/linux/magic.h).
const SECRETMEM_MAGIC: libc::__fsword_t = 0x5345_434d;
/// How long a poll waits before the caller looks at signals.
const POLL_MILLISECONDS: c_int = 250;
/// `PKEY_DISABLE_ACCESS` of pkey_alloc(2).
const PKEY_DISABLE_ACCESS: c_uint = 1;

/// Linux itself.
#[derive(Debug)]
pub struct Linux;

/// errno of the calling thread after a failed call.
fn errno() -> Errno {
    // SAFETY: errno_location has no precondition and returns this thread's errno.
    let at = unsafe { libc::__errno_location() };
    // SAFETY: the pointer is valid for the life of the thread.
    unsafe { *at }
}

fn check(result: c_int) -> KResult<()> {
    if result == 0 { Ok(()) } else { Err(errno()) }
}

fn check_size(result: isize) -> KResult<usize> {
    usize::try_from(result).map_err(|_| errno())
}

fn check_map(result: *mut c_void) -> KResult<*mut u8> {
    if result == libc::MAP_FAILED { Err(errno()) } else { Ok(result.cast()) }
}

/// fstat(2).
fn stat(fd: Fd) -> KResult<libc::stat> {
    let mut st = core::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the pointer is to a stat structure of ours.
    check(unsafe { libc::fstat(fd, st.as_mut_ptr()) })?;
    // SAFETY: fstat returned 0, so the structure is filled.
    Ok(unsafe { st.assume_init() })
}

fn prot_bits(prot: Prot) -> c_int {
    match prot {
        Prot::None => libc::PROT_NONE,
        Prot::Read => libc::PROT_READ,
        Prot::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
    }
}

const RESERVATION: c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;

impl Kernel for Linux {
    fn memfd_secret(&self, flags: u32) -> KResult<Fd> {
        // SAFETY: the call takes one integer and touches no memory of ours.
        let fd = unsafe { libc::syscall(SYS_MEMFD_SECRET, flags) };
        if fd < 0 { Err(errno()) } else { Ok(fd as Fd) }
    }

    fn memfd_create(&self) -> KResult<Fd> {
        // SAFETY: the name is a C string, the flags are those of the manual.
        let fd = unsafe { libc::memfd_create(c"secretmem-degraded".as_ptr(), libc::MFD_CLOEXEC) };
        if fd < 0 { Err(errno()) } else { Ok(fd) }
    }

    fn ftruncate(&self, fd: Fd, len: usize) -> KResult<()> {
        // SAFETY: plain integers.
        check(unsafe { libc::ftruncate(fd, len as libc::off_t) })
    }

    fn close(&self, fd: Fd) {
        // SAFETY: plain integer. EINTR still closes on Linux, so the result says nothing.
        unsafe { libc::close(fd) };
    }

    fn reserve(&self, len: usize) -> KResult<*mut u8> {
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        check_map(unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_NONE, RESERVATION, -1, 0) })
    }

    unsafe fn map(&self, at: *mut u8, len: usize, fd: Fd, prot: Prot) -> KResult<()> {
        let flags = libc::MAP_SHARED | libc::MAP_FIXED;
        // SAFETY: the caller owns the range, so MAP_FIXED replaces nothing of others.
        check_map(unsafe { libc::mmap(at.cast(), len, prot_bits(prot), flags, fd, 0) }).map(|_| ())
    }

    unsafe fn fill(&self, at: *mut u8, len: usize) -> KResult<()> {
        let flags = RESERVATION | libc::MAP_FIXED;
        // SAFETY: the caller owns the range, so MAP_FIXED replaces nothing of others.
        check_map(unsafe { libc::mmap(at.cast(), len, libc::PROT_NONE, flags, -1, 0) }).map(|_| ())
    }

    unsafe fn unmap(&self, at: *mut u8, len: usize) -> KResult<()> {
        // SAFETY: the caller owns the range and no longer uses it.
        check(unsafe { libc::munmap(at.cast(), len) })
    }

    unsafe fn protect(&self, at: *mut u8, len: usize, prot: Prot) -> KResult<()> {
        // SAFETY: the caller owns the range.
        check(unsafe { libc::mprotect(at.cast(), len, prot_bits(prot)) })
    }

    unsafe fn protect_key(&self, at: *mut u8, len: usize, key: c_int) -> KResult<()> {
        let prot = prot_bits(Prot::ReadWrite);
        // SAFETY: the caller owns the range; arguments as in pkey_mprotect(2).
        let r = unsafe { libc::syscall(libc::SYS_pkey_mprotect, at, len, prot, key) };
        check(r as c_int)
    }

    unsafe fn advise(&self, at: *mut u8, len: usize, advice: Advice) -> KResult<()> {
        let advice = match advice {
            Advice::DontFork => libc::MADV_DONTFORK,
            Advice::DoFork => libc::MADV_DOFORK,
            Advice::DontDump => libc::MADV_DONTDUMP,
        };
        // SAFETY: the caller owns the range; none of these discards data.
        check(unsafe { libc::madvise(at.cast(), len, advice) })
    }

    unsafe fn lock(&self, at: *mut u8, len: usize) -> KResult<()> {
        // SAFETY: the caller owns the range.
        check(unsafe { libc::mlock(at.cast(), len) })
    }

    unsafe fn getrandom(&self, at: *mut u8, len: usize) -> KResult<usize> {
        // SAFETY: the caller gives writable memory of that length.
        check_size(unsafe { libc::getrandom(at.cast(), len, 0) })
    }

    unsafe fn read(&self, fd: Fd, at: *mut u8, len: usize) -> KResult<usize> {
        // SAFETY: the caller gives writable memory of that length.
        check_size(unsafe { libc::read(fd, at.cast(), len) })
    }

    unsafe fn pread(&self, fd: Fd, at: *mut u8, len: usize, from: u64) -> KResult<usize> {
        // SAFETY: the caller gives writable memory of that length.
        check_size(unsafe { libc::pread64(fd, at.cast(), len, from as libc::off64_t) })
    }

    unsafe fn write(&self, fd: Fd, at: *const u8, len: usize) -> KResult<usize> {
        // SAFETY: the caller gives readable memory of that length.
        check_size(unsafe { libc::write(fd, at.cast(), len) })
    }

    fn poll(&self, fd: Fd, output: bool) -> KResult<()> {
        // poll(2) ignores a negative descriptor, and the wrong end of a pipe is never ready: both
        // would wait for ever.
        // SAFETY: plain integers.
        let mode = unsafe { libc::fcntl(fd, libc::F_GETFL) };
        if mode < 0 {
            return Err(errno());
        }
        let wrong = if output { libc::O_RDONLY } else { libc::O_WRONLY };
        if mode & libc::O_ACCMODE == wrong {
            return Err(libc::EBADF);
        }
        let events = if output { libc::POLLOUT } else { libc::POLLIN };
        let mut set = libc::pollfd { fd, events, revents: 0 };
        // SAFETY: one valid pollfd.
        let n = unsafe { libc::poll(&raw mut set, 1, POLL_MILLISECONDS) };
        if n == 0 {
            return Err(libc::EINTR);
        }
        if n < 0 {
            return Err(errno());
        }
        // POLLERR and POLLHUP are reported by the read or write that follows.
        if set.revents & libc::POLLNVAL != 0 { Err(libc::EBADF) } else { Ok(()) }
    }

    fn fstat(&self, fd: Fd) -> KResult<FileInfo> {
        let st = stat(fd)?;
        let kind = st.st_mode & libc::S_IFMT;
        if kind != libc::S_IFREG {
            return Ok(FileInfo { regular_left: None, character: kind == libc::S_IFCHR });
        }
        // SAFETY: plain integers.
        let at = unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) };
        let left = usize::try_from(st.st_size.saturating_sub(at.max(0))).unwrap_or(0);
        Ok(FileInfo { regular_left: Some(left), character: false })
    }

    unsafe fn look(&self, at: *const u8) -> KResult<()> {
        let wait = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        let no_time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the caller gives a readable word; no waiter is left behind, since the time is up
        // at once.
        let r = unsafe { libc::syscall(libc::SYS_futex, at, wait, 0, &raw const no_time) };
        match if r < 0 { errno() } else { 0 } {
            0 | libc::EAGAIN | libc::ETIMEDOUT | libc::EINTR => Ok(()),
            e => Err(e),
        }
    }

    fn is_secretmem(&self, fd: Fd) -> KResult<bool> {
        let mut found = core::mem::MaybeUninit::<libc::statfs>::uninit();
        // SAFETY: the pointer is to a structure of ours.
        check(unsafe { libc::fstatfs(fd, found.as_mut_ptr()) })?;
        // SAFETY: fstatfs returned 0, so the structure is filled.
        Ok(unsafe { found.assume_init() }.f_type == SECRETMEM_MAGIC)
    }

    fn socket_type(&self, fd: Fd) -> KResult<Option<c_int>> {
        // No call that fails in the usual case: a signal's handler that does not keep errno, as
        // one of faulthandler's, could come before it is read.
        if stat(fd)?.st_mode & libc::S_IFMT != libc::S_IFSOCK {
            return Ok(None);
        }
        let mut kind: c_int = 0;
        let mut len = size_of::<c_int>() as libc::socklen_t;
        let to = (&raw mut kind).cast();
        // SAFETY: room for an int, and its size.
        let r = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_TYPE, to, &raw mut len) };
        check(r).map(|()| Some(kind))
    }

    fn pkey_alloc(&self) -> KResult<c_int> {
        // SAFETY: plain integers.
        let key = unsafe { libc::syscall(libc::SYS_pkey_alloc, 0, PKEY_DISABLE_ACCESS) };
        if key < 0 { Err(errno()) } else { Ok(key as c_int) }
    }

    unsafe fn sigaltstack(&self, new: Option<AltStack>) -> KResult<AltStack> {
        let mut old = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: 0, ss_size: 0 };
        let new =
            new.map(|s| libc::stack_t { ss_sp: s.base.cast(), ss_flags: s.flags, ss_size: s.size });
        let new = new.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: both pointers are null or to live structures; the caller keeps the stack alive.
        check(unsafe { libc::sigaltstack(new, &raw mut old) })?;
        Ok(AltStack { base: old.ss_sp.cast(), size: old.ss_size, flags: old.ss_flags })
    }

    fn memlock_limit(&self) -> KResult<Option<usize>> {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the pointer is to a structure of ours.
        check(unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) })?;
        Ok((limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur as usize))
    }
}

/// Size of a page in bytes as the kernel has it. sysconf(3).
#[must_use]
pub fn page_size() -> usize {
    // SAFETY: no precondition.
    (unsafe { libc::sysconf(libc::_SC_PAGESIZE) }) as usize
}

/// Bytes of RAM of this machine. sysconf(3).
#[must_use]
pub fn memory_size() -> usize {
    // SAFETY: no precondition.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    usize::try_from(pages).unwrap_or(0).saturating_mul(page_size())
}

/// Registers fork handlers. pthread_atfork(3).
///
/// # Errors
/// ENOMEM.
pub fn atfork(
    prepare: extern "C" fn(),
    parent: extern "C" fn(),
    child: extern "C" fn(),
) -> KResult<()> {
    // SAFETY: the handlers are functions of this library, which is never unloaded.
    match unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) } {
        0 => Ok(()),
        e => Err(e),
    }
}

/// A word on an ordinary page of its own that a forked child finds zeroed: MADV_WIPEONFORK.
///
/// # Errors
/// The errno of mmap(2) or madvise(2).
pub fn wipe_on_fork_word() -> KResult<*mut u32> {
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a fresh mapping at an address of the kernel's choice.
    let page = unsafe { libc::mmap(ptr::null_mut(), PAGE, prot, flags, -1, 0) };
    check_map(page)?;
    // SAFETY: the page is ours and holds nothing yet.
    check(unsafe { libc::madvise(page, PAGE, libc::MADV_WIPEONFORK) })?;
    Ok(page.cast())
}

/// Sets or clears the dumpable attribute of the process. `PR_SET_DUMPABLE`, prctl(2).
///
/// # Errors
/// The errno of the call.
pub fn set_dumpable(dumpable: bool) -> KResult<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(dumpable)) })
}

/// The dumpable attribute. `PR_GET_DUMPABLE`.
#[must_use]
pub fn dumpable() -> bool {
    // SAFETY: plain integers.
    (unsafe { libc::prctl(libc::PR_GET_DUMPABLE) }) == 1
}

/// Forbids new privileges for good. `PR_SET_NO_NEW_PRIVS`.
///
/// # Errors
/// The errno of the call.
pub fn set_no_new_privs() -> KResult<()> {
    let (one, zero): (libc::c_ulong, libc::c_ulong) = (1, 0);
    // SAFETY: plain integers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, one, zero, zero, zero) })
}

/// Forces a speculation control (`PR_SPEC_STORE_BYPASS` = 0, `PR_SPEC_INDIRECT_BRANCH` = 1) to
/// "disabled" for this thread and those it starts. `PR_SET_SPECULATION_CTRL`.
///
/// # Errors
/// ENODEV or ENXIO where the processor or kernel has no such control, EPERM.
pub fn disable_speculation(which: c_int) -> KResult<()> {
    const PR_SET_SPECULATION_CTRL: c_int = 53;
    const PR_SPEC_DISABLE: libc::c_ulong = 1 << 2;
    let zero: libc::c_ulong = 0;
    let which = which as libc::c_ulong;
    // SAFETY: plain integers.
    check(unsafe { libc::prctl(PR_SET_SPECULATION_CTRL, which, PR_SPEC_DISABLE, zero, zero) })
}

/// Allows a process to trace this one, beside its ancestors (Yama), until the next such call.
/// `PR_SET_PTRACER`, prctl(2).
///
/// # Errors
/// EINVAL for a process that is not there, or where there is no Yama and no need.
pub fn allow_tracer(pid: c_int) -> KResult<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::prctl(libc::PR_SET_PTRACER, pid as libc::c_ulong, 0, 0, 0) })
}

/// A set of registers that PTRACE_GETREGSET reads.
#[derive(Debug, Clone, Copy)]
pub struct RegisterSet {
    /// Its type (linux/elf.h).
    pub kind: c_int,
    /// What it holds.
    pub name: &'static str,
}

/// All sets that can hold a key; the first has the stack pointer.
#[cfg(target_arch = "x86_64")]
pub const REGISTER_SETS: &[RegisterSet] = &[
    RegisterSet { kind: libc::NT_PRSTATUS, name: "general" },
    RegisterSet { kind: 0x202, name: "vector" },
];
/// All sets that can hold a key; the first has the stack pointer. The third is SVE.
#[cfg(target_arch = "aarch64")]
pub const REGISTER_SETS: &[RegisterSet] = &[
    RegisterSet { kind: libc::NT_PRSTATUS, name: "general" },
    RegisterSet { kind: libc::NT_PRFPREG, name: "vector" },
    RegisterSet { kind: 0x405, name: "vector" },
];
/// Bytes before the stack pointer in the first set (user_regs_struct, user_pt_regs).
#[cfg(target_arch = "x86_64")]
pub const STACK_POINTER: usize = 19 * 8;
/// Bytes before the stack pointer in the first set (user_regs_struct, user_pt_regs).
#[cfg(target_arch = "aarch64")]
pub const STACK_POINTER: usize = 31 * 8;

fn trace(request: libc::c_uint, thread: c_int, address: usize, data: usize) -> KResult<()> {
    // SAFETY: no request that this file makes with `trace` writes to memory of ours.
    let done = unsafe { libc::ptrace(request, thread, address, data) };
    if done == -1 { Err(errno()) } else { Ok(()) }
}

/// Attaches to a thread and asks it to stop: PTRACE_SEIZE, PTRACE_INTERRUPT, ptrace(2). It stops
/// when it can: [`trace_stopped`] tells.
///
/// # Errors
/// EPERM, ESRCH; the thread is not attached to then.
pub fn trace_seize(thread: c_int) -> KResult<()> {
    trace(libc::PTRACE_SEIZE, thread, 0, 0)?;
    trace(libc::PTRACE_INTERRUPT, thread, 0, 0).inspect_err(|_| {
        // Refused only if it is about to end; if it did stop, it must not stay so.
        let _ = trace_resume(thread, 0);
    })
}

/// Tells, without waiting, whether an attached thread has stopped: the signal that it was about
/// to get, or 0; None as long as it has not. waitpid(2), WNOHANG: a thread in an uninterruptible
/// sleep (vfork(2), a dead file server) may not stop for hours.
///
/// # Errors
/// ESRCH if the thread ended meanwhile, ECHILD if it is not attached to.
pub fn trace_stopped(thread: c_int) -> KResult<Option<c_int>> {
    let mut status = 0;
    // SAFETY: status is ours.
    let got = unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL | libc::WNOHANG) };
    match got {
        0 => return Ok(None),
        -1 => return Err(errno()),
        _ => {}
    }
    if !libc::WIFSTOPPED(status) {
        return Err(libc::ESRCH);
    }
    let by_us = status >> 16 == libc::PTRACE_EVENT_STOP;
    Ok(Some(if by_us { 0 } else { libc::WSTOPSIG(status) }))
}

/// Lets a stopped thread go on with that signal, or 0: PTRACE_DETACH.
///
/// # Errors
/// ESRCH.
pub fn trace_resume(thread: c_int, signal: c_int) -> KResult<()> {
    trace(libc::PTRACE_DETACH, thread, 0, signal as usize)
}

/// Reads a set of registers of a stopped thread: PTRACE_GETREGSET. Gives its bytes.
///
/// # Errors
/// ESRCH; EINVAL or ENODEV for a set that is not there.
///
/// # Safety
/// `[at, at + len)` is writable memory of the caller.
pub unsafe fn trace_registers(
    thread: c_int,
    kind: c_int,
    at: *mut u8,
    len: usize,
) -> KResult<usize> {
    let mut room = libc::iovec { iov_base: at.cast(), iov_len: len };
    let to = &raw mut room;
    // SAFETY: the kernel writes to the caller's memory and to our vector only.
    let done = unsafe { libc::ptrace(libc::PTRACE_GETREGSET, thread, kind as usize, to) };
    if done == -1 { Err(errno()) } else { Ok(room.iov_len) }
}

/// Whether this image runs with more privilege than its caller (AT_SECURE, getauxval(3)).
#[must_use]
pub fn secure_exec() -> bool {
    // SAFETY: no precondition.
    (unsafe { libc::getauxval(libc::AT_SECURE) }) != 0
}

/// Whether a seccomp filter is installed in this thread. `PR_GET_SECCOMP`.
#[must_use]
pub fn seccomp_active() -> bool {
    // SAFETY: plain integers. Strict mode would kill us here; Python cannot run in it anyway.
    (unsafe { libc::prctl(libc::PR_GET_SECCOMP) }) > 0
}

/// How a probing child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The call gave a descriptor or a key.
    Ok,
    /// It failed with this errno.
    Errno(Errno),
    /// The child was killed by this signal: a filter that kills.
    Killed(c_int),
}

/// A system call that a filter may kill for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// memfd_secret(2).
    MemfdSecret,
    /// pkey_alloc(2).
    PkeyAlloc,
}

/// Makes a call in a child that shares no memory and runs no fork handler, since a seccomp filter
/// may kill the caller.
///
/// # Errors
/// The errno of clone(2) or waitpid(2).
pub fn probe_in_child(ask: Ask) -> KResult<Probe> {
    // SAFETY: clone(2) with no flags and no exit signal: a bare fork on a copied stack. The child
    // makes system calls only, so no lock or handler of the parent's runtime matters to it.
    let pid = unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) };
    if pid < 0 {
        return Err(errno());
    }
    if pid == 0 {
        let result = match ask {
            // SAFETY: plain integers.
            Ask::MemfdSecret => unsafe { libc::syscall(SYS_MEMFD_SECRET, libc::O_CLOEXEC) },
            Ask::PkeyAlloc => {
                // SAFETY: plain integers.
                unsafe { libc::syscall(libc::SYS_pkey_alloc, 0, PKEY_DISABLE_ACCESS) }
            }
        };
        let code = if result < 0 { errno() } else { 0 };
        // SAFETY: ends the child at once, no handlers.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    loop {
        // SAFETY: status is ours. __WALL: the child has no exit signal.
        let r = unsafe { libc::waitpid(pid as libc::pid_t, &raw mut status, libc::__WALL) };
        if r >= 0 {
            break;
        }
        if errno() != libc::EINTR {
            return Err(errno());
        }
    }
    if libc::WIFSIGNALED(status) {
        return Ok(Probe::Killed(libc::WTERMSIG(status)));
    }
    match libc::WEXITSTATUS(status) {
        0 => Ok(Probe::Ok),
        e => Ok(Probe::Errno(e)),
    }
}

/// The `NAME=value` strings of this process's environment array, as (address, length) pairs.
///
/// # Safety
/// No other thread changes the environment meanwhile (the caller holds the interpreter).
#[must_use]
pub unsafe fn environment() -> Vec<(*mut u8, usize)> {
    unsafe extern "C" {
        /// The C library's own variable, of this type (environ(7)).
        ///
        /// # Safety
        /// Nobody changes the environment while it is read.
        static environ: *mut *mut core::ffi::c_char;
    }
    let mut out = Vec::new();
    // SAFETY: the C runtime defines the array before any code runs.
    let mut at = unsafe { environ };
    if at.is_null() {
        return out;
    }
    loop {
        // SAFETY: the array ends with a null pointer, where the loop stops.
        let entry = unsafe { *at };
        if entry.is_null() {
            return out;
        }
        // SAFETY: each entry is a C string; the caller excludes changes.
        let len = unsafe { libc::strlen(entry) };
        out.push((entry.cast(), len));
        // SAFETY: the null terminator was not reached.
        at = unsafe { at.add(1) };
    }
}

/// Ends the process at once with one line on standard error: allocator state is damaged, so
/// nothing of it can be trusted any more.
pub fn die(message: &str) -> ! {
    let line: &[&[u8]] = &[b"secretmem: ", message.as_bytes(), b"\n"];
    for part in line {
        // SAFETY: the slice is valid memory.
        let _ = unsafe { libc::write(2, part.as_ptr().cast(), part.len()) };
    }
    // SAFETY: no precondition.
    unsafe { libc::abort() }
}
