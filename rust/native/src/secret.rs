//! `SecretBase`: the part of `secretmem.Secret` that touches bytes. Rust because of that; the
//! rest of the class is Python.

use crate::buffer;
use crate::error::{Failure, Outcome};
use crate::io;
use crate::process::INHERIT;
use crate::view::View;
use core::sync::atomic::Ordering::Relaxed;
use pyo3::basic::CompareOp;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PySlice, PyString, PyType};
use secretmem_core::io::{Reader, Until};
use secretmem_core::ops::{Range, TextEncoding};
use secretmem_core::secret::{Options, Secret};
use std::cell::Cell;

struct Parts {
    secret: Secret,
    name: Option<Py<PyString>>,
}

thread_local! {
    /// What the next `SecretBase.__new__` of this thread is made from. A class made in Python can
    /// be instantiated by calling it only, and nobody else may make one.
    static PARTS: Cell<Option<Parts>> = const { Cell::new(None) };
}

/// The native part of a Secret.
#[pyclass(frozen, subclass, module = "secretmem._native")]
pub(crate) struct SecretBase {
    pub(crate) secret: Secret,
    name: Option<Py<PyString>>,
}

/// A number of bytes from a caller. One that no memory has is a ValueError, whichever integer of
/// the machine it does not fit.
#[derive(Clone, Copy)]
pub(crate) struct Size(pub(crate) usize);

impl<'py> FromPyObject<'_, 'py> for Size {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let size = object.extract::<isize>().or_else(|e| {
            if e.is_instance_of::<PyOverflowError>(object.py()) { Ok(-1) } else { Err(e) }
        })?;
        let size = usize::try_from(size).map(Self);
        size.map_err(|_| PyValueError::new_err(format!("a size is from 0 to {} bytes", isize::MAX)))
    }
}

pub(crate) fn options(inherit: Option<bool>, isolated: bool, flush: bool) -> Options {
    let inherit = inherit.unwrap_or_else(|| INHERIT.load(Relaxed));
    Options { inherit, isolated, flush }
}

pub(crate) fn make<'py>(
    cls: &Bound<'py, PyType>,
    secret: Secret,
    name: Option<Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyAny>> {
    let name = name.map(|name| plain(&name)).transpose()?;
    PARTS.with(|next| next.set(Some(Parts { secret, name })));
    let made = cls.call0();
    PARTS.with(Cell::take);
    made
}

/// The characters of a name alone: a subclass could make `repr` raise.
fn plain(name: &Bound<'_, PyString>) -> PyResult<Py<PyString>> {
    if name.is_exact_instance_of::<PyString>() {
        return Ok(name.clone().unbind());
    }
    let copy = name.py().get_type::<PyString>().call_method1("__str__", (name,))?;
    Ok(copy.cast_into::<PyString>()?.unbind())
}

fn encoding(name: &str) -> PyResult<TextEncoding> {
    match name {
        "base32" => Ok(TextEncoding::Base32),
        "base64" => Ok(TextEncoding::Base64),
        "base64url" => Ok(TextEncoding::Base64Url),
        "hex" => Ok(TextEncoding::Hex),
        other => Err(PyValueError::new_err(format!("no such encoding: {other:?}"))),
    }
}

impl SecretBase {
    /// A result of an operation: kept like this secret, without a name.
    fn derived<'py>(slf: &Bound<'py, Self>, secret: Secret) -> PyResult<Bound<'py, PyAny>> {
        make(&slf.get_type(), secret, None)
    }
}

