//! The border of the crypto: MACs, derivation, AEAD. Rust because keys go to the core.
//!
//! Short operations keep the interpreter: giving it up and waiting for it again costs more than
//! they take. Long data gives it up.

use crate::buffer::{TO_FILL, filled_bytes, from_bytes_to_buffer, with_bytes, with_bytes_mut};
use crate::error::Failure;
use crate::secret::{SecretBase, make};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyType};
use secretmem_core::crypto::aead::{self, Cipher, Header, TAG_SIZE};
use secretmem_core::crypto::fernet;
use secretmem_core::crypto::mac::{self, Hash};

/// From this many bytes on the interpreter is given up: about 50 microseconds of AES-GCM.
const LONG: usize = 64 << 10;

pub(crate) fn hash(name: &str) -> PyResult<Hash> {
    match name {
        "sha1" => Ok(Hash::Sha1),
        "sha256" => Ok(Hash::Sha256),
        "sha384" => Ok(Hash::Sha384),
        "sha512" => Ok(Hash::Sha512),
        other => Err(PyValueError::new_err(format!("no such hash: {other:?}"))),
    }
}

fn cipher(name: &str) -> PyResult<Cipher> {
    match name {
        "aes-gcm" => Ok(Cipher::AesGcm),
        "chacha20-poly1305" => Ok(Cipher::ChaCha20Poly1305),
        "xchacha20-poly1305" => Ok(Cipher::XChaCha20Poly1305),
        "aes-gcm-siv" => Ok(Cipher::AesGcmSiv),
        other => Err(PyValueError::new_err(format!("no such cipher: {other:?}"))),
    }
}

/// The HMAC of a message.
#[pyfunction]
#[pyo3(signature = (algorithm, key, message, /))]
pub(crate) fn hmac<'py>(
    py: Python<'py>,
    algorithm: &str,
    key: &Bound<'py, SecretBase>,
    message: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let hash = hash(algorithm)?;
    let key = &key.get().secret;
    PyBytes::new_with(py, hash.size(), |out| {
        with_bytes(message, |message| mac::hmac(hash, key, message, out))?
            .map_err(|e| Failure(e).into())
    })
}

/// Whether a MAC is right, compared in constant time.
#[pyfunction]
#[pyo3(signature = (algorithm, key, message, mac, /))]
pub(crate) fn hmac_verify(
    algorithm: &str,
    key: &Bound<'_, SecretBase>,
    message: &Bound<'_, PyAny>,
    mac: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let hash = hash(algorithm)?;
    let key = &key.get().secret;
    let right = with_bytes(message, |message| {
        with_bytes(mac, |mac| mac::verify(hash, key, message, mac))
    })??;
    Ok(right.map_err(Failure)?)
}

/// The HMAC of a message as a new Secret of class `cls`.
#[pyfunction]
#[pyo3(signature = (cls, algorithm, key, message, name, /))]
pub(crate) fn hmac_to_secret<'py>(
    cls: &Bound<'py, PyType>,
    algorithm: &str,
    key: &Bound<'py, SecretBase>,
    message: &Bound<'py, PyAny>,
    name: Option<Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyAny>> {
    let hash = hash(algorithm)?;
    let key = &key.get().secret;
    let made = with_bytes(message, |message| mac::hmac_secret(hash, key, message, key.options()))?;
    make(cls, made.map_err(Failure)?, name)
}

/// The plain hash of a Secret as a new Secret of class `cls`.
#[pyfunction]
#[pyo3(signature = (cls, algorithm, secret, name, /))]
pub(crate) fn digest_to_secret<'py>(
    cls: &Bound<'py, PyType>,
    algorithm: &str,
    secret: &Bound<'py, SecretBase>,
    name: Option<Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyAny>> {
    let hash = hash(algorithm)?;
    let secret = &secret.get().secret;
    let made = mac::digest_secret(hash, secret, secret.options());
    make(cls, made.map_err(Failure)?, name)
}

