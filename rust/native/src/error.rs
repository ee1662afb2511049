//! The only place where errors cross the border. Rust because it maps the core's errors.
//!
//! The classes and their texts live in Python (`secretmem.exceptions`, `secretmem._limits`,
//! `secretmem._availability`); they are looked up when an error happens, never at import.

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use secretmem_core::error::{Error, Unavailable};

/// An error of the core on its way to Python.
pub(crate) struct Failure(pub(crate) Error);

/// Result of the border.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        Python::attach(|py| raise(py, failure.0).unwrap_or_else(|lookup| lookup))
    }
}

fn raise(py: Python<'_>, error: Error) -> PyResult<PyErr> {
    let (module, function, args) = match error {
        Error::Unavailable(why) => {
            let (kind, value) = match why {
                Unavailable::Errno(e) => ("errno", i64::from(e)),
                Unavailable::Signal(s) => ("signal", i64::from(s)),
                Unavailable::PageSize(n) => ("page_size", n as i64),
            };
            let args = (kind, value).into_pyobject(py)?.into_any();
            ("secretmem._errors", "unavailable", args)
        }
        Error::Limit { need, what, errno } => {
            let args = (need, what, errno).into_pyobject(py)?.into_any();
            ("secretmem._errors", "limit", args)
        }
        Error::Closed => return simple(py, "closed"),
        Error::Borrowed => return simple(py, "borrowed"),
        Error::Forked => return simple(py, "forked"),
        Error::Configured => return simple(py, "configured"),
        Error::Call { call, errno } => {
            return Ok(PyOSError::new_err((errno, format!("{call}: {}", text_of(errno)))));
        }
        Error::Size { max } => {
            return Ok(PyValueError::new_err(format!("a Secret holds at most {max} bytes")));
        }
        Error::TooLarge { max } => {
            return Ok(PyValueError::new_err(format!(
                "the source holds more than max_size = {max} bytes; pass a larger max_size"
            )));
        }
        Error::Cut { most } => return Ok(PyValueError::new_err(cut(most))),
        Error::NotStream => {
            return Ok(PyValueError::new_err(
                "a datagram or packet socket cuts what does not fit one message; use a stream",
            ));
        }
        Error::Encoding => {
            return Ok(PyValueError::new_err("the text is not valid in this encoding"));
        }
        Error::Json(text) | Error::Pem(text) | Error::Document(text) | Error::Handover(text) => {
            return Ok(PyValueError::new_err(text));
        }
        Error::Key(text) => {
            let args = (text,).into_pyobject(py)?.into_any();
            ("secretmem._errors", "key", args)
        }
        Error::Tag => return simple(py, "tag"),
        Error::Library(function) => {
            return Ok(PyRuntimeError::new_err(format!("{function} failed, for want of memory")));
        }
        Error::Panicked => {
            return Ok(PyRuntimeError::new_err(
                "an operation inside the secret domain panicked; its message is withheld",
            ));
        }
    };
    let error = py.import(module)?.getattr(function)?.call1(args.cast_into()?)?;
    Ok(PyErr::from_value(error))
}

fn cut(most: usize) -> String {
    format!(
        "the terminal cuts a line at {most} bytes, and this one is as long; take a longer secret \
         from a file or a pipe"
    )
}

fn simple(py: Python<'_>, function: &str) -> PyResult<PyErr> {
    let error = py.import("secretmem._errors")?.getattr(function)?.call0()?;
    Ok(PyErr::from_value(error))
}

/// An error of the package by its class and text.
pub(crate) fn named(py: Python<'_>, class: &str, text: &str) -> PyErr {
    let made = py.import("secretmem.exceptions").and_then(|m| m.getattr(class)?.call1((text,)));
    made.map_or_else(|lookup| lookup, PyErr::from_value)
}

/// A `BorrowError` of the package with this text.
pub(crate) fn borrow_error(py: Python<'_>, text: &str) -> PyErr {
    named(py, "BorrowError", text)
}

/// What an errno means. The number is an argument of its own of OSError, which picks its subclass
/// by it.
pub(crate) fn text_of(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
