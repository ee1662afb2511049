//! A message of known length that arrives piece by piece. Rust because read(2) gets secret
//! addresses.
//!
//! Made for servers: a descriptor that does not block is read as far as it goes, and room is taken
//! for what has arrived, not for what was announced. Not a byte past the message is read.

use crate::asm;
use crate::bounce::{BOUNCE, Bounce};
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::kernel::{Fd, KERNEL, Kernel};
use crate::secret::{Options, Secret};

/// First room; most messages have it at once.
const FIRST_ROOM: usize = 1024;

/// What a step found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// All of the message is here.
    Complete,
    /// The descriptor has no more for now.
    Waiting,
    /// The other side ended before the end of the message.
    Ended,
}

/// A message on its way.
#[derive(Debug)]
pub struct Intake {
    size: usize,
    filled: usize,
    /// Private whatever the secret will be: a child forked meanwhile must not see it grow.
    draft: Draft,
    options: Options,
}

impl Intake {
    /// Prepares for a message of `size` bytes.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::Unavailable`].
    pub fn new(size: usize, options: Options) -> Result<Self> {
        let private = Options { inherit: false, isolated: false, ..options };
        let draft = Draft::new(size.min(FIRST_ROOM), private)?;
        Ok(Self { size, filled: 0, draft, options })
    }

    /// Bytes of secret memory that it holds now.
    #[must_use]
    pub fn room(&self) -> usize {
        self.draft.len()
    }

    /// Whether all of it is here.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.filled == self.size
    }

    /// Takes what is there, until the message is whole or the descriptor has no more.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::Forked`], the errno of read(2).
    pub fn step(&mut self, fd: Fd) -> Result<Arrival> {
        if self.complete() {
            return Ok(Arrival::Complete);
        }
        let bounce = Bounce::new()?;
        loop {
            let chunk = (self.size - self.filled).min(BOUNCE);
            // SAFETY: the open bounce page has room for `chunk` bytes.
            let read = bounce.with(|page| unsafe { KERNEL.read(fd, page, chunk) })?;
            match read {
                Ok(0) => return Ok(Arrival::Ended),
                Ok(n) => self.took(&bounce, n)?,
                Err(libc::EINTR) => {}
                Err(libc::EAGAIN) => return Ok(Arrival::Waiting),
                Err(errno) => return Err(Error::Call { call: "read", errno }),
            }
            if self.complete() {
                return Ok(Arrival::Complete);
            }
        }
    }

    fn took(&mut self, bounce: &Bounce, n: usize) -> Result<()> {
        let filled = self.filled;
        if filled + n > self.draft.len() {
            let room = (self.draft.len() * 2).max(filled + n).min(self.size);
            self.draft = self.draft.enlarged(room)?;
        }
        bounce.with(|page| {
            self.draft.with(|at| {
                // SAFETY: both are open; the draft has room for `n` bytes more.
                unsafe { asm::copy(at.wrapping_add(filled), page, n) };
                // SAFETY: the bounce page.
                unsafe { asm::wipe(page, n) };
            })
        })??;
        self.filled += n;
        Ok(())
    }

    /// The message.
    ///
    /// # Errors
    /// [`Error::Limit`].
    ///
    /// # Panics
    /// If it is not complete.
    pub fn finish(self) -> Result<Secret> {
        assert_eq!(self.filled, self.size, "the caller waits for the whole message");
        self.draft.finish_as(self.size, self.options)
    }
}
