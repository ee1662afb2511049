//! The library's key objects, and the calls on them. Rust because they hold private keys.
//!
//! Every function here is called inside the domain with the secret heap, except where stated.
//! Each frees on every way out what it made.

use super::mac::Hash;
use super::ok;
use crate::domain::{self, Room};
use crate::runtime::{self, epoch};
use aws_lc_sys as lc;
use core::ffi::c_int;
use core::ptr;
use core::sync::atomic::{AtomicIsize, Ordering::Relaxed};
use std::sync::Arc;

/// A key object in the secret heap of the process that made it.
#[derive(Debug)]
pub(super) struct Object {
    key: *mut lc::EVP_PKEY,
    epoch: u32,
    /// The heap's blocks that it consists of.
    blocks: Arc<AtomicIsize>,
}

// SAFETY: the library's key objects may be used by several threads; ours is freed once.
unsafe impl Send for Object {}

impl Object {
    /// Takes over a key of this process, which an operation made that counted its blocks; `None`
    /// if there is none. Outside the domain.
    pub(super) fn new(key: *mut lc::EVP_PKEY, blocks: Arc<AtomicIsize>) -> Option<Self> {
        (!key.is_null()).then(|| Self { key, epoch: epoch(), blocks })
    }

    pub(super) fn key(&self) -> *mut lc::EVP_PKEY {
        self.key
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// For operations that use it: the library puts tables and blinding into it.
    pub(super) fn blocks(&self) -> Arc<AtomicIsize> {
        Arc::clone(&self.blocks)
    }
}

impl Drop for Object {
    /// Freed inside. In a forked child the object is not there.
    fn drop(&mut self) {
        let Ok(runtime) = runtime::get() else { return };
        if self.epoch != epoch() {
            return;
        }
        let (key, kept) = (self.key, Some(&*self.blocks));
        // Without a stack it stays in the closed heap.
        let freed = domain::run_with(runtime, Room { kept, ..Room::heap(0) }, || {
            // SAFETY: ours, and nobody uses it any more.
            unsafe { lc::EVP_PKEY_free(key) };
        });
        debug_assert!(
            freed.is_err() || self.blocks.load(Relaxed) == 0,
            "a key object left blocks in the heap"
        );
    }
}

/// # Safety
/// Inside the domain.
pub(super) unsafe fn generate_on_curve(curve: c_int) -> *mut lc::EVP_PKEY {
    // SAFETY: as the caller promises.
    let key = unsafe { lc::EVP_PKEY_new() };
    // SAFETY: as the caller promises.
    let ec = unsafe { lc::EC_KEY_new_by_curve_name(curve) };
    // SAFETY: null or made above; the key takes the other over when it is assigned.
    let made = !key.is_null()
        && !ec.is_null()
        && ok(unsafe { lc::EC_KEY_generate_key(ec) })
        && ok(unsafe { lc::EVP_PKEY_assign_EC_KEY(key, ec) });
    if made {
        return key;
    }
    // SAFETY: made above, not assigned.
    unsafe { lc::EC_KEY_free(ec) };
    // SAFETY: made above.
    unsafe { lc::EVP_PKEY_free(key) };
    ptr::null_mut()
}

/// # Safety
/// Inside the domain.
pub(super) unsafe fn generate_rsa(bits: c_int) -> *mut lc::EVP_PKEY {
    // SAFETY: as the caller promises.
    let key = unsafe { lc::EVP_PKEY_new() };
    // SAFETY: as the caller promises.
    let rsa = unsafe { lc::RSA_new() };
    // SAFETY: as the caller promises.
    let e = unsafe { lc::BN_new() };
    let exponent = lc::RSA_F4 as u64;
    // SAFETY: null or made above; the key takes the other over when it is assigned.
    let made = !key.is_null()
        && !rsa.is_null()
        && !e.is_null()
        && ok(unsafe { lc::BN_set_word(e, exponent) })
        && ok(unsafe { lc::RSA_generate_key_ex(rsa, bits, e, ptr::null_mut()) })
        && ok(unsafe { lc::EVP_PKEY_assign_RSA(key, rsa) });
    // SAFETY: made above.
    unsafe { lc::BN_free(e) };
    if made {
        return key;
    }
    // SAFETY: made above, not assigned.
    unsafe { lc::RSA_free(rsa) };
    // SAFETY: made above.
    unsafe { lc::EVP_PKEY_free(key) };
    ptr::null_mut()
}

/// Bits of the key and bytes of its SubjectPublicKeyInfo; zeros if it cannot be written.
///
/// # Safety
/// Inside the domain; `out` is writable for `room` bytes.
pub(super) unsafe fn marshal_public(
    key: *mut lc::EVP_PKEY,
    out: *mut u8,
    room: usize,
) -> (usize, usize) {
    if key.is_null() {
        return (0, 0);
    }
    // SAFETY: a key.
    let bits = unsafe { lc::EVP_PKEY_bits(key) } as usize;
    // SAFETY: as the caller promises.
    let len = unsafe { marshal(lc::EVP_marshal_public_key, key, out, room) };
    (bits, len.unwrap_or(0))
}

/// Writes the numbers of the public key, see `PrivateKey::public_numbers`; returns their bytes.
///
/// # Safety
/// As [`marshal_public`], for two buffers.
pub(super) unsafe fn public_numbers(
    key: *mut lc::EVP_PKEY,
    (first, second): (*mut u8, *mut u8),
    room: usize,
) -> (usize, usize) {
    // SAFETY: a key.
    if unsafe { lc::EVP_PKEY_id(key) } == lc::EVP_PKEY_RSA {
        // SAFETY: an RSA key.
        let rsa = unsafe { lc::EVP_PKEY_get0_RSA(key) };
        // SAFETY: as above.
        let e = unsafe { lc::RSA_get0_e(rsa) };
        // SAFETY: as above.
        let n = unsafe { lc::RSA_get0_n(rsa) };
        // SAFETY: as the caller promises.
        let e_len = unsafe { number(e, first, room) };
        // SAFETY: as the caller promises.
        return (e_len, unsafe { number(n, second, room) });
    }
    // SAFETY: an EC key has a group and a point.
    let ec = unsafe { lc::EVP_PKEY_get0_EC_KEY(key) };
    // SAFETY: as above.
    let group = unsafe { lc::EC_KEY_get0_group(ec) };
    // SAFETY: as above.
    let point = unsafe { lc::EC_KEY_get0_public_key(ec) };
    let form = lc::point_conversion_form_t::POINT_CONVERSION_UNCOMPRESSED;
    // SAFETY: the buffer has that room.
    let len = unsafe { lc::EC_POINT_point2oct(group, point, form, first, room, ptr::null_mut()) };
    (len, 0)
}

/// # Safety
/// Inside the domain; a number of the library's; `out` is writable for `room` bytes.
unsafe fn number(number: *const lc::BIGNUM, out: *mut u8, room: usize) -> usize {
    // SAFETY: as the caller promises.
    if unsafe { lc::BN_num_bytes(number) } as usize > room {
        return 0;
    }
    // SAFETY: it fits, as compared above.
    unsafe { lc::BN_bn2bin(number, out) }
}

/// Bytes of the PKCS#8 form.
///
/// # Safety
/// As [`marshal_public`].
pub(super) unsafe fn marshal_private(
    key: *mut lc::EVP_PKEY,
    out: *mut u8,
    room: usize,
) -> Option<usize> {
    if key.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    unsafe { marshal(lc::EVP_marshal_private_key, key, out, room) }
}

type Marshal = unsafe extern "C" fn(*mut lc::CBB, *const lc::EVP_PKEY) -> c_int;

/// # Safety
/// As [`marshal_public`].
unsafe fn marshal(
    write: Marshal,
    key: *mut lc::EVP_PKEY,
    out: *mut u8,
    room: usize,
) -> Option<usize> {
    let mut cbb = core::mem::MaybeUninit::<lc::CBB>::uninit();
    let cbb = cbb.as_mut_ptr();
    let (mut data, mut len) = (ptr::null_mut(), 0);
    // SAFETY: a builder of ours over the caller's buffer.
    if !ok(unsafe { lc::CBB_init_fixed(cbb, out, room) }) {
        return None;
    }
    // SAFETY: initialised above.
    let done = ok(unsafe { write(cbb, key) })
        && ok(unsafe { lc::CBB_finish(cbb, &raw mut data, &raw mut len) });
    if !done {
        // SAFETY: initialised above; a fixed builder frees nothing.
        unsafe { lc::CBB_cleanup(cbb) };
    }
    done.then_some(len)
}

/// # Safety
/// Inside the domain; an EC key; `out` is writable for `room` bytes.
pub(super) unsafe fn ecdsa(
    key: *mut lc::EVP_PKEY,
    digest: &[u8],
    out: *mut u8,
    room: usize,
) -> Option<usize> {
    let mut len = 0;
    // SAFETY: an EC key.
    let ec = unsafe { lc::EVP_PKEY_get0_EC_KEY(key) };
    // SAFETY: as above.
    if unsafe { lc::ECDSA_size(ec) } > room {
        return None;
    }
    // SAFETY: the signature fits, as compared above.
    let done = unsafe { lc::ECDSA_sign(0, digest.as_ptr(), digest.len(), out, &raw mut len, ec) };
    ok(done).then_some(len as usize)
}

/// # Safety
/// Inside the domain; an RSA key; `out` is as long as the modulus, the digest as its hash.
pub(super) unsafe fn pkcs1(
    key: *mut lc::EVP_PKEY,
    hash: Hash,
    digest: &[u8],
    out: *mut u8,
) -> Option<usize> {
    let mut len = 0;
    let nid = hash.nid();
    // SAFETY: an RSA key.
    let rsa = unsafe { lc::EVP_PKEY_get0_RSA(key) };
    // SAFETY: as the caller promises.
    let done = unsafe { lc::RSA_sign(nid, digest.as_ptr(), digest.len(), out, &raw mut len, rsa) };
    ok(done).then_some(len as usize)
}

/// # Safety
/// As [`pkcs1`].
pub(super) unsafe fn pss(
    key: *mut lc::EVP_PKEY,
    (hash, mgf1): (Hash, Hash),
    salt_len: c_int,
    digest: &[u8],
    (out, room): (*mut u8, usize),
) -> Option<usize> {
    let mut len = 0;
    let (md, mask) = (hash.method(), mgf1.method());
    // SAFETY: an RSA key.
    let rsa = unsafe { lc::EVP_PKEY_get0_RSA(key) };
    let (at, n) = (digest.as_ptr(), digest.len());
    // SAFETY: as the caller promises.
    let done =
        unsafe { lc::RSA_sign_pss_mgf1(rsa, &raw mut len, out, room, at, n, md, mask, salt_len) };
    ok(done).then_some(len)
}

/// # Safety
/// Inside the domain; an RSA key; `out` is writable for `room` bytes, the modulus' length.
pub(super) unsafe fn oaep(
    key: *mut lc::EVP_PKEY,
    (hash, mgf1): (Hash, Hash),
    label: &[u8],
    ciphertext: &[u8],
    (out, room): (*mut u8, usize),
) -> Option<usize> {
    // SAFETY: a key; no engine.
    let ctx = unsafe { lc::EVP_PKEY_CTX_new(key, ptr::null_mut()) };
    if ctx.is_null() {
        return None;
    }
    // SAFETY: made above.
    let ready = unsafe { oaep_options(ctx, (hash, mgf1), label) };
    let mut len = room;
    let (at, n) = (ciphertext.as_ptr(), ciphertext.len());
    // SAFETY: as the caller promises.
    let done = ready && ok(unsafe { lc::EVP_PKEY_decrypt(ctx, out, &raw mut len, at, n) });
    // SAFETY: made above.
    unsafe { lc::EVP_PKEY_CTX_free(ctx) };
    done.then_some(len)
}

/// # Safety
/// Inside the domain; a context of an RSA key.
unsafe fn oaep_options(
    ctx: *mut lc::EVP_PKEY_CTX,
    (hash, mgf1): (Hash, Hash),
    label: &[u8],
) -> bool {
    let padding = lc::RSA_PKCS1_OAEP_PADDING;
    // SAFETY: as the caller promises, for each call.
    let ready = ok(unsafe { lc::EVP_PKEY_decrypt_init(ctx) })
        && ok(unsafe { lc::EVP_PKEY_CTX_set_rsa_padding(ctx, padding) })
        && ok(unsafe { lc::EVP_PKEY_CTX_set_rsa_oaep_md(ctx, hash.method()) })
        && ok(unsafe { lc::EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, mgf1.method()) });
    // SAFETY: as the caller promises.
    ready && unsafe { super::rsa_public::set_label(ctx, label) }
}

/// # Safety
/// As [`oaep`], for an EC key.
pub(super) unsafe fn ecdh(
    key: *mut lc::EVP_PKEY,
    peer: &[u8],
    (out, room): (*mut u8, usize),
) -> Option<usize> {
    // SAFETY: an EC key has a group.
    let ec = unsafe { lc::EVP_PKEY_get0_EC_KEY(key) };
    // SAFETY: as above.
    let group = unsafe { lc::EC_KEY_get0_group(ec) };
    // SAFETY: as above.
    let point = unsafe { lc::EC_POINT_new(group) };
    if point.is_null() {
        return None;
    }
    let (at, n) = (peer.as_ptr(), peer.len());
    // SAFETY: made above; the library checks that the point is on the curve.
    let valid = ok(unsafe { lc::EC_POINT_oct2point(group, point, at, n, ptr::null_mut()) });
    let len = if valid {
        // SAFETY: room for a coordinate, as the caller promises.
        unsafe { lc::ECDH_compute_key(out.cast(), room, point, ec, None) }
    } else {
        -1
    };
    // SAFETY: made above.
    unsafe { lc::EC_POINT_free(point) };
    usize::try_from(len).ok().filter(|n| *n > 0)
}
