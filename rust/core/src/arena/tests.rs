//! The arena on the fake kernel, against a plain model.

use super::*;
use crate::kernel::fake::Fake;
use crate::kernel::fault::Fault;
use crate::test_support::{Random, leak};
use std::sync::atomic::AtomicU32;

static GROWTH_CALLS: AtomicU32 = AtomicU32::new(0);

fn arena(kernel: &'static dyn Kernel, inherit: bool) -> Arena {
    let config = Config {
        kernel,
        backend: Backend::MemfdSecret,
        gate: GateKind::Mprotect,
        inherit,
        frugal: false,
        canary_seed: 0x1234_5678_9abc_def0,
    };
    let before_growth = || {
        GROWTH_CALLS.fetch_add(1, Relaxed);
    };
    Arena::new(config, Hooks { before_growth, make_room: || false })
}

/// A live allocation and the byte that fills it.
struct Live {
    slot: Slot,
    len: usize,
    fill: u8,
}

impl Live {
    fn new(arena: &Arena, len: usize, fill: u8, isolated: bool) -> Result<Self> {
        let (slot, zeroed) = arena.alloc(len, isolated, |at| {
            // SAFETY: the open slot.
            let bytes = unsafe { core::slice::from_raw_parts_mut(at, len) };
            let zeroed = bytes.iter().all(|b| *b == 0);
            bytes.fill(fill);
            zeroed
        })?;
        assert!(zeroed, "a slot of {len} bytes was not zero");
        Ok(Self { slot, len, fill })
    }

    fn check_and_free(self, arena: &Arena) {
        // SAFETY: the slot is live, and the fake has no protection.
        let bytes = unsafe { core::slice::from_raw_parts(self.slot.payload, self.len) };
        assert!(bytes.iter().all(|b| *b == self.fill), "{} bytes changed", self.len);
        arena.free(self.slot, self.len, false).expect("free");
    }
}

const LENGTHS: [usize; 14] = [0, 1, 23, 24, 32, 40, 41, 64, 500, 2040, 2041, 4088, 9000, 20_000];

fn random_run(arena: &Arena, random: &mut Random, steps: usize) {
    let mut live: Vec<Live> = Vec::new();
    for _ in 0..steps {
        let dice = random.below(100);
        if dice < 55 {
            let len = LENGTHS[random.below(LENGTHS.len())];
            match Live::new(arena, len, random.below(255) as u8 + 1, dice < 3) {
                Ok(new) => live.push(new),
                Err(e) => assert!(matches!(e, Error::Limit { .. }), "{e:?}"),
            }
        } else if !live.is_empty() {
            live.swap_remove(random.below(live.len())).check_and_free(arena);
        }
    }
    for last in live {
        last.check_and_free(arena);
    }
}

#[test]
fn random_allocations_never_overlap_and_give_all_back() {
    let steps = if cfg!(miri) { 60 } else { 3000 };
    for (seed, at_touch) in [(1, false), (2, true), (3, false)] {
        let fake: &'static Fake = leak(Fake::new(64, at_touch));
        for inherit in [false, true] {
            let arena = arena(fake, inherit);
            random_run(&arena, &mut Random::new(seed), steps);
            assert_eq!(arena.stats().live, 0);
            let _ = arena.trim();
            assert_eq!(arena.stats().bytes, 0);
            assert_eq!(fake.held(), (0, 0));
        }
    }
}

#[test]
fn a_failing_call_loses_nothing() {
    let fake: &'static Fault<Fake> = leak(Fault::new(Fake::new(64, false)));
    let arena = arena(fake, false);
    for persistent in [false, true] {
        for nth in 0..60 {
            fake.arm(nth, libc::ENOMEM, persistent);
            let made: Vec<_> = (0..6).map(|_| Live::new(&arena, 3000, 7, false)).collect();
            fake.disarm();
            made.into_iter().flatten().for_each(|live| live.check_and_free(&arena));
            assert_eq!(arena.stats().live, 0, "call {nth}");
            assert_eq!(arena.stats().unwiped, 0);
        }
    }
    let _ = arena.trim();
    assert_eq!(fake.inner().held(), (0, 0));
}

