"""Private secrets and fork: the child does not have them, and is told so."""

from __future__ import annotations

import gc
import mmap
import os
import signal
from functools import partial
from typing import Any

import pytest

import secretmem
from secretmem import ForkError, Secret, hazmat
from support import address_space, alone, forked, holdings
from support.uses import USES


pytestmark = pytest.mark.needs_secretmem

DATA = b"private to the parent"


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("isolated", [False, True])
def test_every_use_in_the_child_says_so(use: str, isolated: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """ForkError that names the way out; never a crash, never zeros."""
    with Secret.from_bytes(DATA, isolated=isolated) as secret:

        def child() -> str:
            try:
                USES[use](secret)
            except ForkError as error:
                return str(error)
            return "no error"

        assert "inherit=True" in forked.run(child).result()
        assert USES[use](secret) == DATA


def test_what_is_public_is_there_in_the_child() -> None:
    """A log line of the child must not break."""
    with Secret.from_bytes(DATA, name="key") as secret:

        def child() -> tuple[object, ...]:
            said = (repr(secret), secret.name, len(secret), secret.closed)
            secret.close()
            return (*said, secret.closed)

        said = forked.run(child).result()
        assert said == ("<Secret 'key' memfd_secret>", "key", 21, False, True)
        assert secret.matches(DATA)


def test_a_child_that_closes_wipes_nothing() -> None:
    """Nor one that drops, collects, trims or leaves a block."""
    secrets = [Secret.from_bytes(DATA) for _ in range(200)]

    def child() -> None:
        with secrets[0]:
            pass
        for secret in secrets[:100]:
            secret.close()
        secrets.clear()
        gc.collect()
        secretmem.trim()

    forked.run(child).result()
    assert all(secret.matches(DATA) for secret in secrets)


@pytest.mark.parametrize("started", [False, True])
def test_a_child_makes_its_own(started: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """Whether the parent had begun or not; both are right afterwards."""

    def both(started: bool) -> None:  # noqa: FBT001 - called with one value
        import os

        from secretmem import Secret

        before = [Secret.from_bytes(b"p%d" % n) for n in range(50) if started]
        reading, writing = os.pipe()
        pid = os.fork()
        who = b"parent" if pid else b"child"
        for size in (0, 1, 32, 4097, 20_000):
            mine = [Secret.from_bytes(who * size) for _ in range(30)]
            if pid:
                os.read(reading, 1)
            else:
                os.write(writing, b"x")
            for secret in mine:
                assert secret.matches(who * size)
                with secret.reveal() as view:
                    assert bytes(view) == who * size
        if not pid:
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        for number, secret in enumerate(before):
            assert secret.matches(b"p%d" % number)

    alone.passes(both, started)


def test_a_later_secret_of_the_parent_is_not_in_the_child() -> None:
    """It is made in pages that the child does not have."""
    old = [Secret.from_bytes(b"old") for _ in range(10)]
    ready, go = os.pipe(), os.pipe()

    def child() -> bytes:
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        return address_space.contents(holdings.secret())

    running = forked.start(child)
    os.read(ready[0], 1)
    new = [Secret.from_bytes(b"made after the fork") for _ in range(10)]
    os.write(go[1], b"x")
    seen = running.wait().result()
    assert b"made after" not in seen
    assert all(secret.matches(b"made after the fork") for secret in new)
    assert all(secret.matches(b"old") for secret in old)
    for end in (*ready, *go):
        os.close(end)


def test_the_holes_in_the_child_stay_holes() -> None:
    """Nothing else is mapped where a stale address points; it faults."""
    with Secret.random(32, isolated=True), Secret.random(32):
        secretmem.trim()  # windows at rest go: nobody points there
        places = [(m.start, m.size) for m in holdings.secret()]
        assert places

        def child() -> list[str]:
            wanted = [mmap.mmap(-1, size) for _, size in places * 20]
            now = holdings.maps()
            assert wanted
            return [
                next(
                    m.protection
                    for m in now
                    if m.start <= start and start + size <= m.end
                )
                for start, size in places
            ]

        assert set(forked.run(child).result()) == {"---p"}
        for start, size in places:
            for place in (start, start + size - 1):
                ended = forked.run(partial(address_space.read, place, 1))
                assert ended.signal == signal.SIGSEGV


@pytest.mark.parametrize("writable", [False, True])
def test_a_view_that_is_open_at_the_fork(writable: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """In the child it can be left; a look at it faults, it shows no zeros."""
    with (
        Secret.from_bytes(DATA) as secret,
        secret.reveal(writable=writable) as view,
    ):

        def leave() -> str:
            # The block's own way out, as the child would take it.
            view.release()
            return "left"

        assert forked.run(leave).result() == "left"
        looked = forked.run(lambda: bytes(view))
        assert looked.signal == signal.SIGSEGV
        assert bytes(view) == DATA


def test_leaving_the_block_of_a_view_in_the_child() -> None:
    """Without error, without effect on the parent."""

    def block() -> None:
        import os

        import secretmem
        from secretmem import Secret

        secret = Secret.from_bytes(b"in the block")
        for writable in (False, True):
            with secret.reveal(writable=writable) as view:
                pid = os.fork()
            if not pid:
                now = secretmem.posture()
                assert (now.views_open, now.views_orphaned) == (0, 0)
                with Secret.from_bytes(b"new") as new, new.reveal() as view:
                    assert bytes(view) == b"new"
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            assert secret.matches(b"in the block")
            assert secretmem.posture().views_open == 0

    alone.passes(block)


def test_an_orphan_at_the_fork() -> None:
    """The parent's count is the parent's."""
    with Secret.from_bytes(DATA) as secret:
        kept: list[Any] = []
        try:
            with secret.reveal() as view:
                kept.append(view[:])
        except secretmem.BorrowError:
            pass

        def child() -> tuple[int, int]:
            kept.clear()
            gc.collect()
            now = secretmem.posture()
            return now.views_open, now.views_orphaned

        assert forked.run(child).result() == (0, 0)
        assert secretmem.posture().views_orphaned == 1
        kept.clear()
        assert secretmem.posture().views_orphaned == 0


def test_grandchildren_of_private_secrets() -> None:
    """ForkError in every generation; each has its own."""
    with Secret.from_bytes(DATA) as secret:

        def generation(left: int) -> list[str]:
            with Secret.from_bytes(b"own %d" % left) as own:
                assert hazmat.export_bytes(own) == b"own %d" % left
                try:
                    secret.matches(DATA)
                except ForkError:
                    said = ["fork"]
                if left:
                    inner = forked.run(lambda: generation(left - 1))
                    said += inner.result()
                assert own.matches(b"own %d" % left)
            return said

        said = forked.run(lambda: generation(3)).result()
        assert said == ["fork"] * 4
        assert secret.matches(DATA)


def test_a_result_of_both_is_refused() -> None:
    """A child's own secret with one of the parent's."""
    with Secret.from_bytes(DATA) as secret:

        def child() -> list[str]:
            own = Secret.from_bytes(DATA)
            said = []
            for use in (
                lambda: own == secret,
                lambda: secret == own,
                lambda: own + secret,
                lambda: secret + own,
            ):
                try:
                    use()
                except ForkError:
                    said.append("fork")
            assert own.matches(DATA)
            return said

        assert forked.run(child).result() == ["fork"] * 4


def test_the_childs_posture_is_its_own() -> None:
    """It has nothing of the parent's memory, locked or counted."""
    with Secret.random(32), Secret.random(100_000):

        def child() -> tuple[int, int, int]:
            now = secretmem.posture()
            return now.live, now.locked_bytes, holdings.secret_bytes()

        assert forked.run(child).result() == (0, 0, 0)


def test_a_child_that_ends_normally_leaves_the_parents_alone() -> None:
    """Interpreter exit in the child drops every handle."""

    def exiting() -> None:
        import os
        import sys

        from secretmem import Secret

        secrets = [Secret.from_bytes(b"x%d" % n) for n in range(100)]
        pid = os.fork()
        if not pid:
            sys.exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        for number, secret in enumerate(secrets):
            assert secret.matches(b"x%d" % number)

    alone.passes(exiting)
