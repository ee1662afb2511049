//! The pool of secret stacks. Rust because they are the stacks.
//!
//! All stacks lie in one reservation, each with guards around it, so "inside the domain" is a
//! range check on the stack pointer: no thread-local state, right in signal handlers and after a
//! jump out. They are not behind the gate: a signal handler starts with default rights, and its
//! frame goes on the stack in use. At rest they hold zeros.
//!
//! An operation names the [`Class`] that it needs. Stacks are made at first use, and those that
//! rest are given back when memory is short.

use crate::error::{Error, Result};
use crate::kernel::{Kernel, PAGE};
use crate::mapping::{Backend, Fork, Mapping, Spec};
use crate::sync::Spin;
use core::sync::atomic::{
    AtomicU32, AtomicU64, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed,
    Ordering::Release,
};

/// How deep an operation may go, a signal's frame and handler on top included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// 24 KiB: decoding and comparing, symmetric ciphers, the elliptic curves, RSA.
    Small,
    /// 64 KiB: ML-KEM, whole file formats.
    Middle,
    /// 192 KiB: ML-DSA.
    Large,
}

impl Class {
    const ALL: [Self; 3] = [Self::Small, Self::Middle, Self::Large];

    /// Bytes of a stack.
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::Small => 24 << 10,
            Self::Middle => 64 << 10,
            Self::Large => 192 << 10,
        }
    }

    /// Stacks at most. Large ones belong to long operations, of which as many run as there are
    /// processors; further threads wait.
    const fn most(self) -> usize {
        match self {
            Self::Small => 64,
            Self::Middle => 32,
            Self::Large => 16,
        }
    }

    /// A guard, then a stack.
    const fn stride(self) -> usize {
        self.size() + PAGE
    }

    /// Where the stacks of the class begin in the reservation.
    const fn start(self) -> usize {
        match self {
            Self::Small => 0,
            Self::Middle => Self::Small.end(),
            Self::Large => Self::Middle.end(),
        }
    }

    /// How many stacks the smaller classes have together.
    const fn first(self) -> usize {
        match self {
            Self::Small => 0,
            Self::Middle => Self::Small.most(),
            Self::Large => Self::Middle.first() + Self::Middle.most(),
        }
    }

    const fn end(self) -> usize {
        self.start() + self.most() * self.stride()
    }
}

/// Stacks of all classes together.
pub(crate) const MOST: usize = Class::Large.first() + Class::Large.most();

/// The reservation of all stacks and the guard behind the last.
const RESERVATION: usize = Class::Large.end() + PAGE;

/// Start of the reservation; 0 before the first stack.
static BASE: AtomicUsize = AtomicUsize::new(0);

/// Where the calling code's stack pointer is in the reservation, if it is there.
#[inline]
fn offset() -> Option<usize> {
    let base = BASE.load(Relaxed);
    let offset = crate::asm::stack_pointer().wrapping_sub(base);
    (base != 0 && offset < RESERVATION).then_some(offset)
}

/// Whether the calling code runs on a secret stack.
#[inline]
pub(crate) fn inside() -> bool {
    offset().is_some()
}

/// A bit of each stack of a class.
type Bits = [AtomicU64; Class::ALL.len()];

const fn no_bits() -> Bits {
    [const { AtomicU64::new(0) }; Class::ALL.len()]
}

fn of(bits: &Bits, class: Class) -> &AtomicU64 {
    let [small, middle, large] = bits;
    match class {
        Class::Small => small,
        Class::Middle => middle,
        Class::Large => large,
    }
}

/// Bit set: the operation on that stack has the secret heap.
static WITH_HEAP: Bits = no_bits();

/// The stack that the calling code runs on.
#[inline]
pub(crate) fn current() -> Option<Stack> {
    let offset = offset()?;
    let class = Class::ALL.into_iter().find(|class| offset < class.end())?;
    Some(Stack { class, number: ((offset - class.start()) / class.stride()) as u32 })
}

