//! The secret heap: what code inside the domain allocates. Rust because it holds secret bytes.
//!
//! One reservation, filled from its start by chunks that are mapped before an operation enters;
//! inside nothing is mapped. All bookkeeping (a word per 16 bytes) lies in ordinary memory, so
//! allocating needs no gate; freeing needs it to wipe. Memory is zero when it is handed out.
//!
//! Blocks are freed by address, whoever frees them: [`contains`] tells. An operation takes fresh
//! bytes from its own claim, and beyond it only what nobody claimed: no operation can exhaust
//! another. A request without room gets null, and the operation ends as [`Error::Limit`].
//!
//! When the last block is freed the heap starts again from its beginning, so a claim that fits
//! once fits always.

use super::blocks::{ALIGN, Account, CLOSED, GRANULE, REGION, State, class_of, size_of_class};
use super::stacks::{self, Stack};
use crate::asm;
use crate::error::{Error, Result};
use crate::gate::{self, GateKind};
use crate::kernel::linux::die;
use crate::kernel::{Kernel, PAGE, Prot};
use crate::mapping::{Backend, Fork, Mapping, Spec};
use crate::sync::Spin;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Smallest chunk; chunks double up to the largest.
const FIRST_CHUNK: usize = 16 << 10;
const LARGEST_CHUNK: usize = 1 << 20;
/// Start of the region; 0 before the first claim.
static BASE: AtomicUsize = AtomicUsize::new(0);

/// Whether an address is in the heap.
#[inline]
pub(crate) fn contains(at: *const u8) -> bool {
    let base = BASE.load(Relaxed);
    base != 0 && at.addr().wrapping_sub(base) < REGION
}

/// See the module comment.
#[derive(Debug)]
pub(crate) struct Heap {
    spec: Spec,
    gate: GateKind,
    /// Memory is scarce: nothing is mapped beyond what is claimed.
    frugal: bool,
    state: Spin<State>,
    chunks: Spin<Vec<Mapping>>,
    openers: Spin<u32>,
    /// Gives back what only rests elsewhere. False if there was nothing.
    make_room: fn() -> bool,
}

impl Heap {
    /// The spec names the heap; its pages are private.
    pub(crate) fn new(
        (kernel, backend): (&'static dyn Kernel, Backend),
        gate: GateKind,
        frugal: bool,
        make_room: fn() -> bool,
    ) -> Self {
        let spec = Spec { kernel, backend, fork: Fork::Private, what: "heap" };
        Self {
            spec,
            gate,
            frugal,
            make_room,
            state: Spin::new(State::new()),
            chunks: Spin::new(Vec::new()),
            openers: Spin::new(0),
        }
    }

    /// Sets `bytes` aside for the operation that will run on `stack`: mapped, and claimed by
    /// nobody else. Waits while other operations have what there is. Outside the domain only.
    ///
    /// # Errors
    /// [`Error::Limit`] if the heap cannot have that room.
    pub(crate) fn claim(&self, bytes: usize, stack: Stack) -> Result<Claim<'_>> {
        loop {
            let mut state = self.state.lock();
            let (all, mapped) = (state.claimed + bytes, state.mapped);
            if mapped - state.fresh >= all {
                state.claimed = all;
                if let Some(account) = state.account(Some(stack)) {
                    *account = Account { left: bytes, ..CLOSED };
                }
                return Ok(Claim { heap: self, stack, closed: false });
            }
            let (need, others) = (all - (mapped - state.fresh), state.claimed > 0);
            drop(state);
            match self.grow(mapped, need) {
                Ok(()) => {}
                Err(Error::Limit { .. }) if (self.make_room)() => {}
                // They end without waiting for anybody.
                Err(Error::Limit { .. }) if others => std::thread::yield_now(),
                Err(e) => return Err(e),
            }
        }
    }

    fn grow(&self, seen: usize, bytes: usize) -> Result<()> {
        let mut chunks = self.chunks.lock();
        let mapped = self.state.lock().mapped;
        if mapped != seen {
            return Ok(());
        }
        self.reserve()?;
        let least = bytes.next_multiple_of(PAGE);
        let planned = if self.frugal { 0 } else { mapped.clamp(FIRST_CHUNK, LARGEST_CHUNK) };
        let mut want = planned.max(least);
        if mapped + want > REGION {
            return Err(Error::Limit { need: bytes, what: "heap", errno: 0 });
        }
        let base: *mut u8 = core::ptr::with_exposed_provenance_mut(BASE.load(Relaxed));
        let at = base.wrapping_add(mapped);
        let chunk = loop {
            // SAFETY: the place is in our reservation, behind the last chunk.
            match unsafe { Mapping::create_at(self.spec, at, want / PAGE) } {
                Err(Error::Limit { .. }) if want > least => {
                    want = (want / 2).next_multiple_of(PAGE).max(least);
                }
                other => break other?,
            }
        };
        let openers = self.openers.lock();
        self.close_chunk(&chunk, *openers > 0)?;
        chunks.push(chunk);
        self.state.lock().mapped += want;
        Ok(())
    }

