"""An agent that cannot sleep, though it may, goes on."""

from __future__ import annotations

import os
import select
import threading
from typing import TYPE_CHECKING

import pytest

from agent import sleeping
from secretmem import Secret
from secretmem.agent import handing, life, sockets
from secretmem.agent.client import AgentRefusedError, Client
from secretmem.agent.extra import ExtraSession
from secretmem.agent.sealing import SealingKey
from secretmem.agent.sleep import Plan, Sleep
from secretmem.exceptions import LimitError
from support.patience import PATIENCE


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs_secretmem


def test_it_cannot_sleep(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where sealing or execve(2) fails it stays awake, and says so."""
    failures: list[Exception] = [OSError(), LimitError("full", need=1, have=0)]

    def fail(_box: object) -> None:
        raise failures.pop()

    monkeypatch.setattr(handing, "become", fail)
    passphrase = Secret.from_bytes(sleeping.PASSPHRASE)
    made = sockets.Sockets(
        tmp_path / "main",
        sockets.listen(tmp_path / "main"),
        extra=sockets.listen(tmp_path / "extra"),
    )
    agent = life.Agent([], None)
    plan = Plan(
        source="",
        sealing=SealingKey.new(passphrase),
        sockets=made,
        logs=[],
        parent=None,
        logind=False,
    )
    agent.state.sleep = Sleep(agent, plan)
    agent.listen(made.main)
    assert made.extra is not None
    agent.listen(made.extra, ExtraSession)
    bell = os.eventfd(0)
    agent.loop.watch(bell, select.EPOLLIN, lambda _: agent.loop.stop())
    thread = threading.Thread(target=agent.loop.run)
    thread.start()
    try:
        with Client(tmp_path / "extra", timeout=PATIENCE) as client:
            for _ in range(2):
                with pytest.raises(AgentRefusedError):
                    client.sleep()
                assert client.identities() == []
                client.wake()
            last = client.status()["last"]
        assert not failures
        assert any("fail to sleep (LimitError)" in line for line in last)
        with Client(tmp_path / "main", timeout=PATIENCE) as client:
            assert client.identities() == []
    finally:
        os.eventfd_write(bell, 1)
        thread.join()
        os.close(bell)
        agent.server.pause()
        for each in agent.server.let_go():
            each.close()
        made.main.close()
        made.extra.close()
