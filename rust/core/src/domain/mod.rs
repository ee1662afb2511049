//! The secret domain: code that touches secret bytes runs with its stack in secret memory. Rust
//! because it switches stacks.
//!
//! [`run`] takes a secret stack, makes it the thread's signal stack too (an ordinary one would
//! receive all registers at a signal), switches by the trampoline, and comes back with registers
//! cleared and the stack wiped. The gates of the secrets that the operation uses are opened by
//! the caller before and closed after.
//!
//! Code inside does not print, start threads or touch thread-local or lazy state, allocates only
//! what was claimed ([`run_with`]; the extension's allocator is [`route::Routed`]), and returns
//! only a [`Public`] type.

#[cfg(test)]
pub(crate) mod depth;
pub(crate) mod heap;
pub(crate) mod route;
pub(crate) mod stacks;
#[cfg(test)]
mod tests;
mod tramp;

use crate::error::{Error, Result};
use crate::kernel::AltStack;
use crate::runtime::Runtime;
use core::cell::Cell;
use core::ffi::c_void;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
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
    /// The signal stack that the thread had.
    old: AltStack,
    /// It came out, but the old signal stack could not be put back.
    lost: bool,
}

thread_local! {
    /// This thread's entry. Left set only by an exit that skipped the way out (a jump, the end
    /// of a thread) or could not finish it: see `repair`.
    static ENTERED: Cell<Option<Entered>> = const { Cell::new(None) };
}

/// What an operation needs, claimed before it enters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Its stack.
    pub(crate) stack: Class,
    /// Bytes of the secret heap; `None` for an operation that does not allocate.
    pub(crate) heap: Option<usize>,
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
    run_on_stack(runtime, Room { stack: Class::Small, heap: None }, code)
}

fn run_on_stack<R: Public>(runtime: &Runtime, room: Room, code: impl FnOnce() -> R) -> Result<R> {
    repair(runtime);
    let stack = runtime.stacks.claim(room.stack)?;
    let old = match set_signal_stack(runtime, stack) {
        Ok(old) => old,
        Err(e) => {
            runtime.stacks.give_back(stack);
            return Err(e);
        }
    };
    stack.set_heap(room.heap.is_some());
    ENTERED.set(Some(Entered { stack, old, lost: false }));
    let mut job = Job { code: Some(code), result: Err(Error::Panicked) };
    enter(&mut job, stack);
    leave(runtime, stack, old);
    job.result
}

/// Runs `code` inside on a small stack, with `bytes` of heap.
///
/// # Errors
/// As [`run`]; [`Error::Limit`] if the heap cannot have that room.
pub(crate) fn run_with_heap<R: Public>(
    runtime: &Runtime,
    bytes: usize,
    code: impl FnOnce() -> R,
) -> Result<R> {
    run_with(runtime, Room { stack: Class::Small, heap: Some(bytes) }, code)
}

/// Runs `code` inside with the room that it needs.
///
/// # Errors
/// As [`run_with_heap`].
pub(crate) fn run_with<R: Public>(
    runtime: &Runtime,
    room: Room,
    code: impl FnOnce() -> R,
) -> Result<R> {
    let Some(bytes) = room.heap else {
        return run_on_stack(runtime, room, code);
    };
    let _claim = runtime.heap.claim(bytes)?;
    let _open = runtime.heap.open()?;
    run_on_stack(runtime, room, code)
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

/// Makes the secret stack the signal stack. A handler with SA_ONSTACK then stays where it is,
/// since the stack pointer is inside already.
///
/// # Errors
/// EPERM in a signal handler that runs on the thread's signal stack: it cannot be replaced there,
/// and a further signal would put all registers on it.
fn set_signal_stack(runtime: &Runtime, stack: Stack) -> Result<AltStack> {
    let new = AltStack { base: stack.low(), size: stack.size(), flags: 0 };
    // SAFETY: the stack stays mapped for the life of the process.
    unsafe { runtime.kernel.sigaltstack(Some(new)) }
        .map_err(|errno| Error::Call { call: "sigaltstack", errno })
}

fn leave(runtime: &Runtime, stack: Stack, old: AltStack) {
    ENTERED.set(None);
    // SAFETY: the program's own signal stack, as it was.
    if unsafe { runtime.kernel.sigaltstack(Some(old)) }.is_ok() {
        runtime.stacks.give_back(stack);
    } else {
        // It stays this thread's signal stack, and nobody else may run on it. The thread's next
        // entry tries again; nobody waits for it meanwhile.
        runtime.stacks.lose(stack);
        ENTERED.set(Some(Entered { stack, old, lost: true }));
    }
}

/// If the last entry of this thread never came out by the way out: wipes its stack, restores the
/// signal stack, closes the thread's key.
fn repair(runtime: &Runtime) {
    let Some(entered) = ENTERED.get() else { return };
    if inside() {
        return;
    }
    let Entered { stack, old, lost } = entered;
    if lost {
        runtime.stacks.found(stack);
    }
    // SAFETY: nobody is on the stack: this thread left it and it was never given back.
    unsafe { crate::asm::wipe(stack.low(), stack.size()) };
    crate::gate::repair_thread(runtime.gate);
    leave(runtime, stack, old);
}

/// In a forked child: whatever this thread had entered is not here.
pub(crate) fn after_fork_in_child() {
    ENTERED.set(None);
}
