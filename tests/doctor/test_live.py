"""
``secretmem doctor`` on this machine, confined as real programs are.

Filters, limits, users and namespaces are the kernel's own, not stand-ins.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from secretmem.doctor import probe
from support import filters, holders, unprivileged
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


DOCTOR = "from secretmem.cli.doctor import command; command()"


def _run(command: Sequence[str], **options: Any) -> tuple[int, dict[str, Any]]:  # noqa: ANN401 - what subprocess takes
    """Run a command that prints doctor's JSON; the checks by their name."""
    child = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        **options,
    )
    assert child.stderr == ""
    return child.returncode, _checks(child.stdout)


def _checks(text: str) -> dict[str, Any]:
    return {each["check"]: each for each in json.loads(text)["findings"]}


def _doctor(*arguments: str) -> list[str]:
    return [sys.executable, "-c", DOCTOR, "--json", *arguments]


@pytest.mark.needs_secretmem
def test_here_and_now() -> None:
    """The machine that runs the tests has the call."""
    status, found = _run(_doctor())
    assert status in {0, 1}
    assert found["kernel.call"]["status"] == "ok"
    assert found["kernel.architecture"]["status"] == "ok"
    assert "counted per" in found["limits.memlock"]["evidence"]
    library = found["process.library"]
    assert library["status"] == "ok"
    assert "aws-lc-sys" in library["what"]
    assert "not FIPS validated" in library["what"]
    assert "commit " in library["evidence"]
    assert "without jitter entropy" in library["evidence"]


@pytest.mark.parametrize("action", ["EPERM", "ENOSYS"])
@pytest.mark.needs_secretmem
def test_filter_that_refuses(action: str) -> None:
    """Old container runtimes answer either."""
    status, found = _run(filters.command(action, _doctor()))
    assert status == 69
    assert found["kernel.call"]["status"] == "unavailable"
    assert f"in a child: {action}" in found["kernel.call"]["evidence"]
    assert found["sandbox.seccomp"]["status"] == "finding"
    assert "memfd_secret" in found["sandbox.seccomp"]["remedy"]


@pytest.mark.parametrize("action", ["kill-process", "kill-thread", "trap"])
def test_filter_that_kills(action: str) -> None:
    """Doctor survives: only its child calls."""
    status, found = _run(filters.command(action, _doctor()))
    assert status == 69
    assert "SIGSYS" in found["kernel.call"]["evidence"]
    assert "seccomp-kill" in found["kernel.call"]["evidence"]
    assert "kills for" in found["sandbox.seccomp"]["what"]
    assert "SystemCallFilter=memfd_secret" in found["kernel.call"]["remedy"]


@pytest.mark.needs_secretmem
def test_filter_that_allows() -> None:
    """A filter is no finding by itself."""
    status, found = _run(filters.command("allow", _doctor()))
    assert status in {0, 1}
    assert found["sandbox.seccomp"]["status"] == "ok"
    assert "Seccomp: 2" in found["sandbox.seccomp"]["evidence"]


def test_killed_probe_leaves_no_core_file(tmp_path: Path) -> None:
    """SIGSYS dumps core by default, and the pattern may be a plain file."""
    code = (
        "import resource\n"
        "hard = resource.getrlimit(resource.RLIMIT_CORE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))\n"
        "from secretmem.doctor.probe import probe\n"
        "print(probe().call)\n"
    )
    inner = [sys.executable, "-c", code]
    child = subprocess.run(
        filters.command("kill-process", inner),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert child.stdout == "SIGSYS\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.needs_secretmem
@pytest.mark.needs_unprivileged
def test_64_kib_without_privileges() -> None:
    """The limit of containers on old nodes, as a user without any."""
    code = (
        "import resource\n"
        "limits = (65536, 65536)\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, limits)\n" + DOCTOR
    )
    child = unprivileged.run("-c", code, "--json")
    assert child.stderr == ""
    found = _checks(child.stdout)
    limit = found["limits.memlock"]
    assert limit["status"] in {"note", "finding"}
    assert "soft 65536 bytes" in limit["evidence"]
    assert "LimitMEMLOCK=" in limit["remedy"]
    assert found["kernel.call"]["status"] == "ok"


@pytest.mark.needs_secretmem
@pytest.mark.needs_unprivileged
def test_no_page_left() -> None:
    """The call works and yet nothing can be held."""
    code = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))\n" + DOCTOR
    )
    child = unprivileged.run("-c", code, "--json")
    found = _checks(child.stdout)
    assert child.returncode == 1
    assert found["kernel.call"]["status"] == "finding"
    assert "not one page" in found["kernel.call"]["what"]
    assert found["limits.memlock"]["status"] == "finding"


