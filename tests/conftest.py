"""
Rules of a run: what may be skipped, and what every test can ask for.

A test names what it needs of the machine by a marker of `support.needs`.
The marker's probe decides; if the probe finds the feature, the test runs.
A skip by any other way fails the run.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from support import needs, scale, unprivileged


if TYPE_CHECKING:
    from collections.abc import Iterator


ROOT = Path(__file__).resolve().parent.parent

_BY_MARKER = pytest.StashKey[bool]()
_FORBIDDEN = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the wheel that the installation tests install."""
    parser.addoption("--wheel", type=Path, help="the wheel to install and try")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    config.stash[_FORBIDDEN] = []
    _settle_examples()
    _heed_signals()
    _clear_environment()
    for name, meaning in needs.MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def _settle_examples() -> None:
    """
    Have the same examples in each run, and no time limit for one.

    New ones are for longer runs, which look for more than is known.
    """
    slow = (HealthCheck.too_slow, HealthCheck.data_too_large)
    settings.register_profile(
        "secretmem",
        database=None,
        deadline=None,
        derandomize=scale.VARIABLE not in os.environ,
        suppress_health_check=slow,
    )
    settings.load_profile("secretmem")


def _heed_signals() -> None:
    """
    Let signals act that a run in the background was started to ignore.

    Programs under test inherit what is ignored (nohup(1), a shell's ``&``).
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            usual = number == signal.SIGINT and signal.default_int_handler
            signal.signal(number, usual or signal.SIG_DFL)


# What would change the words, the form or the way of what is tested.
_OF_A_PERSON = (
    *("AWS_PROFILE", "CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "LANGUAGE"),
    *("LC_MESSAGES", "LINES", "NO_COLOR", "PYTHONWARNINGS", "SSH_ASKPASS"),
    *("SSH_AUTH_SOCK", "SSL_CERT_DIR", "SSL_CERT_FILE", "TERM_PROGRAM"),
)


def _clear_environment() -> None:
    """Leave programs under test nothing of how this machine is set up."""
    for name in _OF_A_PERSON:
        os.environ.pop(name, None)
    # Messages in English; servers of the tests' own are asked directly.
    for name in ("LC_ALL", "LANG"):
        if os.environ.get(name, "C") not in {"C", "POSIX"}:
            os.environ[name] = "C.UTF-8"
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = "127.0.0.1,localhost"
    os.umask(0o022)


def _unmet(item: pytest.Item) -> str | None:
    for marker in item.iter_markers():
        if marker.name == "needs_wheel" and not item.config.getoption("wheel"):
            return "needs_wheel: no --wheel FILE was given (make test does)"
        if marker.name in needs.PROBES:
            reason = needs.PROBES[marker.name](*marker.args)
            if reason:
                return f"{marker.name}: {reason}"
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose needs this machine does not meet, and say why."""
    reason = _unmet(item)
    if reason:
        item.stash[_BY_MARKER] = True
        pytest.skip(reason)


def pytest_collection_finish() -> None:
    """Set apart what will stay, so that `pytest_runtest_teardown` is quick."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """
    Collect what a test leaves behind at its own end, not in a later test.

    There it would change what is counted, and its warnings would be another
    test's.
    """
    yield
    gc.collect()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Iterator[None]:
    """Remember a test that was skipped without a marker."""
    report: pytest.TestReport = yield  # type: ignore[assignment]  # what a wrapper is sent
    expected = hasattr(report, "wasxfail") or item.stash.get(_BY_MARKER, False)
    if report.skipped and not expected:
        item.config.stash[_FORBIDDEN].append(item.nodeid)
    return report  # type: ignore[return-value]  # as above


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Iterator[None]:
    """Remember a file that was skipped as a whole."""
    report: pytest.CollectReport = yield  # type: ignore[assignment]  # as above
    if report.skipped:
        collector.config.stash[_FORBIDDEN].append(collector.nodeid)
    return report  # type: ignore[return-value]  # as above


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run for a skip without a marker; tidy up."""
    unprivileged.discard_tree()
    if session.config.stash[_FORBIDDEN]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name the skips that are not allowed."""
    names = config.stash[_FORBIDDEN]
    if names:
        terminalreporter.section("skipped without a needs_* marker", red=True)
        for name in names:
            terminalreporter.line(name)


@pytest.fixture(scope="session")
def fault_environment() -> dict[str, str]:
    """
    Give the environment in which `import secretmem` can fail on order.

    Builds a second copy of the extension, with the faulting kernel, under
    build/fault; the first time takes a minute.
    """
    subprocess.run(
        ["make", "--no-print-directory", "fault-ext"],
        cwd=ROOT,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return {**os.environ, "PYTHONPATH": str(ROOT / "build" / "fault")}
