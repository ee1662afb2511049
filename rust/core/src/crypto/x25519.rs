//! X25519 (RFC 7748). Rust because the private key is secret.

use super::ok;
use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::secret::{Options, Secret};

/// Bytes of private keys, public keys and shared secrets.
pub const KEY_SIZE: usize = 32;

/// A private key: 32 bytes, and the public key that belongs to them.
#[derive(Debug)]
pub struct PrivateKey {
    key: Secret,
    public: [u8; KEY_SIZE],
}

impl PrivateKey {
    /// A new key: its bytes come from getrandom(2) and never leave secret memory.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::Unavailable`].
    pub fn generate(options: Options) -> Result<Self> {
        Self::of(Secret::random(KEY_SIZE, options)?)
    }

    /// The key of 32 bytes; RFC 7748, section 5, says which bits do not count.
    ///
    /// # Errors
    /// [`Error::Key`] for another length, or as every use of a secret.
    pub fn from_seed(seed: &Secret, options: Options) -> Result<Self> {
        check(seed)?;
        Self::of(seed.duplicate(options)?)
    }

    fn of(key: Secret) -> Result<Self> {
        let mut public = [0u8; KEY_SIZE];
        let out = public.as_mut_ptr();
        let pinned = key.pin()?;
        pinned.with(|at| {
            domain::run(pinned.runtime, || {
                // SAFETY: both have 32 bytes, and the gate is open.
                unsafe { aws_lc_sys::X25519_public_from_private(out, at) };
            })
        })??;
        drop(pinned);
        Ok(Self { key, public })
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> [u8; KEY_SIZE] {
        self.public
    }

    /// The kept secret: the private key itself.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.key
    }
}

fn check(private: &Secret) -> Result<()> {
    if private.size() == KEY_SIZE {
        return Ok(());
    }
    Err(Error::Key("an X25519 private key has 32 bytes"))
}

/// The shared secret of a private key and the public key of another.
///
/// # Errors
/// [`Error::Key`] for another length, or if the shared secret is all zero (RFC 7748, section
/// 6.1): the public key is one of the few points that make it so for everybody.
pub fn exchange(private: &Secret, public: &[u8], options: Options) -> Result<Secret> {
    check(private)?;
    let public: &[u8; KEY_SIZE] =
        public.try_into().map_err(|_| Error::Key("an X25519 public key has 32 bytes"))?;
    let pinned = private.pin()?;
    let draft = Draft::new(KEY_SIZE, options)?;
    let agreed = pinned.with(|at| {
        draft.with(|to| {
            domain::run(pinned.runtime, || {
                // SAFETY: all three have 32 bytes, and the gates are open.
                ok(unsafe { aws_lc_sys::X25519(to, at, public.as_ptr()) })
            })
        })
    })???;
    if agreed { draft.finish() } else { Err(Error::Key("the shared secret would be all zero")) }
}
