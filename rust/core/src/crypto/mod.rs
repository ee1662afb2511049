//! Cryptography inside the domain. Rust because it uses secret bytes.
//!
//! The primitives are AWS-LC's, a private static copy behind the functions of this folder.
//! Inputs are public slices and handles of secrets; outputs go to buffers of the caller's or to
//! new secrets.

pub mod added;
pub mod aead;
pub mod age;
pub mod age_stream;
mod build;
mod cbc;
pub mod ed25519;
pub mod fernet;
mod hooks;
mod jwk;
pub mod kdf;
mod kind;
pub(crate) mod load;
pub mod mac;
pub mod number;
mod object;
pub mod otp;
pub mod pbes2;
pub mod pkey;
pub mod pq;
pub mod rsa_public;
pub mod ssh;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod tests_added;
#[cfg(test)]
mod tests_age;
#[cfg(test)]
mod tests_derive;
#[cfg(test)]
mod tests_forms;
#[cfg(test)]
mod tests_pq;
pub mod x25519;

use core::ffi::c_int;

/// The library's release and the commit that it was built from.
pub const LIBRARY: (&str, &str) = ("aws-lc-sys 0.47.0", "cd481c207e38f06aeb5766f4a1cdfce10a4c0af8");

/// What the library was built with, as the build saw it; see `.cargo/config.toml`.
pub const FLAGS: [&str; 2] = [
    match option_env!("AWS_LC_SYS_NO_JITTER_ENTROPY") {
        Some(_) => "without jitter entropy",
        None => "with jitter entropy",
    },
    match option_env!("AWS_LC_SYS_CMAKE_BUILDER") {
        Some(_) => "by the C compiler alone",
        None => "by the default builder",
    },
];

/// Turns the library's 1 into success. Its error queue is not read: it would allocate.
fn ok(result: c_int) -> bool {
    result == 1
}
