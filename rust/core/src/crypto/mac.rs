//! HMAC (RFC 2104), HKDF (RFC 5869) and keys made by hashing. Rust because the key is secret.

use super::ok;
use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::secret::{Options, Secret};
use core::{ptr, slice};
use subtle::ConstantTimeEq;

/// Hash functions of FIPS 180-4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// For old protocols only (HMAC-SHA-1 of TOTP).
    Sha1,
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

/// Bytes of the longest output.
pub const MOST: usize = 64;

impl Hash {
    /// Bytes of the output.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => MOST,
        }
    }

    pub(super) fn nid(self) -> core::ffi::c_int {
        match self {
            Self::Sha1 => aws_lc_sys::NID_sha1,
            Self::Sha256 => aws_lc_sys::NID_sha256,
            Self::Sha384 => aws_lc_sys::NID_sha384,
            Self::Sha512 => aws_lc_sys::NID_sha512,
        }
    }

    pub(super) fn method(self) -> *const aws_lc_sys::EVP_MD {
        // SAFETY: static tables, made at their first use; they hold nothing secret.
        match self {
            // SAFETY: as above.
            Self::Sha1 => unsafe { aws_lc_sys::EVP_sha1() },
            // SAFETY: as above.
            Self::Sha256 => unsafe { aws_lc_sys::EVP_sha256() },
            // SAFETY: as above.
            Self::Sha384 => unsafe { aws_lc_sys::EVP_sha384() },
            // SAFETY: as above.
            Self::Sha512 => unsafe { aws_lc_sys::EVP_sha512() },
        }
    }
}

/// The MAC of a message. `out` has the size of the hash.
///
/// # Errors
/// As every use of a secret.
pub fn hmac(hash: Hash, key: &Secret, message: &[u8], out: &mut [u8]) -> Result<()> {
    if out.len() != hash.size() {
        return Err(Error::Key("the output has the size of the hash"));
    }
    let pinned = key.pin()?;
    let (method, size, out) = (hash.method(), key.size(), out.as_mut_ptr());
    let done = pinned.with(|at| {
        domain::run(pinned.runtime, || {
            // SAFETY: key, message and output have the lengths given; the gate is open.
            unsafe { raw_hmac(method, at, size, message, out) }
        })
    })??;
    if done { Ok(()) } else { Err(Error::Library("HMAC")) }
}

/// The MAC of a message as a new secret: the key of the next step of a protocol.
///
/// # Errors
/// As every use of a secret.
pub fn hmac_secret(hash: Hash, key: &Secret, message: &[u8], options: Options) -> Result<Secret> {
    let pinned = key.pin()?;
    let draft = Draft::new(hash.size(), options)?;
    let (method, size) = (hash.method(), key.size());
    let done = pinned.with(|from| {
        draft.with(|to| {
            domain::run(pinned.runtime, || {
                // SAFETY: key, message and output have the lengths given; the gates are open.
                unsafe { raw_hmac(method, from, size, message, to) }
            })
        })
    })???;
    if done { draft.finish() } else { Err(Error::Library("HMAC")) }
}

/// The plain hash of a secret as a new secret, for protocols that derive keys so.
///
/// # Errors
/// As every use of a secret.
pub fn digest_secret(hash: Hash, secret: &Secret, options: Options) -> Result<Secret> {
    let pinned = secret.pin()?;
    let draft = Draft::new(hash.size(), options)?;
    let size = secret.size();
    pinned.with(|from| {
        draft.with(|to| {
            domain::run(pinned.runtime, || {
                // SAFETY: the secret has the length given, the draft the hash's; gates are open.
                unsafe { raw_digest(hash, from, size, to) }
            })
        })
    })???;
    draft.finish()
}

