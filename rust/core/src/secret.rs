//! A secret: a handle to a slot, and the rules of its use. Rust because it guards the bytes.
//!
//! Every use pins the slot. `close` marks the secret at once, new uses fail, and the wipe happens
//! when the last pin goes. In a forked child a private secret refuses; an inherited one is first
//! copied into memory of the child's own, and the copy is thrown away if the parent closed the
//! original meanwhile: a closed secret is closed, never zeros taken for a key.

use crate::arena::Slot;
use crate::asm;
use crate::error::{Error, Result};
use crate::runtime::{self, Runtime, epoch};
use crate::sync::Spin;
use crate::window::Window;
use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::{
    AtomicU32, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed,
    Ordering::Release, Ordering::SeqCst, fence,
};

const CLOSED: u64 = 1 << 63;
/// A writable view is out: it excludes every other use.
const WRITER: u64 = 1 << 62;
/// Read-only views, counted from here.
const VIEW: u64 = 1 << 32;
const VIEWS: u64 = (WRITER - 1) & !PINS;
const PINS: u64 = VIEW - 1;

/// How a secret is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Forked children have it.
    pub inherit: bool,
    /// It has pages and guards of its own.
    pub isolated: bool,
    /// Its cache lines are flushed after each wipe of its slot and windows.
    pub flush: bool,
}

/// See the module comment.
pub struct Secret {
    state: AtomicU64,
    slot: UnsafeCell<Slot>,
    len: usize,
    epoch: AtomicU32,
    options: Options,
}

// SAFETY: the slot is read under a pin; it changes only where no pin can exist (the free after
// close, adoption in a child under a lock before the first pin).
unsafe impl Sync for Secret {}
// SAFETY: as above.
unsafe impl Send for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A pinned secret: its slot cannot go while this lives.
#[derive(Debug)]
pub(crate) struct Pinned<'a> {
    secret: &'a Secret,
    pub(crate) runtime: &'static Runtime,
}

impl Pinned<'_> {
    pub(crate) fn slot(&self) -> &Slot {
        // SAFETY: pinned, so neither freed nor adopted meanwhile.
        unsafe { &*self.secret.slot.get() }
    }

    /// Opens the gate and gives the address to `read`.
    pub(crate) fn with<R>(&self, read: impl FnOnce(*const u8) -> R) -> Result<R> {
        let slot = self.slot();
        let _open = slot.body().open()?;
        Ok(read(slot.payload))
    }
}

impl Drop for Pinned<'_> {
    fn drop(&mut self) {
        let _ = self.secret.unpin(self.runtime);
    }
}

/// An open view: the window and what its end needs to know.
#[derive(Debug)]
pub struct View {
    window: Option<Window>,
    len: usize,
    writable: bool,
    epoch: u32,
}

impl View {
    /// First byte that the view shows.
    #[must_use]
    pub fn address(&self) -> *mut u8 {
        self.window.as_ref().map_or(core::ptr::null_mut(), Window::visible)
    }

    /// Length in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.len
    }

    /// Whether it may be written to.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.writable
    }
}

/// Two threads of a child must not adopt one secret at once.
static ADOPTION: Spin<()> = Spin::new(());

/// Takes the lock of adoptions for fork(2): a grandchild must not inherit half of one.
pub(crate) fn before_fork() {
    ADOPTION.acquire();
}

/// Gives it back, in the parent and in the child.
///
/// # Safety
/// This thread, or the one whose image this is, called [`before_fork`]; or this is the only
/// thread.
pub(crate) unsafe fn after_fork() {
    // SAFETY: as the caller promises.
    unsafe { ADOPTION.release() };
}

impl Secret {
    pub(crate) fn of(slot: Slot, len: usize, options: Options, epoch: u32) -> Self {
        Self {
            state: AtomicU64::new(0),
            slot: UnsafeCell::new(slot),
            len,
            epoch: AtomicU32::new(epoch),
            options,
        }
    }

