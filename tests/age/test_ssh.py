"""ssh keys, with Debian's age and ssh-keygen."""

from __future__ import annotations

import base64
import subprocess
from typing import TYPE_CHECKING

import pytest

from secretmem import InvalidKey, LimitError, Secret, _native, age


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_tool("age", "ssh-keygen"),
]

KINDS = {"ed25519": ("-t", "ed25519"), "rsa": ("-t", "rsa", "-b", "2048")}
MESSAGE = b"attack at dawn"


def _run(*command: str, feed: bytes = b"") -> bytes:
    done = subprocess.run(command, input=feed, capture_output=True, check=True)
    return done.stdout


def _keygen(path: Path, *options: str, passphrase: str = "") -> Path:
    _run("ssh-keygen", "-q", *options, "-N", passphrase, "-f", str(path))
    return path


@pytest.fixture(scope="module", params=[*KINDS.values()], ids=[*KINDS])
def key_file(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Let ssh-keygen make a pair of files."""
    folder = tmp_path_factory.mktemp("ssh")
    return _keygen(folder / "key", *request.param)


def _public(key_file: Path) -> str:
    return key_file.with_suffix(".pub").read_text("ascii")


def test_the_private_key_knows_its_recipient(key_file: Path) -> None:
    """It is the line of the .pub file, without the comment."""
    line = _public(key_file)
    with age.SSHIdentity.from_file(key_file) as identity:
        assert str(identity.recipient) == " ".join(line.split()[:2])
        assert identity.recipient == age.parse_recipient(line)


def test_theirs_is_opened_here(key_file: Path) -> None:
    """Beside a recipient of another kind."""
    other = age.Identity.generate()
    sealed = _run(
        "age",
        *("-R", f"{key_file}.pub", "-r", str(other.recipient)),
        feed=MESSAGE,
    )
    with age.SSHIdentity.from_file(key_file) as identity:
        for each in (identity, other):
            assert age.decrypt(sealed, [each]).matches(MESSAGE)


def test_ours_is_opened_there(key_file: Path) -> None:
    """The other direction."""
    recipient = age.SSHRecipient.parse(_public(key_file))
    sealed = age.encrypt(MESSAGE, [recipient])
    assert _run("age", "-d", "-i", str(key_file), feed=sealed) == MESSAGE


def test_an_encrypted_private_key(key_file: Path, tmp_path: Path) -> None:
    """With its passphrase, and not without."""
    kind = age.SSHRecipient.parse(_public(key_file)).kind
    options = KINDS[kind.removeprefix("ssh-")]
    path = _keygen(tmp_path / "key", *options, passphrase="correct horse")
    sealed = age.encrypt(MESSAGE, [age.parse_recipient(_public(path))])
    with Secret.from_bytes(b"correct horse") as passphrase:
        (identity,) = age.load_identities(path, passphrase)
    assert age.decrypt(sealed, [identity]).matches(MESSAGE)
    with pytest.raises(InvalidKey, match="cannot be read"):
        age.SSHIdentity.from_file(path)


@pytest.mark.parametrize("passphrase", ["", "correct horse"])
@pytest.mark.parametrize(
    "form", [(), ("-m", "PEM"), ("-m", "PKCS8")], ids=["own", "PEM", "PKCS8"]
)
def test_what_needs_a_passphrase(
    form: tuple[str, ...], passphrase: str, tmp_path: Path
) -> None:
    """It is told from the file's beginning: a damaged one is the same."""
    options = ("-t", "rsa", "-b", "2048", *form)
    path = _keygen(tmp_path / "key", *options, passphrase=passphrase)
    text = path.read_bytes()
    half = len(text) // 2
    changed = text[:half] + text[half + 100 :]
    for each in (text, text.replace(b"\n", b"\r\n"), changed):
        with Secret.from_bytes(each) as secret:
            assert age.is_encrypted(secret) == bool(passphrase)
    kind = _keygen(tmp_path / "other", "-t", "ecdsa", passphrase=passphrase)
    assert age.is_encrypted(kind) == bool(passphrase)


def test_a_stranger_does_not_open(key_file: Path, tmp_path: Path) -> None:
    """Another key of the same kind."""
    kind = age.SSHRecipient.parse(_public(key_file)).kind
    options = KINDS[kind.removeprefix("ssh-")]
    stranger = age.SSHIdentity.from_file(_keygen(tmp_path / "key", *options))
    sealed = age.encrypt(MESSAGE, [age.parse_recipient(_public(key_file))])
    with pytest.raises(age.NoMatchError, match=f"type {kind};"):
        age.decrypt(sealed, [stranger])


def test_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    """No ECDSA, and age wants RSA keys of 2048 bits or more."""
    path = _keygen(tmp_path / "ecdsa", "-t", "ecdsa")
    with pytest.raises(InvalidKey, match="type p256 opens no age files"):
        age.SSHIdentity.from_file(path)
    with pytest.raises(InvalidKey, match="another type"):
        age.parse_recipient(_public(path).replace("ecdsa-sha2", "ssh"))
    path = _keygen(tmp_path / "short", "-t", "rsa", "-b", "1024")
    with pytest.raises(InvalidKey, match="and this one 1024"):
        age.parse_recipient(_public(path))


def _line(kind: str, *parts: bytes) -> str:
    blob = b"".join(len(p).to_bytes(4, "big") + p for p in parts)
    return f"{kind} {base64.b64encode(blob).decode()}"


ED25519 = "ssh-ed25519"
NAME = ED25519.encode()


@pytest.mark.parametrize(
    "line",
    [
        ED25519,
        f"{ED25519} !",
        _line(ED25519),
        _line(ED25519, NAME)[:-4],
        _line(ED25519, NAME),
        _line(ED25519, NAME, bytes(31)),
        _line(ED25519, NAME, b"\1" + bytes(31)),
        _line(ED25519, NAME, b"\2" + bytes(31)),
        _line(ED25519, NAME, b"\xff" * 32),
        _line("ssh-rsa", NAME, b"\3" + bytes(31)),
    ],
)
def test_a_line_that_is_no_key_is_refused(line: str) -> None:
    """Cut, of another type than it says, no point of the curve."""
    with pytest.raises(InvalidKey):
        age.parse_recipient(line)


def test_a_number_too_long_leaves_nothing_in_the_heap() -> None:
    """A modulus that can be, and an exponent for which there is no room."""
    line = _line(
        "ssh-rsa", b"ssh-rsa", b"\x7f" * (1 << 20), b"\0" + b"\xff" * 256
    )
    recipient = age.parse_recipient(line)
    before = _native.stats()["heap_blocks"]
    for _ in range(3):
        with pytest.raises((InvalidKey, LimitError)):
            age.encrypt(MESSAGE, [recipient])
    assert _native.stats()["heap_blocks"] == before
