//! OpenSSH private key files (PROTOCOL.key of OpenSSH). Rust because they are private keys.
//!
//! Text, wire format, key derivation and ciphers are the RustCrypto project's crates. Its crate
//! `ssh-key` itself refuses one P-256 key in 256, those whose number is shorter than 32 bytes,
//! and makes five copies of a key; the two dozen fields of the format are therefore read here.
//! Nothing in this file allocates but the buffers, which ask first.

use super::build::{self, RsaParts};
use crate::domain;
use crate::error::{Error, Result};
use crate::secret::Secret;
use aws_lc_sys as lc;
use core::ptr;
use pem_rfc7468::Decoder;
use ssh_cipher::{Cipher, Tag};
use ssh_encoding::{Decode, Reader};

/// Most rounds of bcrypt, each about two milliseconds: the file says how many, and it may be hostile.
const MOST_ROUNDS: u32 = 4096;
const BEGIN: &[u8] = b"-----BEGIN OPENSSH PRIVATE KEY-----";
const MAGIC: &[u8] = b"openssh-key-v1\0";
/// Bytes of the longest key and IV, rounded up to blocks of bcrypt's.
const MOST_KEY: usize = 64;
const TAG: usize = 16;

/// What is written: the cipher that `ssh-keygen` takes, with a key and an IV of these sizes.
const WRITTEN: Cipher = Cipher::Aes256Ctr;
const WRITTEN_KEY: usize = 32;
const WRITTEN_IV: usize = 16;

/// Encrypts the private section of a file, which has whole blocks, by aes256-ctr under a key from
/// bcrypt.
///
/// # Errors
/// [`Error::Key`] for no rounds or too many, or lengths that do not fit; or as every use of a
/// secret.
pub fn encrypt(
    section: &Secret,
    passphrase: &Secret,
    rounds: u32,
    salt: &[u8],
    out: &mut [u8],
) -> Result<()> {
    if !(1..=MOST_ROUNDS).contains(&rounds) {
        return Err(Error::Key("bcrypt takes 1 to 4096 rounds here"));
    }
    let len = section.size();
    if out.len() != len || passphrase.size() == 0 {
        return Err(Error::Key("the section and the passphrase are not empty"));
    }
    // It is encrypted where it stands.
    let draft = section.duplicate(section.options())?;
    let (words, size) = (passphrase.pin()?, passphrase.size());
    let (pinned, out) = (draft.pin()?, out.as_mut_ptr());
    let done = words.with(|words_at| {
        pinned.with(|at| {
            domain::run(pinned.runtime, || {
                // SAFETY: open, and of that size.
                let words = unsafe { core::slice::from_raw_parts(words_at, size) };
                // SAFETY: the copy is nobody else's and open.
                let section = unsafe { core::slice::from_raw_parts_mut(at.cast_mut(), len) };
                let done = encrypt_in_place(words, rounds, salt, section).is_some();
                if done {
                    // SAFETY: the caller's buffer is as long; what is copied is the ciphertext.
                    unsafe { crate::asm::copy(out, at, len) };
                }
                done
            })
        })
    })???;
    if done { Ok(()) } else { Err(Error::Key("the private section cannot be encrypted")) }
}

/// Inside the domain: does not allocate.
fn encrypt_in_place(words: &[u8], rounds: u32, salt: &[u8], section: &mut [u8]) -> Option<()> {
    let (mut material, mut memory) = ([0u8; MOST_KEY], [0u8; MOST_KEY]);
    let material = material.get_mut(..WRITTEN_KEY + WRITTEN_IV)?;
    bcrypt_pbkdf::bcrypt_pbkdf_with_memory(words, salt, rounds, material, &mut memory).ok()?;
    let (key, iv) = material.split_at(WRITTEN_KEY);
    WRITTEN.encrypt(key, iv, section).ok().map(|_| ())
}

/// Whether the text is such a file.
pub(super) fn is_ssh(text: &[u8]) -> bool {
    text.windows(BEGIN.len()).any(|w| w == BEGIN)
}

