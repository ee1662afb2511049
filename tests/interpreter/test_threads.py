"""Threads and event loops: right content, right counts, no hang."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import secretmem
from secretmem import BorrowError, ClosedError, Secret, hazmat
from support import alone
from support.scale import times


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


pytestmark = pytest.mark.needs_secretmem


@pytest.fixture(autouse=True)
def switch_often() -> Iterator[None]:
    """Let threads take turns after few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def together(count: int, act: Callable[[int], None]) -> None:
    """Run in so many threads; any failure is a failure."""
    with ThreadPoolExecutor(count) as pool:
        for each in [pool.submit(act, number) for number in range(count)]:
            each.result(300)


def data_of(number: int) -> bytes:
    """Make content that tells whose it is."""
    return b"%d:" % number * (1 + number * 7919 % 900)


def use(secret: Secret, data: bytes, how: int, null: int) -> None:
    """Do one of several things and check the outcome."""
    if how == 0:
        assert hazmat.export_bytes(secret) == data
    elif how == 1:
        assert secret.matches(data)
        assert not secret.matches(data + b"x")
    elif how == 2:
        with secret.reveal() as view:
            assert bytes(view) == data
    elif how == 3:
        with secret[3:-3] as part:
            assert part.matches(data[3:-3])
    elif how == 4:
        with secret + b"!" as more:
            assert more.matches(data + b"!")
    elif how == 5:
        with Secret.from_bytes(data) as same:
            assert same == secret
    else:
        secret.write_to(null)


def test_eight_threads_of_mixed_operations() -> None:
    """Each on its own secrets; all share the arena."""
    before = secretmem.posture().live
    null = os.open("/dev/null", os.O_WRONLY)

    def work(worker: int) -> None:
        pick = random.Random(worker)  # noqa: S311 - which operation
        mine: dict[int, Secret] = {}
        for turn in range(times(400, least=100)):
            number = worker * 100_000 + turn
            mine[number] = Secret.from_bytes(
                data_of(number),
                inherit=pick.random() < 0.3,
                isolated=pick.random() < 0.05,
            )
            chosen = pick.choice(list(mine))
            use(mine[chosen], data_of(chosen), pick.randrange(7), null)
            if len(mine) > 30:
                mine.pop(pick.choice(list(mine))).close()
        for number, secret in mine.items():
            assert secret.matches(data_of(number))
            secret.close()

    together(8, work)
    os.close(null)
    now = secretmem.posture()
    assert now.live == before
    assert now.stacks_in_use == 0
    assert now.unwiped == 0


def test_eight_threads_on_one_secret() -> None:
    """All at once, through every operation."""
    data = data_of(7)
    null = os.open("/dev/null", os.O_WRONLY)
    with Secret.from_bytes(data) as secret:

        def work(worker: int) -> None:
            for turn in range(times(150, least=50)):
                use(secret, data, (worker + turn) % 7, null)

        together(8, work)
    os.close(null)


def test_writers_and_readers_of_one_secret() -> None:
    """A reader sees one writer's whole value, or BorrowError."""
    size = 5000
    outcomes: set[str] = set()
    with Secret.from_bytes(b"\0" * size) as secret:

        def work(worker: int) -> None:
            for _ in range(times(150, least=50)):
                try:
                    if worker % 2:
                        with secret.reveal(writable=True) as view:
                            view[:] = bytes([worker]) * size
                        outcomes.add("written")
                    else:
                        seen = set(hazmat.export_bytes(secret))
                        assert len(seen) == 1, seen
                        outcomes.add("read")
                except BorrowError:
                    outcomes.add("borrowed")

        together(6, work)
        assert {"written", "read"} <= outcomes


def test_close_and_trim_beside_everything() -> None:
    """Areas come and go under the other threads' hands."""
    stop = threading.Event()
    kept = [Secret.from_bytes(data_of(n)) for n in range(50)]

    def trims(_: int) -> None:
        while not stop.is_set():
            secretmem.trim()

    def churns(worker: int) -> None:
        for turn in range(times(60, least=20)):
            number = worker * 1000 + turn
            made = [Secret.from_bytes(data_of(number)) for _ in range(40)]
            for secret in made:
                assert secret.matches(data_of(number))
            for secret in made:
                secret.close()

    with ThreadPoolExecutor(1) as pool:
        trimming = pool.submit(trims, 0)
        try:
            together(4, churns)
        finally:
            stop.set()
        trimming.result(300)
    assert all(s.matches(data_of(n)) for n, s in enumerate(kept))


