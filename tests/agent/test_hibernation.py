"""The agent gives all secret memory back, and has its keys afterwards."""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from agent import message, sleeping, stage
from secretmem.agent.client import AgentRefusedError
from secretmem.agent.wire import string, strings


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_tool("ssh-add", "ssh-keygen"),
]

LIST = bytes([message.LIST])
NONCE = b"n" * 12


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[sleeping.Sleeper]:
    """Give an agent that sleeps by request."""
    with sleeping.agent(tmp_path) as found:
        yield found


@pytest.mark.needs_root
def test_nothing_secret_is_left(sleeper: sleeping.Sleeper) -> None:
    """No mapping and no descriptor while it sleeps; the number stays."""
    pid = sleeper.agent.process.pid
    assert sleeping.secret_mappings(pid)
    for _ in range(2):
        sleeper.sleep()
        assert sleeping.secret_mappings(pid) == []
        assert sleeper.status()["pid"] == pid
        sleeper.wake()
        assert sleeping.secret_mappings(pid)


# Alone in its process: this one may hold secret memory too.
_GATE = """
import sys
from pathlib import Path
from agent import sleeping

state = Path("/sys/power/state")
with sleeping.agent(Path(sys.argv[1])) as sleeper:
    print("disk" in state.read_text().split())
    for act in (sleeper.sleep, sleeper.wake):
        act()
        print("disk" in state.read_text().split())
"""


@pytest.mark.needs_hibernation
def test_the_kernel_lets_the_machine_hibernate(tmp_path: Path) -> None:
    """``disk`` is among the states while the agent sleeps, not before."""
    tests = str(Path(__file__).parents[1])
    said = stage.run(
        *(sys.executable, "-c", _GATE, tmp_path),
        env={"PYTHONPATH": tests},
    )
    assert said.split() == ["False", "True", "False"]


def test_all_keys_come_back(tmp_path: Path, keys: dict[str, Path]) -> None:
    """Of each kind, with certificate, comment, limits and counts."""
    key = tmp_path / "certified"
    stage.run("cp", keys["ed25519"], key)
    stage.run("cp", f"{keys['ed25519']}.pub", f"{key}.pub")
    authority = stage.make_key(tmp_path, "ed25519", "authority")
    stage.certify(authority, key)
    (tmp_path / "cipher").write_bytes(bytes(32))
    known = tmp_path / "known_hosts"
    host = Path(f"{authority}.pub").read_text("utf-8")
    known.write_text(f"host.example {host}", "utf-8")
    secret = f"db=aes-gcm:file:{tmp_path}/cipher"
    with sleeping.agent(tmp_path, "--secret", secret) as sleeper:
        agent = sleeper.agent
        agent.add(key)
        agent.add("-t", "1000", keys["p256"])
        agent.add("-c", keys["p384"])
        agent.add("-H", known, "-h", "host.example", keys["p521"])
        agent.add(keys["rsa"])
        for kind in ("ed25519", "rsa"):
            agent.add("-T", f"{keys[kind]}.pub")
        with sleeper.second() as client:
            sealed = client.cipher("db").encrypt(NONCE, b"data")
        listed, before = agent.add("-L"), sleeper.status()
        sleeper.sleep()
        sleeper.wake()
        after = sleeper.status()
        assert agent.add("-L") == listed
        for old, new in zip(before["keys"], after["keys"], strict=True):
            left = [each.pop("seconds_left") for each in (old, new)]
            assert old == new
            assert left == [None, None] or 0 < left[1] <= left[0] <= 1000
        assert [each["confirm"] for each in after["keys"]].count(True) == 1
        assert ["host.example"] in [x["destinations"] for x in after["keys"]]
        assert after["started"] == before["started"]
        assert after["secrets"] == before["secrets"]
        for kind in ("ed25519", "p256", "rsa"):
            agent.add("-T", f"{keys[kind]}.pub")
        with sleeper.second() as client:
            assert client.cipher("db").decrypt(NONCE, sealed) == b"data"


def test_clients_wait(sleeper: sleeping.Sleeper) -> None:
    """A connection stays; what it asks is answered afterwards."""
    key = ed25519.Ed25519PrivateKey.generate()
    with sleeper.agent.connect() as old:
        assert stage.ask(old, message.add(key)) == message.SUCCESS
        sleeper.sleep()
        request = message.frame(message.sign(key))
        old.sendall(request)
        with sleeper.agent.connect() as new, sleeper.second() as client:
            new.sendall(request)
            # The agent has looked at all that came before.
            assert client.status()["hibernation"]["asleep_since"]
            ready, _, _ = select.select([old, new], [], [], 0)
            assert not ready
            client.wake()
            for each in (old, new):
                assert stage.reply(each)[0] == message.SIGNATURE


