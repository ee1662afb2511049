//! The domain on the real kernel: what is left after an operation, and what a signal finds.

use super::stacks::Class;
use super::*;
use crate::runtime;
use core::sync::atomic::AtomicUsize;
use std::panic::panic_any;

/// No other test may take a stack while one looks at them.
pub(super) static ALONE: crate::sync::Spin<()> = crate::sync::Spin::new(());

const MARK: [u8; 16] = *b"stack-mark-01234";

fn stack_bytes(stack: Stack) -> Vec<u8> {
    // SAFETY: stacks are mapped for ever and readable by design.
    unsafe { core::slice::from_raw_parts(stack.low(), stack.size()) }.to_vec()
}

/// The stack that the next entry will use.
fn next_stack(runtime: &Runtime) -> Stack {
    let stack = runtime.stacks.claim(Class::Small).expect("stack");
    runtime.stacks.give_back(stack);
    stack
}

/// Whether the stack can be claimed again: other tests may hold others.
pub(super) fn comes_back(runtime: &Runtime, stack: Stack) -> bool {
    let mut claimed = Vec::new();
    while claimed.last() != Some(&stack) && claimed.len() < 64 {
        claimed.extend(runtime.stacks.claim(Class::Small));
    }
    let found = claimed.contains(&stack);
    for stack in claimed {
        runtime.stacks.give_back(stack);
    }
    found
}

#[test]
fn an_operation_runs_inside_and_leaves_its_stack_zeroed() {
    let _alone = ALONE.lock();
    let runtime = runtime::get().expect("memfd_secret");
    let stack = next_stack(runtime);
    assert!(!inside());
    let was_inside = run(runtime, || {
        let local = std::hint::black_box([MARK; 40]);
        inside() && local[39] == MARK
    });
    assert_eq!(was_inside, Ok(true));
    assert!(stack_bytes(stack).iter().all(|b| *b == 0));
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[test]
fn an_operation_leaves_no_vector_register_behind() {
    use core::arch::asm;
    let _alone = ALONE.lock();
    let runtime = runtime::get().expect("memfd_secret");
    let filled = run(runtime, || {
        // SAFETY: SSE2 is baseline; the register is declared.
        unsafe {
            asm!("movdqu xmm15, [{m}]", "movdqu xmm9, [{m}]", m = in(reg) MARK.as_ptr(),
                 out("xmm15") _, out("xmm9") _);
        }
        if std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has AVX-512F; the register is declared.
            unsafe {
                asm!("vbroadcasti32x4 zmm31, [{m}]", m = in(reg) MARK.as_ptr(), out("zmm31") _);
            };
        }
    });
    let mut after = [[1u8; 64]; 3];
    // SAFETY: stores of 16 bytes each into our array.
    unsafe {
        asm!("movdqu [{o}], xmm15", "movdqu [{o} + 64], xmm9", o = in(reg) after.as_mut_ptr());
    }
    if std::arch::is_x86_feature_detected!("avx512f") {
        // SAFETY: a store of 64 bytes into our array.
        unsafe { asm!("vmovdqu64 [{o} + 128], zmm31", o = in(reg) after.as_mut_ptr()) };
    } else {
        after[2] = [0; 64];
    }
    assert_eq!(filled, Ok(()));
    assert_eq!(after[0][..16], [0; 16]);
    assert_eq!(after[1][..16], [0; 16]);
    assert_eq!(after[2], [0; 64]);
}

#[cfg(all(target_arch = "aarch64", not(miri)))]
#[test]
fn an_operation_leaves_no_vector_register_behind() {
    use core::arch::asm;
    let _alone = ALONE.lock();
    let runtime = runtime::get().expect("memfd_secret");
    let filled = run(runtime, || {
        // SAFETY: SIMD is baseline; the registers are declared.
        unsafe {
            asm!("ldr q17, [{m}]", "ldr q31, [{m}]", m = in(reg) MARK.as_ptr(),
                 out("v17") _, out("v31") _);
        }
    });
    let mut after = [[1u8; 16]; 2];
    // SAFETY: stores of 16 bytes each into our array.
    unsafe {
        asm!("str q17, [{o}]", "str q31, [{o}, #16]", o = in(reg) after.as_mut_ptr());
    }
    assert_eq!(filled, Ok(()));
    assert_eq!(after, [[0; 16]; 2]);
}

#[test]
fn a_panic_inside_is_silent_and_leaves_nothing() {
    let _alone = ALONE.lock();
    let runtime = runtime::get().expect("memfd_secret");
    let stack = next_stack(runtime);
    assert_eq!(run::<()>(runtime, || panic_any(7u8)), Err(Error::Panicked));
    assert!(stack_bytes(stack).iter().all(|b| *b == 0));
    assert_eq!(run(runtime, || 5usize), Ok(5));
}

static HANDLER_SP: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handler(_signal: i32) {
    let local = 0u8;
    HANDLER_SP.store(core::ptr::from_ref(&local).addr(), Relaxed);
}

/// Raises a signal inside; its handler asks for the signal stack.
#[allow(clippy::disallowed_methods, reason = "a test installs a signal handler")]
fn raise_inside(runtime: &Runtime) {
    let stack = next_stack(runtime);
    // SAFETY: all-zero is a valid sigaction.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_ONSTACK;
    // SAFETY: the handler only stores a number.
    unsafe { libc::sigaction(libc::SIGUSR2, &raw const action, core::ptr::null_mut()) };
    HANDLER_SP.store(0, Relaxed);
    let raised = run(runtime, || {
        // SAFETY: no precondition.
        unsafe { libc::raise(libc::SIGUSR2) };
    });
    assert_eq!(raised, Ok(()));
    let at = HANDLER_SP.load(Relaxed);
    assert!(at >= stack.low().addr() && at < stack.top().addr());
    assert!(stack_bytes(stack).iter().all(|b| *b == 0), "the signal frame is wiped too");
}

