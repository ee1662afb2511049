//! Derivation, X25519, OpenSSH files: known answers, and how deep these operations go.

use super::kdf::{self, Argon2Cost, Argon2Input, Scrypt};
use super::mac::Hash;
use super::pkey::{self, Kind, PrivateKey, Source};
use super::tests::{secret, unhex};
use super::x25519;
use crate::domain::depth;
use crate::domain::stacks::Class;
use crate::error::Error;
use crate::secret::{Options, Secret};

/// An operation must leave this much of its stack: a signal frame with the AVX-512 registers has
/// less than 4 KiB, and the handler has its own frames.
const SIGNAL: usize = 8 << 10;
const MOST: usize = 64 << 20;

const RSA: &[u8] = include_bytes!("testdata/ssh_rsa4096_bcrypt");
const P521: &[u8] = include_bytes!("testdata/ssh_p521");

pub(super) fn of_bytes(bytes: &[u8]) -> Secret {
    Secret::from_bytes(bytes, Options::default()).expect("secret")
}

pub(super) fn leaves_room(what: &str, code: impl FnOnce()) {
    let deepest = depth::of(code);
    // Shown by `cargo test -- --nocapture`.
    #[allow(clippy::print_stderr, reason = "a figure for whoever asks for it")]
    {
        eprintln!("{what}: {deepest} bytes of stack");
    }
    // Instrumented code needs more: `scripts/asan` says so.
    if std::env::var_os("SECRETMEM_INSTRUMENTED").is_none() {
        assert!(deepest > 0 && deepest + SIGNAL <= Class::Small.size(), "{what}: {deepest} bytes");
    }
}

