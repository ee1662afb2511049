//! The arena: the allocator over areas. Rust because it holds the secret bytes.
//!
//! One arena, never one file per secret: fresh secretmem pages split the kernel's direct map and
//! the split stays. But frugal, since the limit may be 64 KiB: the first area is 16 KiB, areas
//! double, a class or a thread owns no page while others have room, idle areas are given back.
//!
//! A slot is `[generation (inherited only)] payload canary`. The canary stands right behind the
//! payload, so one byte too many is seen. A damaged canary or a double free ends the process:
//! nothing of the allocator can be trusted then.
//!
//! The fast path is a claim of one bit in a page that the thread's shard remembers: no lock.

use crate::asm;
use crate::error::{Error, Result};
use crate::gate::{Gate, GateKind, Open};
use crate::kernel::linux::die;
use crate::kernel::{Kernel, PAGE};
use crate::mapping::{Backend, Fork, Mapping, Spec};
use crate::page::{CLASSES, FREE, Freed, Page, RUN, TAIL, slot_size};
use crate::sync::Spin;
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{
    AtomicBool, AtomicIsize, AtomicPtr, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed,
    Ordering::Release,
};

/// Bytes of the canary behind each payload.
const CANARY: usize = 8;
/// Bytes of the generation before the payload of an inherited secret.
const GENERATION: usize = 8;
/// Pages of the first area.
const FIRST_PAGES: usize = 4;
/// Pages of the largest area: 1 MiB.
const MOST_PAGES: usize = 256;
/// The same behind mprotect(2), which costs more the longer the area is.
const MOST_PAGES_MPROTECT: usize = 8;
/// Below this many mapped bytes, threads share pages.
const SMALL: usize = 256 << 10;
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
    /// Random, per process.
    pub(crate) canary_seed: u64,
}

/// A mapping behind its gate.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) mapping: Mapping,
    pub(crate) gate: Gate,
    /// It was forked: no slot of it is handed out any more.
    frozen: AtomicBool,
    /// A forked child can read it.
    pub(crate) passed_on: AtomicBool,
}

impl Body {
    fn create(config: Config, pages: usize) -> Result<Box<Self>> {
        let Config { kernel, backend, .. } = config;
        let spec = Spec { kernel, backend, fork: Fork::Private, what: "arena" };
        let mapping = Mapping::create(spec, pages)?;
        let gate = Gate::close_over(config.gate, &mapping)?;
        let (frozen, passed_on) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Box::new(Self { mapping, gate, frozen, passed_on }))
    }

    #[inline]
    pub(crate) fn open(&self) -> Result<Open<'_>> {
        self.gate.open(&self.mapping)
    }

    /// Lets the next forked child have it, and freezes it. False if the kernel refuses: then the
    /// child has a hole.
    fn pass_on(&self) -> bool {
        let done = self.mapping.pass_on(true).is_ok();
        self.frozen.fetch_or(done, AcqRel);
        self.passed_on.store(done, Release);
        done
    }
}

/// A mapping divided into pages and slots. The record outlives its mapping and is used again.
#[derive(Debug)]
pub(crate) struct Area {
    body: AtomicPtr<Body>,
    pages: Box<[Page]>,
    live: AtomicUsize,
}

impl Area {
    fn body(&self) -> &Body {
        let body = self.body.load(Acquire);
        // SAFETY: called with a claimed slot or under the lock with the area listed; either
        // keeps the body in place.
        unsafe { &*body }
    }

    /// First of `want` free pages in a row.
    fn find_run(&self, want: usize) -> Option<usize> {
        let mut length = 0;
        for (i, page) in self.pages.iter().enumerate() {
            length = if page.class() == FREE { length + 1 } else { 0 };
            if length == want {
                return Some(i + 1 - want);
            }
        }
        None
    }
}

