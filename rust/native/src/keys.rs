//! `KeyBase` and `Ed25519Base`: private keys at the border. Rust because they hold the core's
//! keys; their Python classes have pyca's interfaces.

use crate::buffer::with_bytes;
use crate::crypto::hash;
use crate::error::{Failure, Outcome};
use crate::secret::{SecretBase, make, options};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};
use secretmem_core::crypto::ed25519::{self, SIGNATURE_SIZE};
use secretmem_core::crypto::number::{Form, Number};
use secretmem_core::crypto::pbes2::{self, Derivation, Fresh, SALT_SIZE};
use secretmem_core::crypto::pkey::{Kind, PrivateKey, Source};
use secretmem_core::crypto::{pq, ssh};

/// RSA operations take long enough to give the interpreter up; those on P-256 do not.
fn is_long(key: &PrivateKey) -> bool {
    !matches!(key.kind(), Kind::P256)
}

/// A private key of the crypto library: RSA or a NIST curve.
#[pyclass(frozen, module = "secretmem._native")]
pub(crate) struct KeyBase {
    key: PrivateKey,
}

impl KeyBase {
    pub(crate) fn of(key: PrivateKey) -> Self {
        Self { key }
    }

    /// Bytes of the longest output: a signature, DER of two numbers for ECDSA.
    fn room(&self) -> usize {
        let signature = pq::signature_size(self.key.kind());
        if signature > 0 {
            return signature;
        }
        let bytes = self.key.bits().div_ceil(8);
        if self.key.kind() == Kind::Rsa { bytes } else { 2 * bytes + 16 }
    }

    fn sign(
        &self,
        py: Python<'_>,
        digest: &[u8],
        sign: impl Fn(&PrivateKey, &[u8], &mut [u8]) -> secretmem_core::error::Result<usize> + Sync,
    ) -> PyResult<Py<PyBytes>> {
        let mut out = vec![0; self.room()];
        let len = if is_long(&self.key) {
            py.detach(|| sign(&self.key, digest, &mut out))
        } else {
            sign(&self.key, digest, &mut out)
        };
        let len = len.map_err(Failure)?;
        Ok(PyBytes::new(py, out.get(..len).unwrap_or_default()).unbind())
    }
}

fn kind(name: &str) -> PyResult<Kind> {
    match name {
        "rsa" => Ok(Kind::Rsa),
        "p256" => Ok(Kind::P256),
        "p384" => Ok(Kind::P384),
        "p521" => Ok(Kind::P521),
        "ml-kem-512" => Ok(Kind::MlKem512),
        "ml-kem-768" => Ok(Kind::MlKem768),
        "ml-kem-1024" => Ok(Kind::MlKem1024),
        other => Err(PyValueError::new_err(format!("no such kind of key: {other:?}"))),
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Rsa => "rsa",
        Kind::P256 => "p256",
        Kind::P384 => "p384",
        Kind::P521 => "p521",
        Kind::Ed25519 => "ed25519",
        Kind::X25519 => "x25519",
        Kind::MlDsa44 => "ml-dsa-44",
        Kind::MlDsa65 => "ml-dsa-65",
        Kind::MlDsa87 => "ml-dsa-87",
        Kind::MlKem512 => "ml-kem-512",
        Kind::MlKem768 => "ml-kem-768",
        Kind::MlKem1024 => "ml-kem-1024",
    }
}

#[pymethods]
impl KeyBase {
    /// Makes a key; `bits` counts for RSA only.
    #[staticmethod]
    #[pyo3(signature = (kind, bits, *, inherit))]
    fn generate(py: Python<'_>, kind: &str, bits: usize, inherit: Option<bool>) -> PyResult<Self> {
        let (kind, options) = (self::kind(kind)?, options(inherit, false, false));
        let key = py.detach(|| PrivateKey::generate(kind, bits, options));
        Ok(Self { key: key.map_err(Failure)? })
    }

    /// Loads a key from PEM or DER.
    #[staticmethod]
    #[pyo3(signature = (encoded, passphrase, *, inherit))]
    fn load(
        encoded: &Bound<'_, SecretBase>,
        passphrase: Option<&Bound<'_, SecretBase>>,
        inherit: Option<bool>,
    ) -> PyResult<Self> {
        let (py, encoded) = (encoded.py(), &encoded.get().secret);
        let passphrase = passphrase.map(|p| &p.get().secret);
        let options = options(inherit, false, false);
        let key = py.detach(|| PrivateKey::load(Source { encoded, passphrase }, options));
        Ok(Self { key: key.map_err(Failure)? })
    }

