//! AWS-LC called plainly, for `make bench`: keys, contexts and stacks in ordinary memory. Rust
//! because it is the same library from the same build. It is in no wheel.
//!
//! Says which library it is, then answers each line "OPERATION COUNT THREADS BUSY" of standard
//! input by nanoseconds, or "-" for an operation that it has not.

#![allow(clippy::print_stdout, reason = "answers go to the benchmark")]
#![allow(clippy::disallowed_methods, reason = "threads are what is measured")]

use aws_lc_sys as lc;
use std::collections::HashMap;
use std::ffi::c_int;
use std::io::{self, BufRead, Write};
use std::ptr;
use std::time::Instant;

const SHORT: usize = 64;
const LONG: usize = 1 << 20;
const TAG: usize = 16;
const DIGEST: [u8; 32] = [7; 32];
/// More than the longest signature.
const ROOM: usize = 512;

type Once = Box<dyn FnMut() -> bool>;

fn main() {
    println!("aws-lc-sys 0.47.0");
    let mut known = HashMap::new();
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, count, threads, "0"] = words.as_slice() else {
            answer("-");
            continue;
        };
        let (Ok(count), Ok(threads)) = (count.parse(), threads.parse()) else { return };
        let took = match threads {
            1 => alone(&mut known, name, count),
            _ => together(name, count, threads),
        };
        match took {
            Some(nanoseconds) => answer(&nanoseconds.to_string()),
            None => answer("-"),
        }
    }
}

fn answer(text: &str) {
    println!("{text}");
    let _ = io::stdout().flush();
}

/// Nanoseconds of `count` times. An operation's key is made once.
fn alone(known: &mut HashMap<String, Option<Once>>, name: &str, count: u64) -> Option<u128> {
    let once = known.entry(name.to_owned()).or_insert_with(|| operation(name));
    repeat(once.as_mut()?, count)
}

/// Each thread has a key of its own; the time is that of the slowest.
fn together(name: &str, count: u64, threads: usize) -> Option<u128> {
    let work = |name: String| move || repeat(&mut operation(&name)?, count);
    let all: Vec<_> = (0..threads).map(|_| std::thread::spawn(work(name.to_owned()))).collect();
    all.into_iter().map(|thread| thread.join().ok().flatten()).max().flatten()
}

fn repeat(once: &mut Once, count: u64) -> Option<u128> {
    let began = Instant::now();
    for _ in 0..count {
        if !once() {
            return None;
        }
    }
    Some(began.elapsed().as_nanos())
}

fn operation(name: &str) -> Option<Once> {
    let once = match name {
        "ed25519_sign" => ed25519(),
        "p256_sign" => p256(),
        "rsa2048_sign" => rsa(2048),
        "rsa3072_sign" => rsa(3072),
        "aes256gcm_64" => aead(aes_256_gcm(), SHORT),
        "aes256gcm_1m" => aead(aes_256_gcm(), LONG),
        "aes256gcm_open_1m" => open(aes_256_gcm(), LONG),
        "chacha20_64" => aead(chacha20_poly1305(), SHORT),
        "chacha20_1m" => aead(chacha20_poly1305(), LONG),
        "hmac_64" => hmac(),
        _ => return None,
    };
    Some(once)
}

fn ed25519() -> Once {
    let (mut public, mut private) = ([0; 32], [0; 64]);
    // SAFETY: both are as long as the library's keys.
    unsafe { lc::ED25519_keypair(public.as_mut_ptr(), private.as_mut_ptr()) };
    let (message, mut out) = ([1; SHORT], [0; 64]);
    Box::new(move || {
        let (at, n, key) = (message.as_ptr(), message.len(), private.as_ptr());
        // SAFETY: 64 bytes of signature, a key made above.
        unsafe { lc::ED25519_sign(out.as_mut_ptr(), at, n, key) == 1 }
    })
}

fn p256() -> Once {
    // SAFETY: the curve is one of the library's.
    let key = unsafe { lc::EC_KEY_new_by_curve_name(lc::NID_X9_62_prime256v1) };
    // SAFETY: null or made above.
    assert!(unsafe { lc::EC_KEY_generate_key(key) } == 1, "no key");
    let mut out = [0; ROOM];
    Box::new(move || {
        let (at, n, mut len) = (DIGEST.as_ptr(), DIGEST.len(), 0);
        // SAFETY: a signature is shorter than the buffer; the key was made above.
        unsafe { lc::ECDSA_sign(0, at, n, out.as_mut_ptr(), &raw mut len, key) == 1 }
    })
}

