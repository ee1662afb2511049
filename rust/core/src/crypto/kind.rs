//! Kinds of private key, and what each needs of the domain. Rust because the operations' stacks
//! and heap are claimed by it.

use super::pq;
use crate::domain::Room;
use crate::domain::stacks::Class;
use aws_lc_sys as lc;
use core::ffi::c_int;

/// Bytes of heap that an operation on a curve takes at most; a few hundred were measured.
const CURVE_HEAP: usize = 4 << 10;
/// Bytes that PKCS#8 may have more than another encoding: SEC 1 can leave out the public point.
pub(super) const MORE: usize = 320;

/// Kinds of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RSA.
    Rsa,
    /// NIST curves of FIPS 186-5, by their size in bits.
    P256,
    /// As above.
    P384,
    /// As above.
    P521,
    /// RFC 8410; see `ed25519`.
    Ed25519,
    /// RFC 8410 and RFC 7748.
    X25519,
    /// FIPS 204; see `pq`, as for all below.
    MlDsa44,
    /// As above.
    MlDsa65,
    /// As above.
    MlDsa87,
    /// FIPS 203.
    MlKem512,
    /// As above.
    MlKem768,
    /// As above.
    MlKem1024,
}

/// Bytes of heap that loading takes at most: text, decoded and decrypted bytes, in buffers that
/// grow and that the heap rounds up, and the key's numbers. Measured, with a
/// short one: 2 KiB and five bytes per byte, with long encrypted ones ten.
pub(super) fn heap_to_load(len: usize) -> usize {
    (2 << 10) + 11 * len
}

impl Kind {
    pub(super) fn curve(self) -> Option<c_int> {
        match self {
            Self::P256 => Some(lc::NID_X9_62_prime256v1),
            Self::P384 => Some(lc::NID_secp384r1),
            Self::P521 => Some(lc::NID_secp521r1),
            _ => None,
        }
    }

    /// Bytes of heap that making a key or using one takes at most, its tables and blinding
    /// included. Measured at RSA: 22 KB with 2048 bits, 44 KB with 4096, 64 KB with 8192.
    pub(super) fn heap(self, bits: usize) -> usize {
        if self == Self::Rsa {
            16 * bits.min(4096) + 6 * bits.saturating_sub(4096)
        } else {
            CURVE_HEAP
        }
    }

    /// What an operation with a key of the kind takes.
    pub(super) fn room(self, bits: usize) -> Room<'static> {
        match pq::stack(self) {
            Class::Small => Room::heap(self.heap(bits)),
            stack => Room { stack, ..Room::heap(pq::HEAP) },
        }
    }

    /// For the way out of the domain.
    pub(super) fn code(self) -> usize {
        self as usize
    }

    pub(super) fn of_code(code: usize) -> Option<Self> {
        [Self::Rsa, Self::P256, Self::P384, Self::P521, Self::Ed25519, Self::X25519]
            .into_iter()
            .chain(pq::ALL)
            .find(|kind| kind.code() == code)
    }
}

/// # Safety
/// Inside the domain; null or a key.
pub(super) unsafe fn kind_of(key: *mut lc::EVP_PKEY) -> Option<Kind> {
    if key.is_null() {
        return None;
    }
    // SAFETY: a key.
    match unsafe { lc::EVP_PKEY_id(key) } {
        lc::EVP_PKEY_RSA => Some(Kind::Rsa),
        lc::EVP_PKEY_ED25519 => Some(Kind::Ed25519),
        lc::EVP_PKEY_X25519 => Some(Kind::X25519),
        lc::EVP_PKEY_EC => {
            // SAFETY: an EC key has a group.
            let ec = unsafe { lc::EVP_PKEY_get0_EC_KEY(key) };
            // SAFETY: as above.
            let group = unsafe { lc::EC_KEY_get0_group(ec) };
            // SAFETY: as above.
            match unsafe { lc::EC_GROUP_get_curve_name(group) } {
                lc::NID_X9_62_prime256v1 => Some(Kind::P256),
                lc::NID_secp384r1 => Some(Kind::P384),
                lc::NID_secp521r1 => Some(Kind::P521),
                _ => None,
            }
        }
        // SAFETY: as above.
        _ => unsafe { pq::kind_of(key) },
    }
}