    /// Length in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.len
    }

    /// Whether it was closed here.
    #[must_use]
    pub fn closed(&self) -> bool {
        self.state.load(Acquire) & CLOSED != 0
    }

    /// How it is kept.
    #[must_use]
    pub fn options(&self) -> Options {
        self.options
    }

    pub(crate) fn pin(&self) -> Result<Pinned<'_>> {
        let runtime = self.here()?;
        let mut state = self.state.load(Relaxed);
        loop {
            if state & CLOSED != 0 {
                return Err(Error::Closed);
            }
            if state & WRITER != 0 {
                return Err(Error::Borrowed);
            }
            match self.state.compare_exchange_weak(state, state + 1, AcqRel, Relaxed) {
                Ok(_) => {
                    return Ok(Pinned { secret: self, runtime });
                }
                Err(now) => state = now,
            }
        }
    }

    /// The runtime, with the secret in this process's own memory.
    #[inline]
    fn here(&self) -> Result<&'static Runtime> {
        let runtime = runtime::get()?;
        if self.epoch.load(Acquire) != epoch() {
            self.adopt(runtime)?;
        }
        Ok(runtime)
    }

    /// In a forked child, before the first use.
    #[cold]
    fn adopt(&self, runtime: &'static Runtime) -> Result<()> {
        let _one = ADOPTION.lock();
        if self.epoch.load(Acquire) == epoch() {
            return Ok(());
        }
        if self.closed() {
            return Err(Error::Closed);
        }
        // SAFETY: no pin of this process exists before adoption, so nobody else looks.
        let foreign = unsafe { &*self.slot.get() };
        if !self.options.inherit || !foreign.body().passed_on.load(Acquire) {
            return Err(Error::Forked);
        }
        let (len, isolated) = (self.len, self.options.isolated);
        let copy = |to| self.copy_from_parent(foreign, to);
        let (mine, copied) = runtime.inherit.alloc(len, isolated, copy)?;
        if let Err(e) = copied {
            let _ = runtime.inherit.free(mine, len, self.options.flush);
            return Err(e);
        }
        // SAFETY: as above. The parent's slot is the parent's to wipe.
        unsafe { *self.slot.get() = mine };
        // Pins and views that the parent's threads had at the fork do not exist here. Nobody
        // closed it meanwhile: `close` takes the lock too.
        self.state.store(0, Release);
        self.epoch.store(epoch(), Release);
        Ok(())
    }

    fn copy_from_parent(&self, foreign: &Slot, to: *mut u8) -> Result<()> {
        let _theirs = foreign.body().open()?;
        // SAFETY: both slots hold `len` bytes and are open.
        unsafe { asm::copy(to, foreign.payload, self.len) };
        // The closer zeroes the generation before it wipes, so if it still stands here the copy
        // was whole.
        fence(SeqCst);
        // SAFETY: an inherited slot, open.
        if unsafe { foreign.read_generation() } == foreign.generation {
            Ok(())
        } else {
            self.state.fetch_or(CLOSED, AcqRel);
            Err(Error::Closed)
        }
    }

    fn unpin(&self, runtime: &Runtime) -> Result<()> {
        let old = self.state.fetch_sub(1, AcqRel);
        if old & CLOSED != 0 && old & PINS == 1 { self.free(runtime) } else { Ok(()) }
    }

    /// Ends the secret: marked at once, wiped now or when the last use ends. Again is fine.
    ///
    /// # Errors
    /// The gate did not open for the wipe; the slot stays closed to all and is counted.
    pub fn close(&self) -> Result<()> {
        let runtime = runtime::get()?;
        if self.epoch.load(Acquire) != epoch() && self.close_foreign() {
            return Ok(());
        }
        let old = self.state.fetch_or(CLOSED, AcqRel);
        if old & (CLOSED | PINS) != 0 { Ok(()) } else { self.free(runtime) }
    }

    /// In a child a secret that was never used here is the parent's to wipe. False if another
    /// thread adopted it first.
    #[cold]
    fn close_foreign(&self) -> bool {
        let _one = ADOPTION.lock();
        let foreign = self.epoch.load(Acquire) != epoch();
        if foreign {
            self.state.fetch_or(CLOSED, AcqRel);
        }
        foreign
    }

    /// Called once: closed, no pins.
    fn free(&self, runtime: &Runtime) -> Result<()> {
        // SAFETY: no pin exists and none can come; only one caller gets here.
        let slot = unsafe { core::ptr::read(self.slot.get()) };
        runtime.arena(self.options.inherit).free(slot, self.len, self.options.flush)
    }

    /// Copies the secret into a fresh window.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Forked`], [`Error::Limit`]; [`Error::Borrowed`] if a writable
    /// view is out, or for a writable one if anything is.
    pub fn view(&self, writable: bool) -> Result<View> {
        let runtime = self.here()?;
        self.start_view(writable)?;
        let made = self.load_window(runtime, writable);
        if made.is_err() {
            self.end_view(runtime, writable)?;
        }
        let window = Some(made?);
        runtime.windows.open.fetch_add(1, Relaxed);
        if !writable {
            // The window holds a copy: the slot itself may go. If it was closed meanwhile and
            // cannot be wiped, it is counted, as for every other use.
            let _ = self.unpin(runtime);
        }
        Ok(View { window, len: self.len, writable, epoch: epoch() })
    }

    fn load_window(&self, runtime: &'static Runtime, writable: bool) -> Result<Window> {
        let mut window = runtime.windows.take(self.len, writable)?;
        // SAFETY: pinned by `start_view`.
        let slot = unsafe { &*self.slot.get() };
        let loaded = slot.body().open().and_then(|_open| {
            // SAFETY: the slot holds `len` bytes and is open; the window was asked for `len`.
            unsafe { window.load(slot.payload, self.len) }
        });
        match loaded {
            Ok(()) => Ok(window),
            Err(e) => {
                runtime.windows.discard(window);
                Err(e)
            }
        }
    }

    /// Pins, and counts the view.
    fn start_view(&self, writable: bool) -> Result<()> {
        let mut state = self.state.load(Relaxed);
        loop {
            if state & CLOSED != 0 {
                return Err(Error::Closed);
            }
            if state & WRITER != 0 || (writable && state & (PINS | VIEWS) != 0) {
                return Err(Error::Borrowed);
            }
            let add = if writable { WRITER + 1 } else { VIEW + 1 };
            match self.state.compare_exchange_weak(state, state + add, AcqRel, Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => state = now,
            }
        }
    }

    fn end_view(&self, runtime: &Runtime, writable: bool) -> Result<()> {
        self.state.fetch_sub(if writable { WRITER } else { VIEW }, AcqRel);
        self.unpin(runtime)
    }

    /// Ends a view whose buffer nobody uses any more: writes back if asked, wipes the window.
    ///
    /// # Errors
    /// The gate did not open for the write or the wipe.
    pub fn end(&self, mut view: View, write_back: bool) -> Result<()> {
        let Some(window) = view.window.take() else {
            return Ok(());
        };
        let runtime = runtime::get()?;
        if view.epoch != epoch() {
            // A child: the window did not come along, and the count is the parent's.
            drop(window);
            return Ok(());
        }
        runtime.windows.open.fetch_sub(1, Relaxed);
        let written =
            if view.writable && write_back { self.store(runtime, &window) } else { Ok(()) };
        let wiped = runtime.windows.give_back(window, self.len, self.options.flush);
        let freed = if view.writable {
            self.end_view(runtime, true)
        } else {
            self.state.fetch_sub(VIEW, AcqRel);
            Ok(())
        };
        written.and(wiped).and(freed)
    }

    /// Copies a writable window back.
    ///
    /// A slot that a forked child can see is not written to: a child that reads it meanwhile
    /// would take a mixture for the key. The value gets a new slot, and the old one ends.
    fn store(&self, runtime: &'static Runtime, window: &Window) -> Result<()> {
        if self.closed() {
            return Err(Error::Closed);
        }
        // SAFETY: the window is open while it is out; it and the target hold `len` bytes.
        let fill = |to| unsafe { asm::copy(to, window.visible().cast_const(), self.len) };
        // SAFETY: the writable view holds the only pin.
        let slot = unsafe { &mut *self.slot.get() };
        if !slot.body().shared.load(Acquire) {
            let _open = slot.body().open()?;
            fill(slot.payload);
            return Ok(());
        }
        let arena = runtime.arena(self.options.inherit);
        let (new, ()) = arena.alloc(self.len, self.options.isolated, fill)?;
        let old = core::mem::replace(slot, new);
        arena.free(old, self.len, self.options.flush)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        let _ = self.close();
    }
}
