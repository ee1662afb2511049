//! A bounce: one page of secret memory for the copy between a descriptor and a slot. Rust because
//! secret bytes pass through it.
//!
//! A read or write may block although poll(2) said otherwise (another reader was faster, a slow
//! file system). Then only this page is open to the process, never the arena with other secrets,
//! and the secret's slot is neither pinned nor open while a call waits.

use crate::error::{Error, Result};
use crate::kernel::PAGE;
use crate::runtime::{self, Runtime, epoch};
use crate::window::Window;

/// Bytes of a bounce.
pub(crate) const BOUNCE: usize = PAGE;

/// See the module comment.
#[derive(Debug)]
pub(crate) struct Bounce {
    runtime: &'static Runtime,
    window: Option<Window>,
    epoch: u32,
}

impl Bounce {
    pub(crate) fn new() -> Result<Self> {
        let runtime = runtime::get()?;
        let window = Some(runtime.windows.take(BOUNCE, true)?);
        Ok(Self { runtime, window, epoch: epoch() })
    }

    /// Opens the page and gives its address to `use_it`.
    ///
    /// # Errors
    /// [`Error::Forked`] in a child that was forked meanwhile: the page is the parent's.
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
            // A failure unmaps it: the kernel wipes the page.
            let _ = self.runtime.windows.give_back(window, BOUNCE, false);
        }
    }
}
