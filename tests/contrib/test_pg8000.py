"""`contrib.pg8000`, with a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pg8000.exceptions
import pytest

from secretmem import Secret, posture, sources
from secretmem.contrib.pg8000 import Connection, _Client, connect
from support import postgres


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_postgresql,
]

WORD = "a pass phrase"


@pytest.fixture(scope="module")
def place() -> Iterator[dict[str, str]]:
    """Have a server; gives the options that lead to it."""
    with postgres.server(WORD) as name:
        socket = f"{name}/.s.PGSQL.5432"
        yield {"unix_sock": socket, "database": "postgres"}


def test_nothing_is_exported(place: dict[str, str]) -> None:
    """The proof is computed inside."""
    before = posture().exports
    with Secret.from_bytes(WORD.encode()) as password:
        connection = connect("app", password=password, **place)
        try:
            cursor = connection.cursor()
            cursor.execute("select current_user")
            assert cursor.fetchone() == ["app"]
        finally:
            connection.close()
    assert posture().exports == before


def test_a_wrong_password(place: dict[str, str], tmp_path: Path) -> None:
    """The server's error; after the change of the source it works."""
    path = tmp_path / "password"
    path.write_text("wrong")
    with sources.File(path).watch(interval=0) as watch:
        # "28P01", or that the server has gone since.
        with pytest.raises(pg8000.exceptions.Error):
            connect("app", password=watch, **place)
        path.write_text(WORD)
        connect("app", password=watch, **place).close()
    with pytest.raises(TypeError, match="Secret"):
        connect("app", password=WORD, **place)  # type: ignore[arg-type]  # wrong on purpose


def test_a_server_that_does_not_know_it(
    place: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its signature is checked; an error or nonsense is refused as well."""
    real = _Client.set_server_final
    with Secret.from_bytes(WORD.encode()) as password:
        for message in ("v=AAAA", "v=!", "e=other-error", ""):
            monkeypatch.setattr(
                _Client,
                "set_server_final",
                lambda self, _message, said=message: real(self, said),
            )
            with pytest.raises(
                pg8000.exceptions.InterfaceError, match="did not show"
            ):
                connect("app", password=password, **place)


@pytest.mark.parametrize("asked", [3, 5])
def test_other_ways_are_refused(asked: int) -> None:
    """Nothing is sent."""
    connection = Connection.__new__(Connection)
    with pytest.raises(pg8000.exceptions.InterfaceError, match="SCRAM"):
        connection.handle_AUTHENTICATION_REQUEST(
            asked.to_bytes(4, "big"), None
        )
