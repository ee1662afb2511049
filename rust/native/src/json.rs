//! The border of JSON and .env documents and PEM text. Rust because they go to the core.

use crate::error::Failure;
use crate::secret::{SecretBase, make};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use secretmem_core::json::Step;

/// A key of an object or an index of an array.
#[derive(FromPyObject)]
pub(crate) enum Given {
    Key(String),
    Index(usize),
}

/// The string at a path of a JSON document, as a new Secret of class `cls`.
#[pyfunction]
#[pyo3(signature = (cls, secret, path, name, /))]
#[allow(clippy::needless_pass_by_value, reason = "made from the Python object for this call")]
pub(crate) fn json_field<'py>(
    cls: &Bound<'py, PyType>,
    secret: &Bound<'py, SecretBase>,
    path: Vec<Given>,
    name: Option<Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyAny>> {
    let steps: Vec<Step<'_>> = path.iter().map(Given::step).collect();
    let secret = &secret.get().secret;
    let found = secret.json_field(&steps, secret.options());
    make(cls, found.map_err(Failure)?, name)
}

/// What a PEM block stands for, as a new Secret of class `cls`.
#[pyfunction]
#[pyo3(signature = (cls, secret, label, name, /))]
pub(crate) fn pem_body<'py>(
    cls: &Bound<'py, PyType>,
    secret: &Bound<'py, SecretBase>,
    label: Option<&str>,
    name: Option<Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyAny>> {
    let secret = &secret.get().secret;
    make(cls, secret.pem_body(label, secret.options()).map_err(Failure)?, name)
}

/// The value of a name of a .env document, as a new Secret of class `cls`.
#[pyfunction]
#[pyo3(signature = (cls, secret, field, name, /))]
pub(crate) fn dotenv_field<'py>(
    cls: &Bound<'py, PyType>,
    secret: &Bound<'py, SecretBase>,
    field: &str,
    name: Option<Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyAny>> {
    let secret = &secret.get().secret;
    let found = secret.dotenv_field(field, secret.options());
    make(cls, found.map_err(Failure)?, name)
}

impl Given {
    fn step(&self) -> Step<'_> {
        match self {
            Self::Key(key) => Step::Key(key),
            Self::Index(index) => Step::Index(*index),
        }
    }
}
