//! Encrypted PKCS#8 (RFC 5958) by PBES2 (RFC 8018): writing it, and reading it with keys
//! derived by PBKDF2 or scrypt (RFC 7914, section 7). Rust because the key inside is secret.
//!
//! The envelope is read and written by the RustCrypto project's crate `pkcs8`; derivation and
//! cipher are AWS-LC's.

use super::cbc::{self, BLOCK};
use super::kdf::{self, Scrypt};
use super::mac::Hash;
use crate::domain;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::secret::{Options, Secret};
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::{Decode, Encode};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{
    EncryptionScheme as Cipher, Kdf, Parameters, Pbkdf2Params, Pbkdf2Prf, Salt, ScryptParams,
};

/// Bytes of the salt and of the IV of what is written.
pub const SALT_SIZE: usize = 16;
/// Bytes of work memory that a file may ask for.
const MOST_WORK: usize = 256 << 20;
/// Rounds of PBKDF2 that a file may ask for: seconds, where four bytes could mean an hour.
const MOST_ROUNDS: u32 = 10_000_000;
/// Bytes of the envelope around the ciphertext, with room to spare.
const ENVELOPE: usize = 256;
/// Bytes of an AES-256 key.
const KEY_SIZE: usize = 32;
const LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// How the key comes from the passphrase.
#[derive(Debug, Clone, Copy)]
pub enum Derivation {
    /// PBKDF2 with HMAC-SHA-256: every program reads it.
    Pbkdf2 {
        /// Rounds.
        iterations: u32,
    },
    /// scrypt: OpenSSL 1.1 and later, and cryptography, read it.
    Scrypt {
        /// N, r and p.
        cost: (u64, u16, u16),
    },
}

/// What is random in a file.
#[derive(Debug, Clone, Copy)]
pub struct Fresh {
    /// Of the derivation.
    pub salt: [u8; SALT_SIZE],
    /// Of the cipher.
    pub iv: [u8; BLOCK],
}

/// Encrypts a PKCS#8 form by AES-256-CBC; the result is DER.
///
/// # Errors
/// [`Error::Key`] for parameters that the derivation does not take, or as every use of a secret.
pub fn encrypt(
    form: &Secret,
    passphrase: &Secret,
    derivation: Derivation,
    fresh: Fresh,
) -> Result<Vec<u8>> {
    let options = passphrase.options();
    let (kdf, key) = match derivation {
        Derivation::Pbkdf2 { iterations } => {
            let (hash, salt) = (Hash::Sha256, &fresh.salt);
            let key = kdf::pbkdf2(hash, passphrase, salt, iterations, KEY_SIZE, options)?;
            let salt = stored(salt)?;
            let prf = Pbkdf2Prf::HmacWithSha256;
            let params = Pbkdf2Params { salt, iteration_count: iterations, key_length: None, prf };
            (Kdf::Pbkdf2(params), key)
        }
        Derivation::Scrypt { cost: (n, r, p) } => {
            let cost = Scrypt { n, r: r.into(), p: p.into(), most: MOST_WORK };
            let key = kdf::scrypt(passphrase, &fresh.salt, cost, KEY_SIZE, options)?;
            let params = ScryptParams {
                salt: stored(&fresh.salt)?,
                cost_parameter: n,
                block_size: r,
                parallelization: p,
                key_length: None,
            };
            (Kdf::Scrypt(params), key)
        }
    };
    let mut ciphertext = vec![0; cbc::padded(form.size())];
    let (to, len) = (ciphertext.as_mut_ptr(), form.size());
    let (form, key) = (form.pin()?, key.pin()?);
    form.with(|from| {
        key.with(|at| {
            domain::run(form.runtime, || {
                // SAFETY: all have the lengths given; the gates are open.
                unsafe { cbc::encrypt((at, KEY_SIZE), fresh.iv, from, len, to) };
            })
        })
    })???;
    envelope(kdf, fresh.iv, &ciphertext)
}

fn stored(salt: &[u8]) -> Result<Salt> {
    Salt::new(salt).map_err(|_| Error::Key("the salt has at most 32 bytes"))
}

fn envelope(kdf: Kdf, iv: [u8; BLOCK], ciphertext: &[u8]) -> Result<Vec<u8>> {
    let failed = Error::Library("EncryptedPrivateKeyInfo");
    let encryption = Cipher::Aes256Cbc { iv };
    let info = EncryptedPrivateKeyInfoRef {
        encryption_algorithm: EncryptionScheme::Pbes2(Parameters { kdf, encryption }),
        encrypted_data: OctetStringRef::new(ciphertext).map_err(|_| failed)?,
    };
    let mut out = vec![0; ciphertext.len() + ENVELOPE];
    let len = info.encode_to_slice(&mut out).map_err(|_| failed)?.len();
    out.truncate(len);
    Ok(out)
}