/// ClientProof of SCRAM (RFC 5802, section 3): ClientKey XOR HMAC(H(ClientKey), AuthMessage).
/// It is sent to the server. `out` has the size of the hash.
///
/// # Errors
/// [`Error::Key`] if the key has not the hash's size, or as every use of a secret.
pub fn scram_proof(hash: Hash, key: &Secret, message: &[u8], out: &mut [u8]) -> Result<()> {
    let len = hash.size();
    if key.size() != len || out.len() != len {
        return Err(Error::Key("ClientKey has the size of the hash"));
    }
    let pinned = key.pin()?;
    let (method, out) = (hash.method(), out.as_mut_ptr());
    let done = pinned.with(|at| {
        domain::run(pinned.runtime, || {
            let (mut stored, mut signature) = ([0u8; MOST], [0u8; MOST]);
            // SAFETY: the key has the hash's size, the array the longest one.
            unsafe { raw_digest(hash, at, len, stored.as_mut_ptr()) };
            let stored = stored.as_ptr();
            // SAFETY: as above; the gate is open.
            let done = unsafe { raw_hmac(method, stored, len, message, signature.as_mut_ptr()) };
            // SAFETY: the key's bytes, open while this runs.
            let key = unsafe { slice::from_raw_parts(at, len) };
            // SAFETY: the caller's buffer, exclusively ours while this runs.
            let out = unsafe { slice::from_raw_parts_mut(out, len) };
            for (to, (a, b)) in out.iter_mut().zip(key.iter().zip(&signature)) {
                *to = a ^ b;
            }
            done
        })
    })??;
    if done { Ok(()) } else { Err(Error::Library("HMAC")) }
}

/// Whether `mac` is the MAC of the message, in constant time.
///
/// # Errors
/// As every use of a secret.
pub fn verify(hash: Hash, key: &Secret, message: &[u8], mac: &[u8]) -> Result<bool> {
    let pinned = key.pin()?;
    let (method, size, len) = (hash.method(), key.size(), hash.size());
    if mac.len() != len {
        return Ok(false);
    }
    pinned.with(|at| {
        domain::run(pinned.runtime, || {
            let mut right = [0u8; MOST];
            // SAFETY: as in `hmac`; the array has the longest length.
            let done = unsafe { raw_hmac(method, at, size, message, right.as_mut_ptr()) };
            let right = right.get(..len).unwrap_or_default();
            done && bool::from(right.ct_eq(mac))
        })
    })?
}

/// # Safety
/// `key` is readable for `size` bytes, `out` writable for the hash's output.
pub(super) unsafe fn raw_hmac(
    method: *const aws_lc_sys::EVP_MD,
    key: *const u8,
    size: usize,
    message: &[u8],
    out: *mut u8,
) -> bool {
    let mut len = 0;
    let (at, n) = (message.as_ptr(), message.len());
    // SAFETY: as the caller promises.
    !unsafe { aws_lc_sys::HMAC(method, key.cast(), size, at, n, out, &raw mut len) }.is_null()
}

/// # Safety
/// `from` is readable for `size` bytes, `to` writable for the hash's output.
unsafe fn raw_digest(hash: Hash, from: *const u8, size: usize, to: *mut u8) {
    // SAFETY: as the caller promises, for the one that is called; none of them can fail.
    match hash {
        // SAFETY: as above.
        Hash::Sha1 => unsafe { aws_lc_sys::SHA1(from, size, to) },
        // SAFETY: as above.
        Hash::Sha256 => unsafe { aws_lc_sys::SHA256(from, size, to) },
        // SAFETY: as above.
        Hash::Sha384 => unsafe { aws_lc_sys::SHA384(from, size, to) },
        // SAFETY: as above.
        Hash::Sha512 => unsafe { aws_lc_sys::SHA512(from, size, to) },
    };
}

/// Derives `length` bytes as a new secret.
///
/// # Errors
/// [`Error::Key`] for more than 255 blocks, or as every use of a secret.
pub fn hkdf(
    hash: Hash,
    secret: &Secret,
    salt: &[u8],
    info: &[u8],
    length: usize,
    options: Options,
) -> Result<Secret> {
    if length > 255 * hash.size() {
        return Err(Error::Key("HKDF gives at most 255 blocks of its hash"));
    }
    let pinned = secret.pin()?;
    let draft = Draft::new(length, options)?;
    let (method, size) = (hash.method(), secret.size());
    let salt_at = if salt.is_empty() { ptr::null() } else { salt.as_ptr() };
    let done = pinned.with(|from| {
        draft.with(|to| {
            domain::run(pinned.runtime, || {
                // SAFETY: all buffers have the lengths given; the gates are open.
                ok(unsafe {
                    aws_lc_sys::HKDF(
                        to,
                        length,
                        method,
                        from,
                        size,
                        salt_at,
                        salt.len(),
                        info.as_ptr(),
                        info.len(),
                    )
                })
            })
        })
    })???;
    if done { draft.finish() } else { Err(Error::Library("HKDF")) }
}
