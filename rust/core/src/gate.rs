//! The gate: an area is closed to the whole process except while an operation of ours has it
//! open. Rust because it sets page protections and thread rights.
//!
//! With protection keys (PKU) opening is a register write that holds for this thread alone.
//! Without them it is mprotect(2), which holds for the whole process, so each area counts its
//! openers: the last one closes.

use crate::asm::pkru;
use crate::error::{Error, Result};
use crate::kernel::linux::die;
use crate::kernel::{Kernel, Prot};
use crate::mapping::Mapping;
use crate::sync::Spin;
use core::cell::Cell;
use core::sync::atomic::{AtomicI32, Ordering::Relaxed};

/// How areas are closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateKind {
    /// A protection key, per thread.
    Pku,
    /// mprotect(2) with opener counts, per process.
    Mprotect,
}

/// The key, or -1. One for the process: the processor has 15.
static KEY: AtomicI32 = AtomicI32::new(-1);

thread_local! {
    /// How many gates this thread has open. Constant initial value, no destructor: usable in
    /// any state of the thread.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Allocates the key if the machine has keys. Called once, at first use.
pub(crate) fn init(kernel: &dyn Kernel, allow_pku: bool) -> GateKind {
    if !allow_pku {
        return GateKind::Mprotect;
    }
    match kernel.pkey_alloc() {
        Ok(key) => {
            KEY.store(key, Relaxed);
            GateKind::Pku
        }
        Err(_) => GateKind::Mprotect,
    }
}

/// Access-disable and write-disable bits of our key in PKRU; 0 without a key.
#[inline]
fn mask() -> u32 {
    match KEY.load(Relaxed) {
        key @ 0.. => 3 << (2 * key),
        _ => 0,
    }
}

/// The gate of one mapping.
#[derive(Debug)]
pub(crate) struct Gate {
    kind: GateKind,
    openers: Spin<u32>,
}

impl Gate {
    /// Puts the mapping behind a gate, closed.
    pub(crate) fn close_over(kind: GateKind, mapping: &Mapping) -> Result<Self> {
        let (at, len) = (mapping.base(), mapping.size());
        match kind {
            GateKind::Pku => put_under_key(mapping)?,
            GateKind::Mprotect => {
                // SAFETY: the mapping is ours and no reference into it exists yet.
                let done = unsafe { mapping.kernel().protect(at, len, Prot::None) };
                done.map_err(|e| Error::from_call("mprotect", e, len, "area"))?;
            }
        }
        Ok(Self { kind, openers: Spin::new(0) })
    }

    /// Opens the gate for as long as the result lives.
    #[inline]
    pub(crate) fn open<'a>(&'a self, mapping: &'a Mapping) -> Result<Open<'a>> {
        match self.kind {
            GateKind::Pku => open_key(),
            GateKind::Mprotect => self.open_pages(mapping)?,
        }
        Ok(Open { gate: self, mapping })
    }

    fn open_pages(&self, mapping: &Mapping) -> Result<()> {
        let mut openers = self.openers.lock();
        if *openers == 0 {
            let (at, len) = (mapping.base(), mapping.size());
            // SAFETY: the mapping is ours; widening its protection breaks no reference.
            unsafe { mapping.kernel().protect(at, len, Prot::ReadWrite) }
                .map_err(|e| Error::from_call("mprotect", e, len, "area"))?;
        }
        *openers += 1;
        Ok(())
    }

    /// Lets the mapping stay open after `open` is gone, until [`Gate::adopt_open`].
    pub(crate) fn leave_open(open: Open<'_>) {
        let _stays = core::mem::ManuallyDrop::new(open);
    }

    /// Takes over what [`Gate::leave_open`] left.
    pub(crate) fn adopt_open<'a>(&'a self, mapping: &'a Mapping) -> Open<'a> {
        Open { gate: self, mapping }
    }

    fn close_pages(&self, mapping: &Mapping) {
        let mut openers = self.openers.lock();
        *openers -= 1;
        if *openers == 0 {
            let (at, len) = (mapping.base(), mapping.size());
            // SAFETY: no opener is left, so nobody reads or writes through the mapping.
            if unsafe { mapping.kernel().protect(at, len, Prot::None) }.is_err() {
                die("mprotect cannot close an area; the process ends rather than leave it open");
            }
        }
    }

    /// In a forked child: nobody has it open, whatever the parent's threads were doing.
    pub(crate) fn reset_in_child(&self, mapping: &Mapping) {
        if self.kind == GateKind::Mprotect {
            // SAFETY: the child has one thread, and it holds no gate open while it forks. The
            // lock may be held by a thread that does not exist here.
            unsafe { self.openers.release() };
            *self.openers.lock() = 1;
            self.close_pages(mapping);
        }
    }
}

/// Puts a mapping under the process's key.
pub(crate) fn put_under_key(mapping: &Mapping) -> Result<()> {
    let (at, len, key) = (mapping.base(), mapping.size(), KEY.load(Relaxed));
    // SAFETY: the mapping is the caller's and no reference into it exists yet.
    let done = unsafe { mapping.kernel().protect_key(at, len, key) };
    done.map_err(|e| Error::from_call("pkey_mprotect", e, len, "area"))
}

/// Opens the key for this thread; nests.
#[inline]
pub(crate) fn open_key() {
    let depth = DEPTH.get();
    DEPTH.set(depth + 1);
    if depth == 0 {
        pkru::write(pkru::read() & !mask());
    }
}

/// Undoes one [`open_key`].
#[inline]
pub(crate) fn close_key() {
    let depth = DEPTH.get().saturating_sub(1);
    DEPTH.set(depth);
    if depth == 0 {
        pkru::write(pkru::read() | mask());
    }
}

/// Closes this thread's rights after an exit that skipped [`Open`]'s drop.
pub(crate) fn repair_thread(kind: GateKind) {
    DEPTH.set(0);
    if kind == GateKind::Pku {
        pkru::write(pkru::read() | mask());
    }
}

/// An open gate; closes on drop.
#[derive(Debug)]
pub(crate) struct Open<'a> {
    gate: &'a Gate,
    mapping: &'a Mapping,
}

impl Drop for Open<'_> {
    #[inline]
    fn drop(&mut self) {
        match self.gate.kind {
            GateKind::Pku => close_key(),
            GateKind::Mprotect => self.gate.close_pages(self.mapping),
        }
    }
}