#[test]
fn an_area_is_given_back_but_one_is_kept() {
    let fake: &'static Fake = leak(Fake::new(256, false));
    let arena = arena(fake, false);
    let live: Vec<_> = (0..2000).map(|_| Live::new(&arena, 32, 9, false)).collect();
    let full = arena.stats();
    assert!(full.areas > 3);
    assert!(full.bytes <= 2000 * 64, "at most 64 locked bytes per 32-byte secret");
    live.into_iter().flatten().for_each(|l| l.check_and_free(&arena));
    assert_eq!(arena.stats().areas, 1);
    // One secret made and closed again and again maps nothing.
    let before = arena.stats();
    for _ in 0..100 {
        Live::new(&arena, 32, 1, false).expect("room").check_and_free(&arena);
    }
    assert_eq!(arena.stats().bytes, before.bytes);
}

#[test]
fn under_a_tight_limit_empty_pages_change_class() {
    let fake: &'static Fake = leak(Fake::new(4, false));
    let arena = arena(fake, false);
    for len in LENGTHS.into_iter().filter(|len| *len < 4000) {
        let room = 4 * (PAGE / slot_of(len));
        let live: Vec<_> = (0..room).map(|_| Live::new(&arena, len, 3, false)).collect();
        assert!(live.iter().all(Result::is_ok), "{room} secrets of {len} bytes in 4 pages");
        assert!(Live::new(&arena, len, 3, false).is_err());
        live.into_iter().flatten().for_each(|l| l.check_and_free(&arena));
    }
}

fn slot_of(len: usize) -> usize {
    CLASSES.iter().map(|c| usize::from(*c)).find(|c| *c >= len + CANARY).unwrap_or(PAGE)
}

#[test]
fn the_budget_hook_is_called_before_the_second_area() {
    let fake: &'static Fake = leak(Fake::new(64, false));
    let arena = arena(fake, false);
    let before = GROWTH_CALLS.load(Relaxed);
    let first = Live::new(&arena, 32, 1, false).expect("room");
    let more: Vec<_> = (0..400).map(|_| Live::new(&arena, 32, 1, false)).collect();
    assert!(GROWTH_CALLS.load(Relaxed) > before);
    more.into_iter().flatten().for_each(|l| l.check_and_free(&arena));
    first.check_and_free(&arena);
}

#[test]
fn a_forked_area_hands_out_nothing_more() {
    let fake: &'static Fake = leak(Fake::new(64, false));
    let arena = arena(fake, true);
    let old: Vec<_> = (0..5).map(|_| Live::new(&arena, 32, 5, false).expect("room")).collect();
    let own = Live::new(&arena, 32, 6, true).expect("room");
    arena.before_fork();
    // SAFETY: taken in the line above.
    unsafe { arena.after_fork_in_parent() };
    let forked = old.first().map(|l| l.slot.payload.addr() / PAGE);
    let new: Vec<_> = (0..300).map(|_| Live::new(&arena, 32, 8, false).expect("room")).collect();
    assert!(new.iter().all(|l| Some(l.slot.payload.addr() / PAGE) != forked));
    for live in old {
        live.check_and_free(&arena);
    }
    own.check_and_free(&arena);
    for live in new {
        live.check_and_free(&arena);
    }
    let _ = arena.trim();
    assert_eq!(fake.held(), (0, 0), "a frozen area goes when its last secret goes");
}

#[test]
fn closing_an_inherited_slot_ends_its_generation_first() {
    let fake: &'static Fake = leak(Fake::new(64, false));
    let arena = arena(fake, true);
    // Two, so that the page stays mapped when the first goes.
    let live = Live::new(&arena, 32, 5, false).expect("room");
    let other = Live::new(&arena, 32, 5, false).expect("room");
    let (word, generation) = (live.slot.generation_word(), live.slot.generation);
    // SAFETY: the slot is live.
    assert_eq!(unsafe { live.slot.read_generation() }, generation);
    live.check_and_free(&arena);
    // SAFETY: the page is still mapped.
    assert_eq!(unsafe { word.read_volatile() }, 0);
    other.check_and_free(&arena);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test of threads")]
fn threads_share_an_arena() {
    let fake: &'static Fake = leak(Fake::new(512, false));
    let arena: &'static Arena = leak(arena(fake, false));
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let steps = if cfg!(miri) { 20 } else { 2000 };
            scope.spawn(move || random_run(arena, &mut Random::new(seed), steps));
        }
    });
    assert_eq!(arena.stats().live, 0);
    let _ = arena.trim();
    assert_eq!(fake.held(), (0, 0));
}
