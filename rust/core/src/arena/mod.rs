//! The arena: the allocator over areas. Rust because it holds the secret bytes.
//!
//! One arena, never one file per secret: fresh secretmem pages split the kernel's direct map and
//! the split stays. But frugal, since the limit may be 64 KiB: the first area is 16 KiB, a
//! further one a quarter of what there is, a class or a thread owns no page while others have
//! room, idle areas are given back.
//!
//! A slot is `[generation (inherited only)] payload canary`. The canary stands right behind the
//! payload, so one byte too many is seen. A damaged canary or a double free ends the process:
//! nothing of the allocator can be trusted then.
//!
//! The fast path is a claim of one bit in a page that the thread's shard remembers: no lock.

mod area;
mod fork;
mod growth;
mod slot;
#[cfg(test)]
mod tests;

pub(crate) use area::Area;
pub(crate) use slot::Slot;

use crate::asm;
use crate::error::{Error, Result};
use crate::gate::GateKind;
use crate::kernel::linux::die;
use crate::kernel::{Kernel, PAGE};
use crate::mapping::Backend;
use crate::page::{CLASSES, FREE, Freed, Page, RUN};
use crate::sync::Spin;
use area::Body;
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{
    AtomicBool, AtomicIsize, AtomicPtr, AtomicUsize, Ordering::AcqRel, Ordering::Acquire,
    Ordering::Relaxed, Ordering::Release,
};
use growth::{State, list};
use slot::{GENERATION, Place, start_of};

/// Bytes of the largest secret. Its pages are never swapped nor reclaimed, and where no limit
/// holds (root on kernels before the per-user accounting) too many of them end in the
/// out-of-memory killer.
const MOST_BYTES: usize = 256 << 20;
/// Bytes of the canary behind each payload.
const CANARY: usize = 8;
/// Pages of the largest area: 1 MiB.
const MOST_PAGES: usize = 256;
/// The same behind mprotect(2), which costs more the longer the area is.
const MOST_PAGES_MPROTECT: usize = 8;
/// Remembered pages per class; threads share them round robin.
const SHARDS: usize = 8;

/// What all areas of an arena have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Config {
    pub(crate) kernel: &'static dyn Kernel,
    pub(crate) backend: Backend,
    pub(crate) gate: GateKind,
    /// Secrets in it can pass to forked children.
    pub(crate) inherit: bool,
    /// Memory is scarce: areas do not double.
    pub(crate) frugal: bool,
    /// Random, per process.
    pub(crate) canary_seed: u64,
}

/// What an arena asks of the runtime. Called without any lock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hooks {
    /// Called once before the arena takes a second area or mapping.
    pub(crate) before_growth: fn(),
    /// Gives back what only rests, here and elsewhere. False if there was nothing.
    pub(crate) make_room: fn() -> bool,
}

/// See the module comment.
#[derive(Debug)]
pub(crate) struct Arena {
    config: Config,
    hints: [[AtomicPtr<Page>; CLASSES.len()]; SHARDS],
    state: Spin<State>,
    /// Areas without a live slot; below zero for a moment while two threads count.
    idle: AtomicIsize,
    hooks: Hooks,
    grown: AtomicBool,
    unwiped: AtomicUsize,
}

/// What an arena holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct ArenaStats {
    /// Mapped areas, mappings of single secrets included.
    pub areas: usize,
    /// Bytes of them.
    pub bytes: usize,
    /// Secrets in slots.
    pub live: usize,
    /// Slots that could not be wiped (the gate did not open) and are never used again.
    pub unwiped: usize,
}

thread_local! {
    static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
}
static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);

fn shard() -> usize {
    let mine = SHARD.get();
    if mine != usize::MAX {
        return mine;
    }
    let mine = NEXT_SHARD.fetch_add(1, Relaxed) % SHARDS;
    SHARD.set(mine);
    mine
}

impl Arena {
    pub(crate) fn new(config: Config, hooks: Hooks) -> Self {
        Self {
            config,
            hints: [const { [const { AtomicPtr::new(ptr::null_mut()) }; CLASSES.len()] }; SHARDS],
            state: Spin::new(State::new()),
            idle: AtomicIsize::new(0),
            hooks,
            grown: AtomicBool::new(false),
            unwiped: AtomicUsize::new(0),
        }
    }