    /// "rsa", "p256", "p384", "p521", "ed25519", "x25519", "ml-dsa-44" and so on.
    #[getter]
    fn kind(&self) -> &'static str {
        kind_name(self.key.kind())
    }

    /// Bits of the modulus or of the field.
    #[getter]
    fn bits(&self) -> usize {
        self.key.bits()
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.key.pkcs8().closed()
    }

    /// The public key: SubjectPublicKeyInfo, DER.
    fn public<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.key.public())
    }

    /// The numbers of the public key: exponent and modulus of RSA, or a curve's point and nothing.
    fn public_numbers<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let (first, second) = self.key.public_numbers().map_err(Failure)?;
        Ok((PyBytes::new(py, &first), PyBytes::new(py, &second)))
    }

    /// The private key as PKCS#8 DER in a new Secret of class `cls`.
    fn pkcs8<'py>(&self, cls: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
        let secret = self.key.pkcs8();
        make(cls, secret.duplicate(secret.options()).map_err(Failure)?, None)
    }

    /// One of the private numbers, by its name in a JSON Web Key, as a new Secret of class `cls`;
    /// as an `mpint` of SSH if that is asked for.
    #[pyo3(signature = (cls, name, *, mpint))]
    fn number<'py>(
        &self,
        cls: &Bound<'py, PyType>,
        name: &str,
        mpint: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let which = match name {
            "d" => Number::D,
            "p" => Number::P,
            "q" => Number::Q,
            "dp" => Number::Dp,
            "dq" => Number::Dq,
            "qi" => Number::Qi,
            other => return Err(PyValueError::new_err(format!("no such number: {other:?}"))),
        };
        let form = if mpint { Form::Mpint } else { Form::Octets };
        let number = self.key.number(which, form, self.key.pkcs8().options());
        make(cls, number.map_err(Failure)?, None)
    }

    /// ECDSA over a digest; DER.
    fn sign_ecdsa(&self, py: Python<'_>, digest: &[u8]) -> PyResult<Py<PyBytes>> {
        self.sign(py, digest, PrivateKey::sign_ecdsa)
    }

    /// RSASSA-PKCS1-v1_5 over a digest.
    fn sign_pkcs1(&self, py: Python<'_>, algorithm: &str, digest: &[u8]) -> PyResult<Py<PyBytes>> {
        let hash = hash(algorithm)?;
        self.sign(py, digest, |key, digest, out| key.sign_pkcs1(hash, digest, out))
    }

    /// RSASSA-PSS over a digest.
    fn sign_pss(
        &self,
        py: Python<'_>,
        algorithm: &str,
        mgf1: &str,
        salt_len: usize,
        digest: &[u8],
    ) -> PyResult<Py<PyBytes>> {
        let (hash, mgf1) = (hash(algorithm)?, hash(mgf1)?);
        self.sign(py, digest, |key, digest, out| key.sign_pss(hash, mgf1, salt_len, digest, out))
    }

    /// RSAES-OAEP; the plaintext is a new Secret of class `cls`.
    fn decrypt_oaep<'py>(
        &self,
        cls: &Bound<'py, PyType>,
        algorithm: &str,
        mgf1: &str,
        label: &[u8],
        ciphertext: &[u8],
    ) -> PyResult<Bound<'py, PyAny>> {
        let (hash, mgf1) = (hash(algorithm)?, hash(mgf1)?);
        let options = self.key.pkcs8().options();
        let plain =
            cls.py().detach(|| self.key.decrypt_oaep(hash, mgf1, label, ciphertext, options));
        make(cls, plain.map_err(Failure)?, None)
    }

    /// ECDH with an uncompressed point; the shared secret is a new Secret of class `cls`.
    fn exchange<'py>(&self, cls: &Bound<'py, PyType>, peer: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        let options = self.key.pkcs8().options();
        make(cls, self.key.exchange(peer, options).map_err(Failure)?, None)
    }

    /// ML-DSA over a message, with a context.
    fn sign_ml_dsa(&self, py: Python<'_>, message: &[u8], context: &[u8]) -> PyResult<Py<PyBytes>> {
        self.sign(py, message, |key, message, out| key.sign_ml_dsa(message, context, out))
    }

    /// ML-DSA over the representative of a message.
    fn sign_mu(&self, py: Python<'_>, mu: &[u8]) -> PyResult<Py<PyBytes>> {
        self.sign(py, mu, PrivateKey::sign_mu)
    }

    /// The shared secret of a ciphertext of ML-KEM: a new Secret of class `cls`.
    fn decapsulate<'py>(
        &self,
        cls: &Bound<'py, PyType>,
        ciphertext: &[u8],
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = self.key.pkcs8().options();
        make(cls, self.key.decapsulate(ciphertext, options).map_err(Failure)?, None)
    }

    /// Ends the key.
    fn close(&self) -> Outcome<()> {
        Ok(self.key.close()?)
    }
}