/// RFC 7748, section 6.1; a public key of small order gives zeros.
#[test]
fn x25519_gives_the_rfcs_answer() {
    let alice = secret("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let bob = secret("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    let alice_public = unhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    let bob_public = unhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    let shared = unhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    let options = Options::default();
    leaves_room("X25519", || {
        for (private, public, peer) in
            [(&alice, &alice_public, &bob_public), (&bob, &bob_public, &alice_public)]
        {
            let key = x25519::PrivateKey::from_seed(private, options).expect("key");
            assert_eq!(key.public().to_vec(), *public);
            let agreed = x25519::exchange(key.secret(), peer, options).expect("shared");
            assert_eq!(agreed.matches(&shared), Ok(true));
        }
    });
    let zero = x25519::exchange(&alice, &[0; 32], options);
    assert!(matches!(zero, Err(Error::Key(_))));
    assert!(matches!(x25519::exchange(&alice, &[9; 31], options), Err(Error::Key(_))));
}

/// RFC 6070, cases 5 and 6.
#[test]
fn pbkdf2_gives_the_rfcs_answers() {
    let cases: [(&[u8], &[u8], &str); 2] = [
        (
            b"passwordPASSWORDpassword",
            b"saltSALTsaltSALTsaltSALTsaltSALTsalt",
            "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038",
        ),
        (b"pass\0word", b"sa\0lt", "56fa6aa75548099dcc37d7f03425e0c3"),
    ];
    leaves_room("PBKDF2", || {
        for (password, salt, right) in cases {
            let (password, right) = (of_bytes(password), unhex(right));
            let options = Options::default();
            let key = kdf::pbkdf2(Hash::Sha1, &password, salt, 4096, right.len(), options);
            assert_eq!(key.expect("key").matches(&right), Ok(true));
        }
    });
    assert_eq!(depth::blocks(), 0);
}

fn scrypt(n: u64, r: u64, p: u64, most: usize) -> Result<Secret, Error> {
    let cost = Scrypt { n, r, p, most };
    kdf::scrypt(&of_bytes(b"password"), b"NaCl", cost, 64, Options::default())
}

/// RFC 7914, section 12, case 2.
#[test]
fn scrypt_gives_the_rfcs_answer() {
    let right = unhex(concat!(
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162",
        "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
    ));
    leaves_room("scrypt", || {
        let key = scrypt(1024, 8, 16, MOST).expect("key");
        assert_eq!(key.matches(&right), Ok(true));
    });
    for (n, r, p) in
        [(0, 8, 1), (1, 8, 1), (3, 8, 1), (2, 0, 1), (2, 1, 0), (1 << 33, 8, 1), (1 << 16, 1, 1)]
    {
        assert!(matches!(scrypt(n, r, p, MOST), Err(Error::Key(_))), "{n} {r} {p}");
    }
    let exact = 128 * 8 * (1024 + 16 + 1);
    assert!(scrypt(1024, 8, 16, exact).is_ok());
    assert!(matches!(scrypt(1024, 8, 16, exact - 1), Err(Error::Key(_))));
    assert!(matches!(scrypt(1 << 32, 1 << 16, 1, usize::MAX), Err(Error::Call { .. })));
    assert_eq!(depth::blocks(), 0);
}

/// RFC 9106, section 5.3.
#[test]
fn argon2id_gives_the_rfcs_answer() {
    let (password, pepper) = (of_bytes(&[1; 32]), of_bytes(&[3; 8]));
    let right = unhex("0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
    let salt = &[2; 16][..];
    let input = Argon2Input { salt, secret: Some(&pepper), associated_data: &[4; 12] };
    let cost = Argon2Cost { memory: 32, passes: 3, lanes: 4, most: MOST };
    leaves_room("Argon2id", || {
        let key = kdf::argon2id(&password, input, cost, 32, Options::default());
        assert_eq!(key.expect("key").matches(&right), Ok(true));
    });
    for (input, cost) in [
        (Argon2Input { salt: &[2; 7], ..input }, cost),
        (Argon2Input { associated_data: &[4; 33], ..input }, cost),
        (input, Argon2Cost { memory: 31, ..cost }),
        (input, Argon2Cost { passes: 0, ..cost }),
        (input, Argon2Cost { lanes: 0, ..cost }),
        (input, Argon2Cost { most: 32 * 1024 - 1, ..cost }),
    ] {
        let key = kdf::argon2id(&password, input, cost, 32, Options::default());
        assert!(matches!(key, Err(Error::Key(_))), "{cost:?}");
    }
}

fn load(text: &[u8], passphrase: Option<&[u8]>) -> Result<PrivateKey, Error> {
    let (encoded, passphrase) = (of_bytes(text), passphrase.map(of_bytes));
    let source = Source { encoded: &encoded, passphrase: passphrase.as_ref() };
    PrivateKey::load(source, Options::default())
}

#[test]
fn openssh_files_are_loaded_and_leave_nothing() {
    leaves_room("OpenSSH, RSA-4096 with bcrypt", || {
        let key = load(RSA, Some(b"correct horse")).expect("key");
        assert_eq!((key.kind(), key.bits()), (Kind::Rsa, 4096));
    });
    leaves_room("OpenSSH, P-521", || {
        let key = load(P521, None).expect("key");
        assert_eq!((key.kind(), key.bits()), (Kind::P521, 521));
    });
    for passphrase in [None, Some(&b"wrong"[..]), Some(b"")] {
        assert!(matches!(load(RSA, passphrase), Err(Error::Key(_))));
    }
    assert_eq!(depth::blocks(), 0);
}

/// Whatever is changed in the file, it is refused or the same key, and no block stays.
#[test]
fn damaged_openssh_files_are_refused() {
    let right = load(P521, None).expect("key").public().to_vec();
    for at in (0..P521.len()).step_by(3) {
        let mut damaged = P521.to_vec();
        damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
        if let Ok(key) = load(&damaged, None) {
            assert_eq!(key.public(), right, "byte {at}");
        }
    }
    for len in [0, 1, 36, 100, P521.len() / 2, P521.len() - 2] {
        assert!(load(&P521[..len], None).is_err(), "{len} bytes");
    }
    assert_eq!(depth::blocks(), 0);
}

/// The longest text that is read, and one that is longer: errors, not the end of the process.
#[test]
fn the_largest_openssh_file_fits() {
    for lines in [930, 1100] {
        let line = ["A".repeat(70), "\n".to_owned()].concat();
        let body = line.repeat(lines);
        let ends = ["BEGIN", "END"].map(|end| format!("-----{end} OPENSSH PRIVATE KEY-----\n"));
        let text = [&ends[0], body.as_str(), &ends[1]].concat();
        assert!(matches!(load(text.as_bytes(), None), Err(Error::Key(_))), "{lines} lines");
    }
    assert_eq!(depth::blocks(), 0);
}

#[test]
fn keys_leave_a_part_of_their_claim_of_the_heap() {
    for (file, password) in [(RSA, &b"correct horse"[..]), (P521, b"")] {
        let (encoded, password) = (of_bytes(file), of_bytes(password));
        let source = Source { encoded: &encoded, passphrase: Some(&password) };
        let mut key = None;
        let options = Options::default();
        let loading = depth::heap_of(|| key = PrivateKey::load(source, options).ok());
        let key = key.expect("key");
        let claimed = pkey::heap_to_load(file.len());
        assert!(loading <= claimed / 4 * 3, "{loading} of {claimed}");
        let mut out = [0; 512];
        let signing = depth::heap_of(|| {
            let signed = match key.kind() {
                Kind::Rsa => key.sign_pkcs1(Hash::Sha256, &[7; 32], &mut out),
                _ => key.sign_ecdsa(&[7; 32], &mut out),
            };
            signed.expect("signature");
        });
        let claimed = key.kind().heap(key.bits());
        assert!(signing <= claimed / 4 * 3, "{signing} of {claimed}");
    }
}
