//! The border of age files: identities as text, payloads, RSA recipients. Rust because keys and
//! plaintext go to the core.

use crate::buffer::with_bytes;
use crate::crypto::hash;
use crate::error::{Failure, Outcome};
use crate::secret::{SecretBase, make};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyType};
use secretmem_core::crypto::aead::TAG_SIZE;
use secretmem_core::crypto::age::{self, Identities, KEY_SIZE};
use secretmem_core::crypto::age_stream::{self as stream, CHUNK, Stream};
use secretmem_core::crypto::rsa_public::{self, PublicKey};
use secretmem_core::error::Error;
use secretmem_core::io::Step;

/// The keys in a text as new Secrets of class `cls`, or the number of the line that is wrong.
#[pyfunction]
#[pyo3(signature = (cls, text, /))]
pub(crate) fn age_identities<'py>(
    cls: &Bound<'py, PyType>,
    text: &Bound<'py, SecretBase>,
) -> PyResult<Bound<'py, PyAny>> {
    let text = &text.get().secret;
    match age::identities(text, text.options()).map_err(Failure)? {
        Identities::BadLine(number) => Ok(number.into_pyobject(cls.py())?.into_any()),
        Identities::Keys(keys) => {
            let keys = keys.into_iter().map(|key| make(cls, key, None));
            Ok(PyList::new(cls.py(), keys.collect::<PyResult<Vec<_>>>()?)?.into_any())
        }
    }
}

/// The text of an identity as a new Secret of class `cls`.
#[pyfunction]
#[pyo3(signature = (cls, key, /))]
pub(crate) fn age_identity_text<'py>(
    cls: &Bound<'py, PyType>,
    key: &Bound<'py, SecretBase>,
) -> PyResult<Bound<'py, PyAny>> {
    let key = &key.get().secret;
    make(cls, age::identity_text(key, key.options()).map_err(Failure)?, None)
}

/// The text of a recipient.
#[pyfunction]
#[pyo3(signature = (public, /))]
pub(crate) fn age_recipient_text(public: [u8; KEY_SIZE]) -> String {
    age::recipient_text(&public)
}

/// The public key of a recipient's text; `None` if it is none.
#[pyfunction]
#[pyo3(signature = (text, /))]
pub(crate) fn age_recipient<'py>(py: Python<'py>, text: &str) -> Option<Bound<'py, PyBytes>> {
    age::recipient(text).map(|public| PyBytes::new(py, &public))
}

/// Opens a whole payload into a new Secret of class `cls`.
#[pyfunction]
#[pyo3(signature = (cls, key, payload, name, /))]
pub(crate) fn age_open<'py>(
    cls: &Bound<'py, PyType>,
    key: &Bound<'py, SecretBase>,
    payload: &Bound<'py, PyBytes>,
    name: Option<Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyAny>> {
    let key = &key.get().secret;
    let payload = payload.as_bytes();
    let open = || stream::open(key, payload, key.options());
    let opened = if payload.len() < CHUNK { open() } else { cls.py().detach(open) };
    make(cls, opened.map_err(Failure)?, name)
}

/// Seals a whole message, bytes-like or a Secret.
#[pyfunction]
#[pyo3(signature = (key, data, /))]
pub(crate) fn age_seal<'py>(
    py: Python<'py>,
    key: &Bound<'py, SecretBase>,
    data: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let key = &key.get().secret;
    if let Ok(secret) = data.cast::<SecretBase>() {
        let message = &secret.get().secret;
        return PyBytes::new_with(py, stream::sealed_size(message.size()), |out| {
            let mut seal = || stream::seal_secret(key, message, out);
            let sealed = if message.size() < CHUNK { seal() } else { py.detach(seal) };
            sealed.map_err(|e| Failure(e).into())
        });
    }
    let len = with_bytes(data, <[u8]>::len)?;
    let detach = len >= CHUNK && data.is_instance_of::<PyBytes>();
    PyBytes::new_with(py, stream::sealed_size(len), |out| {
        let sealed = with_bytes(data, |message| {
            let mut seal = || stream::seal(key, message, out);
            if detach { py.detach(seal) } else { seal() }
        })?;
        sealed.map_err(|e| Failure(e).into())
    })
}

