"""The search through memory and dumps, tested on planted copies first."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretmem.prove import elf, familiar, maps
from secretmem.prove.needle import Needle


if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.needs_ptrace

PAGE = mmap.PAGESIZE

# A process that keeps the needle in one place only and says when it is done.
_HOLDER = """
import ctypes, mmap, os, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
def read_into(address, size):
    assert libc.read(0, ctypes.c_void_p(address), size) == size
def page(size=4096):
    return libc.mmap(None, size, 3, 0x22, -1, 0)
{code}
print("ready", flush=True)
os.read(0, 1)
"""

_PLACES = {
    "heap": (
        "room = (ctypes.c_char * 32)(); read_into(ctypes.addressof(room), 32)"
    ),
    "page": "read_into(page(), 32)",
    "across two pages": "read_into(page(8192) + 4080, 32)",
    "closed page": (
        "at = page(); read_into(at, 32); "
        "libc.mprotect(ctypes.c_void_p(at), 4096, 0)"
    ),
    "bytes": "kept = os.read(0, 32)",
    "environment of C": (
        "room = ctypes.create_string_buffer(os.read(0, 32)); "
        "libc.setenv(b'X', room, 1); ctypes.memset(room, 0, 32)"
    ),
}


def _scan(code: str, text: bytes, needle: Needle) -> maps.Scan:
    """Search a process that runs ``code`` with ``text`` on its input."""
    with subprocess.Popen(
        [sys.executable, "-I", "-c", _HOLDER.format(code=code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(text)
        child.stdin.flush()
        assert child.stdout.readline() == b"ready\n"
        try:
            return maps.scan(child.pid, needle.find_any_form)
        finally:
            child.stdin.close()


@pytest.mark.parametrize("place", _PLACES)
def test_finds_a_planted_needle(place: str) -> None:
    """A copy in any kind of ordinary memory is found from outside."""
    needle = Needle()
    assert _scan(_PLACES[place], needle.text, needle).find is not None


@pytest.mark.parametrize(
    "form",
    [lambda text: text[5:13].ljust(32), lambda text: text.hex().encode()[:32]],
    ids=["fragment", "hex"],
)
def test_finds_planted_parts(form: Callable[[bytes], bytes]) -> None:
    """Eight bytes of it, or of an encoding, are enough."""
    needle = Needle()
    assert _scan(_PLACES["page"], form(needle.text), needle).find is not None


def test_finds_nothing_where_nothing_is() -> None:
    """A process that never had the needle is searched without a find."""
    result = _scan(_PLACES["page"], b"\0" * 32, Needle())
    assert result.find is None
    assert result.searched > 1 << 20
    assert "neither the needle" in str(result)


@pytest.mark.needs_secretmem
def test_secret_pages_are_tried_and_refused() -> None:
    """Pages of kernel secretmem count as refused, not as searched."""
    needle = Needle()
    code = (
        "fd = libc.syscall(447, os.O_CLOEXEC); os.ftruncate(fd, 4096); "
        "at = libc.mmap(None, 4096, 3, 1, fd, 0); read_into(at, 32)"
    )
    result = _scan(code, needle.text, needle)
    assert result.find is None
    assert result.refused == PAGE
    assert result.errors == {"EIO"}


def test_own_maps_are_read() -> None:
    """A mapping of this process is listed with its access."""
    with mmap.mmap(-1, PAGE, mmap.MAP_PRIVATE) as page:
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        found = [
            m
            for m in maps.read_maps(os.getpid())
            if m.start <= address < m.end
        ]
        assert [m.access for m in found] == ["rw-p"]
        assert found[0].changeable
        assert not found[0].secret


PAGES = st.lists(st.sampled_from([b"a", b"b", b"c", b"d"]), max_size=12)


@given(known=PAGES, data=PAGES, cut=st.integers(0, PAGE - 1))
def test_only_familiar_pages_are_left_out(
    known: list[bytes], data: list[bytes], cut: int
) -> None:
    """What is yielded, and nothing else, are the unfamiliar pages."""
    before = familiar.Familiar()
    before.learn(b"".join(page * PAGE for page in known))
    text = b"".join(page * PAGE for page in data) + b"e" * cut
    left = dict(before.strange(text))
    yielded: set[int] = set()
    for offset, run in left.items():
        assert text[offset : offset + len(run)] == run
        yielded.update(range(offset, offset + len(run)))
    for number, page in enumerate(data):
        assert (number * PAGE in yielded) == (page not in known)
    assert (cut > 0) == (len(data) * PAGE in yielded)


def test_a_needle_across_pages_is_found_among_familiar_ones() -> None:
    """The pages of a run are searched as one."""
    needle = Needle()
    before = familiar.Familiar()
    before.learn(bytes(8 * PAGE))
    data = bytearray(8 * PAGE)
    data[3 * PAGE - 16 : 3 * PAGE + 16] = needle.text
    found = maps.find_strange(bytes(data), needle.find, before)
    assert found is not None
    assert (found.offset, found.length) == (3 * PAGE - 16, 32)


def _core(segments: list[bytes], gap: int) -> bytes:
    """Build an ELF file with these segments of memory, unaligned."""
    table = 64
    offset = table + 56 * len(segments) + gap
    headers, content = b"", b""
    for segment in segments:
        at = offset + len(content)
        headers += struct.pack(
            "=IIQQQQQQ", 1, 6, at, 0, 0, len(segment), len(segment), 1
        )
        content += segment + b"\xee" * gap
    head = b"\x7fELF\x02\x01\x01".ljust(32, b"\0")
    head += struct.pack(
        "=QQIHHHHHH", table, 0, 0, 64, 56, len(segments), 0, 0, 0
    )
    return head + headers + b"\xee" * gap + content


@given(
    segments=st.lists(st.binary(min_size=1, max_size=50), max_size=5),
    gap=st.integers(0, 9),
)
def test_parts_of_a_core_file_are_complete(
    segments: list[bytes], gap: int
) -> None:
    """Every byte of the file is in a part, segments are whole parts."""
    data = _core(segments, gap)
    parts = list(elf.parts(data))
    assert b"".join(part for _, part in parts) == data
    for segment in segments:
        assert segment in [part for _, part in parts]


def test_what_is_no_elf_file_is_one_part() -> None:
    """Anything else is searched as it is."""
    assert list(elf.parts(b"text")) == [(0, b"text")]
