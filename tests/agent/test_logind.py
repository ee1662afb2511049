"""The agent sleeps when systemd-logind says that the machine will."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from agent import bus, sleeping, stage


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_tool("dbus-daemon"),
]


def test_logind(tmp_path: Path) -> None:
    """It holds its inhibitor until it sleeps, and wakes up afterwards."""
    with (
        bus.logind(tmp_path) as logind,
        sleeping.agent(tmp_path, env=logind.env) as sleeper,
    ):
        stage.wait_until(lambda: sleeper.status()["hibernation"]["logind"])
        assert logind.asked[0][0] == "sleep"
        assert logind.asked[0][3] == "delay"
        for _ in range(2):
            assert logind.is_held()
            logind.prepare(begins=True)
            logind.wait_for_release()
            if not os.geteuid():
                assert not sleeping.secret_mappings(sleeper.agent.process.pid)
            assert sleeper.is_asleep()
            logind.prepare(begins=False)
            # Awake again it has a new one.
            stage.wait_until(logind.is_held)
            assert not sleeper.is_asleep()


def test_a_forged_signal(tmp_path: Path) -> None:
    """Who is not logind cannot send it to sleep, nor wake it."""
    with (
        bus.logind(tmp_path) as logind,
        sleeping.agent(tmp_path, env=logind.env) as sleeper,
    ):
        stage.wait_until(lambda: sleeper.status()["hibernation"]["logind"])
        bus.forge(logind.address, begins=True)
        logind.prepare(begins=False)
        assert not sleeper.is_asleep()
        logind.prepare(begins=True)
        logind.wait_for_release()
        bus.forge(logind.address, begins=False)
        assert sleeper.is_asleep()
