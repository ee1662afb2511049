//! Private keys from JSON Web Keys (RFC 7517, RFC 7518, RFC 8037). Rust because they are private
//! keys.
//!
//! Called inside the domain with the secret heap. The document is read as a stream; the numbers of
//! the key are decoded into buffers that ask first.

use super::build::{self, RsaParts};
use aws_lc_sys as lc;
use base64ct::{Base64UrlUnpadded, Encoding};
use core::fmt;
use core::ptr;
use serde_core::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// Bytes of the longest name of a key type or curve.
const MOST_NAME: usize = 8;
/// Bytes of the longest public point, on P-521.
const MOST_POINT: usize = 133;

/// Whether the text is a JSON object.
pub(super) fn is_jwk(text: &[u8]) -> bool {
    text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

/// Reads a key; null if it cannot be read.
///
/// # Safety
/// Inside the domain, with room for three times the text in the heap.
pub(super) unsafe fn load(text: &[u8]) -> *mut lc::EVP_PKEY {
    let read = || {
        let mut parser = serde_json::Deserializer::from_slice(text);
        let mut members = Members::default();
        (&mut members).deserialize(&mut parser).ok()?;
        parser.end().ok()?;
        // SAFETY: as the caller promises.
        unsafe { members.object() }
    };
    read().unwrap_or(ptr::null_mut())
}

/// A member's name, or a key type or curve.
#[derive(Default)]
struct Name {
    text: [u8; MOST_NAME],
    len: usize,
}

impl Name {
    fn get(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }
}

/// The members of a JWK that make the key.
#[derive(Default)]
struct Members {
    kty: Option<Name>,
    crv: Option<Name>,
    numbers: [Option<Vec<u8>>; NUMBERS.len()],
    /// More than two primes, which no library here takes.
    more_primes: bool,
}

/// The members that are numbers or octets, in base64url.
const NUMBERS: [&[u8]; 8] = [b"d", b"x", b"y", b"n", b"e", b"p", b"q", b"qi"];

impl<'de> DeserializeSeed<'de> for &mut Members {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Members {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        while let Some(name) = from.next_key_seed(ShortText)? {
            let number = NUMBERS.iter().position(|n| *n == name.get());
            if let Some(slot) = number.and_then(|i| self.numbers.get_mut(i)) {
                once(slot, from.next_value_seed(Octets)?)?;
            } else if name.get() == b"kty" {
                once(&mut self.kty, from.next_value_seed(ShortText)?)?;
            } else if name.get() == b"crv" {
                once(&mut self.crv, from.next_value_seed(ShortText)?)?;
            } else {
                self.more_primes |= name.get() == b"oth";
                from.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// A member that is there twice could be read in two ways.
fn once<T, E: Error>(slot: &mut Option<T>, value: T) -> Result<(), E> {
    if slot.replace(value).is_some() {
        return Err(E::custom("twice"));
    }
    Ok(())
}

/// A text; one that is longer than all that are known is cut, and then is none of them.
struct ShortText;

impl<'de> DeserializeSeed<'de> for ShortText {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Name, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for ShortText {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, text: &str) -> Result<Name, E> {
        let mut name = Name::default();
        for (to, from) in name.text.iter_mut().zip(text.as_bytes()) {
            *to = *from;
        }
        name.len = text.len().min(MOST_NAME);
        Ok(name)
    }
}

/// What base64url stands for (RFC 7515, section 2: without padding).
struct Octets;

impl<'de> DeserializeSeed<'de> for Octets {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<u8>, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Octets {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64url")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(text.len()).map_err(|_| E::custom("no room"))?;
        bytes.resize(text.len(), 0);
        let len = Base64UrlUnpadded::decode(text, &mut bytes).map_err(|_| E::custom("base64"))?;
        let len = len.len();
        bytes.truncate(len);
        Ok(bytes)
    }
}

impl Members {
    fn number(&self, name: &[u8]) -> Option<&[u8]> {
        let at = NUMBERS.iter().position(|n| *n == name)?;
        self.numbers.get(at)?.as_deref()
    }

    /// # Safety
    /// As [`load`].
    unsafe fn object(&self) -> Option<*mut lc::EVP_PKEY> {
        let curve = self.crv.as_ref().map_or(&[][..], Name::get);
        match (self.kty.as_ref()?.get(), curve) {
            // SAFETY: as the caller promises.
            (b"OKP", b"Ed25519") => unsafe { self.raw(lc::EVP_PKEY_ED25519) },
            // SAFETY: as the caller promises.
            (b"OKP", b"X25519") => unsafe { self.raw(lc::EVP_PKEY_X25519) },
            // SAFETY: as the caller promises.
            (b"EC", b"P-256") => unsafe { self.on_curve(lc::NID_X9_62_prime256v1, 32) },
            // SAFETY: as the caller promises.
            (b"EC", b"P-384") => unsafe { self.on_curve(lc::NID_secp384r1, 48) },
            // SAFETY: as the caller promises.
            (b"EC", b"P-521") => unsafe { self.on_curve(lc::NID_secp521r1, 66) },
            // SAFETY: as the caller promises.
            (b"RSA", _) if !self.more_primes => unsafe { self.rsa() },
            _ => None,
        }
    }

    /// # Safety
    /// As [`load`].
    unsafe fn raw(&self, kind: core::ffi::c_int) -> Option<*mut lc::EVP_PKEY> {
        let private = self.number(b"d")?.try_into().ok()?;
        // SAFETY: as the caller promises.
        Some(unsafe { build::raw(kind, private, self.number(b"x")?) })
    }

    /// All three have the length of the field: RFC 7518, section 6.2.
    ///
    /// # Safety
    /// As [`load`].
    unsafe fn on_curve(&self, curve: core::ffi::c_int, len: usize) -> Option<*mut lc::EVP_PKEY> {
        let (d, x, y) = (self.number(b"d")?, self.number(b"x")?, self.number(b"y")?);
        if [d, x, y].iter().any(|part| part.len() != len) {
            return None;
        }
        let mut room = [0u8; MOST_POINT];
        let point = room.get_mut(..=2 * len)?;
        let (uncompressed, rest) = point.split_first_mut()?;
        *uncompressed = 4;
        let (left, right) = rest.split_at_mut(len);
        left.copy_from_slice(x);
        right.copy_from_slice(y);
        // SAFETY: as the caller promises.
        Some(unsafe { build::on_curve(curve, d, point) })
    }

    /// With its primes, which RFC 7518 leaves out only for keys that are not made any more.
    ///
    /// # Safety
    /// As [`load`].
    unsafe fn rsa(&self) -> Option<*mut lc::EVP_PKEY> {
        let parts = RsaParts {
            modulus: self.number(b"n")?,
            exponent: self.number(b"e")?,
            private: self.number(b"d")?,
            p: self.number(b"p")?,
            q: self.number(b"q")?,
            qi: self.number(b"qi")?,
        };
        // SAFETY: as the caller promises.
        Some(unsafe { build::rsa(&parts) })
    }
}
