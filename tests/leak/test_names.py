"""Every public name has a residue test."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

import secretmem
from leak import catalogue
from secretmem import Secret, SecretArea, hazmat


if TYPE_CHECKING:
    from collections.abc import Iterator


PROGRAMS = catalogue.residue_tests()

# What every class has by its definition.
_NO_OPERATION = {"__doc__", "__module__", "__slots__"}


def _members(cls: type) -> Iterator[str]:
    """Name what a class and its bases define, without private helpers."""
    for each in cls.__mro__[:-1]:
        for name in vars(each):
            special = name.startswith("__") and name.endswith("__")
            if name not in _NO_OPERATION and (special or name[0] != "_"):
                yield f"{cls.__name__}.{name}"


def _public() -> set[str]:
    return {
        *(f"secretmem.{name}" for name in secretmem.__all__),
        *(f"hazmat.{name}" for name in hazmat.__all__),
        *_members(Secret),
        *_members(SecretArea),
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


def test_every_program_is_run() -> None:
    """No file with programs is left without a test."""
    used = {each.module.rpartition(".")[2] for each in PROGRAMS.values()}
    assert set(catalogue.files()) == used | {"planted", "sampled", "stepped"}
