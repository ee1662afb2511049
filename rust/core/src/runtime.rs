//! The one runtime of a process: arenas, stacks, windows, and what fork(2) does to them. Rust
//! because it owns the secret memory.
//!
//! It is made at first use, never at import. In a forked child the parent's areas are gone (the
//! holes are filled with PROT_NONE), the epoch is one higher, and the runtime starts empty.

use crate::arena::{Arena, ArenaStats, Config, Hooks};
use crate::domain::heap::Heap;
use crate::domain::stacks::Stacks;
use crate::error::{Error, Result, Unavailable};
use crate::gate::{self, GateKind};
use crate::kernel::linux::{self, Ask, Probe};
use crate::kernel::{KERNEL, Kernel, PAGE};
use crate::mapping::{self, Backend, Fork, Spec};
use crate::sync::Spin;
use crate::window::{WindowStats, Windows};
use crate::{asm, domain, secret};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering::AcqRel, Ordering::Acquire};
use core::sync::atomic::{Ordering::Relaxed, Ordering::Release};
#[allow(clippy::disallowed_types, reason = "set by `start`, outside the domain")]
use std::sync::OnceLock;

/// Under this RLIMIT_MEMLOCK in bytes nothing is kept in reserve.
const SCARCE: usize = 1 << 20;

/// Choices that hold for the life of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Where the pages come from.
    pub backend: Backend,
    /// Use a protection key if the machine has one.
    pub allow_pku: bool,
}

/// See the module comment.
#[derive(Debug)]
pub struct Runtime {
    pub(crate) kernel: &'static dyn Kernel,
    pub(crate) settings: Settings,
    pub(crate) gate: GateKind,
    pub(crate) private: Arena,
    pub(crate) inherit: Arena,
    pub(crate) stacks: Stacks,
    pub(crate) heap: Heap,
    pub(crate) windows: Windows,
}

#[allow(clippy::disallowed_types, reason = "set by `start`, outside the domain")]
static RUNTIME: OnceLock<Runtime> = OnceLock::new();
static SETTINGS: Spin<Settings> =
    Spin::new(Settings { backend: Backend::MemfdSecret, allow_pku: true });
/// One higher in each generation of forked children.
static EPOCH: AtomicU32 = AtomicU32::new(0);
/// 1 in a page that a child finds zeroed: detects a bare clone(2), which runs no handlers.
static FORK_WORD: AtomicPtr<u32> = AtomicPtr::new(core::ptr::null_mut());

/// Chooses before the first use.
///
/// # Errors
/// [`Error::Configured`] if the runtime runs already with another choice.
pub fn configure(settings: Settings) -> Result<()> {
    let mut now = SETTINGS.lock();
    match RUNTIME.get() {
        Some(runtime) if runtime.settings != settings => Err(Error::Configured),
        Some(_) => Ok(()),
        None => {
            *now = settings;
            Ok(())
        }
    }
}

/// Whether the runtime exists.
#[must_use]
pub fn started() -> bool {
    RUNTIME.get().is_some()
}

/// The runtime, made at the first call.
///
/// # Errors
/// [`Error::Unavailable`] where memfd_secret(2) cannot be used, or the call that failed. A
/// failure is not remembered.
#[inline]
pub fn get() -> Result<&'static Runtime> {
    let Some(runtime) = RUNTIME.get() else {
        return start();
    };
    let word = FORK_WORD.load(Relaxed);
    // SAFETY: the page was mapped before the runtime was published and is never unmapped.
    if unsafe { word.read_volatile() } == 0 {
        after_fork_in_child();
    }
    Ok(runtime)
}

/// The epoch of this process.
#[inline]
pub(crate) fn epoch() -> u32 {
    EPOCH.load(Relaxed)
}

#[cold]
fn start() -> Result<&'static Runtime> {
    let settings = SETTINGS.lock();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = create(*settings, &KERNEL)?;
    let _ = RUNTIME.set(runtime);
    RUNTIME.get().ok_or(Error::Configured)
}

fn create(settings: Settings, kernel: &'static dyn Kernel) -> Result<Runtime> {
    let page = linux::page_size();
    if page != PAGE {
        return Err(Error::Unavailable(Unavailable::PageSize(page)));
    }
    let backend = settings.backend;
    if backend == Backend::MemfdSecret {
        probe(kernel)?;
    }
    let mut canary_seed = 0u64;
    // SAFETY: eight bytes of ours. The seed is not a secret of the user.
    unsafe { kernel.getrandom((&raw mut canary_seed).cast(), size_of::<u64>()) }
        .map_err(|errno| Error::Call { call: "getrandom", errno })?;
    let limit = kernel.memlock_limit();
    let limit = limit.map_err(|errno| Error::Call { call: "getrlimit", errno })?;
    let frugal = limit.is_some_and(|bytes| bytes < SCARCE);
    register_fork()?;
    let gate = gate::init(kernel, settings.allow_pku && may_ask_for_a_key());
    domain::init();
    let fork = Fork::Private;
    let config = Config { kernel, backend, gate, inherit: false, frugal, canary_seed };
    Ok(Runtime {
        kernel,
        settings,
        gate,
        private: Arena::new(config, HOOKS),
        inherit: Arena::new(Config { inherit: true, ..config }, HOOKS),
        stacks: Stacks::new(kernel, backend, make_room),
        heap: Heap::new((kernel, backend), gate, frugal, make_room),
        windows: Windows::new(
            Spec { kernel, backend, fork, what: "window" },
            gate,
            frugal,
            make_room,
        ),
    })
}