/// Reads a file; null if it cannot be read.
///
/// # Safety
/// Inside the domain, with room for three times the text in the heap.
pub(super) unsafe fn load(text: &[u8], passphrase: &[u8]) -> *mut lc::EVP_PKEY {
    let read = || {
        let bytes = decoded(text)?;
        let file = File::read(&bytes)?;
        let mut private = copied(file.private)?;
        file.decrypt(passphrase, &mut private)?;
        // SAFETY: as the caller promises.
        unsafe { key(&private) }
    };
    read().unwrap_or(ptr::null_mut())
}

fn zeros(len: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).ok()?;
    bytes.resize(len, 0);
    Some(bytes)
}

fn copied(from: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = zeros(from.len())?;
    bytes.copy_from_slice(from);
    Some(bytes)
}

/// The base64 between the lines.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = Decoder::new_detect_wrap(text).ok()?;
    let mut bytes = zeros(decoder.remaining_len())?;
    decoder.decode(&mut bytes).ok()?;
    Some(bytes)
}

/// A byte string with its length in front.
pub(super) fn field<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    from.read_prefixed(|inner| Ok::<_, ssh_encoding::Error>(core::mem::take(inner))).ok()
}

/// A number above zero, without the zero byte that its sign may need.
fn number<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let bytes = field(from)?;
    match bytes {
        [0, rest @ ..] => Some(rest),
        [first, ..] if *first < 0x80 => Some(bytes),
        _ => None,
    }
}

fn word(from: &mut &[u8]) -> Option<u32> {
    u32::decode(from).ok()
}

/// The outer fields.
struct File<'a> {
    cipher: Cipher,
    kdf: &'a [u8],
    kdf_options: &'a [u8],
    private: &'a [u8],
    tag: &'a [u8],
}

impl<'a> File<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let cipher = Cipher::new(core::str::from_utf8(field(&mut rest)?).ok()?).ok()?;
        let (kdf, kdf_options) = (field(&mut rest)?, field(&mut rest)?);
        if word(&mut rest)? != 1 {
            return None;
        }
        // The public key in front is not authenticated; ours comes from the private one.
        field(&mut rest)?;
        let private = field(&mut rest)?;
        let tagged = if cipher.has_tag() { TAG } else { 0 };
        let fits = rest.len() == tagged && private.len().is_multiple_of(cipher.block_size());
        fits.then_some(Self { cipher, kdf, kdf_options, private, tag: rest })
    }

    fn decrypt(&self, passphrase: &[u8], private: &mut [u8]) -> Option<()> {
        let Some((key_len, iv_len)) = self.cipher.key_and_iv_size() else {
            return (self.kdf == b"none").then_some(());
        };
        if self.kdf != b"bcrypt" {
            return None;
        }
        let mut options = self.kdf_options;
        let (salt, rounds) = (field(&mut options)?, word(&mut options)?);
        if rounds > MOST_ROUNDS {
            return None;
        }
        let (mut material, mut memory) = ([0u8; MOST_KEY], [0u8; MOST_KEY]);
        let material = material.get_mut(..key_len + iv_len)?;
        bcrypt_pbkdf::bcrypt_pbkdf_with_memory(passphrase, salt, rounds, material, &mut memory)
            .ok()?;
        let (key, iv) = material.split_at_mut(key_len);
        if self.cipher == Cipher::ChaCha20Poly1305 {
            // OpenSSH takes none: the key is used once.
            iv.fill(0);
        }
        let tag = if self.tag.is_empty() { None } else { Some(Tag::try_from(self.tag).ok()?) };
        self.cipher.decrypt(key, iv, private, tag).ok()
    }
}

/// The key of the decrypted section.
///
/// # Safety
/// As [`load`].
unsafe fn key(private: &[u8]) -> Option<*mut lc::EVP_PKEY> {
    let mut rest = private;
    // Equal words: the passphrase was right.
    if word(&mut rest)? != word(&mut rest)? {
        return None;
    }
    let kind = field(&mut rest)?;
    let parts = Parts::read(kind, &mut rest)?;
    let _comment = field(&mut rest)?;
    let padded = rest.iter().zip(1u8..).all(|(byte, right)| *byte == right);
    if rest.len() > TAG || !padded {
        return None;
    }
    // SAFETY: as the caller promises.
    Some(unsafe { parts.object() })
}

