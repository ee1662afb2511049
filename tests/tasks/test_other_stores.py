"""The other stores of the documentation's table, those that run here."""

from __future__ import annotations

import base64
import subprocess
import time
from pathlib import Path

import pytest

from secretmem import age, hazmat, sources
from support import postgres


pytestmark = pytest.mark.needs_secretmem


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an identity, and a value that is sealed for it."""
    monkeypatch.chdir(tmp_path)
    with age.Identity.generate() as identity, identity.text() as text:
        Path("key").write_bytes(hazmat.export_bytes(text))
        to = [identity.recipient]
        Path("sealed").write_bytes(age.encrypt(b"hunter2", to, armor=True))
        Path("db.age").write_bytes(age.encrypt(b"hunter2", to))


def _reads(source: str) -> None:
    with sources.read(f"age:{source}?identity=key") as secret:
        assert secret.matches("hunter2")


def test_files_and_documents() -> None:
    """A mounted config map, and a field in base64."""
    _reads("file:sealed")
    text = base64.b64encode(Path("db.age").read_bytes()).decode()
    Path("conf.json").write_text(f'{{"db": "{text}"}}')
    _reads("json:conf.json?encoding=base64#db")


@pytest.mark.needs_tool("git")
def test_git() -> None:
    """A commit; the file is not armored, and comes as it is."""
    user = ("-c", "user.name=me", "-c", "user.email=me@localhost")
    for command in (
        ("git", "init", "-q"),
        ("git", "add", "db.age"),
        ("git", *user, "commit", "-qm", "sealed"),
    ):
        subprocess.run(command, check=True)
    _reads("cmd:git show HEAD:db.age")


@pytest.mark.needs_tool("redis-server", "redis-cli")
def test_redis() -> None:
    """A server on a Unix socket."""
    client = ("redis-cli", "-s", "socket")
    with (
        Path("log").open("wb") as log,
        subprocess.Popen(
            [
                *("redis-server", "--port", "0", "--unixsocket", "socket"),
                *("--save", "", "--daemonize", "no"),
            ],
            stdout=log,
            stderr=log,
        ) as server,
    ):
        try:
            end = time.monotonic() + 60
            while not Path("socket").exists():
                assert server.poll() is None, Path("log").read_text()
                assert time.monotonic() < end, "the server does not start"
                time.sleep(0.05)
            command = [*client, "-x", "set", "app:db"]
            with Path("sealed").open("rb") as sealed:
                subprocess.run(command, stdin=sealed, check=True)
            _reads(f"cmd:{' '.join(client)} --raw get app:db")
        finally:
            server.terminate()


@pytest.mark.needs_tool("psql")
@pytest.mark.needs_postgresql
def test_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table."""
    sealed = Path("sealed").read_text()
    with postgres.server("word") as folder:
        for name, value in (
            ("PGHOST", folder),
            ("PGUSER", postgres.USER),
            ("PGDATABASE", postgres.DATABASE),
            ("PGPASSWORD", "word"),
        ):
            monkeypatch.setenv(name, value)
        made = "create table sealed (name text, value text);"
        made += f"insert into sealed values ('db', '{sealed}')"  # noqa: S608 - base64
        subprocess.run(["psql", "-qc", made], check=True)
        _reads(
            "cmd:psql -XAt -c \"select value from sealed where name = 'db'\""
        )
