//! What going into the domain and out again costs, for `make bench`. Rust because it is measured
//! without Python. It is in no wheel; `--features bench` builds it.
//!
//! Prints the nanoseconds of one time, without opening a gate: of the best of many rounds.

#![allow(clippy::print_stdout, reason = "answers go to the benchmark")]

use std::time::Instant;

const ROUNDS: usize = 300;
const TIMES: u64 = 2000;

/// As the extension allocates.
#[global_allocator]
static ALLOCATOR: secretmem_core::Routed = secretmem_core::Routed;

fn main() {
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