/// Whether the calling code runs on a secret stack and has the secret heap.
#[inline]
pub(crate) fn inside_with_heap() -> bool {
    current().is_some_and(|stack| of(&WITH_HEAP, stack.class).load(Relaxed) & stack.bit() != 0)
}

/// A claimed stack. Given back by [`Stacks::give_back`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stack {
    class: Class,
    number: u32,
}

impl Stack {
    /// For tests of what is kept by stack.
    #[cfg(test)]
    pub(super) const fn nth(class: Class, number: u32) -> Self {
        Self { class, number }
    }

    const fn bit(self) -> u64 {
        1 << self.number
    }

    /// A number of its own among all stacks, below [`MOST`].
    pub(crate) const fn index(self) -> usize {
        self.class.first() + self.number as usize
    }

    /// Lowest byte.
    pub(crate) fn low(self) -> *mut u8 {
        let base: *mut u8 = core::ptr::with_exposed_provenance_mut(BASE.load(Relaxed));
        base.wrapping_add(self.class.start() + self.number as usize * self.class.stride() + PAGE)
    }

    /// Bytes.
    pub(crate) fn size(self) -> usize {
        self.class.size()
    }

    /// Says whether allocations of the operation on this stack go to the secret heap.
    pub(crate) fn set_heap(self, with: bool) {
        let bits = of(&WITH_HEAP, self.class);
        if with {
            bits.fetch_or(self.bit(), Relaxed);
        } else {
            bits.fetch_and(!self.bit(), Relaxed);
        }
    }

    /// One past the highest byte.
    pub(crate) fn top(self) -> *mut u8 {
        self.low().wrapping_add(self.size())
    }
}

/// The stacks of one class, by number.
#[derive(Debug)]
struct Mapped {
    stacks: [Vec<Option<Mapping>>; Class::ALL.len()],
}

impl Mapped {
    fn of(&mut self, class: Class) -> &mut Vec<Option<Mapping>> {
        let [small, middle, large] = &mut self.stacks;
        match class {
            Class::Small => small,
            Class::Middle => middle,
            Class::Large => large,
        }
    }

    fn count(&mut self, class: Class) -> usize {
        self.of(class).iter().flatten().count()
    }
}

/// See the module comment.
#[derive(Debug)]
pub(crate) struct Stacks {
    kernel: &'static dyn Kernel,
    backend: Backend,
    /// Bit set: mapped and free.
    free: Bits,
    mapped: Spin<Mapped>,
    /// Stacks that stay some thread's signal stack for good: see [`Stacks::lose`].
    lost: [AtomicU32; Class::ALL.len()],
    /// Gives back what only rests elsewhere. False if there was nothing.
    make_room: fn() -> bool,
}

impl Stacks {
    pub(crate) fn new(
        kernel: &'static dyn Kernel,
        backend: Backend,
        make_room: fn() -> bool,
    ) -> Self {
        let mapped = Spin::new(Mapped { stacks: [const { Vec::new() }; Class::ALL.len()] });
        let lost = [const { AtomicU32::new(0) }; Class::ALL.len()];
        Self { kernel, backend, free: no_bits(), mapped, lost, make_room }
    }

    /// Claims a stack. Waits for one when no further one can be had; operations never wait for
    /// the interpreter while they hold one.
    ///
    /// # Errors
    /// [`Error::Limit`] if not even one can be had.
    pub(crate) fn claim(&self, class: Class) -> Result<Stack> {
        loop {
            if let Some(stack) = self.claim_free(class) {
                return Ok(stack);
            }
            if let Err(e) = self.map_one(class) {
                if self.comes_back(class) {
                    std::thread::yield_now();
                } else if !(self.make_room)() {
                    return Err(e);
                }
            }
        }
    }

    /// Whether an operation holds a stack of the class and will give it back.
    fn comes_back(&self, class: Class) -> bool {
        let mapped = self.mapped.lock().count(class);
        mapped > self.lost_of(class).load(Relaxed) as usize
    }

    fn lost_of(&self, class: Class) -> &AtomicU32 {
        let [small, middle, large] = &self.lost;
        match class {
            Class::Small => small,
            Class::Middle => middle,
            Class::Large => large,
        }
    }

