//! The secret domain: code that touches secret bytes runs with its stack in secret memory. Rust
//! because it switches stacks.
//!
//! [`run`] takes a secret stack, lets it stand in for the thread's signal stack if there is one
//! (it would receive all registers at a signal), switches by the trampoline, and comes back with registers
//! cleared and the stack wiped. The gates of the secrets that the operation uses are opened by
//! the caller before and closed after.
//!
//! Code inside does not print, start threads or touch thread-local or lazy state, allocates only
//! what was claimed ([`run_with`]; the extension's allocator is [`route::Routed`]), and returns
//! only a [`Public`] type.

mod blocks;
#[cfg(test)]
pub(crate) mod depth;
pub(crate) mod heap;
pub(crate) mod route;
pub(crate) mod stacks;
#[cfg(test)]
mod tests;
#[cfg(all(test, target_arch = "x86_64", not(miri)))]
mod tests_exits;
mod tramp;

use crate::error::{Error, Result};
use crate::kernel::AltStack;
use crate::runtime::Runtime;
use core::cell::Cell;
use core::ffi::c_void;
use core::sync::atomic::{AtomicIsize, AtomicU64, Ordering::Relaxed};
use heap::{Claim, HeapOpen, Use};
use stacks::{Class, Stack};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What may leave the domain: numbers and verdicts, never bytes of a secret.
pub(crate) trait Public: sealed::Sealed {}

mod sealed {
    /// Closed: only the types below are public by nature.
    pub(crate) trait Sealed {}
    impl Sealed for () {}
    impl Sealed for bool {}
    impl Sealed for usize {}
    impl Sealed for Option<usize> {}
}
impl Public for () {}
impl Public for bool {}
impl Public for usize {}
impl Public for Option<usize> {}

static CPU: AtomicU64 = AtomicU64::new(0);

/// An entry that is under way, or that never came out.
#[derive(Debug, Clone, Copy)]
struct Entered {
    stack: Stack,
    /// The signal stack that the thread has, if it was replaced.
    old: Option<AltStack>,
    /// It has the secret heap: a claim, and the gate open.
    heap: bool,
    /// It came out, but the old signal stack could not be put back.
    lost: bool,
}

thread_local! {
    /// This thread's entry. Left set only by an exit that skipped the way out (a jump, the end
    /// of a thread) or could not finish it: see `repair`.
    static ENTERED: Cell<Option<Entered>> = const { Cell::new(None) };
    /// Whether the thread had a signal stack at its last entry: saves asking first.
    static HAD_SIGNAL_STACK: Cell<bool> = const { Cell::new(false) };
}

/// What an operation needs, claimed before it enters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room<'a> {
    /// Its stack.
    pub(crate) stack: Class,
    /// Bytes of the secret heap; `None` for an operation that does not allocate.
    pub(crate) heap: Option<usize>,
    /// Counts the blocks that the operation leaves in the heap for a handle, or frees of it.
    /// `None` for an operation that leaves none.
    pub(crate) kept: Option<&'a AtomicIsize>,
}

impl Room<'_> {
    /// A small stack and no heap.
    const SMALL: Self = Self { stack: Class::Small, heap: None, kept: None };

    /// A small stack and `bytes` of heap.
    pub(crate) fn heap(bytes: usize) -> Self {
        Self { heap: Some(bytes), ..Self::SMALL }
    }
}

/// Whether the calling code is inside.
#[inline]
pub(crate) fn inside() -> bool {
    stacks::inside()
}

/// Whether allocations go to the secret heap.
#[inline]
pub(crate) fn inside_with_heap() -> bool {
    stacks::inside_with_heap()
}

/// Asks the processor what is to be cleared and silences panics inside: the hook of the standard
/// library would print the message, and with a backtrace it would allocate.
pub(crate) fn init() {
    CPU.store(tramp::cpu_flags(), Relaxed);
    let outer = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !inside() {
            outer(info);
        }
    }));
}

struct Job<F, R> {
    code: Option<F>,
    result: Result<R>,
}

unsafe extern "C" fn body<F: FnOnce() -> R, R: Public>(job: *mut c_void) {
    // SAFETY: `run` passes a pointer to its own Job of these types, which outlives the call.
    let job = unsafe { &mut *job.cast::<Job<F, R>>() };
    if let Some(code) = job.code.take() {
        job.result = catch_unwind(AssertUnwindSafe(code)).map_err(|_| Error::Panicked);
        #[cfg(test)]
        depth::measure();
    }
}

/// Runs `code` inside. What it allocates (the message of a panic) is not secret and goes to the
/// system's allocator.
///
/// # Errors
/// [`Error::Limit`] if no stack can be had, [`Error::Panicked`].
pub(crate) fn run<R: Public>(runtime: &Runtime, code: impl FnOnce() -> R) -> Result<R> {
    run_with(runtime, Room::SMALL, code)
}

/// Runs `code` inside on a small stack, with `bytes` of heap.
///
/// # Errors
/// As [`run_with`].
pub(crate) fn run_with_heap<R: Public>(
    runtime: &Runtime,
    bytes: usize,
    code: impl FnOnce() -> R,
) -> Result<R> {
    run_with(runtime, Room::heap(bytes), code)
}

