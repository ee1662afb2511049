//! Authenticated encryption with associated data (RFC 5116). Rust because the key is secret.
//!
//! The context is made on the secret stack for each call and wiped with it: nothing is kept and
//! no heap is taken.

use super::ok;
use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::output::{Filled, Output};
use crate::secret::{Options, Secret};
use core::mem::MaybeUninit;
use core::ptr;

/// Bytes of a tag.
pub const TAG_SIZE: usize = 16;

/// The ciphers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    /// AES-128-GCM, AES-192-GCM or AES-256-GCM by the key's length; 12-byte nonce.
    AesGcm,
    /// RFC 8439; 12-byte nonce.
    ChaCha20Poly1305,
    /// 24-byte nonce.
    XChaCha20Poly1305,
    /// RFC 8452; 12-byte nonce.
    AesGcmSiv,
}

impl Cipher {
    /// Bytes of a nonce.
    #[must_use]
    pub fn nonce_size(self) -> usize {
        if self == Self::XChaCha20Poly1305 { 24 } else { 12 }
    }

    /// Whether a key of that many bytes fits.
    #[must_use]
    pub fn takes_key(self, size: usize) -> bool {
        match self {
            Self::AesGcm => matches!(size, 16 | 24 | 32),
            Self::AesGcmSiv => matches!(size, 16 | 32),
            Self::ChaCha20Poly1305 | Self::XChaCha20Poly1305 => size == 32,
        }
    }

    /// Bytes of the longest message: SP 800-38D, section 5.2.1.1; RFC 8452, section 6; RFC 8439,
    /// section 2.8.
    fn longest(self) -> usize {
        match self {
            Self::AesGcm => (1 << 36) - 32,
            Self::AesGcmSiv => 1 << 36,
            Self::ChaCha20Poly1305 | Self::XChaCha20Poly1305 => (1 << 38) - 64,
        }
    }

    pub(super) fn method(self, key: usize) -> *const aws_lc_sys::EVP_AEAD {
        match (self, key) {
            // SAFETY: static tables, made at their first use; they hold nothing secret.
            (Self::AesGcm, 16) => unsafe { aws_lc_sys::EVP_aead_aes_128_gcm() },
            // SAFETY: as above.
            (Self::AesGcm, 24) => unsafe { aws_lc_sys::EVP_aead_aes_192_gcm() },
            // SAFETY: as above.
            (Self::AesGcm, _) => unsafe { aws_lc_sys::EVP_aead_aes_256_gcm() },
            // SAFETY: as above.
            (Self::ChaCha20Poly1305, _) => unsafe { aws_lc_sys::EVP_aead_chacha20_poly1305() },
            // SAFETY: as above.
            (Self::XChaCha20Poly1305, _) => unsafe { aws_lc_sys::EVP_aead_xchacha20_poly1305() },
            // SAFETY: as above.
            (Self::AesGcmSiv, 16) => unsafe { aws_lc_sys::EVP_aead_aes_128_gcm_siv() },
            // SAFETY: as above.
            (Self::AesGcmSiv, _) => unsafe { aws_lc_sys::EVP_aead_aes_256_gcm_siv() },
        }
    }
}

/// What goes with a message.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    /// Used once per key.
    pub nonce: &'a [u8],
    /// Associated data: authenticated, not encrypted.
    pub aad: &'a [u8],
}

/// What a call does.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    Seal,
    Open,
}

/// One call of the library, from and to addresses.
pub(super) struct Call<'a> {
    pub(super) method: *const aws_lc_sys::EVP_AEAD,
    pub(super) header: Header<'a>,
    pub(super) direction: Direction,
    pub(super) input: *const u8,
    pub(super) input_len: usize,
    pub(super) output: *mut u8,
    pub(super) output_len: usize,
}

impl Call<'_> {
    /// Inside the domain: the length of the output, or `None` if the tag is wrong.
    ///
    /// # Safety
    /// `key` is readable for `size` bytes, input and output as their lengths say.
    pub(super) unsafe fn run(&self, key: *const u8, size: usize) -> Option<usize> {
        let mut context = MaybeUninit::<aws_lc_sys::EVP_AEAD_CTX>::uninit();
        let ctx = context.as_mut_ptr();
        // SAFETY: a context of ours; the key as the caller promises. No engine.
        let made = unsafe {
            aws_lc_sys::EVP_AEAD_CTX_init(
                ctx,
                self.method,
                key.cast(),
                size,
                TAG_SIZE,
                ptr::null_mut(),
            )
        };
        if !ok(made) {
            return None;
        }
        let function = match self.direction {
            Direction::Seal => aws_lc_sys::EVP_AEAD_CTX_seal,
            Direction::Open => aws_lc_sys::EVP_AEAD_CTX_open,
        };
        let (nonce, aad, mut len) = (self.header.nonce, self.header.aad, 0);
        // SAFETY: the context was made above; all lengths are those of their buffers.
        let done = unsafe {
            function(
                ctx,
                self.output,
                &raw mut len,
                self.output_len,
                nonce.as_ptr(),
                nonce.len(),
                self.input,
                self.input_len,
                aad.as_ptr(),
                aad.len(),
            )
        };
        // SAFETY: the context was made above and is not used again.
        unsafe { aws_lc_sys::EVP_AEAD_CTX_cleanup(ctx) };
        ok(done).then_some(len)
    }

    fn with_key(&self, key: &Secret) -> Result<Option<usize>> {
        let pinned = key.pin()?;
        let size = key.size();
        pinned.with(|at| {
            domain::run(pinned.runtime, || {
                // SAFETY: the key's slot is open; the buffers are the caller's.
                unsafe { self.run(at, size) }
            })
        })?
    }
}

