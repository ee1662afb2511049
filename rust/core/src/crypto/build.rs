//! Key objects of the library from their numbers. Rust because the numbers are secret.
//!
//! Every function here is called inside the domain with the secret heap. Each checks that the
//! private number and the public one belong together, and returns null if they do not.

use super::ok;
use aws_lc_sys as lc;
use core::ffi::c_int;
use core::ptr;

/// The numbers of an RSA key, big endian.
pub(super) struct RsaParts<'a> {
    pub(super) modulus: &'a [u8],
    pub(super) exponent: &'a [u8],
    pub(super) private: &'a [u8],
    pub(super) p: &'a [u8],
    pub(super) q: &'a [u8],
    /// The inverse of q modulo p.
    pub(super) qi: &'a [u8],
}

/// A number of the library's, wiped and freed on drop.
struct Number(*mut lc::BIGNUM);

impl Number {
    fn of(bytes: &[u8]) -> Option<Self> {
        // SAFETY: the slice's own length.
        let number = unsafe { lc::BN_bin2bn(bytes.as_ptr(), bytes.len(), ptr::null_mut()) };
        (!number.is_null()).then_some(Self(number))
    }

    /// This number modulo another less one. Its time depends on the numbers: it happens once,
    /// when a file without these two numbers is loaded.
    fn modulo_less_one(&self, prime: &[u8]) -> Option<Self> {
        let divisor = Self::of(prime)?;
        let rest = Self::of(&[])?;
        // SAFETY: a number of ours.
        let less = ok(unsafe { lc::BN_sub_word(divisor.0, 1) });
        // SAFETY: no precondition.
        let ctx = unsafe { lc::BN_CTX_new() };
        if ctx.is_null() {
            return None;
        }
        let (quotient, number) = (ptr::null_mut(), self.0.cast_const());
        // SAFETY: numbers of ours; the quotient is not asked for.
        let done = less && ok(unsafe { lc::BN_div(quotient, rest.0, number, divisor.0, ctx) });
        // SAFETY: made above.
        unsafe { lc::BN_CTX_free(ctx) };
        done.then_some(rest)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // SAFETY: made by `of`.
        unsafe { lc::BN_clear_free(self.0) };
    }
}

fn object() -> *mut lc::EVP_PKEY {
    // SAFETY: no precondition; inside the domain.
    unsafe { lc::EVP_PKEY_new() }
}

/// # Safety
/// Inside the domain; null or a key.
unsafe fn if_right(key: *mut lc::EVP_PKEY, right: bool) -> *mut lc::EVP_PKEY {
    if right {
        return key;
    }
    // SAFETY: as the caller promises.
    unsafe { lc::EVP_PKEY_free(key) };
    ptr::null_mut()
}

/// Of Ed25519 or X25519.
///
/// # Safety
/// Inside the domain.
pub(super) unsafe fn raw(kind: c_int, seed: &[u8; 32], public: &[u8]) -> *mut lc::EVP_PKEY {
    let (none, len) = (ptr::null_mut(), seed.len());
    // SAFETY: the array's own length.
    let key = unsafe { lc::EVP_PKEY_new_raw_private_key(kind, none, seed.as_ptr(), len) };
    let mut own = [0u8; 32];
    let mut len = own.len();
    let right = !key.is_null()
        // SAFETY: a key, and the array's own length.
        && ok(unsafe { lc::EVP_PKEY_get_raw_public_key(key, own.as_mut_ptr(), &raw mut len) })
        && own == *public;
    // SAFETY: as the caller promises.
    unsafe { if_right(key, right) }
}

/// # Safety
/// Inside the domain.
pub(super) unsafe fn on_curve(curve: c_int, scalar: &[u8], point: &[u8]) -> *mut lc::EVP_PKEY {
    let key = object();
    // SAFETY: no precondition.
    let ec = unsafe { lc::EC_KEY_new_by_curve_name(curve) };
    let right = !key.is_null()
        && !ec.is_null()
        // SAFETY: an EC key with a group.
        && unsafe { set_numbers(ec, scalar, point) }
        // SAFETY: the key takes the other over.
        && ok(unsafe { lc::EVP_PKEY_assign_EC_KEY(key, ec) });
    if !right {
        // SAFETY: made above, not taken over.
        unsafe { lc::EC_KEY_free(ec) };
    }
    // SAFETY: as the caller promises.
    unsafe { if_right(key, right) }
}

/// # Safety
/// Inside the domain; an EC key with a group.
unsafe fn set_numbers(ec: *mut lc::EC_KEY, scalar: &[u8], point: &[u8]) -> bool {
    let Some(number) = Number::of(scalar) else { return false };
    // SAFETY: as the caller promises.
    let group = unsafe { lc::EC_KEY_get0_group(ec) };
    // SAFETY: as the caller promises.
    let public = unsafe { lc::EC_POINT_new(group) };
    if public.is_null() {
        return false;
    }
    let (at, n, none) = (point.as_ptr(), point.len(), ptr::null_mut());
    // SAFETY: made above; the library checks each: that the point is on the curve, that the
    // number is in range, that they belong together.
    let right = ok(unsafe { lc::EC_POINT_oct2point(group, public, at, n, none) })
        // SAFETY: as above.
        && ok(unsafe { lc::EC_KEY_set_private_key(ec, number.0) })
        // SAFETY: as above.
        && ok(unsafe { lc::EC_KEY_set_public_key(ec, public) })
        // SAFETY: as above.
        && ok(unsafe { lc::EC_KEY_check_key(ec) });
    // SAFETY: made above.
    unsafe { lc::EC_POINT_free(public) };
    right
}

/// # Safety
/// Inside the domain.
pub(super) unsafe fn rsa(parts: &RsaParts<'_>) -> *mut lc::EVP_PKEY {
    // SAFETY: as the caller promises.
    let Some(rsa) = (unsafe { rsa_object(parts) }) else { return ptr::null_mut() };
    let key = object();
    // SAFETY: made above.
    let checked = !key.is_null() && ok(unsafe { lc::RSA_check_key(rsa) });
    // SAFETY: the key takes the other over.
    let right = checked && ok(unsafe { lc::EVP_PKEY_assign_RSA(key, rsa) });
    if !right {
        // SAFETY: made above, not taken over.
        unsafe { lc::RSA_free(rsa) };
    }
    // SAFETY: as the caller promises.
    unsafe { if_right(key, right) }
}

/// # Safety
/// Inside the domain.
unsafe fn rsa_object(parts: &RsaParts<'_>) -> Option<*mut lc::RSA> {
    let (n, e) = (Number::of(parts.modulus)?, Number::of(parts.exponent)?);
    let (private, inverse) = (Number::of(parts.private)?, Number::of(parts.qi)?);
    let (p, q) = (Number::of(parts.p)?, Number::of(parts.q)?);
    let (dp, dq) = (private.modulo_less_one(parts.p)?, private.modulo_less_one(parts.q)?);
    // SAFETY: numbers of ours, which it copies.
    let rsa =
        unsafe { lc::RSA_new_private_key(n.0, e.0, private.0, p.0, q.0, dp.0, dq.0, inverse.0) };
    (!rsa.is_null()).then_some(rsa)
}
