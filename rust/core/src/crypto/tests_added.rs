//! Add messages of the agent protocol: each kind of key, and what holds none.

use super::added::{self, Added, Key, MOST};
use super::number::{Form, Number};
use super::pkey::{Kind, PrivateKey};
use super::tests::unhex;
use super::tests_derive::{leaves_room, of_bytes};
use crate::domain::depth;
use crate::error::{Error, Result};
use crate::secret::{Options, Secret};

/// RFC 8032, section 7.1, test 1.
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
/// RFC 6979, appendix A.2.5: a number with its highest bit set.
const SCALAR: &str = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
const POINT: &str = concat!(
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
);
/// The generator of P-256 (FIPS 186-4, D.1.2.3): the public key of the number 1.
const GENERATOR: &str = concat!(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
);
const CONSTRAINTS: &[u8] = &[1, 0, 0, 0, 7, 2];

fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

/// An mpint of RFC 4251, section 5.
fn number(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let (zero, rest) = ([0], &bytes[start..]);
    let sign = if rest.first().is_some_and(|first| *first >= 0x80) { &zero[..] } else { &[] };
    string(&[sign, rest].concat())
}

fn ed25519() -> Vec<Vec<u8>> {
    let public = unhex(PUBLIC);
    let pair = [unhex(SEED), public.clone()].concat();
    vec![string(b"ssh-ed25519"), string(&public), string(&pair)]
}

fn p256(point: &str, scalar: &[u8]) -> Vec<Vec<u8>> {
    let kind = string(b"ecdsa-sha2-nistp256");
    vec![kind, string(b"nistp256"), string(&unhex(point)), number(scalar)]
}

/// A message as the agent has it, without the byte with its number.
fn message(fields: &[Vec<u8>]) -> Vec<u8> {
    [&fields.concat(), &string(b"comment"), CONSTRAINTS].concat()
}

fn load(bytes: &[u8]) -> Result<Added> {
    added::load(&of_bytes(bytes), Options::default())
}

fn refused(fields: &[Vec<u8>]) -> bool {
    matches!(load(&message(fields)), Err(Error::Key(_)))
}

fn other(added: Added) -> PrivateKey {
    assert_eq!(added.comment, b"comment");
    assert_eq!(added.constraints, CONSTRAINTS);
    match added.key {
        Key::Other(key) => key,
        Key::Ed25519(_) => panic!("an Ed25519 key"),
    }
}

fn d(key: &PrivateKey) -> Secret {
    key.number(Number::D, Form::Octets, Options::default()).expect("number")
}

#[test]
fn an_ed25519_key_comes_with_comment_and_constraints() {
    leaves_room("add message", || {
        let added = load(&message(&ed25519())).expect("key");
        let Key::Ed25519(key) = added.key else { panic!("another kind") };
        assert_eq!(key.public().to_vec(), unhex(PUBLIC));
        let seed = key.seed(Options::default()).expect("seed");
        assert_eq!(seed.matches(&unhex(SEED)), Ok(true));
        assert_eq!(added.comment, b"comment");
        assert_eq!(added.constraints, CONSTRAINTS);
        assert_eq!(added.certificate, b"");
    });
    let inherit = Options { inherit: true, ..Options::default() };
    let added = added::load(&of_bytes(&message(&ed25519())), inherit).expect("key");
    let Key::Ed25519(key) = added.key else { panic!("another kind") };
    assert!(key.secret().options().inherit);
}

/// One key in 256 has a number with a zero in front, one in two a number with its highest bit set.
#[test]
fn numbers_of_curves_are_of_any_length() {
    let mut one = vec![0; 32];
    one[31] = 1;
    for (point, scalar) in [(POINT, unhex(SCALAR)), (GENERATOR, one)] {
        let key = other(load(&message(&p256(point, &scalar))).expect("key"));
        assert_eq!(key.kind(), Kind::P256);
        assert_eq!(key.public_numbers(), Ok((unhex(point), vec![])));
        assert_eq!(d(&key).matches(&scalar), Ok(true));
    }
    assert_eq!(depth::blocks(), 0);
}

