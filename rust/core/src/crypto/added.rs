//! Private keys in the add messages of the SSH agent protocol (RFC 9987, section 5.2). Rust
//! because they are private keys.
//!
//! The fields of a key are those of a private key file ([`super::ssh`]); with a certificate, the
//! public numbers of RSA and ECDSA come from it. What is public leaves as bytes: certificate,
//! comment and constraints, which Python reads.

use super::ed25519;
use super::object;
use super::pkey;
use super::ssh::{self, Parts, field};
use crate::asm;
use crate::domain::{self, Room};
use crate::error::{Error, Result};
use crate::ops::Range;
use crate::secret::{Options, Pinned, Secret};
use aws_lc_sys as lc;
use core::ptr;

/// Bytes of the longest message: RSA-16384 with a certificate has a tenth of it.
pub const MOST: usize = 256 << 10;
/// Bytes of the longest number of a public key, the modulus of RSA-8192.
const MOST_NUMBER: usize = 1024;
const UNREADABLE: Error = Error::Key("the message holds no private key that can be read");

/// The private key of a message.
#[derive(Debug)]
pub enum Key {
    /// Ed25519.
    Ed25519(ed25519::PrivateKey),
    /// RSA or a NIST curve.
    Other(pkey::PrivateKey),
}

/// What a message holds.
#[derive(Debug)]
pub struct Added {
    /// The private key.
    pub key: Key,
    /// The certificate, or empty.
    pub certificate: Vec<u8>,
    /// The comment.
    pub comment: Vec<u8>,
    /// What follows: constraints.
    pub constraints: Vec<u8>,
}

/// Where something lies in the message.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    length: usize,
}

impl Span {
    fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        // An empty part may point anywhere.
        if part.is_empty() {
            Self { start: 0, length: 0 }
        } else {
            Self { start, length: part.len() }
        }
    }
}

/// The places of the parts of a message; of Ed25519, of the seed and the public key too.
#[derive(Debug, Clone, Copy)]
struct Layout {
    certificate: Span,
    comment: Span,
    constraints: Span,
    pair: Option<(Span, Span)>,
}

/// A message, read inside the domain.
struct Message<'a> {
    certificate: &'a [u8],
    parts: Parts<'a>,
    comment: &'a [u8],
    constraints: &'a [u8],
}

impl<'a> Message<'a> {
    /// `bytes` begin with the key's type: the byte with the message's number is gone.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let kind = field(&mut rest)?;
        let (certificate, parts) = match kind.strip_suffix(b"-cert-v01@openssh.com") {
            Some(plain) => {
                let certificate = field(&mut rest)?;
                (certificate, ssh::certified(kind, plain, certificate, &mut rest)?)
            }
            None => (&[][..], Parts::read(kind, &mut rest)?),
        };
        let comment = field(&mut rest)?;
        Some(Self { certificate, parts, comment, constraints: rest })
    }

    fn layout(&self, whole: &[u8]) -> Layout {
        let pair = match self.parts {
            Parts::Ed25519 { seed, public } => {
                Some((Span::of(seed, whole), Span::of(public, whole)))
            }
            _ => None,
        };
        Layout {
            certificate: Span::of(self.certificate, whole),
            comment: Span::of(self.comment, whole),
            constraints: Span::of(self.constraints, whole),
            pair,
        }
    }
}

/// Reads a message whose first byte, its number, is gone.
///
/// # Errors
/// [`Error::Key`] if it holds no key of ours, or as every use of a secret.
pub fn load(message: &Secret, options: Options) -> Result<Added> {
    if message.size() > MOST {
        return Err(UNREADABLE);
    }
    let pinned = message.pin()?;
    let layout = layout(&pinned, message.size())?;
    let out = |span| copy_out(&pinned, span);
    let key = if let Some((seed, public)) = layout.pair {
        Key::Ed25519(of_pair(message, seed, &out(public)?, options)?)
    } else {
        let made = |at, len| {
            // SAFETY: `of_message` calls it inside the domain, with the message open.
            unsafe { key_object(at, len) }
        };
        Key::Other(pkey::PrivateKey::of_message(message, options, made)?)
    };
    let certificate = out(layout.certificate)?;
    let (comment, constraints) = (out(layout.comment)?, out(layout.constraints)?);
    Ok(Added { key, certificate, comment, constraints })
}

fn layout(pinned: &Pinned<'_>, len: usize) -> Result<Layout> {
    let mut layout = None;
    pinned.with(|at| {
        domain::run(pinned.runtime, || {
            // SAFETY: the slot is open and holds `len` bytes.
            let bytes = unsafe { core::slice::from_raw_parts(at, len) };
            layout = Message::read(bytes).map(|message| message.layout(bytes));
        })
    })??;
    layout.ok_or(UNREADABLE)
}

/// # Safety
/// Inside the domain; `at` is readable for `len` bytes.
unsafe fn key_object(at: *const u8, len: usize) -> *mut lc::EVP_PKEY {
    // SAFETY: as the caller promises.
    let bytes = unsafe { core::slice::from_raw_parts(at, len) };
    let Some(message) = Message::read(bytes) else { return ptr::null_mut() };
    // SAFETY: as the caller promises.
    unsafe { message.parts.object() }
}

fn of_pair(
    message: &Secret,
    seed: Span,
    public: &[u8],
    options: Options,
) -> Result<ed25519::PrivateKey> {
    let range = Range { start: seed.start, step: 1, length: seed.length };
    let seed = message.pick(range, options)?;
    let key = ed25519::PrivateKey::from_seed(&seed, options)?;
    if key.public() == public { Ok(key) } else { Err(UNREADABLE) }
}

impl pkey::PrivateKey {
    /// The key that `create` makes inside from a message at an address with a length.
    ///
    /// # Errors
    /// As [`pkey::PrivateKey::load`].
    fn of_message(
        message: &Secret,
        options: Options,
        create: impl FnOnce(*const u8, usize) -> *mut lc::EVP_PKEY,
    ) -> Result<Self> {
        let (pinned, len) = (message.pin()?, message.size());
        // PKCS#8 has two numbers of RSA more.
        let needs = (Room::heap(pkey::heap_to_load(len)), 2 * len + pkey::MORE);
        pinned.with(|at| Self::make(options, needs, |_runtime| create(at, len)))?
    }

    /// The numbers of the public key, big endian: exponent and modulus of RSA; of a curve the
    /// uncompressed point and nothing.
    ///
    /// # Errors
    /// As every use of a secret.
    pub fn public_numbers(&self) -> Result<(Vec<u8>, Vec<u8>)> {
        let (mut first, mut second) = (vec![0u8; MOST_NUMBER], vec![0u8; MOST_NUMBER]);
        let (mut lengths, outs) = ((0, 0), (first.as_mut_ptr(), second.as_mut_ptr()));
        self.with_object(|key| {
            // SAFETY: a key of the library's; both buffers have that room.
            lengths = unsafe { object::public_numbers(key, outs, MOST_NUMBER) };
        })?;
        first.truncate(lengths.0);
        second.truncate(lengths.1);
        if first.is_empty() {
            Err(Error::Library("EC_POINT_point2oct"))
        } else {
            Ok((first, second))
        }
    }
}

/// Copies a public part to ordinary memory.
fn copy_out(pinned: &Pinned<'_>, span: Span) -> Result<Vec<u8>> {
    let mut out = vec![0u8; span.length];
    pinned.with(|at| {
        // SAFETY: the slot is open and the span lies within it; the vector has its length.
        unsafe { asm::copy(out.as_mut_ptr(), at.wrapping_add(span.start), span.length) };
    })?;
    Ok(out)
}
