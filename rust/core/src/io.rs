//! Secrets from and to descriptors. Rust because read(2) and write(2) get secret addresses.
//!
//! The kernel copies straight between its buffers and secret memory; no object of the
//! interpreter ever holds a byte. The call works on a bounce page of its own, so nothing else is
//! open while it waits; poll(2) waits before, with all closed.

use crate::asm;
use crate::bounce::{BOUNCE, Bounce};
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::kernel::{Fd, KERNEL, Kernel};
use crate::ops::bounds;
use crate::secret::{Options, Secret};

/// First room for a source that does not tell its size.
const FIRST_ROOM: usize = 4096 - 64;

/// What the driver of a terminal passes of one line (termios(3), `N_TTY_BUF_SIZE` of the kernel's
/// drivers/tty/n_tty.c): it drops the rest up to the newline and tells nobody.
const MOST_OF_LINE: usize = 4095;

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
    /// At the first newline, which is not kept, or at the end. Of a terminal, a part as long as
    /// it passes at most is refused, for it may have been cut.
    Line,
}

/// Reads a descriptor into a secret.
#[derive(Debug)]
pub struct Reader {
    fd: Fd,
    until: Until,
    /// It cuts long lines.
    terminal: bool,
    max: usize,
    /// Private whatever the secret will be: a child forked meanwhile must not see it grow.
    draft: Draft,
    bounce: Bounce,
    options: Options,
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
        check_stream(fd)?;
        let info = KERNEL.fstat(fd).map_err(|errno| Error::Call { call: "fstat", errno })?;
        let room = match info.regular_left {
            Some(size) if size > max => return Err(Error::TooLarge { max }),
            Some(size) if size > 0 => size,
            _ => FIRST_ROOM.min(max),
        };
        let draft = Draft::new(room, Options { inherit: false, isolated: false, ..options })?;
        let bounce = Bounce::new()?;
        let terminal = info.character;
        Ok(Self { fd, until, terminal, max, draft, bounce, options, filled: 0, line: false })
    }

    /// Waits for input, reads once. May block; takes no lock of the interpreter.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Cut`], [`Error::Limit`], [`Error::Forked`], the errno of
    /// poll(2) or read(2).
    pub fn step(&mut self) -> Result<Step> {
        match KERNEL.poll(self.fd, false) {
            Ok(()) => {}
            Err(libc::EINTR) => return Ok(Step::Interrupted),
            Err(errno) => return Err(Error::Call { call: "poll", errno }),
        }
        // SAFETY: the open bounce page.
        let read = self.bounce.with(|page| unsafe { KERNEL.read(self.fd, page, BOUNCE) })?;
        match read {
            Ok(0) => Ok(Step::Done),
            Ok(n) => self.took(n),
            Err(libc::EINTR) => Ok(Step::Interrupted),
            Err(libc::EAGAIN) => Ok(Step::More),
            Err(errno) => Err(Error::Call { call: "read", errno }),
        }
    }

    /// Takes `n` bytes from the bounce page.
    fn took(&mut self, n: usize) -> Result<Step> {
        if self.filled + n > self.draft.len() {
            self.grow(self.filled + n)?;
        }
        let filled = self.filled;
        self.bounce.with(|page| {
            self.draft.with(|at| {
                // SAFETY: both are open; the draft has room for `n` bytes more.
                unsafe { asm::copy(at.wrapping_add(filled), page, n) };
                // SAFETY: the bounce page.
                unsafe { asm::wipe(page, n) };
            })
        })??;
        self.filled += n;
        let line = if self.until == Until::Line { self.newline()? } else { None };
        self.filled = line.unwrap_or(self.filled);
        if self.filled > self.max {
            return Err(Error::TooLarge { max: self.max });
        }
        // One read gives at most one line.
        if self.terminal && self.until == Until::Line && self.filled - filled >= MOST_OF_LINE {
            return Err(Error::Cut { most: MOST_OF_LINE });
        }
        self.line = line.is_some();
        Ok(if self.line { Step::Done } else { Step::More })
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

    fn grow(&mut self, least: usize) -> Result<()> {
        let most = self.max.saturating_add(BOUNCE).max(least);
        let room = (self.draft.len() * 2).clamp(least, most);
        let new = self.draft.enlarged(room)?;
        self.draft = new;
        Ok(())
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
            return self.draft.finish_as(self.filled, self.options);
        }
        let (runtime, filled) = (self.draft.runtime(), self.filled);
        // SAFETY: the filled part of the open slot.
        let (start, end) = self.draft.with(|at| unsafe { bounds(runtime, at, filled) })??;
        self.draft.with(|at| {
            // SAFETY: within the slot; the copy goes down or nowhere.
            unsafe { asm::copy(at, at.wrapping_add(start), end - start) };
        })?;
        self.draft.finish_as(end - start, self.options)
    }
}

/// Writes a secret to a descriptor.
#[derive(Debug)]
pub struct Writer<'a> {
    fd: Fd,
    secret: &'a Secret,
    bounce: Bounce,
    written: usize,
}

impl<'a> Writer<'a> {
    /// Prepares to write all of it.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::NotStream`].
    pub fn new(fd: Fd, secret: &'a Secret) -> Result<Self> {
        check_stream(fd)?;
        Ok(Self { fd, secret, bounce: Bounce::new()?, written: 0 })
    }

    /// Waits for room, writes once. May block; takes no lock of the interpreter, and holds the
    /// secret only while it copies the next bytes.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Borrowed`], [`Error::Forked`], the errno of poll(2) or write(2).
    pub fn step(&mut self) -> Result<Step> {
        // A pipe that polls ready takes a page without blocking (PIPE_BUF, pipe(7)).
        let chunk = (self.secret.size() - self.written).min(BOUNCE);
        // A handler or another thread may have closed it while the last step waited.
        drop(self.secret.pin()?);
        if chunk == 0 {
            return Ok(Step::Done);
        }
        match KERNEL.poll(self.fd, true) {
            Ok(()) => {}
            Err(libc::EINTR) => return Ok(Step::Interrupted),
            Err(errno) => return Err(Error::Call { call: "poll", errno }),
        }
        self.load(chunk)?;
        // SAFETY: the open bounce page.
        let n = self.bounce.with(|page| unsafe { KERNEL.write(self.fd, page, chunk) })?;
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

    /// Copies the next bytes to the bounce page.
    fn load(&self, chunk: usize) -> Result<()> {
        let pinned = self.secret.pin()?;
        pinned.with(|from| {
            let from = from.wrapping_add(self.written);
            // SAFETY: both are open; `chunk` bytes of the secret are left.
            self.bounce.with(|page| unsafe { asm::copy(page, from, chunk) })
        })?
    }
}

/// Refuses sockets that cut or drop what does not fit one message.
pub(crate) fn check_stream(fd: Fd) -> Result<()> {
    match KERNEL.socket_type(fd) {
        Ok(Some(kind)) if kind != libc::SOCK_STREAM => Err(Error::NotStream),
        Ok(_) => Ok(()),
        Err(errno) => Err(Error::Call { call: "fstat", errno }),
    }
}
