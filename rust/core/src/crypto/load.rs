//! Private keys from their encodings. Rust because they are private keys.
//!
//! Called inside the domain with the secret heap.

use super::{jwk, ssh};
use aws_lc_sys as lc;
use core::ffi::{c_char, c_int, c_long, c_void};
use core::ptr;

/// A passphrase on its way to the library's callback.
struct Passphrase {
    at: *const u8,
    len: usize,
}

unsafe extern "C" fn give_passphrase(
    to: *mut c_char,
    room: c_int,
    _writing: c_int,
    passphrase: *mut c_void,
) -> c_int {
    // SAFETY: `load` passes a pointer to its own Passphrase.
    let passphrase = unsafe { &*passphrase.cast::<Passphrase>() };
    match c_int::try_from(passphrase.len) {
        Ok(len) if len <= room && !passphrase.at.is_null() => {
            // SAFETY: room for `room` bytes, and the passphrase is open for its length.
            unsafe { crate::asm::copy(to.cast(), passphrase.at, passphrase.len) };
            len
        }
        _ => -1,
    }
}

/// # Safety
/// `at` is null or readable for `len` bytes.
unsafe fn passphrase<'a>(at: *const u8, len: usize) -> &'a [u8] {
    if at.is_null() {
        return &[];
    }
    // SAFETY: as the caller promises.
    unsafe { core::slice::from_raw_parts(at, len) }
}

/// Reads PEM or DER; null if it cannot be read.
///
/// # Safety
/// Inside the domain; `at` is readable for `len` bytes, `pass` null or for `pass_len`.
pub(crate) unsafe fn load(
    at: *const u8,
    len: usize,
    pass: *const u8,
    pass_len: usize,
) -> *mut lc::EVP_PKEY {
    // SAFETY: as the caller promises.
    let bytes = unsafe { core::slice::from_raw_parts(at, len) };
    if ssh::is_ssh(bytes) {
        // SAFETY: as the caller promises.
        let passphrase = unsafe { passphrase(pass, pass_len) };
        // SAFETY: as the caller promises.
        return unsafe { ssh::load(bytes, passphrase) };
    }
    if bytes.windows(11).any(|w| w == b"-----BEGIN ") {
        // SAFETY: as the caller promises.
        return unsafe { load_pem(at, len, pass, pass_len) };
    }
    if jwk::is_jwk(bytes) {
        // SAFETY: as the caller promises.
        return unsafe { jwk::load(bytes) };
    }
    let mut cbs = lc::CBS { data: at, len };
    // SAFETY: the CBS is over the caller's bytes.
    let key = unsafe { lc::EVP_parse_private_key(&raw mut cbs) };
    // SAFETY: null or made above.
    let key = unsafe { whole(key, cbs.len == 0) };
    if !key.is_null() {
        return key;
    }
    if !pass.is_null() {
        let mut cbs = lc::CBS { data: at, len };
        // SAFETY: as above; the passphrase is readable for its length.
        let key =
            unsafe { lc::PKCS8_parse_encrypted_private_key(&raw mut cbs, pass.cast(), pass_len) };
        // SAFETY: null or made above.
        return unsafe { whole(key, cbs.len == 0) };
    }
    let mut from = at;
    // SAFETY: as above.
    let key = unsafe { lc::d2i_AutoPrivateKey(ptr::null_mut(), &raw mut from, len as c_long) };
    // The library puts `from` behind what it read.
    // SAFETY: null or made above.
    let key = unsafe { whole(key, from == at.wrapping_add(len)) };
    if !key.is_null() {
        return key;
    }
    // SAFETY: as above.
    unsafe { load_sec1(at, len) }
}

/// The key if nothing follows it; freed, and null, if something does.
///
/// # Safety
/// Inside the domain; the key is null or the caller's own.
unsafe fn whole(key: *mut lc::EVP_PKEY, at_end: bool) -> *mut lc::EVP_PKEY {
    if at_end {
        return key;
    }
    // SAFETY: as the caller promises.
    unsafe { lc::EVP_PKEY_free(key) };
    ptr::null_mut()
}

/// A SEC 1 key without its public half (RFC 5915 has it optional), which the library's search
/// takes for RSA.
///
/// # Safety
/// As [`load`].
unsafe fn load_sec1(at: *const u8, len: usize) -> *mut lc::EVP_PKEY {
    let mut cbs = lc::CBS { data: at, len };
    // SAFETY: the CBS is over the caller's bytes; the curve must be named in them.
    let ec = unsafe { lc::EC_KEY_parse_private_key(&raw mut cbs, ptr::null()) };
    // SAFETY: no precondition.
    let key = unsafe { lc::EVP_PKEY_new() };
    let right = !ec.is_null()
        && cbs.len == 0
        && !key.is_null()
        // SAFETY: the key takes the other over.
        && unsafe { lc::EVP_PKEY_assign_EC_KEY(key, ec) } == 1;
    if right {
        return key;
    }
    // SAFETY: null or made above, not taken over.
    unsafe { lc::EC_KEY_free(ec) };
    // SAFETY: null or made above.
    unsafe { lc::EVP_PKEY_free(key) };
    ptr::null_mut()
}

/// # Safety
/// As [`load`].
unsafe fn load_pem(
    at: *const u8,
    len: usize,
    pass: *const u8,
    pass_len: usize,
) -> *mut lc::EVP_PKEY {
    // SAFETY: the bytes outlive the BIO, which is read-only.
    let bio = unsafe { lc::BIO_new_mem_buf(at.cast(), len as isize) };
    if bio.is_null() {
        return ptr::null_mut();
    }
    let mut passphrase = Passphrase { at: pass, len: pass_len };
    let user = (&raw mut passphrase).cast();
    // SAFETY: the callback gets the pointer that it expects.
    let key =
        unsafe { lc::PEM_read_bio_PrivateKey(bio, ptr::null_mut(), Some(give_passphrase), user) };
    // SAFETY: made above.
    unsafe { lc::BIO_free(bio) };
    key
}
