"""
The scanner finds what is planted, wherever it lies, and nothing else.

A scanner that finds nothing proves nothing. Each place from which secrets
are known to leak is planted with one, out of secret memory and byte by byte,
so that the planted copy is the only one.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import pytest

from leak import catalogue
from leak.driver import Setting, filled, only_secret_refused, run
from leak.memory import Hit, Memory, find_all, merged, scan_file
from leak.needle import FORMS, WINDOW, Needle


if TYPE_CHECKING:
    from pathlib import Path

    from leak.stage import Program


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

PLANTED = catalogue.programs("planted")

# Where a plant shows: names of mappings. Other names are accidents, such as
# a copy that Python made on the way.
PLACES = {
    "in_heap": "[heap]",
    "in_bss": "anonymous",
    "in_dead_stack": "[stack]",
    "in_thread_stack": "anonymous",
    "in_freed_object": "anonymous",
    "in_environment": "[stack]",
    "in_closed_page": "anonymous",
    "in_private_file_page": "file",
    "in_shared_file_page": "file",
    "in_piece": "anonymous",
    "in_signal_frame": "[heap]",
    "as_hex": "anonymous",
    "as_base64": "anonymous",
    "as_reversed": "anonymous",
}


@pytest.mark.parametrize("name", PLACES)
def test_a_planted_value_is_found(name: str, tmp_path: Path) -> None:
    """Each plant shows where it was planted."""
    looks = run(PLANTED[name], Setting(tmp_path)).looks
    assert len(looks) == 1
    assert any(hit.where.endswith(PLACES[name]) for hit in looks[0].hits)


def test_a_value_in_registers_is_found(tmp_path: Path) -> None:
    """A general and a vector register show it, while they hold it only."""
    held, after = run(PLANTED["in_registers"], Setting(tmp_path)).looks
    assert {hit.register for hit in held.registers} == {"general", "xmm"}
    assert not held.hits
    assert not after.found


@pytest.mark.parametrize("name", ["no_leak", "in_smaller_piece"])
def test_control_nothing_is_found(name: str, tmp_path: Path) -> None:
    """A value in secret memory, and seven bytes, show nowhere."""
    (look,) = run(PLANTED[name], Setting(tmp_path)).looks
    assert not look.found, str(look)
    assert look.refused
    assert only_secret_refused(look.refused)


def test_every_copy_is_found(tmp_path: Path) -> None:
    """A thousand copies, and four across the borders of reads."""
    (look,) = run(PLANTED["in_many_places"], Setting(tmp_path)).looks
    whole = [hit for hit in look.hits if hit.size == 24]
    assert len(whole) == 1004, len(look.hits)


def test_every_plant_is_looked_at() -> None:
    """No plant is left without a test."""
    others = {"no_leak", "in_registers", "in_smaller_piece"}
    others |= {"in_many_places", "with_ballast"}
    assert set(PLANTED) == set(PLACES) | others


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("repeated", [False, True])
def test_every_piece_is_found(form: str, repeated: bool) -> None:  # noqa: FBT001 - a parameter
    """Any eight bytes of any shape, at any place, are found whole."""
    # Of its own letters each: no piece comes twice, in hex neither.
    needle = Needle(string.ascii_letters[:24].encode(), (form,), repeated)
    (shape,) = needle.shapes
    pieces = sorted(shape.windows)
    assert len(pieces) == len(shape.data) - (0 if repeated else WINDOW - 1)
    for at, piece in enumerate(pieces):
        buffer = bytearray(100)
        buffer[at : at + WINDOW] = piece
        found = set(find_all(buffer, 100, shape))
        assert range(at, at + WINDOW) in found


def test_hits_within_others_are_left_out() -> None:
    """What two reads saw of one copy counts once."""
    whole = Hit("plain", 100, 24, "x")
    part, beside = Hit("plain", 112, 12, "x"), Hit("plain", 124, 24, "x")
    other = Hit("hex", 104, 8, "x")
    assert merged({part, whole, beside, other}) == {whole, beside, other}


def test_files_are_searched(tmp_path: Path) -> None:
    """A file shows what it holds, and only that."""
    needle = Needle(string.ascii_letters[:32].encode(), ("plain", "hex"))
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000 + filled("{hex} {plain}", needle) + b"y")
    found = scan_file(path, [needle])
    assert found == {("hex", 1000, 64), ("plain", 1065, 32)}
    assert not scan_file(path, [Needle.random()])


def test_much_memory_is_searched(tmp_path: Path) -> None:
    """All of 50 MB."""
    searched = []

    def scan(pid: int) -> None:
        memory = Memory(pid)
        searched.append(memory.scan([Needle.random()]).searched)
        memory.close()

    program: Program = PLANTED["with_ballast"]
    run(program, Setting(tmp_path, also=scan))
    (size,) = searched
    assert size > 50 << 20
