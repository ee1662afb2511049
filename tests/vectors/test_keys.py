"""Files with private keys: what is read, what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed25519,
    padding,
    rsa,
)

from secretmem import Secret
from secretmem.exceptions import InvalidKey
from secretmem.keys import load_der, load_file, load_pem
from vectors.cases import HASHES, Row, judge, load


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs_secretmem

_SHA256 = HASHES["sha256"]


def _content(row: Row) -> bytes:
    text = row.get("text")
    return text.encode() if text else bytes.fromhex(row["hex"])


def _passphrase(row: Row) -> bytes | None:
    return row["passphrase"].encode() if row["passphrase"] else None


def _theirs(row: Row) -> bytes:
    """Give the public key as another library reads it."""
    read = (
        forms.load_pem_private_key
        if "text" in row
        else forms.load_der_private_key
    )
    return _public(read(_content(row), _passphrase(row)).public_key())


def _public(key: object) -> bytes:
    assert isinstance(
        key,
        (
            rsa.RSAPublicKey,
            ec.EllipticCurvePublicKey,
            ed25519.Ed25519PublicKey,
        ),
    )
    return key.public_bytes(
        forms.Encoding.DER, forms.PublicFormat.SubjectPublicKeyInfo
    )


def _sign_and_verify(key: object) -> None:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        key.public_key().verify(key.sign(b"message"), b"message")
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        algorithm = ec.ECDSA(_SHA256)
        signature = key.sign(b"message", algorithm)
        key.public_key().verify(signature, b"message", algorithm)
    else:
        assert isinstance(key, rsa.RSAPrivateKey)
        pad = padding.PKCS1v15()
        signature = key.sign(b"message", pad, _SHA256)
        key.public_key().verify(signature, b"message", pad, _SHA256)


def _answer(row: Row) -> bool:
    passphrase = _passphrase(row)
    secret = None if passphrase is None else Secret.from_bytes(passphrase)
    read = load_pem if "text" in row else load_der
    with read(Secret.from_bytes(_content(row)), secret) as key:
        _sign_and_verify(key)
        if row["result"] != "valid":
            return True
        return _public(key.public_key()) == _theirs(row)


def test_files_are_read_or_refused() -> None:
    """As another library reads them, which verifies a signature too."""
    expected = {"valid": 23, "acceptable": 3, "invalid": 19}
    judge(load("keys"), _answer, InvalidKey, expected)


def test_an_encrypted_file_needs_its_passphrase(tmp_path: Path) -> None:
    """None and a wrong one are refused, by all ways to load."""
    rows = [
        row
        for row in load("keys")
        if row["passphrase"] and row["result"] == "valid"
    ]
    assert len(rows) == 10
    for row in rows:
        path = tmp_path / "key"
        path.write_bytes(_content(row))
        for wrong in (None, b"wrong", _content(row)[:2000]):
            secret = None if wrong is None else Secret.from_bytes(wrong)
            with pytest.raises(InvalidKey):
                load_file(path, secret)
        right = Secret.from_bytes(row["passphrase"].encode())
        load_file(path, right).close()
