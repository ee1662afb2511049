//! ML-DSA (FIPS 204) and ML-KEM (FIPS 203). Rust because the private keys are secret.
//!
//! Keys are [`PrivateKey`]s: kept as the PKCS#8 form of their seed, and as the library's object.
//! The algorithms need deep stacks: `deep` tells before a file is read whether it may hold one.

use super::ok;
use super::pkey::{Kind, PrivateKey};
use crate::domain::stacks::Class;
use crate::domain::{self, Room};
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::pem;
use crate::runtime;
use crate::secret::{Options, Secret};
use aws_lc_sys as lc;
use core::ffi::c_int;
use core::ptr;
use pem_rfc7468::Decoder;

/// Bytes of heap that an operation takes at most, the key's object included.
pub(super) const HEAP: usize = 20 << 10;
/// Bytes of the longest context of a signature.
pub const MOST_CONTEXT: usize = 255;
/// Bytes of a message's representative, which a signature by `mu` is over.
pub const MU: usize = 64;
/// Bytes of a shared secret of ML-KEM.
pub const SHARED: usize = 32;
/// 2.16.840.1.101.3.4.3 and .4, NIST's signatures and KEMs, but for their last byte.
const OID: &[u8] = &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04];
/// An algorithm's name is in the first bytes of PKCS#8.
const HEAD: usize = 48;

/// Whether reading the file may make a key of these kinds, which takes a large stack. Inside the
/// domain; takes no heap.
pub(crate) fn deep(file: &[u8], passphrase: bool) -> bool {
    if !file.windows(11).any(|w| w == b"-----BEGIN ") {
        return passphrase || names_one(file);
    }
    let encrypted = |mark: &[u8]| file.windows(mark.len()).any(|w| w == mark);
    if encrypted(b"-----BEGIN ENCRYPTED") || encrypted(b"Proc-Type") {
        return true;
    }
    let mut rest = file;
    while let Some(block) = pem::block(rest, Some("PRIVATE KEY")) {
        let mut head = [0; HEAD];
        let named = Decoder::new_detect_wrap(block).and_then(|mut decoder| {
            let len = decoder.remaining_len().min(HEAD);
            Ok(names_one(decoder.decode(head.get_mut(..len).unwrap_or_default())?))
        });
        // What this reader does not take, the library may.
        if named.unwrap_or(true) {
            return true;
        }
        let end = (block.as_ptr() as usize - rest.as_ptr() as usize) + block.len();
        rest = rest.get(end..).unwrap_or_default();
    }
    false
}

fn names_one(der: &[u8]) -> bool {
    let head = der.get(..HEAD).unwrap_or(der);
    head.windows(OID.len() + 1).any(|w| w.starts_with(OID) && matches!(w.last(), Some(3 | 4)))
}

/// What loading an unknown key takes if [`deep`] says so.
pub(super) fn room_to_load(len: usize) -> Room<'static> {
    Room { stack: Class::Large, ..Room::heap(super::pkey::heap_to_load(len) + HEAP) }
}

/// The kind of a key of the library's.
///
/// # Safety
/// Inside the domain; a key.
pub(super) unsafe fn kind_of(key: *mut lc::EVP_PKEY) -> Option<Kind> {
    // SAFETY: a key.
    let nid = match unsafe { lc::EVP_PKEY_id(key) } {
        // SAFETY: as above.
        lc::EVP_PKEY_PQDSA => unsafe { lc::EVP_PKEY_pqdsa_get_type(key) },
        // SAFETY: as above.
        lc::EVP_PKEY_KEM => unsafe { lc::EVP_PKEY_kem_get_type(key) },
        _ => return None,
    };
    ALL.into_iter().find(|kind| self::nid(*kind) == Some(nid))
}

pub(super) const ALL: [Kind; 6] =
    [Kind::MlDsa44, Kind::MlDsa65, Kind::MlDsa87, Kind::MlKem512, Kind::MlKem768, Kind::MlKem1024];

fn nid(kind: Kind) -> Option<c_int> {
    match kind {
        Kind::MlDsa44 => Some(lc::NID_MLDSA44),
        Kind::MlDsa65 => Some(lc::NID_MLDSA65),
        Kind::MlDsa87 => Some(lc::NID_MLDSA87),
        Kind::MlKem512 => Some(lc::NID_MLKEM512),
        Kind::MlKem768 => Some(lc::NID_MLKEM768),
        Kind::MlKem1024 => Some(lc::NID_MLKEM1024),
        _ => None,
    }
}

