//! Fernet tokens (github.com/fernet/spec): AES-128-CBC and HMAC-SHA256 under one 32-byte key.
//! Rust because the key is secret.
//!
//! A token is `0x80, time (8 bytes, big endian), IV (16), ciphertext, HMAC (32)`; the border
//! writes it as base64.

use super::mac::{self, Hash};
use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::secret::{Options, Secret};
use aws_lc_sys as lc;
use core::mem::MaybeUninit;
use subtle::{Choice, ConstantTimeEq, ConstantTimeLess};

/// Bytes of a key: half signs, half encrypts.
pub const KEY_SIZE: usize = 32;
/// Bytes of an IV.
pub const IV_SIZE: usize = 16;
/// Version, time and IV.
const HEADER: usize = 1 + 8 + IV_SIZE;
const BLOCK: usize = 16;
const MAC: usize = 32;
const VERSION: u8 = 0x80;

/// Bytes of the token of a message.
#[must_use]
pub fn token_size(message: usize) -> usize {
    HEADER + padded(message) + MAC
}

fn padded(message: usize) -> usize {
    message / BLOCK * BLOCK + BLOCK
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
            unsafe { encrypt(at.wrapping_add(KEY_SIZE / 2), *iv, from, len, to) };
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
    let pinned = key.pin()?;
    let len = pinned.with(|at| {
        draft.with(|to| {
            domain::run(pinned.runtime, || {
                // SAFETY: the key has 32 bytes; the draft is as long as the ciphertext.
                unsafe { decrypt(at.wrapping_add(KEY_SIZE / 2), *iv, ciphertext, to) }
            })
        })
    })???;
    draft.finish_at(len.ok_or(Error::Tag)?)
}

/// CBC with PKCS#7 padding, inside the domain.
///
/// # Safety
/// `key` is readable for 16 bytes, `from` for `len`, `to` writable for the padded length.
unsafe fn encrypt(key: *const u8, mut iv: [u8; IV_SIZE], from: *const u8, len: usize, to: *mut u8) {
    let mut schedule = MaybeUninit::<lc::AES_KEY>::uninit();
    let (schedule, iv) = (schedule.as_mut_ptr(), iv.as_mut_ptr());
    let whole = len / BLOCK * BLOCK;
    let fill = BLOCK - (len - whole);
    let mut last = [fill as u8; BLOCK];
    // SAFETY: fewer bytes than a block are left.
    unsafe { crate::asm::copy(last.as_mut_ptr(), from.wrapping_add(whole), len - whole) };
    // SAFETY: the key has 128 bits.
    unsafe { lc::AES_set_encrypt_key(key, 128, schedule) };
    // SAFETY: whole blocks of both buffers; the schedule was made above.
    unsafe { lc::AES_cbc_encrypt(from, to, whole, schedule, iv, lc::AES_ENCRYPT) };
    let end = to.wrapping_add(whole);
    // SAFETY: as above, the last block.
    unsafe { lc::AES_cbc_encrypt(last.as_ptr(), end, BLOCK, schedule, iv, lc::AES_ENCRYPT) };
}

/// Undoes [`encrypt`]: the length of the message, `None` if the padding is wrong. The MAC was
/// right, so this tells an attacker nothing; the padding is looked at in constant time even so.
///
/// # Safety
/// As [`encrypt`]; `to` is as long as the ciphertext, which has whole blocks, at least one.
unsafe fn decrypt(
    key: *const u8,
    mut iv: [u8; IV_SIZE],
    ciphertext: &[u8],
    to: *mut u8,
) -> Option<usize> {
    let mut schedule = MaybeUninit::<lc::AES_KEY>::uninit();
    let (schedule, iv) = (schedule.as_mut_ptr(), iv.as_mut_ptr());
    let (from, len) = (ciphertext.as_ptr(), ciphertext.len());
    // SAFETY: the key has 128 bits.
    unsafe { lc::AES_set_decrypt_key(key, 128, schedule) };
    // SAFETY: whole blocks; the schedule was made above.
    unsafe { lc::AES_cbc_encrypt(from, to, len, schedule, iv, lc::AES_DECRYPT) };
    // SAFETY: the last block was written above.
    let last = unsafe { core::slice::from_raw_parts(to.wrapping_add(len - BLOCK), BLOCK) };
    let fill = last.last().copied()?;
    let mut right = !fill.ct_eq(&0) & fill.ct_lt(&(BLOCK as u8 + 1));
    for (i, byte) in last.iter().rev().enumerate() {
        let in_fill: Choice = (i as u8).ct_lt(&fill);
        right &= !in_fill | byte.ct_eq(&fill);
    }
    bool::from(right).then(|| len - usize::from(fill))
}
