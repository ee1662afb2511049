"""`ResidueAudit` in this process: what it leaves open, one at a time."""

from __future__ import annotations

import os
import sys

import pytest

from secretmem import Secret
from secretmem.audit import AuditError
from secretmem.testing.residue import ResidueAudit


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]


def _open() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208 - numbers


def test_a_refused_key_leaves_no_pipe_with_another() -> None:
    """The pipe of the first key is closed when the second is refused."""
    with Secret.random(32) as key, Secret.random(9000) as long:
        before = _open()
        with (
            pytest.raises(AuditError, match="at most 8192"),
            ResidueAudit(key, long),
        ):
            pass
        assert _open() == before


def test_no_process_leaves_no_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is when the process that looks cannot be started."""
    with Secret.random(32) as key:
        before = _open()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", "/nowhere/python")
            with pytest.raises(FileNotFoundError), ResidueAudit(key):
                pass
        assert _open() == before


def test_there_is_one_at_a_time() -> None:
    """The inner one is refused, the outer one goes on; then there is room."""
    with Secret.random(32) as key:
        with ResidueAudit(key) as outer:
            for inner in (ResidueAudit(key), outer):
                with pytest.raises(AuditError, match="one at a time"), inner:
                    pass
            assert outer.look().searched > 1 << 20
        outer.assert_clean()
        with ResidueAudit(key) as next_one:
            pass
        next_one.assert_clean()


def test_a_look_that_saw_not_all_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its answer is not taken for a clean one."""
    with Secret.random(32) as key, ResidueAudit(key) as audit:
        assert any("secretmem" in name for name in audit.look().refused)
        real = audit._ask
        with monkeypatch.context() as patch:
            gaps = {"complete": False, "gaps": ["thread 5 cannot be stopped"]}
            patch.setattr(audit, "_ask", lambda order: real(order) | gaps)
            with pytest.raises(AuditError, match="complete: thread 5 cannot"):
                audit.look()
        assert len(audit.looks) == 1
    audit.assert_clean()
