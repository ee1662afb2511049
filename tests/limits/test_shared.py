"""Many processes of one user, and a stranger, under one limit."""

from __future__ import annotations

import pytest

from support import alone, holders, unprivileged


pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_root,
    pytest.mark.needs_unprivileged,
]


def crowd(count: int, each: int) -> None:
    """Let so many processes hold and use secrets at once."""
    import os
    import resource
    import signal

    limit = 8 << 20
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
    ready, go = os.pipe(), os.pipe()

    def member() -> int:
        from secretmem import Secret

        signal.alarm(600)
        secrets = [Secret.from_bytes(b"%032d" % n) for n in range(each)]
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        # All hold theirs now; each is used.
        for number, secret in enumerate(secrets[:: each // 20]):
            assert secret.matches(b"%032d" % (number * (each // 20)))
        with secrets[3].reveal() as view:
            assert bytes(view) == b"%032d" % 3
        return 0

    children = []
    for _ in range(count):
        pid = os.fork()
        if not pid:
            status = 1
            try:
                status = member()
            finally:
                os._exit(status)
        children.append(pid)
    os.close(ready[1])
    arrived = b""
    while len(arrived) < count and (part := os.read(ready[0], 64)):
        arrived += part
    os.write(go[1], b"x" * count)
    ended = [os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in children]
    assert ended == [0] * count, ended


@pytest.mark.parametrize("count, each", [(8, 2000), (32, 500)])
def test_processes_of_one_user(count: int, each: int) -> None:
    """Each holds and uses its secrets at the same time."""
    alone.passes_unprivileged(crowd, count, each, timeout=240)


@pytest.mark.parametrize("count, each", [(8, 2000)])
def test_beside_a_stranger(count: int, each: int) -> None:
    """Another program of the user holds some of the limit, not through us."""
    interpreter = unprivileged.interpreter()
    assert interpreter is not None
    with holders.holding(
        "area", 256, uid=unprivileged.NOBODY, python=interpreter
    ):
        alone.passes_unprivileged(crowd, count, each, timeout=240)


def test_the_error_names_who_holds_the_rest() -> None:
    """This process and the stranger, with what each has mapped."""

    def refused(stranger: int) -> None:
        import os
        import resource
        from typing import Any

        limit = 1 << 20
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
        from secretmem import LimitError, Secret

        secrets = [Secret.random(32) for _ in range(1000)]
        try:
            Secret.random(4 << 20)
        except LimitError as error:
            holders: Any = error.holders
            said = (error.need, error.have, str(error))
        else:
            raise AssertionError
        found = {holder.pid: holder for holder in holders}
        assert said[0] >= 4 << 20
        assert said[1] is not None
        assert said[1] <= limit
        assert found[os.getpid()].mapped >= 1000 * 40
        assert found[stranger].mapped == 64 * 4096
        assert "ulimit -l" in said[2]
        assert len(secrets) == 1000

    interpreter = unprivileged.interpreter()
    assert interpreter is not None
    with holders.holding(
        "area", 64, uid=unprivileged.NOBODY, python=interpreter
    ) as pid:
        alone.passes_unprivileged(refused, pid)