const HOOKS: Hooks = Hooks { before_growth: keep_budget, make_room };

/// When memory is short: gives back idle areas, the heap if nothing is in it, and the windows and
/// small stacks at rest but for the one that is kept in reserve, and all larger stacks. True if
/// there was anything.
fn make_room() -> bool {
    get().is_ok_and(|r| {
        let areas = r.private.trim() + r.inherit.trim();
        areas + r.heap.trim() + r.stacks.trim() + r.windows.trim(true) > 0
    })
}

/// Before an arena takes its second area: one stack and one window exist, so that secrets that
/// fit the limit can also be used. Failing is fine: they are made when needed, if they can be.
fn keep_budget() {
    if let Ok(runtime) = get() {
        let _ = runtime.stacks.ensure();
        let _ = runtime.windows.ensure();
    }
}

/// Asks for memfd_secret(2) without keeping anything. Under a seccomp filter, which may kill, a
/// child asks.
fn probe(kernel: &dyn Kernel) -> Result<()> {
    if linux::seccomp_active() {
        let outcome = linux::probe_in_child(Ask::MemfdSecret);
        let outcome = outcome.map_err(|errno| Error::Call { call: "clone", errno })?;
        match outcome {
            Probe::Ok => {}
            Probe::Errno(e) => return Err(Error::Unavailable(Unavailable::Errno(e))),
            Probe::Killed(s) => return Err(Error::Unavailable(Unavailable::Signal(s))),
        }
    }
    match kernel.memfd_secret(libc::O_CLOEXEC as u32) {
        Ok(fd) => {
            kernel.close(fd);
            Ok(())
        }
        Err(e @ (libc::EMFILE | libc::ENFILE | libc::ENOMEM)) => {
            Err(Error::from_call("memfd_secret", e, PAGE, "arena"))
        }
        Err(e) => Err(Error::Unavailable(Unavailable::Errno(e))),
    }
}

/// A filter that kills for pkey_alloc(2) leaves the gate to mprotect(2), and the process alive.
fn may_ask_for_a_key() -> bool {
    !linux::seccomp_active() || matches!(linux::probe_in_child(Ask::PkeyAlloc), Ok(Probe::Ok))
}

fn register_fork() -> Result<()> {
    if !FORK_WORD.load(Acquire).is_null() {
        return Ok(());
    }
    let word = linux::wipe_on_fork_word();
    let word = word.map_err(|errno| Error::Call { call: "mmap", errno })?;
    // SAFETY: a fresh word of ours.
    unsafe { word.write_volatile(1) };
    linux::atfork(before_fork, after_fork_in_parent, after_fork_in_child)
        .map_err(|errno| Error::Call { call: "pthread_atfork", errno })?;
    FORK_WORD.store(word, Release);
    Ok(())
}

extern "C" fn before_fork() {
    SETTINGS.acquire();
    secret::before_fork();
    if let Some(runtime) = RUNTIME.get() {
        runtime.private.before_fork();
        runtime.inherit.before_fork();
        runtime.stacks.before_fork();
        runtime.heap.before_fork();
        runtime.windows.before_fork();
    }
    mapping::before_fork();
}

extern "C" fn after_fork_in_parent() {
    // SAFETY: `before_fork` ran in this thread, as for all below.
    unsafe { mapping::after_fork_in_parent() };
    if let Some(runtime) = RUNTIME.get() {
        // SAFETY: as above.
        unsafe { runtime.windows.after_fork_in_parent() };
        // SAFETY: as above.
        unsafe { runtime.heap.after_fork_in_parent() };
        // SAFETY: as above.
        unsafe { runtime.stacks.after_fork_in_parent() };
        // SAFETY: as above.
        unsafe { runtime.inherit.after_fork_in_parent() };
        // SAFETY: as above.
        unsafe { runtime.private.after_fork_in_parent() };
    }
    // SAFETY: as above.
    unsafe { secret::after_fork() };
    // SAFETY: as above.
    unsafe { SETTINGS.release() };
}

