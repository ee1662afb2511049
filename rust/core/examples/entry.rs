//! What going into the domain and out again costs, for `make bench`. Rust because it is measured
//! without Python. It is in no wheel; `--features bench` builds it.
//!
//! Prints the nanoseconds of one time, without opening a gate: of the best of many rounds.

#![allow(clippy::print_stdout, reason = "answers go to the benchmark")]

use secretmem_core::kernel::{AltStack, KERNEL, Kernel};
use std::time::Instant;

const ROUNDS: usize = 300;
const TIMES: u64 = 2000;

/// As the extension allocates.
#[global_allocator]
static ALLOCATOR: secretmem_core::Routed = secretmem_core::Routed;

fn main() {
    // Rust's library gives the main thread a signal stack; Python's threads have none.
    let none = AltStack { base: core::ptr::null_mut(), size: 0, flags: libc::SS_DISABLE };
    // SAFETY: takes the stack away, and nothing lies on it here.
    let taken = unsafe { KERNEL.sigaltstack(Some(none)) };
    if let Err(errno) = taken {
        println!("sigaltstack: {errno}");
        std::process::exit(69);
    }
    if let Err(error) = secretmem_core::enter_and_leave(1) {
        println!("{error:?}");
        std::process::exit(69);
    }
    let best = (0..ROUNDS).map(|_| round()).min().unwrap_or_default();
    println!("{best}");
}

fn round() -> u128 {
    let began = Instant::now();
    assert!(secretmem_core::enter_and_leave(TIMES).is_ok(), "refused");
    began.elapsed().as_nanos() / u128::from(TIMES)
}
