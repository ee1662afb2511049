//! The border of hand-over. Rust because secrets go through the core.

use crate::error::Failure;
use crate::secret::{SecretBase, make, options};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use secretmem_core::secret::Secret;

/// A new descriptor whose pages hold the secret; the caller closes it.
#[pyfunction]
#[pyo3(signature = (secret, /))]
pub(crate) fn hand_over(secret: &Bound<'_, SecretBase>) -> PyResult<i32> {
    Ok(secret.get().secret.hand_over().map_err(Failure)?)
}

/// A Secret of class `cls` from such a descriptor, which stays open.
#[pyfunction]
#[pyo3(signature = (cls, fd, *, name=None, inherit=None, isolated=false, flush=false))]
pub(crate) fn take_over<'py>(
    cls: &Bound<'py, PyType>,
    fd: i32,
    name: Option<Bound<'py, PyString>>,
    inherit: Option<bool>,
    isolated: bool,
    flush: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let taken = Secret::take_over(fd, options(inherit, isolated, flush)).map_err(Failure)?;
    make(cls, taken, name)
}
