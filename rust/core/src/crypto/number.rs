//! The private numbers of a key, each as a secret. Rust because they are secret.

use super::ok;
use super::pkey::PrivateKey;
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::secret::{Options, Secret};
use aws_lc_sys as lc;
use core::ptr;

/// The private numbers of RSA (RFC 8017) and of curves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// The private exponent, or the private number of a curve.
    D,
    /// The primes.
    P,
    /// As above.
    Q,
    /// d modulo p less one.
    Dp,
    /// d modulo q less one.
    Dq,
    /// The inverse of q modulo p.
    Qi,
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Big endian; of a curve, in the length of its field.
    Octets,
    /// `mpint` of RFC 4251: big endian with a sign, its length in front.
    Mpint,
}

/// Bytes that a length and a sign take.
const MPINT: usize = 5;

impl PrivateKey {
    /// One of its private numbers as a new secret.
    ///
    /// # Errors
    /// [`Error::Key`] if this kind of key has no such number, or as every use of a secret.
    pub fn number(&self, which: Number, form: Form, options: Options) -> Result<Secret> {
        let room = self.bits().div_ceil(8) + MPINT;
        let draft = Draft::new(room, options)?;
        let len = draft.with(|to| {
            self.with_object(|key| {
                // SAFETY: a key of the library's; the draft is open and has `room` bytes.
                unsafe { number(key, which, form, (to, room)) }
            })
        })??;
        draft.finish_at(len.ok_or(Error::Key("this kind of key has no such number"))?)
    }
}

/// One of the private numbers of a key, big endian, into `out`: of an EC key only `d`, in the
/// length of the field.
///
/// # Safety
/// Inside the domain; a key; `out` is writable for `room` bytes.
unsafe fn number(
    key: *mut lc::EVP_PKEY,
    which: Number,
    form: Form,
    (out, room): (*mut u8, usize),
) -> Option<usize> {
    // SAFETY: a key.
    let rsa = unsafe { lc::EVP_PKEY_get0_RSA(key) };
    // SAFETY: a key.
    let ec = unsafe { lc::EVP_PKEY_get0_EC_KEY(key) };
    let (number, len) = if ec.is_null() {
        // SAFETY: null, which `of_rsa` answers, or an RSA key.
        let number = unsafe { of_rsa(rsa, which) }?;
        // SAFETY: a number of that key.
        (number, unsafe { lc::BN_num_bytes(number) } as usize)
    } else {
        // SAFETY: a key.
        let bits = unsafe { lc::EVP_PKEY_bits(key) } as usize;
        // SAFETY: an EC key.
        let number = unsafe { lc::EC_KEY_get0_private_key(ec) };
        ((which == Number::D && !number.is_null()).then_some(number)?, bits.div_ceil(8))
    };
    if form == Form::Mpint {
        // SAFETY: a number of that key; asks for the length only.
        let len = unsafe { lc::BN_bn2mpi(number, ptr::null_mut()) };
        // SAFETY: room for `len` bytes, as compared.
        return (len <= room).then(|| unsafe { lc::BN_bn2mpi(number, out) });
    }
    // SAFETY: room for `len` bytes, as compared.
    (len <= room && ok(unsafe { lc::BN_bn2bin_padded(out, len, number) })).then_some(len)
}

/// # Safety
/// Null or an RSA key.
unsafe fn of_rsa(rsa: *const lc::RSA, which: Number) -> Option<*const lc::BIGNUM> {
    if rsa.is_null() {
        return None;
    }
    let get = match which {
        Number::D => lc::RSA_get0_d,
        Number::P => lc::RSA_get0_p,
        Number::Q => lc::RSA_get0_q,
        Number::Dp => lc::RSA_get0_dmp1,
        Number::Dq => lc::RSA_get0_dmq1,
        Number::Qi => lc::RSA_get0_iqmp,
    };
    // SAFETY: an RSA key.
    let number = unsafe { get(rsa) };
    (!number.is_null()).then_some(number)
}
