"""Every parser of bytes that come from elsewhere, and bytes that it reads."""

from __future__ import annotations

import functools
import io
import json
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from secretmem import SealedStore, Secret, _native, age, fernet, keys
from secretmem._keyring import KeyRing
from secretmem._sealed import _file
from secretmem.agent import constraints, wire
from vectors import cases


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cryptography.hazmat.primitives.serialization import (
        KeySerializationEncryption,
    )


class Parser(NamedTuple):
    """A reader of bytes, and seeds: some that it accepts, some not."""

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


_PASSPHRASE = b"a passphrase of the tests"


def _forms(*encryption: KeySerializationEncryption) -> tuple[bytes, ...]:
    """Write one key of each kind in each form."""
    made = (
        ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))),
        ec.derive_private_key(0x1234567, ec.SECP256R1()),
        ec.derive_private_key(0x7654321, ec.SECP521R1()),
        rsa.generate_private_key(65537, 2048),
    )
    forms = []
    for key in made:
        for encoding in (Encoding.PEM, Encoding.DER):
            for form in PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL:
                for cover in encryption:
                    try:
                        text = key.private_bytes(encoding, form, cover)
                    except (TypeError, ValueError):
                        continue  # no such form
                    forms.append(text)
        forms.extend(
            key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, cover)
            for cover in encryption
            if isinstance(cover, NoEncryption)
        )
    return tuple(forms)


def _published() -> tuple[bytes, ...]:
    """Give the files of keys that the test vectors have."""
    rows = cases.load("keys")
    return tuple(
        row["text"].encode() if "text" in row else bytes.fromhex(row["hex"])
        for row in rows
    )


def _load(data: bytes) -> object:
    with Secret.from_bytes(data) as text:
        return keys.load_pem(text)


def _load_encrypted(data: bytes) -> object:
    with (
        Secret.from_bytes(data) as text,
        Secret.from_bytes(_PASSPHRASE) as passphrase,
    ):
        return keys.load_pem(text, passphrase)


def _jwk(data: bytes) -> object:
    with Secret.from_bytes(data) as text:
        return keys.load_jwk(text)


def _json(data: bytes) -> object:
    with Secret.from_bytes(data) as text:
        return text.json_field("a", 1, "b")


def _dotenv(data: bytes) -> object:
    with Secret.from_bytes(data) as text:
        return text.dotenv_field("KEY")


def _add_message(data: bytes) -> object:
    with Secret.from_bytes(data) as message:
        _, *rest = _native.ssh_add_message(message)
    return constraints.read(rest[-1])


def _identities(data: bytes) -> object:
    with Secret.from_bytes(data) as text:
        return age.load_identities(text)


def _recipient(data: bytes) -> object:
    return age.parse_recipient(data.decode("latin-1"))


def _texts() -> dict[str, Parser]:
    key = b"-----BEGIN X-----\nAAECAwQ=\n-----END X-----\n"
    document = {"a": [0, {"b": "value\u00e9\n", "c": [None, True, 1.5e3]}]}
    text = json.dumps(document).encode()
    lines = b"# comment\nexport KEY='a b' # c\nOTHER=\"x\\ny\"\nKEY=z\n"
    return {
        "base64": Parser(Secret.from_base64, (b"AAECAwQF", b"-_-_AA==")),
        "base32": Parser(Secret.from_base32, (b"MFRGGZDF", b"mfrg gzdf==")),
        "hex": Parser(Secret.from_hex, (b"00ff7F80", b"00:ff")),
        "pem": Parser(Secret.from_pem, (key, key * 2)),
        "json": Parser(_json, (text, b'{"a":[1,{"b":"\\ud83d\\ude00"}]}')),
        "dotenv": Parser(_dotenv, (lines, lines.replace(b"'", b'"'))),
    }


def _keys() -> dict[str, Parser]:
    numbers = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    public = numbers.public_key().public_bytes_raw()
    message = b"".join(
        wire.string(part)
        for part in (b"ssh-ed25519", public, bytes(32) + public, b"comment")
    )
    covered = BestAvailableEncryption(_PASSPHRASE)
    return {
        "key": Parser(_load, _forms(NoEncryption()) + _published()),
        "encrypted_key": Parser(_load_encrypted, _forms(covered)),
        "jwk": Parser(_jwk, tuple(_web_keys())),
        "agent": Parser(_add_message, (message, message + b"\1\0\0\0\1\2")),
    }


def _web_keys() -> Iterator[bytes]:
    """Write one key of each type as JSON."""
    from jwt import algorithms

    okp, curve = algorithms.OKPAlgorithm, algorithms.ECAlgorithm
    yield okp.to_jwk(
        ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    ).encode()
    for number, kind in enumerate((ec.SECP256R1(), ec.SECP521R1()), 2):
        yield curve.to_jwk(ec.derive_private_key(number, kind)).encode()
    rsa_key = rsa.generate_private_key(65537, 2048)
    yield algorithms.RSAAlgorithm.to_jwk(rsa_key).encode()


def _tokens() -> dict[str, Parser]:
    tokens = fernet.Fernet(Secret.from_base64(b"A" * 43 + b"="))
    ring = KeyRing([Secret.from_bytes(bytes(32))])
    identity = age.Identity.generate()
    sealed = tuple(
        age.encrypt(b"message" * 9, [identity.recipient], armor=armor)
        for armor in (False, True)
    )
    text = b"# created\nAGE-SECRET-KEY-1" + b"Q" * 58 + b"\n"
    recipient = str(identity.recipient).encode()
    store, unlock = _store()
    return {
        "sealed": Parser(unlock, (store,)),
        "fernet": Parser(tokens.decrypt, (tokens.encrypt(b"message"),)),
        "keyring": Parser(ring.decrypt, (ring.encrypt(b"message"),)),
        "age": Parser(lambda data: age.decrypt(data, [identity]), sealed),
        "age_identities": Parser(_identities, (text, *_forms(NoEncryption()))),
        "age_recipient": Parser(_recipient, (recipient, b"ssh-ed25519 AAAA")),
    }


def _store() -> tuple[bytes, Callable[[bytes], object]]:
    """Make a file of a store, and what reads it."""
    key = SealedStore.generate_key()
    with SealedStore(key) as store:
        store["name"] = key
        store.put("\u00e9", key, ttl=1e6, once=True)
        sealer, records = store._table.copy()
        file = io.BytesIO()
        _file.write(file, _file.Content(sealer, 1, records))
    unlock = _file.Unlock.of(key, ())
    return file.getvalue(), lambda data: _file.read(io.BytesIO(data), unlock)


@functools.cache
def parsers() -> dict[str, Parser]:
    """Give all of them by name."""
    return _texts() | _keys() | _tokens()


NAMES = (
    *("base64", "base32", "hex", "pem", "json", "dotenv"),
    *("key", "encrypted_key", "jwk", "agent"),
    *("sealed", "fernet", "keyring", "age", "age_identities", "age_recipient"),
)
