//! RSA public keys: encryption of a secret with OAEP (RFC 8017). Rust because what is encrypted is
//! secret.

use super::mac::Hash;
use super::ok;
use crate::domain;
use crate::error::{Error, Result};
use crate::secret::Secret;
use aws_lc_sys as lc;
use core::ptr;

/// Heap for the key and one encryption: what private keys take, which is more (`pkey`).
const HEAP: usize = 64 << 10;
/// Bytes of the modulus: 2048 to 8192 bits.
const LEAST: usize = 256;
const MOST: usize = 1024;

/// A public key, numbers in big endian without zeros in front.
#[derive(Debug, Clone, Copy)]
pub struct PublicKey<'a> {
    /// The modulus.
    pub modulus: &'a [u8],
    /// The exponent.
    pub exponent: &'a [u8],
}

impl PublicKey<'_> {
    /// Encrypts a secret with OAEP, mask and label by the same hash. `out` is as long as the
    /// modulus.
    ///
    /// # Errors
    /// [`Error::Key`] for a key or a message that cannot be, or as every use of a secret.
    pub fn seal_oaep(
        self,
        hash: Hash,
        label: &[u8],
        message: &Secret,
        out: &mut [u8],
    ) -> Result<()> {
        let len = self.modulus.len();
        if !(LEAST..=MOST).contains(&len) {
            return Err(Error::Key("RSA keys have 2048 to 8192 bits"));
        }
        if out.len() != len || message.size() + 2 * hash.size() + 2 > len {
            return Err(Error::Key("the message is too long for this RSA key"));
        }
        let pinned = message.pin()?;
        let (size, out) = (message.size(), out.as_mut_ptr());
        let sealed = pinned.with(|from| {
            domain::run_with_heap(pinned.runtime, HEAP, || {
                let input = (from, size);
                let Some(key) = Key::of(self) else { return false };
                // SAFETY: the slot is open and has that size; the output has the modulus' length.
                unsafe { key.encrypt(hash, label, input, (out, len)) }
            })
        })??;
        if sealed { Ok(()) } else { Err(Error::Key("no RSA public key has these numbers")) }
    }
}

/// The library's object; inside the domain.
struct Key(*mut lc::EVP_PKEY);

impl Key {
    fn of(public: PublicKey<'_>) -> Option<Self> {
        let (n, e) = (Number::of(public.modulus)?, Number::of(public.exponent)?);
        // SAFETY: two numbers, which it copies.
        let rsa = unsafe { lc::RSA_new_public_key(n.0, e.0) };
        // SAFETY: no precondition.
        let key = Self(unsafe { lc::EVP_PKEY_new() });
        // SAFETY: made above or null; the key takes the other over.
        let assigned = !rsa.is_null()
            && !key.0.is_null()
            && ok(unsafe { lc::EVP_PKEY_assign_RSA(key.0, rsa) });
        if !assigned {
            // SAFETY: null or made above, not taken over.
            unsafe { lc::RSA_free(rsa) };
        }
        assigned.then_some(key)
    }

    /// # Safety
    /// The message is readable for its length, `out` writable for `room` bytes, the modulus'.
    unsafe fn encrypt(
        &self,
        hash: Hash,
        label: &[u8],
        (at, size): (*const u8, usize),
        (out, room): (*mut u8, usize),
    ) -> bool {
        // SAFETY: a key; no engine.
        let ctx = unsafe { lc::EVP_PKEY_CTX_new(self.0, ptr::null_mut()) };
        if ctx.is_null() {
            return false;
        }
        let mut len = room;
        // SAFETY: made above.
        let ready = unsafe { options(ctx, hash, label) };
        // SAFETY: the buffers are as the caller promises.
        let done = ready && ok(unsafe { lc::EVP_PKEY_encrypt(ctx, out, &raw mut len, at, size) });
        // SAFETY: made above.
        unsafe { lc::EVP_PKEY_CTX_free(ctx) };
        done && len == room
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: made by `of`, or null.
        unsafe { lc::EVP_PKEY_free(self.0) };
    }
}

/// A number of the library's.
struct Number(*mut lc::BIGNUM);

impl Number {
    fn of(bytes: &[u8]) -> Option<Self> {
        // SAFETY: the slice's own length.
        let number = unsafe { lc::BN_bin2bn(bytes.as_ptr(), bytes.len(), ptr::null_mut()) };
        (!number.is_null()).then_some(Self(number))
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // SAFETY: made by `of`.
        unsafe { lc::BN_free(self.0) };
    }
}

