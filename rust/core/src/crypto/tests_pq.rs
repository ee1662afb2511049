//! ML-DSA and ML-KEM: the stack and the heap that they take, and files that hide them.

use super::pkey::{Kind, PrivateKey, Source};
use super::pq::{self, HEAP};
use super::tests_derive::of_bytes;
use crate::domain::depth;
use crate::domain::stacks::Class;
use crate::error::Error;
use crate::secret::Options;

/// An operation must leave this much of its stack for a signal.
const SIGNAL: usize = 8 << 10;

/// The PKCS#8 form of a seed of sevens: the last byte of the algorithm's arc, and its number.
fn form((arc, number): (u8, u8), seed: usize) -> Vec<u8> {
    let mut der = vec![0x30, seed as u8 + 20, 2, 1, 0, 0x30, 11];
    der.extend([6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, arc, number]);
    der.extend([4, seed as u8 + 2, 0x80, seed as u8]);
    der.extend(vec![7; seed]);
    der
}

const DSA: [(Kind, u8); 3] = [(Kind::MlDsa44, 17), (Kind::MlDsa65, 18), (Kind::MlDsa87, 19)];
const KEM: [(Kind, u8); 3] = [(Kind::MlKem512, 1), (Kind::MlKem768, 2), (Kind::MlKem1024, 3)];

fn load(der: &[u8]) -> Result<PrivateKey, Error> {
    let encoded = of_bytes(der);
    PrivateKey::load(Source { encoded: &encoded, passphrase: None }, Options::default())
}

/// Measures both, prints them, and holds them against what is claimed.
fn measured(what: &str, class: Class, code: impl FnOnce()) {
    let mut heap = 0;
    let deepest = depth::of(|| heap = depth::heap_of(code));
    // Shown by `cargo test -- --nocapture`.
    #[allow(clippy::print_stderr, reason = "a figure for whoever asks for it")]
    {
        eprintln!("{what}: {deepest} bytes of stack, {heap} of heap");
    }
    assert!(deepest > 0 && deepest + SIGNAL <= class.size(), "{what}: {deepest} bytes");
    assert!(heap <= HEAP / 4 * 3, "{what}: {heap} bytes");
}

#[test]
fn ml_dsa_fits_its_stack_and_heap() {
    for (kind, number) in DSA {
        let mut key = None;
        let der = form((3, number), 32);
        measured("ML-DSA, loading", Class::Large, || key = load(&der).ok());
        let key = key.expect("key");
        assert_eq!(key.kind(), kind);
        let mut out = vec![0; pq::signature_size(kind)];
        measured("ML-DSA, signing", Class::Large, || {
            // The rejection loop has no deeper rounds, but it has rounds.
            for message in 0..8u8 {
                assert_eq!(key.sign_ml_dsa(&[message], b"c", &mut out), Ok(out.len()));
                assert_eq!(key.sign_mu(&[message; 64], &mut out), Ok(out.len()));
            }
        });
        let long = key.sign_ml_dsa(b"m", &[0; 256], &mut out);
        assert!(matches!(long, Err(Error::Key(_))));
        assert!(matches!(key.sign_mu(b"m", &mut out), Err(Error::Key(_))));
        assert!(matches!(key.sign_mu(&[0; 64], &mut out[1..]), Err(Error::Key(_))));
        assert!(matches!(key.decapsulate(&[0; 768], Options::default()), Err(Error::Key(_))));
    }
    assert_eq!(depth::blocks(), 0);
}

#[test]
fn ml_kem_fits_its_stack_and_heap() {
    let options = Options::default();
    for (kind, number) in KEM {
        let key = load(&form((4, number), 64)).expect("key");
        assert_eq!(key.kind(), kind);
        let (size, public) = pq::kem_sizes(kind).expect("sizes");
        let public = key.public().to_vec().split_off(key.public().len() - public);
        measured("ML-KEM", Class::Middle, || {
            let (shared, ciphertext) = pq::encapsulate(kind, &public, options).expect("shared");
            assert_eq!(ciphertext.len(), size);
            let opened = key.decapsulate(&ciphertext, options).expect("opened");
            assert_eq!(shared.equals(&opened), Ok(true));
            let other = key.decapsulate(&vec![0; size], options).expect("implicit rejection");
            assert_eq!(shared.equals(&other), Ok(false));
        });
        // Coefficients that are not reduced.
        assert!(pq::encapsulate(kind, &vec![0xff; public.len()], options).is_err());
        assert!(pq::encapsulate(kind, &public[1..], options).is_err());
        assert!(key.decapsulate(&vec![0; size - 1], options).is_err());
    }
    assert!(pq::encapsulate(Kind::P256, &[0; 65], options).is_err());
    assert_eq!(depth::blocks(), 0);
}

#[test]
fn a_file_that_may_hold_such_a_key_is_known_before_it_is_read() {
    let der = form((3, 19), 32);
    assert!(pq::deep(&der, false));
    assert!(!pq::deep(&form((1, 42), 32), false), "another arc: AES");
    let pem = b"-----BEGIN PRIVATE KEY-----
MDQCAQAwCwYJYIZIAWUDBAMRBCKAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH
BwcHBwcH
-----END PRIVATE KEY-----
";
    assert!(pq::deep(pem, false));
    assert_eq!(load(pem).map(|key| key.kind()), Ok(Kind::MlDsa44));
    // Behind another block, and in one that is damaged.
    let rsa = b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    assert!(!pq::deep(rsa, false));
    assert!(pq::deep(&[&rsa[..], pem].concat(), false));
    assert!(pq::deep(&pem[..70], false) || load(&pem[..70]).is_err());
    let mut damaged = pem.to_vec();
    damaged[40] = b'!';
    assert!(pq::deep(&damaged, false));
    assert!(load(&damaged).is_err());
    // Whatever is inside, these are read on the large stack.
    assert!(pq::deep(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", true));
    assert!(pq::deep(b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", true));
    assert!(pq::deep(b"0\x82", true));
}
