//! Reading and writing descriptors with the interpreter detached while they wait. Rust because
//! the bytes go straight to and from the core.

use crate::error::Failure;
use pyo3::prelude::*;
use secretmem_core::io::{Reader, Step, Writer};
use secretmem_core::secret::Secret;

/// Runs a reader to its end, with Python's signal handlers on the way. `between` is called when
/// they have run, and at least four times a second while nothing comes; what it raises ends the
/// reading.
pub(crate) fn read_all(
    py: Python<'_>,
    mut reader: Reader,
    between: Option<&Bound<'_, PyAny>>,
) -> PyResult<Reader> {
    loop {
        let step;
        (reader, step) = py.detach(move || {
            let step = reader.step();
            (reader, step)
        });
        match step.map_err(Failure)? {
            Step::Done => return Ok(reader),
            // A signal that came during the read left no EINTR when something was read.
            Step::More | Step::Interrupted => {
                py.check_signals()?;
                if let Some(between) = between {
                    between.call0()?;
                }
            }
        }
    }
}

/// Writes all of a secret, with Python's signal handlers on the way.
pub(crate) fn write_all(py: Python<'_>, fd: i32, secret: &Secret) -> PyResult<()> {
    let mut writer = Writer::new(fd, secret).map_err(Failure)?;
    loop {
        match py.detach(|| writer.step()).map_err(Failure)? {
            Step::Done => return Ok(()),
            // As above.
            Step::More | Step::Interrupted => py.check_signals()?,
        }
    }
}
