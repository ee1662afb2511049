"""`Secret.random` and `Secret.from_bytes`: sizes, names, sources, wiping."""

from __future__ import annotations

import array
import ctypes
import gc
import mmap
from typing import Any

import pytest

import secretmem
from secretmem import Secret, hazmat


pytestmark = pytest.mark.needs_secretmem

# Around the payload of every slot size, of a page and of what gets a mapping
# of its own; 8 bytes of a slot are its canary.
SIZES = (
    *(0, 1, 7, 8, 23, 24, 25, 31, 32, 33, 40, 41, 56, 57, 88, 89, 120, 121),
    *(184, 185, 248, 249, 376, 377, 504, 505, 760, 761, 1016, 1017, 1336),
    *(1337, 2040, 2041, 4080, 4087, 4088, 4089, 4095, 4096, 4097, 8184, 8185),
    *(16376, 16377, 65536, (1 << 20) - 8, 1 << 20, (1 << 20) + 1),
)


def pattern(size: int) -> bytes:
    """Make bytes in which every place is told from its neighbours."""
    return (bytes(range(1, 252)) * (size // 251 + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("inherit", [False, True])
def test_every_size_holds_its_bytes(
    size: int,
    isolated: bool,  # noqa: FBT001 - pytest passes it by name
    inherit: bool,  # noqa: FBT001 - as above
) -> None:
    """What went in comes out, and the length is known."""
    data = pattern(size)
    with Secret.from_bytes(
        data, isolated=isolated, inherit=inherit, flush=True
    ) as secret:
        assert len(secret) == size
        assert bool(secret) == (size > 0)
        assert hazmat.export_bytes(secret) == data
        assert secret.matches(data)


@pytest.mark.parametrize("size", SIZES)
def test_random_is_random(size: int) -> None:
    """Two draws differ, and a long one has every byte value."""
    with Secret.random(size) as one, Secret.random(size) as two:
        assert len(one) == len(two) == size
        first = hazmat.export_bytes(one)
        second = hazmat.export_bytes(two)
    if size >= 16:
        assert first != second
        assert first.count(0) < size
    if size >= 1 << 16:
        assert len(set(first)) == 256
        # The end is as random as the start: no part was left out.
        assert len(set(first[-4096:])) > 200


@pytest.mark.parametrize("size", [-1, -(1 << 63), -(1 << 100)])
def test_a_negative_size_is_a_value_error(size: int) -> None:
    """A wrong length is ValueError, whichever integer it does not fit."""
    with pytest.raises(ValueError, match="size"):
        Secret.random(size)


@pytest.mark.parametrize(
    "size", [1 << 40, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 9, 1 << 100]
)
def test_an_absurd_size_is_refused(size: int) -> None:
    """No memory is tried for, no arithmetic overflows."""
    before = secretmem.posture()
    with pytest.raises((ValueError, MemoryError)):
        Secret.random(size)
    assert secretmem.posture().area_bytes == before.area_bytes


@pytest.mark.parametrize("size", [1.0, "1", None, b"\x01", [1]])
def test_a_size_is_an_integer(size: object) -> None:
    """Anything else is a TypeError."""
    wrong: Any = size
    with pytest.raises(TypeError):
        Secret.random(wrong)


def test_a_size_may_be_any_index() -> None:
    """As for ``bytes(n)``: whatever has ``__index__``."""

    class Eight:
        def __index__(self) -> int:
            return 8

    size: Any = Eight()
    assert len(Secret.random(size)) == 8


SOURCES = {
    "bytes": b"\0\xffabc",
    "bytearray": bytearray(b"\0\xffabc"),
    "memoryview": memoryview(b"..\0\xffabc..")[2:7],
    "array of bytes": array.array("B", b"\0\xffabc"),
    "array of signed bytes": array.array("b", [0, -1, 97, 98, 99]),
    "array of numbers": array.array("H", [1, 2, 65535]),
    "ctypes bytes": (ctypes.c_ubyte * 3)(1, 2, 3),
    "ctypes characters": (ctypes.c_char * 3)(b"a", b"\0", b"c"),
    "ctypes numbers": (ctypes.c_uint64 * 2)(1, 1 << 63),
    "two dimensions": memoryview(bytearray(b"abcdef")).cast("B", (2, 3)),
    "characters": memoryview(b"abc").cast("c"),
    "numbers": memoryview(b"abcdefgh").cast("I"),
    "floats": memoryview(b"abcdefgh").cast("d"),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_bytes_like_object_is_a_source(kind: str) -> None:
    """Whatever ``bytes()`` takes as a buffer."""
    source: Any = SOURCES[kind]
    with Secret.from_bytes(source) as secret:
        assert hazmat.export_bytes(secret) == bytes(memoryview(source))


def test_a_mapping_is_a_source() -> None:
    """Key files are often mapped."""
    with mmap.mmap(-1, 4096) as mapped:
        mapped[:3] = b"key"
        with Secret.from_bytes(mapped) as secret:
            assert hazmat.export_bytes(secret)[:4] == b"key\0"


@pytest.mark.parametrize("source", ["text", 5, None, [1, 2], object()])
def test_other_objects_are_no_source(source: object) -> None:
    """Also not a str: its bytes depend on an encoding."""
    wrong: Any = source
    with pytest.raises(TypeError, match="bytes-like object is required"):
        Secret.from_bytes(wrong)


def test_scattered_bytes_are_no_source() -> None:
    """A stepped view is refused as Python refuses it."""
    with pytest.raises((TypeError, BufferError), match="contiguous"):
        Secret.from_bytes(memoryview(b"abcdef")[::2])


def test_a_released_view_is_no_source() -> None:
    """The error says what is wrong with it: it is released."""
    view = memoryview(b"abc")
    view.release()
    with pytest.raises(ValueError, match="released"):
        Secret.from_bytes(view)


@pytest.mark.parametrize("size", [0, 1, 31, 32, 4096, 70000])
@pytest.mark.parametrize("kind", ["bytearray", "memoryview", "ctypes"])
def test_wipe_zeroes_the_source(kind: str, size: int) -> None:
    """All of it, and nothing beside it."""
    whole = bytearray(b"<" + pattern(size) + b">")
    source: Any = whole
    if kind == "memoryview":
        source = memoryview(whole)[1 : size + 1]
    elif kind == "ctypes":
        source = (ctypes.c_char * size).from_buffer(whole, 1)
    expected = bytes(source)
    with Secret.from_bytes(source, wipe=True) as secret:
        assert hazmat.export_bytes(secret) == expected
    if kind == "bytearray":
        assert whole == bytes(size + 2)
    else:
        assert whole == b"<" + bytes(size) + b">"
    del source
    gc.collect()
    whole.append(0)  # no buffer of it is left


@pytest.mark.parametrize("source", [b"abc", memoryview(b"abc"), b""])
def test_what_cannot_be_wiped_is_refused(source: bytes) -> None:
    """Bytes stay as they are, and the error says which type to use."""
    with pytest.raises(TypeError, match="bytearray"):
        Secret.from_bytes(source, wipe=True)
    if source:
        assert bytes(source) == b"abc"


def test_a_failed_constructor_wipes_nothing() -> None:
    """The only copy is not lost."""
    source = bytearray(b"the only copy")
    wrong: Any = 5
    with pytest.raises(TypeError):
        Secret.from_bytes(source, wipe=True, name=wrong)
    assert source == b"the only copy"


def test_without_wipe_the_source_stays() -> None:
    """Wiping is asked for."""
    source = bytearray(b"stays")
    Secret.from_bytes(source).close()
    assert source == b"stays"
    source.append(0)  # it is not held either


@pytest.mark.parametrize(
    "name", ["", "session", "Schlüssel", "a'b\"c", "\ud800", "x" * 5000, "\n"]
)
def test_a_name_is_any_text(name: str) -> None:
    """It is public, and kept as it is."""
    with Secret.random(4, name=name) as secret:
        assert secret.name == name
        assert repr(secret) == f"<Secret {name!r} memfd_secret>"
    assert repr(secret) == f"<Secret {name!r} closed>"


@pytest.mark.parametrize("name", [b"x", 5, object()])
def test_a_name_is_text(name: object) -> None:
    """Nothing else is printed in logs."""
    wrong: Any = name
    with pytest.raises(TypeError):
        Secret.random(4, name=wrong)
    with pytest.raises(TypeError):
        Secret.from_bytes(b"x", name=wrong)


def test_without_a_name_there_is_none() -> None:
    """The name is optional."""
    with Secret.random(4) as secret:
        assert secret.name is None
        assert repr(secret) == "<Secret memfd_secret>"


def test_a_name_cannot_be_changed() -> None:
    """Nor can anything else be set."""
    with Secret.random(4, name="a") as secret:
        changed: Any = secret
        for attribute in ("name", "closed", "inherit", "other"):
            with pytest.raises(AttributeError):
                setattr(changed, attribute, "b")


@pytest.mark.parametrize(
    "make",
    [
        lambda **options: Secret.random(1, **options),
        lambda **options: Secret.from_bytes(b"x", **options),
        lambda **options: Secret.from_base64(b"eA==", **options),
        lambda **options: Secret.from_hex(b"78", **options),
        lambda **options: Secret.from_fd(0, **options),
        lambda **options: Secret.from_file("/dev/null", **options),
    ],
    ids=["random", "bytes", "base64", "hex", "fd", "file"],
)
def test_an_unknown_option_is_refused(make: Any) -> None:  # noqa: ANN401 - calls with wrong keywords
    """A misspelled keyword must not be lost."""
    with pytest.raises(TypeError, match="isolate"):
        make(isolate=True)


@pytest.mark.parametrize("inherit", [True, False])
def test_inherit_is_shown(inherit: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """Results of operations are kept like their source."""
    with Secret.random(8, inherit=inherit) as secret:
        for each in (secret, secret[1:3], secret + secret, secret.strip()):
            assert each.inherit is inherit
