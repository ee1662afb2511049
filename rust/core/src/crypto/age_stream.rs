//! The payload of age files: STREAM over ChaCha20-Poly1305. Rust because it holds plaintext.
//!
//! The plaintext is cut into chunks of 64 KiB; the nonce of a chunk is its number and a byte that
//! marks the last one (age-encryption.org/v1, section "Payload"). Either all of it goes to or
//! comes from a secret, or a [`Stream`] moves it chunk by chunk between a descriptor and
//! ciphertext, over secret pages of its own.

use super::aead::{Call, Cipher, Direction, Header, TAG_SIZE};
use crate::asm;
use crate::bounce::{BOUNCE, Bounce};
use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::io::{Step, check_stream};
use crate::kernel::{Fd, KERNEL, Kernel};
use crate::secret::{Options, Secret};

/// Bytes of plaintext in every chunk but the last.
pub const CHUNK: usize = 64 << 10;
/// Bytes of the key of a payload.
pub const KEY_SIZE: usize = 32;

pub(super) const SEALED: usize = CHUNK + TAG_SIZE;
const NONCE: usize = 12;

/// Bytes of the ciphertext of `len` bytes: an empty message has one chunk too.
#[must_use]
pub fn sealed_size(len: usize) -> usize {
    len + len.div_ceil(CHUNK).max(1) * TAG_SIZE
}

/// Bytes of the plaintext, if `len` is the length of a ciphertext.
pub(super) fn opened_size(len: usize) -> Option<usize> {
    let plain = len.checked_sub(len.div_ceil(SEALED).max(1) * TAG_SIZE)?;
    (sealed_size(plain) == len).then_some(plain)
}

fn nonce(number: u64, last: bool) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    for (to, byte) in nonce.iter_mut().skip(3).zip(number.to_be_bytes()) {
        *to = byte;
    }
    nonce[NONCE - 1] = u8::from(last);
    nonce
}

fn check(key: &Secret) -> Result<()> {
    if key.size() == KEY_SIZE {
        return Ok(());
    }
    Err(Error::Key("the key of a payload has 32 bytes"))
}

/// Inside the domain: one chunk, from and to addresses. False if its tag is wrong.
///
/// # Safety
/// `key` is readable for [`KEY_SIZE`] bytes, the others for and to their lengths.
unsafe fn chunk(
    direction: Direction,
    key: *const u8,
    nonce: &[u8; NONCE],
    (input, input_len): (*const u8, usize),
    (output, output_len): (*mut u8, usize),
) -> bool {
    let method = Cipher::ChaCha20Poly1305.method(KEY_SIZE);
    let header = Header { nonce, aad: &[] };
    let call = Call { method, header, direction, input, input_len, output, output_len };
    // SAFETY: as the caller promises.
    unsafe { call.run(key, KEY_SIZE) }.is_some()
}

/// Inside the domain: all chunks of a payload. False if a tag is wrong.
///
/// # Safety
/// As [`chunk`]; the output has the length that belongs to the input's.
unsafe fn every_chunk(
    direction: Direction,
    key: *const u8,
    (input, input_len): (*const u8, usize),
    (output, output_len): (*mut u8, usize),
) -> bool {
    let (from, to) = match direction {
        Direction::Seal => (CHUNK, SEALED),
        Direction::Open => (SEALED, CHUNK),
    };
    let (mut read, mut written, mut number) = (0, 0, 0);
    loop {
        let (taken, given) = (from.min(input_len - read), to.min(output_len - written));
        let last = read + taken == input_len;
        let (input, output) = (input.wrapping_add(read), output.wrapping_add(written));
        let nonce = nonce(number, last);
        // SAFETY: as the caller promises.
        let done = unsafe { chunk(direction, key, &nonce, (input, taken), (output, given)) };
        if !done || last {
            return done;
        }
        (read, written, number) = (read + taken, written + given, number + 1);
    }
}

/// Opens a whole payload into a new secret.
///
/// # Errors
/// [`Error::Tag`] if it is damaged or not whole, or as every use of a secret.
pub fn open(key: &Secret, payload: &[u8], options: Options) -> Result<Secret> {
    check(key)?;
    let len = opened_size(payload.len()).ok_or(Error::Tag)?;
    let pinned = key.pin()?;
    let draft = Draft::new(len, options)?;
    let input = (payload.as_ptr(), payload.len());
    let opened = pinned.with(|key| {
        draft.with(|to| {
            domain::run(pinned.runtime, || {
                // SAFETY: key and draft are open; the draft has the plaintext's length.
                unsafe { every_chunk(Direction::Open, key, input, (to, len)) }
            })
        })
    })???;
    if opened { draft.finish() } else { Err(Error::Tag) }
}

/// Seals a message: `out` has [`sealed_size`] bytes.
///
/// # Errors
/// As every use of a secret.
pub fn seal(key: &Secret, message: &[u8], out: &mut [u8]) -> Result<()> {
    // SAFETY: a slice.
    unsafe { seal_from(key, message.as_ptr(), message.len(), out) }
}