/// The name and the number of a curve, by the type of its keys.
fn curve_of(kind: &[u8]) -> Option<(&[u8], core::ffi::c_int)> {
    let name = kind.strip_prefix(b"ecdsa-sha2-")?;
    let curve = match name {
        b"nistp256" => lc::NID_X9_62_prime256v1,
        b"nistp384" => lc::NID_secp384r1,
        b"nistp521" => lc::NID_secp521r1,
        _ => return None,
    };
    Some((name, curve))
}

/// The numbers of a key with a certificate, as an agent gets them: those that the certificate
/// holds are not repeated, but for Ed25519. `plain` is the type of the key in the certificate of
/// type `kind`.
pub(super) fn certified<'a>(
    kind: &[u8],
    plain: &[u8],
    certificate: &'a [u8],
    from: &mut &'a [u8],
) -> Option<Parts<'a>> {
    let mut inner = certificate;
    if field(&mut inner)? != kind {
        return None;
    }
    let _nonce = field(&mut inner)?;
    match plain {
        b"ssh-ed25519" => {
            let same = field(&mut inner)?;
            let parts = Parts::read(plain, from)?;
            matches!(parts, Parts::Ed25519 { public, .. } if public == same).then_some(parts)
        }
        b"ssh-rsa" => {
            let (exponent, modulus) = (number(&mut inner)?, number(&mut inner)?);
            let (private, qi) = (number(from)?, number(from)?);
            let (p, q) = (number(from)?, number(from)?);
            Some(Parts::Rsa(RsaParts { modulus, exponent, private, p, q, qi }))
        }
        _ => {
            let (name, curve) = curve_of(plain)?;
            let same = field(&mut inner)? == name;
            let (point, scalar) = (field(&mut inner)?, number(from)?);
            same.then_some(Parts::Curve { curve, scalar, point })
        }
    }
}

/// The numbers of a key.
pub(super) enum Parts<'a> {
    Ed25519 { seed: &'a [u8; 32], public: &'a [u8] },
    Curve { curve: core::ffi::c_int, scalar: &'a [u8], point: &'a [u8] },
    Rsa(RsaParts<'a>),
}

impl<'a> Parts<'a> {
    pub(super) fn read(kind: &[u8], from: &mut &'a [u8]) -> Option<Self> {
        match kind {
            b"ssh-ed25519" => {
                let public = field(from)?;
                let (seed, again) = field(from)?.split_first_chunk::<32>()?;
                (again == public).then_some(Self::Ed25519 { seed, public })
            }
            b"ssh-rsa" => {
                let (modulus, exponent, private) = (number(from)?, number(from)?, number(from)?);
                let (qi, p, q) = (number(from)?, number(from)?, number(from)?);
                Some(Self::Rsa(RsaParts { modulus, exponent, private, p, q, qi }))
            }
            _ => {
                let (name, curve) = curve_of(kind)?;
                let same = field(from)? == name;
                let (point, scalar) = (field(from)?, number(from)?);
                same.then_some(Self::Curve { curve, scalar, point })
            }
        }
    }

    /// # Safety
    /// As [`load`].
    pub(super) unsafe fn object(&self) -> *mut lc::EVP_PKEY {
        match self {
            // SAFETY: as the caller promises.
            Self::Ed25519 { seed, public } => unsafe {
                build::raw(lc::EVP_PKEY_ED25519, seed, public)
            },
            // SAFETY: as the caller promises.
            Self::Curve { curve, scalar, point } => unsafe {
                build::on_curve(*curve, scalar, point)
            },
            // SAFETY: as the caller promises.
            Self::Rsa(parts) => unsafe { build::rsa(parts) },
        }
    }
}
