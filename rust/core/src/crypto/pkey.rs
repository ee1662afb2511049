//! RSA and elliptic-curve private keys. Rust because they are secret.
//!
//! A key is kept as PKCS#8 in a secret. The library's object, with its Montgomery tables and
//! blinding, is made from it at the first use in a process and stays in the secret heap, so an
//! inherited key works in a forked child too, which makes an object of its own.

pub use super::kind::Kind;
use super::kind::kind_of;
pub(super) use super::kind::{MORE, heap_to_load};
use super::load;
use super::mac::Hash;
use super::object;
use super::pbes2;
use super::pq;
use crate::domain::stacks::Class;
use crate::domain::{self, Room};
use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::runtime::{self, Runtime, epoch};
use crate::secret::{Options, Secret};
use crate::sync::Spin;
use aws_lc_sys as lc;
use core::ffi::c_int;
use core::ptr;
use core::sync::atomic::AtomicIsize;
use object::Object;
use std::sync::Arc;

/// Counts the blocks of an object.
type Blocks = Arc<AtomicIsize>;

/// Bytes of the longest public key (SubjectPublicKeyInfo, ML-DSA-87).
const MOST_PUBLIC: usize = 2700;
/// Bytes of the longest text or file that is loaded: RSA-16384 has a fourth of it.
const MOST_ENCODED: usize = 64 << 10;
/// Bytes of the longest private key (PKCS#8, RSA-8192), with room to spare.
const MOST_PRIVATE: usize = 5400;

/// Bits of an RSA modulus: smaller ones are broken, larger ones slow without need.
const LEAST_BITS: usize = 2048;
const MOST_BITS: usize = 8192;

/// A private key.
#[derive(Debug)]
pub struct PrivateKey {
    kind: Kind,
    bits: usize,
    pkcs8: Secret,
    public: Vec<u8>,
    kept: Spin<Kept>,
}

/// The object of this process and how many operations are using it.
#[derive(Debug, Default)]
struct Kept {
    object: Option<Object>,
    users: usize,
}

/// How a key is given.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// PEM text or DER: PKCS#8, encrypted PKCS#8, PKCS#1, SEC 1; an OpenSSH private key file; a
    /// JSON Web Key.
    pub encoded: &'a Secret,
    /// Of an encrypted key.
    pub passphrase: Option<&'a Secret>,
}

impl PrivateKey {
    /// Makes a key: RSA of `bits` bits with exponent 65537, or on a curve.
    ///
    /// # Errors
    /// [`Error::Key`] for a size that is not made, or as every use of a secret.
    pub fn generate(kind: Kind, bits: usize, options: Options) -> Result<Self> {
        if kind == Kind::Rsa && !matches!(bits, 2048 | 3072 | 4096 | 8192) {
            return Err(Error::Key("RSA keys have 2048, 3072, 4096 or 8192 bits"));
        }
        if kind != Kind::Rsa && kind.curve().is_none() {
            return Err(Error::Key("keys of this kind are made from a seed"));
        }
        let private = if kind == Kind::Rsa { bits / 8 * 5 } else { 0 } + MORE;
        Self::make(options, (kind.room(bits), private), |_runtime| match kind.curve() {
            // SAFETY: inside the domain, as `make` says.
            Some(curve) => unsafe { object::generate_on_curve(curve) },
            // SAFETY: as above.
            None => unsafe { object::generate_rsa(bits as c_int) },
        })
    }

    /// Loads a key.
    ///
    /// # Errors
    /// [`Error::Key`] if it cannot be read: damaged, of another kind, or a wrong passphrase.
    pub fn load(source: Source<'_>, options: Options) -> Result<Self> {
        let (file, passphrase) = (source.encoded, source.passphrase);
        if file.size() > MOST_ENCODED {
            return Err(Error::Key("an encoded private key has at most 64 KiB"));
        }
        let opened = passphrase.map(|words| pbes2::open(file, words, options)).transpose()?;
        match opened.flatten() {
            Some(form) => Self::read(Source { encoded: &form, passphrase: None }, options),
            None => Self::read(source, options),
        }
    }

    fn read(source: Source<'_>, options: Options) -> Result<Self> {
        let encoded = source.encoded.pin()?;
        let passphrase = source.passphrase.map(Secret::pin).transpose()?;
        let pass_len = source.passphrase.map_or(0, Secret::size);
        let len = source.encoded.size();
        let mut deep = false;
        encoded.with(|at| {
            domain::run(encoded.runtime, || {
                // SAFETY: the secret is open for its length.
                let file = unsafe { core::slice::from_raw_parts(at, len) };
                deep = pq::deep(file, passphrase.is_some());
            })
        })??;
        let room = if deep { pq::room_to_load(len) } else { Room::heap(heap_to_load(len)) };
        let needs = (room, len + MORE);
        encoded.with(|at| {
            let load = |pass: *const u8| {
                Self::make(options, needs, |_runtime| {
                    // SAFETY: inside the domain; both secrets are open for their lengths.
                    unsafe { load::load(at, len, pass, pass_len) }
                })
            };
            match &passphrase {
                Some(pinned) => pinned.with(load)?,
                None => load(ptr::null()),
            }
        })?
    }

