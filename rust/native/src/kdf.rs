//! The border of derivation from passwords. Rust because the password goes to the core.
//!
//! Each takes long by design, so the interpreter is given up for all of them.

use crate::crypto::hash;
use crate::error::Failure;
use crate::secret::{SecretBase, Size, make};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyType};
use secretmem_core::crypto::kdf::{self, Argon2Cost, Argon2Input, Scrypt};

type Inputs<'py> = (Bound<'py, PyBytes>, Option<Bound<'py, SecretBase>>, Bound<'py, PyBytes>);

/// PBKDF2 into a new Secret of class `cls`.
#[pyfunction]
#[pyo3(signature = (cls, algorithm, password, salt, iterations, length, name, /))]
#[allow(clippy::too_many_arguments, reason = "the arguments of RFC 8018 and a name")]
pub(crate) fn pbkdf2<'py>(
    cls: &Bound<'py, PyType>,
    algorithm: &str,
    password: &Bound<'py, SecretBase>,
    salt: &[u8],
    iterations: u32,
    length: Size,
    name: Option<Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyAny>> {
    let hash = hash(algorithm)?;
    let password = &password.get().secret;
    let (Size(length), options) = (length, password.options());
    let made = cls.py().detach(|| kdf::pbkdf2(hash, password, salt, iterations, length, options));
    make(cls, made.map_err(Failure)?, name)
}

/// scrypt into a new Secret of class `cls`; `cost` is n, r, p.
#[pyfunction]
#[pyo3(signature = (cls, password, salt, cost, max_memory, length, name, /))]
#[allow(clippy::too_many_arguments, reason = "the arguments of RFC 7914, a limit and a name")]
pub(crate) fn scrypt<'py>(
    cls: &Bound<'py, PyType>,
    password: &Bound<'py, SecretBase>,
    salt: &[u8],
    cost: (u64, u64, u64),
    max_memory: Size,
    length: Size,
    name: Option<Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyAny>> {
    let password = &password.get().secret;
    let ((n, r, p), Size(most)) = (cost, max_memory);
    let (Size(length), options) = (length, password.options());
    let cost = Scrypt { n, r, p, most };
    let made = cls.py().detach(|| kdf::scrypt(password, salt, cost, length, options));
    make(cls, made.map_err(Failure)?, name)
}

/// Argon2id into a new Secret of class `cls`; `inputs` is salt, secret, associated data, `cost`
/// is KiB of memory, passes, lanes.
#[pyfunction]
#[pyo3(signature = (cls, password, inputs, cost, max_memory, length, name, /))]
#[allow(clippy::too_many_arguments, reason = "the arguments of RFC 9106, a limit and a name")]
pub(crate) fn argon2id<'py>(
    cls: &Bound<'py, PyType>,
    password: &Bound<'py, SecretBase>,
    inputs: Inputs<'py>,
    cost: (u32, u32, u32),
    max_memory: Size,
    length: Size,
    name: Option<Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyAny>> {
    let password = &password.get().secret;
    let (salt, secret, associated_data) = inputs;
    let input = Argon2Input {
        salt: salt.as_bytes(),
        secret: secret.as_ref().map(|secret| &secret.get().secret),
        associated_data: associated_data.as_bytes(),
    };
    let ((memory, passes, lanes), Size(most)) = (cost, max_memory);
    let (Size(length), options) = (length, password.options());
    let cost = Argon2Cost { memory, passes, lanes, most };
    let made = cls.py().detach(|| kdf::argon2id(password, input, cost, length, options));
    make(cls, made.map_err(Failure)?, name)
}
