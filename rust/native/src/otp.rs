//! The border of one-time passwords. Rust because their key goes to the core.

use crate::crypto::hash;
use crate::error::{Failure, Outcome};
use crate::secret::SecretBase;
use pyo3::prelude::*;
use secretmem_core::crypto::otp;

/// The password of a counter, as a number.
#[pyfunction]
#[pyo3(signature = (algorithm, key, counter, digits, /))]
pub(crate) fn hotp(
    algorithm: &str,
    key: &Bound<'_, SecretBase>,
    counter: u64,
    digits: usize,
) -> PyResult<usize> {
    let hash = hash(algorithm)?;
    Ok(otp::password(hash, &key.get().secret, counter, digits).map_err(Failure)?)
}

/// Whether a password is the one of a counter, compared in constant time.
#[pyfunction]
#[pyo3(signature = (algorithm, key, counter, digits, candidate, /))]
pub(crate) fn hotp_verify(
    algorithm: &str,
    key: &Bound<'_, SecretBase>,
    counter: u64,
    digits: usize,
    candidate: &[u8],
) -> PyResult<bool> {
    let hash = hash(algorithm)?;
    let right: Outcome<bool> =
        otp::verify(hash, &key.get().secret, counter, digits, candidate).map_err(Failure);
    Ok(right?)
}
