"""A bare clone(2) runs no fork handler; the child finds out by itself."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

import secretmem
from secretmem import ForkError, Secret
from support import address_space, forked, holdings


if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = pytest.mark.needs_secretmem

DATA = b"of the first process"


def cloned(act: Callable[[], int]) -> int:
    """Run ``act`` in a cloned child; its result is the exit status."""
    pid = address_space.clone()
    if not pid:
        status = 99
        try:
            signal.alarm(600)
            status = act()
        except BaseException:  # noqa: BLE001 - it must not return from here
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    status = os.waitpid(pid, 0)[1]
    return os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize("inherit", [False, True])
def test_secrets_of_the_parent_are_refused(inherit: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """ForkError: no handler could pass an inherited one on."""
    with Secret.from_bytes(DATA, inherit=inherit) as secret:

        def child() -> int:
            for _ in range(2):
                try:
                    secret.matches(DATA)
                except ForkError:
                    continue
                return 1
            secret.close()
            return 0

        assert cloned(child) == 0
        assert secret.matches(DATA)


def test_the_child_makes_its_own() -> None:
    """First thing, or after it met a secret of the parent."""
    with Secret.from_bytes(DATA) as secret, secret.reveal() as view:

        def child() -> int:
            own = [Secret.from_bytes(b"own %d" % n) for n in range(200)]
            for number, each in enumerate(own):
                assert each.matches(b"own %d" % number)
                with each.reveal() as shown:
                    assert bytes(shown) == b"own %d" % number
            assert secretmem.posture().live == 200
            assert secretmem.posture().views_open == 0
            return 0

        assert cloned(child) == 0
        assert bytes(view) == DATA
        assert secret.matches(DATA)


def test_a_child_that_only_closes() -> None:
    """Dropping a handle is a use too."""
    secrets = [Secret.from_bytes(DATA) for _ in range(50)]

    def child() -> int:
        secrets.clear()
        return 0

    assert cloned(child) == 0
    assert all(secret.matches(DATA) for secret in secrets)


@pytest.mark.parametrize("first", ["fork", "clone"])
@pytest.mark.parametrize("second", ["fork", "clone"])
def test_generations(first: str, second: str) -> None:
    """A child of a child, by either way; never zeros, never a crash."""
    with (
        Secret.from_bytes(DATA, inherit=True) as given,
        Secret.from_bytes(DATA) as private,
    ):

        def look(secret: Secret) -> str:
            try:
                return "right" if secret.matches(DATA) else "wrong"
            except ForkError:
                return "fork"

        def grandchild() -> int:
            outcomes = [look(given), look(private)]
            assert outcomes[1] == "fork"
            # A clone has what a fork before it was given, and no more.
            assert outcomes[0] == ("fork" if first == "clone" else "right")
            with Secret.from_bytes(b"own") as own:
                assert own.matches(b"own")
            return 0

        def child() -> int:
            if second == "clone":
                return cloned(grandchild)
            status: int = forked.run(grandchild).result()
            return status

        if first == "clone":
            assert cloned(child) == 0
        else:
            assert forked.run(child).result() == 0


def test_nothing_of_the_parent_is_mapped() -> None:
    """Neither private nor inherited pages, at rest."""
    with (
        Secret.from_bytes(DATA, inherit=True),
        Secret.from_bytes(DATA),
        Secret.from_bytes(DATA, isolated=True),
    ):
        assert cloned(lambda: len(holdings.secret())) == 0
