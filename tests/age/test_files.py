"""Files made and opened here: round trips, descriptors, errors."""

from __future__ import annotations

import io
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretmem import ClosedError, InvalidKey, Secret, age
from secretmem.age import _header


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.needs_secretmem

MESSAGE = b"attack at dawn"
CHUNK = 64 << 10


@pytest.fixture
def identity() -> age.Identity:
    """Make one."""
    return age.Identity.generate()


@given(
    # Around the borders of a chunk, and short ones.
    size=st.integers(0, 300)
    | st.integers(CHUNK - 2, CHUNK + 2)
    | st.integers(2 * CHUNK - 2, 2 * CHUNK + 2),
    armor=st.booleans(),
    others=st.integers(0, 3),
    place=st.integers(0, 3),
)
def test_what_is_encrypted_is_decrypted(
    size: int, *, armor: bool, others: int, place: int
) -> None:
    """Of any size, by any of the recipients, armored or not."""
    message = os.urandom(size)
    mine = age.Identity.generate()
    recipients = [age.Identity.generate().recipient for _ in range(others)]
    recipients.insert(place, mine.recipient)
    with Secret.from_bytes(message) as secret:
        sealed = age.encrypt(secret, recipients, armor=armor)
    with age.decrypt(sealed, [mine]) as opened:
        assert opened.matches(message)
    with age.decrypt(io.BytesIO(sealed).getbuffer(), [mine]) as opened:
        assert opened.matches(message)


@given(data=st.data())
def test_no_damage_goes_unseen(data: st.DataObject) -> None:
    """A changed byte, a cut, something behind the end: always an error."""
    mine = age.Identity.generate()
    sealed = age.encrypt(MESSAGE, [mine.recipient])
    kind = data.draw(st.sampled_from(("change", "cut", "append")))
    at = data.draw(st.integers(0, len(sealed) - 1))
    if kind == "change":
        bit = 1 << data.draw(st.integers(0, 7))
        damaged = sealed[:at] + bytes([sealed[at] ^ bit]) + sealed[at + 1 :]
    elif kind == "cut":
        damaged = sealed[:at]
    else:
        damaged = sealed + data.draw(st.binary(min_size=1, max_size=40))
    with pytest.raises((age.DamagedFileError, age.NoMatchError)):
        age.decrypt(damaged, [mine])


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_cleanly(content: bytes) -> None:
    """Behind the version line, or where the armor begins."""
    for start in (
        b"",
        _header.VERSION,
        b"-----BEGIN AGE ENCRYPTED FILE-----\n",
    ):
        with pytest.raises(age.DamagedFileError):
            age.decrypt(start + content, [])


_STANZAS = st.builds(
    _header.Stanza,
    st.text("Xxyz0-", min_size=1),
    st.lists(
        st.text(
            st.characters(min_codepoint=33, max_codepoint=126), min_size=1
        ),
        max_size=4,
    ).map(tuple),
    st.binary(max_size=150),
)


@given(st.lists(_STANZAS, min_size=1, max_size=5), st.binary(max_size=9))
def test_a_header_is_read_as_it_was_written(
    stanzas: list[age.Stanza], rest: bytes
) -> None:
    """And nothing behind it is read."""
    mac = bytes(range(32))
    signed = _header.written(stanzas)
    whole = io.BytesIO(signed + _header.ending(mac) + rest)
    assert whole.readline() == _header.VERSION
    read = _header.parse(whole)
    assert (list(read.stanzas), read.mac) == (stanzas, mac)
    assert read.signed == signed
    assert whole.read() == rest


def test_a_long_header_is_refused(identity: age.Identity) -> None:
    """Without reading it to its end."""
    endless = _header.VERSION + b"-> X" + b"x" * (2 << 20)
    with pytest.raises(age.DamagedFileError, match="longer than 1048576"):
        age.decrypt(endless, [identity])


def test_every_kind_of_source(identity: age.Identity, tmp_path: Path) -> None:
    """Bytes, a path, a descriptor, a file object, a pipe."""
    sealed = age.encrypt(MESSAGE, [identity.recipient])
    path = tmp_path / "sealed"
    path.write_bytes(sealed)
    reader, writer = os.pipe()
    os.write(writer, sealed)
    os.close(writer)
    fd = os.open(path, os.O_RDONLY)
    with path.open("rb") as file:
        for source in (sealed, str(path), path, fd, file, reader):
            assert age.decrypt(source, [identity]).matches(MESSAGE)
    os.close(fd)
    os.close(reader)


