"""Inherited secrets: the child has them, and a closed one is closed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import secretmem
from secretmem import ClosedError, Secret, hazmat
from support import address_space, alone, forked, holdings
from support.uses import USES


if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.needs_secretmem

DATA = b"the parent's word"
SIZES = (0, 1, 32, 4071, 4088, 9000, 100_000)


@pytest.fixture(params=[False, True], ids=["shared pages", "own pages"])
def secret(request: pytest.FixtureRequest) -> Iterator[Secret]:
    """Give an inherited secret."""
    with Secret.from_bytes(DATA, inherit=True, isolated=request.param) as made:
        yield made


@pytest.mark.parametrize("use", USES)
def test_every_use_works_in_the_child(secret: Secret, use: str) -> None:
    """As the first use there, and as a later one."""
    for _ in range(2):
        child = forked.run(lambda: (USES[use](secret), USES[use](secret)))
        assert child.result() == (DATA, DATA)
    assert secret.matches(DATA)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("isolated", [False, True])
def test_every_size(size: int, isolated: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """Whole, and again in a grandchild."""
    data = (bytes(range(1, 256)) * (size // 255 + 1))[:size]
    with Secret.from_bytes(data, inherit=True, isolated=isolated) as secret:

        def child() -> bool:
            return secret.matches(data)

        assert forked.run(child).result()
        assert forked.run(lambda: forked.run(child).result()).result()
        both = forked.run(lambda: child() and forked.run(child).result())
        assert both.result()


def test_many_secrets() -> None:
    """All of an arena of several areas."""
    secrets = [
        Secret.from_bytes(b"number %d" % n, inherit=True) for n in range(2000)
    ]

    def child() -> bool:
        return all(
            secret.matches(b"number %d" % number)
            for number, secret in enumerate(secrets)
        )

    assert forked.run(child).result()
    assert child()


def test_the_child_has_a_copy(secret: Secret) -> None:
    """What it writes and wipes is its own."""

    def child() -> bytes:
        with secret.reveal(writable=True) as view:
            view[:] = b"c" * len(DATA)
        data = hazmat.export_bytes(secret)
        secret.close()
        return data

    assert forked.run(child).result() == b"c" * len(DATA)
    assert secret.matches(DATA)
    assert forked.run(child).result() == b"c" * len(DATA)


def test_a_child_that_closes_without_a_use(secret: Secret) -> None:
    """It is closed there, and here it is not."""

    def child() -> str:
        secret.close()
        try:
            secret.matches(DATA)
        except ClosedError:
            return "closed"
        return "open"

    assert forked.run(child).result() == "closed"
    assert secret.matches(DATA)
    assert forked.run(lambda: secret.matches(DATA)).result()


class Pair:
    """Two pipes with which parent and child take turns."""

    def __init__(self) -> None:
        self._ends = (*os.pipe(), *os.pipe())

    def child_ready(self) -> None:
        """Tell the parent, and wait for it."""
        os.write(self._ends[1], b"x")
        os.read(self._ends[2], 1)

    def wait_for_child(self) -> None:
        """Wait until the child is ready."""
        os.read(self._ends[0], 1)

    def let_go(self) -> None:
        """Let the child go on."""
        os.write(self._ends[3], b"x")

    def close(self) -> None:
        """Close the pipes."""
        for end in self._ends:
            os.close(end)


@pytest.fixture
def turns() -> Iterator[Pair]:
    """Give pipes for taking turns."""
    pair = Pair()
    yield pair
    pair.close()


@pytest.mark.parametrize("generations", [1, 2, 3])
def test_closed_by_the_parent_before_the_first_use(
    secret: Secret, turns: Pair, generations: int
) -> None:
    """ClosedError, in every later generation."""

    def child(left: int) -> str:
        if left > 1:
            inner: str = forked.run(lambda: child(left - 1)).result()
            return inner
        turns.child_ready()
        try:
            return repr(hazmat.export_bytes(secret))
        except ClosedError:
            return "closed"

    running = forked.start(lambda: child(generations))
    turns.wait_for_child()
    secret.close()
    # Whatever is made now may not be taken for it.
    others = [Secret.from_bytes(b"z" * len(DATA), inherit=True) for _ in "ab"]
    turns.let_go()
    assert running.wait().result() == "closed"
    assert len(others) == 2


def test_closed_by_the_parent_after_the_first_use(
    secret: Secret, turns: Pair
) -> None:
    """The child's copy is the child's."""

    def child() -> bool:
        assert secret.matches(DATA)
        turns.child_ready()
        return (
            secret.matches(DATA)
            and forked.run(lambda: secret.matches(DATA)).result()
        )

    running = forked.start(child)
    turns.wait_for_child()
    secret.close()
    turns.let_go()
    assert running.wait().result()


def test_a_parent_that_ends_first(turns: Pair) -> None:
    """The pages live as long as a child has them."""
    with Secret.from_bytes(DATA, inherit=True) as secret:
        reading, writing = os.pipe()

        def child() -> None:
            pid = os.fork()
            if pid:
                return  # the middle one ends
            turns.child_ready()
            os.write(writing, hazmat.export_bytes(secret))
            os._exit(0)

        forked.run(child).result()
        turns.wait_for_child()
        turns.let_go()
        assert os.read(reading, 100) == DATA
        os.close(reading)
        os.close(writing)


def test_a_later_secret_is_not_in_the_child(turns: Pair) -> None:
    """No slot of a forked area is handed out again, freed ones neither."""
    old = [Secret.from_bytes(b"o" * 64, inherit=True) for _ in range(30)]

    def child() -> bytes:
        turns.child_ready()
        return address_space.contents(holdings.secret())

    running = forked.start(child)
    turns.wait_for_child()
    del old[::2]
    new = [
        Secret.from_bytes(b"made later" + bytes(n), inherit=True)
        for n in range(400)
    ]
    turns.let_go()
    seen = running.wait().result()
    assert b"made later" not in seen
    # The look was a real one: a private mapping would show nothing at all.
    if secretmem.posture().gate == "mprotect":
        assert b"o" * 64 in seen
    assert len(new) == 400


def test_private_ones_are_not_in_the_child_beside_inherited_ones() -> None:
    """Two arenas: opening one does not show the other."""
    with (
        Secret.from_bytes(b"inherited" * 5, inherit=True),
        Secret.from_bytes(b"private" * 5),
    ):
        seen = forked.run(lambda: address_space.contents(holdings.secret()))
        assert b"private" not in seen.result()


def test_at_rest_the_area_is_not_inherited() -> None:
    """Without the fork handlers (bare clone) a child has nothing of it."""
    with Secret.from_bytes(b"inherited" * 5, inherit=True):
        pid = address_space.clone()
        if not pid:
            os._exit(1 if holdings.secret() else 0)
        assert os.waitpid(pid, 0)[1] == 0


def test_an_open_view_at_the_fork(secret: Secret) -> None:
    """The child's first use makes a view of its own copy."""
    with secret.reveal() as view:

        def child() -> bytes:
            with secret.reveal() as mine:
                return bytes(mine)

        assert forked.run(child).result() == DATA
        assert bytes(view) == DATA


