"""What is said of a key that cannot be read: the cause, and a remedy."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import (
    dsa,
    ec,
    ed448,
    ed25519,
    rsa,
)

from secretmem import Secret, age, keys
from secretmem.exceptions import InvalidKey


if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

pytestmark = pytest.mark.needs_secretmem

WORD = b"correct horse"
NO = forms.NoEncryption()
YES = forms.BestAvailableEncryption(WORD)
PEM, DER = forms.Encoding.PEM, forms.Encoding.DER
PKCS8, OLD = forms.PrivateFormat.PKCS8, forms.PrivateFormat.TraditionalOpenSSL
OPENSSH = forms.PrivateFormat.OpenSSH
ED = ed25519.Ed25519PrivateKey.generate()
CURVE = ec.generate_private_key(ec.SECP256R1())
LONG = rsa.generate_private_key(65537, 2048)

NEEDED = "is encrypted, and needs its passphrase"
WRONG = "the passphrase is wrong, or"
OTHER = "of a kind that is not used here"


def _error(encoded: bytes, passphrase: bytes | None = None) -> str:
    """Give what is said, by each way to load it."""
    said = set()
    with Secret.from_bytes(encoded) as key:
        word = None if passphrase is None else Secret.from_bytes(passphrase)
        for load in (
            keys.load_pem,
            keys.load_der,
            age.SSHIdentity.from_secret,
        ):
            with pytest.raises(InvalidKey) as caught:
                load(key, word)
            said.add(str(caught.value))
    (text,) = said
    return text


@pytest.mark.parametrize(
    "encoding, form, key",
    [
        (PEM, PKCS8, ED),
        (DER, PKCS8, ED),
        (PEM, PKCS8, LONG),
        (DER, PKCS8, LONG),
        (PEM, OLD, CURVE),
        (PEM, OLD, LONG),
        (PEM, OPENSSH, ED),
        (PEM, OPENSSH, LONG),
    ],
)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_encrypted_keys(
    encoding: forms.Encoding,
    form: forms.PrivateFormat,
    key: PrivateKeyTypes,
    ending: bytes,
) -> None:
    """Without a passphrase and with a wrong one."""
    encoded = key.private_bytes(encoding, form, YES)
    if encoding is PEM:
        encoded = encoded.replace(b"\n", ending)
    assert NEEDED in _error(encoded)
    assert WRONG in _error(encoded, b"incorrect")


def test_a_damaged_key_is_not_called_encrypted() -> None:
    """With a passphrase or without."""
    for encoding, form in ((PEM, PKCS8), (PEM, OLD), (DER, PKCS8)):
        whole = LONG.private_bytes(encoding, form, NO)
        damaged = whole[: len(whole) // 2]
        assert OTHER in _error(damaged)
        assert OTHER in _error(damaged, WORD)
    whole = ED.private_bytes(PEM, OPENSSH, NO)
    assert OTHER in _error(whole[:120])


@pytest.mark.parametrize(
    "key",
    [
        ed448.Ed448PrivateKey.generate(),
        dsa.generate_private_key(2048),
        ec.generate_private_key(ec.SECP256K1()),
    ],
    ids=lambda key: type(key).__name__,
)
def test_kinds_that_are_not_used(key: PrivateKeyTypes) -> None:
    """The text names those that are."""
    assert OTHER in _error(key.private_bytes(PEM, PKCS8, NO))
    assert OTHER in _error(key.private_bytes(DER, PKCS8, NO))


def test_public_keys() -> None:
    """As they lie beside the private ones."""
    public = ED.public_key()
    spki = public.public_bytes(PEM, forms.PublicFormat.SubjectPublicKeyInfo)
    line = public.public_bytes(
        forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH
    )
    for each in (spki, line):
        assert "is a public key or a certificate" in _error(each)


def test_keys_of_other_programs() -> None:
    """Age's and PuTTY's, and a JSON Web Key without a key."""
    with (
        age.Identity.generate() as identity,
        identity.text() as text,
        pytest.raises(InvalidKey, match="belongs to age"),
    ):
        keys.load_pem(text)
    assert "puttygen" in _error(b"PuTTY-User-Key-File-3: ssh-ed25519\n")
    assert OTHER in _error(b"")
    assert OTHER in _error(b"\x30")
    assert OTHER in _error(b'{"kty": "oct", "k": "AAAA"}')


def test_an_old_cipher_of_openssh(tmp_path: Path) -> None:
    """The text says how to write it anew."""
    path = tmp_path / "key"
    subprocess.run(
        [
            *("ssh-keygen", "-q", "-t", "ed25519", "-N", WORD, "-f", path),
            *("-Z", "3des-cbc"),
        ],
        check=True,
    )
    with pytest.raises(InvalidKey, match="ssh-keygen -p"):
        keys.load_file(path, Secret.from_bytes(WORD))


def test_a_key_that_asks_for_too_much_work() -> None:
    """It is refused before the work is begun: 2**31 rounds of PBKDF2."""
    rounds = b"\x02\x02" + (2047).to_bytes(2, "big")
    key = keys.Ed25519PrivateKey.generate()
    with Secret.from_bytes(WORD) as word:
        cheap = keys.PassphraseEncryption(word, kdf="pbkdf2", rounds=2047)
        before, behind = key.private_bytes(DER, PKCS8, cheap).split(rounds)
        front = bytearray(before)
        # The lengths of all that is around it, each in one byte.
        for at in (2, 4, 17, 19, 32):
            front[at] += 2
        dear = b"".join((front, b"\x02\x04\x7f\xff\xff\xff", behind))
        with (
            Secret.from_bytes(dear) as encoded,
            pytest.raises(InvalidKey, match="more than 10,000,000 rounds"),
        ):
            keys.load_der(encoded, word)
