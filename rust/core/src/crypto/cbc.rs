//! AES-CBC with PKCS#7 padding (NIST SP 800-38A, RFC 8018). Rust because the key is secret.
//!
//! For formats that ask for it: it authenticates nothing. Called inside the domain; takes no heap.

use aws_lc_sys as lc;
use core::ffi::c_uint;
use core::mem::MaybeUninit;
use subtle::{Choice, ConstantTimeEq, ConstantTimeLess};

/// Bytes of a block and of an IV.
pub(super) const BLOCK: usize = 16;

/// An AES key: its address and its size, 16, 24 or 32 bytes.
pub(super) type Key = (*const u8, usize);

/// Bytes of the ciphertext of so many.
pub(super) fn padded(message: usize) -> usize {
    message / BLOCK * BLOCK + BLOCK
}

fn bits(size: usize) -> c_uint {
    8 * size as c_uint
}

/// Encrypts.
///
/// # Safety
/// The key is readable, `from` for `len` bytes, `to` writable for the padded length.
pub(super) unsafe fn encrypt(
    key: Key,
    mut iv: [u8; BLOCK],
    from: *const u8,
    len: usize,
    to: *mut u8,
) {
    let mut schedule = MaybeUninit::<lc::AES_KEY>::uninit();
    let (schedule, iv) = (schedule.as_mut_ptr(), iv.as_mut_ptr());
    let whole = len / BLOCK * BLOCK;
    let fill = BLOCK - (len - whole);
    let mut last = [fill as u8; BLOCK];
    // SAFETY: fewer bytes than a block are left.
    unsafe { crate::asm::copy(last.as_mut_ptr(), from.wrapping_add(whole), len - whole) };
    // SAFETY: the key has so many bits.
    unsafe { lc::AES_set_encrypt_key(key.0, bits(key.1), schedule) };
    // SAFETY: whole blocks of both buffers; the schedule was made above.
    unsafe { lc::AES_cbc_encrypt(from, to, whole, schedule, iv, lc::AES_ENCRYPT) };
    let end = to.wrapping_add(whole);
    // SAFETY: as above, the last block.
    unsafe { lc::AES_cbc_encrypt(last.as_ptr(), end, BLOCK, schedule, iv, lc::AES_ENCRYPT) };
}

/// Undoes [`encrypt`]: the length of the message, `None` if the padding is wrong, which is looked
/// at in constant time.
///
/// # Safety
/// As [`encrypt`]; `to` is as long as the ciphertext, which has whole blocks, at least one.
pub(super) unsafe fn decrypt(
    key: Key,
    mut iv: [u8; BLOCK],
    from: *const u8,
    len: usize,
    to: *mut u8,
) -> Option<usize> {
    let mut schedule = MaybeUninit::<lc::AES_KEY>::uninit();
    let (schedule, iv) = (schedule.as_mut_ptr(), iv.as_mut_ptr());
    // SAFETY: the key has so many bits.
    unsafe { lc::AES_set_decrypt_key(key.0, bits(key.1), schedule) };
    // SAFETY: whole blocks; the schedule was made above.
    unsafe { lc::AES_cbc_encrypt(from, to, len, schedule, iv, lc::AES_DECRYPT) };
    // SAFETY: the last block was written above.
    let last = unsafe { core::slice::from_raw_parts(to.wrapping_add(len - BLOCK), BLOCK) };
    let fill = last.last().copied()?;
    let mut right = !fill.ct_eq(&0) & fill.ct_lt(&(BLOCK as u8 + 1));
    for (i, byte) in last.iter().rev().enumerate() {
        let in_fill: Choice = (i as u8).ct_lt(&fill);
        right &= !in_fill | byte.ct_eq(&fill);
    }
    bool::from(right).then(|| len - usize::from(fill))
}
