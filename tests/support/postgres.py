"""A PostgreSQL server of our own, on a Unix socket, with SCRAM passwords."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator


USER, DATABASE = "app", "postgres"


def binaries() -> Path | None:
    """Find the folder of the server's programs; Debian has it not in PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None


def why_not() -> str | None:
    """Say why there can be no server."""
    return "PostgreSQL is not installed" if binaries() is None else None


@contextmanager
def server(password: str) -> Iterator[str]:
    """
    Run a server with the user ``app``; gives the folder of its socket.

    It does not run as root; then the user postgres has to exist.
    """
    programs = binaries()
    assert programs is not None
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="secretmem-pg-") as name:
        folder = Path(name)
        secret = folder / "password"
        secret.write_text(password)
        if user:
            for path in (folder, secret):
                shutil.chown(path, user, user)
        data = folder / "data"
        subprocess.run(
            [
                *(f"{programs}/initdb", "-D", str(data), "-U", USER),
                *("--no-sync", "--auth=scram-sha-256", f"--pwfile={secret}"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            user=user,
            cwd=folder,
        )
        secret.unlink()
        with subprocess.Popen(
            [
                *(f"{programs}/postgres", "-D", str(data), "-k", name),
                *("-h", "", "-F", "-c", "log_min_messages=fatal"),
            ],
            stderr=subprocess.DEVNULL,
            user=user,
            cwd=folder,
        ) as process:
            try:
                _wait(programs, folder)
                yield name
            finally:
                process.terminate()
                process.wait(PATIENCE)


def _wait(programs: Path, folder: Path) -> None:
    end = time.monotonic() + PATIENCE
    ready = [f"{programs}/pg_isready", "-q", "-h", str(folder)]
    while subprocess.run(ready, check=False).returncode:
        assert time.monotonic() < end, "the server does not start"
        time.sleep(0.05)
