//! The slow path of the arena, under its lock: pages for classes, new areas, idle areas given
//! back. Rust because it maps and unmaps secret memory.

use super::area::{Area, Body, new_record};
use super::slot::Place;
use super::{Arena, claim, shard};
use crate::error::{Error, Result};
use crate::page::{CLASSES, FREE, Page, RUN, TAIL};
use core::ptr;
use core::sync::atomic::{
    Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};

/// Pages of the first area.
const FIRST_PAGES: usize = 4;
/// Below this many mapped bytes, threads share pages.
const SMALL: usize = 256 << 10;

/// The areas and what they have to give, under the arena's lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) areas: Vec<&'static Area>,
    /// Records without a mapping, by use again.
    pub(super) spare: Vec<&'static Area>,
    /// Pages with room that no shard remembers, per class.
    pub(super) partial: [Vec<&'static Page>; CLASSES.len()],
    /// Mappings of their own, to be passed on at fork.
    pub(super) own: Vec<*mut Body>,
}

// SAFETY: the pointers are to bodies that live until their owner removes them here first.
unsafe impl Send for State {}

impl State {
    pub(super) const fn new() -> Self {
        Self {
            areas: Vec::new(),
            spare: Vec::new(),
            partial: [const { Vec::new() }; CLASSES.len()],
            own: Vec::new(),
        }
    }

    pub(super) fn has_memory(&self) -> bool {
        !self.areas.is_empty() || !self.own.is_empty()
    }

    /// Bytes of all areas and single mappings.
    pub(super) fn mapped(&self) -> usize {
        bodies(self).map(|b| b.mapping.size()).sum()
    }
}

impl Arena {
    #[cold]
    pub(super) fn alloc_slot_slow(&self, class: u8) -> Result<Place> {
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
            if let Some(slot) = claim(page, class) {
                return Some((page, slot));
            }
        }
        if state.mapped() < SMALL {
            self.of_other_shard(class).or_else(|| fresh_page(state, class))
        } else {
            fresh_page(state, class).or_else(|| self.of_other_shard(class))
        }
    }

    fn of_other_shard(&self, class: u8) -> Option<(&'static Page, usize)> {
        self.hints.iter().filter_map(|s| s.get(usize::from(class))).find_map(|hint| {
            // SAFETY: null or a page record, which is never freed.
            let page = unsafe { hint.load(Acquire).as_ref() }?;
            claim(page, class).map(|slot| (page, slot))
        })
    }

    pub(super) fn alloc_run(&self, pages: usize) -> Result<Place> {
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
        let mut asked = false;
        loop {
            let mut state = self.state.lock();
            if let Some(place) = attempt(self, &mut state) {
                return Ok(place);
            }
            retire_empty(&mut state);
            if let Some(place) = attempt(self, &mut state) {
                return Ok(place);
            }
            // Once a call: the hook may itself give memory back, which resets `grown`.
            if !asked && state.has_memory() && !self.grown.swap(true, AcqRel) {
                asked = true;
                drop(state);
                (self.hooks.before_growth)();
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
        // A quarter of what there is, so that little is mapped in vain; small again after a trim.
        // What is frozen does not count: a process that forks often must not freeze large areas
        // for few secrets.
        let usable = state.areas.iter().filter(|a| !a.is_frozen()).map(|a| a.pages.len());
        let usable = usable.sum::<usize>();
        // Where memory is scarce a stack and the heap need what is left.
        let scarce = self.config.frugal && usable >= FIRST_PAGES;
        let least = if scarce { 1 } else { FIRST_PAGES };
        let planned = (usable / 4).clamp(least, self.most_pages().max(least));
        // Powers of two: few sizes, so that records are used again.
        let mut want = (1 << planned.ilog2()).max(pages);
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
        area.frozen.store(false, Release);
        area.body.store(Box::into_raw(body), Release);
        state.areas.push(area);
        self.idle.fetch_add(1, AcqRel);
        Ok(())
    }

    /// Gives an idle area back, but keeps one: a program that makes and closes one secret again
    /// and again must not map and unmap.
    pub(super) fn became_idle(&self, area: &'static Area) {
        let idle = self.idle.fetch_add(1, AcqRel) + 1;
        // The record outlives the body, which another thread may have given back by now.
        if idle < 2 && !area.is_frozen() {
            return;
        }
        let mut state = self.state.lock();
        let listed = state.areas.iter().position(|a| ptr::eq(*a, area));
        if let Some(i) = listed.filter(|_| area.live.load(Acquire) == 0) {
            self.release(&mut state, i);
        }
    }

    /// Gives back frozen areas whose last secret was closed while they were being frozen.
    pub(super) fn release_emptied(&self, state: &mut State) {
        for i in (0..state.areas.len()).rev() {
            let area = state.areas.get(i);
            if area.is_some_and(|a| a.live.load(Acquire) == 0 && a.is_frozen()) {
                self.release(state, i);
            }
        }
    }

    /// Unmaps the `i`th area if no slot of it is claimed.
    pub(super) fn release(&self, state: &mut State, i: usize) {
        let Some(area) = state.areas.get(i).copied() else {
            return;
        };
        let frozen = area.is_frozen();
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
}

/// Gives a free page to the class and claims its first slot.
fn fresh_page(state: &State, class: u8) -> Option<(&'static Page, usize)> {
    let (area, i) = state.areas.iter().find_map(|a| Some((*a, a.find_run(1)?)))?;
    let page = area.pages.get(i)?;
    page.assign(class);
    page.claim(class).map(|slot| (page, slot))
}

/// Puts a page on the list of its class unless it is there.
pub(super) fn list(state: &mut State, page: &'static Page) {
    let class = usize::from(page.class());
    let Some(partial) = state.partial.get_mut(class) else {
        return;
    };
    if !page.listed.swap(true, AcqRel) {
        partial.push(page);
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
        if area.is_frozen() {
            continue;
        }
        for page in &area.pages {
            if page.class() != FREE && page.retire() {
                unlist(state, page);
            }
        }
    }
}

/// Every mapping of the arena.
pub(super) fn bodies(state: &State) -> impl Iterator<Item = &Body> {
    // SAFETY: a body is listed exactly as long as it is alive.
    let own = state.own.iter().map(|b| unsafe { &**b });
    state.areas.iter().map(|a| a.body()).chain(own)
}