def test_writing_threads_beside_trim_and_close() -> None:
    """They let the interpreter go; the last use of a closed one frees it."""
    null = os.open("/dev/null", os.O_WRONLY)
    rounds = times(100, least=30)
    before = secretmem.posture().live

    def work(_: int) -> None:
        for _turn in range(rounds):
            secret = Secret.random(20_000)
            writer = threading.Thread(target=swallow, args=[secret])
            writer.start()
            secret.close()
            secretmem.trim()
            writer.join()

    def swallow(secret: Secret) -> None:
        with suppress(ClosedError):
            secret.write_to(null)

    together(4, work)
    os.close(null)
    assert secretmem.posture().live == before


def test_more_threads_than_stacks() -> None:
    """They wait for one another, and all come through."""
    data = b"s" * 2000
    with Secret.from_bytes(data) as secret:

        def work(_: int) -> None:
            for _turn in range(5):
                assert secret.matches(data)
                assert secret[::-1].matches(data[::-1])

        together(100, work)


def test_an_event_loop() -> None:
    """Blocks of views across awaits, and reads in worker threads."""

    async def one(number: int) -> bytes:
        with Secret.from_bytes(data_of(number)) as secret:
            with secret.reveal() as view:
                await asyncio.sleep(0)
                assert bytes(view) == data_of(number)
                await asyncio.sleep(0.001)
                assert bytes(view) == data_of(number)
            reading, writing = os.pipe()
            loop = asyncio.get_running_loop()
            read = loop.run_in_executor(None, Secret.from_fd, reading)
            await asyncio.sleep(0)
            os.write(writing, b"piped %d" % number)
            os.close(writing)
            with await read as piped:
                os.close(reading)
                return hazmat.export_bytes(piped)

    async def all_of_them() -> list[bytes]:
        return list(await asyncio.gather(*map(one, range(40))))

    said = asyncio.run(all_of_them())
    assert said == [b"piped %d" % number for number in range(40)]
    assert secretmem.posture().views_open == 0


def test_a_cancelled_task_leaves_its_blocks() -> None:
    """The view is ended and the change is not written back."""

    async def cancelled() -> Secret:
        secret = Secret.from_bytes(b"before")

        async def change() -> None:
            with secret.reveal(writable=True) as view:
                view[:] = b"-half-"
                await asyncio.sleep(100)

        task = asyncio.create_task(change())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return secret

    with asyncio.run(cancelled()) as secret:
        assert secret.matches(b"before")
    assert secretmem.posture().views_open == 0


def test_garbage_in_threads() -> None:
    """Cycles with secrets and views, collected by whichever thread."""
    before = secretmem.posture()

    class Node:
        def __init__(self, number: int) -> None:
            self.secret = Secret.from_bytes(data_of(number))
            self.manager: Any = self.secret.reveal()
            self.view = self.manager.__enter__()
            self.me = self

    def work(worker: int) -> None:
        for turn in range(times(100, least=30)):
            node = Node(worker * 1000 + turn)
            assert bytes(node.view) == data_of(worker * 1000 + turn)
            if turn % 10 == 0:
                gc.collect()

    together(4, work)
    gc.collect()
    now = secretmem.posture()
    assert (now.live, now.views_open) == (before.live, before.views_open)


def test_the_first_use_by_many_threads_at_once() -> None:
    """Set up once, whoever comes first."""

    def first() -> None:
        import threading

        from secretmem import Secret, posture

        barrier = threading.Barrier(16)
        failed: list[BaseException] = []

        def work(number: int) -> None:
            try:
                barrier.wait()
                with Secret.from_bytes(b"%d" % number) as secret:
                    assert secret.matches(b"%d" % number)
                    with secret.reveal() as view:
                        assert bytes(view) == b"%d" % number
            except BaseException as error:  # noqa: BLE001 - told below
                failed.append(error)

        threads = [threading.Thread(target=work, args=[n]) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed, failed
        assert posture().live == 0

    for _ in range(times(5, least=3)):
        alone.passes(first)
