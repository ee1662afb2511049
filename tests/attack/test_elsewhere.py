"""`secretmem prove` for other users, and where secret memory is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support import filters, unprivileged
from support.patience import PATIENCE


def _cells(text: str) -> dict[str, str]:
    """Return what stands in the last column, by the title of the row."""
    return {
        line[:35].strip(): " ".join(line[63:].split())
        for line in text.splitlines()
        if line.startswith("  ") and len(line) > 63
    }


@pytest.mark.needs_secretmem
@pytest.mark.needs_unprivileged
@pytest.mark.needs_ptrace
def test_without_privileges() -> None:
    """An ordinary user gets the same result, less what needs root."""
    done = unprivileged.run("-m", "secretmem.cli.main", "prove")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "attacker   uid " in done.stdout
    cells = _cells(done.stdout)
    assert cells["read /proc/PID/mem"] == "refused EIO"
    assert cells["same user, after harden()"] == "refused EPERM"
    assert "needs root" in done.stdout
    assert done.stderr == ""


@pytest.mark.needs_ptrace
@pytest.mark.parametrize(
    "action,reason",
    [
        ("ENOSYS", "a seccomp filter refuses memfd_secret (ENOSYS)"),
        ("EPERM", "a seccomp filter refuses memfd_secret (EPERM)"),
        ("kill-process", "a seccomp filter kills the process"),
    ],
)
def test_where_the_call_is_missing(action: str, reason: str) -> None:
    """It says why and what to do, and shows what the degraded mode gives."""
    only = [
        word
        for name in ("proc_mem", "vmsplice", "proc_fd", "repr", "injected")
        for word in ("--only", name)
    ]
    command = [sys.executable, "-m", "secretmem.cli.main", "prove", *only]
    done = subprocess.run(
        filters.command(action, command),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 69
    text = " ".join(done.stdout.split())
    assert f"no secret memory here: {reason}" in text
    assert "SCMP_ACT_ALLOW" in text
    cells = _cells(done.stdout)
    assert cells["read /proc/PID/mem"] == "leaked"
    assert cells["vmsplice into a pipe"] == "leaked"
    assert cells["open /proc/PID/fd"] == "no target"
    assert cells["print, repr, format"] == "absent"
    assert "in the degraded mode (mlock)" in text
    assert done.stderr == ""


def test_elsewhere_than_on_linux() -> None:
    """On another system it says so instead of failing."""
    code = (
        "import sys; from secretmem.cli import main, prove; "
        "sys.platform = 'darwin'; sys.exit(main.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "prove"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 69
    assert "this is not Linux" in done.stderr
