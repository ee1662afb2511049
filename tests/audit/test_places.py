"""
The product's auditor finds what the tests' own scanner finds.

`leak.programs.planted` leaks into one place each; `leak.memory`, an
independent witness, says where. Registers too, and where nothing is,
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from audit.targets import search_for
from leak import catalogue
from leak.driver import Setting, finish, start
from leak.needle import Needle
from secretmem.audit import audit_process


if TYPE_CHECKING:
    from pathlib import Path

    from leak.driver import Run
    from secretmem.audit import Report


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

PLANTED = catalogue.programs("planted")

PLACES = {
    "in_heap": ("heap", "key, plain"),
    "in_bss": ("anonymous", "key, plain"),
    "in_dead_stack": ("stack", "key, plain"),
    "in_thread_stack": ("thread stack", "key, plain"),
    "in_freed_object": ("anonymous", "key, plain"),
    "in_environment": ("stack", "key, plain"),
    "in_closed_page": ("anonymous", "key, plain"),
    "in_private_file_page": ("file", "key, plain"),
    "in_shared_file_page": ("shared", "key, plain"),
    "in_piece": ("anonymous", "key, plain"),
    "in_signal_frame": ("heap", "key, plain"),
    "as_hex": ("anonymous", "key, hex"),
    "as_base64": ("anonymous", "key, base64"),
    "as_reversed": ("anonymous", "key, reversed"),
}


def _audited(name: str, folder: Path, *, hold: bool = False) -> list[Report]:
    """Run a program; audit it where it stops for a look."""
    program = PLANTED[name]
    needle = Needle.random(*program.forms, size=24)
    reports = []
    with search_for("raw", needle.value) as search:
        run: Run = start(
            program,
            Setting(
                folder,
                also=lambda pid: reports.append(
                    audit_process(pid, search, hold=hold)
                ),
            ),
            needle,
        )
        try:
            run.follow()
        except BaseException:
            run.child.kill()
            run.child.wait()
            raise
        finish(run)
    # The witness.
    for look, report in zip(run.looks, reports, strict=True):
        assert report.clean == (not look.found), (look, list(report.lines()))
        assert report.refused == look.refused
        seen = {f.address for f in report.findings if f.kind != "registers"}
        assert seen == {hit.address for hit in look.hits}
    return reports


@pytest.mark.parametrize("hold", [False, True], ids=["running", "held"])
@pytest.mark.parametrize("name", PLACES)
def test_the_place_is_named(name: str, hold: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter
    """The kind of memory is told, and the addresses agree."""
    (report,) = _audited(name, tmp_path, hold=hold)
    kind, form = PLACES[name]
    assert (kind, form) in {(f.kind, f.form) for f in report.findings}


def test_registers(tmp_path: Path) -> None:
    """A general and a vector register; nothing in memory meanwhile."""
    held, after = _audited("in_registers", tmp_path)
    found = {(f.kind, f.where.partition(",")[0]) for f in held.findings}
    assert found == {("registers", "general"), ("registers", "xmm")}
    assert held.threads == 2
    assert after.clean


def test_control_secret_memory_only(tmp_path: Path) -> None:
    """A value in secret memory is not found; the kernel refused it."""
    (report,) = _audited("no_leak", tmp_path)
    assert report.clean
    assert set(report.refused) == {"/secretmem (deleted)"}
