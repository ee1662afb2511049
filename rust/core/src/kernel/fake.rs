//! A kernel on the Rust heap, for unit tests and Miri. Rust because it hands out memory.
//!
//! It keeps the rules that the arena relies on: a page budget (RLIMIT_MEMLOCK at mmap or at
//! first touch), fixed mappings inside reservations, zeroed fresh pages.

use super::{Advice, AltStack, Fd, FileInfo, KResult, Kernel, PAGE, Prot};
use core::ffi::c_int;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::HashMap;
use std::sync::Mutex;

#[derive(Debug, Default)]
struct State {
    next_fd: Fd,
    sizes: HashMap<Fd, usize>,
    reservations: HashMap<usize, usize>,
    mapped: HashMap<usize, usize>,
}

/// See the module comment.
#[derive(Debug)]
pub(crate) struct Fake {
    state: Mutex<State>,
    budget: usize,
    charge_at_touch: bool,
}

impl Fake {
    pub(crate) fn new(pages: usize, charge_at_touch: bool) -> Self {
        let state = Mutex::new(State { next_fd: 3, ..State::default() });
        Self { state, budget: pages * PAGE, charge_at_touch }
    }

    /// Open descriptors and mapped bytes: both zero when nothing leaks.
    pub(crate) fn held(&self) -> (usize, usize) {
        let s = self.state.lock().expect("lock");
        (s.sizes.len(), s.mapped.values().sum())
    }

    fn new_fd(&self) -> Fd {
        let mut s = self.state.lock().expect("lock");
        s.next_fd += 1;
        let fd = s.next_fd;
        s.sizes.insert(fd, 0);
        fd
    }

    fn layout(len: usize) -> Layout {
        Layout::from_size_align(len, PAGE).expect("layout")
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let s = self.state.get_mut().expect("lock");
        for (at, len) in s.reservations.drain() {
            // SAFETY: allocated by `reserve` with the same layout.
            unsafe { dealloc(at as *mut u8, Self::layout(len)) };
        }
    }
}

impl Kernel for Fake {
    fn memfd_secret(&self, _flags: u32) -> KResult<Fd> {
        Ok(self.new_fd())
    }
    fn memfd_create(&self) -> KResult<Fd> {
        Ok(self.new_fd())
    }
    fn ftruncate(&self, fd: Fd, len: usize) -> KResult<()> {
        let mut s = self.state.lock().expect("lock");
        let size = s.sizes.get_mut(&fd).ok_or(libc::EBADF)?;
        if *size != 0 {
            return Err(libc::EINVAL);
        }
        *size = len;
        Ok(())
    }
    fn close(&self, fd: Fd) {
        self.state.lock().expect("lock").sizes.remove(&fd).expect("open descriptor");
    }
    fn reserve(&self, len: usize) -> KResult<*mut u8> {
        // SAFETY: the layout has a size.
        let at = unsafe { alloc_zeroed(Self::layout(len)) };
        self.state.lock().expect("lock").reservations.insert(at.expose_provenance(), len);
        Ok(at)
    }
    unsafe fn map(&self, at: *mut u8, len: usize, fd: Fd, _prot: Prot) -> KResult<()> {
        let mut s = self.state.lock().expect("lock");
        if s.sizes.get(&fd).copied().unwrap_or(0) < len {
            return Err(libc::EINVAL);
        }
        let used: usize = s.mapped.values().sum();
        if !self.charge_at_touch && used + len > self.budget {
            return Err(libc::EAGAIN);
        }
        s.mapped.insert(at.addr(), len);
        Ok(())
    }
    unsafe fn fill(&self, at: *mut u8, _len: usize) -> KResult<()> {
        self.state.lock().expect("lock").mapped.remove(&at.addr());
        Ok(())
    }
    unsafe fn unmap(&self, at: *mut u8, len: usize) -> KResult<()> {
        let mut s = self.state.lock().expect("lock");
        let reserved = s.reservations.remove(&at.addr()).expect("whole reservation");
        assert_eq!(reserved, len);
        s.mapped.retain(|&a, _| a < at.addr() || a >= at.addr() + len);
        // SAFETY: allocated by `reserve` with the same layout.
        unsafe { dealloc(at, Self::layout(len)) };
        Ok(())
    }
    unsafe fn protect(&self, _at: *mut u8, _len: usize, _prot: Prot) -> KResult<()> {
        Ok(())
    }
    unsafe fn protect_key(&self, _at: *mut u8, _len: usize, _key: c_int) -> KResult<()> {
        Ok(())
    }
    unsafe fn advise(&self, _at: *mut u8, _len: usize, _advice: Advice) -> KResult<()> {
        Ok(())
    }
    unsafe fn lock(&self, _at: *mut u8, _len: usize) -> KResult<()> {
        Ok(())
    }
    unsafe fn getrandom(&self, at: *mut u8, len: usize) -> KResult<usize> {
        let used: usize = self.state.lock().expect("lock").mapped.values().sum();
        if self.charge_at_touch && used > self.budget {
            return Err(libc::EFAULT);
        }
        // SAFETY: the caller gives writable memory of that length.
        unsafe { at.write_bytes(0x5a, len) };
        Ok(len)
    }
    unsafe fn read(&self, _fd: Fd, _at: *mut u8, _len: usize) -> KResult<usize> {
        Ok(0)
    }
    unsafe fn pread(&self, _fd: Fd, _at: *mut u8, _len: usize, _from: u64) -> KResult<usize> {
        Ok(0)
    }
    unsafe fn write(&self, _fd: Fd, _at: *const u8, len: usize) -> KResult<usize> {
        Ok(len)
    }
    fn poll(&self, _fd: Fd, _output: bool) -> KResult<()> {
        Ok(())
    }
    fn fstat(&self, _fd: Fd) -> KResult<FileInfo> {
        Ok(FileInfo { regular_left: None, character: false })
    }
    unsafe fn look(&self, _at: *const u8) -> KResult<()> {
        Ok(())
    }
    fn is_secretmem(&self, _fd: Fd) -> KResult<bool> {
        Ok(true)
    }
    fn socket_type(&self, _fd: Fd) -> KResult<Option<c_int>> {
        Ok(None)
    }
    fn pkey_alloc(&self) -> KResult<c_int> {
        Err(libc::ENOSPC)
    }
    unsafe fn sigaltstack(&self, _new: Option<AltStack>) -> KResult<AltStack> {
        Ok(AltStack { base: core::ptr::null_mut(), size: 0, flags: libc::SS_DISABLE })
    }
    fn memlock_limit(&self) -> KResult<Option<usize>> {
        Ok(Some(self.budget))
    }
}
