"""OpenSSH private key files as ssh-keygen and cryptography write them."""

from __future__ import annotations

import base64
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed25519,
    padding,
    rsa,
)

from secretmem import Secret, _native
from secretmem.exceptions import InvalidKey
from secretmem.keys import (
    Ed25519PrivateKey,
    EllipticCurvePrivateKey,
    RSAPrivateKey,
    load_file,
    load_pem,
)
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Pyca = (
        ed25519.Ed25519PrivateKey
        | ec.EllipticCurvePrivateKey
        | rsa.RSAPrivateKey
    )

pytestmark = pytest.mark.needs_secretmem

PASSPHRASE = b"correct horse"
KINDS: dict[str, tuple[tuple[str, ...], type]] = {
    "ed25519": (("-t", "ed25519"), Ed25519PrivateKey),
    "p256": (("-t", "ecdsa", "-b", "256"), EllipticCurvePrivateKey),
    "p384": (("-t", "ecdsa", "-b", "384"), EllipticCurvePrivateKey),
    "p521": (("-t", "ecdsa", "-b", "521"), EllipticCurvePrivateKey),
    "rsa": (("-t", "rsa", "-b", "2048"), RSAPrivateKey),
}
CIPHERS = (
    "aes128-cbc",
    "aes192-cbc",
    "aes256-cbc",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
)
SHA256 = hashes.SHA256()
MAKERS: dict[str, Callable[[], Pyca]] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}


def keygen(path: Path, *args: str, passphrase: bytes = b"") -> Path:
    """Let ssh-keygen write a key file."""
    command = ["ssh-keygen", "-q", "-a", "2", "-C", "a comment", *args]
    command += ["-N", passphrase.decode(), "-f", str(path)]
    subprocess.run(command, check=True, timeout=PATIENCE)
    return path


def public_of(path: Path) -> object:
    """Read the public key file beside a private one."""
    return forms.load_ssh_public_key(
        path.with_name(f"{path.name}.pub").read_bytes()
    )


def verify(key: object) -> None:
    """Let cryptography verify a signature of a loaded key."""
    if isinstance(key, Ed25519PrivateKey):
        key.public_key().verify(key.sign(b"m"), b"m")
    if isinstance(key, EllipticCurvePrivateKey):
        ecdsa = ec.ECDSA(SHA256)
        key.public_key().verify(key.sign(b"m", ecdsa), b"m", ecdsa)
    if isinstance(key, RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(SHA256), 32)
        key.public_key().verify(key.sign(b"m", pss, SHA256), b"m", pss, SHA256)


@pytest.fixture
def blocks() -> Iterator[None]:
    """Check that no block of the heap stays behind a test."""
    before = _native.stats()["heap_blocks"]
    yield
    assert _native.stats()["heap_blocks"] == before


@pytest.mark.needs_tool("ssh-keygen")
@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("passphrase", [b"", PASSPHRASE], ids=["", "bcrypt"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_ssh_keygen_writes_is_loaded(
    tmp_path: Path, kind: str, passphrase: bytes
) -> None:
    """Each kind, plain and encrypted; the key signs."""
    args, cls = KINDS[kind]
    path = keygen(tmp_path / "key", *args, passphrase=passphrase)
    given = Secret.from_bytes(passphrase) if passphrase else None
    with load_file(path, given) as key:
        assert isinstance(key, cls)
        assert key.public_key() == public_of(path)
        verify(key)


@pytest.mark.needs_tool("ssh-keygen")
@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("cipher", CIPHERS)
def test_each_cipher_is_read(tmp_path: Path, cipher: str) -> None:
    """All that OpenSSH offers but 3DES; a wrong passphrase is refused."""
    path = keygen(
        tmp_path / "key",
        *("-t", "ed25519", "-Z", cipher),
        passphrase=PASSPHRASE,
    )
    with load_file(path, Secret.from_bytes(PASSPHRASE)) as key:
        assert key.public_key() == public_of(path)
    for wrong in (None, Secret.from_bytes(b"wrong")):
        with pytest.raises(InvalidKey):
            load_file(path, wrong)


def openssh(key: Pyca) -> bytes:
    """Let cryptography write a key in this format."""
    return key.private_bytes(
        forms.Encoding.PEM, forms.PrivateFormat.OpenSSH, forms.NoEncryption()
    )


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("size", [1, 30, 31, 32])
def test_short_numbers_of_curves(size: int) -> None:
    """One P-256 key in 256 has a number of less than 32 bytes."""
    number = (1 << (8 * size - 1)) + 5 if size < 32 else 1 << 254
    theirs = ec.derive_private_key(number, ec.SECP256R1())
    with load_pem(Secret.from_bytes(openssh(theirs))) as key:
        assert key.public_key() == theirs.public_key()


def body_of(text: bytes) -> bytes:
    """Decode the base64 of a file."""
    return base64.b64decode(b"".join(text.splitlines()[1:-1]))


def text_of(body: bytes) -> bytes:
    """Write a file around its bytes."""
    lines = base64.encodebytes(body).replace(b"\n", b"")
    cut = [lines[i : i + 70] for i in range(0, len(lines), 70)]
    begin, end = (
        b"-----%s OPENSSH PRIVATE KEY-----" % word
        for word in (b"BEGIN", b"END")
    )
    return b"\n".join([begin, *cut, end, b""])


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("kind", MAKERS)
def test_each_damaged_byte_is_refused_or_does_not_count(kind: str) -> None:
    """
    Flip a bit of each byte.

    The public key in front is not part of the private one, and the comment
    is no part of the key: what is loaded in spite of the damage is the key.
    """
    theirs = MAKERS[kind]()
    body = body_of(openssh(theirs))
    assert body_of(text_of(body)) == body
    refused = 0
    for at in range(0, len(body), 1 + len(body) // 300):
        damaged = bytearray(body)
        damaged[at] ^= 1
        try:
            with load_pem(Secret.from_bytes(text_of(bytes(damaged)))) as key:
                assert key.public_key() == theirs.public_key()
        except InvalidKey:
            refused += 1
    assert refused > 50


@pytest.mark.needs_tool("ssh-keygen")
@pytest.mark.usefixtures("blocks")
def test_more_rounds_than_allowed_are_refused_at_once(tmp_path: Path) -> None:
    """The file says how many: a hostile one could say four billion."""
    path = keygen(tmp_path / "key", "-t", "ed25519", passphrase=PASSPHRASE)
    given = Secret.from_bytes(PASSPHRASE)
    body = body_of(path.read_bytes())
    # Behind the salt of 16 bytes.
    at = body.index(b"bcrypt") + len(b"bcrypt") + 4 + 4 + 16
    assert body[at : at + 4] == b"\0\0\0\2"
    for rounds in (4097, (1 << 32) - 1):
        hostile = body[:at] + rounds.to_bytes(4, "big") + body[at + 4 :]
        start = time.thread_time()
        with pytest.raises(InvalidKey):
            load_pem(Secret.from_bytes(text_of(hostile)), given)
        # So many rounds take this processor half a minute, or for ever.
        assert time.thread_time() - start < 5


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("size", [0, 40, 47_000, 49_000, 700_000])
def test_large_files_are_an_error(size: int) -> None:
    """Below and above the largest that is read: no end of the process."""
    body = b"openssh-key-v1\0" + b"\0\0\0\4none" * 2 + bytes(4)
    body += b"\0\0\0\1" + bytes(4) + size.to_bytes(4, "big") + bytes(size)
    with pytest.raises(InvalidKey):
        load_pem(Secret.from_bytes(text_of(body)))
