//! Ed25519 (RFC 8032). Rust because the private key is secret.
//!
//! A private key is kept as its 32-byte seed followed by its 32-byte public key, the form that
//! the library signs with; signing then takes no heap.

use super::ok;
use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::secret::{Options, Secret};

/// Bytes of a seed and of a public key.
pub const KEY_SIZE: usize = 32;
/// Bytes of a signature.
pub const SIGNATURE_SIZE: usize = 64;
/// Bytes of the kept form.
const KEPT: usize = 64;

/// A private key.
#[derive(Debug)]
pub struct PrivateKey {
    key: Secret,
    public: [u8; KEY_SIZE],
}

impl PrivateKey {
    /// A new key: the seed comes from getrandom(2) and never leaves secret memory.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::Unavailable`].
    pub fn generate(options: Options) -> Result<Self> {
        let seed = Secret::random(KEY_SIZE, options)?;
        Self::from_seed(&seed, options)
    }

    /// The key of a 32-byte seed.
    ///
    /// # Errors
    /// [`Error::Key`] for another length, or as every use of a secret.
    pub fn from_seed(seed: &Secret, options: Options) -> Result<Self> {
        if seed.size() != KEY_SIZE {
            return Err(Error::Key("an Ed25519 seed has 32 bytes"));
        }
        let pinned = seed.pin()?;
        let draft = Draft::new(KEPT, options)?;
        let mut public = [0u8; KEY_SIZE];
        let out = public.as_mut_ptr();
        pinned.with(|from| {
            draft.with(|to| {
                domain::run(pinned.runtime, || {
                    // SAFETY: the seed has 32 bytes, the draft 64, the output 32; gates are open.
                    unsafe { aws_lc_sys::ED25519_keypair_from_seed(out, to, from) };
                })
            })
        })???;
        Ok(Self { key: draft.finish()?, public })
    }

    /// Signs a message.
    ///
    /// # Errors
    /// As every use of a secret.
    pub fn sign(&self, message: &[u8], out: &mut [u8; SIGNATURE_SIZE]) -> Result<()> {
        let pinned = self.key.pin()?;
        let (at, len, out) = (message.as_ptr(), message.len(), out.as_mut_ptr());
        let signed = pinned.with(|key| {
            domain::run(pinned.runtime, || {
                // SAFETY: the key has 64 bytes and is open, the output has 64.
                ok(unsafe { aws_lc_sys::ED25519_sign(out, at, len, key) })
            })
        })??;
        if signed { Ok(()) } else { Err(Error::Library("ED25519_sign")) }
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> [u8; KEY_SIZE] {
        self.public
    }

    /// The seed, as a new secret.
    ///
    /// # Errors
    /// As every use of a secret.
    pub fn seed(&self, options: Options) -> Result<Secret> {
        let range = crate::ops::Range { start: 0, step: 1, length: KEY_SIZE };
        self.key.pick(range, options)
    }

    /// The kept secret: its options, its end.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.key
    }
}