/// In the child: by the handler, or at the first use in the child of a bare clone(2).
#[cold]
extern "C" fn after_fork_in_child() {
    EPOCH.fetch_add(1, AcqRel);
    domain::after_fork_in_child();
    // SAFETY: a child has one thread; after fork(2) this thread's image holds the locks.
    unsafe { mapping::after_fork_in_child(&KERNEL) };
    if let Some(runtime) = RUNTIME.get() {
        // SAFETY: as above.
        unsafe { runtime.windows.after_fork_in_child() };
        // SAFETY: as above.
        unsafe { runtime.stacks.after_fork_in_child() };
        // SAFETY: as above.
        unsafe { runtime.heap.after_fork_in_child() };
        // SAFETY: as above.
        unsafe { runtime.inherit.after_fork_in_child() };
        // SAFETY: as above.
        unsafe { runtime.private.after_fork_in_child() };
    }
    // SAFETY: as above.
    unsafe { secret::after_fork() };
    let word = FORK_WORD.load(Relaxed);
    if !word.is_null() {
        // SAFETY: the page is mapped for ever.
        unsafe { word.write_volatile(1) };
    }
    // SAFETY: as above.
    unsafe { SETTINGS.release() };
}

/// What the runtime holds and how.
#[derive(Debug, Clone, Copy)]
pub struct Stats {
    /// Where the pages come from.
    pub backend: Backend,
    /// How areas are closed.
    pub gate: GateKind,
    /// Secrets that a forked child does not get.
    pub private: ArenaStats,
    /// Secrets that it gets.
    pub inherit: ArenaStats,
    /// Secret stacks that are mapped.
    pub stacks: usize,
    /// How many of them are in use now.
    pub stacks_in_use: usize,
    /// Bytes of all stacks.
    pub stack_bytes: usize,
    /// Blocks of the secret heap that are in use.
    pub heap_blocks: usize,
    /// Bytes of the secret heap.
    pub heap_bytes: usize,
    /// Windows.
    pub windows: WindowStats,
    /// One higher in each generation of forked children.
    pub epoch: u32,
}

impl Runtime {
    pub(crate) fn arena(&self, inherit: bool) -> &Arena {
        if inherit { &self.inherit } else { &self.private }
    }

    /// What the runtime holds.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (stacks, stacks_in_use, stack_bytes) = self.stacks.stats();
        let (heap_blocks, heap_bytes) = self.heap.stats();
        Stats {
            backend: self.settings.backend,
            gate: self.gate,
            private: self.private.stats(),
            inherit: self.inherit.stats(),
            stacks,
            stacks_in_use,
            stack_bytes,
            heap_blocks,
            heap_bytes,
            windows: self.windows.stats(),
            epoch: epoch(),
        }
    }

    /// Gives idle areas, stacks and windows, and an empty heap back to the kernel. Returns bytes.
    #[must_use]
    pub fn trim(&self) -> usize {
        let areas = self.private.trim() + self.inherit.trim();
        areas + self.heap.trim() + self.stacks.trim() + self.windows.trim(false)
    }
}

/// A block for code inside; null without room.
pub(crate) fn heap_alloc(size: usize, align: usize) -> *mut u8 {
    RUNTIME.get().map_or(core::ptr::null_mut(), |r| r.heap.alloc(size, align))
}

/// Bytes of a live block.
pub(crate) fn heap_size(at: *const u8) -> usize {
    RUNTIME.get().map_or(0, |r| r.heap.size_of(at))
}

/// Takes a block back.
///
/// # Safety
/// As [`Heap::free`].
pub(crate) unsafe fn heap_free(at: *mut u8) {
    if let Some(runtime) = RUNTIME.get() {
        // SAFETY: as the caller promises.
        unsafe { runtime.heap.free(at) };
    }
}

/// Copies between blocks, of which at least one is in the heap.
///
/// # Safety
/// `to` is writable and `from` readable for `len` bytes once the heap is open.
pub(crate) unsafe fn heap_copy(to: *mut u8, from: *const u8, len: usize) {
    let Some(runtime) = RUNTIME.get() else { return };
    let Ok(_open) = runtime.heap.open() else {
        linux::die("the secret heap cannot be opened to move a block")
    };
    // SAFETY: as the caller promises.
    unsafe { asm::copy(to, from, len) };
}

/// Overwrites ordinary memory of the caller with zeros, as a constructor's `wipe` does.
pub fn wipe(buffer: &mut [u8]) {
    // SAFETY: a writable slice.
    unsafe { asm::wipe(buffer.as_mut_ptr(), buffer.len()) };
}

/// Counts a view that was left while something used its buffer, or its end.
pub fn count_orphan(begin: bool) {
    if let Some(runtime) = RUNTIME.get() {
        let orphaned = &runtime.windows.orphaned;
        if begin {
            orphaned.fetch_add(1, Relaxed);
        } else {
            // In a forked child the count starts at zero, whatever the parent's views did.
            let _ = orphaned.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1));
        }
    }
}
