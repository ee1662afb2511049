//! The heap's rules: claims are kept apart, exhaustion is an answer, nothing stays. Rust because
//! they are those of a Rust module.

use super::*;
use crate::domain::stacks::Class;
use crate::domain::{Room, run_with, run_with_heap};
use crate::error::Error;
use crate::runtime;
use core::sync::atomic::Ordering::Relaxed;

const MAPPED: usize = 64 << 10;

/// A heap's bookkeeping over no memory; the words outlive the test.
fn state() -> State {
    let words = Vec::leak(vec![0u32; REGION / GRANULE]);
    State { words: words.as_mut_ptr(), mapped: MAPPED, ..State::new() }
}

fn claim(state: &mut State, number: u32, bytes: usize) -> Stack {
    let stack = Stack::nth(Class::Small, number);
    state.claimed += bytes;
    *state.account(Some(stack)).expect("account") = Account { left: bytes, ..CLOSED };
    stack
}

#[test]
fn classes_hold_their_sizes_with_at_most_half_as_much_again() {
    for size in (1..5000).chain([65_535, 65_536, 65_537, 1 << 20]) {
        let class = class_of(size);
        let held = size_of_class(class);
        assert!(class < CLASSES && held >= size, "{size}");
        assert!(held < 16 + size + size / 2 + 16, "{size} in {held}");
    }
}

#[test]
fn an_operation_beyond_its_claim_leaves_the_claims_of_others() {
    let mut state = state();
    let modest = Some(claim(&mut state, 0, 32 << 10));
    let greedy = Some(claim(&mut state, 1, 1 << 10));
    let class = class_of(4096);
    let mut taken = 0;
    while state.take(class, false, greedy).is_some() {
        taken += 1;
    }
    // 31 KiB were nobody's.
    assert_eq!(taken, 8);
    let account = *state.account(greedy).expect("account");
    assert!(account.over && account.refused && account.blocks == 8);
    for _ in 0..8 {
        assert!(state.take(class, false, modest).is_some());
    }
    let account = *state.account(modest).expect("account");
    assert!(!account.over && !account.refused && account.left == 0);
    assert!(state.take(class, false, modest).is_none());
}

#[test]
fn a_freed_block_serves_again_and_an_empty_heap_starts_again() {
    let mut state = state();
    let stack = Some(claim(&mut state, 0, 16 << 10));
    let first = state.take(class_of(1000), false, stack).expect("block");
    let second = state.take(class_of(100), false, stack).expect("block");
    let fresh = state.fresh;
    state.give(first, class_of(1000), stack);
    // A smaller request takes it when nothing else is left.
    assert_eq!(state.take(class_of(1000), false, stack), Some(first));
    assert_eq!(state.fresh, fresh);
    state.give(first, class_of(1000), stack);
    state.give(second, class_of(100), stack);
    assert_eq!((state.live, state.fresh), (0, 0));
    assert_eq!(state.account(stack).expect("account").blocks, 0);
    assert_eq!(state.take(class_of(100), false, stack), Some(0));
}

#[test]
fn a_larger_block_serves_where_nothing_else_is_left() {
    let mut state = state();
    let stack = Some(claim(&mut state, 0, MAPPED));
    let large = state.take(class_of(32 << 10), false, stack).expect("block");
    let rest = state.take(class_of(32 << 10), false, stack).expect("block");
    assert!(state.take(class_of(64), true, stack).is_none());
    state.give(large, class_of(32 << 10), stack);
    let index = state.take(class_of(64), true, stack).expect("block");
    assert_eq!(index, large);
    assert_eq!(state.class_at(index), class_of(32 << 10), "its own class, for the wipe");
    assert_ne!(index, rest);
}

#[cfg(not(miri))]
#[test]
fn a_request_without_room_ends_the_operation_as_a_limit() {
    let runtime = runtime::get().expect("memfd_secret");
    let mut null = false;
    let asked = run_with_heap(runtime, 4096, || {
        // SAFETY: no precondition.
        null = unsafe { aws_lc_sys::OPENSSL_malloc(REGION / 2) }.is_null();
    });
    assert!(null);
    assert!(matches!(asked, Err(Error::Limit { what: "heap", .. })), "{asked:?}");
    let too_much = run_with_heap(runtime, REGION * 2, || ());
    assert!(matches!(too_much, Err(Error::Limit { what: "heap", .. })), "{too_much:?}");
    // And the next has what it needs.
    assert_eq!(
        run_with_heap(runtime, 4096, || Vec::<u8>::with_capacity(2000).capacity()),
        Ok(2000)
    );
}

#[cfg(not(miri))]
#[test]
fn blocks_that_a_handle_keeps_are_counted() {
    let runtime = runtime::get().expect("memfd_secret");
    let kept = core::sync::atomic::AtomicIsize::new(0);
    let room = Room { kept: Some(&kept), ..Room::heap(4096) };
    let mut block = core::ptr::null_mut();
    let made = run_with(runtime, room, || {
        // SAFETY: no precondition.
        block = unsafe { aws_lc_sys::OPENSSL_malloc(100) };
    });
    assert_eq!((made, kept.load(Relaxed)), (Ok(()), 1));
    let freed = run_with(runtime, room, || {
        // SAFETY: allocated above.
        unsafe { aws_lc_sys::OPENSSL_free(block) };
    });
    assert_eq!((freed, kept.load(Relaxed)), (Ok(()), 0));
}
