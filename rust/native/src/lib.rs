//! The Python border of secretmem: an export list. Rust because it joins the core to CPython.
//!
//! The border passes slices, handles and output buffers to the core, never a closure that runs
//! inside the domain and never an object of the interpreter.

#![deny(unsafe_code)]

mod age;
mod agent;
mod area;
mod audit;
mod buffer;
mod crypto;
mod error;
mod handover;
mod io;
mod json;
mod kdf;
mod keys;
mod otp;
mod process;
mod secret;
mod view;
mod x25519;

use pyo3::prelude::*;

/// Code inside the domain allocates from the secret heap.
#[global_allocator]
static ALLOCATOR: secretmem_core::Routed = secretmem_core::Routed;

/// The native part of the package `secretmem`.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::age::{
        AgeStream, age_identities, age_identity_text, age_open, age_recipient, age_recipient_text,
        age_seal, rsa_numbers, rsa_seal_oaep,
    };
    #[pymodule_export]
    use super::agent::{IntakeBase, ssh_add_message};
    #[pymodule_export]
    use super::area::AreaBase;
    #[pymodule_export]
    use super::audit::{SearchBase, allow_tracer, trace_resume, trace_seize, trace_stopped};
    #[pymodule_export]
    use super::crypto::{
        aead_open, aead_open_into, aead_open_to_secret, aead_seal, aead_seal_into,
        digest_to_secret, fernet_open, fernet_seal, fernet_time, hkdf, hmac, hmac_to_secret,
        hmac_verify, scram_proof,
    };
    #[pymodule_export]
    use super::handover::{hand_over, take_over};
    #[pymodule_export]
    use super::json::{dotenv_field, json_field, pem_body};
    #[pymodule_export]
    use super::kdf::{argon2id, pbkdf2, scrypt};
    #[pymodule_export]
    use super::keys::{Ed25519Base, KeyBase, encapsulate, pkcs8_encrypt, ssh_encrypt};
    #[pymodule_export]
    use super::otp::{hotp, hotp_verify};
    #[pymodule_export]
    use super::process::{
        build_info, disable_speculation, dumpable, memfd_secret, probe, seccomp_active,
        secure_exec, set_dumpable, set_no_new_privs, settings, start, started, stats, trim,
    };
    #[cfg(feature = "fault")]
    #[pymodule_export]
    use super::process::{fault_arm, fault_disarm};
    #[pymodule_export]
    use super::secret::SecretBase;
    #[pymodule_export]
    use super::view::View;
    #[pymodule_export]
    use super::x25519::{X25519Base, x25519};
}
