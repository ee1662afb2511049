"""
After each operation, nothing of the secret is left in ordinary memory.

Each program of ``programs`` loads a value from a pipe, uses it once and many
times, and stops in between for the scanner. The value may show nowhere: in no
mapping that can be read, in no register of any thread. The control is the
same program on bytes objects, in which the scanner must find it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from leak import catalogue
from leak.driver import Look, Setting, problems, run


if TYPE_CHECKING:
    from pathlib import Path

    from leak.stage import Program


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

PROGRAMS = catalogue.residue_tests()

# What handles bytes in a way of its own, again with a debugging allocator
# and an allocator that gives each block to the C library.
OTHER_ALLOCATORS = (
    "from_fd",
    "from_base64",
    "from_hex_str",
    "equals",
    "matches",
    "matches_str",
    "slices",
    "concatenation",
    "strip",
    "reveal",
    "closed",
    "wrong_encoding",
    "failed_write",
    "threads",
    "dotenv_field",
    "handed_over",
    "source_streams",
)

# A core file is looked at by a test of its own.
ABORTS = "aborted"


def _marked(programs: dict[str, Program]) -> list[object]:
    return [
        pytest.param(each, marks=pytest.mark.needs_root) if each.root else each
        for name, each in programs.items()
        if name != ABORTS
    ]


def _name(value: object) -> str:
    return getattr(value, "name", str(value))


@pytest.mark.parametrize("program", _marked(PROGRAMS), ids=_name)
def test_nothing_is_left(program: Program, tmp_path: Path) -> None:
    """No piece of the secret is readable, before or after its end."""
    looks = run(program, Setting(tmp_path)).looks
    assert not list(problems(looks, ordinary=False))


@pytest.mark.parametrize(
    "program",
    _marked({n: p for n, p in PROGRAMS.items() if p.no_control is None}),
    ids=_name,
)
def test_control(program: Program, tmp_path: Path) -> None:
    """The same with bytes objects is found at every look."""
    looks = run(program, Setting(tmp_path, ordinary=True, many=20)).looks
    assert not list(problems(looks, ordinary=True))


@pytest.mark.parametrize("allocator", ["debug", "malloc"])
@pytest.mark.parametrize("name", OTHER_ALLOCATORS)
def test_other_allocators(name: str, allocator: str, tmp_path: Path) -> None:
    """The same with PYTHONMALLOC=debug, and =malloc."""
    environment = {"PYTHONMALLOC": allocator}
    setting = Setting(tmp_path, many=100, environment=environment)
    looks = run(PROGRAMS[name], setting).looks
    assert not list(problems(looks, ordinary=False))


def test_an_export_is_one_copy(tmp_path: Path) -> None:
    """The exported object is the only copy, and no register held it."""
    before, after = run(PROGRAMS["export_bytes"], Setting(tmp_path)).looks
    assert not before.found
    assert [hit.size for hit in after.hits] == [24]
    assert not after.registers


def _split(look: Look) -> tuple[set[int], set[int]]:
    """Give the addresses on the main stack, and the others."""
    on_stack = {hit.address for hit in look.hits if hit.where == "[stack]"}
    return on_stack, {hit.address for hit in look.hits} - on_stack


def test_a_variable_is_erased_where_it_was(tmp_path: Path) -> None:
    """
    from_env erases the kernel's block; os.environ's old copy stays.

    The block lies on the main stack.  That os.environ had copied the value is
    documented; nothing beside that copy may be there.
    """
    looks = run(PROGRAMS["from_env"], Setting(tmp_path)).looks
    shown = {look.label: _split(look) for look in looks}
    block, copies = shown["before"]
    assert block
    assert copies, "os.environ no longer copies: the documentation errs"
    block, left = shown["after"]
    assert not block
    assert left <= copies