    fn close_chunk(&self, chunk: &Mapping, open: bool) -> Result<()> {
        match self.gate {
            GateKind::Pku => gate::put_under_key(chunk),
            GateKind::Mprotect if open => Ok(()),
            GateKind::Mprotect => {
                // SAFETY: nobody uses the chunk yet.
                let done =
                    unsafe { self.spec.kernel.protect(chunk.base(), chunk.size(), Prot::None) };
                done.map_err(|e| Error::from_call("mprotect", e, chunk.size(), "heap"))
            }
        }
    }

    fn reserve(&self) -> Result<()> {
        let fail = |e| Error::from_call("mmap", e, REGION, "heap");
        let kernel = self.spec.kernel;
        if BASE.load(Relaxed) == 0 {
            let base = kernel.reserve(REGION + PAGE).map_err(fail)?;
            BASE.store(base.expose_provenance(), Relaxed);
        }
        let mut state = self.state.lock();
        if state.words.is_null() {
            let len = REGION / GRANULE * size_of::<u32>();
            let words = kernel.reserve(len).map_err(fail)?;
            // SAFETY: our own fresh reservation.
            unsafe { kernel.protect(words, len, Prot::ReadWrite) }.map_err(fail)?;
            state.words = words.cast();
        }
        Ok(())
    }