/// Where a secret lies. Given back by [`Arena::free`] only.
#[derive(Debug)]
pub(crate) enum Place {
    /// A slot of a page, or a run of pages (slot 0).
    Slot(&'static Page, usize),
    /// A mapping of its own.
    Own(*mut Body),
}

// SAFETY: the pointer is to a body that this place alone owns.
unsafe impl Send for Place {}

/// A claimed slot and the facts that its owner needs.
#[derive(Debug)]
pub(crate) struct Slot {
    place: Place,
    /// First byte of the payload.
    pub(crate) payload: *mut u8,
    /// Of an inherited slot; 0 otherwise.
    pub(crate) generation: u64,
}

// SAFETY: the pointer is into secret memory that this slot alone owns; access is `unsafe`.
unsafe impl Send for Slot {}

impl Slot {
    /// The mapping and gate that the slot is in.
    #[inline]
    pub(crate) fn body(&self) -> &Body {
        match self.place {
            Place::Slot(page, _) => {
                let area = page.area.load(Relaxed);
                // SAFETY: records are never freed; the claimed slot keeps the body.
                unsafe { &*area }.body()
            }
            // SAFETY: owned by this place until `free`.
            Place::Own(body) => unsafe { &*body },
        }
    }

    fn generation_word(&self) -> *mut u64 {
        self.payload.wrapping_sub(GENERATION).cast()
    }

    /// Reads the generation from secret memory. The gate is open.
    ///
    /// # Safety
    /// The slot is of an inheriting arena, mapped, and open.
    pub(crate) unsafe fn read_generation(&self) -> u64 {
        // SAFETY: slots of an inheriting arena start with the word, 8-byte aligned.
        unsafe { self.generation_word().read_volatile() }
    }
}

#[derive(Debug)]
struct State {
    areas: Vec<&'static Area>,
    /// Records without a mapping, by use again.
    spare: Vec<&'static Area>,
    /// Pages with room that no shard remembers, per class.
    partial: [Vec<&'static Page>; CLASSES.len()],
    /// Mappings of their own, to be passed on at fork.
    own: Vec<*mut Body>,
    next_pages: usize,
}

// SAFETY: the pointers are to bodies that live until their owner removes them here first.
unsafe impl Send for State {}

/// See the module comment.
#[derive(Debug)]
pub(crate) struct Arena {
    config: Config,
    hints: [[AtomicPtr<Page>; CLASSES.len()]; SHARDS],
    state: Spin<State>,
    /// Areas without a live slot; below zero for a moment while two threads count.
    idle: AtomicIsize,
    /// Called once before the arena takes a second area.
    before_growth: fn(),
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
    pub(crate) fn new(config: Config, before_growth: fn()) -> Self {
        let state = State {
            areas: Vec::new(),
            spare: Vec::new(),
            partial: [const { Vec::new() }; CLASSES.len()],
            own: Vec::new(),
            next_pages: FIRST_PAGES,
        };
        Self {
            config,
            hints: [const { [const { AtomicPtr::new(ptr::null_mut()) }; CLASSES.len()] }; SHARDS],
            state: Spin::new(state),
            idle: AtomicIsize::new(0),
            before_growth,
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

    /// Claims a zeroed slot for `len` bytes, with its canary (and generation) written.
    pub(crate) fn alloc(&self, len: usize, isolated: bool) -> Result<Slot> {
        let whole = len.checked_add(self.header() + CANARY);
        let whole = whole.ok_or(Error::Limit { need: len, what: "arena" })?;
        let place = if isolated || whole > self.most_pages() / 2 * PAGE {
            self.alloc_own(whole)?
        } else if let Some(class) = class_of(whole) {
            self.alloc_slot(class)?
        } else {
            self.alloc_run(whole.div_ceil(PAGE))?
        };
        self.dress(place, len)
    }

    /// Writes canary and generation into a fresh place.
    fn dress(&self, place: Place, len: usize) -> Result<Slot> {
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
        });
        if let Err(e) = opened {
            self.give_back(&slot.place);
            return Err(e);
        }
        Ok(slot)
    }

