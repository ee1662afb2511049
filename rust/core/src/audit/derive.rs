//! What is made of a key. Rust because it is secret.
//!
//! Each part is as good as the key, or a piece of it. Blinded values, points and recodings of
//! scalars, which change with every operation, are not among them.

use super::aes;
use super::forms::{Out, WINDOW};
use crate::crypto::{load, pq};
use crate::error::{Error, Result};
use aws_lc_sys as lc;
use core::ptr;

/// Bytes of a seed.
const SEED: usize = 32;
/// Bytes of the longest number of an RSA key of 8192 bits.
const MOST_NUMBER: usize = 1024;
/// A password is looked for as a whole, up to here: a word of it may be anywhere.
const MOST_PASSWORD_PIECE: usize = 16;

/// What a key is, which says what is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bytes of which nothing is known.
    Raw,
    /// A text that may hold ordinary words.
    Password,
    /// A seed of RFC 8032.
    Ed25519,
    /// A private key of RFC 7748.
    X25519,
    /// A key of AES, alone or in GCM.
    Aes,
    /// A key of HMAC with SHA-1 or a member of SHA-2.
    Hmac,
    /// RSA or NIST curve: PKCS#8, PKCS#1 or SEC 1 in DER, or PEM without a passphrase.
    Pkcs8,
}

impl Kind {
    /// # Errors
    /// [`Error::Key`] for a length that the kind does not have.
    pub(super) fn check(self, len: usize) -> Result<()> {
        match self {
            Self::Ed25519 | Self::X25519 if len != SEED => {
                Err(Error::Key("a private key of Curve25519 has 32 bytes"))
            }
            Self::Aes if !matches!(len, 16 | 24 | 32) => {
                Err(Error::Key("a key of AES has 16, 24 or 32 bytes"))
            }
            _ if len < WINDOW => Err(Error::Key(
                "what is looked for has 8 bytes or more: shorter ones are there by accident",
            )),
            _ => Ok(()),
        }
    }
}

/// Writes all forms of a key; false if it cannot be read.
///
/// # Safety
/// Inside the domain, for [`Kind::Pkcs8`] with the secret heap.
pub(super) unsafe fn all(kind: Kind, key: &[u8], out: &mut Out<'_>) -> bool {
    match kind {
        Kind::Raw => whole("key", key, out),
        Kind::Password => {
            out.least = key.len().min(MOST_PASSWORD_PIECE);
            out.binary("password", key);
            out.text("password", key);
        }
        Kind::Ed25519 => ed25519(key, out),
        Kind::X25519 => {
            whole("key", key, out);
            scalar(key, out);
        }
        Kind::Aes => aes_key(key, out),
        Kind::Hmac => hmac(key, out),
        // SAFETY: as the caller promises.
        Kind::Pkcs8 => return unsafe { encoded(key, out) },
    }
    true
}

/// Bytes in all shapes, as a number of either byte order too.
fn whole(part: &'static str, data: &[u8], out: &mut Out<'_>) {
    out.binary(part, data);
    out.text(part, data);
    if data.len() > MOST_NUMBER {
        return;
    }
    out.digits(part, data);
    let mut turned = [0; MOST_NUMBER];
    if let Some(turned) = turned.get_mut(..data.len()) {
        turned.copy_from_slice(data);
        turned.reverse();
        out.digits(part, turned);
    }
}

/// RFC 8032, section 5.1.5.
fn ed25519(seed: &[u8], out: &mut Out<'_>) {
    whole("seed", seed, out);
    let mut hash = [0; 64];
    // SAFETY: a hash has 64 bytes.
    unsafe { lc::SHA512(seed.as_ptr(), seed.len(), hash.as_mut_ptr()) };
    out.turned("hash of the seed", &hash, 8);
    let (low, prefix) = hash.split_at(SEED);
    out.binary("scalar before clamping", low);
    out.binary("prefix", prefix);
    scalar(low, out);
}

/// The clamped scalar of Curve25519.
fn scalar(bytes: &[u8], out: &mut Out<'_>) {
    let Some(bytes) = bytes.first_chunk::<SEED>() else { return };
    let mut scalar = *bytes;
    let [first, .., last] = &mut scalar;
    *first &= 0b1111_1000;
    *last = *last & 0b0011_1111 | 0b0100_0000;
    out.binary("scalar", &scalar);
    scalar.reverse();
    out.digits("scalar", &scalar);
}

fn aes_key(key: &[u8], out: &mut Out<'_>) {
    whole("key", key, out);
    let mut schedule = [0; aes::MOST];
    let len = aes::schedule(key, &mut schedule);
    let Some(schedule) = schedule.get_mut(..len) else { return };
    out.binary("round keys", schedule);
    out.turned("round keys", schedule, 4);
    aes::inverted(schedule);
    out.binary("round keys to decrypt", schedule);
    out.turned("round keys to decrypt", schedule, 4);
    let mut made = core::mem::MaybeUninit::<lc::AES_KEY>::uninit();
    let (bits, to) = ((key.len() * 8) as u32, made.as_mut_ptr());
    // SAFETY: `check` saw the length; the library fills the whole schedule.
    if unsafe { lc::AES_set_encrypt_key(key.as_ptr(), bits, to) } == 0 {
        let mut block = [0; 16];
        let at = block.as_mut_ptr();
        // SAFETY: set up above; input and output may be the same block.
        unsafe { lc::AES_encrypt(at, at, to) };
        // GCM's H (SP 800-38D, section 6.3).
        out.binary("hash key of GCM", &block);
    }
}

