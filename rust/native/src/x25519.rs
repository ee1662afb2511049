//! `X25519Base` and the bare function at the border. Rust because they hold the core's keys.

use crate::error::{Failure, Outcome};
use crate::secret::{SecretBase, make, options};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyType};
use secretmem_core::crypto::x25519::{PrivateKey, exchange};

/// The shared secret of a private key and another's public key, as a new Secret of class `cls`.
#[pyfunction]
#[pyo3(signature = (cls, private, public, name, /))]
pub(crate) fn x25519<'py>(
    cls: &Bound<'py, PyType>,
    private: &Bound<'py, SecretBase>,
    public: &[u8],
    name: Option<Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyAny>> {
    let private = &private.get().secret;
    let shared = exchange(private, public, private.options());
    make(cls, shared.map_err(Failure)?, name)
}

/// An X25519 private key.
#[pyclass(frozen, module = "secretmem._native")]
pub(crate) struct X25519Base {
    key: PrivateKey,
}

#[pymethods]
impl X25519Base {
    /// Makes a key.
    #[staticmethod]
    #[pyo3(signature = (*, inherit))]
    fn generate(inherit: Option<bool>) -> Outcome<Self> {
        Ok(Self { key: PrivateKey::generate(options(inherit, false, false))? })
    }

    /// The key of 32 bytes.
    #[staticmethod]
    #[pyo3(signature = (seed, *, inherit))]
    fn from_seed(seed: &Bound<'_, SecretBase>, inherit: Option<bool>) -> Outcome<Self> {
        let seed = &seed.get().secret;
        Ok(Self { key: PrivateKey::from_seed(seed, options(inherit, false, false))? })
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.key.secret().closed()
    }

    /// The 32 bytes of the public key.
    fn public<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.key.public())
    }

    /// The private key's bytes as a new Secret of class `cls`.
    fn seed<'py>(&self, cls: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
        let secret = self.key.secret();
        make(cls, secret.duplicate(secret.options()).map_err(Failure)?, None)
    }

    /// The shared secret as a new Secret of class `cls`.
    fn exchange<'py>(&self, cls: &Bound<'py, PyType>, peer: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        let secret = self.key.secret();
        let shared = exchange(secret, peer, secret.options());
        make(cls, shared.map_err(Failure)?, None)
    }

    /// Ends the key.
    fn close(&self) -> Outcome<()> {
        Ok(self.key.secret().close()?)
    }
}
