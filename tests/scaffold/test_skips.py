"""The rules of `tests/conftest.py`, tried in small runs of pytest."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import needs, unprivileged


TESTS = Path(__file__).resolve().parent.parent


@pytest.fixture
def small_run(tmp_path: Path) -> Path:
    """Give a folder of tests that keeps this suite's rules."""
    shutil.copy(TESTS / "conftest.py", tmp_path)
    shutil.copytree(TESTS / "support", tmp_path / "support")
    return tmp_path


def _pytest(folder: Path, test: str) -> subprocess.CompletedProcess[str]:
    """Run one test file there; `pytest` is imported in it."""
    (folder / "test_it.py").write_text(f"import pytest\n{test}\n", "utf-8")
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-ra", "--strict-markers"),
            *("-p", "no:cacheprovider", "-o", "pythonpath=."),
            *("--import-mode=importlib", "--rootdir=."),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_marker_skips_and_says_why(small_run: Path) -> None:
    """A missing tool is a skip with its name, and the run is fine."""
    result = _pytest(
        small_run,
        "@pytest.mark.needs_tool('no-such-program')\ndef test_a(): assert 0",
    )
    assert result.returncode == 0
    assert "needs_tool: not installed: no-such-program" in result.stdout


def test_a_marker_that_is_met_lets_the_test_run(small_run: Path) -> None:
    """There is no skip on a machine that has the feature."""
    result = _pytest(
        small_run,
        "@pytest.mark.needs_tool('env')\ndef test_a(): assert 0",
    )
    assert result.returncode == 1
    assert "1 failed" in result.stdout


@pytest.mark.parametrize(
    "test",
    [
        "def test_a(): pytest.skip('not today')",
        "@pytest.mark.skip(reason='not today')\ndef test_a(): pass",
        "@pytest.mark.skipif(True, reason='x')\ndef test_a(): pass",
        "pytest.importorskip('no_such_module')",
        "pytest.skip('not today', allow_module_level=True)",
    ],
)
def test_any_other_skip_fails_the_run(small_run: Path, test: str) -> None:
    """Whoever skips without a marker turns the run red."""
    result = _pytest(small_run, f"{test}\ndef test_b(): pass")
    assert result.returncode == 1
    assert "skipped without a needs_* marker" in result.stdout
    assert "test_it.py" in result.stdout.rpartition("marker")[2]


def test_an_expected_failure_is_no_skip(small_run: Path) -> None:
    """Pytest reports xfail as skipped; it is not forbidden."""
    result = _pytest(
        small_run,
        "@pytest.mark.xfail(strict=True)\ndef test_a(): assert 0",
    )
    assert result.returncode == 0


def test_probes_and_markers_match() -> None:
    """Each marker has a probe; needs_wheel is an option of the run."""
    names = {name.partition("(")[0] for name in needs.MARKERS}
    assert names - {"needs_wheel"} == set(needs.PROBES)


def test_the_two_key_markers_exclude_each_other() -> None:
    """Exactly one of needs_pku and needs_no_pku is met."""
    assert (needs.pku() is None) != (needs.no_pku() is None)


@pytest.mark.needs_unprivileged
def test_an_unprivileged_child_has_no_privileges() -> None:
    """The helper drops root, its groups and its capabilities."""
    code = (
        "import os, pathlib, secretmem\n"
        "assert os.geteuid() and os.getuid() and os.getegid()\n"
        "assert 0 not in os.getgroups()\n"
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "assert int(status.split('CapEff:')[1].split()[0], 16) == 0\n"
    )
    result = unprivileged.run("-c", code)
    assert result.stderr == ""
    assert result.returncode == 0
