"""itsdangerous with Secrets: its tokens, for the same key."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import itsdangerous as theirs
import pytest

from secretmem import ClosedError, Secret, posture
from secretmem.contrib import itsdangerous as ours


pytestmark = pytest.mark.needs_secretmem

KEY = b"the key of the application"
HASHES = (None, hashlib.sha1, hashlib.sha256, hashlib.sha384, hashlib.sha512)
DERIVATIONS = ("django-concat", "concat", "hmac", "none")


@pytest.mark.parametrize("derivation", DERIVATIONS)
@pytest.mark.parametrize("hashed", HASHES)
def test_signatures_are_interchangeable(
    derivation: str, hashed: object
) -> None:
    """For each derivation and hash, with nothing exported."""
    options: Any = {
        "salt": b"cookies",
        "key_derivation": derivation,
        "digest_method": hashed,
    }
    mine = ours.Signer(Secret.from_bytes(KEY), **options)
    other = theirs.Signer(KEY, **options)
    before = posture().exports
    assert mine.sign(b"value") == other.sign(b"value")
    assert mine.unsign(other.sign("value")) == b"value"
    assert posture().exports == before
    for damaged in (b"value.", b"valve." + mine.get_signature("value")):
        with pytest.raises(theirs.BadSignature):
            mine.unsign(damaged)


def test_keys_rotate() -> None:
    """The newest, last key signs; all verify."""
    old, new = Secret.random(32), Secret.random(32)
    both = ours.Signer([old, new])
    assert both.sign("a") == ours.Signer(new).sign("a")
    assert both.unsign(ours.Signer(old).sign("a")) == b"a"
    assert not ours.Signer(new).validate(ours.Signer(old).sign("a"))


def test_timestamps_expire() -> None:
    """As in itsdangerous."""
    mine = ours.TimestampSigner(Secret.from_bytes(KEY))
    other = theirs.TimestampSigner(KEY)
    assert mine.unsign(other.sign("a"), max_age=3600) == b"a"
    assert other.unsign(mine.sign("a"), max_age=3600) == b"a"
    with pytest.raises(theirs.SignatureExpired):
        mine.unsign(other.sign("a"), max_age=-1)


@pytest.mark.parametrize(
    "name",
    [
        "Serializer",
        "TimedSerializer",
        "URLSafeSerializer",
        "URLSafeTimedSerializer",
    ],
)
def test_serializers_are_interchangeable(name: str) -> None:
    """With one key, with two, and as Flask makes them for its session."""
    flask: Any = {
        "salt": "cookie-session",
        "serializer": json,
        "signer_kwargs": {
            "key_derivation": "hmac",
            "digest_method": hashlib.sha1,
        },
    }
    options: dict[str, Any]
    for options in ({}, flask):
        mine = getattr(ours, name)(Secret.from_bytes(KEY), **options)
        other = getattr(theirs, name)(KEY, **options)
        assert mine.loads(other.dumps({"a": [1]})) == {"a": [1]}
        assert other.loads(mine.dumps({"a": [1]})) == {"a": [1]}
        newer = getattr(ours, name)(
            [Secret.from_bytes(KEY), Secret.random(32)], **options
        )
        assert newer.loads(mine.dumps(1)) == 1
        with pytest.raises(theirs.BadSignature):
            other.loads(newer.dumps(1))


def test_fallback_signers_are_tried() -> None:
    """Another hash, in the middle of a change."""
    old = theirs.URLSafeSerializer(
        KEY, signer_kwargs={"digest_method": hashlib.sha1}
    )
    mine = ours.URLSafeSerializer(
        Secret.from_bytes(KEY),
        signer_kwargs={"digest_method": hashlib.sha512},
        fallback_signers=[{"digest_method": hashlib.sha1}],
    )
    assert mine.loads(old.dumps(1)) == 1


def test_keys_in_ordinary_memory_are_refused() -> None:
    """Text, bytes, a mixed list, nothing, and a hash that we lack."""
    wrong: Any
    for wrong in (KEY, "text", [Secret.random(9), KEY], 3):
        for kind in (ours.Signer, ours.URLSafeTimedSerializer):
            with pytest.raises(TypeError):
                kind(wrong)
    with pytest.raises(ValueError, match="empty"):
        ours.Signer(Secret.from_bytes(b""))
    signer = ours.Signer(Secret.random(9), digest_method=hashlib.md5)
    with pytest.raises(ValueError, match="not md5"):
        signer.sign("a")
    with pytest.raises(TypeError, match="derivation"):
        ours.Signer(Secret.random(9), key_derivation="other").sign("a")


def test_a_closed_key_is_refused() -> None:
    """Signers keep no copy of it."""
    key = Secret.random(32)
    signer = ours.Signer(key)
    signer.sign("a")
    key.close()
    with pytest.raises(ClosedError):
        signer.sign("a")