/// The stack that a key of the kind needs for everything.
pub(super) fn stack(kind: Kind) -> Class {
    match kind {
        Kind::MlDsa44 | Kind::MlDsa65 | Kind::MlDsa87 => Class::Large,
        Kind::MlKem512 | Kind::MlKem768 | Kind::MlKem1024 => Class::Middle,
        _ => Class::Small,
    }
}

/// Bytes of a signature.
#[must_use]
pub fn signature_size(kind: Kind) -> usize {
    match kind {
        Kind::MlDsa44 => 2420,
        Kind::MlDsa65 => 3309,
        Kind::MlDsa87 => 4627,
        _ => 0,
    }
}

/// Bytes of a ciphertext, and of a public key.
#[must_use]
pub fn kem_sizes(kind: Kind) -> Option<(usize, usize)> {
    match kind {
        Kind::MlKem512 => Some((768, 800)),
        Kind::MlKem768 => Some((1088, 1184)),
        Kind::MlKem1024 => Some((1568, 1568)),
        _ => None,
    }
}

impl PrivateKey {
    fn check_dsa(&self, out: &[u8]) -> Result<()> {
        let size = signature_size(self.kind());
        if size == 0 {
            return Err(Error::Key("this needs a key of ML-DSA"));
        }
        if out.len() < size {
            return Err(Error::Key("the output is shorter than a signature"));
        }
        Ok(())
    }

    /// ML-DSA over a message, with a context; hedged, as FIPS 204 recommends. Returns the
    /// signature's length.
    ///
    /// # Errors
    /// [`Error::Key`] for another kind of key or a context of more than 255 bytes, or as every
    /// use of a secret.
    pub fn sign_ml_dsa(&self, message: &[u8], context: &[u8], out: &mut [u8]) -> Result<usize> {
        self.check_dsa(out)?;
        if context.len() > MOST_CONTEXT {
            return Err(Error::Key("the context of a signature has at most 255 bytes"));
        }
        let out = (out.as_mut_ptr(), out.len());
        // SAFETY: a key of the library's; the output has that length.
        let signed = self.with_object(|key| unsafe { sign(key, message, context, out) })?;
        signed.ok_or(Error::Library("EVP_DigestSign"))
    }

    /// ML-DSA over the 64-byte representative of a message (`mu` of FIPS 204, algorithm 7).
    ///
    /// # Errors
    /// As [`PrivateKey::sign_ml_dsa`].
    pub fn sign_mu(&self, mu: &[u8], out: &mut [u8]) -> Result<usize> {
        self.check_dsa(out)?;
        if mu.len() != MU {
            return Err(Error::Key("mu has 64 bytes"));
        }
        let out = (out.as_mut_ptr(), out.len());
        // SAFETY: as above.
        let signed = self.with_object(|key| unsafe { sign_mu(key, mu, out) })?;
        signed.ok_or(Error::Library("EVP_PKEY_sign"))
    }

    /// The shared secret of a ciphertext. Of a ciphertext for another key it is a secret that
    /// nobody else has (implicit rejection, FIPS 203).
    ///
    /// # Errors
    /// [`Error::Key`] for another kind of key or a ciphertext of another length, or as every use
    /// of a secret.
    pub fn decapsulate(&self, ciphertext: &[u8], options: Options) -> Result<Secret> {
        let Some((size, _)) = kem_sizes(self.kind()) else {
            return Err(Error::Key("this needs a key of ML-KEM"));
        };
        if ciphertext.len() != size {
            return Err(Error::Key("the ciphertext has not the length of this key's kind"));
        }
        let draft = Draft::new(SHARED, options)?;
        let done = draft.with(|to| {
            // SAFETY: a key of the library's; the draft is open and has 32 bytes.
            self.with_object(|key| unsafe { open(key, ciphertext, to) })
        })??;
        if done { draft.finish() } else { Err(Error::Library("EVP_PKEY_decapsulate")) }
    }
}

/// A new shared secret, and its ciphertext for the holder of the private key.
///
/// # Errors
/// [`Error::Key`] for a public key that is none of its kind, or as every use of a secret.
pub fn encapsulate(kind: Kind, public: &[u8], options: Options) -> Result<(Secret, Vec<u8>)> {
    let (Some((size, public_size)), Some(nid)) = (kem_sizes(kind), nid(kind)) else {
        return Err(Error::Key("this needs a key of ML-KEM"));
    };
    let refused = Error::Key("this is no public key of that kind");
    if public.len() != public_size {
        return Err(refused);
    }
    let runtime = runtime::get()?;
    let draft = Draft::new(SHARED, options)?;
    let mut ciphertext = vec![0; size];
    let out = ciphertext.as_mut_ptr();
    let room = Room { stack: stack(kind), ..Room::heap(HEAP) };
    let done = draft.with(|to| {
        domain::run_with(runtime, room, || {
            // SAFETY: the public key has its kind's length, as compared above; so have the
            // outputs.
            unsafe { seal(nid, public, (out, size), to) }
        })
    })??;
    if done { Ok((draft.finish()?, ciphertext)) } else { Err(refused) }
}

