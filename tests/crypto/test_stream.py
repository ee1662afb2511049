"""Streams: what is changed, moved, cut or added is an error."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secretmem import ClosedError, InvalidKey, KeyLimitError, Secret, posture
from secretmem.crypto import InvalidTag, _segments, stream
from support import scale


pytestmark = pytest.mark.needs_secretmem

SEGMENT = 128
# Bytes of data in the first segment and in the others.
FIRST, OTHERS = SEGMENT - 40 - 16, SEGMENT - 16
KEY = bytes(range(32))


@pytest.fixture(scope="module")
def key() -> Secret:
    """Give a key for all tests."""
    return Secret.from_bytes(KEY)


def _sealed(key: Secret, data: bytes, aad: bytes = b"") -> bytes:
    out = io.BytesIO()
    stream.encrypt(key, io.BytesIO(data), out, aad, segment_size=SEGMENT)
    return out.getvalue()


def _opened(key: Secret, sealed: bytes, aad: bytes = b"") -> bytes:
    out = io.BytesIO()
    stream.decrypt(key, io.BytesIO(sealed), out, aad, segment_size=SEGMENT)
    return out.getvalue()


def _cut(sealed: bytes) -> list[bytes]:
    """Cut a stream into its header with the first segment, and the rest."""
    return [sealed[i : i + SEGMENT] for i in range(0, len(sealed), SEGMENT)]


@settings(deadline=None, max_examples=60)
@given(data=st.binary(max_size=600), cuts=st.lists(st.integers(0, 99)))
def test_pieces_of_any_size(data: bytes, cuts: list[int]) -> None:
    """However data and stream are cut, the data comes back."""
    with Secret.from_bytes(KEY) as key:
        rest, made = data, []
        with stream.Encryptor(key, b"a", segment_size=SEGMENT) as encryptor:
            for cut in cuts:
                made.append(encryptor.update(rest[:cut]))
                rest = rest[cut:]
            made += [encryptor.update(rest), encryptor.finalize()]
        sealed, read = b"".join(made), []
        with stream.Decryptor(key, b"a", segment_size=SEGMENT) as decryptor:
            for cut in cuts:
                read.append(decryptor.update(sealed[:cut]))
                sealed = sealed[cut:]
            read += [decryptor.update(sealed), decryptor.finalize()]
        assert b"".join(read) == data


@pytest.mark.parametrize("size", [0, 1, FIRST, FIRST + 1, FIRST + 2 * OTHERS])
def test_every_cut_is_found(key: Secret, size: int) -> None:
    """At a border between segments too."""
    sealed = _sealed(key, bytes(size))
    assert _opened(key, sealed) == bytes(size)
    for end in range(len(sealed)):
        with pytest.raises(InvalidTag, match="the stream"):
            _opened(key, sealed[:end])


def test_every_changed_bit_is_found(key: Secret) -> None:
    """In the header, in each segment and in each tag."""
    sealed = _sealed(key, bytes(FIRST + OTHERS + 5))
    for at in range(len(sealed)):
        bent = bytearray(sealed)
        bent[at] ^= 1 << at % 8
        with pytest.raises(InvalidTag):
            _opened(key, bytes(bent))


def test_segments_keep_their_places(key: Secret) -> None:
    """Exchanged, repeated, left out, added, or of another stream."""
    data = bytes(FIRST + 3 * OTHERS)
    first, second, third, last = _cut(_sealed(key, data))
    other = _cut(_sealed(key, data))[1]
    for wrong in (
        [first, third, second, last],
        [first, second, second, third, last],
        [first, third, last],
        [first, second, last],
        [first, second, third, last, last],
        [first, second, third, last, b"\0"],
        [first, second, third, last, bytes(16)],
        [first, other, third, last],
        [second, third, last],
    ):
        with pytest.raises(InvalidTag):
            _opened(key, b"".join(wrong))


def test_another_key_or_other_associated_data(key: Secret) -> None:
    """Both are in the stream's own key."""
    sealed = _sealed(key, b"data", b"aad")
    assert _opened(key, sealed, b"aad") == b"data"
    with pytest.raises(InvalidTag, match="segment 0"):
        _opened(key, sealed, b"other")
    with pytest.raises(InvalidTag):
        _opened(Secret.random(32), sealed, b"aad")