def test_a_forwarded_connection_stays_one(sleeper: sleeping.Sleeper) -> None:
    """What a client has bound its connection to is not forgotten."""
    host = ed25519.Ed25519PrivateKey.generate()
    session = b"session"
    signature = strings(b"ssh-ed25519", host.sign(session))
    bound = strings(
        b"session-bind@openssh.com", message.blob(host), session, signature
    )
    bind = bytes([message.EXTENSION]) + bound + b"\1"
    status = bytes([message.EXTENSION]) + string(b"status@secretmem")
    with sleeper.second() as client:
        # As a forwarded host has it.
        connection = client._socket
        connection.settimeout(30)
        assert stage.ask(connection, status)[0] == message.EXTENSION_RESPONSE
        assert stage.ask(connection, bind) == message.SUCCESS
        assert stage.ask(connection, status) == message.FAILURE
        sleeper.sleep()
        connection.sendall(message.frame(status))
        sleeper.wake()
        assert stage.reply(connection) == message.FAILURE


def test_the_lock_stays(sleeper: sleeping.Sleeper) -> None:
    """A locked agent sleeps, and is locked afterwards."""
    key = ed25519.Ed25519PrivateKey.generate()
    with sleeper.agent.connect() as connection:
        stage.ask(connection, message.add(key))
        assert stage.ask(connection, message.lock(b"pw")) == message.SUCCESS
        sleeper.sleep()
        sleeper.wake()
        assert stage.ask(connection, message.sign(key)) == message.FAILURE
        wrong = stage.ask(connection, message.unlock(b"other"))
        assert wrong == message.FAILURE
        right = stage.ask(connection, message.unlock(b"pw"))
        assert right == message.SUCCESS
        assert stage.ask(connection, message.sign(key))[0] == message.SIGNATURE


def test_a_lifetime_ends_meanwhile(sleeper: sleeping.Sleeper) -> None:
    """A key whose time is over does not come back."""
    key = ed25519.Ed25519PrivateKey.generate()
    stays = ed25519.Ed25519PrivateKey.generate()
    with sleeper.agent.connect() as connection:
        stage.ask(connection, message.add(stays))
        short = message.add(key, constraints=b"\1\0\0\0\2")
        stage.ask(connection, short)
        sleeper.sleep()
        stage.wait_until(lambda: _is_over(sleeper.status()))
        sleeper.wake()
        assert stage.ask(connection, message.sign(key)) == message.FAILURE
        reply = stage.ask(connection, message.sign(stays))
        assert reply[0] == message.SIGNATURE


def _is_over(status: dict[str, Any]) -> bool:
    left = [key["seconds_left"] for key in status["keys"]]
    return all(each is None or each < 0 for each in left)


def test_a_wrong_passphrase(sleeper: sleeping.Sleeper) -> None:
    """It sleeps on, and the right one wakes it."""
    key = ed25519.Ed25519PrivateKey.generate()
    path = sleeper.folder / "passphrase"
    with sleeper.agent.connect() as connection:
        stage.ask(connection, message.add(key))
        sleeper.sleep()
        path.write_bytes(b"another")
        with pytest.raises(AgentRefusedError):
            sleeper.wake()
        assert sleeper.is_asleep()
        path.unlink()
        with pytest.raises(AgentRefusedError):
            sleeper.wake()
        path.write_bytes(sleeping.PASSPHRASE)
        sleeper.wake()
        assert stage.ask(connection, message.sign(key))[0] == message.SIGNATURE
    code, log = sleeper.agent.end()
    assert code == 0
    assert "fail to wake (NoMatchError)" in log


def test_signals(sleeper: sleeping.Sleeper) -> None:
    """SIGUSR2 sends it to sleep and wakes it; SIGUSR1 drops keys."""
    key = ed25519.Ed25519PrivateKey.generate()
    process = sleeper.agent.process
    with sleeper.agent.connect() as connection:
        stage.ask(connection, message.add(key))
        process.send_signal(signal.SIGUSR2)
        stage.wait_until(sleeper.is_asleep)
        process.send_signal(signal.SIGUSR1)
        stage.wait_until(lambda: not sleeper.status()["keys"])
        process.send_signal(signal.SIGUSR2)
        stage.wait_until(lambda: not sleeper.is_asleep())
        listed = stage.ask(connection, LIST)
        assert listed == bytes([message.IDENTITIES, 0, 0, 0, 0])


def test_its_end(sleeper: sleeping.Sleeper) -> None:
    """SIGTERM ends it while it sleeps, and its sockets are removed."""
    sleeper.sleep()
    code, _ = sleeper.agent.end()
    assert code == 0
    assert not sleeper.agent.path.exists()
    assert not (sleeper.folder / "extra").exists()


