//! A bounce: pages of secret memory for the copy between a descriptor and a slot, mostly one. Rust
//! because secret bytes pass through it.
//!
//! A read or write may block although poll(2) said otherwise (another reader was faster, a slow
//! file system). Then only these pages are open to the process, never the arena with other
//! secrets, and the secret's slot is neither pinned nor open while a call waits.

use crate::error::{Error, Result};
use crate::kernel::PAGE;
use crate::runtime::{self, Runtime, epoch};
use crate::window::Window;

/// Bytes of a bounce of one page.
pub(crate) const BOUNCE: usize = PAGE;

/// See the module comment.
#[derive(Debug)]
pub(crate) struct Bounce {
    runtime: &'static Runtime,
    window: Option<Window>,
    len: usize,
    epoch: u32,
}

impl Bounce {
    /// One page.
    pub(crate) fn new() -> Result<Self> {
        Self::of(BOUNCE)
    }

    /// At least `len` bytes.
    pub(crate) fn of(len: usize) -> Result<Self> {
        let runtime = runtime::get()?;
        let window = Some(runtime.windows.take(len, true)?);
        Ok(Self { runtime, window, len, epoch: epoch() })
    }

    /// Bytes that were asked for.
    pub(crate) fn size(&self) -> usize {
        self.len
    }

    /// Opens the pages and gives their address to `use_it`.
    ///
    /// # Errors
    /// [`Error::Forked`] in a child that was forked meanwhile: the pages are the parent's.
    pub(crate) fn with<R>(&self, use_it: impl FnOnce(*mut u8) -> R) -> Result<R> {
        runtime::get()?;
        match &self.window {
            Some(window) if self.epoch == epoch() => window.with(use_it),
            _ => Err(Error::Forked),
        }
    }
}

impl Drop for Bounce {
    fn drop(&mut self) {
        let window = self.window.take();
        // In a forked child the window did not come along.
        if let Some(window) = window.filter(|_| self.epoch == epoch()) {
            // A failure unmaps it: the kernel wipes the pages.
            let _ = self.runtime.windows.give_back(window, self.len, false);
        }
    }
}
