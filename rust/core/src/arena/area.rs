//! An area: a mapping behind its gate, divided into pages. Rust because it is secret memory.

use super::Config;
use crate::error::Result;
use crate::gate::{Gate, Open};
use crate::mapping::{Fork, Mapping, Spec};
use crate::page::{FREE, Page};
use core::ptr;
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed,
    Ordering::Release,
};

/// A mapping behind its gate.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) mapping: Mapping,
    pub(crate) gate: Gate,
    /// A forked child can read it.
    pub(crate) passed_on: AtomicBool,
    /// A child that is alive may be able to read it, now or since an earlier fork.
    pub(crate) shared: AtomicBool,
}

impl Body {
    pub(super) fn create(config: Config, pages: usize) -> Result<Box<Self>> {
        let Config { kernel, backend, .. } = config;
        let spec = Spec { kernel, backend, fork: Fork::Private, what: "arena" };
        let mapping = Mapping::create(spec, pages)?;
        let gate = Gate::close_over(config.gate, &mapping)?;
        let (passed_on, shared) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Box::new(Self { mapping, gate, passed_on, shared }))
    }

    #[inline]
    pub(crate) fn open(&self) -> Result<Open<'_>> {
        self.gate.open(&self.mapping)
    }

    /// Lets the next forked child have it. False if the kernel refuses: then the child has a
    /// hole.
    pub(super) fn pass_on(&self) -> bool {
        let done = self.mapping.pass_on(true).is_ok();
        self.passed_on.store(done, Release);
        self.shared.fetch_or(done, AcqRel);
        done
    }
}

/// A mapping divided into pages and slots. The record outlives its mapping and is used again.
#[derive(Debug)]
pub(crate) struct Area {
    pub(super) body: AtomicPtr<Body>,
    pub(super) pages: Box<[Page]>,
    pub(super) live: AtomicUsize,
    /// It was forked: no slot of it is handed out any more.
    pub(super) frozen: AtomicBool,
}

impl Area {
    /// Whether it was forked.
    pub(super) fn is_frozen(&self) -> bool {
        self.frozen.load(Acquire)
    }

    /// Lets the next forked child have it, and ends all claims from it.
    pub(super) fn pass_on(&self) {
        if self.body().pass_on() {
            self.frozen.store(true, Release);
            self.pages.iter().for_each(Page::freeze);
        }
    }

    pub(super) fn body(&self) -> &Body {
        let body = self.body.load(Acquire);
        // SAFETY: called with a claimed slot or under the lock with the area listed; either
        // keeps the body in place.
        unsafe { &*body }
    }

    /// First of `want` free pages in a row.
    pub(super) fn find_run(&self, want: usize) -> Option<usize> {
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

/// A record that lives as long as the process.
pub(super) fn new_record(pages: usize) -> &'static Area {
    let area = Box::leak(Box::new(Area {
        body: AtomicPtr::new(ptr::null_mut()),
        pages: (0..pages as u32).map(Page::new).collect(),
        live: AtomicUsize::new(0),
        frozen: AtomicBool::new(false),
    }));
    let at: *mut Area = area;
    for page in &area.pages {
        page.area.store(at, Relaxed);
    }
    area
}
