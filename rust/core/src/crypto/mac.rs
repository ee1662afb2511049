//! HMAC (RFC 2104) and HKDF (RFC 5869). Rust because the key is secret.

use super::ok;
use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::secret::{Options, Secret};
use core::ptr;
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
unsafe fn raw_hmac(
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