@pytest.mark.needs_unprivileged
def test_unprivileged_user_gets_every_check() -> None:
    """What only root may read is said to be unreadable, not left out."""
    child = unprivileged.run("-c", DOCTOR, "--json")
    assert child.stderr == ""
    _, mine = _run(_doctor())
    assert _checks(child.stdout).keys() == mine.keys()


@pytest.mark.needs_secretmem
@pytest.mark.needs_root
@pytest.mark.needs_unprivileged
def test_holder_of_the_same_user_is_named() -> None:
    """Nobody's other process shows up in nobody's evidence."""
    python = unprivileged.interpreter()
    assert python is not None
    nobody = unprivileged.NOBODY
    with holders.holding("area", 6, uid=nobody, python=python) as pid:
        child = unprivileged.run("-c", DOCTOR, "--json")
    evidence = _checks(child.stdout)["limits.memlock"]["evidence"]
    assert f"pid {pid} (" in evidence


@pytest.mark.needs_network_none
@pytest.mark.needs_tool("unshare")
def test_namespaces_of_a_container() -> None:
    """A PID and a mount namespace of its own, with its own /proc."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    wrap = ["unshare", *user, "--pid", "--mount", "--fork", "--mount-proc"]
    status, found = _run([*wrap, *_doctor()])
    assert status in {0, 1, 69}
    assert found["limits.memlock"]["status"] != "unknown"
    assert found["kernel.version"]["status"] == "ok"


def test_probe_without_an_interpreter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An embedded Python may have none; that is not "unavailable"."""
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert probe.probe() == probe.Outcome("unknown")


def test_probe_whose_child_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A child that fails for its own reasons proves nothing."""
    monkeypatch.setattr(probe, "_CHILD", "raise SystemExit(3)")
    assert probe.probe() == probe.Outcome("unknown")


def test_text_for_people() -> None:
    """The text names evidence, consequence and remedy, within its width."""
    child = subprocess.run(
        [sys.executable, "-c", DOCTOR],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={**os.environ, "COLUMNS": "79"},
    )
    lines = child.stdout.splitlines()
    assert lines[0].startswith("secretmem doctor: Linux ")
    assert any(line.startswith("  evidence ") for line in lines)
    assert "\x1b" not in child.stdout


def test_help_has_an_example() -> None:
    """The help shows a command to copy and the exit codes."""
    child = subprocess.run(
        [sys.executable, "-c", DOCTOR, "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert "$ secretmem doctor --json | jq" in child.stdout
    assert "69 secret memory is unavailable" in child.stdout


def test_wrong_option_is_a_usage_error() -> None:
    """Exit code 2, as every program of the project."""
    child = subprocess.run(
        [sys.executable, "-c", DOCTOR, "--nonsense"],
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    assert child.returncode == 2


def test_probe_ended_by_a_signal_without_a_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Real-time signals have numbers only."""
    kill = "import os; os.kill(os.getpid(), 40)"
    monkeypatch.setattr(probe, "_CHILD", kill)
    assert probe.probe() == probe.Outcome("signal 40")
