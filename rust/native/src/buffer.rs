//! The only place where buffers cross the border. Rust because raw addresses meet the buffer
//! protocol here; the one file of this crate with `unsafe`.

#![allow(unsafe_code, reason = "the buffer protocol is a C interface")]

use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use pyo3::exceptions::{PyBufferError, PyMemoryError, PySystemError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use secretmem_core::output::{Filled, Output};
use secretmem_core::secret::{Options, Secret};

/// Calls `read` with the bytes of a bytes-like object, while the interpreter is held.
pub(crate) fn with_bytes<R>(
    object: &Bound<'_, PyAny>,
    read: impl FnOnce(&[u8]) -> R,
) -> PyResult<R> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(read(bytes.as_bytes()));
    }
    let buffer = Held::of(object)?;
    let (at, len) = buffer.place();
    // SAFETY: alive until `buffer` drops below. Another thread could write to it only with the
    // interpreter, which this thread holds throughout; `read` copies and returns.
    let bytes = unsafe { core::slice::from_raw_parts(at.cast_const(), len) };
    let result = read(bytes);
    drop(buffer);
    Ok(result)
}

/// The UTF-8 form of a text without a copy of ours: ASCII text is its own; of other text the
/// interpreter makes one that lives as long as the object.
pub(crate) fn text<'a>(object: &'a Bound<'_, PyString>) -> PyResult<&'a [u8]> {
    // The codec's own error would hold the text.
    let text = object.to_str();
    text.map(str::as_bytes)
        .map_err(|_| PyValueError::new_err("the text cannot be encoded as UTF-8"))
}

/// A buffer that is not writable is refused with one of these.
pub(crate) const TO_WIPE: &str =
    "wipe=True needs a writable buffer such as bytearray: bytes cannot be wiped";
pub(crate) const TO_FILL: &str = "the output needs a writable buffer such as bytearray";

/// As [`with_bytes`] for a writable buffer, all of which is the caller's to change.
pub(crate) fn with_bytes_mut<R>(
    object: &Bound<'_, PyAny>,
    refusal: &'static str,
    change: impl FnOnce(&mut [u8]) -> R,
) -> PyResult<R> {
    let buffer = Held::writable(object, refusal)?;
    let (at, len) = buffer.place();
    // SAFETY: as in `with_bytes`, and the exporter says that it is writable.
    let bytes = unsafe { core::slice::from_raw_parts_mut(at, len) };
    let result = change(bytes);
    drop(buffer);
    Ok(result)
}

/// Calls `work` with the bytes of an object and with a buffer that it writes to.
pub(crate) fn from_bytes_to_buffer<R>(
    from: &Bound<'_, PyAny>,
    to: &Bound<'_, PyAny>,
    work: impl FnOnce(&[u8], &mut [u8]) -> R,
) -> PyResult<R> {
    let (given, room) = (Held::of(from)?, Held::writable(to, TO_FILL)?);
    let ((at, len), (out, size)) = (given.place(), room.place());
    let apart = at.addr() + len <= out.addr() || out.addr() + size <= at.addr();
    if !apart && len > 0 && size > 0 {
        return Err(PyValueError::new_err("the data and the buffer share memory"));
    }
    // SAFETY: alive until `given` drops below; see `with_bytes`. What is written is elsewhere.
    let bytes = unsafe { core::slice::from_raw_parts(at.cast_const(), len) };
    // SAFETY: as in `with_bytes_mut`, and no byte of it is in `bytes`.
    let buffer = unsafe { core::slice::from_raw_parts_mut(out, size) };
    let result = work(bytes, buffer);
    drop((given, room));
    Ok(result)
}