/// # Safety
/// Inside the domain; a context of an RSA key.
unsafe fn options(ctx: *mut lc::EVP_PKEY_CTX, hash: Hash, label: &[u8]) -> bool {
    let (padding, method) = (lc::RSA_PKCS1_OAEP_PADDING, hash.method());
    // SAFETY: as the caller promises, for each call.
    let ready = ok(unsafe { lc::EVP_PKEY_encrypt_init(ctx) })
        && ok(unsafe { lc::EVP_PKEY_CTX_set_rsa_padding(ctx, padding) })
        && ok(unsafe { lc::EVP_PKEY_CTX_set_rsa_oaep_md(ctx, method) })
        && ok(unsafe { lc::EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, method) });
    // SAFETY: as the caller promises.
    ready && unsafe { set_label(ctx, label) }
}

/// # Safety
/// Inside the domain; a context of an RSA key that is ready for OAEP.
pub(super) unsafe fn set_label(ctx: *mut lc::EVP_PKEY_CTX, label: &[u8]) -> bool {
    if label.is_empty() {
        return true;
    }
    // SAFETY: the label's length.
    let copy = unsafe { lc::OPENSSL_memdup(label.as_ptr().cast(), label.len()) };
    if copy.is_null() {
        return false;
    }
    // SAFETY: the context takes the copy over when it is set.
    let set = unsafe { lc::EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy.cast(), label.len()) };
    if ok(set) {
        return true;
    }
    // SAFETY: made above, not taken over.
    unsafe { lc::OPENSSL_free(copy) };
    false
}

/// Modulus and exponent of a SubjectPublicKeyInfo in DER; `None` if it is of another kind. All
/// of it is public, so this runs outside the domain.
#[must_use]
pub fn numbers(spki: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut cbs = lc::CBS { data: spki.as_ptr(), len: spki.len() };
    // SAFETY: the CBS is over the slice.
    let key = Key(unsafe { lc::EVP_parse_public_key(&raw mut cbs) });
    if key.0.is_null() {
        return None;
    }
    // SAFETY: a key; null if it is of another kind.
    let rsa = unsafe { lc::EVP_PKEY_get0_RSA(key.0) };
    if rsa.is_null() {
        return None;
    }
    // SAFETY: an RSA key.
    let n = unsafe { lc::RSA_get0_n(rsa) };
    // SAFETY: an RSA key.
    let e = unsafe { lc::RSA_get0_e(rsa) };
    // SAFETY: numbers of the key, which lives to the end of this function.
    Some((unsafe { bytes(n) }, unsafe { bytes(e) }))
}

/// # Safety
/// A number.
unsafe fn bytes(number: *const lc::BIGNUM) -> Vec<u8> {
    // SAFETY: as the caller promises.
    let mut out = vec![0; unsafe { lc::BN_num_bytes(number) } as usize];
    // SAFETY: as long as the number.
    unsafe { lc::BN_bn2bin(number, out.as_mut_ptr()) };
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::pkey::{Kind, PrivateKey};
    use crate::secret::Options;

    #[test]
    fn what_is_sealed_is_opened_by_the_private_key() {
        let options = Options::default();
        let key = PrivateKey::generate(Kind::Rsa, 2048, options).expect("key");
        let (modulus, exponent) = numbers(key.public()).expect("numbers");
        assert_eq!((modulus.len(), exponent.as_slice()), (256, [1, 0, 1].as_slice()));
        let public = PublicKey { modulus: &modulus, exponent: &exponent };
        let message = Secret::random(16, options).expect("message");
        for label in [b"".as_slice(), b"label"] {
            let mut sealed = vec![0; modulus.len()];
            public.seal_oaep(Hash::Sha256, label, &message, &mut sealed).expect("sealed");
            let opened =
                key.decrypt_oaep(Hash::Sha256, Hash::Sha256, label, &sealed, options).expect("key");
            assert_eq!(opened.equals(&message), Ok(true));
        }
    }

    #[test]
    fn numbers_that_are_no_key_are_refused() {
        let message = Secret::random(16, Options::default()).expect("message");
        let refused = |modulus: &[u8], exponent: &[u8]| {
            let mut out = vec![0; modulus.len()];
            PublicKey { modulus, exponent }.seal_oaep(Hash::Sha256, b"", &message, &mut out)
        };
        assert!(matches!(refused(&[0xff; 255], &[3]), Err(Error::Key(_))));
        assert!(matches!(refused(&[0xff; 256], &[2]), Err(Error::Key(_))));
        assert!(matches!(refused(&[0xfe; 256], &[3]), Err(Error::Key(_))));
        assert!(matches!(refused(&[0xff; 256], &[]), Err(Error::Key(_))));
        assert_eq!(numbers(b"none"), None);
    }
}
