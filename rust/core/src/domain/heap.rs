//! The secret heap: what code inside the domain allocates. Rust because it holds secret bytes.
//!
//! One reservation, filled from its start by chunks that are mapped before an operation enters;
//! inside nothing is mapped. All bookkeeping (a word per 16 bytes) lies in ordinary memory, so
//! allocating needs no gate; freeing needs it to wipe. Memory is zero when it is handed out.
//!
//! Blocks are freed by address, whoever frees them: [`contains`] tells. A request that does not
//! fit what was claimed before entry gets null, which the crypto library reports as an error.

use crate::asm;
use crate::error::{Error, Result};
use crate::gate::{self, GateKind};
use crate::kernel::linux::die;
use crate::kernel::{Kernel, PAGE, Prot};
use crate::mapping::{Backend, Fork, Mapping, Spec};
use crate::sync::Spin;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Address space for the heap; pages are locked as chunks are mapped.
const REGION: usize = 64 << 20;
/// Smallest block.
const GRANULE: usize = 16;
/// Smallest chunk; chunks double up to the largest.
const FIRST_CHUNK: usize = 16 << 10;
const LARGEST_CHUNK: usize = 1 << 20;
/// Classes 16, 32, 48, 64, 96, 128, 192 ... 8 MiB.
const CLASSES: usize = 40;
/// Marks a live block; the class is in the low bits.
const LIVE: u32 = 1 << 31;
/// End of a free list; not a live block's word.
const NONE: u32 = LIVE - 1;

/// Start of the region; 0 before the first claim.
static BASE: AtomicUsize = AtomicUsize::new(0);

/// Whether an address is in the heap.
#[inline]
pub(crate) fn contains(at: *const u8) -> bool {
    let base = BASE.load(Relaxed);
    base != 0 && at.addr().wrapping_sub(base) < REGION
}

/// Class of a size: sizes are powers of two and one and a half times those.
fn class_of(size: usize) -> usize {
    let size = size.max(GRANULE);
    let log = (usize::BITS - (size - 1).leading_zeros()) as usize;
    let half = 3usize << (log.max(2) - 2);
    let class = 2 * (log - 4);
    if log > 5 && size <= half { class - 1 } else { class }
}

/// Bytes of a class.
fn size_of_class(class: usize) -> usize {
    let power = GRANULE << (class / 2);
    if class.is_multiple_of(2) { power } else { power / 2 * 3 }
}

#[derive(Debug)]
struct State {
    /// Words of bookkeeping, one per granule; null before the first claim.
    words: *mut u32,
    /// First byte that was never handed out, from the start of the region.
    fresh: usize,
    /// Bytes that are mapped.
    mapped: usize,
    free: [u32; CLASSES],
    live: usize,
    /// Bytes that operations under way may still take.
    claimed: usize,
}

// SAFETY: the pointer is to memory of the heap's own, used under its lock.
unsafe impl Send for State {}

impl State {
    const fn new() -> Self {
        let free = [NONE; CLASSES];
        Self { words: core::ptr::null_mut(), fresh: 0, mapped: 0, free, live: 0, claimed: 0 }
    }

    /// The word of the block that starts at granule `index`.
    fn word(&mut self, index: usize) -> Option<&mut u32> {
        if self.words.is_null() || index >= REGION / GRANULE {
            return None;
        }
        // SAFETY: the table has a word for each granule of the region and lives for ever; the
        // lock is held, as `&mut self` shows.
        Some(unsafe { &mut *self.words.wrapping_add(index) })
    }

    fn take(&mut self, class: usize) -> Option<usize> {
        let head = self.free.get(class).copied()?;
        let index = if head == NONE {
            let size = size_of_class(class);
            let align = if size.is_power_of_two() { size.min(PAGE) } else { GRANULE };
            let at = self.fresh.next_multiple_of(align);
            if at + size > self.mapped {
                return None;
            }
            self.fresh = at + size;
            at / GRANULE
        } else {
            let next = *self.word(head as usize)?;
            *self.free.get_mut(class)? = next;
            head as usize
        };
        *self.word(index)? = LIVE | class as u32;
        self.live += 1;
        Some(index)
    }

    /// Class of the live block at `index`.
    fn class_at(&mut self, index: usize) -> usize {
        match self.word(index) {
            Some(word) if *word & LIVE != 0 => (*word & !LIVE) as usize,
            _ => die("a block of the secret heap was freed twice or never was one"),
        }
    }

    fn give(&mut self, index: usize, class: usize) {
        let Some(head) = self.free.get(class).copied() else { return };
        if let Some(word) = self.word(index) {
            *word = head;
        }
        if let Some(slot) = self.free.get_mut(class) {
            *slot = index as u32;
        }
        self.live -= 1;
    }
}

/// See the module comment.
#[derive(Debug)]
pub(crate) struct Heap {
    spec: Spec,
    gate: GateKind,
    state: Spin<State>,
    chunks: Spin<Vec<Mapping>>,
    openers: Spin<u32>,
}

impl Heap {
    pub(crate) fn new(kernel: &'static dyn Kernel, backend: Backend, gate: GateKind) -> Self {
        let spec = Spec { kernel, backend, fork: Fork::Private, what: "heap" };
        Self {
            spec,
            gate,
            state: Spin::new(State::new()),
            chunks: Spin::new(Vec::new()),
            openers: Spin::new(0),
        }
    }

    /// Sets `bytes` aside for one operation: mapped, and claimed by nobody else. Outside the
    /// domain only.
    pub(crate) fn claim(&self, bytes: usize) -> Result<Claim<'_>> {
        loop {
            let mut state = self.state.lock();
            if state.mapped - state.fresh >= state.claimed + bytes {
                state.claimed += bytes;
                return Ok(Claim { heap: self, bytes });
            }
            let bytes = state.claimed + bytes;
            let mapped = state.mapped;
            drop(state);
            self.grow(mapped, bytes)?;
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
        let mut want = mapped.clamp(FIRST_CHUNK, LARGEST_CHUNK).max(least);
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
        // Blocks of a power of two are aligned to their size, up to a page.
        let size = if align > GRANULE { size.max(align).next_power_of_two() } else { size };
        if align > PAGE || size > REGION {
            return core::ptr::null_mut();
        }
        let Some(index) = self.state.lock().take(class_of(size)) else {
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
        self.state.lock().give(index, class);
    }

    /// Live blocks and mapped bytes.
    pub(crate) fn stats(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.live, state.mapped)
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
    bytes: usize,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut state = self.heap.state.lock();
        // In a forked child nothing is claimed.
        state.claimed = state.claimed.saturating_sub(self.bytes);
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
