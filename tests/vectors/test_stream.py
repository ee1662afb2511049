"""Streams of Tink's are read, and ours are the same."""

from __future__ import annotations

import io
import os

import pytest

from secretmem import Secret
from secretmem.crypto import InvalidTag, stream
from vectors.cases import Row, data, judge, load
from vectors.tink_streams import message


pytestmark = pytest.mark.needs_secretmem

NAME = "aes_gcm_hkdf_stream"


def test_decrypts() -> None:
    """In one piece, byte by byte, and to a Secret."""

    def answer(row: Row) -> bool:
        key, aad, sealed = data(row, "key", "aad", "stream")
        secret, right = Secret.from_bytes(key), message(row["size"])
        size = row["segment"]
        single = stream.Decryptor(secret, aad, segment_size=size)
        pieces = [single.update(sealed[i : i + 1]) for i in range(len(sealed))]
        assert b"".join([*pieces, single.finalize()]) == right
        made = stream.decrypt_to_secret(
            secret, io.BytesIO(sealed), aad, segment_size=size
        )
        assert made.matches(right)
        out = io.BytesIO()
        stream.decrypt(secret, io.BytesIO(sealed), out, aad, segment_size=size)
        return out.getvalue() == right

    judge(load(NAME), answer, InvalidTag, {"valid": 20})


def test_encrypts(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same salt and nonce prefix, the stream is the same."""

    def answer(row: Row) -> bool:
        key, aad, sealed = data(row, "key", "aad", "stream")
        monkeypatch.setattr(os, "urandom", lambda n: sealed[1 : 1 + n])
        out = io.BytesIO()
        source = io.BytesIO(message(row["size"]))
        size = row["segment"]
        secret = Secret.from_bytes(key)
        stream.encrypt(secret, source, out, aad, segment_size=size)
        return out.getvalue() == sealed

    judge(load(NAME), answer, InvalidTag, {"valid": 20})