/// A new shared secret for the holder of a private key of ML-KEM, of class `cls`, and its
/// ciphertext.
#[pyfunction]
#[pyo3(signature = (cls, kind, public, /, *, inherit))]
pub(crate) fn encapsulate<'py>(
    cls: &Bound<'py, PyType>,
    kind: &str,
    public: &[u8],
    inherit: Option<bool>,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyBytes>)> {
    let made = pq::encapsulate(self::kind(kind)?, public, options(inherit, false, false));
    let (shared, ciphertext) = made.map_err(Failure)?;
    Ok((make(cls, shared, None)?, PyBytes::new(cls.py(), &ciphertext)))
}

/// Encrypts a PKCS#8 form; DER. `cost` is N, r and p of scrypt, or rounds of PBKDF2.
#[pyfunction]
#[pyo3(signature = (algorithm, form, passphrase, cost, salt, iv, /))]
pub(crate) fn pkcs8_encrypt<'py>(
    algorithm: &str,
    form: &Bound<'py, SecretBase>,
    passphrase: &Bound<'py, SecretBase>,
    cost: (u64, u16, u16),
    salt: [u8; SALT_SIZE],
    iv: [u8; SALT_SIZE],
) -> PyResult<Bound<'py, PyBytes>> {
    let derivation = match (algorithm, u32::try_from(cost.0)) {
        ("scrypt", _) => Derivation::Scrypt { cost },
        ("pbkdf2", Ok(iterations)) => Derivation::Pbkdf2 { iterations },
        (other, _) => return Err(PyValueError::new_err(format!("no {other:?} with this cost"))),
    };
    let (py, form) = (form.py(), &form.get().secret);
    let passphrase = &passphrase.get().secret;
    let made = py.detach(|| pbes2::encrypt(form, passphrase, derivation, Fresh { salt, iv }));
    Ok(PyBytes::new(py, &made.map_err(Failure)?))
}

/// Encrypts the private section of an OpenSSH file.
#[pyfunction]
#[pyo3(signature = (section, passphrase, rounds, salt, /))]
pub(crate) fn ssh_encrypt<'py>(
    section: &Bound<'py, SecretBase>,
    passphrase: &Bound<'py, SecretBase>,
    rounds: u32,
    salt: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let (py, section) = (section.py(), &section.get().secret);
    let passphrase = &passphrase.get().secret;
    let mut out = vec![0; section.size()];
    let done = py.detach(|| ssh::encrypt(section, passphrase, rounds, salt, &mut out));
    done.map_err(Failure)?;
    Ok(PyBytes::new(py, &out))
}

/// An Ed25519 private key.
#[pyclass(frozen, module = "secretmem._native")]
pub(crate) struct Ed25519Base {
    key: ed25519::PrivateKey,
}

impl Ed25519Base {
    pub(crate) fn of(key: ed25519::PrivateKey) -> Self {
        Self { key }
    }
}

#[pymethods]
impl Ed25519Base {
    /// Makes a key.
    #[staticmethod]
    #[pyo3(signature = (*, inherit))]
    fn generate(inherit: Option<bool>) -> Outcome<Self> {
        Ok(Self { key: ed25519::PrivateKey::generate(options(inherit, false, false))? })
    }

    /// The key of a 32-byte seed.
    #[staticmethod]
    #[pyo3(signature = (seed, *, inherit))]
    fn from_seed(seed: &Bound<'_, SecretBase>, inherit: Option<bool>) -> Outcome<Self> {
        let seed = &seed.get().secret;
        Ok(Self { key: ed25519::PrivateKey::from_seed(seed, options(inherit, false, false))? })
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.key.secret().closed()
    }

    /// The 32 bytes of the public key.
    fn public<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.key.public())
    }

    /// The seed as a new Secret of class `cls`.
    fn seed<'py>(&self, cls: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
        let options = self.key.secret().options();
        make(cls, self.key.seed(options).map_err(Failure)?, None)
    }

    /// Signs a message.
    fn sign<'py>(
        &self,
        py: Python<'py>,
        message: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = [0; SIGNATURE_SIZE];
        let signed = with_bytes(message, |message| self.key.sign(message, &mut out))?;
        signed.map_err(Failure)?;
        Ok(PyBytes::new(py, &out))
    }

    /// Ends the key.
    fn close(&self) -> Outcome<()> {
        Ok(self.key.secret().close()?)
    }
}