#[pymethods]
impl SecretBase {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        _args: &Bound<'_, pyo3::types::PyTuple>,
        _kwargs: Option<&Bound<'_, pyo3::types::PyDict>>,
    ) -> PyResult<Self> {
        match PARTS.with(Cell::take) {
            Some(Parts { secret, name }) => Ok(Self { secret, name }),
            None => Err(PyTypeError::new_err(
                "Secret is made by its constructors: Secret.from_file, Secret.random, \
                 Secret.from_bytes and others",
            )),
        }
    }

    /// `size` random bytes, written by the kernel.
    #[classmethod]
    #[pyo3(signature = (size, *, name=None, inherit=None, isolated=false, flush=false))]
    fn random<'py>(
        cls: &Bound<'py, PyType>,
        size: Size,
        name: Option<Bound<'py, PyString>>,
        inherit: Option<bool>,
        isolated: bool,
        flush: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let secret = Secret::random(size.0, options(inherit, isolated, flush)).map_err(Failure)?;
        make(cls, secret, name)
    }

    /// A copy of a bytes-like object.
    #[classmethod]
    #[pyo3(signature = (data, /, *, wipe=false, name=None, inherit=None, isolated=false, flush=false))]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments of one constructor")]
    fn from_bytes<'py>(
        cls: &Bound<'py, PyType>,
        data: &Bound<'py, PyAny>,
        wipe: bool,
        name: Option<Bound<'py, PyString>>,
        inherit: Option<bool>,
        isolated: bool,
        flush: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = options(inherit, isolated, flush);
        let secret = if wipe {
            buffer::with_bytes_mut(data, buffer::TO_WIPE, |bytes| {
                let secret = Secret::from_bytes(bytes, options);
                if secret.is_ok() {
                    secretmem_core::runtime::wipe(bytes);
                }
                secret
            })?
        } else {
            buffer::with_bytes(data, |bytes| Secret::from_bytes(bytes, options))?
        };
        make(cls, secret.map_err(Failure)?, name)
    }

    /// A copy of the UTF-8 form of a text.
    #[classmethod]
    #[pyo3(signature = (text, /, *, name=None, inherit=None, isolated=false, flush=false))]
    fn _from_str<'py>(
        cls: &Bound<'py, PyType>,
        text: &Bound<'py, PyString>,
        name: Option<Bound<'py, PyString>>,
        inherit: Option<bool>,
        isolated: bool,
        flush: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = options(inherit, isolated, flush);
        let secret = Secret::from_bytes(buffer::text(text)?, options).map_err(Failure)?;
        make(cls, secret, name)
    }

    /// Reads a descriptor to its end, or one line of it. `None` at the end of a terminal's input.
    #[classmethod]
    #[pyo3(signature = (fd, *, line, strip, max_size, between=None, name=None, inherit=None, isolated=false, flush=false))]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments of one constructor")]
    #[allow(clippy::fn_params_excessive_bools, reason = "as above")]
    fn _read<'py>(
        cls: &Bound<'py, PyType>,
        fd: i32,
        line: bool,
        strip: bool,
        max_size: Size,
        between: Option<&Bound<'py, PyAny>>,
        name: Option<Bound<'py, PyString>>,
        inherit: Option<bool>,
        isolated: bool,
        flush: bool,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let until = if line { Until::Line } else { Until::End };
        let options = options(inherit, isolated, flush);
        let reader = Reader::new(fd, until, max_size.0, options).map_err(Failure)?;
        let reader = io::read_all(cls.py(), reader, between)?;
        if line && !reader.any() {
            return Ok(None);
        }
        make(cls, reader.finish(strip).map_err(Failure)?, name).map(Some)
    }

    /// The value of an environment variable; `None` if there is none.
    #[classmethod]
    #[pyo3(signature = (variable, *, erase, name=None, inherit=None, isolated=false, flush=false))]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments of one constructor")]
    fn _from_env<'py>(
        cls: &Bound<'py, PyType>,
        variable: &[u8],
        erase: bool,
        name: Option<Bound<'py, PyString>>,
        inherit: Option<bool>,
        isolated: bool,
        flush: bool,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let options = options(inherit, isolated, flush);
        match crate::buffer::from_env(cls.py(), variable, erase, options).map_err(Failure)? {
            Some(secret) => make(cls, secret, name).map(Some),
            None => Ok(None),
        }
    }

    /// The name given at construction.
    #[getter]
    fn name(&self) -> Option<&Py<PyString>> {
        self.name.as_ref()
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.secret.closed()
    }

    /// Whether forked children have it.
    #[getter]
    fn inherit(&self) -> bool {
        self.secret.options().inherit
    }

    fn __len__(&self) -> usize {
        self.secret.size()
    }

    fn __bool__(&self) -> bool {
        self.secret.size() > 0
    }

    fn __richcmp__(&self, other: &Bound<'_, PyAny>, op: CompareOp) -> PyResult<Py<PyAny>> {
        let py = other.py();
        if !matches!(op, CompareOp::Eq | CompareOp::Ne) {
            return Err(PyTypeError::new_err("secrets have no order"));
        }
        let same = match other.cast::<Self>() {
            Ok(other) => self.secret.equals(&other.get().secret).map_err(Failure)?,
            Err(_) if buffer::is_text_or_bytes(other) => {
                return Err(PyTypeError::new_err(
                    "a Secret is not compared with bytes or str: use secret.matches(candidate)",
                ));
            }
            Err(_) => return Ok(py.NotImplemented()),
        };
        let verdict = same == matches!(op, CompareOp::Eq);
        Ok(verdict.into_pyobject(py)?.to_owned().into_any().unbind())
    }

    /// Whether the secret holds these bytes (a str is taken as UTF-8), compared in constant time.
    #[pyo3(signature = (candidate, /))]
    fn matches(&self, candidate: &Bound<'_, PyAny>) -> PyResult<bool> {
        let matches = match candidate.cast::<PyString>() {
            Ok(text) => self.secret.matches(buffer::text(text)?),
            Err(_) => buffer::with_bytes(candidate, |bytes| self.secret.matches(bytes))?,
        };
        Ok(matches.map_err(Failure)?)
    }

    fn __getitem__<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let secret = &slf.get().secret;
        let Ok(slice) = key.cast::<PySlice>() else {
            return Err(PyTypeError::new_err(
                "a Secret gives slices (secret[4:8] is a Secret), not single bytes",
            ));
        };
        let at = slice.indices(secret.size() as isize)?;
        let range =
            Range { start: at.start.max(0) as usize, step: at.step, length: at.slicelength };
        let part = secret.pick(range, secret.options()).map_err(Failure)?;
        Self::derived(slf, part)
    }

    fn __add__<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let secret = &slf.get().secret;
        let options = secret.options();
        let sum = match other.cast::<Self>() {
            Ok(other) => secret.concat(&other.get().secret, options),
            Err(_) if !buffer::is_bytes_like(other) => {
                return Ok(other.py().NotImplemented().into_bound(other.py()));
            }
            Err(_) => buffer::with_bytes(other, |bytes| {
                secret.concat(&Secret::from_bytes(bytes, options)?, options)
            })?,
        };
        Self::derived(slf, sum.map_err(Failure)?)
    }

    fn __radd__<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if !buffer::is_bytes_like(other) {
            return Ok(other.py().NotImplemented().into_bound(other.py()));
        }
        let secret = &slf.get().secret;
        let options = secret.options();
        let sum = buffer::with_bytes(other, |bytes| {
            Secret::from_bytes(bytes, options)?.concat(secret, options)
        })?;
        Self::derived(slf, sum.map_err(Failure)?)
    }

    /// A new Secret without ASCII white space at the ends.
    fn strip<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let secret = &slf.get().secret;
        Self::derived(slf, secret.strip(secret.options()).map_err(Failure)?)
    }

    /// A new Secret: what the text stands for ("base32", "base64", "base64url", "hex").
    #[pyo3(signature = (encoding, /, *, name=None))]
    fn _decode<'py>(
        slf: &Bound<'py, Self>,
        encoding: &str,
        name: Option<Bound<'py, PyString>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let secret = &slf.get().secret;
        let decoded = secret.decode(self::encoding(encoding)?, secret.options());
        make(&slf.get_type(), decoded.map_err(Failure)?, name)
    }

    /// The secret as text, without padding.
    #[pyo3(signature = (encoding, /, *, name=None))]
    fn _encode<'py>(
        slf: &Bound<'py, Self>,
        encoding: &str,
        name: Option<Bound<'py, PyString>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let secret = &slf.get().secret;
        let encoded = secret.encode(self::encoding(encoding)?, secret.options());
        make(&slf.get_type(), encoded.map_err(Failure)?, name)
    }

    /// A context manager whose target is a memoryview of the secret.
    #[pyo3(signature = (*, writable=false))]
    fn reveal(slf: Bound<'_, Self>, writable: bool) -> View {
        View::new(slf.unbind(), writable)
    }

    /// Writes the secret to a descriptor.
    #[pyo3(signature = (fd, /))]
    fn _write(&self, py: Python<'_>, fd: i32) -> PyResult<()> {
        io::write_all(py, fd, &self.secret)
    }

    /// A copy in ordinary memory.
    fn _export<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        PyBytes::new_with(py, self.secret.size(), |out| {
            self.secret.export(out).map_err(|e| Failure(e).into())
        })
    }

    /// Ends the secret: new uses fail at once, its bytes are wiped when the last use ends.
    fn close(&self) -> Outcome<()> {
        Ok(self.secret.close()?)
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        if slf.get().secret.closed() {
            return Err(Failure(secretmem_core::error::Error::Closed).into());
        }
        Ok(slf)
    }

    #[pyo3(signature = (*_exc))]
    fn __exit__(&self, _exc: &Bound<'_, pyo3::types::PyTuple>) -> Outcome<()> {
        self.close()
    }
}