fn check(cipher: Cipher, key: &Secret, header: Header<'_>) -> Result<()> {
    if !cipher.takes_key(key.size()) {
        return Err(Error::Key("the key has no length that this cipher takes"));
    }
    if header.nonce.len() != cipher.nonce_size() {
        return Err(Error::Key("the nonce has not the length of this cipher"));
    }
    Ok(())
}

/// Whether a message is short enough to be sealed.
///
/// # Errors
/// [`Error::Key`] if not.
pub fn check_message(cipher: Cipher, len: usize) -> Result<()> {
    if len <= cipher.longest() {
        return Ok(());
    }
    Err(Error::Key("the message is longer than this cipher takes with one nonce"))
}

/// The output, if the library says that it wrote all of it.
fn all_of(out: Output<'_>, written: Option<usize>) -> Option<Filled<'_>> {
    // SAFETY: the library wrote so many bytes from the start on, and they are all.
    (written? == out.len()).then(|| unsafe { out.filled() })
}

/// Seals a message: `out` is [`TAG_SIZE`] longer than it.
///
/// # Errors
/// [`Error::Key`] for wrong lengths, or as every use of a secret.
pub fn seal<'a>(
    cipher: Cipher,
    key: &Secret,
    header: Header<'_>,
    message: &[u8],
    mut out: Output<'a>,
) -> Result<Filled<'a>> {
    check(cipher, key, header)?;
    check_message(cipher, message.len())?;
    if out.len() != message.len() + TAG_SIZE {
        return Err(Error::Key("the output is as long as message and tag"));
    }
    let call = Call {
        method: cipher.method(key.size()),
        header,
        direction: Direction::Seal,
        input: message.as_ptr(),
        input_len: message.len(),
        output: out.at(),
        output_len: out.len(),
    };
    let sealed = call.with_key(key)?;
    all_of(out, sealed).ok_or(Error::Library("EVP_AEAD_CTX_seal"))
}

/// Seals a secret.
///
/// # Errors
/// As [`seal`].
pub fn seal_secret<'a>(
    cipher: Cipher,
    key: &Secret,
    header: Header<'_>,
    message: &Secret,
    mut out: Output<'a>,
) -> Result<Filled<'a>> {
    check(cipher, key, header)?;
    if out.len() != message.size() + TAG_SIZE {
        return Err(Error::Key("the output is as long as message and tag"));
    }
    let pinned = message.pin()?;
    let sealed = pinned.with(|at| {
        let call = Call {
            method: cipher.method(key.size()),
            header,
            direction: Direction::Seal,
            input: at,
            input_len: message.size(),
            output: out.at(),
            output_len: out.len(),
        };
        call.with_key(key)
    })??;
    all_of(out, sealed).ok_or(Error::Library("EVP_AEAD_CTX_seal"))
}

/// Opens a ciphertext: `out` is [`TAG_SIZE`] shorter than it. On a wrong tag `out` holds zeros.
///
/// # Errors
/// [`Error::Tag`], [`Error::Key`] for wrong lengths, or as every use of a secret.
pub fn open<'a>(
    cipher: Cipher,
    key: &Secret,
    header: Header<'_>,
    ciphertext: &[u8],
    mut out: Output<'a>,
) -> Result<Filled<'a>> {
    check(cipher, key, header)?;
    if ciphertext.len() < TAG_SIZE || out.len() != ciphertext.len() - TAG_SIZE {
        return Err(Error::Tag);
    }
    let call = Call {
        method: cipher.method(key.size()),
        header,
        direction: Direction::Open,
        input: ciphertext.as_ptr(),
        input_len: ciphertext.len(),
        output: out.at(),
        output_len: out.len(),
    };
    let opened = call.with_key(key)?;
    all_of(out, opened).ok_or(Error::Tag)
}

/// Opens a ciphertext into a new secret.
///
/// # Errors
/// As [`open`].
pub fn open_to_secret(
    cipher: Cipher,
    key: &Secret,
    header: Header<'_>,
    ciphertext: &[u8],
    options: Options,
) -> Result<Secret> {
    check(cipher, key, header)?;
    let len = ciphertext.len().checked_sub(TAG_SIZE).ok_or(Error::Tag)?;
    let draft = Draft::new(len, options)?;
    let opened = draft.with(|to| {
        let call = Call {
            method: cipher.method(key.size()),
            header,
            direction: Direction::Open,
            input: ciphertext.as_ptr(),
            input_len: ciphertext.len(),
            output: to,
            output_len: len,
        };
        call.with_key(key)
    })??;
    opened.ok_or(Error::Tag)?;
    draft.finish()
}