/// # Safety
/// Inside the domain; an ML-DSA key; `out` is writable for its length, at least a signature's.
unsafe fn sign(
    key: *mut lc::EVP_PKEY,
    message: &[u8],
    context: &[u8],
    (out, room): (*mut u8, usize),
) -> Option<usize> {
    let mut len = room;
    // SAFETY: no precondition.
    let md = unsafe { lc::EVP_MD_CTX_new() };
    if md.is_null() {
        return None;
    }
    let mut ctx = ptr::null_mut();
    let (at, n) = (message.as_ptr(), message.len());
    // SAFETY: a context and a key of the library's; no hash, since the algorithm has its own.
    let ready =
        ok(unsafe { lc::EVP_DigestSignInit(md, &raw mut ctx, ptr::null(), ptr::null_mut(), key) });
    let (from, size) = (context.as_ptr(), context.len());
    // SAFETY: made by the call above; the context has at most 255 bytes.
    let set = ready && ok(unsafe { lc::EVP_PKEY_CTX_set_signature_context(ctx, from, size) });
    // SAFETY: as the caller promises.
    let done = set && ok(unsafe { lc::EVP_DigestSign(md, out, &raw mut len, at, n) });
    // SAFETY: made above; frees the other context too.
    unsafe { lc::EVP_MD_CTX_free(md) };
    done.then_some(len)
}

/// A context for one operation with a key.
///
/// # Safety
/// Inside the domain; null or a key, which outlives the call.
unsafe fn with_context<R>(
    key: *mut lc::EVP_PKEY,
    failed: R,
    code: impl FnOnce(*mut lc::EVP_PKEY_CTX) -> R,
) -> R {
    if key.is_null() {
        return failed;
    }
    // SAFETY: a key; no engine.
    let ctx = unsafe { lc::EVP_PKEY_CTX_new(key, ptr::null_mut()) };
    if ctx.is_null() {
        return failed;
    }
    let result = code(ctx);
    // SAFETY: made above.
    unsafe { lc::EVP_PKEY_CTX_free(ctx) };
    result
}

/// # Safety
/// As [`sign`].
unsafe fn sign_mu(
    key: *mut lc::EVP_PKEY,
    mu: &[u8],
    (out, room): (*mut u8, usize),
) -> Option<usize> {
    let mut len = room;
    let sign = |ctx| {
        // SAFETY: a context of a key.
        ok(unsafe { lc::EVP_PKEY_sign_init(ctx) })
            // SAFETY: as the caller promises.
            && ok(unsafe { lc::EVP_PKEY_sign(ctx, out, &raw mut len, mu.as_ptr(), mu.len()) })
    };
    // SAFETY: as the caller promises.
    unsafe { with_context(key, false, sign) }.then_some(len)
}

/// # Safety
/// Inside the domain; an ML-KEM key and a ciphertext of its length; `to` has 32 bytes.
unsafe fn open(key: *mut lc::EVP_PKEY, ciphertext: &[u8], to: *mut u8) -> bool {
    let mut len = SHARED;
    let (at, n) = (ciphertext.as_ptr(), ciphertext.len());
    // SAFETY: as the caller promises.
    let open = |ctx| ok(unsafe { lc::EVP_PKEY_decapsulate(ctx, to, &raw mut len, at, n) });
    // SAFETY: as the caller promises.
    unsafe { with_context(key, false, open) }
}

/// # Safety
/// Inside the domain; all lengths are those of the kind; `to` has 32 bytes.
unsafe fn seal(nid: c_int, public: &[u8], (out, size): (*mut u8, usize), to: *mut u8) -> bool {
    let (mut size, mut len) = (size, SHARED);
    // SAFETY: the library copies the bytes.
    let key = unsafe { lc::EVP_PKEY_kem_new_raw_public_key(nid, public.as_ptr(), public.len()) };
    let (size, len) = (&raw mut size, &raw mut len);
    // SAFETY: as the caller promises.
    let seal = |ctx| ok(unsafe { lc::EVP_PKEY_encapsulate(ctx, out, size, to, len) });
    // SAFETY: null or a key made above.
    let done = unsafe { with_context(key, false, seal) };
    // SAFETY: null or made above.
    unsafe { lc::EVP_PKEY_free(key) };
    done
}
