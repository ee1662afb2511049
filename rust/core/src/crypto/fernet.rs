//! Fernet tokens (github.com/fernet/spec): AES-128-CBC and HMAC-SHA256 under one 32-byte key.
//! Rust because the key is secret.
//!
//! A token is `0x80, time (8 bytes, big endian), IV (16), ciphertext, HMAC (32)`; the border
//! writes it as base64.

use super::cbc::{self, BLOCK, padded};
use super::mac::{self, Hash};
use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::secret::{Options, Secret};

/// Bytes of a key: half signs, half encrypts.
pub const KEY_SIZE: usize = 32;
/// Bytes of an IV.
pub const IV_SIZE: usize = BLOCK;
/// Half of the key.
const HALF: usize = KEY_SIZE / 2;
/// Version, time and IV.
const HEADER: usize = 1 + 8 + IV_SIZE;
const MAC: usize = 32;
const VERSION: u8 = 0x80;

/// Bytes of the token of a message.
#[must_use]
pub fn token_size(message: usize) -> usize {
    HEADER + padded(message) + MAC
}

fn check_key(key: &Secret) -> Result<()> {
    if key.size() == KEY_SIZE { Ok(()) } else { Err(Error::Key("a Fernet key has 32 bytes")) }
}

/// Writes the token of a message to `out`, which has its size.
///
/// # Errors
/// [`Error::Key`] for wrong lengths, or as every use of a secret.
pub fn seal(
    key: &Secret,
    time: u64,
    iv: &[u8; IV_SIZE],
    message: &[u8],
    out: &mut [u8],
) -> Result<()> {
    check_key(key)?;
    if out.len() != token_size(message.len()) {
        return Err(Error::Key("the output has the size of the token"));
    }
    let (body, mac) = out.split_at_mut(HEADER + padded(message.len()));
    let (header, ciphertext) = body.split_at_mut(HEADER);
    let (version, rest) = header.split_at_mut(1);
    version.fill(VERSION);
    let (stamp, iv_out) = rest.split_at_mut(8);
    stamp.copy_from_slice(&time.to_be_bytes());
    iv_out.copy_from_slice(iv);
    let (from, len, to) = (message.as_ptr(), message.len(), ciphertext.as_mut_ptr());
    let pinned = key.pin()?;
    pinned.with(|at| {
        domain::run(pinned.runtime, || {
            // SAFETY: the key has 32 bytes and is open; the buffers have the lengths computed.
            unsafe { cbc::encrypt((at.wrapping_add(HALF), HALF), *iv, from, len, to) };
        })
    })??;
    drop(pinned);
    let signing = key.pick(crate::ops::Range { start: 0, step: 1, length: 16 }, key.options())?;
    mac::hmac(Hash::Sha256, &signing, body, mac)
}

/// The time of a token, if it has the form of one. Not authenticated.
#[must_use]
pub fn time(token: &[u8]) -> Option<u64> {
    let fits =
        token.len() >= HEADER + BLOCK + MAC && (token.len() - HEADER - MAC).is_multiple_of(BLOCK);
    let (first, rest) = token.split_first()?;
    let stamp = rest.first_chunk::<8>()?;
    (fits && *first == VERSION).then(|| u64::from_be_bytes(*stamp))
}

/// The message of a token as a new secret.
///
/// # Errors
/// [`Error::Tag`] for whatever is wrong with the token, or as every use of a secret.
pub fn open(key: &Secret, token: &[u8], options: Options) -> Result<Secret> {
    check_key(key)?;
    time(token).ok_or(Error::Tag)?;
    let (body, mac) = token.split_at(token.len() - MAC);
    let signing = key.pick(crate::ops::Range { start: 0, step: 1, length: 16 }, key.options())?;
    if !mac::verify(Hash::Sha256, &signing, body, mac)? {
        return Err(Error::Tag);
    }
    let (header, ciphertext) = body.split_at(HEADER);
    let iv = header.last_chunk::<IV_SIZE>().ok_or(Error::Tag)?;
    let draft = Draft::new(ciphertext.len(), options)?;
    let (from, size) = (ciphertext.as_ptr(), ciphertext.len());
    let pinned = key.pin()?;
    let len = pinned.with(|at| {
        draft.with(|to| {
            domain::run(pinned.runtime, || {
                // SAFETY: the key has 32 bytes; the draft is as long as the ciphertext.
                unsafe { cbc::decrypt((at.wrapping_add(HALF), HALF), *iv, from, size, to) }
            })
        })
    })???;
    draft.finish_at(len.ok_or(Error::Tag)?)
}
