//! `AreaBase`: the native part of `secretmem.SecretArea`. Rust because it exports the mapping.

#![allow(unsafe_code, reason = "the buffer protocol's slots are unsafe by signature")]

use crate::buffer;
use crate::error::{Failure, borrow_error, named};
use crate::secret::Size;
use core::ffi::c_int;
use pyo3::ffi;
use pyo3::prelude::*;
use secretmem_core::article::SecretArea;
use secretmem_core::mapping::Fork;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct State {
    area: Option<SecretArea>,
    exports: usize,
}

/// A mapping of secretmem with the buffer protocol.
#[pyclass(frozen, subclass, module = "secretmem._native")]
pub(crate) struct AreaBase {
    size: usize,
    state: Mutex<State>,
}

impl AreaBase {
    /// Held for a few instructions, never while Python code runs: a collection could release a
    /// buffer of this very area.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed(py: Python<'_>) -> PyErr {
    named(py, "ClosedError", "the area is closed")
}

fn forked(py: Python<'_>) -> PyErr {
    let text = "this SecretArea is private to the process that made it and is not here in a \
                forked child; fork=\"share\" gives children the same pages";
    named(py, "ForkError", text)
}

#[pymethods]
impl AreaBase {
    #[new]
    #[pyo3(signature = (size, *, share, cloexec, keep_fd))]
    fn new(size: Size, share: bool, cloexec: bool, keep_fd: bool) -> PyResult<Self> {
        let fork = if share { Fork::Share } else { Fork::Private };
        let Size(size) = size;
        let area = SecretArea::new(size, fork, cloexec, keep_fd).map_err(Failure)?;
        Ok(Self { size, state: Mutex::new(State { area: Some(area), exports: 0 }) })
    }

    fn __len__(&self) -> usize {
        self.size
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.state().area.is_none()
    }

    /// The descriptor, or `None` if it was not kept.
    fn _fileno(&self, py: Python<'_>) -> PyResult<Option<i32>> {
        let state = self.state();
        let open = state.area.as_ref().map(SecretArea::fd);
        drop(state);
        open.ok_or_else(|| closed(py))
    }

    /// Unmaps it; with `wipe` the pages are zeroed first, for all who share them.
    #[pyo3(signature = (*, wipe))]
    fn _close(&self, py: Python<'_>, wipe: bool) -> PyResult<()> {
        let mut state = self.state();
        if state.exports > 0 {
            drop(state);
            return Err(borrow_error(py, "a buffer of the area is still in use"));
        }
        if let Some(mut area) = state.area.take().filter(|_| wipe) {
            area.wipe();
        }
        Ok(())
    }

    unsafe fn __getbuffer__(
        slf: &Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let this = slf.get();
        let mut state = this.state();
        let Some(area) = state.area.as_ref() else {
            drop(state);
            return Err(closed(slf.py()));
        };
        if !area.here() {
            drop(state);
            return Err(forked(slf.py()));
        }
        let at = area.address();
        state.exports += 1;
        drop(state);
        // SAFETY: the interpreter's own request; the mapping lives while `exports` is above 0.
        let filled = unsafe { buffer::fill(view, slf.as_any(), at, this.size, true, flags) };
        if filled.is_err() {
            this.state().exports -= 1;
        }
        filled
    }

    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {
        let mut state = self.state();
        state.exports = state.exports.saturating_sub(1);
    }
}