def test_a_slow_pipe(identity: age.Identity) -> None:
    """The first bytes come one by one, of an armored file."""
    sealed = age.encrypt(MESSAGE, [identity.recipient], armor=True)
    reader, writer = os.pipe()

    def feed() -> None:
        for byte in sealed[:60]:
            os.write(writer, bytes([byte]))
        os.write(writer, sealed[60:])
        os.close(writer)

    feeder = threading.Thread(target=feed)
    feeder.start()
    assert age.decrypt(reader, [identity]).matches(MESSAGE)
    feeder.join()
    os.close(reader)


def test_the_name_and_the_limit(identity: age.Identity) -> None:
    """Of the Secret that comes out; a limit that fits exactly is enough."""
    for size in (1, CHUNK, CHUNK + 1):
        sealed = age.encrypt(bytes(size), [identity.recipient])
        opened = age.decrypt(sealed, [identity], max_size=size, name="order")
        assert (opened.name, len(opened)) == ("order", size)
        with pytest.raises(ValueError, match=f"max_size = {size - 1} bytes"):
            age.decrypt(sealed, [identity], max_size=size - 1)


def test_a_result_is_kept_as_the_identity_is() -> None:
    """For forked children, or not."""
    for inherit in (False, True):
        mine = age.Identity.generate(inherit=inherit)
        sealed = age.encrypt(MESSAGE, [mine.recipient])
        assert age.decrypt(sealed, [mine]).inherit is inherit


