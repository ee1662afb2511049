"""Reading by page frame: the right mapping, and one's own pages."""

from __future__ import annotations

import mmap
import os
import struct
from typing import TYPE_CHECKING

import pytest

from secretmem.prove import linux, physical


if TYPE_CHECKING:
    from pathlib import Path

PAGE = mmap.PAGESIZE
NOWHERE = (1 << 64) - 1
DIRECT, IMAGE = 0xFFFF888000000000, 0xFFFFFFFF81000000


def _kcore(path: Path) -> str:
    """Write a small file with the layout of /proc/kcore."""
    segments = [  # address, physical address, content
        (IMAGE, 8 * PAGE, b"i" * PAGE),
        (0xFFFFC90000000000, NOWHERE, b"v" * PAGE),
        (DIRECT + 7 * PAGE, 7 * PAGE, b"7" * PAGE + b"8" * PAGE),
    ]
    head = b"\x7fELF\x02\x01\x01".ljust(32, b"\0")
    head += struct.pack("=QQIHHHHHH", 64, 0, 0, 64, 56, 3, 0, 0, 0)
    table, content = b"", b""
    for address, place, data in segments:
        at = 64 + 3 * 56 + len(content)
        table += struct.pack(
            "=IIQQQQQQ", 1, 7, at, address, place, len(data), len(data), PAGE
        )
        content += data
    path.write_bytes(head + table + content)
    return str(path)


def test_the_direct_map_is_read(tmp_path: Path) -> None:
    """Frames come from the direct map, not from the kernel image."""
    memory = physical.KernelCore(_kcore(tmp_path / "kcore"))
    assert memory.read(7) == b"7" * PAGE
    assert memory.read(8) == b"8" * PAGE
    assert memory.read(9) == b""
    memory.close()


@pytest.mark.needs_root
def test_own_frames_are_known_to_root() -> None:
    """A touched page has a frame, an untouched one has none."""
    address = linux.map_anonymous(2 * PAGE)
    linux.wipe(address, PAGE)
    found = physical.frames(os.getpid(), [address, address + PAGE])
    linux.unmap(address, 2 * PAGE)
    assert len(found) == 1


def test_a_way_is_usable_or_says_why() -> None:
    """Either a page of ours is shown, or there is a reason."""
    reason = physical.why_not()
    if reason is not None:
        assert reason.startswith("needs root and a way to the direct map (")
        return
    memory = physical.open_memory()
    content = os.urandom(PAGE)
    address = linux.map_anonymous(PAGE)
    linux.copy(address, linux.address_of(content)[0], PAGE)
    (frame,) = physical.frames(os.getpid(), [address])
    assert memory.read(frame) == content
    memory.close()
    linux.unmap(address, PAGE)
