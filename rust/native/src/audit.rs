//! The residue audit at the border. Rust because the core's searches are handed through.
//!
//! Searching gives the interpreter up; the calls of ptrace(2) do not, since they must come from
//! one thread and are short.

use crate::error::{Failure, Outcome};
use crate::secret::SecretBase;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use secretmem_core::audit::{Hit, Kind, Search, threads};
use secretmem_core::error::Error;
use secretmem_core::kernel::linux;

fn kind(name: &str) -> PyResult<Kind> {
    match name {
        "raw" => Ok(Kind::Raw),
        "password" => Ok(Kind::Password),
        "ed25519" => Ok(Kind::Ed25519),
        "x25519" => Ok(Kind::X25519),
        "aes" => Ok(Kind::Aes),
        "hmac" => Ok(Kind::Hmac),
        "pkcs8" => Ok(Kind::Pkcs8),
        other => Err(PyValueError::new_err(format!("no such kind of key: {other:?}"))),
    }
}

/// Form, address, bytes.
type Seen = (usize, u64, usize);
/// Place and bytes.
type Span = (u64, u64);
/// Key, part, shape, bytes, bytes of a hit.
type Listed = (usize, &'static str, &'static str, usize, usize);

/// Name of a set of registers, and where in it.
type InSet = (&'static str, Seen);

fn seen(hit: &Hit) -> Seen {
    (hit.form, hit.address, hit.size)
}

/// All forms of some keys, to be looked for.
#[pyclass(frozen, module = "secretmem._native")]
pub(crate) struct SearchBase {
    search: Search,
}

#[pymethods]
impl SearchBase {
    /// Takes pairs of a kind and a Secret.
    #[new]
    #[pyo3(signature = (*keys))]
    fn new(keys: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let mut pairs = Vec::new();
        for pair in keys {
            let (name, secret): (String, Bound<'_, SecretBase>) = pair.extract()?;
            pairs.push((kind(&name)?, secret));
        }
        let keys: Vec<_> = pairs.iter().map(|(k, s)| (*k, &s.get().secret)).collect();
        Ok(Self { search: Search::new(&keys).map_err(Failure)? })
    }

    /// What is looked for: (number of the key, part, shape, bytes, bytes that make a hit).
    fn forms(&self) -> Vec<Listed> {
        let forms = self.search.forms().iter();
        forms.map(|f| (f.key, f.part, f.shape, f.len, f.least)).collect()
    }

    /// Looks in a file: hits as (form, place, bytes), what was refused as (place, bytes), and one
    /// past the last place that was looked at.
    #[pyo3(signature = (fd, start, size, /))]
    fn scan(
        &self,
        py: Python<'_>,
        fd: i32,
        start: u64,
        size: u64,
    ) -> Outcome<(Vec<Seen>, Vec<Span>, u64)> {
        let found = py.detach(|| self.search.scan(fd, start, size))?;
        Ok((found.hits.iter().map(seen).collect(), found.unread, found.end))
    }

    /// Looks in the registers of a stopped thread: its stack pointer, and hits as (name of the
    /// set, form, offset, bytes).
    #[pyo3(signature = (thread, /))]
    fn registers(&self, thread: i32) -> Outcome<(u64, Vec<InSet>)> {
        let found = self.search.registers(thread)?;
        let name = |set: usize| linux::REGISTER_SETS.get(set).map_or("", |set| set.name);
        let hits = found.hits.iter().map(|(set, hit)| (name(*set), seen(hit))).collect();
        Ok((found.stack_pointer, hits))
    }

    /// Ends it: all forms are wiped.
    fn close(&self) -> Outcome<()> {
        Ok(self.search.secret().close()?)
    }
}

/// Attaches to a thread and asks it to stop.
#[pyfunction]
#[pyo3(signature = (thread, /))]
pub(crate) fn trace_seize(thread: i32) -> Outcome<()> {
    Ok(threads::seize(thread)?)
}

/// Whether an attached thread has stopped: the signal that `trace_resume` hands on, or 0; None as
/// long as it has not.
#[pyfunction]
#[pyo3(signature = (thread, /))]
pub(crate) fn trace_stopped(thread: i32) -> Outcome<Option<i32>> {
    Ok(threads::stopped(thread)?)
}

/// Detaches from a stopped thread.
#[pyfunction]
#[pyo3(signature = (thread, signal, /))]
pub(crate) fn trace_resume(thread: i32, signal: i32) -> Outcome<()> {
    Ok(threads::resume(thread, signal)?)
}

/// prctl(2) PR_SET_PTRACER: lets a process trace this one.
#[pyfunction]
#[pyo3(signature = (pid, /))]
pub(crate) fn allow_tracer(pid: i32) -> Outcome<()> {
    let failed = |errno| Error::Call { call: "prctl", errno };
    Ok(linux::allow_tracer(pid).map_err(failed)?)
}
