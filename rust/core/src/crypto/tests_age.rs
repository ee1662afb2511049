//! Payloads of age files: chunks, their borders, damage.

use super::aead::TAG_SIZE;
use super::age;
use super::age_stream::{
    CHUNK, KEY_SIZE, SEALED, Stream, open, opened_size, seal, seal_secret, sealed_size,
};
use super::tests_derive::leaves_room;
use crate::error::Error;
use crate::io::Step;
use crate::secret::{Options, Secret};

fn key() -> Secret {
    Secret::random(KEY_SIZE, Options::default()).expect("key")
}

fn message(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

fn sealed(key: &Secret, message: &[u8]) -> Vec<u8> {
    let mut out = vec![0; sealed_size(message.len())];
    seal(key, message, &mut out).expect("sealed");
    out
}

const LENGTHS: [usize; 8] =
    [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1];

#[test]
fn every_length_is_opened_again() {
    let key = key();
    for len in LENGTHS {
        let message = message(len);
        let sealed = sealed(&key, &message);
        assert_eq!(opened_size(sealed.len()), Some(len));
        let opened = open(&key, &sealed, Options::default()).expect("opened");
        assert_eq!(opened.matches(&message), Ok(true), "{len}");
    }
}

#[test]
fn a_secret_is_sealed_as_its_bytes_are() {
    let (key, message) = (key(), message(CHUNK + 7));
    let secret = Secret::from_bytes(&message, Options::default()).expect("secret");
    let mut out = vec![0; sealed_size(message.len())];
    seal_secret(&key, &secret, &mut out).expect("sealed");
    assert_eq!(out, sealed(&key, &message));
}

#[test]
fn what_is_not_whole_is_refused() {
    let key = key();
    let whole = sealed(&key, &message(2 * CHUNK));
    let refused = |bytes: &[u8]| open(&key, bytes, Options::default()).map(|_| ());
    for len in [0, 1, TAG_SIZE, SEALED, SEALED + TAG_SIZE, 2 * SEALED - 1] {
        assert_eq!(refused(&whole[..len]), Err(Error::Tag), "{len}");
    }
    let mut longer = whole.clone();
    longer.extend([0; TAG_SIZE]);
    assert_eq!(refused(&longer), Err(Error::Tag));
    for at in [0, SEALED - 1, SEALED, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        assert_eq!(refused(&damaged), Err(Error::Tag), "{at}");
    }
}

#[test]
fn chunks_of_a_stream_are_those_of_the_whole() {
    let key = key();
    for len in LENGTHS {
        let message = message(len);
        let (source, mut feed) = std::io::pipe().expect("pipe");
        let all_of_it = message.clone();
        #[allow(clippy::disallowed_methods, reason = "a pipe has two ends")]
        let feeder = std::thread::spawn(move || {
            std::io::Write::write_all(&mut feed, &all_of_it).expect("fed");
        });
        let mut stream = Stream::new(&key).expect("stream");
        let mut all = Vec::new();
        while !stream.ended() {
            let fd = std::os::fd::AsRawFd::as_raw_fd(&source);
            while stream.read(fd).expect("read") != Step::Done {}
            let mut out = vec![0; stream.filled() + TAG_SIZE];
            stream.seal(&mut out).expect("sealed");
            all.extend(out);
        }
        feeder.join().expect("feeder");
        assert_eq!(all, sealed(&key, &message), "{len}");
    }
}

#[test]
fn a_stream_writes_what_it_opened_and_stops_at_damage() {
    let (key, message) = (key(), message(CHUNK + 5));
    let mut sealed = sealed(&key, &message);
    let (first, second) = sealed.split_at_mut(SEALED);
    let mut stream = Stream::new(&key).expect("stream");
    assert_eq!(stream.open(&first[1..], false), Err(Error::Tag), "not a whole chunk");
    stream.open(first, false).expect("opened");
    let (mut sink, target) = std::io::pipe().expect("pipe");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&target);
    while stream.write(fd).expect("written") != Step::Done {}
    let mut read = vec![0; CHUNK];
    std::io::Read::read_exact(&mut sink, &mut read).expect("read");
    assert_eq!(read, message[..CHUNK]);
    second[0] ^= 1;
    assert_eq!(stream.open(second, true), Err(Error::Tag));
    second[0] ^= 1;
    assert_eq!(stream.open(second, false), Err(Error::Tag), "a short one is the last");
    assert!(!stream.ended());
    stream.open(second, true).expect("opened");
    assert!(stream.ended());
    assert!(matches!(stream.open(second, true), Err(Error::Key(_))));
}

#[test]
fn payloads_and_identities_leave_room_on_the_stack() {
    let (key, message) = (key(), message(CHUNK + 5));
    let sealed = sealed(&key, &message);
    let text = age::identity_text(&key, Options::default()).expect("text");
    leaves_room("age", || {
        open(&key, &sealed, Options::default()).expect("opened");
        let mut stream = Stream::new(&key).expect("stream");
        stream.open(&sealed[..SEALED], false).expect("opened");
        age::identities(&text, Options::default()).expect("read");
        age::identity_text(&key, Options::default()).expect("text");
    });
}
