"""The real things around the agent: its process, key files, OpenSSH."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from support import patience


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
# Arguments of ssh-keygen for each kind of key.
KINDS = {
    "ed25519": ("-t", "ed25519"),
    "p256": ("-t", "ecdsa", "-b", "256"),
    "p384": ("-t", "ecdsa", "-b", "384"),
    "p521": ("-t", "ecdsa", "-b", "521"),
    "rsa": ("-t", "rsa", "-b", "2048"),
}
_WAIT = patience.PATIENCE
_LIST = b"\13"


def run(
    *command: str | Path,
    env: Mapping[str, str] | None = None,
    text: str | None = "",
    check: bool = True,
) -> str:
    """Run a program; return what it says on both outputs."""
    done = subprocess.run(
        command,
        env={**os.environ, **(env or {})},
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_WAIT,
    )
    assert not check or done.returncode == 0, (command, done.stdout)
    return done.stdout


def make_key(
    folder: Path, kind: str, name: str | None = None, passphrase: str = ""
) -> Path:
    """Make a key file with its public key beside it."""
    path = folder / (name or f"id_{kind}")
    words = ("ssh-keygen", "-q", "-N", passphrase, "-C", f"{kind} key")
    run(*words, *KINDS[kind], "-f", path)
    return path


def certify(authority: Path, key: Path, *options: str) -> Path:
    """Sign a public key; return the certificate's file."""
    public = f"{key}.pub"
    run("ssh-keygen", "-q", "-s", authority, "-I", "test", *options, public)
    return Path(f"{key}-cert.pub")


class Agent:
    """A running ``secretmem agent -D``."""

    def __init__(
        self, process: subprocess.Popen[str], path: Path, log: Path
    ) -> None:
        self.process = process
        self.path = path
        self.log = log
        self.env = {"SSH_AUTH_SOCK": str(path)}

    def add(self, *words: str | Path, check: bool = True) -> str:
        """Run ssh-add."""
        return run("ssh-add", *words, env=self.env, check=check)

    def connect(self) -> socket.socket:
        """Return a new connection."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.path))
        connection.settimeout(_WAIT)
        return connection

    def end(self) -> tuple[int, str]:
        """End it by SIGTERM; return the exit code and the log."""
        self.process.terminate()
        code = self.process.wait(_WAIT)
        return code, self.log.read_text("utf-8")


def ask(connection: socket.socket, message: bytes) -> bytes:
    """Send a message of the protocol; return the reply."""
    connection.sendall(len(message).to_bytes(4, "big") + message)
    return reply(connection)


def reply(connection: socket.socket) -> bytes:
    """Receive a reply; empty when the agent hung up."""
    head = receive(connection, 4)
    return receive(connection, int.from_bytes(head, "big")) if head else b""


def receive(connection: socket.socket, size: int) -> bytes:
    """Receive so many bytes, or none when the agent hung up."""
    data = b""
    while len(data) < size:
        try:
            piece = connection.recv(size - len(data))
        except ConnectionResetError:
            return b""
        if not piece:
            return b""
        data += piece
    return data


@contextlib.contextmanager
def agent(
    folder: Path, *options: str | Path, env: Mapping[str, str] | None = None
) -> Iterator[Agent]:
    """Run the agent in the foreground with its socket in ``folder``."""
    path, log = folder / "agent.sock", folder / "agent.log"
    command = [sys.executable, "-m", "secretmem.cli.main", "agent", "-D"]
    with serving([*command, "-a", path, *options], path, log, env) as agent:
        yield agent


@contextlib.contextmanager
def serving(
    command: list[str | Path],
    path: Path,
    log: Path,
    env: Mapping[str, str] | None = None,
) -> Iterator[Agent]:
    """Run a program that serves a socket, until the end of the block."""
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            text=True,
        )
    try:
        _wait_until_it_replies(process, path, log)
        yield Agent(process, path, log)
    finally:
        process.kill()
        process.wait()


def _wait_until_it_replies(
    process: subprocess.Popen[str], path: Path, log: Path
) -> None:
    """
    Wait until the agent replies; fail with its words when it ends.

    It listens before its other socket is there and its signals are taken.
    """
    end = time.monotonic() + _WAIT
    while time.monotonic() < end:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_WAIT)
            if probe.connect_ex(str(path)) == 0 and ask(probe, _LIST):
                return
        if process.poll() is not None:
            raise AssertionError(log.read_text("utf-8"))
        select.select([], [], [], 0.02)
    raise AssertionError("the agent does not reply")


class Server:
    """A running sshd on the loopback interface."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.user = run("id", "-un").strip()
        self.known = folder / "known_hosts"
        public = (folder / "host_key.pub").read_text("utf-8")
        self.known.write_text(f"[127.0.0.1]:{port} {public}", "utf-8")

    @property
    def options(self) -> list[str]:
        """Options of ssh and scp: no configuration of the user's."""
        return [
            "-F/dev/null",
            "-oBatchMode=yes",
            "-oIdentitiesOnly=no",
            f"-oUserKnownHostsFile={self.known}",
            "-oGlobalKnownHostsFile=/dev/null",
            "-oStrictHostKeyChecking=yes",
        ]

    def ssh(
        self,
        agent: Agent,
        *words: str,
        options: tuple[str, ...] = (),
        check: bool = True,
    ) -> str:
        """Run a command on the server, which is this machine."""
        where = ("-p", str(self.port), f"{self.user}@127.0.0.1")
        return run(
            "ssh",
            *self.options,
            *options,
            *where,
            *words,
            env=agent.env,
            check=check,
        )

    def authorise(self, *lines: str) -> None:
        """Say whose keys may log in."""
        text = "".join(f"{line.strip()}\n" for line in lines)
        (self.folder / "authorized_keys").write_text(text, "utf-8")


_CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
"""


@contextlib.contextmanager
def server(folder: Path, more: str = "") -> Iterator[Server]:
    """Run sshd with a host key of its own, or with the one that is there."""
    if not (folder / "host_key").exists():
        make_key(folder, "ed25519", "host_key")
    if not os.geteuid():
        # Debian's own start script makes it.
        Path("/run/sshd").mkdir(exist_ok=True)
    port, process = None, None
    while port is None:
        port, process = _start(folder, more)
    assert process
    try:
        yield Server(folder, port)
    finally:
        process.kill()
        process.wait()


def _start(
    folder: Path, more: str
) -> tuple[int | None, subprocess.Popen[bytes]]:
    """Start sshd; gives no port if another program took it meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config, log = folder / "sshd_config", folder / "sshd.log"
    text = _CONFIG.format(port=port, folder=folder) + more
    config.write_text(text, "utf-8")
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", config],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    listens = f"Server listening on 127.0.0.1 port {port}."
    end = time.monotonic() + _WAIT
    while listens not in (told := log.read_text("utf-8")):
        if process.poll() is not None:
            assert "Address already in use" in told, told
            return None, process
        if time.monotonic() > end:
            process.kill()
            process.wait()
            raise AssertionError(told)
        time.sleep(0.02)
    return port, process


def fingerprint(key: Path) -> str:
    """Return a key's fingerprint as ssh-keygen tells it."""
    said = run("ssh-keygen", "-l", "-f", f"{key}.pub")
    found = re.search(r"SHA256:\S+", said)
    assert found
    return found[0]


def askpass(folder: Path, text: str) -> dict[str, str]:
    """Return an environment in which SSH_ASKPASS answers ``text``."""
    program = folder / "askpass"
    program.write_text(
        f'#!/bin/sh\necho "$1" >>{folder}/asked\ncat {folder}/answer\n',
        "utf-8",
    )
    program.chmod(0o700)
    (folder / "answer").write_text(text, "utf-8")
    return {"SSH_ASKPASS": str(program), "SSH_ASKPASS_REQUIRE": "force"}


wait_until = patience.wait_until
