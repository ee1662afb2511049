"""OpenSSH's ssh-add as the agent's client."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from agent import stage
from support.patience import PATIENCE


pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_tool("ssh-add", "ssh-keygen"),
]


@pytest.mark.parametrize("kind", stage.KINDS)
def test_a_key_is_listed_tried_and_removed(
    kind: str, running: stage.Agent, keys: dict[str, Path]
) -> None:
    """-l, -L, -T and -d; the signature fits the public key file."""
    key = keys[kind]
    assert f"Identity added: {key}" in running.add(key)
    assert stage.fingerprint(key) in running.add("-l")
    public = key.with_suffix(".pub").read_text("utf-8")
    assert public.split()[1] in running.add("-L")
    running.add("-T", f"{key}.pub")
    assert "Identity removed" in running.add("-d", key)
    assert "no identities" in running.add("-l", check=False)


@pytest.mark.parametrize("kind", stage.KINDS)
def test_a_certificate_comes_with_its_key(
    kind: str, running: stage.Agent, tmp_path: Path
) -> None:
    """Both are listed and both sign."""
    authority = stage.make_key(tmp_path, "ed25519", "authority")
    key = stage.make_key(tmp_path, kind)
    certificate = stage.certify(authority, key, "-n", "someone")
    assert "Certificate added" in running.add(key)
    assert len(running.add("-l").splitlines()) == 2
    blob = certificate.read_text("utf-8").split()[1]
    assert blob in running.add("-L")
    running.add("-T", certificate)
    running.add("-D")
    running.add("-T", certificate, check=False)
    assert "no identities" in running.add("-l", check=False)


def test_a_key_is_added_twice(
    running: stage.Agent, keys: dict[str, Path]
) -> None:
    """It is there once, with what was said last."""
    running.add(keys["ed25519"])
    running.add(keys["p256"])
    running.add("-t", "1000", keys["ed25519"])
    assert len(running.add("-l").splitlines()) == 2
    running.add("-T", f"{keys['ed25519']}.pub")


def test_a_key_with_a_lifetime_ends(
    running: stage.Agent, keys: dict[str, Path]
) -> None:
    """-t: after its time it is neither listed nor used."""
    running.add("-t", "1", keys["ed25519"])
    running.add(keys["p256"])
    stage.wait_until(lambda: "ED25519" not in running.add("-l"))
    said = running.add("-T", f"{keys['ed25519']}.pub", check=False)
    assert "Agent signature failed" in said
    running.add("-T", f"{keys['p256']}.pub")


def test_a_lifetime_for_all(tmp_path: Path, keys: dict[str, Path]) -> None:
    """The agent's -t ends keys that come without one."""
    with stage.agent(tmp_path, "-t", "1s") as agent:
        agent.add(keys["ed25519"])
        stage.wait_until(lambda: "no ident" in agent.add("-l", check=False))


def test_the_lock(tmp_path: Path, keys: dict[str, Path]) -> None:
    """-x and -X: locked, it lists nothing and signs nothing."""
    with stage.agent(tmp_path) as agent:
        agent.add(keys["ed25519"])
        agent.env |= stage.askpass(tmp_path, "right")
        assert "Agent locked" in agent.add("-x")
        assert "no identities" in agent.add("-l", check=False)
        said = agent.add("-T", f"{keys['ed25519']}.pub", check=False)
        assert "Agent signature failed" in said
        assert "Failed to lock" in agent.add("-x", check=False)
        assert "refused" in agent.add(keys["p256"], check=False)
        (tmp_path / "answer").write_text("wrong", "utf-8")
        start = time.monotonic()
        for _ in range(3):
            assert "Failed to unlock" in agent.add("-X", check=False)
        assert time.monotonic() - start >= 0.1 + 0.2 + 0.3
        (tmp_path / "answer").write_text("right", "utf-8")
        assert "Agent unlocked" in agent.add("-X")
        assert stage.fingerprint(keys["ed25519"]) in agent.add("-l")


@pytest.mark.parametrize(
    "answer",
    ["", "yes", "no", "anything"],
)
def test_a_key_is_confirmed(
    answer: str, tmp_path: Path, keys: dict[str, Path]
) -> None:
    """-c: SSH_ASKPASS is asked, and its answer counts."""
    key = keys["ed25519"]
    allowed = answer in {"", "yes"}
    env = stage.askpass(tmp_path, answer)
    with stage.agent(tmp_path, env=env) as agent:
        agent.add("-c", key)
        said = agent.add("-T", f"{key}.pub", check=False)
        assert ("Agent signature failed" not in said) == allowed
        asked = (tmp_path / "asked").read_text("utf-8")
        assert stage.fingerprint(key) in asked
        _, log = agent.end()
        assert ("sign SHA256" in log) == allowed
        assert ("refuse SHA256" in log) != allowed


def test_nobody_can_be_asked(tmp_path: Path, keys: dict[str, Path]) -> None:
    """Without a program to ask by, the answer is no."""
    env = {"SSH_ASKPASS": "", "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    with stage.agent(tmp_path, env=env) as agent:
        agent.add("-c", keys["ed25519"])
        said = agent.add("-T", f"{keys['ed25519']}.pub", check=False)
        assert "Agent signature failed" in said


def test_others_go_on_while_one_is_asked(
    tmp_path: Path, keys: dict[str, Path]
) -> None:
    """A question that waits for its answer holds up nobody."""
    env = stage.askpass(tmp_path, "yes")
    os.mkfifo(tmp_path / "gate")
    program = tmp_path / "askpass"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/gate\n", "utf-8")
    with stage.agent(tmp_path, env=env) as agent:
        agent.add("-c", keys["ed25519"])
        agent.add(keys["p256"])
        command = ["ssh-add", "-T", f"{keys['ed25519']}.pub"]
        waiting = subprocess.Popen(command, env={**os.environ, **agent.env})
        try:
            agent.add("-T", f"{keys['p256']}.pub")
            assert waiting.poll() is None
            (tmp_path / "gate").write_text("yes", "utf-8")
            assert waiting.wait(PATIENCE) == 0
        finally:
            waiting.kill()
            waiting.wait()


def test_a_question_ends_with_its_client(
    tmp_path: Path, keys: dict[str, Path]
) -> None:
    """A client that dies takes its question back."""
    env = stage.askpass(tmp_path, "yes")
    program = tmp_path / "askpass"
    program.write_text(
        f"#!/bin/sh\necho $$ >{tmp_path}/pid\nexec sleep 600\n", "utf-8"
    )
    with stage.agent(tmp_path, env=env) as agent:
        agent.add("-c", keys["ed25519"])
        command = ["ssh-add", "-T", f"{keys['ed25519']}.pub"]
        waiting = subprocess.Popen(command, env={**os.environ, **agent.env})
        asking = tmp_path / "pid"
        stage.wait_until(lambda: asking.exists() and asking.read_text("ascii"))
        waiting.kill()
        waiting.wait()
        pid = Path("/proc", asking.read_text("ascii").strip())
        stage.wait_until(lambda: not pid.exists())
