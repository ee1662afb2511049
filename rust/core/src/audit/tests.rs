//! Every form is found wherever it lies, and nothing else; known answers of what is derived.

use super::*;
use crate::test_support::Random;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;

fn secret(bytes: &[u8]) -> Secret {
    Secret::from_bytes(bytes, Options::default()).expect("secret")
}

fn random(random: &mut Random, len: usize) -> Vec<u8> {
    (0..len).map(|_| random.below(256) as u8).collect()
}

/// All forms, by copying them out: for tests.
fn exported(search: &Search) -> Vec<(Form, Vec<u8>)> {
    let mut all = vec![0; search.kept.size()];
    search.kept.export(&mut all).expect("export");
    search.forms.iter().map(|f| (*f, all[f.start..f.start + f.len].to_vec())).collect()
}

fn file(content: &[u8]) -> std::fs::File {
    let path = std::env::temp_dir().join(format!(
        "secretmem-audit-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let mut file = std::fs::File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .expect("file");
    std::fs::remove_file(&path).expect("unlink");
    file.write_all(content).expect("write");
    file
}

fn scan(search: &Search, content: &[u8]) -> Found {
    let file = file(content);
    search.scan(file.as_raw_fd(), 0, content.len() as u64).expect("scan")
}

fn unhex(hex: &str) -> Vec<u8> {
    crate::crypto::tests::unhex(hex)
}

fn form(search: &Search, part: &str, shape: &str) -> Vec<u8> {
    let all = exported(search);
    let found = all.iter().find(|(f, _)| f.part == part && f.shape == shape);
    found.expect("form").1.clone()
}

#[test]
fn every_window_of_every_form_is_found_anywhere() {
    let mut source = Random::new(1);
    let seed = secret(&random(&mut source, 32));
    for kind in [Kind::Raw, Kind::Ed25519, Kind::X25519, Kind::Aes, Kind::Hmac] {
        let search = Search::new(&[(kind, &seed)]).expect("search");
        let forms = exported(&search);
        assert!(forms.len() >= 10, "{kind:?}");
        let mut content = Vec::new();
        let mut planted = Vec::new();
        for (number, (_, bytes)) in forms.iter().enumerate() {
            for piece in bytes.windows(WINDOW) {
                let distinct: std::collections::BTreeSet<_> = piece.iter().collect();
                if distinct.len() < 5 {
                    continue;
                }
                content.extend(vec![0xee; 1 + source.below(7)]);
                planted.push((number, content.len() as u64));
                content.extend(piece);
            }
        }
        content.push(0);
        let found = scan(&search, &content);
        assert_eq!(found.end, content.len() as u64);
        for (number, at) in planted {
            let hit = |h: &&Hit| h.address <= at && at + WINDOW as u64 <= h.address + h.size as u64;
            let hits: Vec<_> = found.hits.iter().filter(hit).collect();
            assert!(hits.iter().any(|h| h.form == number), "{:?}", search.forms[number]);
        }
    }
}

#[test]
fn random_bytes_and_shorter_pieces_are_no_hits() {
    let mut source = Random::new(2);
    let key = random(&mut source, 32);
    let search = Search::new(&[(Kind::Aes, &secret(&key))]).expect("search");
    let mut content = random(&mut source, 1 << 20);
    assert_eq!(scan(&search, &content).hits, []);
    content[1000..1007].copy_from_slice(&key[..7]);
    assert_eq!(scan(&search, &content).hits, []);
    content[5000..5032].copy_from_slice(&key);
    let hits = scan(&search, &content).hits;
    // The key begins its round keys as well, and half of it those to decrypt.
    assert!(hits.iter().all(|h| h.address == 5000), "{hits:?}");
    assert_eq!(hits[0], Hit { form: 0, address: 5000, size: 32 });
}

/// Zeros behind a number are in half of all pages: with them in the table a scan takes minutes.
#[test]
fn runs_of_one_byte_are_not_entered() {
    assert!(!table::telling(0));
    assert!(!table::telling(0x7777_7777));
    assert!(table::telling(1));
    assert!(table::telling(0x0100_0000));
}

#[test]
fn a_copy_across_the_border_of_reads_is_seen_whole_or_in_overlapping_pieces() {
    let mut source = Random::new(3);
    let key = random(&mut source, 32);
    let search = Search::new(&[(Kind::Raw, &secret(&key))]).expect("search");
    for before in 1..40 {
        let mut content = vec![0xee; BLOCK + 100];
        let at = BLOCK - before;
        content[at..at + 32].copy_from_slice(&key);
        let hits = scan(&search, &content).hits;
        let (start, end) = (at as u64, at as u64 + 32);
        assert!(hits.iter().any(|h| h.address == start), "{before}");
        assert!(hits.iter().any(|h| h.address + h.size as u64 == end), "{before}");
    }
}

#[test]
fn more_hits_than_there_is_room_for_are_all_found() {
    let mut source = Random::new(4);
    let key = random(&mut source, 16);
    let search = Search::new(&[(Kind::Raw, &secret(&key))]).expect("search");
    let copies = MOST_HITS * 2 + 10;
    let mut content = Vec::new();
    for _ in 0..copies {
        content.extend(&key);
        content.push(0xee);
    }
    let found = scan(&search, &content);
    let mut at: Vec<_> = found.hits.iter().filter(|h| h.size == 16).map(|h| h.address).collect();
    at.sort_unstable();
    at.dedup();
    assert_eq!(at.len(), copies);
}

/// FIPS 197, appendix A.3 (last words), and C.3: the equivalent inverse cipher's keys begin with
/// the last round key.
#[test]
fn round_keys_are_those_of_the_standard() {
    let key = unhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    let search = Search::new(&[(Kind::Aes, &secret(&key))]).expect("search");
    let forth = form(&search, "round keys", "plain");
    assert_eq!(forth.len(), 240);
    assert_eq!(forth[..32], key);
    assert_eq!(forth[224..], unhex("fe4890d1e6188d0b046df344706c631e"));
    let back = form(&search, "round keys to decrypt", "plain");
    assert_eq!(back[..16], forth[224..]);
    assert_eq!(back[224..], forth[..16]);
    // A.1 and A.2.
    for (key, last) in [
        ("2b7e151628aed2a6abf7158809cf4f3c", "d014f9a8c9ee2589e13f0cc8b6630ca6"),
        ("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "e98ba06f448c773c8ecc720401002202"),
    ] {
        let search = Search::new(&[(Kind::Aes, &secret(&unhex(key)))]).expect("search");
        let forth = form(&search, "round keys", "plain");
        assert_eq!(forth[forth.len() - 16..], unhex(last));
    }
}

/// FIPS 197, appendix C.1: dec round keys of the equivalent inverse cipher.
#[test]
fn inverse_round_keys_are_those_of_the_standard() {
    let key = unhex("000102030405060708090a0b0c0d0e0f");
    let search = Search::new(&[(Kind::Aes, &secret(&key))]).expect("search");
    let back = form(&search, "round keys to decrypt", "plain");
    assert_eq!(back[..16], unhex("13111d7fe3944a17f307a78b4d2b30c5"));
    assert_eq!(back[16..32], unhex("13aa29be9c8faff6f770f58000f7bf03"));
    assert_eq!(back[144..160], unhex("8c56dff0825dd3f9805ad3fc8659d7fd"));
}

#[test]
fn digits_are_those_of_python() {
    // 2**60 + 5 * 2**30 + 7, most significant byte first.
    let mut number = [0u8; 12];
    number[4..].copy_from_slice(&((1u64 << 60) + (5 << 30) + 7).to_be_bytes());
    let search = Search::new(&[(Kind::Raw, &secret(&number))]).expect("search");
    let digits = form(&search, "key", "Python int");
    assert_eq!(digits[..12], [7, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0]);
}

#[test]
fn base64_is_found_wherever_the_key_begins_in_it() {
    use base64ct::{Base64, Encoding};
    let mut source = Random::new(5);
    let key = random(&mut source, 32);
    let search = Search::new(&[(Kind::Raw, &secret(&key))]).expect("search");
    for before in 0..6 {
        let mut whole = random(&mut source, before);
        whole.extend(&key);
        whole.extend(random(&mut source, 5));
        let mut text = [0; 64];
        let text = Base64::encode(&whole, &mut text).expect("room");
        let hits = scan(&search, text.as_bytes()).hits;
        assert!(hits.iter().any(|h| h.size >= 40), "{before}: {hits:?}");
    }
}

#[test]
fn keys_that_are_not_what_they_should_be_are_refused() {
    for (kind, len) in [
        (Kind::Raw, 7),
        (Kind::Raw, MOST_KEY + 1),
        (Kind::Ed25519, 31),
        (Kind::Aes, 20),
        (Kind::Pkcs8, 100),
    ] {
        let key = secret(&vec![0x41; len]);
        assert!(matches!(Search::new(&[(kind, &key)]), Err(Error::Key(_))), "{kind:?} {len}");
    }
}

#[test]
fn a_password_is_found_as_a_whole_only() {
    let search = Search::new(&[(Kind::Password, &secret(b"password-horse-1"))]).expect("search");
    assert_eq!(scan(&search, b"xx password-horse-1 ").hits.len(), 1);
    assert_eq!(scan(&search, b"xx password-horse- yy password-horse").hits, []);
}

#[test]
fn a_file_may_be_shorter_than_what_is_asked_for() {
    let key = b"0123456789abcdef";
    let search = Search::new(&[(Kind::Raw, &secret(key))]).expect("search");
    for before in [0, 1, 60, 64, 5000] {
        let mut content = vec![0xee; before];
        content.extend(key);
        let file = file(&content);
        let found = search.scan(file.as_raw_fd(), 0, 1 << 20).expect("scan");
        assert_eq!(found.end, content.len() as u64);
        assert_eq!(found.unread, []);
        assert!(found.hits.iter().any(|h| h.address == before as u64 && h.size == key.len()));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let search = Search::new(&[(Kind::Raw, &secret(b"0123456789abcdef"))]).expect("search");
    let wrong = search.scan(-1, 0, 100);
    assert_eq!(wrong, Err(Error::Call { call: "pread", errno: libc::EBADF }));
}