fn rsa(bits: c_int) -> Once {
    // SAFETY: no precondition.
    let (rsa, e) = (unsafe { lc::RSA_new() }, unsafe { lc::BN_new() });
    // SAFETY: made above.
    assert!(unsafe { lc::BN_set_word(e, lc::RSA_F4 as u64) } == 1, "no exponent");
    // SAFETY: made above.
    let made = unsafe { lc::RSA_generate_key_ex(rsa, bits, e, ptr::null_mut()) };
    assert!(made == 1, "no key");
    let mut out = [0; ROOM];
    Box::new(move || {
        let (at, n, mut len) = (DIGEST.as_ptr(), DIGEST.len(), 0);
        let nid = lc::NID_sha256;
        // SAFETY: a signature is shorter than the buffer; the key was made above.
        unsafe { lc::RSA_sign(nid, at, n, out.as_mut_ptr(), &raw mut len, rsa) == 1 }
    })
}

fn aes_256_gcm() -> *const lc::EVP_AEAD {
    // SAFETY: a static table.
    unsafe { lc::EVP_aead_aes_256_gcm() }
}

fn chacha20_poly1305() -> *const lc::EVP_AEAD {
    // SAFETY: a static table.
    unsafe { lc::EVP_aead_chacha20_poly1305() }
}

/// The context is kept, as a plain program keeps it.
fn context(method: *const lc::EVP_AEAD) -> *mut lc::EVP_AEAD_CTX {
    // SAFETY: a 32-byte key, as both ciphers take.
    let context = unsafe { lc::EVP_AEAD_CTX_new(method, [3; 32].as_ptr(), 32, TAG) };
    assert!(!context.is_null(), "no context");
    context
}

/// Opens what was sealed, into a buffer of its own.
fn open(method: *const lc::EVP_AEAD, size: usize) -> Once {
    let context = context(method);
    let (nonce, mut sealed, mut out) = ([5; 12], vec![0; size + TAG], vec![1; size]);
    let mut len = 0;
    // SAFETY: as below.
    let done = unsafe {
        lc::EVP_AEAD_CTX_seal(
            context,
            sealed.as_mut_ptr(),
            &raw mut len,
            sealed.len(),
            nonce.as_ptr(),
            nonce.len(),
            out.as_ptr(),
            out.len(),
            ptr::null(),
            0,
        )
    };
    assert!(done == 1, "not sealed");
    Box::new(move || {
        let mut len = 0;
        // SAFETY: the context was made above; all lengths are those of their buffers.
        let done = unsafe {
            lc::EVP_AEAD_CTX_open(
                context,
                out.as_mut_ptr(),
                &raw mut len,
                out.len(),
                nonce.as_ptr(),
                nonce.len(),
                sealed.as_ptr(),
                sealed.len(),
                ptr::null(),
                0,
            )
        };
        done == 1
    })
}

fn aead(method: *const lc::EVP_AEAD, size: usize) -> Once {
    let context = context(method);
    let (nonce, message, mut out) = ([5; 12], vec![1; size], vec![0; size + TAG]);
    Box::new(move || {
        let mut len = 0;
        // SAFETY: the context was made above; all lengths are those of their buffers.
        let done = unsafe {
            lc::EVP_AEAD_CTX_seal(
                context,
                out.as_mut_ptr(),
                &raw mut len,
                out.len(),
                nonce.as_ptr(),
                nonce.len(),
                message.as_ptr(),
                message.len(),
                ptr::null(),
                0,
            )
        };
        done == 1
    })
}

fn hmac() -> Once {
    let (key, message, mut out) = ([3_u8; 32], [1; SHORT], [0; 32]);
    // SAFETY: a static table.
    let sha256 = unsafe { lc::EVP_sha256() };
    Box::new(move || {
        let (at, n, mut len) = (message.as_ptr(), message.len(), 0);
        let (key, size) = (key.as_ptr().cast(), key.len());
        // SAFETY: all lengths are those of their buffers.
        let mac = unsafe { lc::HMAC(sha256, key, size, at, n, out.as_mut_ptr(), &raw mut len) };
        !mac.is_null()
    })
}