/// Runs `code` inside with the room that it needs.
///
/// # Errors
/// As [`run`]; [`Error::Limit`] if the heap cannot have that room, or if the operation needed
/// more and there was none. What it made is then its caller's to free.
pub(crate) fn run_with<R: Public>(
    runtime: &Runtime,
    room: Room<'_>,
    code: impl FnOnce() -> R,
) -> Result<R> {
    repair(runtime);
    let stack = runtime.stacks.claim(room.stack)?;
    let prepared = prepare(runtime, room, stack);
    let (heap, old) = prepared.inspect_err(|_| runtime.stacks.give_back(stack))?;
    stack.set_heap(heap.is_some());
    ENTERED.set(Some(Entered { stack, old, heap: heap.is_some(), lost: false }));
    let mut job = Job { code: Some(code), result: Err(Error::Panicked) };
    enter(&mut job, stack);
    // The claim is the stack's: it ends before somebody else has that.
    let used = heap.map(|(claim, open)| {
        drop(open);
        claim.close()
    });
    leave(runtime, stack, old);
    settle(used, room, job.result)
}

type Prepared<'a> = (Option<(Claim<'a>, HeapOpen<'a>)>, Option<AltStack>);

fn prepare<'a>(runtime: &'a Runtime, room: Room<'_>, stack: Stack) -> Result<Prepared<'a>> {
    let heap = match room.heap {
        Some(bytes) => Some((runtime.heap.claim(bytes, stack)?, runtime.heap.open()?)),
        None => None,
    };
    Ok((heap, set_signal_stack(runtime, stack)?))
}

/// Counts the blocks that stay, and turns exhaustion into its own error.
fn settle<R>(used: Option<Use>, room: Room<'_>, result: Result<R>) -> Result<R> {
    let Some(used) = used else { return result };
    if let Some(kept) = room.kept {
        kept.fetch_add(used.blocks, Relaxed);
    }
    #[cfg(test)]
    depth::note_heap(room.heap.unwrap_or(0) - used.left, used.blocks);
    #[cfg(any(test, feature = "fault"))]
    check(used, room, matches!(result, Err(Error::Panicked)));
    if used.refused {
        let need = room.heap.unwrap_or(0) + crate::kernel::PAGE;
        return Err(Error::Limit { need, what: "heap", errno: 0 });
    }
    result
}

/// In builds for tests every way out looks whether a block stays behind that no handle owns, and
/// whether the claim was enough. A panic leaves what the library had made.
#[cfg(any(test, feature = "fault"))]
fn check(used: Use, room: Room<'_>, panicked: bool) {
    if used.blocks != 0 && room.kept.is_none() && !panicked {
        crate::kernel::linux::die("an operation left blocks in the heap that nothing owns");
    }
    if used.over {
        crate::kernel::linux::die("an operation took more of the heap than it had claimed");
    }
}

fn enter<F: FnOnce() -> R, R: Public>(job: &mut Job<F, R>, stack: Stack) {
    let arg = core::ptr::from_mut(job).cast();
    let (low, top) = (stack.low(), stack.top());
    #[cfg(test)]
    depth::paint(low, stack.size());
    // SAFETY: the stack is ours until given back, its top is page aligned, and `body` returns
    // normally: panics are caught in it.
    unsafe { tramp::secretmem_on_stack(body::<F, R>, arg, top, low, CPU.load(Relaxed)) };
}

/// Puts the secret stack in the place of the thread's signal stack, which is returned. A handler
/// with SA_ONSTACK then stays where it is, since the stack pointer is inside already.
///
/// A thread without a signal stack (most have none) needs no other: there the kernel writes every
/// frame below the stack pointer. Only a handler could give the thread one meanwhile, and none
/// may call sigaltstack(2): it is not among the functions of signal-safety(7).
///
/// # Errors
/// EPERM in a signal handler that runs on the thread's signal stack: it cannot be replaced there,
/// and a further signal would put all registers on it.
fn set_signal_stack(runtime: &Runtime, stack: Stack) -> Result<Option<AltStack>> {
    let fail = |errno| Error::Call { call: "sigaltstack", errno };
    if !HAD_SIGNAL_STACK.get() {
        // SAFETY: asks only.
        let now = unsafe { runtime.kernel.sigaltstack(None) }.map_err(fail)?;
        if now.is_none() {
            return Ok(None);
        }
    }
    let new = AltStack { base: stack.low(), size: stack.size(), flags: 0 };
    // SAFETY: the stack stays mapped for the life of the process.
    let old = unsafe { runtime.kernel.sigaltstack(Some(new)) }.map_err(fail)?;
    HAD_SIGNAL_STACK.set(!old.is_none());
    Ok(Some(old))
}

fn leave(runtime: &Runtime, stack: Stack, old: Option<AltStack>) {
    ENTERED.set(None);
    // SAFETY: the program's own signal stack, as it was.
    if old.is_none_or(|old| unsafe { runtime.kernel.sigaltstack(Some(old)) }.is_ok()) {
        runtime.stacks.give_back(stack);
    } else {
        // It stays this thread's signal stack, and nobody else may run on it. The thread's next
        // entry tries again; nobody waits for it meanwhile.
        runtime.stacks.lose(stack);
        ENTERED.set(Some(Entered { stack, old, heap: false, lost: true }));
    }
}

/// If the last entry of this thread never came out by the way out: wipes its stack, restores the
/// signal stack, closes the thread's key, gives up its claim of the heap. What it had allocated
/// stays there, closed.
fn repair(runtime: &Runtime) {
    let Some(entered) = ENTERED.get() else { return };
    if inside() {
        return;
    }
    let Entered { stack, old, heap, lost } = entered;
    if lost {
        runtime.stacks.found(stack);
    }
    // SAFETY: nobody is on the stack: this thread left it and it was never given back.
    unsafe { crate::asm::wipe(stack.low(), stack.size()) };
    crate::gate::repair_thread(runtime.gate);
    if heap {
        runtime.heap.abandon(stack);
    }
    leave(runtime, stack, old);
}

/// In a forked child: whatever this thread had entered is not here.
pub(crate) fn after_fork_in_child() {
    ENTERED.set(None);
}