/// Seals a secret.
///
/// # Errors
/// As every use of a secret.
pub fn seal_secret(key: &Secret, message: &Secret, out: &mut [u8]) -> Result<()> {
    let pinned = message.pin()?;
    // SAFETY: the slot is open and holds that many bytes.
    pinned.with(|at| unsafe { seal_from(key, at, message.size(), out) })?
}

/// # Safety
/// `at` is readable for `len` bytes.
unsafe fn seal_from(key: &Secret, at: *const u8, len: usize, out: &mut [u8]) -> Result<()> {
    check(key)?;
    if out.len() != sealed_size(len) {
        return Err(Error::Key("the output has not the length of the ciphertext"));
    }
    let pinned = key.pin()?;
    let output = (out.as_mut_ptr(), out.len());
    let sealed = pinned.with(|key| {
        domain::run(pinned.runtime, || {
            // SAFETY: the key is open; the buffers have the lengths given.
            unsafe { every_chunk(Direction::Seal, key, (at, len), output) }
        })
    })??;
    if sealed { Ok(()) } else { Err(Error::Library("EVP_AEAD_CTX_seal")) }
}

/// A payload on its way between a descriptor, which has the plaintext, and ciphertext.
#[derive(Debug)]
pub struct Stream {
    key: Secret,
    /// As long as the longest chunk so far.
    pages: Option<Bounce>,
    /// What was read behind a full chunk, to know whether there is more.
    ahead: Option<Bounce>,
    looked_ahead: usize,
    filled: usize,
    written: usize,
    number: u64,
    /// The plaintext of the descriptor has ended.
    end: bool,
    /// The last chunk was sealed or opened.
    ended: bool,
}

impl Stream {
    /// A payload under a copy of `key`.
    ///
    /// # Errors
    /// [`Error::Key`] for another length, or as every use of a secret.
    pub fn new(key: &Secret) -> Result<Self> {
        check(key)?;
        Ok(Self {
            key: key.duplicate(Options::default())?,
            pages: None,
            ahead: None,
            looked_ahead: 0,
            filled: 0,
            written: 0,
            number: 0,
            end: false,
            ended: false,
        })
    }

    /// Whether the last chunk was sealed or opened.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Bytes of plaintext that the pages hold.
    #[must_use]
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// The nonce of the next chunk, which does not count yet.
    fn nonce(&self, last: bool) -> Result<[u8; NONCE]> {
        if self.ended || self.number == u64::MAX {
            return Err(Error::Key("the payload has ended"));
        }
        Ok(nonce(self.number, last))
    }

    fn count(&mut self, last: bool) {
        self.number += 1;
        self.ended = last;
    }

    /// Opens the next chunk onto the pages. One that is refused leaves the stream as it was.
    ///
    /// # Errors
    /// [`Error::Tag`] if it is damaged or not the one that comes next; [`Error::Key`] after the
    /// last one, or as every use of a secret.
    pub fn open(&mut self, sealed: &[u8], last: bool) -> Result<()> {
        let len = sealed.len().checked_sub(TAG_SIZE).ok_or(Error::Tag)?;
        // Only a message of no bytes ends with a chunk of no bytes.
        let fits = if last { len <= CHUNK && (len > 0 || self.number == 0) } else { len == CHUNK };
        if !fits {
            return Err(Error::Tag);
        }
        let nonce = self.nonce(last)?;
        let pages = room(&mut self.pages, len)?;
        let pinned = self.key.pin()?;
        let input = (sealed.as_ptr(), sealed.len());
        let opened = pinned.with(|key| {
            pages.with(|to| {
                domain::run(pinned.runtime, || {
                    // SAFETY: key and pages are open; the plaintext fits the pages.
                    unsafe { chunk(Direction::Open, key, &nonce, input, (to, len)) }
                })
            })
        })???;
        drop(pinned);
        if !opened {
            return Err(Error::Tag);
        }
        (self.filled, self.written) = (len, 0);
        self.count(last);
        Ok(())
    }

    /// Waits for room, writes once from the pages. May block; takes no lock of the interpreter.
    /// While it writes, these pages are open to the process and nothing else is.
    ///
    /// # Errors
    /// The errno of poll(2) or write(2), [`Error::NotStream`], [`Error::Forked`].
    pub fn write(&mut self, fd: Fd) -> Result<Step> {
        let left = self.filled - self.written;
        if left == 0 {
            return Ok(Step::Done);
        }
        if !ready(fd, true)? {
            return Ok(Step::Interrupted);
        }
        let written = self.written;
        let pages = room(&mut self.pages, self.filled)?;
        // SAFETY: the open pages, filled as far as that.
        let wrote =
            pages.with(|page| unsafe { KERNEL.write(fd, page.wrapping_add(written), left) })?;
        match wrote {
            Ok(n) => {
                self.written += n;
                Ok(if n == left { Step::Done } else { Step::More })
            }
            Err(libc::EINTR) => Ok(Step::Interrupted),
            Err(libc::EAGAIN) => Ok(Step::More),
            Err(errno) => Err(Error::Call { call: "write", errno }),
        }
    }

