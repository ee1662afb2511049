//! Known answers, and what an operation leaves in the heap.

use super::aead::{self, Cipher, Header};
use super::mac::{self, Hash};
use super::{ed25519, fernet};
use crate::domain::depth;
use crate::error::Error;
use crate::secret::{Options, Secret};

pub(super) fn secret(hex: &str) -> Secret {
    let text = Secret::from_bytes(hex.as_bytes(), Options::default()).expect("secret");
    text.decode(crate::ops::TextEncoding::Hex, Options::default()).expect("hex")
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex"))
        .collect()
}

/// RFC 8032, section 7.1, test 3.
#[test]
fn ed25519_gives_the_rfcs_answer() {
    let seed = secret("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
    let key = ed25519::PrivateKey::from_seed(&seed, Options::default()).expect("key");
    assert_eq!(
        key.public().to_vec(),
        unhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
    );
    let mut signature = [0; ed25519::SIGNATURE_SIZE];
    key.sign(&unhex("af82"), &mut signature).expect("signature");
    assert_eq!(
        signature.to_vec(),
        unhex(concat!(
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac",
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ))
    );
    assert_eq!(key.seed(Options::default()).expect("seed").equals(&seed), Ok(true));
}

/// RFC 4231, test case 2, and RFC 5869, test case 1.
#[test]
fn hmac_and_hkdf_give_the_rfcs_answers() {
    let key = secret("4a656665");
    let message = b"what do ya want for nothing?";
    let mut out = [0; 32];
    mac::hmac(Hash::Sha256, &key, message, &mut out).expect("mac");
    let right = unhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_eq!(out.to_vec(), right);
    assert_eq!(mac::verify(Hash::Sha256, &key, message, &right), Ok(true));
    assert_eq!(mac::verify(Hash::Sha256, &key, b"", &right), Ok(false));

    let ikm = secret("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    let (salt, info) = (unhex("000102030405060708090a0b0c"), unhex("f0f1f2f3f4f5f6f7f8f9"));
    let okm = mac::hkdf(Hash::Sha256, &ikm, &salt, &info, 42, Options::default()).expect("okm");
    let right = unhex(concat!(
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
        "34007208d5b887185865"
    ));
    assert_eq!(okm.matches(&right), Ok(true));
}

/// RFC 4231, test case 2, and FIPS 180's "abc", as secrets.
#[test]
fn macs_and_hashes_become_secrets() {
    let key = secret("4a656665");
    let message = b"what do ya want for nothing?";
    for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        let mut out = vec![0; hash.size()];
        mac::hmac(hash, &key, message, &mut out).expect("mac");
        let made = mac::hmac_secret(hash, &key, message, Options::default()).expect("secret");
        assert_eq!(made.matches(&out), Ok(true), "{hash:?}");
    }
    let abc = secret("616263");
    for (hash, right) in [
        (Hash::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (Hash::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            Hash::Sha384,
            concat!(
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed",
                "8086072ba1e7cc2358baeca134c825a7"
            ),
        ),
        (
            Hash::Sha512,
            concat!(
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a",
                "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
            ),
        ),
    ] {
        let made = mac::digest_secret(hash, &abc, Options::default()).expect("digest");
        assert_eq!(made.matches(&unhex(right)), Ok(true), "{hash:?}");
    }
}

/// RFC 7677, section 3: ClientKey and AuthMessage of its exchange, and the proof.
#[test]
fn scram_gives_the_rfcs_proof() {
    let salted = secret("c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d");
    let key = mac::hmac_secret(Hash::Sha256, &salted, b"Client Key", Options::default());
    let message = concat!(
        "n=user,r=rOprNGfwEbeRWgbNEkqO,",
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,",
        "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    );
    let mut proof = [0; 32];
    mac::scram_proof(Hash::Sha256, &key.expect("key"), message.as_bytes(), &mut proof)
        .expect("proof");
    let right = "747cdb65aa56224e2352137e52d7bdcad6a0f738df30782caa69a2cfb0277554";
    assert_eq!(proof.to_vec(), unhex(right));
    let short = secret("00");
    let error = mac::scram_proof(Hash::Sha256, &short, b"", &mut proof);
    assert_eq!(error, Err(Error::Key("ClientKey has the size of the hash")));
}

#[test]
fn every_cipher_opens_what_it_seals_and_nothing_else() {
    let key = Secret::random(32, Options::default()).expect("key");
    for cipher in
        [Cipher::AesGcm, Cipher::ChaCha20Poly1305, Cipher::XChaCha20Poly1305, Cipher::AesGcmSiv]
    {
        let nonce = vec![7; cipher.nonce_size()];
        let header = Header { nonce: &nonce, aad: b"aad" };
        for len in [0, 1, 64, 5000] {
            let message = vec![9u8; len];
            let mut sealed = vec![0; len + aead::TAG_SIZE];
            aead::seal(cipher, &key, header, &message, sealed.as_mut_slice().into()).expect("seal");
            let opened = aead::open_to_secret(cipher, &key, header, &sealed, Options::default())
                .expect("open");
            assert_eq!(opened.matches(&message), Ok(true));
            sealed[len / 2] ^= 1;
            let mut out = vec![1; len];
            let refused = aead::open(cipher, &key, header, &sealed, out.as_mut_slice().into());
            assert_eq!(refused.map(|_| ()), Err(Error::Tag));
            assert!(out.iter().all(|b| *b == 0), "{cipher:?} {len}");
        }
    }
}

#[test]
fn operations_leave_no_block_behind() {
    let key = Secret::random(32, Options::default()).expect("key");
    let header = Header { nonce: &[1; 12], aad: b"" };
    let mut sealed = [0; 40];
    for cipher in [Cipher::AesGcm, Cipher::ChaCha20Poly1305, Cipher::AesGcmSiv] {
        aead::seal(cipher, &key, header, &[0; 24], sealed.as_mut_slice().into()).expect("seal");
    }
    let mut out = [0; 64];
    mac::hmac(Hash::Sha512, &key, b"m", &mut out).expect("mac");
    let signer = ed25519::PrivateKey::generate(Options::default()).expect("key");
    signer.sign(b"m", &mut out).expect("signature");
    assert_eq!(depth::blocks(), 0);
}

/// The token of github.com/fernet/spec, generate.json.
#[test]
fn fernet_gives_the_specifications_answer() {
    let text =
        Secret::from_bytes(b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=", Options::default());
    let key = text.expect("text").decode(crate::ops::TextEncoding::Base64Url, Options::default());
    let key = key.expect("key");
    let iv: [u8; 16] = core::array::from_fn(|i| i as u8);
    let mut token = vec![0; fernet::token_size(5)];
    fernet::seal(&key, 499_162_800, &iv, b"hello", &mut token).expect("token");
    let right = concat!(
        "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64j",
        "VmpU4IwqDA=="
    );
    let right = Secret::from_bytes(right.as_bytes(), Options::default()).expect("text");
    let right = right.decode(crate::ops::TextEncoding::Base64Url, Options::default());
    assert_eq!(right.expect("token").matches(&token), Ok(true));
    assert_eq!(fernet::time(&token), Some(499_162_800));
    let opened = fernet::open(&key, &token, Options::default()).expect("open");
    assert_eq!(opened.matches(b"hello"), Ok(true));
    for at in 0..token.len() {
        let mut damaged = token.clone();
        damaged[at] ^= 1;
        let opened = fernet::open(&key, &damaged, Options::default());
        assert_eq!(opened.err(), Some(Error::Tag), "byte {at}");
    }
}

/// What `build_info` says of it.
#[test]
fn the_library_is_not_validated_and_built_as_said() {
    // SAFETY: no precondition.
    assert_eq!(unsafe { aws_lc_sys::FIPS_mode() }, 0);
    assert_eq!(super::FLAGS, ["without jitter entropy", "by the C compiler alone"]);
}