def test_another_segment_size(key: Secret) -> None:
    """It is not in the stream, and a wrong one is an error."""
    sealed = _sealed(key, bytes(1000))
    for size in (SEGMENT - 1, SEGMENT + 1, 4096):
        with pytest.raises(InvalidTag):
            stream.decrypt(
                key, io.BytesIO(sealed), io.BytesIO(), segment_size=size
            )


def test_nothing_unauthenticated_is_written(key: Secret) -> None:
    """What is written before an error is the beginning of the data."""
    data = bytes(range(256)) * 3
    sealed = bytearray(_sealed(key, data))
    sealed[2 * SEGMENT + 7] ^= 1
    out = io.BytesIO()
    with pytest.raises(InvalidTag, match="segment 2"):
        stream.decrypt(key, io.BytesIO(sealed), out, segment_size=SEGMENT)
    # Read in pieces of a segment: two were written, the third is damaged.
    assert data.startswith(out.getvalue())
    assert len(out.getvalue()) < FIRST + 2 * OTHERS


def test_after_an_error_the_stream_has_ended(key: Secret) -> None:
    """As after its end and after close."""
    sealed = _sealed(key, bytes(300))
    broken = stream.Decryptor(key, segment_size=SEGMENT)
    with pytest.raises(InvalidTag):
        broken.update(bytes([sealed[0]]) + bytes(299))
    finished = stream.Encryptor(key)
    finished.finalize()
    closed = stream.Decryptor(key)
    closed.close()
    for ended in (broken, finished, closed):
        with pytest.raises(ValueError, match="has ended"):
            ended.update(b"")
        with pytest.raises(ValueError, match="has ended"):
            ended.finalize()


def test_streams_leave_no_key_behind(key: Secret) -> None:
    """The stream's own key is closed at its end, and on errors."""
    held = posture().live
    sealed = _sealed(key, bytes(300))
    _opened(key, sealed)
    with pytest.raises(InvalidTag):
        _opened(key, sealed[:-1])
    with pytest.raises(ValueError, match="max_size"):
        stream.decrypt_to_secret(
            key, io.BytesIO(sealed), segment_size=SEGMENT, max_size=299
        )
    assert posture().live == held