def test_an_identity_in_a_forked_child() -> None:
    """An inherited one opens files there."""
    mine = age.Identity.generate(inherit=True)
    sealed = age.encrypt(MESSAGE, [mine.recipient])
    child = os.fork()
    if child == 0:
        os._exit(0 if age.decrypt(sealed, [mine]).matches(MESSAGE) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_several_identities(identity: age.Identity) -> None:
    """Tried in turn; passphrases among them do no harm."""
    sealed = age.encrypt(MESSAGE, [identity.recipient])
    phrase = age.Passphrase(Secret.from_bytes(b"x"), work_factor=1)
    strangers = [age.Identity.generate() for _ in range(3)]
    everyone: list[age.Identity | age.Passphrase]
    everyone = [*strangers, phrase, identity]
    assert age.decrypt(sealed, everyone).matches(MESSAGE)
    with pytest.raises(age.NoMatchError, match="none of 4 identities"):
        age.decrypt(sealed, everyone[:-1])


def test_recipients_that_cannot_be(identity: age.Identity) -> None:
    """None, or a passphrase with company."""
    phrase = age.Passphrase(Secret.from_bytes(b"x"), work_factor=1)
    with pytest.raises(InvalidKey, match="one recipient or more"):
        age.encrypt(MESSAGE, [])
    with pytest.raises(InvalidKey, match="only recipient of its file"):
        age.encrypt(MESSAGE, [phrase, identity.recipient])
    with pytest.raises(InvalidKey, match="all zero"):
        age.encrypt(MESSAGE, [age.Recipient(bytes(32))])


def test_passphrases_that_cannot_be() -> None:
    """Empty, or with a work factor out of range."""
    with pytest.raises(InvalidKey, match="empty"):
        age.Passphrase(Secret.from_bytes(b""))
    for factor in (0, 31):
        with pytest.raises(InvalidKey, match=f"1 to 30, not {factor}"):
            age.Passphrase(Secret.from_bytes(b"x"), work_factor=factor)


def test_a_wrong_passphrase() -> None:
    """No more is said than that it is another one."""
    right, wrong = (
        age.Passphrase(Secret.from_bytes(word), work_factor=2)
        for word in (b"right", b"wrong")
    )
    sealed = age.encrypt(MESSAGE, [right])
    assert age.decrypt(sealed, [wrong, right]).matches(MESSAGE)
    with pytest.raises(age.NoMatchError, match="the passphrase is wrong"):
        age.decrypt(sealed, [wrong])


def test_a_closed_identity(identity: age.Identity) -> None:
    """As every closed secret."""
    sealed = age.encrypt(MESSAGE, [identity.recipient])
    identity.close()
    assert identity.closed
    with pytest.raises(ClosedError):
        age.decrypt(sealed, [identity])


def test_recipients_compare_by_their_keys(identity: age.Identity) -> None:
    """And show nothing but these."""
    recipient = identity.recipient
    again = age.Recipient.parse(f" {recipient}\n")
    assert again == recipient
    assert len({again, recipient}) == 1
    assert again != str(recipient)
    assert repr(recipient) == f"<Recipient {recipient}>"
    assert repr(identity) == f"<Identity of {recipient}>"
    for text in ("", "age1", str(recipient).upper(), f"{recipient}q"):
        with pytest.raises(InvalidKey):
            age.Recipient.parse(text)
    with pytest.raises(InvalidKey, match="32 bytes"):
        age.Recipient(b"short")


def test_files_of_identities(tmp_path: Path) -> None:
    """One, several, none, and a line that is none."""
    some = [age.Identity.generate() for _ in range(2)]
    texts = [each.text() for each in some]
    path = tmp_path / "keys"
    with path.open("wb", buffering=0) as file:
        for text in texts:
            file.write(b"# a comment\n\n")
            text.write_to(file)
            file.write(b"\n")
    loaded = age.load_identities(path)
    assert [each.recipient for each in loaded] == [
        each.recipient for each in some
    ]
    with pytest.raises(InvalidKey, match="2 identities, not one"):
        age.Identity.from_file(path)
    with pytest.raises(InvalidKey, match="holds no identity"):
        age.load_identities(Secret.from_bytes(b"# only a comment\n"))
    with pytest.raises(InvalidKey, match="line 2 is neither"):
        age.load_identities(Secret.from_bytes(b"\nage1x\n"))
    assert not age.is_encrypted(path)


def test_files_of_recipients(identity: age.Identity, tmp_path: Path) -> None:
    """Comments are skipped; what is wrong is named by its line."""
    path = tmp_path / "recipients"
    path.write_text(f"# mine\n{identity.recipient}\n\n", "utf-8")
    assert age.load_recipients(path) == [identity.recipient]
    path.write_text(f"{identity.recipient}\nage1x\n", "utf-8")
    with pytest.raises(InvalidKey, match="recipients, line 2: not a rec"):
        age.load_recipients(path)


def _long(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


@pytest.mark.parametrize("armor", [False, True], ids=["binary", "text"])
def test_long_data_over_pipes(identity: age.Identity, *, armor: bool) -> None:
    """Three threads and two pipes, 50 chunks, signals among them."""
    message = _long(50 * CHUNK + 17)
    plain, feed = os.pipe()
    middle, sealed = os.pipe()
    seen: list[int] = []

    def write() -> None:
        with os.fdopen(feed, "wb") as file:
            file.write(message)

    def seal() -> None:
        to = [identity.recipient]
        age.encrypt_fd(plain, sealed, to, armor=armor)
        os.close(sealed)

    threads = [threading.Thread(target=each) for each in (write, seal)]
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    try:
        for each in threads:
            each.start()
        opened = age.decrypt(middle, [identity], max_size=8 << 20)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    for each in threads:
        each.join()
    assert opened.matches(message)
    os.close(plain)
    os.close(middle)


def test_progress_and_counts(identity: age.Identity, tmp_path: Path) -> None:
    """Called after each chunk with the bytes so far."""
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    plain.write_bytes(_long(CHUNK + 5))
    said: list[int] = []
    with plain.open("rb") as source, sealed.open("wb") as target:
        to = [identity.recipient]
        count = age.encrypt_fd(source, target, to, progress=said.append)
    assert (count, said) == (CHUNK + 5, [CHUNK, CHUNK + 5])
    said.clear()
    with (tmp_path / "opened").open("wb") as target:
        count = age.decrypt_to_fd(
            sealed, target, [identity], progress=said.append
        )
    assert (count, said) == (CHUNK + 5, [CHUNK, CHUNK + 5])


def _full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def _read_only() -> int:
    return os.open("/dev/null", os.O_RDONLY)


@pytest.mark.parametrize("target", [_full, _read_only])
def test_a_target_that_fails(
    identity: age.Identity, target: Callable[[], int]
) -> None:
    """As the system call says."""
    sealed = age.encrypt(MESSAGE, [identity.recipient])
    fd = target()
    with pytest.raises(OSError, match=r"write|poll"):
        age.decrypt_to_fd(sealed, fd, [identity])
    os.close(fd)


def test_what_is_no_source(identity: age.Identity) -> None:
    """A wrong type is a TypeError, a missing file an OSError."""
    with pytest.raises(TypeError):
        age.decrypt(1.5, [identity])  # type: ignore[arg-type]  # the point
    with pytest.raises(TypeError):
        age.encrypt("text", [identity.recipient])  # type: ignore[arg-type]  # the point
    with pytest.raises(FileNotFoundError):
        age.decrypt("/nonexistent", [identity])
