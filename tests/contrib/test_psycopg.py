"""`contrib.psycopg`, with a real server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest

from secretmem import Secret, posture, sources
from secretmem.contrib import psycopg as with_psycopg
from support import postgres


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_postgresql,
]

WORD = "pass wörd"


@pytest.fixture(scope="module")
def folder() -> Iterator[str]:
    """Have a server; gives the folder of its socket."""
    with postgres.server(WORD) as name:
        yield name


def test_a_connection(folder: str) -> None:
    """The password is exported once, when the connection is made."""
    before = sum(posture().exports.values())
    with (
        Secret.from_bytes(WORD.encode()) as password,
        with_psycopg.connect(
            f"user=app dbname=postgres host={folder}", password=password
        ) as connection,
    ):
        assert isinstance(connection, psycopg.Connection)
        row = connection.execute("select current_user").fetchone()
        assert row == ("app",)
    assert sum(posture().exports.values()) == before + 1


def test_asyncio(folder: str) -> None:
    """The same."""

    async def ask(password: Secret) -> object:
        connect = with_psycopg.AsyncConnection.connect
        async with await connect(
            host=folder, user="app", dbname="postgres", password=password
        ) as connection:
            return await (await connection.execute("select 1")).fetchone()

    with Secret.from_bytes(WORD.encode()) as password:
        assert asyncio.run(ask(password)) == (1,)


def test_a_wrong_password(folder: str, tmp_path: Path) -> None:
    """The library's error; after the change of the source it works."""
    path = tmp_path / "password"
    path.write_text("wrong")
    with sources.File(path).watch(interval=0) as watch:

        def connect() -> None:
            with_psycopg.connect(
                host=folder, user="app", dbname="postgres", password=watch
            ).close()

        with pytest.raises(psycopg.OperationalError, match="authentication"):
            connect()
        path.write_text(WORD)
        connect()
    with pytest.raises(TypeError, match="Secret"):
        with_psycopg.connect(host=folder, password="word")  # type: ignore[arg-type]  # wrong on purpose