/// New `bytes` of `len`, written by `fill`, which proves that it did. `PyBytes::new_with` writes
/// zeros first, which costs a tenth of the time of sealing 1 MiB.
pub(crate) fn filled_bytes<'py>(
    py: Python<'py>,
    len: usize,
    fill: impl for<'a> FnOnce(Output<'a>) -> PyResult<Filled<'a>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let size = ffi::Py_ssize_t::try_from(len).map_err(|_| PyErr::new::<PyMemoryError, _>(()))?;
    // SAFETY: without a source the call gives a new object that nobody else knows (or, for a
    // length of 0, the empty one), or null with an error set.
    let made = unsafe { ffi::PyBytes_FromStringAndSize(core::ptr::null(), size) };
    // SAFETY: a new reference or null, as above.
    let made = unsafe { Bound::from_owned_ptr_or_err(py, made) }?;
    // SAFETY: a `bytes` object; the address holds as long as it.
    let at = unsafe { ffi::PyBytes_AsString(made.as_ptr()) };
    let at: *mut MaybeUninit<u8> = at.cast();
    // SAFETY: `len` bytes of a `bytes` object that Python code cannot have yet. They may hold
    // anything, as the type says.
    let room = unsafe { core::slice::from_raw_parts_mut(at, len) };
    let filled = fill(Output::from(room))?;
    let bytes = filled.bytes();
    if (bytes.as_ptr(), bytes.len()) != (at.cast_const().cast(), len) {
        return Err(PySystemError::new_err("an output was not the one that was asked for"));
    }
    Ok(made.cast_into::<PyBytes>()?)
}

/// The bytes of an object, held until dropped. The interpreter is held all the while.
struct Held(Box<ffi::Py_buffer>);

impl Held {
    /// Any type of item will do, as for `bytes()`, and the memory is one piece. The interpreter's
    /// own errors tell what is wrong: no buffer, a released one, one that is not one piece.
    fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut raw = Box::new(ffi::Py_buffer::new());
        // SAFETY: the structure is ours, and stays where it is until it is released.
        let r =
            unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), &raw mut *raw, ffi::PyBUF_SIMPLE) };
        if r == 0 { Ok(Self(raw)) } else { Err(PyErr::fetch(object.py())) }
    }

    fn writable(object: &Bound<'_, PyAny>, refusal: &'static str) -> PyResult<Self> {
        let held = Self::of(object)?;
        if held.0.readonly == 0 { Ok(held) } else { Err(PyTypeError::new_err(refusal)) }
    }

    /// Address and length; the address is never null.
    fn place(&self) -> (*mut u8, usize) {
        let len = usize::try_from(self.0.len).unwrap_or(0);
        if len == 0 { (NonNull::dangling().as_ptr(), 0) } else { (self.0.buf.cast(), len) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: filled by the interpreter, released once.
        unsafe { ffi::PyBuffer_Release(&raw mut *self.0) };
    }
}

/// Answers a request for a buffer: `len` bytes at `at`, owned by `owner`.
///
/// # Safety
/// `view` is the structure that the interpreter passed; `at` stays valid until the exporter's
/// release is called.
pub(crate) unsafe fn fill(
    view: *mut ffi::Py_buffer,
    owner: &Bound<'_, PyAny>,
    at: *mut u8,
    len: usize,
    writable: bool,
    flags: c_int,
) -> PyResult<()> {
    if view.is_null() {
        return Err(PyBufferError::new_err("no view was given"));
    }
    let (py, readonly) = (owner.py(), c_int::from(!writable));
    let len = len as ffi::Py_ssize_t;
    // SAFETY: as the caller promises; the call takes its own reference to the owner.
    let r =
        unsafe { ffi::PyBuffer_FillInfo(view, owner.as_ptr(), at.cast(), len, readonly, flags) };
    if r == 0 { Ok(()) } else { Err(PyErr::fetch(py)) }
}

/// A memoryview over an exporter.
pub(crate) fn memoryview<'py>(owner: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    Ok(pyo3::types::PyMemoryView::from(owner)?.into_any())
}

/// Whether the object is what people compare secrets with by mistake.
pub(crate) fn is_text_or_bytes(object: &Bound<'_, PyAny>) -> bool {
    object.is_instance_of::<pyo3::types::PyString>() || is_bytes_like(object)
}

/// Whether the object has the buffer protocol.
pub(crate) fn is_bytes_like(object: &Bound<'_, PyAny>) -> bool {
    Held::of(object).is_ok()
}

/// A secret from the environment.
pub(crate) fn from_env(
    _held: Python<'_>,
    variable: &[u8],
    erase: bool,
    options: Options,
) -> secretmem_core::error::Result<Option<Secret>> {
    // SAFETY: Python code changes the environment with the interpreter held, and we hold it.
    unsafe { secretmem_core::env::from_env(variable, erase, options) }
}
