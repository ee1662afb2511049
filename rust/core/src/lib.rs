//! Secret memory on memfd_secret(2): areas, arena, domain. No Python inside.
//!
//! ```text
//!   kernel    the system calls, one file
//!   mapping   memfd_secret -> ftruncate -> mmap between guards -> touch -> DONTFORK -> close
//!   gate      closed to the process (protection key, or mprotect) except during an operation
//!   arena     size classes over areas, canaries, release of idle areas
//!   secret    the handle: pins, close, fork, views on windows
//!   domain    secret stacks, trampoline, register clearing
//!   ops, io, intake, json  what can be done with the bytes
//!   crypto    cryptography inside the domain, on a private copy of AWS-LC
//!   audit     looks for keys in memory that is not secret
//! ```
//!
//! Data flows downwards in this list; nothing imports from below itself.

mod arena;
pub mod article;
mod asm;
// As for `crypto`.
#[cfg(not(miri))]
pub mod audit;
mod bounce;
// Miri calls no C.
#[cfg(not(miri))]
pub mod crypto;
mod domain;
pub mod dotenv;
mod draft;
pub mod env;
pub mod error;
mod gate;
pub mod handover;
pub mod intake;
pub mod io;
pub mod json;
pub mod kernel;
pub mod mapping;
pub mod ops;
pub mod output;
mod page;
mod pem;
pub mod runtime;
pub mod secret;
mod sync;
#[cfg(test)]
mod test_support;
mod window;
// Used by the cryptography only.
#[cfg(not(miri))]
mod work;

pub use arena::ArenaStats;
pub use domain::route::Routed;
pub use gate::GateKind;
pub use window::WindowStats;

/// Goes into the domain and out again, `count` times, and does nothing there: for the benchmark.
///
/// # Errors
/// As every use of a secret.
#[cfg(feature = "bench")]
pub fn enter_and_leave(count: u64) -> error::Result<()> {
    let runtime = runtime::get()?;
    (0..count).try_for_each(|_| domain::run(runtime, || ()))
}

/// The core's own tests allocate as the extension does.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: Routed = Routed;