def test_an_open_writable_view_at_the_fork(secret: Secret) -> None:
    """In the child nobody holds it; what was not written back is not there."""
    with secret.reveal(writable=True) as view:
        view[:] = b"w" * len(DATA)
        child = forked.run(lambda: hazmat.export_bytes(secret))
        assert child.result() == DATA
    assert secret.matches(b"w" * len(DATA))


def test_a_child_does_not_reopen_what_the_parent_closed_before() -> None:
    """Closed at the fork is closed after it."""
    secret = Secret.from_bytes(DATA, inherit=True)
    secret.close()

    def child() -> str:
        try:
            secret.matches(DATA)
        except ClosedError:
            return "closed"
        return "open"

    assert forked.run(child).result() == "closed"


def test_configure_makes_it_the_rule() -> None:
    """``fork="inherit"`` for every new secret."""

    def ruled() -> None:
        import os

        import secretmem
        from secretmem import Secret

        secretmem.configure(fork="inherit")
        secret = Secret.from_bytes(b"rule")
        derived = secret[1:] + b"x"
        pid = os.fork()
        if not pid:
            fine = secret.matches(b"rule") and derived.matches(b"ulex")
            os._exit(0 if fine else 1)
        assert os.waitpid(pid, 0)[1] == 0

    alone.passes(ruled)
