//! Coverage-guided fuzzing of one parser of the core, inside the domain as in a program:
//! `SECRETMEM_FUZZ_PARSER` names it. Rust because libFuzzer needs the instrumented core.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secretmem_core::crypto::pkey::{PrivateKey, Source};
use secretmem_core::crypto::aead::{self, Cipher, Header};
use secretmem_core::crypto::{added, age, age_stream, fernet};
use secretmem_core::error::{Error, Result};
use secretmem_core::json::Step;
use secretmem_core::ops::TextEncoding;
use secretmem_core::secret::{Options, Secret};
use std::sync::OnceLock;

/// As the extension allocates.
#[global_allocator]
static ALLOCATOR: secretmem_core::Routed = secretmem_core::Routed;

const PASSPHRASE: &[u8] = b"a passphrase of the tests";
/// The key of the seeds.
const KEY: [u8; 32] = [0; 32];

fn secret(bytes: &[u8]) -> Result<Secret> {
    Secret::from_bytes(bytes, Options::default())
}

fn parser() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| std::env::var("SECRETMEM_FUZZ_PARSER").unwrap_or_default())
}

/// The bytes of a token; its class in Python does the same.
fn decoded(token: &Secret) -> Result<Vec<u8>> {
    let raw = token.decode(TextEncoding::Base64Url, Options::default())?;
    let mut bytes = vec![0; raw.size()];
    raw.export(&mut bytes)?;
    Ok(bytes)
}

/// A token of `KeyRing`: version and key id, nonce, ciphertext.
fn open_of_a_ring(token: &[u8]) -> Result<()> {
    let cipher = Cipher::XChaCha20Poly1305;
    let (aad, rest) = token.split_at_checked(1 + 8).ok_or(Error::Tag)?;
    let (nonce, sealed) = rest.split_at_checked(cipher.nonce_size()).ok_or(Error::Tag)?;
    let header = Header { nonce, aad };
    drop(aead::open_to_secret(cipher, &secret(&KEY)?, header, sealed, Options::default())?);
    Ok(())
}

/// What is read does not matter, and neither does a refusal: only that it ends well.
fn read(name: &str, data: &[u8]) -> Result<()> {
    let (text, options) = (secret(data)?, Options::default());
    match name {
        "base64" => drop(text.decode(TextEncoding::Base64, options)?),
        "base32" => drop(text.decode(TextEncoding::Base32, options)?),
        "hex" => drop(text.decode(TextEncoding::Hex, options)?),
        "pem" => drop(text.pem_body(None, options)?),
        "json" => {
            drop(text.json_field(&[Step::Key("a"), Step::Index(1), Step::Key("b")], options)?);
        }
        "dotenv" => drop(text.dotenv_field("KEY", options)?),
        "key" | "jwk" => {
            drop(PrivateKey::load(Source { encoded: &text, passphrase: None }, options)?);
        }
        "encrypted_key" => {
            let words = secret(PASSPHRASE)?;
            let source = Source { encoded: &text, passphrase: Some(&words) };
            drop(PrivateKey::load(source, options)?);
        }
        "agent" => drop(added::load(&text, options)?),
        "age_identities" => drop(age::identities(&text, options)?),
        "age_recipient" => drop(age::recipient(&String::from_utf8_lossy(data))),
        "fernet" => {
            let token = decoded(&text)?;
            drop(fernet::open(&secret(&KEY)?, &token, options)?);
        }
        "keyring" => open_of_a_ring(&decoded(&text)?)?,
        "age" => drop(age_stream::open(&secret(&[7; 32])?, data, options)?),
        other => panic!("SECRETMEM_FUZZ_PARSER={other} names no parser"),
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let _ = read(parser(), data);
});