fn signal_stack(runtime: &Runtime, new: Option<AltStack>) -> AltStack {
    // SAFETY: what the tests set outlives their threads, or is none.
    unsafe { runtime.kernel.sigaltstack(new) }.expect("sigaltstack")
}

#[test]
fn a_signal_inside_is_handled_on_the_secret_stack_whatever_the_thread_has() {
    let _alone = ALONE.lock();
    let runtime = runtime::get().expect("memfd_secret");
    let mine = signal_stack(runtime, None);
    let none = AltStack { base: core::ptr::null_mut(), size: 0, flags: libc::SS_DISABLE };
    let memory = vec![0u8; 64 << 10].leak();
    let other = AltStack { base: memory.as_mut_ptr(), size: memory.len(), flags: 0 };
    // Each change twice: an entry goes by what the thread had at the last one.
    for now in [none, other, none, other] {
        signal_stack(runtime, Some(now));
        for _ in 0..2 {
            raise_inside(runtime);
            let after = signal_stack(runtime, None);
            assert_eq!(after.is_none(), now.is_none());
            assert_eq!(after.base, now.base);
        }
    }
    assert!(memory.iter().all(|b| *b == 0), "no frame went there");
    signal_stack(runtime, Some(mine));
}

#[test]
fn an_exit_sideways_is_repaired_at_the_next_entry() {
    let _alone = ALONE.lock();
    let runtime = runtime::get().expect("memfd_secret");
    let stack = runtime.stacks.claim(Class::Small).expect("stack");
    let old = set_signal_stack(runtime, stack).expect("sigaltstack");
    let at = stack.low().wrapping_add(100);
    // SAFETY: the claimed stack, which nobody runs on.
    unsafe { at.copy_from_nonoverlapping(MARK.as_ptr(), MARK.len()) };
    ENTERED.set(Some(Entered { stack, old, heap: false, lost: false }));
    assert_eq!(run(runtime, || 1usize), Ok(1));
    assert!(ENTERED.get().is_none());
    assert!(stack_bytes(stack).iter().all(|b| *b == 0));
    assert!(comes_back(runtime, stack));
}

#[test]
#[allow(clippy::large_stack_arrays, reason = "what it is for")]
fn a_deep_operation_has_a_stack_of_its_class_and_leaves_it_zeroed() {
    let _alone = ALONE.lock();
    let runtime = runtime::get().expect("memfd_secret");
    for class in [Class::Middle, Class::Large] {
        let stack = runtime.stacks.claim(class).expect("stack");
        runtime.stacks.give_back(stack);
        assert_eq!(stack.size(), class.size());
        let mut at = 0;
        let room = Room { stack: class, ..Room::heap(4096) };
        let deepest = depth::of(|| {
            let ran = run_with(runtime, room, || {
                let deep = std::hint::black_box([MARK; 1600]);
                at = deep.as_ptr().addr();
                inside_with_heap() && stacks::current() == Some(stack) && deep[1599] == MARK
            });
            assert_eq!(ran, Ok(true));
        });
        assert!((stack.low().addr()..stack.top().addr()).contains(&at));
        assert!(deepest > 25_600 && deepest < class.size(), "{deepest} bytes");
        assert!(stack_bytes(stack).iter().all(|b| *b == 0));
    }
}

#[test]
fn large_stacks_at_rest_are_given_back() {
    let _alone = ALONE.lock();
    let runtime = runtime::get().expect("memfd_secret");
    let room = Room { stack: Class::Large, ..Room::SMALL };
    assert_eq!(run_with(runtime, room, || 1usize), Ok(1));
    let freed = runtime.stacks.trim();
    assert!(freed >= Class::Large.size());
    // Other tests may have made small ones meanwhile.
    let (_, _, bytes) = runtime.stacks.stats();
    assert!((Class::Small.size()..Class::Large.size()).contains(&bytes), "{bytes} bytes");
    // And they come again.
    assert_eq!(run_with(runtime, room, || 2usize), Ok(2));
}

#[test]
fn a_stack_that_a_thread_cannot_give_back_keeps_nobody_waiting() {
    let _alone = ALONE.lock();
    let runtime = runtime::get().expect("memfd_secret");
    let mut lost = Vec::new();
    let refused = loop {
        match runtime.stacks.claim(Class::Large) {
            Ok(stack) => {
                runtime.stacks.lose(stack);
                lost.push(stack);
            }
            Err(e) => break e,
        }
    };
    assert!(!lost.is_empty());
    assert!(matches!(refused, Error::Limit { what: "stack", .. }), "{refused:?}");
    for stack in lost {
        runtime.stacks.found(stack);
        runtime.stacks.give_back(stack);
    }
    let room = Room { stack: Class::Large, ..Room::SMALL };
    assert_eq!(run_with(runtime, room, || 1usize), Ok(1));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test of threads")]
fn more_threads_than_stacks_wait_for_one() {
    let _alone = ALONE.lock();
    let runtime = runtime::get().expect("memfd_secret");
    std::thread::scope(|scope| {
        for _ in 0..80 {
            scope.spawn(|| {
                for i in 0..50usize {
                    assert_eq!(run(runtime, || i), Ok(i));
                }
            });
        }
    });
    let stack = next_stack(runtime);
    assert!(comes_back(runtime, stack));
}
