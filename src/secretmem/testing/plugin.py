"""
The pytest plugin: secrets in tests, also where there is no secret memory.

What it does at the start of a session, before tests are collected:

- where memfd_secret(2) works, nothing to the backend: tests use it;
- where it does not, or where `--secretmem-fake` or the ini option
  `secretmem_backend = fake` asks for it, the fake takes its place;
- in both cases `str()` and `format()` of a Secret raise (`strict_format`),
  so that a test finds the place where a log would have been wrong.

Its fixtures: `secretmem_machine` (the fake's machine) and `residue_audit`
(does the code under test leave copies of a key?).

pytest's header says which backend is used. If the program under test has
called `secretmem.configure()` already, or the environment variable
`SECRETMEM_BACKEND` names a backend, that stands.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from secretmem.testing._machine import Machine
    from secretmem.testing.residue import ResidueAudit


OPTION: Final = "--secretmem-fake"
INI: Final = "secretmem_backend"
AUTO, FAKE, REAL = "auto", "fake", "real"


class Choice(NamedTuple):
    """The backend of a session, and why."""

    backend: str
    why: str


_CHOICE = pytest.StashKey[Choice]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the ini value."""
    group = parser.getgroup("secretmem")
    group.addoption(
        OPTION,
        action="store_true",
        help="keep secrets of tests in a fake, on every machine",
    )
    parser.addini(
        INI,
        f"secretmem in tests: {AUTO} (the fake where the machine has no "
        f"secret memory), {FAKE} (always) or {REAL} (never)",
        default=AUTO,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose the backend for the session."""
    wanted = str(config.getini(INI))
    if config.getoption(OPTION):
        wanted = FAKE
    if wanted not in (AUTO, FAKE, REAL):
        raise pytest.UsageError(
            f"{INI} is {AUTO}, {FAKE} or {REAL}: not {wanted!r}"
        )
    config.stash[_CHOICE] = _choose(wanted)


def pytest_report_header(config: pytest.Config) -> str:
    """Name the backend."""
    choice = config.stash[_CHOICE]
    return f"secretmem: {choice.backend} ({choice.why})"


@pytest.fixture
def secretmem_machine() -> Iterator[Machine]:
    """
    Give the fake's machine, fresh for this test.

    Its process has the model's settings: `process.memlock` in bytes,
    `process.seccomp["memfd_secret"]` an errno. Secrets of other tests are
    closed. It fails where the fake is not in use.
    """
    from secretmem import _policy
    from secretmem.testing import boot

    if _policy.active.backend != FAKE:
        pytest.fail(
            f"secretmem_machine needs the fake: run pytest with {OPTION}"
        )
    yield boot()
    boot()


@pytest.fixture
def residue_audit() -> Iterator[Callable[..., ResidueAudit]]:
    """
    Look for copies of a key in this process, from outside.

    `residue_audit(key, kind="raw")` gives a `ResidueAudit`: a context manager
    with `look` and `assert_clean`. A test that has made one and never asked
    whether it is clean fails. Skipped where there is no secret memory: on
    the fake every secret is a finding.
    """
    from secretmem import _policy

    if not sys.platform.startswith("linux") or _policy.active.backend == FAKE:
        pytest.skip("residue_audit needs secret memory: the fake is in use")
    from secretmem.testing.residue import ResidueAudit

    made: list[ResidueAudit] = []

    def audit(*keys: Any, kind: str = "raw") -> ResidueAudit:  # noqa: ANN401 - as ResidueAudit takes them
        made.append(ResidueAudit(*keys, kind=kind))
        return made[-1]

    yield audit
    if any(each.looks and not each.judged for each in made):
        pytest.fail("residue_audit looked, and nobody called assert_clean()")


def _choose(wanted: str) -> Choice:
    import secretmem
    from secretmem import _policy
    from secretmem.exceptions import DegradedWarning

    # Not by configure(): that would end the say of SECRETMEM_BACKEND.
    _policy.active.strict_format = True
    if _policy.active.configured:
        return Choice(_policy.active.backend, "chosen by the program")
    named = os.environ.get(_policy.VARIABLE)
    if named and wanted == AUTO:
        return Choice(named, f"{_policy.VARIABLE} names it")
    reason = "asked for" if wanted == FAKE else _missing(wanted)
    if reason is None:
        return Choice(_policy.active.backend, f"{INI} = {wanted}")
    with warnings.catch_warnings():
        # The header says it; a session with warnings as errors goes on.
        warnings.simplefilter("ignore", DegradedWarning)
        secretmem.configure(backend="fake")
    return Choice(FAKE, reason)


def _missing(wanted: str) -> str | None:
    """Tell why this machine has no secret memory, if the fake may stand in."""
    if wanted == REAL:
        return None
    try:
        from secretmem import _native
    except ImportError:
        return "no compiled part here"
    kind, value = _native.probe()
    if kind == "ok":
        return None
    from secretmem._errors import unavailable

    return unavailable(kind, value).reason