    #[inline]
    fn alloc_slot(&self, class: u8) -> Result<Place> {
        let hint = self.hints.get(shard()).and_then(|s| s.get(usize::from(class)));
        if let Some(hint) = hint {
            let page = hint.load(Acquire);
            // SAFETY: null or a page record, which is never freed.
            if let Some(page) = unsafe { page.as_ref() } {
                if let Some(slot) = page.claim(class) {
                    return Ok(self.count(page, slot));
                }
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

    #[cold]
    fn alloc_slot_slow(&self, class: u8) -> Result<Place> {
        self.with_growth(1, |this, state| {
            let (page, slot) = this.page_with_room(state, class)?;
            let hint = this.hints.get(shard()).and_then(|s| s.get(usize::from(class)));
            if let Some(hint) = hint {
                let old = hint.swap(ptr::from_ref(page).cast_mut(), AcqRel);
                // SAFETY: null or a page record, which is never freed.
                if let Some(old) = unsafe { old.as_ref() } {
                    list(state, old);
                }
            }
            Some(this.count(page, slot))
        })
    }

    /// A claimed slot of a listed page, a page of another shard or a free page. While the arena
    /// is small, threads share pages; later each shard takes its own.
    fn page_with_room(&self, state: &mut State, class: u8) -> Option<(&'static Page, usize)> {
        let partial = state.partial.get_mut(usize::from(class))?;
        while let Some(page) = partial.pop() {
            page.listed.store(false, Release);
            if let Some(slot) = page.claim(class) {
                return Some((page, slot));
            }
        }
        if mapped(state) < SMALL {
            self.of_other_shard(class).or_else(|| fresh_page(state, class))
        } else {
            fresh_page(state, class).or_else(|| self.of_other_shard(class))
        }
    }

    fn of_other_shard(&self, class: u8) -> Option<(&'static Page, usize)> {
        self.hints.iter().filter_map(|s| s.get(usize::from(class))).find_map(|hint| {
            // SAFETY: null or a page record, which is never freed.
            let page = unsafe { hint.load(Acquire).as_ref() }?;
            page.claim(class).map(|slot| (page, slot))
        })
    }

    fn alloc_run(&self, pages: usize) -> Result<Place> {
        self.with_growth(pages, |this, state| {
            let (area, at) = state.areas.iter().find_map(|a| Some((*a, a.find_run(pages)?)))?;
            for page in area.pages.iter().skip(at).take(pages) {
                page.mark(TAIL);
            }
            let first = area.pages.get(at)?;
            first.mark(RUN);
            first.run.store(pages as u32, Relaxed);
            Some(this.count(first, 0))
        })
    }

    /// Tries, then takes empty pages from other classes, then takes a new area.
    fn with_growth(
        &self,
        pages: usize,
        attempt: impl Fn(&Self, &mut State) -> Option<Place>,
    ) -> Result<Place> {
        loop {
            let mut state = self.state.lock();
            if let Some(place) = attempt(self, &mut state) {
                return Ok(place);
            }
            retire_empty(&mut state);
            if let Some(place) = attempt(self, &mut state) {
                return Ok(place);
            }
            if !state.areas.is_empty() && !self.grown.swap(true, AcqRel) {
                drop(state);
                (self.before_growth)();
                continue;
            }
            self.grow(&mut state, pages)?;
            if let Some(place) = attempt(self, &mut state) {
                return Ok(place);
            }
        }
    }

    /// Takes a new area of at least `pages` pages, smaller than planned if the limit says so.
    fn grow(&self, state: &mut State, pages: usize) -> Result<()> {
        let mut want = state.next_pages.max(pages);
        let body = loop {
            match Body::create(self.config, want) {
                Err(Error::Limit { .. }) if want > pages => want = (want / 2).max(pages),
                other => break other?,
            }
        };
        let spare = state.spare.iter().position(|a| a.pages.len() == want);
        let area = match spare {
            Some(i) => state.spare.swap_remove(i),
            None => new_record(want),
        };
        area.body.store(Box::into_raw(body), Release);
        state.areas.push(area);
        self.idle.fetch_add(1, AcqRel);
        state.next_pages = (want * 2).clamp(FIRST_PAGES, self.most_pages());
        Ok(())
    }

    fn alloc_own(&self, whole: usize) -> Result<Place> {
        let body = Box::into_raw(Body::create(self.config, whole.div_ceil(PAGE))?);
        self.state.lock().own.push(body);
        Ok(Place::Own(body))
    }

    /// Wipes a slot and gives it back.
    ///
    /// # Errors
    /// The gate did not open: the slot stays closed, unwiped and unused, and is counted.
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
                if !area.body().frozen.load(Acquire) {
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
            for page in unsafe { &*area }.pages.iter().skip(page.index as usize).take(run) {
                page.mark(FREE);
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

    /// Gives an idle area back, but keeps one: a program that makes and closes one secret again
    /// and again must not map and unmap.
    fn became_idle(&self, area: &'static Area) {
        let idle = self.idle.fetch_add(1, AcqRel) + 1;
        if idle < 2 && !area.body().frozen.load(Acquire) {
            return;
        }
        let mut state = self.state.lock();
        let listed = state.areas.iter().position(|a| ptr::eq(*a, area));
        if let Some(i) = listed.filter(|_| area.live.load(Acquire) == 0) {
            self.release(&mut state, i);
        }
    }

    /// Unmaps the `i`th area if no slot of it is claimed.
    fn release(&self, state: &mut State, i: usize) {
        let Some(area) = state.areas.get(i).copied() else { return };
        let frozen = area.body().frozen.load(Acquire);
        for page in &area.pages {
            if frozen {
                page.mark(FREE);
            } else if !page.retire() {
                return;
            }
            unlist(state, page);
        }
        state.areas.swap_remove(i);
        state.spare.push(area);
        self.idle.fetch_sub(1, AcqRel);
        let body = area.body.swap(ptr::null_mut(), AcqRel);
        // SAFETY: made by `grow`; no slot is claimed and none can be, so nobody uses it.
        drop(unsafe { Box::from_raw(body) });
    }

    /// Gives every idle area back. Returns bytes.
    pub(crate) fn trim(&self) -> usize {
        let mut state = self.state.lock();
        let before = mapped(&state);
        for i in (0..state.areas.len()).rev() {
            if state.areas.get(i).is_some_and(|a| a.live.load(Acquire) == 0) {
                self.release(&mut state, i);
            }
        }
        before - mapped(&state)
    }

    pub(crate) fn stats(&self) -> ArenaStats {
        let state = self.state.lock();
        ArenaStats {
            areas: state.areas.len() + state.own.len(),
            bytes: mapped(&state),
            live: state.areas.iter().map(|a| a.live.load(Relaxed)).sum::<usize>() + state.own.len(),
            unwiped: self.unwiped.load(Relaxed),
        }
    }

    /// Takes the lock for fork(2), and opens what the child shall have.
    pub(crate) fn before_fork(&self) {
        self.state.acquire();
        if !self.config.inherit {
            return;
        }
        // SAFETY: taken above.
        let state = unsafe { self.state.held() };
        for area in state.areas.iter().filter(|a| a.live.load(Acquire) > 0) {
            if area.body().pass_on() {
                area.pages.iter().for_each(Page::freeze);
            }
        }
        for body in &state.own {
            // SAFETY: a body is listed exactly as long as it is alive.
            unsafe { &**body }.pass_on();
        }
    }

    /// In the parent: closes again what was opened; frozen areas stay frozen.
    ///
    /// # Safety
    /// This thread called [`Arena::before_fork`].
    pub(crate) unsafe fn after_fork_in_parent(&self) {
        if self.config.inherit {
            // SAFETY: the lock is held.
            for body in bodies(unsafe { self.state.held() }) {
                if body.passed_on.swap(false, AcqRel) {
                    // A later child would get a frozen area too: only old secrets are in it.
                    let _ = body.mapping.pass_on(false);
                }
            }
        }
        // SAFETY: the lock is held.
        unsafe { self.state.release() };
    }

    /// In the child: the parent's areas are no longer this arena's.
    ///
    /// # Safety
    /// The only thread; the lock is held by [`Arena::before_fork`] or by nobody who lives.
    pub(crate) unsafe fn after_fork_in_child(&self, handlers: bool) {
        // SAFETY: the only thread.
        let state = unsafe { self.state.held() };
        for body in bodies(state) {
            if handlers && body.passed_on.load(Acquire) {
                body.gate.reset_in_child(&body.mapping);
            } else {
                body.passed_on.store(false, Release);
            }
        }
        // The records stay allocated: secrets of the parent's time still point to them.
        state.areas.clear();
        state.own.clear();
        state.partial.iter_mut().for_each(Vec::clear);
        state.next_pages = FIRST_PAGES;
        for hint in self.hints.iter().flatten() {
            hint.store(ptr::null_mut(), Release);
        }
        self.idle.store(0, Release);
        self.grown.store(false, Release);
        // SAFETY: the only thread.
        unsafe { self.state.release() };
    }
}

fn class_of(whole: usize) -> Option<u8> {
    CLASSES.iter().position(|size| usize::from(*size) >= whole).map(|c| c as u8)
}

fn start_of(place: &Place) -> *mut u8 {
    match *place {
        // SAFETY: owned by this place.
        Place::Own(body) => unsafe { &*body }.mapping.base(),
        Place::Slot(page, slot) => {
            let area = page.area.load(Relaxed);
            // SAFETY: records are never freed; the claimed slot keeps the body.
            let base = unsafe { &*area }.body().mapping.base();
            base.wrapping_add(page.index as usize * PAGE + slot * slot_size(page.class()))
        }
    }
}

/// Gives a free page to the class and claims its first slot.
fn fresh_page(state: &State, class: u8) -> Option<(&'static Page, usize)> {
    let (area, i) = state.areas.iter().find_map(|a| Some((*a, a.find_run(1)?)))?;
    let page = area.pages.get(i)?;
    page.assign(class);
    page.claim(class).map(|slot| (page, slot))
}

/// Puts a page on the list of its class unless it is there.
fn list(state: &mut State, page: &'static Page) {
    let class = usize::from(page.class());
    if let Some(partial) = state.partial.get_mut(class) {
        if !page.listed.swap(true, AcqRel) {
            partial.push(page);
        }
    }
}

fn unlist(state: &mut State, page: &Page) {
    if page.listed.swap(false, AcqRel) {
        for partial in &mut state.partial {
            partial.retain(|p| !ptr::eq(*p, page));
        }
    }
}

/// Takes every empty page back from its class.
fn retire_empty(state: &mut State) {
    for area in state.areas.clone() {
        if area.body().frozen.load(Acquire) {
            continue;
        }
        for page in &area.pages {
            if page.class() != FREE && page.retire() {
                unlist(state, page);
            }
        }
    }
}

fn new_record(pages: usize) -> &'static Area {
    let area = Box::leak(Box::new(Area {
        body: AtomicPtr::new(ptr::null_mut()),
        pages: (0..pages as u32).map(Page::new).collect(),
        live: AtomicUsize::new(0),
    }));
    let at: *mut Area = area;
    for page in &area.pages {
        page.area.store(at, Relaxed);
    }
    area
}

fn bodies(state: &State) -> impl Iterator<Item = &Body> {
    // SAFETY: a body is listed exactly as long as it is alive.
    let own = state.own.iter().map(|b| unsafe { &**b });
    state.areas.iter().map(|a| a.body()).chain(own)
}

fn mapped(state: &State) -> usize {
    bodies(state).map(|b| b.mapping.size()).sum()
}