#[test]
fn rsa_keys_come_with_their_numbers() {
    let made = PrivateKey::generate(Kind::Rsa, 2048, Options::default()).expect("key");
    let (exponent, modulus) = made.public_numbers().expect("numbers");
    assert_eq!(exponent, [1, 0, 1]);
    let mpint = |which| {
        let secret = made.number(which, Form::Mpint, Options::default()).expect("number");
        let mut out = vec![0; secret.size()];
        secret.export(&mut out).expect("export");
        out
    };
    let [d, qi, p, q] = [Number::D, Number::Qi, Number::P, Number::Q].map(mpint);
    let public = [number(&modulus), number(&exponent)];
    let fields = [&[string(b"ssh-rsa")], &public[..], &[d.clone(), qi, p.clone(), q]].concat();
    let key = other(load(&message(&fields)).expect("key"));
    assert_eq!(key.public_numbers(), Ok((exponent, modulus)));
    assert_eq!(key.public(), made.public());
    let mut swapped = fields.clone();
    swapped.swap(5, 6);
    assert!(refused(&swapped), "p and q, but not the inverse");
    for at in 1..fields.len() {
        let mut wrong = fields.clone();
        wrong[at] = string(b"");
        assert!(refused(&wrong), "no number {at}");
    }
    drop((key, made));
    assert_eq!(depth::blocks(), 0);
}

#[test]
fn a_certificate_comes_along_and_must_fit() {
    let kind = string(b"ssh-ed25519-cert-v01@openssh.com");
    let [_, public, pair] = <[_; 3]>::try_from(ed25519()).expect("three fields");
    let certificate = [kind.clone(), string(b"nonce"), public.clone(), vec![9; 50]].concat();
    let fields = [kind.clone(), string(&certificate), public.clone(), pair.clone()];
    let added = load(&message(&fields)).expect("key");
    assert_eq!(added.certificate, certificate);
    assert!(matches!(added.key, Key::Ed25519(_)));
    let strange = [kind.clone(), string(b"nonce"), string(&[7; 32])].concat();
    assert!(refused(&[kind.clone(), string(&strange), public.clone(), pair.clone()]));
    assert!(refused(&[kind, string(b""), public, pair]));
    // Of a curve, the point is the certificate's alone.
    let kind = string(b"ecdsa-sha2-nistp256-cert-v01@openssh.com");
    let inner = [string(b"nonce"), string(b"nistp256"), string(&unhex(POINT))].concat();
    let certificate = [kind.clone(), inner].concat();
    let fields = [kind, string(&certificate), number(&unhex(SCALAR))];
    let key = other(load(&message(&fields)).expect("key"));
    assert_eq!(key.public_numbers(), Ok((unhex(POINT), vec![])));
}

#[test]
fn a_message_that_is_cut_holds_no_key() {
    for fields in [ed25519(), p256(POINT, &unhex(SCALAR))] {
        let whole = message(&fields);
        // What follows the comment is for Python to judge.
        for len in 0..whole.len() - CONSTRAINTS.len() {
            let cut = load(whole.get(..len).expect("shorter"));
            assert!(matches!(cut, Err(Error::Key(_))), "{len}");
        }
    }
    assert_eq!(depth::blocks(), 0);
}

#[test]
fn keys_that_contradict_themselves_are_refused() {
    let (scalar, public) = (unhex(SCALAR), string(&unhex(PUBLIC)));
    let other_pair = string(&[unhex(SEED), vec![7; 32]].concat());
    assert!(refused(&[string(b"ssh-ed25519"), public, other_pair]), "two public keys");
    let strange = [vec![8; 32], unhex(PUBLIC)].concat();
    let mut fields = ed25519();
    fields[2] = string(&strange);
    assert!(refused(&fields), "the seed of another key");
    assert!(refused(&p256(GENERATOR, &scalar)), "the number of another key");
    let mut fields = p256(POINT, &scalar);
    fields[1] = string(b"nistp384");
    assert!(refused(&fields), "another curve");
    let mut fields = p256(POINT, &scalar);
    fields[3] = string(&scalar);
    assert!(refused(&fields), "a number below zero");
    for kind in ["ssh-dss", "sk-ssh-ed25519@openssh.com", "ecdsa-sha2-nistp224", ""] {
        let mut fields = p256(POINT, &scalar);
        fields[0] = string(kind.as_bytes());
        assert!(refused(&fields), "{kind}");
    }
    let long = [message(&ed25519()), vec![0; MOST]].concat();
    assert!(matches!(load(&long), Err(Error::Key(_))), "longer than any");
    assert_eq!(depth::blocks(), 0);
}
