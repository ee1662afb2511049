//! Windows: secret pages on which Python code sees one secret. Rust because secret bytes are
//! copied there.
//!
//! The arena itself is never visible. A read-only window is two mappings of the same pages: the
//! write side behind the gate, the read side PROT_READ for ever. A released window is wiped and
//! goes to the end of the queue, so that a stale pointer sees zeros for as long as possible
//! before it sees another tenant. A writable window is one open mapping, closed at rest.

use crate::asm;
use crate::error::{Error, Result};
use crate::gate::{Gate, GateKind};
use crate::kernel::{PAGE, Prot};
use crate::mapping::{Mapping, Spec};
use crate::sync::Spin;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::collections::VecDeque;

/// Windows of either kind kept for use again, and their pages in all.
const KEPT: usize = 8;
const KEPT_PAGES: usize = 64;
/// The same where memory is scarce.
const KEPT_PAGES_FRUGAL: usize = 4;
/// A window rests until this many others have been used, where memory is not scarce.
const QUARANTINE: usize = 3;

/// A window. Made and given back by [`Windows`].
#[derive(Debug)]
pub(crate) struct Window {
    /// The read side of a read-only window.
    read: Option<Mapping>,
    /// The only or the write side.
    write: Mapping,
    gate: Gate,
    writable: bool,
    /// A writable one is out, and open to its user.
    left_open: bool,
}

impl Window {
    fn create(spec: Spec, gate: GateKind, pages: usize, writable: bool) -> Result<Self> {
        let fd = spec.open_file(pages, true)?;
        let write = Mapping::of_file(spec, &fd, pages, Prot::ReadWrite)?;
        let read =
            if writable { None } else { Some(Mapping::of_file(spec, &fd, pages, Prot::Read)?) };
        // A view's owner writes without our gate, so a writable window is closed by page
        // protection and stays open while it is out.
        let kind = if writable { GateKind::Mprotect } else { gate };
        let gate = Gate::close_over(kind, &write)?;
        Ok(Self { read, write, gate, writable, left_open: false })
    }

    /// What the view shows.
    pub(crate) fn visible(&self) -> *mut u8 {
        self.read.as_ref().unwrap_or(&self.write).base()
    }

    fn pages(&self) -> usize {
        self.write.size() / PAGE
    }

    /// Copies a secret in.
    ///
    /// # Safety
    /// `from` is readable for `len` bytes, its gate open; `len` fits the window.
    pub(crate) unsafe fn load(&mut self, from: *const u8, len: usize) -> Result<()> {
        let open = self.gate.open(&self.write)?;
        // SAFETY: the window is ours and open, the source as the caller promises.
        unsafe { asm::copy(self.write.base(), from, len) };
        if self.writable {
            Gate::leave_open(open);
            self.left_open = true;
        }
        Ok(())
    }

    /// Opens it for the length of one use of ours.
    pub(crate) fn with<R>(&self, use_it: impl FnOnce(*mut u8) -> R) -> Result<R> {
        let _open = self.gate.open(&self.write)?;
        Ok(use_it(self.write.base()))
    }

