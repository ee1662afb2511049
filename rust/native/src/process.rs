//! Functions about the process: settings, statistics, hardening. Rust because each ends in the
//! core or in a system call.

use crate::error::{Failure, Outcome};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use secretmem_core::GateKind;
use secretmem_core::kernel::linux::{self, Probe};
use secretmem_core::mapping::Backend;
use secretmem_core::runtime::{self, Settings};

/// Whether new secrets pass to forked children unless told otherwise.
pub(crate) static INHERIT: AtomicBool = AtomicBool::new(false);

fn backend_name(backend: Backend) -> &'static str {
    match backend {
        Backend::MemfdSecret => "memfd_secret",
        Backend::Mlock => "mlock",
    }
}

fn os_error(errno: i32) -> PyErr {
    PyOSError::new_err((errno, crate::error::text_of(errno)))
}

/// Chooses backend, gate and fork rule before the first use.
#[pyfunction]
#[pyo3(signature = (backend, *, allow_pku, inherit))]
pub(crate) fn settings(backend: &str, allow_pku: bool, inherit: bool) -> PyResult<()> {
    let backend = match backend {
        "memfd_secret" => Backend::MemfdSecret,
        "mlock" => Backend::Mlock,
        other => return Err(PyValueError::new_err(format!("no such backend: {other:?}"))),
    };
    runtime::configure(Settings { backend, allow_pku }).map_err(Failure)?;
    INHERIT.store(inherit, Relaxed);
    Ok(())
}

/// Makes the runtime now.
#[pyfunction]
pub(crate) fn start() -> Outcome<()> {
    runtime::get()?;
    Ok(())
}

/// Whether the runtime exists.
#[pyfunction]
pub(crate) fn started() -> bool {
    runtime::started()
}

/// What the runtime holds, as numbers and names.
#[pyfunction]
pub(crate) fn stats(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let stats = runtime::get().map_err(Failure)?.stats();
    let out = PyDict::new(py);
    out.set_item("backend", backend_name(stats.backend))?;
    let gate = match stats.gate {
        GateKind::Pku => "pku",
        GateKind::Mprotect => "mprotect",
    };
    out.set_item("gate", gate)?;
    out.set_item("areas", stats.private.areas + stats.inherit.areas)?;
    out.set_item("area_bytes", stats.private.bytes + stats.inherit.bytes)?;
    out.set_item("live", stats.private.live + stats.inherit.live)?;
    out.set_item("live_inherit", stats.inherit.live)?;
    out.set_item("unwiped", stats.private.unwiped + stats.inherit.unwiped)?;
    out.set_item("stacks", stats.stacks)?;
    out.set_item("stacks_in_use", stats.stacks_in_use)?;
    out.set_item("stack_bytes", stats.stack_bytes)?;
    out.set_item("heap_blocks", stats.heap_blocks)?;
    out.set_item("heap_bytes", stats.heap_bytes)?;
    out.set_item("views_open", stats.windows.open)?;
    out.set_item("views_orphaned", stats.windows.orphaned)?;
    out.set_item("window_bytes", stats.windows.bytes)?;
    out.set_item("epoch", stats.epoch)?;
    Ok(out)
}

/// Gives idle areas and windows back to the kernel; returns bytes.
#[pyfunction]
pub(crate) fn trim() -> Outcome<usize> {
    Ok(if runtime::started() { runtime::get()?.trim() } else { 0 })
}

/// Calls memfd_secret(2) in a child that a filter may kill: "ok", "errno" or "signal", and the
/// number.
#[pyfunction]
pub(crate) fn probe() -> PyResult<(&'static str, i32)> {
    match linux::probe_in_child(linux::Ask::MemfdSecret).map_err(os_error)? {
        Probe::Ok => Ok(("ok", 0)),
        Probe::Errno(e) => Ok(("errno", e)),
        Probe::Killed(s) => Ok(("signal", s)),
    }
}

/// memfd_secret(2) itself.
#[pyfunction]
#[pyo3(signature = (flags, /))]
pub(crate) fn memfd_secret(flags: u32) -> PyResult<i32> {
    secretmem_core::ops::memfd_secret(flags).map_err(os_error)
}

/// prctl(2) PR_GET_DUMPABLE.
#[pyfunction]
pub(crate) fn dumpable() -> bool {
    linux::dumpable()
}

/// prctl(2) PR_SET_DUMPABLE.
#[pyfunction]
#[pyo3(signature = (dumpable, /))]
pub(crate) fn set_dumpable(dumpable: bool) -> PyResult<()> {
    linux::set_dumpable(dumpable).map_err(os_error)
}

/// prctl(2) PR_SET_NO_NEW_PRIVS.
#[pyfunction]
pub(crate) fn set_no_new_privs() -> PyResult<()> {
    linux::set_no_new_privs().map_err(os_error)
}

/// prctl(2) PR_SET_SPECULATION_CTRL: 0 store bypass, 1 indirect branch.
#[pyfunction]
#[pyo3(signature = (which, /))]
pub(crate) fn disable_speculation(which: i32) -> PyResult<()> {
    linux::disable_speculation(which).map_err(os_error)
}

/// Whether a seccomp filter is installed.
#[pyfunction]
pub(crate) fn seccomp_active() -> bool {
    linux::seccomp_active()
}

/// Whether the program runs with more privilege than its caller (AT_SECURE).
#[pyfunction]
pub(crate) fn secure_exec() -> bool {
    linux::secure_exec()
}

/// How this extension was built.
#[pyfunction]
pub(crate) fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let out = PyDict::new(py);
    out.set_item("version", env!("CARGO_PKG_VERSION"))?;
    out.set_item("profile", if cfg!(debug_assertions) { "debug" } else { "release" })?;
    out.set_item("architecture", std::env::consts::ARCH)?;
    let (library, commit) = secretmem_core::crypto::LIBRARY;
    out.set_item("crypto_library", library)?;
    out.set_item("crypto_commit", commit)?;
    out.set_item("crypto_flags", secretmem_core::crypto::FLAGS)?;
    out.set_item("crypto_validation", "not FIPS validated")?;
    out.set_item("fault_injection", cfg!(feature = "fault"))?;
    Ok(out)
}

/// Lets the nth system call of the core from now fail. Test builds only.
#[cfg(feature = "fault")]
#[pyfunction]
pub(crate) fn fault_arm(nth: u32, errno: i32, persistent: bool) {
    secretmem_core::kernel::KERNEL.arm(nth, errno, persistent);
}

/// Ends the faults; returns how many calls failed.
#[cfg(feature = "fault")]
#[pyfunction]
pub(crate) fn fault_disarm() -> i64 {
    secretmem_core::kernel::KERNEL.disarm()
}
