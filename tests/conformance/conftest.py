"""Fixtures of the conformance tests, and the name of this kernel's profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance import profiles
from conformance.world import LiveWorld, Nursery


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    RecordLack = Callable[[str, str], None]

_PROFILE = pytest.StashKey[profiles.Profile]()
_LACKS = pytest.StashKey[dict[str, str]]()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Give the parent of all live processes."""
    started = Nursery()
    yield started
    started.close()


@pytest.fixture(scope="session")
def profile(nursery: Nursery, pytestconfig: pytest.Config) -> profiles.Profile:
    """Give the profile of the running kernel."""
    world = LiveWorld(nursery)
    try:
        found = profiles.observe(world)
    finally:
        world.close()
    pytestconfig.stash[_PROFILE] = found
    return found


@pytest.fixture(scope="session")
def record_lack(pytestconfig: pytest.Config) -> RecordLack:
    """Give a function that notes what a case did not find here."""
    noted = pytestconfig.stash.setdefault(_LACKS, {})
    return noted.__setitem__


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name the kernel's profile."""
    found = config.stash.get(_PROFILE, None)
    if found is not None:
        major, minor = found.release
        terminalreporter.write_line(
            f"kernel {major}.{minor} follows the profile {found.name}"
        )
    for case, lack in config.stash.get(_LACKS, {}).items():
        terminalreporter.write_line(f"  {case}: {lack} here")