    /// Waits for input, reads once to the pages; [`Step::Done`] when there is a chunk to seal.
    ///
    /// # Errors
    /// As [`Stream::write`].
    pub fn read(&mut self, fd: Fd) -> Result<Step> {
        if self.end || (self.filled == CHUNK && self.looked_ahead > 0) {
            return Ok(Step::Done);
        }
        if !ready(fd, false)? {
            return Ok(Step::Interrupted);
        }
        let filled = self.filled;
        let read = if filled < CHUNK {
            let pages = self.room_behind(filled)?;
            let left = pages.size() - filled;
            // SAFETY: the open pages, which have that room.
            pages.with(|page| unsafe { KERNEL.read(fd, page.wrapping_add(filled), left) })
        } else {
            // SAFETY: the open page.
            room(&mut self.ahead, 1)?.with(|page| unsafe { KERNEL.read(fd, page, 1) })
        };
        match read? {
            Ok(0) => self.end = true,
            Ok(n) if filled < CHUNK => self.filled += n,
            Ok(n) => self.looked_ahead = n,
            Err(libc::EINTR) => return Ok(Step::Interrupted),
            Err(libc::EAGAIN) => {}
            Err(errno) => return Err(Error::Call { call: "read", errno }),
        }
        let full = self.end || self.looked_ahead > 0;
        Ok(if full { Step::Done } else { Step::More })
    }

    /// Pages with room behind the first `filled` bytes, which they keep. They double from one page
    /// on: a short message takes few.
    fn room_behind(&mut self, filled: usize) -> Result<&Bounce> {
        if let Some(old) = self.pages.as_ref().filter(|have| have.size() == filled) {
            let new = Bounce::of((2 * filled).min(CHUNK))?;
            old.with(|from| {
                // SAFETY: both are open, and the new ones are longer.
                new.with(|to| unsafe { asm::copy(to, from, filled) })
            })??;
            self.pages = Some(new);
        }
        room(&mut self.pages, BOUNCE)
    }

    /// Seals what was read: `out` is [`TAG_SIZE`] longer than [`Stream::filled`].
    ///
    /// # Errors
    /// [`Error::Key`] after the last chunk or for another length, or as every use of a secret.
    pub fn seal(&mut self, out: &mut [u8]) -> Result<()> {
        let len = self.filled;
        if out.len() != len + TAG_SIZE {
            return Err(Error::Key("the output is as long as chunk and tag"));
        }
        let last = self.end;
        let nonce = self.nonce(last)?;
        let pages = room(&mut self.pages, len)?;
        let pinned = self.key.pin()?;
        let output = (out.as_mut_ptr(), out.len());
        let sealed = pinned.with(|key| {
            pages.with(|from| {
                domain::run(pinned.runtime, || {
                    // SAFETY: key and pages are open; the output has a tag's room more.
                    unsafe { chunk(Direction::Seal, key, &nonce, (from, len), output) }
                })
            })
        })???;
        drop(pinned);
        if !sealed {
            return Err(Error::Library("EVP_AEAD_CTX_seal"));
        }
        self.count(last);
        self.take_ahead()
    }

    /// The byte that was read ahead is the first of the next chunk.
    fn take_ahead(&mut self) -> Result<()> {
        let ahead = core::mem::take(&mut self.looked_ahead);
        self.filled = ahead;
        if ahead == 0 {
            return Ok(());
        }
        let (pages, behind) = (room(&mut self.pages, 1)?, room(&mut self.ahead, 1)?);
        pages.with(|to| {
            behind.with(|from| {
                // SAFETY: both are open; no more than one byte was read.
                unsafe { asm::copy(to, from, ahead) };
            })
        })?
    }
}

/// Pages for `len` bytes: those that are there, or new ones, without what was on the old ones.
/// A chunk of a small file does not take the pages of a long one.
fn room(pages: &mut Option<Bounce>, len: usize) -> Result<&Bounce> {
    if let Some(small) = pages.take_if(|have| have.size() < len) {
        drop(small);
    }
    match pages {
        Some(enough) => Ok(enough),
        none => Ok(none.insert(Bounce::of(len)?)),
    }
}

/// Waits for a descriptor; false if a signal came first.
fn ready(fd: Fd, output: bool) -> Result<bool> {
    check_stream(fd)?;
    match KERNEL.poll(fd, output) {
        Ok(()) => Ok(true),
        Err(libc::EINTR) => Ok(false),
        Err(errno) => Err(Error::Call { call: "poll", errno }),
    }
}