/// The client's proof of SCRAM, which is sent.
#[pyfunction]
#[pyo3(signature = (algorithm, client_key, message, /))]
pub(crate) fn scram_proof<'py>(
    py: Python<'py>,
    algorithm: &str,
    client_key: &Bound<'py, SecretBase>,
    message: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let hash = hash(algorithm)?;
    let key = &client_key.get().secret;
    PyBytes::new_with(py, hash.size(), |out| {
        with_bytes(message, |message| mac::scram_proof(hash, key, message, out))?
            .map_err(|e| Failure(e).into())
    })
}

/// HKDF into a new Secret of class `cls`.
#[pyfunction]
#[pyo3(signature = (cls, algorithm, secret, salt, info, length, name, /))]
#[allow(clippy::too_many_arguments, reason = "the arguments of RFC 5869 and a name")]
pub(crate) fn hkdf<'py>(
    cls: &Bound<'py, PyType>,
    algorithm: &str,
    secret: &Bound<'py, SecretBase>,
    salt: &[u8],
    info: &[u8],
    length: usize,
    name: Option<Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyAny>> {
    let hash = hash(algorithm)?;
    let secret = &secret.get().secret;
    let made = mac::hkdf(hash, secret, salt, info, length, secret.options());
    make(cls, made.map_err(Failure)?, name)
}

/// Seals a message; the result is ciphertext and tag.
#[pyfunction]
#[pyo3(signature = (algorithm, key, nonce, data, aad, /))]
pub(crate) fn aead_seal<'py>(
    py: Python<'py>,
    algorithm: &str,
    key: &Bound<'py, SecretBase>,
    nonce: &[u8],
    data: &Bound<'py, PyAny>,
    aad: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let cipher = cipher(algorithm)?;
    let key = &key.get().secret;
    let header = Header { nonce, aad };
    if let Ok(secret) = data.cast::<SecretBase>() {
        let message = &secret.get().secret;
        return filled_bytes(py, message.size() + TAG_SIZE, |out| {
            aead::seal_secret(cipher, key, header, message, out).map_err(|e| Failure(e).into())
        });
    }
    let len = with_bytes(data, <[u8]>::len)?;
    // Before room is made for the ciphertext.
    aead::check_message(cipher, len).map_err(Failure)?;
    let detach = len >= LONG && data.is_instance_of::<PyBytes>();
    filled_bytes(py, len + TAG_SIZE, |out| {
        let sealed = with_bytes(data, |data| {
            if detach {
                py.detach(|| aead::seal(cipher, key, header, data, out))
            } else {
                aead::seal(cipher, key, header, data, out)
            }
        })?;
        sealed.map_err(|e| Failure(e).into())
    })
}

/// Seals a message, bytes-like or a Secret, into the caller's buffer, which has room for the tag.
#[pyfunction]
#[pyo3(signature = (algorithm, key, nonce, data, aad, buffer, /))]
pub(crate) fn aead_seal_into(
    algorithm: &str,
    key: &Bound<'_, SecretBase>,
    nonce: &[u8],
    data: &Bound<'_, PyAny>,
    aad: &[u8],
    buffer: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let cipher = cipher(algorithm)?;
    let key = &key.get().secret;
    let header = Header { nonce, aad };
    let sealed = if let Ok(secret) = data.cast::<SecretBase>() {
        let message = &secret.get().secret;
        with_bytes_mut(buffer, TO_FILL, |out| {
            aead::seal_secret(cipher, key, header, message, out.into()).map(|_filled| ())
        })?
    } else {
        from_bytes_to_buffer(data, buffer, |data, out| {
            aead::seal(cipher, key, header, data, out.into()).map(|_filled| ())
        })?
    };
    Ok(sealed.map_err(Failure)?)
}