class _Slow(io.RawIOBase):
    """Takes and gives a few bytes at a time, as a socket may."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = bytearray(content)

    def write(self, data: object, /) -> int:
        """Take seven bytes."""
        part = bytes(memoryview(data)[:7])  # type: ignore[arg-type]  # a buffer
        self.content += part
        return len(part)

    def read(self, size: int = -1, /) -> bytes:
        """Give at most eleven bytes."""
        part = bytes(self.content[: min(size, 11)])
        del self.content[: len(part)]
        return part


class _Busy(io.RawIOBase):
    """Neither takes nor gives anything now."""

    def write(self, _data: object, /) -> None:
        """Take nothing."""

    def read(self, _size: int = -1, /) -> None:
        """Give nothing, which is not the end."""


@pytest.mark.parametrize("size", [0, 5, FIRST, FIRST + 3 * OTHERS + 1])
def test_files_that_do_a_part_only(key: Secret, size: int) -> None:
    """Everything is written, and only the end is the end."""
    data = bytes(range(256))[:size] + bytes(max(size - 256, 0))
    sealed, plain = _Slow(), _Slow()
    stream.encrypt(key, _Slow(data), sealed, segment_size=SEGMENT)
    assert _opened(key, bytes(sealed.content)) == data
    stream.decrypt(key, sealed, plain, segment_size=SEGMENT)
    assert bytes(plain.content) == data


def test_files_that_do_nothing_now(key: Secret) -> None:
    """No data now is not the end of the data."""
    source = io.BytesIO(_sealed(key, b"data"))
    for use in (
        lambda: stream.encrypt(key, _Busy(), io.BytesIO()),
        lambda: stream.encrypt(key, io.BytesIO(), _Busy()),
        lambda: stream.decrypt(key, _Busy(), io.BytesIO()),
        lambda: stream.decrypt(key, source, _Busy(), segment_size=SEGMENT),
        lambda: stream.decrypt_to_secret(key, _Busy()),
    ):
        with pytest.raises(BlockingIOError, match="use one that waits"):
            use()


def test_to_a_secret(key: Secret) -> None:
    """Of one segment and of several, and only if it is whole."""
    for size in (0, 5, FIRST, FIRST + 2 * OTHERS + 1):
        data = bytes(range(256))[:size] * 1
        sealed = _sealed(key, data, b"aad")
        made = stream.decrypt_to_secret(
            key,
            io.BytesIO(sealed),
            b"aad",
            segment_size=SEGMENT,
            max_size=size,
            name="message",
        )
        assert made.matches(data)
        assert made.name == "message"
        for wrong in (sealed[:-1], sealed[:-17], b"", sealed + bytes(7)):
            with pytest.raises((InvalidTag, ValueError)):
                stream.decrypt_to_secret(
                    key,
                    io.BytesIO(wrong),
                    b"aad",
                    segment_size=SEGMENT,
                    max_size=size,
                )


def test_bad_arguments(key: Secret) -> None:
    """Said before anything is read."""
    with pytest.raises(TypeError, match="is a Secret"):
        stream.Encryptor(bytes(32))  # type: ignore[arg-type]  # the mistake
    with pytest.raises(InvalidKey, match="32 bytes or more, not 16"):
        stream.Encryptor(Secret.random(16))
    for size in (56, 1 << 31):
        with pytest.raises(ValueError, match="57 bytes to 2 GiB"):
            stream.Decryptor(key, segment_size=size)
    closed = Secret.random(32)
    closed.close()
    with pytest.raises(ClosedError):
        stream.Encryptor(closed)


def test_a_stream_has_so_many_segments(
    key: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their number has four bytes; the next would repeat a nonce."""
    monkeypatch.setattr(_segments, "MAX_SEGMENTS", 2)
    made = stream.Encryptor(key, segment_size=SEGMENT)
    made.update(bytes(FIRST + OTHERS + 1))
    with pytest.raises(KeyLimitError, match="at most 2 segments"):
        made.finalize()


_LONG = """
import os, resource, threading
from secretmem import Secret
from secretmem.crypto import stream

class Source:
    def __init__(self, left):
        self.left = left
    def read(self, size):
        size = min(size, self.left)
        self.left -= size
        return bytes(size)

class Sink:
    size = 0
    def write(self, data):
        self.size += len(data)

key, sink = Secret.random(32), Sink()
read, write = os.pipe()
def seal():
    with open(write, "wb") as target:
        stream.encrypt(key, Source({size}), target, b"long")
# What the first use takes is not counted.
stream.encrypt(key, Source(1), Sink())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
thread = threading.Thread(target=seal)
thread.start()
with open(read, "rb") as source:
    stream.decrypt(key, source, sink, b"long")
thread.join()
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(sink.size, after - before)
"""


def test_constant_memory() -> None:
    """A long stream needs a few segments of memory, not its length."""
    size = scale.times(256, 32) << 20
    done = subprocess.run(
        [sys.executable, "-c", _LONG.format(size=size)],
        capture_output=True,
        text=True,
        check=True,
    )
    written, more = map(int, done.stdout.split())
    assert written == size
    assert more < 24 << 10, f"{more} KiB more"