/// The blocks of RFC 2104 without their filling, and what the hash makes of them.
fn hmac(key: &[u8], out: &mut Out<'_>) {
    whole("key", key, out);
    let mut block = [0; 128];
    let Some(start) = block.get_mut(..key.len()) else { return };
    start.copy_from_slice(key);
    for (part, state, byte) in [("ipad", "inner state", 0x36), ("opad", "outer state", 0x5c)] {
        let mut padded = block;
        for b in &mut padded {
            *b ^= byte;
        }
        if let Some(own) = padded.get(..key.len()) {
            out.binary(part, own);
        }
        states(state, &padded, key.len(), out);
    }
}

type Init = unsafe extern "C" fn(*mut lc::SHA512_CTX) -> core::ffi::c_int;

/// The state of each hash after the first block, in the words of this processor.
fn states(part: &'static str, padded: &[u8; 128], len: usize, out: &mut Out<'_>) {
    if len <= 64 {
        let mut sha1 = core::mem::MaybeUninit::<lc::SHA_CTX>::uninit();
        let at = sha1.as_mut_ptr();
        // SAFETY: the library's own context.
        unsafe { lc::SHA1_Init(at) };
        // SAFETY: set up above; a block has 64 bytes.
        unsafe { lc::SHA1_Transform(at, padded.as_ptr()) };
        // SAFETY: set up above.
        let h = unsafe { (*at).h };
        put_words(part, "SHA-1", h.iter().flat_map(|w| w.to_ne_bytes()), 20, out);
        let mut sha256 = core::mem::MaybeUninit::<lc::SHA256_CTX>::uninit();
        let at = sha256.as_mut_ptr();
        // SAFETY: as above.
        unsafe { lc::SHA256_Init(at) };
        // SAFETY: as above.
        unsafe { lc::SHA256_Transform(at, padded.as_ptr()) };
        // SAFETY: as above.
        let h = unsafe { (*at).h };
        put_words(part, "SHA-256", h.iter().flat_map(|w| w.to_ne_bytes()), 32, out);
    }
    let long: [(&str, Init); 2] = [("SHA-512", lc::SHA512_Init), ("SHA-384", lc::SHA384_Init)];
    for (name, init) in long {
        let mut sha = core::mem::MaybeUninit::<lc::SHA512_CTX>::uninit();
        let at = sha.as_mut_ptr();
        // SAFETY: as above.
        unsafe { init(at) };
        // SAFETY: as above; a block has 128 bytes.
        unsafe { lc::SHA512_Transform(at, padded.as_ptr()) };
        // SAFETY: as above.
        let h = unsafe { (*at).h };
        put_words(part, name, h.iter().flat_map(|w| w.to_ne_bytes()), 64, out);
    }
}

fn put_words(
    part: &'static str,
    hash: &'static str,
    bytes: impl Iterator<Item = u8>,
    len: usize,
    out: &mut Out<'_>,
) {
    out.put(part, hash, len, |to| to.iter_mut().zip(bytes).for_each(|(to, b)| *to = b));
}

/// An RSA key or one on a curve.
///
/// # Safety
/// Inside the domain with the secret heap.
unsafe fn encoded(key: &[u8], out: &mut Out<'_>) -> bool {
    if pq::deep(key, false) {
        // Nothing to look for is made of one, and it needs another stack.
        return false;
    }
    // SAFETY: as the caller promises; no passphrase.
    let key = unsafe { load::load(key.as_ptr(), key.len(), ptr::null(), 0) };
    if key.is_null() {
        return false;
    }
    // SAFETY: a key of the library's.
    let kind = unsafe { lc::EVP_PKEY_id(key) };
    let read = match kind {
        lc::EVP_PKEY_RSA => {
            // SAFETY: an RSA key.
            unsafe { rsa(key, out) }
        }
        lc::EVP_PKEY_EC => {
            // SAFETY: a key on a curve.
            let ec = unsafe { lc::EVP_PKEY_get0_EC_KEY(key) };
            // SAFETY: as above.
            let scalar = unsafe { lc::EC_KEY_get0_private_key(ec) };
            // SAFETY: the key's own number.
            unsafe { number("scalar", scalar, out) }
        }
        _ => false,
    };
    // SAFETY: made above.
    unsafe { lc::EVP_PKEY_free(key) };
    read
}

/// RFC 8017, section 3.2.
///
/// # Safety
/// As [`encoded`]; an RSA key.
unsafe fn rsa(key: *mut lc::EVP_PKEY, out: &mut Out<'_>) -> bool {
    type Getter = unsafe extern "C" fn(*const lc::RSA) -> *const lc::BIGNUM;
    let parts: [(&str, Getter); 6] = [
        ("p", lc::RSA_get0_p),
        ("q", lc::RSA_get0_q),
        ("d", lc::RSA_get0_d),
        ("d mod p-1", lc::RSA_get0_dmp1),
        ("d mod q-1", lc::RSA_get0_dmq1),
        ("q inverse", lc::RSA_get0_iqmp),
    ];
    // SAFETY: an RSA key.
    let rsa = unsafe { lc::EVP_PKEY_get0_RSA(key) };
    parts.into_iter().all(|(part, get)| {
        // SAFETY: as above.
        let value = unsafe { get(rsa) };
        // SAFETY: null or the key's own number.
        unsafe { number(part, value, out) }
    })
}

/// # Safety
/// Null or a number of the library's.
unsafe fn number(part: &'static str, value: *const lc::BIGNUM, out: &mut Out<'_>) -> bool {
    if value.is_null() {
        return false;
    }
    // SAFETY: a number.
    let len = unsafe { lc::BN_num_bytes(value) } as usize;
    let mut bytes = [0; MOST_NUMBER];
    let Some(to) = bytes.get_mut(..len) else { return false };
    // SAFETY: room for the number's bytes.
    unsafe { lc::BN_bn2bin(value, to.as_mut_ptr()) };
    out.binary(part, to);
    out.text(part, to);
    out.digits(part, to);
    true
}