/// Opens a ciphertext with its tag.
#[pyfunction]
#[pyo3(signature = (algorithm, key, nonce, data, aad, /))]
pub(crate) fn aead_open<'py>(
    py: Python<'py>,
    algorithm: &str,
    key: &Bound<'py, SecretBase>,
    nonce: &[u8],
    data: &Bound<'py, PyAny>,
    aad: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let cipher = cipher(algorithm)?;
    let key = &key.get().secret;
    let header = Header { nonce, aad };
    let len = with_bytes(data, <[u8]>::len)?;
    let detach = len >= LONG && data.is_instance_of::<PyBytes>();
    filled_bytes(py, len.saturating_sub(TAG_SIZE), |out| {
        let opened = with_bytes(data, |data| {
            if detach {
                py.detach(|| aead::open(cipher, key, header, data, out))
            } else {
                aead::open(cipher, key, header, data, out)
            }
        })?;
        opened.map_err(|e| Failure(e).into())
    })
}

/// Opens a ciphertext into the caller's buffer, which has the plaintext's length.
#[pyfunction]
#[pyo3(signature = (algorithm, key, nonce, data, aad, buffer, /))]
pub(crate) fn aead_open_into(
    algorithm: &str,
    key: &Bound<'_, SecretBase>,
    nonce: &[u8],
    data: &Bound<'_, PyAny>,
    aad: &[u8],
    buffer: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let cipher = cipher(algorithm)?;
    let key = &key.get().secret;
    let header = Header { nonce, aad };
    let opened = from_bytes_to_buffer(data, buffer, |data, out| {
        aead::open(cipher, key, header, data, out.into()).map(|_filled| ())
    })?;
    Ok(opened.map_err(Failure)?)
}

/// Opens a ciphertext into a new Secret of class `cls`.
#[pyfunction]
#[pyo3(signature = (cls, algorithm, key, nonce, data, aad, name, /))]
#[allow(clippy::too_many_arguments, reason = "the arguments of RFC 5116 and a name")]
pub(crate) fn aead_open_to_secret<'py>(
    cls: &Bound<'py, PyType>,
    algorithm: &str,
    key: &Bound<'py, SecretBase>,
    nonce: &[u8],
    data: &Bound<'py, PyAny>,
    aad: &[u8],
    name: Option<Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyAny>> {
    let cipher = cipher(algorithm)?;
    let key = &key.get().secret;
    let header = Header { nonce, aad };
    let opened =
        with_bytes(data, |data| aead::open_to_secret(cipher, key, header, data, key.options()))?;
    make(cls, opened.map_err(Failure)?, name)
}

/// A Fernet token, before base64.
#[pyfunction]
#[pyo3(signature = (key, time, iv, data, /))]
pub(crate) fn fernet_seal<'py>(
    py: Python<'py>,
    key: &Bound<'py, SecretBase>,
    time: u64,
    iv: [u8; fernet::IV_SIZE],
    data: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let key = &key.get().secret;
    let len = with_bytes(data, <[u8]>::len)?;
    PyBytes::new_with(py, fernet::token_size(len), |out| {
        with_bytes(data, |data| fernet::seal(key, time, &iv, data, out))?
            .map_err(|e| Failure(e).into())
    })
}

/// The message of a Fernet token as a new Secret of class `cls`.
#[pyfunction]
#[pyo3(signature = (cls, key, token, name, /))]
pub(crate) fn fernet_open<'py>(
    cls: &Bound<'py, PyType>,
    key: &Bound<'py, SecretBase>,
    token: &[u8],
    name: Option<Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyAny>> {
    let key = &key.get().secret;
    let opened = fernet::open(key, token, key.options());
    make(cls, opened.map_err(Failure)?, name)
}

/// The time of a Fernet token, not authenticated; `None` if it has not the form of one.
#[pyfunction]
#[pyo3(signature = (token, /))]
pub(crate) fn fernet_time(token: &[u8]) -> Option<u64> {
    fernet::time(token)
}