def test_a_question_is_answered_with_no(tmp_path: Path) -> None:
    """A signature that waits for the user is refused; the client stays."""
    program = tmp_path / "askpass"
    program.write_text(f"#!/bin/sh\necho >{tmp_path}/asked\nexec sleep 600\n")
    program.chmod(0o700)
    env = {**sleeping.NO_BUS, "SSH_ASKPASS": str(program)}
    key = ed25519.Ed25519PrivateKey.generate()
    with (
        sleeping.agent(tmp_path, env=env) as sleeper,
        sleeper.agent.connect() as connection,
    ):
        stage.ask(connection, message.add(key, constraints=b"\2"))
        connection.sendall(message.frame(message.sign(key)))
        stage.wait_until((tmp_path / "asked").exists)
        sleeper.sleep()
        assert stage.reply(connection) == message.FAILURE
        sleeper.wake()
        assert stage.ask(connection, LIST)[0] == message.IDENTITIES


def test_half_a_message(sleeper: sleeping.Sleeper) -> None:
    """A client in the middle of one is let go, and nobody else."""
    key = ed25519.Ed25519PrivateKey.generate()
    with (
        sleeper.agent.connect() as slow,
        sleeper.agent.connect() as other,
    ):
        slow.sendall(message.frame(message.add(key))[:-5])
        assert stage.ask(other, LIST)[0] == message.IDENTITIES
        sleeper.sleep()
        assert stage.reply(slow) == b""
        sleeper.wake()
        assert stage.ask(other, LIST)[0] == message.IDENTITIES


def test_it_ends_with_its_command(tmp_path: Path) -> None:
    """The agent of a command sleeps in one, and ends with it."""
    (tmp_path / "passphrase").write_bytes(sleeping.PASSPHRASE)
    said = stage.run(
        *(sys.executable, "-m", "secretmem.cli.main", "agent"),
        *("--hibernation=allow", "--hibernation-key"),
        *(f"file:{tmp_path}/passphrase", "--"),
        *("sh", "-c", 'secretmem agent --sleep && echo "$SSH_AGENT_PID"'),
        env={
            **sleeping.NO_BUS,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
    )
    pid = int(said.split()[-1])
    stage.wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_passphrase_by_askpass(tmp_path: Path) -> None:
    """It is asked for at the start and afterwards, at most three times."""
    env = {**sleeping.NO_BUS, **stage.askpass(tmp_path, "right\n")}
    answer, asked = tmp_path / "answer", tmp_path / "asked"
    command: list[str | Path] = [
        "setsid",
        sys.executable,
        "-m",
        "secretmem.cli.main",
        "agent",
    ]
    command += ["-D", "-a", tmp_path / "agent.sock", "-x", tmp_path / "extra"]
    path, log = tmp_path / "agent.sock", tmp_path / "agent.log"
    words = [*command, "--hibernation=allow"]
    with stage.serving(words, path, log, env) as agent:
        sleeper = sleeping.Sleeper(agent, tmp_path)
        sleeper.sleep()
        asked.unlink()
        answer.write_text("wrong\n", "utf-8")
        with pytest.raises(AgentRefusedError):
            sleeper.wake()
        assert len(asked.read_text("utf-8").splitlines()) == 3
        # Nobody there.
        answer.write_text("", "utf-8")
        with pytest.raises(AgentRefusedError):
            sleeper.wake()
        answer.write_text("right\n", "utf-8")
        sleeper.wake()
        assert not sleeper.is_asleep()


def test_without_the_option(tmp_path: Path) -> None:
    """The agent says that it keeps the machine awake, and refuses."""
    with stage.agent(tmp_path, "-x", tmp_path / "extra") as agent:
        sleeper = sleeping.Sleeper(agent, tmp_path)
        with pytest.raises(AgentRefusedError):
            sleeper.sleep()
        assert sleeper.status()["hibernation"]["allowed"] is False
        said = stage.run(
            *(sys.executable, "-m", "secretmem.cli.main", "agent"),
            *("status", "-x", tmp_path / "extra"),
        )
        assert "hibernation: refused while this agent runs" in said


@pytest.mark.parametrize(
    "source, reason",
    [
        ("env:PASSPHRASE", "cannot be read again"),
        ("fd:0", "cannot be read again"),
        ("file:/nonexistent", "ENOENT"),
        ("prompt:", "SSH_ASKPASS"),
        ("nothing:", "nothing"),
    ],
)
def test_a_passphrase_that_cannot_be_had(
    source: str, reason: str, tmp_path: Path
) -> None:
    """The agent says so at the start, and leaves no socket."""
    clean = {"SSH_ASKPASS": "", "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    said = stage.run(
        *(sys.executable, "-m", "secretmem.cli.main", "agent", "-D"),
        *("-a", tmp_path / "agent.sock", "--hibernation=allow"),
        *("--hibernation-key", source),
        env={**sleeping.NO_BUS, **clean},
        check=False,
    )
    assert reason in said
    assert "Traceback" not in said
    assert not (tmp_path / "agent.sock").exists()
