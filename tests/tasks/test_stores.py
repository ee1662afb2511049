"""
A store that carries ciphertext: the programs of ``examples/stores``, and etcd.

Each process is searched from outside for what was published: the service
that uses it, the server that stores it, and the client that waits for changes.
"""

from __future__ import annotations

import hmac
import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leak.driver import looked, only_secret_refused
from leak.needle import Needle, random_text
from support import etcd
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_ptrace,
    pytest.mark.needs_tool("etcd", "etcdctl"),
]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "stores"
KEY = "app/signing"
SOURCE = f"age:cmd:etcdctl get --print-value-only {KEY}?identity=machine.key"
RUN = (sys.executable, "-P", "-m", "secretmem.cli.main", "run")

INHERITS = """
import secretmem, sys
key = secretmem.inherited("KEY")
print(len(key), flush=True)
sys.stdin.read()
"""

ORDINARY = """
import subprocess, sys
value = subprocess.check_output(sys.argv[1:])
print(len(value) - 1, flush=True)
sys.stdin.read()
"""


class Stage:
    """A server, a machine's key, and the variables of all programs."""

    def __init__(self, server: etcd.Server) -> None:
        """Make the key."""
        self.server = server
        tools = Path(sys.executable).parent
        path = f"{tools}{os.pathsep}{os.environ['PATH']}"
        self.variables = {**os.environ, **etcd.VARIABLES, "PATH": path}
        self.run("secretmem", "keygen", "-o", "machine.key")
        recipients = self.run("secretmem", "keygen", "-y", "machine.key")
        (server.folder / "recipients.txt").write_bytes(recipients.stdout)

    def run(
        self, *command: str, given: bytes = b"", check: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program to its end."""
        return subprocess.run(
            command,
            cwd=self.server.folder,
            env=self.variables,
            input=given,
            check=check,
            capture_output=True,
        )

    def publish(self, value: bytes) -> Needle:
        """Publish; gives a piece of the ciphertext."""
        self.run(f"{EXAMPLES}/publish.sh", KEY, given=value)
        stored = self.server.ctl("get", "--print-value-only", KEY)
        assert stored.startswith(b"-----BEGIN AGE ENCRYPTED FILE-----\n")
        assert value not in stored
        return Needle(stored.split()[-6][:24])

    def put(self, value: bytes) -> None:
        """Store a value as it is."""
        self.server.ctl("put", KEY, given=value)

    @contextmanager
    def process(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a program until the block ends."""
        with subprocess.Popen(
            command,
            cwd=self.server.folder,
            env=self.variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Have a server and a machine."""
    with etcd.server(tmp_path) as server:
        yield Stage(server)


def _copies(pid: int, needle: Needle) -> int:
    scan, registers = looked(pid, [needle])
    assert only_secret_refused(scan.refused), scan.refused
    return len(scan.hits) + len(registers)


def _signed(service: subprocess.Popen[bytes], line: bytes) -> bytes:
    assert service.stdin
    assert service.stdout
    service.stdin.write(line)
    service.stdin.flush()
    return service.stdout.readline().strip()


def _signed_by(
    service: subprocess.Popen[bytes], value: bytes, *, within: float = 0
) -> None:
    """Have the service sign with a value, after some time at the latest."""
    expected = hmac.digest(value, b"line\n", "sha256").hex().encode()
    end = time.monotonic() + within
    while _signed(service, b"line\n") != expected:
        assert time.monotonic() < end, "it signs with another key"
        time.sleep(0.05)


def _appears(pid: int, needle: Needle, again: Callable[[], object]) -> None:
    """Wait until a process holds something; it may use that memory again."""
    end = time.monotonic() + PATIENCE
    while not _copies(pid, needle):
        assert time.monotonic() < end, "it never came there"
        again()
        time.sleep(0.05)


def test_only_the_service_has_the_value(stage: Stage) -> None:
    """And of it only secret memory, over a rotation; the store has neither."""
    old, new = Needle(random_text(24)), Needle(random_text(24))
    with ExitStack() as stack:
        stage.publish(old.value)
        program = (sys.executable, f"{EXAMPLES}/service.py", SOURCE)
        service = stack.enter_context(stage.process(*program))
        _signed_by(service, old.value)
        renew = (f"{EXAMPLES}/renew.sh", KEY, str(service.pid))
        client = stack.enter_context(stage.process(*renew))
        sealed = stage.publish(new.value)
        _signed_by(service, new.value, within=60)
        stored = stage.server.ctl("get", "--print-value-only", KEY)
        _appears(client.pid, sealed, lambda: stage.put(stored))
        assert _copies(stage.server.pid, sealed)
        for pid in (service.pid, client.pid, stage.server.pid):
            for needle in (old, new):
                assert not _copies(pid, needle)


def test_a_plain_value_is_in_the_store_and_its_clients(stage: Stage) -> None:
    """The control: the same search finds the same store's plain values."""
    plain = Needle(random_text(24))
    get = ("etcdctl", "get", "--print-value-only", KEY)
    with ExitStack() as stack:
        watch = ("etcdctl", "watch", "--rev=1", KEY)
        client = stack.enter_context(stage.process(*watch))
        stage.put(plain.value)
        _appears(client.pid, plain, lambda: stage.put(plain.value))
        program = (sys.executable, "-c", ORDINARY, *get)
        service = stack.enter_context(stage.process(*program))
        assert service.stdout
        assert service.stdout.readline() == b"24\n"
        assert _copies(service.pid, plain)
        assert _copies(stage.server.pid, plain)


def test_a_command_inherits_the_value(stage: Stage) -> None:
    """``secretmem run`` reads the store, and is the command then."""
    value = Needle(random_text(24))
    stage.publish(value.value)
    program = (*RUN, "--secret", f"KEY={SOURCE}", "--", sys.executable)
    with stage.process(*program, "-c", INHERITS) as service:
        assert service.stdout
        assert service.stdout.readline() == b"24\n"
        assert not _copies(service.pid, value)


def test_what_the_store_does_not_give(stage: Stage) -> None:
    """No such key, a value that is not encrypted, no store: exit codes."""

    def code() -> int:
        program = (*RUN, "--secret", f"KEY={SOURCE}", "--", "true")
        done = stage.run(*program, check=False)
        assert b"hunter2" not in done.stderr
        return done.returncode

    assert code() == 65
    stage.put(b"hunter2")
    assert code() == 65
    # The script stores nothing if it cannot encrypt.
    (stage.server.folder / "recipients.txt").write_text("age1nobody\n")
    publish = (f"{EXAMPLES}/publish.sh", KEY)
    assert stage.run(*publish, given=b"x", check=False).returncode
    stored = stage.server.ctl("get", "--print-value-only", KEY)
    assert stored == b"hunter2\n"
    stage.variables["ETCDCTL_ENDPOINTS"] = "unix://localhost:3"
    stage.variables["ETCDCTL_DIAL_TIMEOUT"] = "500ms"
    stage.variables["ETCDCTL_COMMAND_TIMEOUT"] = "500ms"
    assert code() == 75
