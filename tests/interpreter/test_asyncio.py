"""Secrets in coroutines: what waits, waits in a thread."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from docs import blocks
from secretmem import Secret, handover, sources
from secretmem.agent.client import Client
from secretmem.crypto import kdf
from secretmem.keys import RSAPrivateKey
from secretmem.sources import Watch


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


pytestmark = pytest.mark.needs_secretmem

WORD = b"hunter2"


# What the guide lists.
BLOCKING = (
    Secret.from_fd,
    Secret.from_file,
    Secret.prompt,
    Secret.write_to,
    sources.Command,
    sources.Keyring,
    sources.Prompt,
    Watch.check,
    Watch.use,
    Client,
    RSAPrivateKey.generate,
    handover.recv_secret,
    kdf.argon2id,
    kdf.pbkdf2,
    kdf.scrypt,
)


@pytest.mark.parametrize("call", BLOCKING, ids=lambda call: call.__qualname__)
def test_what_blocks_says_so(call: Callable[..., object]) -> None:
    """In its documentation, and in the guide."""
    assert "blocks" in (call.__doc__ or "").lower()
    page = blocks.read("guide/asyncio.md")
    assert call.__name__.lower() in page.lower()


def test_the_loop_goes_on_while_a_pipe_is_read() -> None:
    """It is the loop that writes what the other thread waits for."""

    async def main() -> None:
        source, target = os.pipe()
        waiting = asyncio.create_task(
            asyncio.to_thread(Secret.from_fd, source)
        )
        for _ in range(3):
            await asyncio.sleep(0.01)
        assert not waiting.done()
        os.write(target, WORD)
        os.close(target)
        with await waiting as secret:
            assert secret.matches(WORD)
        os.close(source)

    asyncio.run(main())


def test_the_loop_goes_on_while_a_command_runs(tmp_path: Path) -> None:
    """The command waits for the loop, too."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    async def main() -> None:
        waiting = asyncio.create_task(
            asyncio.to_thread(sources.read, f"sh:cat {fifo}")
        )
        await asyncio.sleep(0.01)
        # Another thread: opening a FIFO waits for its reader.
        await asyncio.to_thread(fifo.write_bytes, WORD)
        with await waiting as secret:
            assert secret.matches(WORD)

    asyncio.run(main())


def test_secrets_pass_between_threads_and_tasks() -> None:
    """Made in one, used in others, closed in a third."""

    async def main() -> None:
        password = Secret.from_bytes(WORD)
        derived = await asyncio.gather(
            *(
                asyncio.to_thread(
                    kdf.scrypt,
                    password,
                    salt=b"salt",
                    length=32,
                    n=2,
                    r=8,
                    p=1,
                )
                for _ in range(3)
            )
        )
        assert derived[0] == derived[1] == derived[2]
        with password.reveal() as view:
            await asyncio.sleep(0)
            assert bytes(view) == WORD
        await asyncio.to_thread(password.close)
        assert password.closed

    asyncio.run(main())


def test_a_cancelled_task_ends_its_view() -> None:
    """It leaves the block by an exception; the view is released."""
    views = []

    async def look(secret: Secret, seen: asyncio.Event) -> None:
        with secret.reveal() as view:
            views.append(view)
            seen.set()
            await asyncio.Event().wait()

    async def main() -> None:
        seen = asyncio.Event()
        with Secret.from_bytes(WORD) as secret:
            task = asyncio.create_task(look(secret, seen))
            await seen.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        with pytest.raises(ValueError, match="released"):
            len(views[0])

    asyncio.run(main())


def test_a_followed_source_wakes_the_loop(tmp_path: Path) -> None:
    """Its thread hands over."""
    path = tmp_path / "token"
    path.write_bytes(b"first")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()
        with sources.File(path).watch(interval=0.01) as watch:
            watch.follow(lambda *_: loop.call_soon_threadsafe(changed.set))
            path.write_bytes(b"the second")
            await changed.wait()
            with watch.use() as now:
                assert now.matches("the second")

    asyncio.run(main())
