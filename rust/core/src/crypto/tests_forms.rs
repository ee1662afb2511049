//! JSON Web Keys, encrypted PKCS#8 and SEC 1: the stack and the heap that they take.

use super::number::{Form, Number};
use super::pbes2::{self, Derivation, Fresh};
use super::pkey::{Kind, PrivateKey, Source};
use super::tests::secret;
use super::tests_derive::{leaves_room, of_bytes};
use crate::domain::depth;
use crate::error::Error;
use crate::secret::{Options, Secret};

/// RFC 8037, appendix A.1.
const OKP: &str = concat!(
    r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","#,
    r#""x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#
);

fn load(encoded: &Secret, passphrase: Option<&Secret>) -> crate::error::Result<PrivateKey> {
    PrivateKey::load(Source { encoded, passphrase }, Options::default())
}

#[test]
fn json_web_keys_are_loaded_and_leave_nothing() {
    leaves_room("JWK", || {
        assert_eq!(load(&of_bytes(OKP.as_bytes()), None).expect("key").kind(), Kind::Ed25519);
    });
    for len in 1..OKP.len() {
        let cut = OKP.get(..len).expect("ASCII");
        assert!(matches!(load(&of_bytes(cut.as_bytes()), None), Err(Error::Key(_))), "{len}");
    }
    let deep = [r#"{"a":"#.repeat(4000).as_str(), OKP, &"}".repeat(4000)].concat();
    leaves_room("nested JSON", || {
        assert!(load(&of_bytes(deep.as_bytes()), None).is_err());
    });
    // The longest value, in a document of the longest length.
    let long = OKP.replace("nWGx", &"A".repeat((64 << 10) - OKP.len()));
    assert!(matches!(load(&of_bytes(long.as_bytes()), None), Err(Error::Key(_))));
    assert_eq!(depth::blocks(), 0);
}

/// Written, read again, and with the wrong words; the stack has room left.
#[test]
fn encrypted_keys_come_back() {
    let key = PrivateKey::generate(Kind::P521, 0, Options::default()).expect("key");
    let words = of_bytes(b"correct horse");
    let fresh = Fresh { salt: [1; 16], iv: [2; 16] };
    for derivation in
        [Derivation::Pbkdf2 { iterations: 3 }, Derivation::Scrypt { cost: (16, 8, 2) }]
    {
        leaves_room("encrypted PKCS#8", || {
            let der = pbes2::encrypt(key.pkcs8(), &words, derivation, fresh).expect("DER");
            let again = load(&of_bytes(&der), Some(&words)).expect("key");
            assert_eq!(again.public(), key.public());
            assert!(load(&of_bytes(&der), Some(&of_bytes(b"wrong"))).is_err());
            assert!(load(&of_bytes(&der), None).is_err());
        });
    }
    drop(key);
    assert_eq!(depth::blocks(), 0);
}

/// RFC 5915 has the public key optional; the private number comes out in the field's length.
#[test]
fn a_curve_key_without_its_public_half() {
    let number = "00000000000000000000000000000000000000000000000000000000000000ff";
    let der = ["302d0201010420", number, "a00606082a8648ce3d030107"].concat();
    assert!(load(&secret(&der), None).is_err(), "the length is one too short");
    let der = ["30310201010420", number, "a00a06082a8648ce3d030107"].concat();
    let key = load(&secret(&der), None).expect("key");
    let d = key.number(Number::D, Form::Octets, Options::default()).expect("number");
    assert_eq!(d.equals(&secret(number)), Ok(true));
    let d = key.number(Number::D, Form::Mpint, Options::default()).expect("number");
    assert_eq!(d.equals(&secret("0000000200ff")), Ok(true));
    assert!(matches!(key.number(Number::P, Form::Octets, Options::default()), Err(Error::Key(_))));
}
