//! The pool of secret stacks. Rust because they are the stacks.
//!
//! All stacks lie in one reservation, each with guards around it, so "inside the domain" is a
//! range check on the stack pointer: no thread-local state, right in signal handlers and after a
//! jump out. They are not behind the gate: a signal handler starts with default rights, and its
//! frame goes on the stack in use. At rest they hold zeros.

use crate::error::{Error, Result};
use crate::kernel::{Kernel, PAGE};
use crate::mapping::{Backend, Fork, Mapping, Spec};
use crate::sync::Spin;
use core::sync::atomic::{
    AtomicU64, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed,
    Ordering::Release,
};

/// Bytes of a stack: enough for decoding and comparing, symmetric ciphers, Ed25519 and P-256
/// with a signal frame on top. Classes of 64 and 192 KiB come with operations that need them.
pub(crate) const STACK: usize = 24 << 10;
/// Stacks at most: one bit each.
const MOST: usize = 64;
/// A guard, then a stack.
const STRIDE: usize = STACK + PAGE;
/// The reservation of all stacks and the guard behind the last.
const RESERVATION: usize = MOST * STRIDE + PAGE;

/// Start of the reservation; 0 before the first stack.
static BASE: AtomicUsize = AtomicUsize::new(0);

/// Whether the calling code runs on a secret stack.
#[inline]
pub(crate) fn inside() -> bool {
    let base = BASE.load(Relaxed);
    base != 0 && crate::asm::stack_pointer().wrapping_sub(base) < RESERVATION
}

/// Bit set: the operation on that stack has the secret heap.
static WITH_HEAP: AtomicU64 = AtomicU64::new(0);

/// Whether the calling code runs on a secret stack and has the secret heap.
#[inline]
pub(crate) fn inside_with_heap() -> bool {
    if !inside() {
        return false;
    }
    let offset = crate::asm::stack_pointer().wrapping_sub(BASE.load(Relaxed));
    WITH_HEAP.load(Relaxed) & (1 << (offset / STRIDE)) != 0
}

/// A claimed stack, by number. Given back by [`Stacks::give_back`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stack(u32);

impl Stack {
    /// Lowest byte.
    pub(crate) fn low(self) -> *mut u8 {
        let base: *mut u8 = core::ptr::with_exposed_provenance_mut(BASE.load(Relaxed));
        base.wrapping_add(self.0 as usize * STRIDE + PAGE)
    }

    /// Says whether allocations of the operation on this stack go to the secret heap.
    pub(crate) fn set_heap(self, with: bool) {
        if with {
            WITH_HEAP.fetch_or(1 << self.0, Relaxed);
        } else {
            WITH_HEAP.fetch_and(!(1 << self.0), Relaxed);
        }
    }

    /// One past the highest byte.
    pub(crate) fn top(self) -> *mut u8 {
        self.low().wrapping_add(STACK)
    }
}

/// See the module comment.
#[derive(Debug)]
pub(crate) struct Stacks {
    kernel: &'static dyn Kernel,
    backend: Backend,
    /// Bit set: mapped and free.
    free: AtomicU64,
    mapped: Spin<Vec<Mapping>>,
    /// Gives back what only rests elsewhere. False if there was nothing.
    make_room: fn() -> bool,
}

impl Stacks {
    pub(crate) fn new(
        kernel: &'static dyn Kernel,
        backend: Backend,
        make_room: fn() -> bool,
    ) -> Self {
        let mapped = Spin::new(Vec::new());
        Self { kernel, backend, free: AtomicU64::new(0), mapped, make_room }
    }

    /// Claims a stack. Waits for one when no further one can be had; operations are short and
    /// never wait for the interpreter while they hold one.
    ///
    /// # Errors
    /// [`Error::Limit`] if not even one can be had.
    pub(crate) fn claim(&self) -> Result<Stack> {
        loop {
            if let Some(stack) = self.claim_free() {
                return Ok(stack);
            }
            if let Err(e) = self.map_one() {
                if self.mapped.lock().is_empty() {
                    if (self.make_room)() {
                        continue;
                    }
                    return Err(e);
                }
                std::thread::yield_now();
            }
        }
    }

    fn claim_free(&self) -> Option<Stack> {
        let mut free = self.free.load(Relaxed);
        while free != 0 {
            match self.free.compare_exchange_weak(free, free & (free - 1), AcqRel, Acquire) {
                Ok(_) => return Some(Stack(free.trailing_zeros())),
                Err(now) => free = now,
            }
        }
        None
    }

    /// Gives a stack back that holds zeros again.
    pub(crate) fn give_back(&self, stack: Stack) {
        self.free.fetch_or(1 << stack.0, Release);
    }

    fn map_one(&self) -> Result<()> {
        let mut mapped = self.mapped.lock();
        let limit = Error::Limit { need: STACK, what: "stack", errno: 0 };
        if mapped.len() == MOST {
            return Err(limit);
        }
        if BASE.load(Relaxed) == 0 {
            let base = self.kernel.reserve(RESERVATION);
            let base = base.map_err(|e| Error::from_call("mmap", e, STACK, "stack"))?;
            BASE.store(base.expose_provenance(), Relaxed);
        }
        let stack = Stack(mapped.len() as u32);
        let (kernel, backend) = (self.kernel, self.backend);
        let spec = Spec { kernel, backend, fork: Fork::Private, what: "stack" };
        // SAFETY: each number has a place of its own in the reservation, which is never unmapped.
        mapped.push(unsafe { Mapping::create_at(spec, stack.low(), STACK / PAGE) }?);
        self.give_back(stack);
        Ok(())
    }

    /// Makes sure that one stack exists.
    pub(crate) fn ensure(&self) -> Result<()> {
        let stack = self.claim()?;
        self.give_back(stack);
        Ok(())
    }

    /// Mapped stacks and how many of them are in use.
    pub(crate) fn stats(&self) -> (usize, usize) {
        let mapped = self.mapped.lock().len();
        (mapped, mapped.saturating_sub(self.free.load(Relaxed).count_ones() as usize))
    }

    pub(crate) fn before_fork(&self) {
        self.mapped.acquire();
    }

    /// # Safety
    /// This thread called [`Stacks::before_fork`].
    pub(crate) unsafe fn after_fork_in_parent(&self) {
        // SAFETY: the lock is held.
        unsafe { self.mapped.release() };
    }

    /// No stack came along.
    ///
    /// # Safety
    /// The only thread; the lock is held by [`Stacks::before_fork`] or by nobody who lives.
    pub(crate) unsafe fn after_fork_in_child(&self) {
        self.free.store(0, Relaxed);
        // SAFETY: the only thread.
        unsafe { self.mapped.held() }.clear();
        // SAFETY: the only thread.
        unsafe { self.mapped.release() };
    }
}
