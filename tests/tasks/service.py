"""
The service of the tutorial, as usual and with secretmem, under an audit.

    PYTHONPATH=tests python -m tasks.service

prints what ``secretmem audit`` finds of each secret in a worker of either.
"""

from __future__ import annotations

import collections
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pg8000.dbapi
from cryptography.fernet import Fernet

from support import postgres
from support.patience import PATIENCE, wait_until


if TYPE_CHECKING:
    from collections.abc import Iterator


SERVICE = Path(__file__).resolve().parents[2] / "examples" / "service"
SECRETS = ("db_password", "jwt_key", "encryption_key")


class Place:
    """A folder with the secrets of a service, and its database."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.database = f"{database}/.s.PGSQL.5432"
        self.path = str(folder / "socket")

    def environment(self, program: str) -> dict[str, str]:
        """Give what the program is told; the usual one all secrets."""
        told = {"APP_DB_SOCKET": self.database}
        if program == "before":
            for name in SECRETS:
                told[f"APP_{name.upper()}"] = self.secret(name)
        return told

    def secret(self, name: str) -> str:
        """Read a secret."""
        return (self.folder / "secrets" / name).read_text().strip()

    def ask(
        self, method: str, url: str, token: str = "", **body: str
    ) -> tuple[int, Any]:
        """Send a request; gives status and what came."""
        connection = http.client.HTTPConnection("localhost", timeout=PATIENCE)
        connection.sock = socket.socket(socket.AF_UNIX)
        with closing(connection):
            connection.sock.connect(self.path)
            headers = {"Content-Type": "application/json"}
            if token:
                headers["Authorization"] = f"Bearer {token}"
            connection.request(method, url, json.dumps(body), headers)
            answer = connection.getresponse()
            said = answer.read()
        return answer.status, json.loads(said) if answer.status < 300 else said


@contextmanager
def place() -> Iterator[Place]:
    """Make secrets and a database."""
    password = secrets.token_urlsafe(24)
    values = {
        "db_password": password,
        "jwt_key": secrets.token_urlsafe(32),
        "encryption_key": Fernet.generate_key().decode(),
    }
    with (
        postgres.server(password) as database,
        tempfile.TemporaryDirectory(prefix="secretmem-service-") as name,
    ):
        made = Place(Path(name), database)
        (made.folder / "secrets").mkdir()
        for each, value in values.items():
            (made.folder / "secrets" / each).write_text(f"{value}\n")
        with closing(
            pg8000.dbapi.connect(
                postgres.USER,
                password=password,
                unix_sock=made.database,
                database=postgres.DATABASE,
            )
        ) as connection:
            cursor = connection.cursor()
            cursor.execute((SERVICE / "schema.sql").read_text())
            connection.commit()
        yield made


@contextmanager
def running(program: str, made: Place, *options: str) -> Iterator[int]:
    """Run one of the two programs; gives its worker's process."""
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "--workers", "1"),
            *("--timeout", str(int(PATIENCE))),
            *("--bind", f"unix:{made.path}", "--pythonpath", str(SERVICE)),
            *("--no-control-socket", *options, f"{program}:app"),
        ],
        cwd=made.folder,
        env={**os.environ, **made.environment(program)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            wait_until(lambda: _answers(made) or process.poll() is not None)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            assert process.poll() is None
            (worker,) = children.read_text().split()
            yield int(worker)
        finally:
            process.terminate()
            said = process.communicate(timeout=PATIENCE)[1].decode()
    assert "Traceback" not in said, said


def _answers(made: Place) -> bool:
    try:
        made.ask("GET", "/")
    except OSError:
        return False
    return True


def used(made: Place) -> None:
    """Ask for everything that the service does."""
    _, answer = made.ask("POST", "/token", user="ann")
    token = answer["token"]
    status, answer = made.ask("POST", "/notes", token, text="buy milk")
    assert status == 201
    url = f"/notes/{answer['id']}"
    assert made.ask("GET", url, token) == (200, {"text": "buy milk"})
    assert made.ask("GET", url)[0] == 401
    _, answer = made.ask("POST", "/token", user="bob")
    assert made.ask("GET", url, answer["token"])[0] == 404


def audited(made: Place, worker: int) -> dict[str, int]:
    """Let ``secretmem audit`` look for each secret; counts pieces."""
    keys = [
        word
        for name in SECRETS
        for word in ("--key", f"raw=file:secrets/{name}?strip")
    ]
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("secretmem")),
            *("audit", "--json", "--pid", str(worker), *keys),
        ],
        cwd=made.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert report["complete"], report["gaps"]
    found = collections.Counter(each["key"] for each in report["findings"])
    return {
        name: found[f"raw of file:secrets/{name}?strip"] for name in SECRETS
    }


def counted(program: str, made: Place) -> dict[str, int]:
    """Run one of the programs, use it, and look."""
    with running(program, made) as worker:
        used(made)
        return audited(made, worker)


def main() -> None:
    """Print the table."""
    with place() as made:
        before, after = counted("before", made), counted("after", made)
    for name in SECRETS:
        sys.stdout.write(f"{name:14} {before[name]:4} {after[name]:4}\n")


if __name__ == "__main__":
    main()
