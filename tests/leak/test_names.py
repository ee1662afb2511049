"""Every public name has a residue test."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

import secretmem
from leak import catalogue
from secretmem import (
    SealedSecret,
    SealedStore,
    Secret,
    SecretArea,
    age,
    crypto,
    fernet,
    handover,
    hazmat,
    keys,
    redact,
    sources,
)
from secretmem.crypto import Hmac, aead, stream, twofactor
from secretmem.fernet import Fernet, MultiFernet


if TYPE_CHECKING:
    from collections.abc import Iterator


PROGRAMS = catalogue.residue_tests() | catalogue.key_tests()

CIPHERS = (
    aead.AESGCM,
    aead.AESGCMSIV,
    aead.ChaCha20Poly1305,
    aead.XChaCha20Poly1305,
)
KEYS = (
    keys.Ed25519PrivateKey,
    keys.EllipticCurvePrivateKey,
    keys.MLDSA65PrivateKey,
    keys.MLKEM768PrivateKey,
    keys.RSAPrivateKey,
    keys.X25519PrivateKey,
)

# These share all methods with one of the above.
SIZES = (
    keys.MLDSA44PrivateKey,
    keys.MLDSA87PrivateKey,
    keys.MLKEM512PrivateKey,
    keys.MLKEM1024PrivateKey,
)

AGE = (
    age.Identity,
    age.Passphrase,
    age.Recipient,
    age.SSHIdentity,
    age.SSHRecipient,
    age.Stanza,
)

# What every class has by its definition.
_NO_OPERATION = {"__doc__", "__module__", "__slots__"}


def _members(cls: type) -> Iterator[str]:
    """Name what a class and its bases define, without private helpers."""
    for each in cls.__mro__[:-1]:
        for name in vars(each):
            special = name.startswith("__") and name.endswith("__")
            if name not in _NO_OPERATION and (special or name[0] != "_"):
                yield f"{cls.__name__}.{name}"


def _own(cls: type) -> Iterator[str]:
    """Name what classes of this package define, but for special names."""
    for each in cls.__mro__:
        if each.__module__.startswith("secretmem."):
            for name in vars(each):
                if name[0] != "_":
                    yield f"{cls.__name__}.{name}"


def _public() -> set[str]:
    return {
        *(f"secretmem.{name}" for name in secretmem.__all__),
        *(f"hazmat.{name}" for name in hazmat.__all__),
        *_members(Secret),
        *_members(SecretArea),
        *(f"crypto.{name}" for name in crypto.__all__),
        *(f"keys.{name}" for name in keys.__all__),
        *(f"fernet.{name}" for name in fernet.__all__),
        *(f"twofactor.{name}" for name in twofactor.__all__),
        *(f"stream.{name}" for name in stream.__all__),
        *(
            name
            for cls in (
                stream.Encryptor,
                stream.Decryptor,
                twofactor.HOTP,
                twofactor.TOTP,
                keys.PassphraseEncryption,
            )
            for name in _own(cls)
        ),
        *(f"handover.{name}" for name in handover.__all__),
        *(f"sources.{name}" for name in sources.__all__),
        *(f"redact.{name}" for name in redact.__all__),
        *(name for name in _own(redact.Redactor)),
        *(f"age.{name}" for name in age.__all__),
        *(name for cls in AGE for name in _own(cls)),
        *(name for cls in (SealedSecret, SealedStore) for name in _own(cls)),
        *(f"aead.{cls.__name__}" for cls in CIPHERS),
        # The ciphers share their methods.
        *(name for cls in (Hmac, aead.AESGCM) for name in _own(cls)),
        *(name for cls in (Fernet, MultiFernet) for name in _own(cls)),
        *(name for cls in KEYS for name in _own(cls)),
    }


def test_every_public_name_has_a_residue_test() -> None:
    """Each name of the API is covered, and each covered name exists."""
    covered = {name for each in PROGRAMS.values() for name in each.covers}
    assert _public() - covered == set(), "these have no residue test"
    assert covered - _public() == set(), "these do not exist"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_uses_what_it_covers(name: str) -> None:
    """A name without underscores stands in the program's own text."""
    text = inspect.getsource(inspect.unwrap(PROGRAMS[name].run))
    body = text[text.index("def ") :]
    for each in PROGRAMS[name].covers:
        last = each.rpartition(".")[2]
        assert last.startswith("__") or last in body, f"{each} is not used"


def test_every_class_is_listed() -> None:
    """No cipher and no private key was forgotten above."""
    ciphers = {
        cls for cls in vars(aead).values() if _is_a(cls, aead.AESGCM.__base__)
    }
    assert ciphers == set(CIPHERS)
    classes = (vars(keys)[name] for name in keys.__all__)
    made = {each for each in classes if isinstance(each, type)}
    assert made - {keys.PassphraseEncryption} == {*KEYS, *SIZES}
    for cls in SIZES:
        family = cls.__mro__[1]
        assert any(_is_a(key, family) for key in KEYS)
        assert {name for name in vars(cls) if name[0] != "_"} == set()


def _is_a(cls: object, base: type | None) -> bool:
    assert base is not None
    return isinstance(cls, type) and issubclass(cls, base) and cls is not base


def test_every_program_is_run() -> None:
    """No file with programs is left without a test."""
    used = {each.module.rpartition(".")[2] for each in PROGRAMS.values()}
    assert set(catalogue.files()) == used | {"planted", "sampled", "stepped"}
