//! One-time passwords (RFC 4226, RFC 6238). Rust because the key is secret, and so is a password
//! that was not used yet.

use super::mac::{self, Hash};
use crate::domain;
use crate::error::{Error, Result};
use crate::secret::Secret;
use subtle::ConstantTimeEq;

/// Most digits of a password.
const MOST_DIGITS: usize = 8;
/// Fewest: RFC 4226, section 5.3.
const LEAST_DIGITS: usize = 6;

fn check_digits(digits: usize) -> Result<()> {
    if (LEAST_DIGITS..=MOST_DIGITS).contains(&digits) {
        return Ok(());
    }
    Err(Error::Key("a one-time password has 6, 7 or 8 digits"))
}

/// The password of a counter, as a number.
///
/// # Errors
/// [`Error::Key`] for a number of digits that is not 6, 7 or 8, or as every use of a secret.
pub fn password(hash: Hash, key: &Secret, counter: u64, digits: usize) -> Result<usize> {
    check_digits(digits)?;
    let pinned = key.pin()?;
    let size = key.size();
    let number = pinned.with(|at| {
        domain::run(pinned.runtime, || {
            // SAFETY: the key has that size and is open.
            unsafe { truncated(hash, at, size, counter) }.map(|n| n % 10usize.pow(digits as u32))
        })
    })??;
    number.ok_or(Error::Library("HMAC"))
}

/// Whether `candidate` is the password of a counter, its length in digits; in constant time.
///
/// # Errors
/// As [`password`].
pub fn verify(
    hash: Hash,
    key: &Secret,
    counter: u64,
    digits: usize,
    candidate: &[u8],
) -> Result<bool> {
    check_digits(digits)?;
    let pinned = key.pin()?;
    let size = key.size();
    if candidate.len() != digits {
        return Ok(false);
    }
    pinned.with(|at| {
        domain::run(pinned.runtime, || {
            // SAFETY: as in `password`.
            let Some(mut number) = (unsafe { truncated(hash, at, size, counter) }) else {
                return false;
            };
            let mut right = [0u8; MOST_DIGITS];
            let right = right.get_mut(..digits).unwrap_or_default();
            for digit in right.iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
            bool::from(right.ct_eq(candidate))
        })
    })?
}

/// Dynamic truncation: RFC 4226, section 5.3.
///
/// # Safety
/// Inside the domain; `key` is readable for `size` bytes.
unsafe fn truncated(hash: Hash, key: *const u8, size: usize, counter: u64) -> Option<usize> {
    let mut digest = [0u8; mac::MOST];
    let (method, message) = (hash.method(), counter.to_be_bytes());
    // SAFETY: as the caller promises; the array has the longest length.
    if !unsafe { mac::raw_hmac(method, key, size, &message, digest.as_mut_ptr()) } {
        return None;
    }
    let offset = usize::from(digest.get(hash.size() - 1)? & 0xf);
    let word: [u8; 4] = digest.get(offset..offset + 4)?.try_into().ok()?;
    Some((u32::from_be_bytes(word) & 0x7fff_ffff) as usize)
}