/// What the envelope of a file says; it is not secret.
#[derive(Debug, Clone)]
struct Found {
    kdf: Kdf,
    iv: [u8; BLOCK],
    key_size: usize,
    /// Where the ciphertext begins in the file.
    start: usize,
    len: usize,
}

/// The PKCS#8 form of an encrypted file; `None` if it is another file, or encrypted in a way that
/// is left to AWS-LC.
///
/// # Errors
/// [`Error::Key`] for a wrong passphrase, or as every use of a secret.
pub(super) fn open(
    encoded: &Secret,
    passphrase: &Secret,
    options: Options,
) -> Result<Option<Secret>> {
    let body = match encoded.pem_body(Some(LABEL), options) {
        Ok(body) => Some(body),
        Err(Error::Pem(_)) => None,
        Err(e) => return Err(e),
    };
    let file = body.as_ref().unwrap_or(encoded);
    let Some(found) = find(file)? else { return Ok(None) };
    let Some(key) = derive(&found, passphrase, options)? else { return Ok(None) };
    let draft = Draft::new(found.len, options)?;
    let (pinned, key) = (file.pin()?, key.pin()?);
    let len = pinned.with(|file| {
        key.with(|at| {
            draft.with(|to| {
                domain::run(pinned.runtime, || {
                    let from = file.wrapping_add(found.start);
                    // SAFETY: the ciphertext lies in the file, `find` says, and has whole
                    // blocks; the draft is as long; the gates are open.
                    unsafe { cbc::decrypt((at, found.key_size), found.iv, from, found.len, to) }
                })
            })
        })
    })????;
    draft.finish_at(len.ok_or(Error::Key("the private key cannot be read"))?).map(Some)
}

/// The key of the cipher.
fn derive(found: &Found, passphrase: &Secret, options: Options) -> Result<Option<Secret>> {
    let size = found.key_size;
    match &found.kdf {
        Kdf::Scrypt(params) => {
            let (n, r, p) = (params.cost_parameter, params.block_size, params.parallelization);
            let cost = Scrypt { n, r: r.into(), p: p.into(), most: MOST_WORK };
            kdf::scrypt(passphrase, params.salt.as_bytes(), cost, size, options).map(Some)
        }
        Kdf::Pbkdf2(params) => {
            if params.iteration_count > MOST_ROUNDS {
                return Err(Error::Key("the key asks for more than 10,000,000 rounds of PBKDF2"));
            }
            let hash = match params.prf {
                Pbkdf2Prf::HmacWithSha1 => Hash::Sha1,
                Pbkdf2Prf::HmacWithSha256 => Hash::Sha256,
                Pbkdf2Prf::HmacWithSha384 => Hash::Sha384,
                Pbkdf2Prf::HmacWithSha512 => Hash::Sha512,
                _ => return Ok(None),
            };
            let (salt, rounds) = (params.salt.as_bytes(), params.iteration_count);
            kdf::pbkdf2(hash, passphrase, salt, rounds, size, options).map(Some)
        }
        _ => Ok(None),
    }
}

fn find(file: &Secret) -> Result<Option<Found>> {
    let pinned = file.pin()?;
    let len = file.size();
    let mut found = None;
    pinned.with(|at| {
        domain::run(pinned.runtime, || {
            // SAFETY: the slot is open and holds `len` bytes.
            found = parse(unsafe { core::slice::from_raw_parts(at, len) });
        })
    })??;
    Ok(found)
}

/// Inside the domain: neither allocates nor panics.
fn parse(file: &[u8]) -> Option<Found> {
    let info = EncryptedPrivateKeyInfoRef::from_der(file).ok()?;
    let EncryptionScheme::Pbes2(Parameters { kdf, encryption }) = info.encryption_algorithm else {
        return None;
    };
    let (iv, key_size) = match encryption {
        Cipher::Aes128Cbc { iv } => (iv, 16),
        Cipher::Aes192Cbc { iv } => (iv, 24),
        Cipher::Aes256Cbc { iv } => (iv, 32),
        _ => return None,
    };
    let data = info.encrypted_data.as_bytes();
    let start = (data.as_ptr() as usize).checked_sub(file.as_ptr() as usize)?;
    let whole = !data.is_empty() && data.len().is_multiple_of(BLOCK);
    whole.then_some(Found { kdf, iv, key_size, start, len: data.len() })
}
