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

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixStream;

    /// A client, and a server that does not wait for it.
    fn pair() -> (UnixStream, UnixStream) {
        let (client, server) = UnixStream::pair().expect("sockets");
        server.set_nonblocking(true).expect("non-blocking");
        (client, server)
    }

    fn message(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    fn intake(size: usize) -> Intake {
        Intake::new(size, Options::default()).expect("intake")
    }

    #[test]
    fn not_a_byte_past_the_message_is_read() {
        let lengths = [0, 1, FIRST_ROOM, FIRST_ROOM + 1, BOUNCE - 1, BOUNCE, BOUNCE + 1, 50_000];
        for len in lengths {
            let (mut client, mut server) = pair();
            let sent = message(len);
            client.write_all(&sent).expect("sent");
            client.write_all(b"next").expect("sent");
            let mut intake = intake(len);
            for _ in 0..2 {
                assert_eq!(intake.step(server.as_raw_fd()), Ok(Arrival::Complete), "{len}");
            }
            let secret = intake.finish().expect("secret");
            assert_eq!((secret.size(), secret.matches(&sent)), (len, Ok(true)));
            let mut rest = [0; 8];
            assert_eq!(server.read(&mut rest).expect("read"), 4);
            assert_eq!(rest[..4], *b"next");
        }
    }

    #[test]
    fn room_is_taken_for_what_has_arrived() {
        let (mut client, server) = pair();
        let sent = message(200_000);
        let mut intake = intake(sent.len());
        assert_eq!(intake.step(server.as_raw_fd()), Ok(Arrival::Waiting));
        assert_eq!(intake.room(), FIRST_ROOM);
        let mut arrived = 0;
        for piece in sent.chunks(3001) {
            assert!(!intake.complete());
            client.write_all(piece).expect("sent");
            arrived += piece.len();
            let last = arrived == sent.len();
            let expected = if last { Arrival::Complete } else { Arrival::Waiting };
            assert_eq!(intake.step(server.as_raw_fd()), Ok(expected), "{arrived}");
            assert!((arrived..=2 * arrived).contains(&intake.room()), "{arrived}");
        }
        assert!(intake.complete());
        assert_eq!(intake.finish().expect("secret").matches(&sent), Ok(true));
    }

    #[test]
    fn an_end_before_the_end_is_told() {
        let (mut client, server) = pair();
        let mut intake = intake(5000);
        client.write_all(&message(4999)).expect("sent");
        assert_eq!(intake.step(server.as_raw_fd()), Ok(Arrival::Waiting));
        drop(client);
        for _ in 0..2 {
            assert_eq!(intake.step(server.as_raw_fd()), Ok(Arrival::Ended));
        }
        assert!(!intake.complete());
    }

    #[test]
    fn the_secret_is_kept_as_was_asked_for() {
        for (inherit, isolated) in [(false, true), (true, false)] {
            let (mut client, server) = pair();
            client.write_all(b"message").expect("sent");
            let options = Options { inherit, isolated, ..Options::default() };
            let mut intake = Intake::new(7, options).expect("intake");
            assert_eq!(intake.step(server.as_raw_fd()), Ok(Arrival::Complete));
            let secret = intake.finish().expect("secret");
            assert_eq!(secret.options().inherit, inherit);
            assert_eq!(secret.options().isolated, isolated);
            assert_eq!(secret.matches(b"message"), Ok(true));
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let refused = intake(4).step(-1);
        assert_eq!(refused, Err(Error::Call { call: "read", errno: libc::EBADF }));
    }

    #[test]
    #[should_panic(expected = "the whole message")]
    fn half_a_message_is_no_secret() {
        let _ = intake(4).finish();
    }
}
