//! The border of the SSH agent: messages that arrive, keys in them. Rust because both hold
//! private keys.

use crate::error::{Failure, Outcome};
use crate::keys::{Ed25519Base, KeyBase};
use crate::secret::{SecretBase, Size, make, options};
use pyo3::exceptions::{PyEOFError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyType};
use secretmem_core::crypto::added::{self, Added, Key};
use secretmem_core::intake::{Arrival, Intake};
use std::sync::{Mutex, PoisonError};

/// A message of known length that arrives piece by piece, straight into secret memory.
#[pyclass(frozen, module = "secretmem._native")]
pub(crate) struct IntakeBase {
    intake: Mutex<Option<Intake>>,
}

impl IntakeBase {
    fn with<R>(&self, code: impl FnOnce(&mut Option<Intake>) -> R) -> R {
        code(&mut self.intake.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn gone() -> PyErr {
    PyValueError::new_err("the message was taken or dropped already")
}

#[pymethods]
impl IntakeBase {
    /// Prepares for a message of `size` bytes.
    #[new]
    fn new(size: Size) -> Outcome<Self> {
        let intake = Intake::new(size.0, options(Some(false), false, false))?;
        Ok(Self { intake: Mutex::new(Some(intake)) })
    }

    /// Bytes of secret memory that it holds now.
    #[getter]
    fn room(&self) -> usize {
        self.with(|intake| intake.as_ref().map_or(0, Intake::room))
    }

    /// Reads what a descriptor that does not block has; whether the message is whole.
    fn read(&self, fd: i32) -> PyResult<bool> {
        let step = self.with(|intake| intake.as_mut().map(|intake| intake.step(fd)));
        match step.ok_or_else(gone)?.map_err(Failure)? {
            Arrival::Complete => Ok(true),
            Arrival::Waiting => Ok(false),
            Arrival::Ended => Err(PyEOFError::new_err("the message was cut short")),
        }
    }

    /// The message, which was read to its end, as a new Secret of class `cls`.
    fn finish<'py>(
        &self,
        cls: &Bound<'py, PyType>,
        name: Option<Bound<'py, PyString>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let intake = self.with(|intake| intake.take_if(|intake| intake.complete()));
        make(cls, intake.ok_or_else(gone)?.finish().map_err(Failure)?, name)
    }

    /// Wipes what has arrived.
    fn close(&self) {
        self.with(|intake| drop(intake.take()));
    }
}

/// A private key, and what is public of a message.
type Parts<'py> =
    (Bound<'py, PyAny>, Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// The private key, the certificate, the comment and the constraints of an add message whose
/// first byte is gone.
#[pyfunction]
#[pyo3(signature = (message, /))]
pub(crate) fn ssh_add_message<'py>(
    py: Python<'py>,
    message: &Bound<'py, SecretBase>,
) -> PyResult<Parts<'py>> {
    let secret = &message.get().secret;
    let options = options(Some(false), false, false);
    let loaded = py.detach(|| added::load(secret, options)).map_err(Failure)?;
    let Added { key, certificate, comment, constraints } = loaded;
    let key = match key {
        Key::Ed25519(key) => Bound::new(py, Ed25519Base::of(key))?.into_any(),
        Key::Other(key) => Bound::new(py, KeyBase::of(key))?.into_any(),
    };
    let bytes = |part: &[u8]| PyBytes::new(py, part);
    Ok((key, bytes(&certificate), bytes(&comment), bytes(&constraints)))
}