    /// Runs `create` inside with that room, and keeps what it made, whose PKCS#8 form has at most
    /// `private` bytes.
    pub(super) fn make(
        options: Options,
        (room, private): (Room<'static>, usize),
        create: impl FnOnce(&Runtime) -> *mut lc::EVP_PKEY,
    ) -> Result<Self> {
        let runtime = runtime::get()?;
        let private_room = private.min(MOST_PRIVATE);
        let pkcs8 = Draft::new(private_room, options)?;
        let mut public = vec![0u8; MOST_PUBLIC];
        let out = public.as_mut_ptr();
        let (mut key, mut code, mut bits, mut public_len) = (ptr::null_mut(), None, 0, 0);
        let blocks = Blocks::default();
        let room = Room { kept: Some(&*blocks), ..room };
        let made = pkcs8.with(|to| {
            domain::run_with(runtime, room, || {
                key = create(runtime);
                // SAFETY: null or a key of the library's.
                code = unsafe { kind_of(key) }.map(Kind::code);
                // SAFETY: as above; the buffer has the length given.
                let public = unsafe { object::marshal_public(key, out, MOST_PUBLIC) };
                (bits, public_len) = public;
                // SAFETY: as above.
                unsafe { object::marshal_private(key, to, private_room) }
            })
        });
        // Before any error: it frees what was made.
        let object = Object::new(key, blocks);
        let private_len = made??;
        let unreadable = Error::Key("the private key cannot be read");
        let kind = code.and_then(Kind::of_code).ok_or(unreadable)?;
        if kind == Kind::Rsa && !(LEAST_BITS..=MOST_BITS).contains(&bits) {
            return Err(Error::Key("RSA keys have 2048 to 8192 bits"));
        }
        public.truncate(public_len);
        let pkcs8 = pkcs8.finish_at(private_len.filter(|_| public_len > 0).ok_or(unreadable)?)?;
        let kept = Spin::new(Kept { object, users: 0 });
        Ok(Self { kind, bits, pkcs8, public, kept })
    }

    /// What kind of key it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Bits of the modulus or of the field.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// The public key as SubjectPublicKeyInfo (RFC 5280), in DER.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The PKCS#8 form (RFC 5958), in DER, not encrypted.
    #[must_use]
    pub fn pkcs8(&self) -> &Secret {
        &self.pkcs8
    }

    /// Ends the key: its secret is closed, and its object freed now or when the last operation
    /// that uses it ends.
    ///
    /// # Errors
    /// As [`Secret::close`].
    pub fn close(&self) -> Result<()> {
        self.pkcs8.close()?;
        self.free_unused();
        Ok(())
    }

    fn free_unused(&self) {
        let mut kept = self.kept.lock();
        let unused = if kept.users == 0 { kept.object.take() } else { None };
        drop(kept);
        drop(unused);
    }

    /// Runs `code` inside with the key's object.
    pub(super) fn with_object<R: domain::Public>(
        &self,
        code: impl FnOnce(*mut lc::EVP_PKEY) -> R,
    ) -> Result<R> {
        let pinned = self.pkcs8.pin()?;
        let (key, blocks) = self.object(pinned.runtime)?;
        let room = Room { kept: Some(&*blocks), ..self.kind.room(self.bits) };
        let result = domain::run_with(pinned.runtime, room, || code(key));
        drop(pinned);
        self.kept.lock().users -= 1;
        if self.pkcs8.closed() {
            self.free_unused();
        }
        result
    }

    /// The object of this process, made from the PKCS#8 form if it is not there, and counted as
    /// used.
    fn object(&self, runtime: &'static Runtime) -> Result<(*mut lc::EVP_PKEY, Blocks)> {
        let mut kept = self.kept.lock();
        if let Some(object) = kept.object.as_ref().filter(|o| o.epoch() == epoch()) {
            let used = (object.key(), object.blocks());
            kept.users += 1;
            return Ok(used);
        }
        let len = self.pkcs8.size();
        let pinned = self.pkcs8.pin()?;
        let mut key = ptr::null_mut();
        let blocks = Blocks::default();
        let room = match pq::stack(self.kind) {
            Class::Small => Room::heap(heap_to_load(len)),
            stack => Room { stack, ..pq::room_to_load(len) },
        };
        let room = Room { kept: Some(&*blocks), ..room };
        let made = pinned.with(|at| {
            domain::run_with(runtime, room, || {
                // SAFETY: inside the domain; the secret is open.
                key = unsafe { load::load(at, len, ptr::null(), 0) };
            })
        });
        let object = Object::new(key, blocks);
        made??;
        let object = object.ok_or(Error::Library("EVP_parse_private_key"))?;
        let used = (object.key(), object.blocks());
        // Users that the parent's threads were are not here.
        *kept = Kept { object: Some(object), users: 1 };
        Ok(used)
    }

    /// ECDSA over a digest; the signature is DER. Returns its length.
    ///
    /// # Errors
    /// [`Error::Key`] for another kind of key, or as every use of a secret.
    pub fn sign_ecdsa(&self, digest: &[u8], out: &mut [u8]) -> Result<usize> {
        if self.kind.curve().is_none() {
            return Err(Error::Key("ECDSA needs a key on a NIST curve"));
        }
        let (out, room) = (out.as_mut_ptr(), out.len());
        let signed = self.with_object(|key| {
            // SAFETY: a key of the library's; the buffers have the lengths given.
            unsafe { object::ecdsa(key, digest, out, room) }
        })?;
        signed.ok_or(Error::Library("ECDSA_sign"))
    }

    /// RSASSA-PKCS1-v1_5 (RFC 8017) over a digest. Returns the length of the signature.
    ///
    /// # Errors
    /// As [`PrivateKey::sign_ecdsa`].
    pub fn sign_pkcs1(&self, hash: Hash, digest: &[u8], out: &mut [u8]) -> Result<usize> {
        self.check_rsa(hash, digest, out)?;
        let out = out.as_mut_ptr();
        let signed = self.with_object(|key| {
            // SAFETY: as in `sign_ecdsa`; `check_rsa` compared the lengths.
            unsafe { object::pkcs1(key, hash, digest, out) }
        })?;
        signed.ok_or(Error::Library("RSA_sign"))
    }

    /// RSASSA-PSS (RFC 8017) over a digest, the mask by `mgf1`. Returns the length.
    ///
    /// # Errors
    /// As [`PrivateKey::sign_ecdsa`]; [`Error::Key`] if the salt does not fit.
    pub fn sign_pss(
        &self,
        hash: Hash,
        mgf1: Hash,
        salt_len: usize,
        digest: &[u8],
        out: &mut [u8],
    ) -> Result<usize> {
        self.check_rsa(hash, digest, out)?;
        if salt_len + hash.size() + 2 > self.bits.div_ceil(8) {
            return Err(Error::Key("the salt is too long for this key"));
        }
        let (out, room) = (out.as_mut_ptr(), out.len());
        let signed = self.with_object(|key| {
            // SAFETY: as in `sign_pkcs1`.
            unsafe { object::pss(key, (hash, mgf1), salt_len as c_int, digest, (out, room)) }
        })?;
        signed.ok_or(Error::Library("RSA_sign_pss_mgf1"))
    }

    fn check_rsa(&self, hash: Hash, digest: &[u8], out: &[u8]) -> Result<()> {
        if self.kind != Kind::Rsa {
            return Err(Error::Key("this needs an RSA key"));
        }
        if digest.len() != hash.size() {
            return Err(Error::Key("the digest has not the length of its hash"));
        }
        if out.len() < self.bits.div_ceil(8) {
            return Err(Error::Key("the output is shorter than the modulus"));
        }
        Ok(())
    }

    /// RSAES-OAEP (RFC 8017): the plaintext as a new secret.
    ///
    /// # Errors
    /// [`Error::Tag`] if the ciphertext is not for this key, label and hash.
    pub fn decrypt_oaep(
        &self,
        hash: Hash,
        mgf1: Hash,
        label: &[u8],
        ciphertext: &[u8],
        options: Options,
    ) -> Result<Secret> {
        if self.kind != Kind::Rsa {
            return Err(Error::Key("this needs an RSA key"));
        }
        let room = self.bits.div_ceil(8);
        let draft = Draft::new(room, options)?;
        let len = draft.with(|to| {
            self.with_object(|key| {
                // SAFETY: as in `sign_ecdsa`; the draft is open and has `room` bytes.
                unsafe { object::oaep(key, (hash, mgf1), label, ciphertext, (to, room)) }
            })
        })??;
        draft.finish_at(len.ok_or(Error::Tag)?)
    }

    /// The shared secret of ECDH (SP 800-56A) with the public point of another, uncompressed.
    ///
    /// # Errors
    /// [`Error::Key`] if the point is not on this key's curve.
    pub fn exchange(&self, peer: &[u8], options: Options) -> Result<Secret> {
        if self.kind.curve().is_none() {
            return Err(Error::Key("ECDH needs a key on a NIST curve"));
        }
        let room = self.bits.div_ceil(8);
        let draft = Draft::new(room, options)?;
        let len = draft.with(|to| {
            self.with_object(|key| {
                // SAFETY: as in `decrypt_oaep`.
                unsafe { object::ecdh(key, peer, (to, room)) }
            })
        })??;
        draft.finish_at(len.ok_or(Error::Key("the peer's point is not on this curve"))?)
    }
}