    fn claim_free(&self, class: Class) -> Option<Stack> {
        let bits = of(&self.free, class);
        let mut free = bits.load(Relaxed);
        while free != 0 {
            match bits.compare_exchange_weak(free, free & (free - 1), AcqRel, Acquire) {
                Ok(_) => return Some(Stack { class, number: free.trailing_zeros() }),
                Err(now) => free = now,
            }
        }
        None
    }

    /// Gives a stack back that holds zeros again.
    pub(crate) fn give_back(&self, stack: Stack) {
        of(&self.free, stack.class).fetch_or(stack.bit(), Release);
    }

    /// Counts a claimed stack that a thread cannot give back: nobody is to wait for it. `found`
    /// takes that back.
    pub(crate) fn lose(&self, stack: Stack) {
        self.lost_of(stack.class).fetch_add(1, Relaxed);
    }

    /// See [`Stacks::lose`].
    pub(crate) fn found(&self, stack: Stack) {
        self.lost_of(stack.class).fetch_sub(1, Relaxed);
    }

    fn map_one(&self, class: Class) -> Result<()> {
        let mut mapped = self.mapped.lock();
        let need = class.size();
        let stacks = mapped.of(class);
        let number = stacks.iter().position(Option::is_none).unwrap_or(stacks.len());
        if number == class.most() {
            return Err(Error::Limit { need, what: "stack", errno: 0 });
        }
        if BASE.load(Relaxed) == 0 {
            let base = self.kernel.reserve(RESERVATION);
            let base = base.map_err(|e| Error::from_call("mmap", e, need, "stack"))?;
            BASE.store(base.expose_provenance(), Relaxed);
        }
        let stack = Stack { class, number: number as u32 };
        let (kernel, backend) = (self.kernel, self.backend);
        let spec = Spec { kernel, backend, fork: Fork::Private, what: "stack" };
        // SAFETY: each number has a place of its own in the reservation, which is never unmapped;
        // nothing is mapped there now.
        let mapping = unsafe { Mapping::create_at(spec, stack.low(), need / PAGE) }?;
        match stacks.get_mut(number) {
            Some(place) => *place = Some(mapping),
            None => stacks.push(Some(mapping)),
        }
        self.give_back(stack);
        Ok(())
    }

    /// Gives resting stacks back to the kernel, but for one small one. Returns bytes.
    pub(crate) fn trim(&self) -> usize {
        let mut bytes = 0;
        for class in Class::ALL {
            let keep = usize::from(class == Class::Small);
            while self.mapped.lock().count(class) > keep {
                let Some(stack) = self.claim_free(class) else { break };
                let mut mapped = self.mapped.lock();
                // Unmapped under the lock: the place is then free for a new one.
                if let Some(place) = mapped.of(class).get_mut(stack.number as usize) {
                    *place = None;
                    bytes += class.size();
                }
            }
        }
        bytes
    }

    /// Makes sure that one small stack exists.
    pub(crate) fn ensure(&self) -> Result<()> {
        let stack = self.claim(Class::Small)?;
        self.give_back(stack);
        Ok(())
    }

    /// Mapped stacks, how many of them are in use, and bytes of all.
    pub(crate) fn stats(&self) -> (usize, usize, usize) {
        let mut mapped = self.mapped.lock();
        let (mut stacks, mut free, mut bytes) = (0, 0, 0);
        for class in Class::ALL {
            let count = mapped.count(class);
            stacks += count;
            bytes += count * class.size();
            free += of(&self.free, class).load(Relaxed).count_ones() as usize;
        }
        (stacks, stacks.saturating_sub(free), bytes)
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
        // SAFETY: the only thread.
        let mapped = unsafe { self.mapped.held() };
        for class in Class::ALL {
            of(&self.free, class).store(0, Relaxed);
            self.lost_of(class).store(0, Relaxed);
            mapped.of(class).clear();
        }
        // SAFETY: the only thread.
        unsafe { self.mapped.release() };
    }
}