    /// Wipes and closes it.
    fn wipe(&mut self, len: usize, flush: bool) -> Result<()> {
        let _open = if core::mem::take(&mut self.left_open) {
            self.gate.adopt_open(&self.write)
        } else {
            self.gate.open(&self.write)?
        };
        // SAFETY: the window is ours and open.
        unsafe { asm::wipe(self.write.base(), len) };
        if flush {
            // SAFETY: as above.
            unsafe { asm::flush(self.write.base(), len) };
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Pool {
    read: VecDeque<Window>,
    write: VecDeque<Window>,
}

/// Windows in use and at rest.
#[derive(Debug, Clone, Copy, Default)]
pub struct WindowStats {
    /// Views that are open.
    pub open: usize,
    /// Views that were left while something still used their buffer.
    pub orphaned: usize,
    /// Locked bytes of all windows (pages; kernels before the per-user accounting count a
    /// read-only window twice).
    pub bytes: usize,
}

/// See the module comment.
#[derive(Debug)]
pub(crate) struct Windows {
    spec: Spec,
    gate: GateKind,
    /// Scarce memory: a window is used again at once.
    frugal: bool,
    pool: Spin<Pool>,
    pub(crate) open: AtomicUsize,
    pub(crate) orphaned: AtomicUsize,
    bytes: AtomicUsize,
    /// Gives back what only rests, here and elsewhere. False if there was nothing.
    make_room: fn() -> bool,
}

impl Windows {
    pub(crate) fn new(spec: Spec, gate: GateKind, frugal: bool, make_room: fn() -> bool) -> Self {
        let pool = Pool { read: VecDeque::new(), write: VecDeque::new() };
        Self {
            spec,
            gate,
            frugal,
            pool: Spin::new(pool),
            open: AtomicUsize::new(0),
            orphaned: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            make_room,
        }
    }

    /// A window of at least `len` bytes, all zero.
    pub(crate) fn take(&self, len: usize, writable: bool) -> Result<Window> {
        let pages = len.div_ceil(PAGE).max(1).next_power_of_two();
        let rest = if self.frugal { 0 } else { QUARANTINE };
        if let Some(window) = self.resting(pages, writable, rest) {
            return Ok(window);
        }
        match self.create(pages, writable) {
            Err(e @ Error::Limit { .. }) => self
                .resting(pages, writable, 0)
                .map_or_else(|| self.squeeze(pages, writable, e), Ok),
            other => other,
        }
    }

    /// A window when memory is short: what rests elsewhere goes first, then the window of the
    /// other kind that is kept in reserve.
    fn squeeze(&self, pages: usize, writable: bool, mut why: Error) -> Result<Window> {
        if (self.make_room)() {
            match self.create(pages, writable) {
                Err(e @ Error::Limit { .. }) => why = e,
                other => return other,
            }
        }
        if self.trim(false) > 0 { self.create(pages, writable) } else { Err(why) }
    }

    fn create(&self, pages: usize, writable: bool) -> Result<Window> {
        let window = Window::create(self.spec, self.gate, pages, writable)?;
        self.bytes.fetch_add(window.write.size(), Relaxed);
        Ok(window)
    }

    /// The longest resting window of that size, if more than `quarantine` rest.
    fn resting(&self, pages: usize, writable: bool, quarantine: usize) -> Option<Window> {
        let mut pool = self.pool.lock();
        let pool = if writable { &mut pool.write } else { &mut pool.read };
        let same = pool.iter().filter(|w| w.pages() == pages).count();
        if same <= quarantine {
            return None;
        }
        let at = pool.iter().position(|w| w.pages() == pages)?;
        pool.remove(at)
    }

    /// Wipes a window and lays it to rest.
    ///
    /// # Errors
    /// The gate did not open: the window is unmapped instead, and the kernel wipes its pages.
    pub(crate) fn give_back(&self, mut window: Window, len: usize, flush: bool) -> Result<()> {
        if let Err(e) = window.wipe(len, flush) {
            self.discard(window);
            return Err(e);
        }
        let mut pool = self.pool.lock();
        let list = if window.writable { &mut pool.write } else { &mut pool.read };
        list.push_back(window);
        drop(pool);
        while let Some(window) = self.too_many() {
            self.discard(window);
        }
        Ok(())
    }

    /// The longest resting window of a kind of which too much rests.
    fn too_many(&self) -> Option<Window> {
        let most = if self.frugal { KEPT_PAGES_FRUGAL } else { KEPT_PAGES };
        let mut pool = self.pool.lock();
        let Pool { read, write } = &mut *pool;
        [read, write].into_iter().find_map(|list| {
            let pages: usize = list.iter().map(Window::pages).sum();
            if list.len() > KEPT || pages > most { list.pop_front() } else { None }
        })
    }

    /// Unmaps a window that holds nothing, or that cannot be wiped: the kernel wipes its pages.
    pub(crate) fn discard(&self, window: Window) {
        self.bytes.fetch_sub(window.write.size(), Relaxed);
        drop(window);
    }

    /// Makes sure that one read-only page window exists.
    pub(crate) fn ensure(&self) -> Result<()> {
        if self.pool.lock().read.is_empty() && self.open.load(Relaxed) == 0 {
            let window = self.take(1, false)?;
            self.give_back(window, 0, false)?;
        }
        Ok(())
    }

    /// Unmaps what rests; with `reserve` all but one read-only page window, if none is out.
    /// Returns bytes.
    pub(crate) fn trim(&self, reserve: bool) -> usize {
        let kept = usize::from(reserve && self.open.load(Relaxed) == 0);
        let mut bytes = 0;
        while let Some(window) = self.resting_but(kept) {
            bytes += window.write.size();
            self.discard(window);
        }
        bytes
    }

    /// A resting window other than the last `kept` read-only ones of one page.
    fn resting_but(&self, kept: usize) -> Option<Window> {
        let mut pool = self.pool.lock();
        let small = pool.read.iter().filter(|w| w.pages() == 1).count();
        let spare = pool.read.iter().position(|w| w.pages() > 1 || small > kept);
        spare.and_then(|i| pool.read.remove(i)).or_else(|| pool.write.pop_front())
    }

    pub(crate) fn stats(&self) -> WindowStats {
        WindowStats {
            open: self.open.load(Relaxed),
            orphaned: self.orphaned.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
        }
    }

    pub(crate) fn before_fork(&self) {
        self.pool.acquire();
    }

    /// # Safety
    /// This thread called [`Windows::before_fork`].
    pub(crate) unsafe fn after_fork_in_parent(&self) {
        // SAFETY: the lock is held.
        unsafe { self.pool.release() };
    }

    /// No window came along.
    ///
    /// # Safety
    /// The only thread; the lock is held by [`Windows::before_fork`] or by nobody who lives.
    pub(crate) unsafe fn after_fork_in_child(&self) {
        // SAFETY: the only thread.
        let pool = unsafe { self.pool.held() };
        pool.read.clear();
        pool.write.clear();
        self.open.store(0, Relaxed);
        self.orphaned.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
        // SAFETY: the only thread.
        unsafe { self.pool.release() };
    }
}
