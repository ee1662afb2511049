//! A slot on its way to becoming a secret. Rust because secret bytes are put into it.

use crate::arena::Slot;
use crate::asm;
use crate::error::{Error, Result};
use crate::runtime::{self, Runtime, epoch};
use crate::secret::{Options, Secret};

/// A claimed, zeroed slot on its way to becoming a secret. Wiped if it does not.
#[derive(Debug)]
pub(crate) struct Draft {
    runtime: &'static Runtime,
    slot: Option<Slot>,
    len: usize,
    options: Options,
    epoch: u32,
}

impl Draft {
    /// All zero.
    pub(crate) fn new(len: usize, options: Options) -> Result<Self> {
        Ok(Self::filled(len, options, |_| ())?.0)
    }

    /// Gives the open slot to `fill` on the way.
    pub(crate) fn filled<R>(
        len: usize,
        options: Options,
        fill: impl FnOnce(*mut u8) -> R,
    ) -> Result<(Self, R)> {
        let runtime = runtime::get()?;
        let arena = runtime.arena(options.inherit);
        let (slot, filled) = arena.alloc(len, options.isolated, fill)?;
        let draft = Self { runtime, slot: Some(slot), len, options, epoch: epoch() };
        Ok((draft, filled))
    }

    fn check_epoch(&self) -> Result<()> {
        runtime::get()?;
        if self.epoch == epoch() { Ok(()) } else { Err(Error::Forked) }
    }

    pub(crate) fn runtime(&self) -> &'static Runtime {
        self.runtime
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Opens the gate and gives the address to `fill`.
    ///
    /// # Errors
    /// [`Error::Forked`] in a child that was forked meanwhile: the slot is the parent's.
    pub(crate) fn with<R>(&self, fill: impl FnOnce(*mut u8) -> R) -> Result<R> {
        self.check_epoch()?;
        let slot = self.slot.as_ref().ok_or(Error::Closed)?;
        let _open = slot.body().open()?;
        Ok(fill(slot.payload))
    }

    pub(crate) fn finish(mut self) -> Result<Secret> {
        self.check_epoch()?;
        let slot = self.slot.take().ok_or(Error::Closed)?;
        Ok(Secret::of(slot, self.len, self.options, self.epoch))
    }

    /// The secret is the first `len` bytes.
    pub(crate) fn finish_at(self, len: usize) -> Result<Secret> {
        if len == self.len {
            return self.finish();
        }
        self.moved_to(len)?.finish()
    }

    /// The secret is the first `len` bytes, kept as `options` say.
    pub(crate) fn finish_as(self, len: usize, options: Options) -> Result<Secret> {
        if options == self.options {
            return self.finish_at(len);
        }
        self.copied(len, options)?.finish()
    }

    /// A draft of another length with the same first bytes; this one is wiped.
    pub(crate) fn moved_to(self, len: usize) -> Result<Self> {
        let options = self.options;
        self.copied(len, options)
    }

    /// A longer draft with the same first bytes.
    pub(crate) fn enlarged(&self, len: usize) -> Result<Self> {
        self.copied(len, self.options)
    }

    fn copied(&self, len: usize, options: Options) -> Result<Self> {
        let new = Self::new(len, options)?;
        let common = len.min(self.len);
        self.with(|from| {
            // SAFETY: both slots hold `common` bytes, both gates are open, the slots are distinct.
            new.with(|to| unsafe { asm::copy(to, from, common) })
        })??;
        Ok(new)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // In a forked child the slot is the parent's to wipe.
        let mine = self.slot.take().filter(|_| self.epoch == epoch());
        if let Some(slot) = mine {
            // A failure leaves the slot closed and counted.
            let arena = self.runtime.arena(self.options.inherit);
            let _ = arena.free(slot, self.len, self.options.flush);
        }
    }
}
