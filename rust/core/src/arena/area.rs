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
    /// It was forked: no slot of it is handed out any more.
    pub(super) frozen: AtomicBool,
    /// A forked child can read it.
    pub(crate) passed_on: AtomicBool,
}

impl Body {
    pub(super) fn create(config: Config, pages: usize) -> Result<Box<Self>> {
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
    pub(super) fn pass_on(&self) -> bool {
        let done = self.mapping.pass_on(true).is_ok();
        self.frozen.fetch_or(done, AcqRel);
        self.passed_on.store(done, Release);
        done
    }
}

/// A mapping divided into pages and slots. The record outlives its mapping and is used again.
#[derive(Debug)]
pub(crate) struct Area {
    pub(super) body: AtomicPtr<Body>,
    pub(super) pages: Box<[Page]>,
    pub(super) live: AtomicUsize,
}

impl Area {
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
    }));
    let at: *mut Area = area;
    for page in &area.pages {
        page.area.store(at, Relaxed);
    }
    area
}
