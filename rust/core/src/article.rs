//! The article's object: one mapping of memfd_secret(2) as it is, without gate or arena. Rust
//! because it is a mapping.

use crate::error::{Error, Result};
use crate::kernel::{Fd, KERNEL, PAGE, Prot, linux};
use crate::mapping::{Backend, Fork, Mapping, OwnedFd, Spec};
use crate::runtime;

/// Secretmem pages that the program reads and writes itself.
#[derive(Debug)]
pub struct SecretArea {
    mapping: Mapping,
    fd: Option<OwnedFd>,
    len: usize,
    fork: Fork,
    epoch: u32,
}

impl SecretArea {
    /// Maps `len` bytes, zero and present. With `keep_fd` the descriptor stays open: whoever gets
    /// it (SCM_RIGHTS, pidfd_getfd(2), execve(2) without `cloexec`) can map the same pages.
    ///
    /// # Errors
    /// As [`Mapping::create`].
    pub fn new(len: usize, fork: Fork, cloexec: bool, keep_fd: bool) -> Result<Self> {
        // Fork handlers and the refusal of a machine without the call come with the runtime.
        let _ = runtime::get()?;
        // A process that may lock without limit would touch pages until the machine has no more.
        if len > linux::memory_size() {
            return Err(Error::Limit { need: len, what: "area", errno: 0 });
        }
        let pages = len.div_ceil(PAGE).max(1);
        let spec = Spec { kernel: &KERNEL, backend: Backend::MemfdSecret, fork, what: "area" };
        let fd = spec.open_file(pages, cloexec)?;
        let mapping = Mapping::of_file(spec, &fd, pages, Prot::ReadWrite)?;
        let fd = keep_fd.then_some(fd);
        Ok(Self { mapping, fd, len, fork, epoch: runtime::epoch() })
    }

    /// First byte.
    #[must_use]
    pub fn address(&self) -> *mut u8 {
        self.mapping.base()
    }

    /// Length in bytes, as asked for.
    #[must_use]
    pub fn size(&self) -> usize {
        self.len
    }

    /// The descriptor, if kept.
    #[must_use]
    pub fn fd(&self) -> Option<Fd> {
        self.fd.as_ref().map(OwnedFd::raw)
    }

    /// Whether this process has the pages: not in a child of a private area's owner.
    #[must_use]
    pub fn here(&self) -> bool {
        // The check of the fork word comes with `get`.
        self.fork == Fork::Share || (runtime::get().is_ok() && self.epoch == runtime::epoch())
    }

    /// Overwrites all pages with zeros, for every process that shares them.
    pub fn wipe(&mut self) {
        if self.here() {
            // SAFETY: the mapping is ours and open; `&mut` excludes views of this handle.
            unsafe { crate::asm::wipe(self.mapping.base(), self.mapping.size()) };
        }
    }
}
