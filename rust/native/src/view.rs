//! `View`: the context manager of `Secret.reveal`. Rust because it exports a window's address.
//!
//! The window lives until the last export dies. Leaving the `with` block while something still
//! uses the buffer raises `BorrowError` (or adds a note to the exception that is leaving); the
//! window is then an orphan, counted, and wiped when its last user lets go.

#![allow(unsafe_code, reason = "the buffer protocol's slots are unsafe by signature")]

use crate::buffer;
use crate::error::{Failure, borrow_error};
use crate::secret::SecretBase;
use core::ffi::c_int;
use pyo3::exceptions::{PyBufferError, PyRuntimeError};
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use secretmem_core::secret::View as Window;
use std::sync::{Mutex, MutexGuard, PoisonError};

const IN_USE: &str = "a buffer of the view is still in use (a slice, an array or another object \
                      made from it); release it before the with block ends";

#[derive(Default)]
struct State {
    window: Option<Window>,
    memoryview: Option<Py<PyAny>>,
    exports: usize,
    entered: bool,
    orphaned: bool,
}

/// See the module comment.
#[pyclass(frozen, module = "secretmem._native")]
pub(crate) struct View {
    secret: Py<SecretBase>,
    writable: bool,
    state: Mutex<State>,
}

impl View {
    pub(crate) fn new(secret: Py<SecretBase>, writable: bool) -> Self {
        Self { secret, writable, state: Mutex::default() }
    }

    /// Held for a few instructions, never while Python code runs.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An export ended.
    fn released(&self) {
        let mut state = self.state();
        state.exports = state.exports.saturating_sub(1);
        let last = state.exports == 0 && state.orphaned;
        drop(state);
        if last {
            // The protocol has no way to report; the core counts what it could not wipe.
            let _ = self.end(false, false);
        }
    }

    /// Ends the window if nothing uses it. With `orphan`, what is in use becomes an orphan; true
    /// if so.
    fn end(&self, write_back: bool, orphan: bool) -> PyResult<bool> {
        let mut state = self.state();
        if state.exports > 0 {
            if orphan && !state.orphaned && state.window.is_some() {
                state.orphaned = true;
                secretmem_core::runtime::count_orphan(true);
            }
            return Ok(true);
        }
        let (window, orphaned) = (state.window.take(), state.orphaned);
        state.orphaned = false;
        drop(state);
        if orphaned {
            secretmem_core::runtime::count_orphan(false);
        }
        if let Some(window) = window {
            self.secret.get().secret.end(window, write_back).map_err(Failure)?;
        }
        Ok(false)
    }
}

#[pymethods]
impl View {
    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        if core::mem::replace(&mut this.state().entered, true) {
            return Err(PyRuntimeError::new_err("a view is entered once; call reveal() again"));
        }
        let window = this.secret.get().secret.view(this.writable).map_err(Failure)?;
        this.state().window = Some(window);
        let memoryview = match buffer::memoryview(slf.as_any()) {
            Ok(memoryview) => memoryview,
            Err(e) => {
                this.end(false, true)?;
                return Err(e);
            }
        };
        this.state().memoryview = Some(memoryview.clone().unbind());
        Ok(memoryview)
    }

    #[pyo3(signature = (_kind, exception, _traceback, /))]
    fn __exit__(
        slf: &Bound<'_, Self>,
        _kind: &Bound<'_, PyAny>,
        exception: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let (this, py) = (slf.get(), slf.py());
        let memoryview = this.state().memoryview.take();
        if let Some(memoryview) = memoryview {
            match memoryview.bind(py).call_method0(intern!(py, "release")) {
                Err(e) if !e.is_instance_of::<PyBufferError>(py) => return Err(e),
                _ => {}
            }
        }
        let clean = exception.is_none();
        let in_use = this.end(clean && this.writable, true)?;
        if in_use && clean {
            return Err(borrow_error(py, IN_USE));
        }
        if in_use {
            exception.call_method1("add_note", (IN_USE,))?;
        }
        Ok(false)
    }

    unsafe fn __getbuffer__(
        slf: &Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let this = slf.get();
        let mut state = this.state();
        let window = state.window.as_ref().filter(|_| !state.orphaned);
        let Some(window) = window else {
            return Err(PyBufferError::new_err("the view is not open"));
        };
        let (at, len, writable) = (window.address(), window.size(), window.writable());
        state.exports += 1;
        drop(state);
        // SAFETY: the interpreter's own request; the window lives while `exports` is above 0.
        let filled = unsafe { buffer::fill(view, slf.as_any(), at, len, writable, flags) };
        if filled.is_err() {
            this.released();
        }
        filled
    }

    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {
        self.released();
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // A collection runs while no other code of this thread holds the lock.
        let state = self.state.try_lock();
        if let Some(memoryview) = state.ok().as_ref().and_then(|s| s.memoryview.as_ref()) {
            visit.call(memoryview)?;
        }
        visit.call(&self.secret)
    }

    fn __clear__(&self) {
        let memoryview = self.state().memoryview.take();
        drop(memoryview);
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let _ = self.end(false, false);
    }
}