    /// Opens the heap's gate for as long as the result lives.
    pub(crate) fn open(&self) -> Result<HeapOpen<'_>> {
        match self.gate {
            GateKind::Pku => gate::open_key(),
            GateKind::Mprotect => {
                let mut openers = self.openers.lock();
                if *openers == 0 {
                    self.protect_all(Prot::ReadWrite)?;
                }
                *openers += 1;
            }
        }
        Ok(HeapOpen { heap: self })
    }

    fn close(&self) {
        match self.gate {
            GateKind::Pku => gate::close_key(),
            GateKind::Mprotect => {
                let mut openers = self.openers.lock();
                *openers -= 1;
                if *openers == 0 && self.protect_all(Prot::None).is_err() {
                    die("mprotect cannot close the secret heap");
                }
            }
        }
    }

    /// mprotect(2) over all chunks at once: they lie side by side.
    fn protect_all(&self, prot: Prot) -> Result<()> {
        let mapped = self.state.lock().mapped;
        if mapped == 0 {
            return Ok(());
        }
        let base: *mut u8 = core::ptr::with_exposed_provenance_mut(BASE.load(Relaxed));
        // SAFETY: the chunks are ours; at closing no opener is left.
        let done = unsafe { self.spec.kernel.protect(base, mapped, prot) };
        done.map_err(|e| Error::from_call("mprotect", e, mapped, "heap"))
    }

    /// A zeroed block, or null. Inside the domain or under the heap's open gate.
    pub(crate) fn alloc(&self, size: usize, align: usize) -> *mut u8 {
        let aligned = align > GRANULE;
        let size = if aligned { size.max(align).next_power_of_two() } else { size };
        if align > ALIGN || size > REGION {
            return core::ptr::null_mut();
        }
        let stack = stacks::current();
        let Some(index) = self.state.lock().take(class_of(size), aligned, stack) else {
            return core::ptr::null_mut();
        };
        let base: *mut u8 = core::ptr::with_exposed_provenance_mut(BASE.load(Relaxed));
        base.wrapping_add(index * GRANULE)
    }

    /// Bytes of a live block.
    pub(crate) fn size_of(&self, at: *const u8) -> usize {
        let index = Self::index(at);
        size_of_class(self.state.lock().class_at(index))
    }

    fn index(at: *const u8) -> usize {
        at.addr().wrapping_sub(BASE.load(Relaxed)) / GRANULE
    }

    /// Wipes a block and takes it back.
    ///
    /// # Safety
    /// `at` came from [`Heap::alloc`] in this process and nobody uses it any more.
    pub(crate) unsafe fn free(&self, at: *mut u8) {
        let index = Self::index(at);
        let class = self.state.lock().class_at(index);
        let Ok(_open) = self.open() else {
            die("the secret heap cannot be opened to wipe a block")
        };
        // SAFETY: the block is ours and open.
        unsafe { asm::wipe(at, size_of_class(class)) };
        self.state.lock().give(index, class, stacks::current());
    }

    /// Live blocks and mapped bytes.
    pub(crate) fn stats(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.live, state.mapped)
    }

    /// Ends what an operation had of the heap that never came out, and closes the gate that it
    /// had opened. (With a protection key that was this thread's, and is closed already.)
    pub(super) fn abandon(&self, stack: Stack) {
        drop(Claim { heap: self, stack, closed: false });
        if self.gate == GateKind::Mprotect {
            self.close();
        }
    }

    /// How many operations have the gate open, where mprotect(2) is the gate.
    #[cfg(all(test, target_arch = "x86_64", not(miri)))]
    pub(super) fn openers(&self) -> u32 {
        *self.openers.lock()
    }

    /// Fresh bytes that the operation on that stack may still take.
    #[cfg(all(test, target_arch = "x86_64", not(miri)))]
    pub(super) fn claimed_by(&self, stack: Stack) -> usize {
        self.state.lock().account(Some(stack)).map_or(0, |account| account.left)
    }

    /// Unmaps the heap if nobody has anything of it. Returns bytes.
    pub(crate) fn trim(&self) -> usize {
        let mut chunks = self.chunks.lock();
        let openers = self.openers.lock();
        let mut state = self.state.lock();
        if state.live > 0 || state.claimed > 0 || *openers > 0 {
            return 0;
        }
        let bytes = core::mem::take(&mut state.mapped);
        drop(state);
        // Nothing new is mapped there meanwhile: that takes the lock of the chunks.
        chunks.clear();
        drop(openers);
        bytes
    }

    pub(crate) fn before_fork(&self) {
        self.chunks.acquire();
        self.state.acquire();
    }

    /// # Safety
    /// This thread called [`Heap::before_fork`].
    pub(crate) unsafe fn after_fork_in_parent(&self) {
        // SAFETY: the lock is held.
        unsafe { self.state.release() };
        // SAFETY: the lock is held.
        unsafe { self.chunks.release() };
    }

    /// The child's heap is empty.
    ///
    /// # Safety
    /// The only thread; the locks are held by [`Heap::before_fork`] or by nobody who lives.
    pub(crate) unsafe fn after_fork_in_child(&self) {
        // SAFETY: the only thread.
        let state = unsafe { self.state.held() };
        *state = State { words: state.words, ..State::new() };
        // SAFETY: the only thread.
        unsafe { self.chunks.held() }.clear();
        // SAFETY: the only thread.
        unsafe { self.openers.release() };
        *self.openers.lock() = 0;
        // SAFETY: the only thread.
        unsafe { self.after_fork_in_parent() };
    }
}

/// Room for one operation; given up on drop.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    heap: &'a Heap,
    stack: Stack,
    closed: bool,
}

/// How an operation got on with its claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Use {
    /// Fresh bytes of the claim that were not needed.
    pub(crate) left: usize,
    /// Blocks that it took, less those that it freed.
    pub(crate) blocks: isize,
    /// It needed more than it claimed, and there was room.
    pub(crate) over: bool,
    /// It needed more than there was.
    pub(crate) refused: bool,
}

impl Claim<'_> {
    /// Gives the room up and tells how it was used.
    pub(crate) fn close(mut self) -> Use {
        self.give_up()
    }

    fn give_up(&mut self) -> Use {
        self.closed = true;
        let mut state = self.heap.state.lock();
        let account = state.account(Some(self.stack)).map(|a| core::mem::replace(a, CLOSED));
        let Account { left, blocks, over, refused } = account.unwrap_or(CLOSED);
        // In a forked child nothing is claimed.
        state.claimed = state.claimed.saturating_sub(left);
        Use { left, blocks, over, refused }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.closed {
            self.give_up();
        }
    }
}

/// The heap's gate is open; closes on drop.
#[derive(Debug)]
pub(crate) struct HeapOpen<'a> {
    heap: &'a Heap,
}

impl Drop for HeapOpen<'_> {
    fn drop(&mut self) {
        self.heap.close();
    }
}