type Numbers<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// Modulus and exponent of an RSA key's SubjectPublicKeyInfo; `None` for another kind.
#[pyfunction]
#[pyo3(signature = (spki, /))]
pub(crate) fn rsa_numbers<'py>(py: Python<'py>, spki: &[u8]) -> Option<Numbers<'py>> {
    let (modulus, exponent) = rsa_public::numbers(spki)?;
    Some((PyBytes::new(py, &modulus), PyBytes::new(py, &exponent)))
}

/// RSAES-OAEP of a Secret to a public key.
#[pyfunction]
#[pyo3(signature = (modulus, exponent, algorithm, label, message, /))]
pub(crate) fn rsa_seal_oaep<'py>(
    modulus: &[u8],
    exponent: &[u8],
    algorithm: &str,
    label: &[u8],
    message: &Bound<'py, SecretBase>,
) -> PyResult<Bound<'py, PyBytes>> {
    let hash = hash(algorithm)?;
    let (py, message) = (message.py(), &message.get().secret);
    let public = PublicKey { modulus, exponent };
    PyBytes::new_with(py, modulus.len(), |out| {
        let sealed = py.detach(|| public.seal_oaep(hash, label, message, out));
        sealed.map_err(|e| Failure(e).into())
    })
}

/// A payload between a descriptor and ciphertext, chunk by chunk.
#[pyclass(module = "secretmem._native")]
pub(crate) struct AgeStream {
    stream: Stream,
}

#[pymethods]
impl AgeStream {
    /// Under a copy of the payload's key.
    #[new]
    #[pyo3(signature = (key, /))]
    fn new(key: &Bound<'_, SecretBase>) -> Outcome<Self> {
        Ok(Self { stream: Stream::new(&key.get().secret)? })
    }

    /// Whether the last chunk was sealed or opened.
    #[getter]
    fn ended(&self) -> bool {
        self.stream.ended()
    }

    /// Opens the next chunk.
    #[pyo3(signature = (chunk, last, /))]
    fn open(&mut self, py: Python<'_>, chunk: &Bound<'_, PyBytes>, last: bool) -> Outcome<()> {
        let chunk = chunk.as_bytes();
        Ok(py.detach(|| self.stream.open(chunk, last))?)
    }

    /// Writes the plaintext of the chunk to a descriptor.
    #[pyo3(signature = (fd, /))]
    fn write(&mut self, py: Python<'_>, fd: i32) -> PyResult<()> {
        self.run_steps(py, |stream| stream.write(fd))
    }

    /// Reads plaintext for one chunk from a descriptor; returns how many bytes there are.
    #[pyo3(signature = (fd, /))]
    fn fill(&mut self, py: Python<'_>, fd: i32) -> PyResult<usize> {
        self.run_steps(py, |stream| stream.read(fd))?;
        Ok(self.stream.filled())
    }

    /// Seals the chunk.
    fn seal<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        PyBytes::new_with(py, self.stream.filled() + TAG_SIZE, |out| {
            py.detach(|| self.stream.seal(out)).map_err(|e| Failure(e).into())
        })
    }
}

impl AgeStream {
    /// Runs steps without the interpreter, with Python's signal handlers between them.
    fn run_steps(
        &mut self,
        py: Python<'_>,
        mut step: impl FnMut(&mut Stream) -> Result<Step, Error> + Send,
    ) -> PyResult<()> {
        loop {
            match py.detach(|| step(&mut self.stream)).map_err(Failure)? {
                Step::Done => return Ok(()),
                Step::More | Step::Interrupted => py.check_signals()?,
            }
        }
    }
}