    fn header(&self) -> usize {
        if self.config.inherit { GENERATION } else { 0 }
    }

    fn canary(&self, at: *const u8) -> u64 {
        self.config.canary_seed ^ (at.addr() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn most_pages(&self) -> usize {
        match self.config.gate {
            GateKind::Pku => MOST_PAGES,
            GateKind::Mprotect => MOST_PAGES_MPROTECT,
        }
    }

    /// Claims a zeroed slot for `len` bytes, writes its canary (and generation), and gives the
    /// open payload to `fill`: one opening of the gate for all of it.
    pub(crate) fn alloc<R>(
        &self,
        len: usize,
        isolated: bool,
        fill: impl FnOnce(*mut u8) -> R,
    ) -> Result<(Slot, R)> {
        if len > MOST_BYTES {
            return Err(Error::Size { max: MOST_BYTES });
        }
        let whole = self.header() + len + CANARY;
        let place = match self.place(whole, isolated) {
            Err(Error::Limit { .. }) if (self.hooks.make_room)() => self.place(whole, isolated),
            other => other,
        };
        self.dress(place?, len, fill)
    }

    fn place(&self, whole: usize, isolated: bool) -> Result<Place> {
        if isolated || whole > self.most_pages() / 2 * PAGE {
            self.alloc_own(whole)
        } else if let Some(class) = class_of(whole) {
            self.alloc_slot(class)
        } else {
            self.alloc_run(whole.div_ceil(PAGE))
        }
    }

    fn dress<R>(
        &self,
        place: Place,
        len: usize,
        fill: impl FnOnce(*mut u8) -> R,
    ) -> Result<(Slot, R)> {
        let mut slot = Slot { place, payload: ptr::null_mut(), generation: 0 };
        slot.payload = start_of(&slot.place).wrapping_add(self.header());
        slot.generation = self.canary(slot.payload).rotate_left(17) | 1;
        let opened = slot.body().open().map(|_open| {
            let at = slot.payload.wrapping_add(len);
            // SAFETY: the place has room for header, payload and canary, and its gate is open.
            unsafe { at.cast::<u64>().write_unaligned(self.canary(at)) };
            if self.config.inherit {
                // SAFETY: as above; slots are 8-byte aligned.
                unsafe { slot.generation_word().write_volatile(slot.generation) };
            }
            fill(slot.payload)
        });
        match opened {
            Ok(filled) => Ok((slot, filled)),
            Err(e) => {
                self.give_back(&slot.place);
                Err(e)
            }
        }
    }

    #[inline]
    fn alloc_slot(&self, class: u8) -> Result<Place> {
        let hint = self.hints.get(shard()).and_then(|s| s.get(usize::from(class)));
        if let Some(hint) = hint {
            let page = hint.load(Acquire);
            // SAFETY: null or a page record, which is never freed.
            let page = unsafe { page.as_ref() };
            if let Some((page, slot)) = page.and_then(|p| Some((p, claim(p, class)?))) {
                return Ok(self.count(page, slot));
            }
        }
        self.alloc_slot_slow(class)
    }

    fn count(&self, page: &'static Page, slot: usize) -> Place {
        let area = page.area.load(Relaxed);
        // SAFETY: records are never freed.
        if unsafe { &*area }.live.fetch_add(1, AcqRel) == 0 {
            self.idle.fetch_sub(1, AcqRel);
        }
        Place::Slot(page, slot)
    }

    fn alloc_own(&self, whole: usize) -> Result<Place> {
        let grows = self.state.lock().has_memory();
        if grows && !self.grown.swap(true, AcqRel) {
            (self.hooks.before_growth)();
        }
        let body = Box::into_raw(Body::create(self.config, whole.div_ceil(PAGE))?);
        self.state.lock().own.push(body);
        Ok(Place::Own(body))
    }

    /// Wipes a slot and gives it back.
    ///
    /// # Errors
    /// The gate did not open: the slot stays closed, unwiped and unused, and is counted.
    #[allow(clippy::needless_pass_by_value, reason = "who frees a slot no longer has it")]
    pub(crate) fn free(&self, slot: Slot, len: usize, flush: bool) -> Result<()> {
        let body = slot.body();
        let open = match body.open() {
            Ok(open) => open,
            Err(e) => {
                self.unwiped.fetch_add(1, Relaxed);
                return Err(e);
            }
        };
        let at = slot.payload.wrapping_add(len);
        // SAFETY: the slot is ours and open; the canary was written there by `dress`.
        if unsafe { at.cast::<u64>().read_unaligned() } != self.canary(at) {
            die("the canary of a slot is damaged: a write went past its end");
        }
        if self.config.inherit {
            // SAFETY: as above. Before the wipe: a child that copies meanwhile sees it after.
            unsafe { slot.generation_word().write_volatile(0) };
            core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
        }
        let start = slot.payload.wrapping_sub(self.header());
        let whole = self.header() + len + CANARY;
        // SAFETY: the slot is ours and open.
        unsafe { asm::wipe(start, whole) };
        if flush {
            // SAFETY: the slot is ours and open.
            unsafe { asm::flush(start, whole) };
        }
        drop(open);
        self.give_back(&slot.place);
        Ok(())
    }

    /// Returns a wiped place.
    fn give_back(&self, place: &Place) {
        match *place {
            Place::Own(body) => {
                self.state.lock().own.retain(|b| *b != body);
                // SAFETY: made by `alloc_own`, owned by this place alone, no longer listed.
                drop(unsafe { Box::from_raw(body) });
            }
            Place::Slot(page, slot) => {
                let area = page.area.load(Relaxed);
                // SAFETY: records are never freed.
                let area = unsafe { &*area };
                if !area.is_frozen() {
                    self.unmark(page, slot);
                }
                if area.live.fetch_sub(1, AcqRel) == 1 {
                    self.became_idle(area);
                }
            }
        }
    }

    fn unmark(&self, page: &'static Page, slot: usize) {
        if page.class() == RUN {
            let state = self.state.lock();
            let area = page.area.load(Relaxed);
            let run = page.run.load(Relaxed) as usize;
            // SAFETY: records are never freed.
            let area = unsafe { &*area };
            // Asked again under the lock, which a fork holds from the freezing on.
            if !area.is_frozen() {
                for page in area.pages.iter().skip(page.index as usize).take(run) {
                    page.mark(FREE);
                }
            }
            drop(state);
            return;
        }
        match page.unclaim(slot) {
            None => die("a slot was freed twice"),
            Some(Freed::Plain) => {}
            Some(Freed::WasFull) => list(&mut self.state.lock(), page),
        }
    }

    /// Gives every idle area back. Returns bytes.
    pub(crate) fn trim(&self) -> usize {
        let mut state = self.state.lock();
        let before = state.mapped();
        for i in (0..state.areas.len()).rev() {
            if state.areas.get(i).is_some_and(|a| a.live.load(Acquire) == 0) {
                self.release(&mut state, i);
            }
        }
        let freed = before - state.mapped();
        if freed > 0 {
            // Stacks and windows may be given back too: the next growth looks after them again.
            self.grown.store(false, Release);
        }
        freed
    }

    pub(crate) fn stats(&self) -> ArenaStats {
        let state = self.state.lock();
        ArenaStats {
            areas: state.areas.len() + state.own.len(),
            bytes: state.mapped(),
            live: state.areas.iter().map(|a| a.live.load(Relaxed)).sum::<usize>() + state.own.len(),
            unwiped: self.unwiped.load(Relaxed),
        }
    }
}

/// Claims a slot of a page. One that a fork froze meanwhile stays claimed for ever.
#[inline]
fn claim(page: &Page, class: u8) -> Option<usize> {
    let slot = page.claim(class)?;
    let area = page.area.load(Relaxed);
    // SAFETY: records are never freed.
    (!unsafe { &*area }.is_frozen()).then_some(slot)
}

fn class_of(whole: usize) -> Option<u8> {
    CLASSES.iter().position(|size| usize::from(*size) >= whole).map(|c| c as u8)
}
