//! Secrets from and to descriptors. Rust because read(2) and write(2) get the slot's address.
//!
//! The kernel copies straight between its buffers and secret memory; no object of the
//! interpreter ever holds a byte. The gate is open for the length of one call only: poll(2)
//! waits before, with the gate closed.

use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::kernel::{Fd, Kernel};
use crate::ops::bounds;
use crate::secret::{Options, Secret};

/// First room for a source that does not tell its size.
const FIRST_ROOM: usize = 4096 - 64;
/// A pipe that polls ready takes this much without blocking (PIPE_BUF, pipe(7)).
const CHUNK: usize = 4096;

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Something was moved; there may be more.
    More,
    /// The end.
    Done,
    /// A signal came first: look at it, then go on.
    Interrupted,
}

/// Where a read ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// At the end of the file.
    End,
    /// At the first newline, which is not kept, or at the end: one line of a terminal.
    Line,
}

/// Reads a descriptor into a secret.
#[derive(Debug)]
pub struct Reader {
    fd: Fd,
    until: Until,
    max: usize,
    draft: Draft,
    filled: usize,
    /// A newline was seen.
    line: bool,
}

impl Reader {
    /// Prepares to read at most `max` bytes.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::Unavailable`], [`Error::TooLarge`] for a regular file whose size
    /// says so, fstat(2)'s errno.
    pub fn new(fd: Fd, until: Until, max: usize, options: Options) -> Result<Self> {
        let info = crate::kernel::KERNEL.fstat(fd);
        let info = info.map_err(|errno| Error::Call { call: "fstat", errno })?;
        let room = match info.regular_left {
            Some(size) if size > max => return Err(Error::TooLarge { max }),
            // One more byte finds the end of the file without growing.
            Some(size) if size > 0 => size + 1,
            _ => FIRST_ROOM.min(max.saturating_add(1)),
        };
        let draft = Draft::new(room, options)?;
        Ok(Self { fd, until, max, draft, filled: 0, line: false })
    }

    /// Waits for input, reads once. May block; takes no lock of the interpreter.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Limit`], the errno of poll(2) or read(2).
    pub fn step(&mut self) -> Result<Step> {
        let kernel = self.draft.runtime().kernel;
        match kernel.poll(self.fd, false) {
            Ok(()) => {}
            Err(libc::EINTR) => return Ok(Step::Interrupted),
            Err(errno) => {
                return Err(Error::Call { call: "poll", errno });
            }
        }
        if self.filled == self.draft.len() {
            self.grow()?;
        }
        let (fd, filled, room) = (self.fd, self.filled, self.draft.len() - self.filled);
        // SAFETY: the rest of the open slot.
        let read =
            self.draft.with(|at| unsafe { kernel.read(fd, at.wrapping_add(filled), room) })?;
        match read {
            Ok(0) => Ok(Step::Done),
            Ok(n) => self.took(n),
            Err(libc::EINTR) => Ok(Step::Interrupted),
            Err(libc::EAGAIN) => Ok(Step::More),
            Err(errno) => Err(Error::Call { call: "read", errno }),
        }
    }

    fn took(&mut self, n: usize) -> Result<Step> {
        self.filled += n;
        let line = if self.until == Until::Line { self.newline()? } else { None };
        if let Some(at) = line {
            self.filled = at;
            self.line = true;
            return Ok(Step::Done);
        }
        if self.filled > self.max {
            return Err(Error::TooLarge { max: self.max });
        }
        Ok(Step::More)
    }

    /// Where the first newline is: looked for in the domain.
    fn newline(&self) -> Result<Option<usize>> {
        let filled = self.filled;
        self.draft.with(|at| {
            crate::domain::run(self.draft.runtime(), || {
                // SAFETY: the filled part of the open slot.
                let bytes = unsafe { core::slice::from_raw_parts(at, filled) };
                bytes.iter().position(|b| *b == b'\n')
            })
        })?
    }

    fn grow(&mut self) -> Result<()> {
        let most = self.max.saturating_add(1);
        let room = (self.draft.len() * 2).min(most).max(self.filled + 1);
        let new = Draft::new(room, self.draft.options())?;
        let (filled, old) = (self.filled, core::mem::replace(&mut self.draft, new));
        old.with(|from| {
            // SAFETY: both slots hold at least `filled` bytes, are open and distinct.
            self.draft.with(|to| unsafe { crate::asm::copy(to, from, filled) })
        })?
    }

    /// Whether anything was read at all: false at once at the end of a terminal's input.
    #[must_use]
    pub fn any(&self) -> bool {
        self.filled > 0 || self.line
    }

    /// The secret, without white space at its ends if `strip`.
    ///
    /// # Errors
    /// [`Error::Limit`].
    pub fn finish(self, strip: bool) -> Result<Secret> {
        if !strip {
            return self.draft.finish_at(self.filled);
        }
        let (runtime, filled) = (self.draft.runtime(), self.filled);
        // SAFETY: the filled part of the open slot.
        let (start, end) = self.draft.with(|at| unsafe { bounds(runtime, at, filled) })??;
        self.draft.with(|at| {
            // SAFETY: within the slot; the copy goes down or nowhere.
            unsafe { crate::asm::copy(at, at.wrapping_add(start), end - start) };
        })?;
        self.draft.finish_at(end - start)
    }
}

/// Writes a secret to a descriptor.
#[derive(Debug)]
pub struct Writer<'a> {
    fd: Fd,
    secret: &'a Secret,
    written: usize,
}

impl<'a> Writer<'a> {
    /// Prepares to write all of it.
    #[must_use]
    pub fn new(fd: Fd, secret: &'a Secret) -> Self {
        Self { fd, secret, written: 0 }
    }

    /// Waits for room, writes once. May block; takes no lock of the interpreter.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Borrowed`], [`Error::Forked`], the errno of poll(2) or write(2).
    pub fn step(&mut self) -> Result<Step> {
        let left = self.secret.size() - self.written;
        let pinned = self.secret.pin()?;
        let kernel = pinned.runtime.kernel;
        if left == 0 {
            return Ok(Step::Done);
        }
        match kernel.poll(self.fd, true) {
            Ok(()) => {}
            Err(libc::EINTR) => return Ok(Step::Interrupted),
            Err(errno) => {
                return Err(Error::Call { call: "poll", errno });
            }
        }
        let (fd, done, chunk) = (self.fd, self.written, left.min(CHUNK));
        // SAFETY: a part of the open slot.
        let n = pinned.with(|at| unsafe { kernel.write(fd, at.wrapping_add(done), chunk) })?;
        match n {
            Ok(n) => {
                self.written += n;
                Ok(if self.written == self.secret.size() { Step::Done } else { Step::More })
            }
            Err(libc::EINTR) => Ok(Step::Interrupted),
            Err(libc::EAGAIN) => Ok(Step::More),
            Err(errno) => Err(Error::Call { call: "write", errno }),
        }
    }
}
