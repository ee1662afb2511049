"""
Connections to PostgreSQL by psycopg, with a password that is a Secret.

libpq takes the password as text and keeps it as long as the connection
lives, so it is exported when the connection is made, and counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretmem import hazmat
from secretmem.contrib._common import held, missing


try:
    import psycopg
except ImportError as error:
    raise missing("psycopg", "psycopg>=3.1") from error

if TYPE_CHECKING:
    from typing import Self

    from secretmem import Secret
    from secretmem.sources import Watch

__all__ = ("AsyncConnection", "Connection", "connect")


class Connection(psycopg.Connection[Any]):
    """
    psycopg's connection; also the ``connection_class`` of a pool.

    A pool makes new connections with the ``kwargs`` that it was given; with
    a followed source as password these have the value of then.
    """

    @classmethod
    def connect(  # type: ignore[override]  # the password is no text here
        cls,
        conninfo: str = "",
        *,
        password: Secret | Watch,
        **options: Any,  # noqa: ANN401 - psycopg's own
    ) -> Self:
        """
        Connect, as psycopg does.

        Args:
            conninfo: All but the password.
            password: A Secret, or a followed source.
            **options: Psycopg's own.

        Raises:
            psycopg.OperationalError: For example a wrong password.
            ValueError: The password is no UTF-8 text.
        """
        with held(password) as secret:
            text = hazmat.export_str(secret)
        return super().connect(conninfo, password=text, **options)


class AsyncConnection(psycopg.AsyncConnection[Any]):
    """The same for asyncio."""

    @classmethod
    async def connect(  # type: ignore[override]  # as above
        cls,
        conninfo: str = "",
        *,
        password: Secret | Watch,
        **options: Any,  # noqa: ANN401 - psycopg's own
    ) -> Self:
        """Connect; see `Connection.connect`."""
        with held(password) as secret:
            text = hazmat.export_str(secret)
        return await super().connect(conninfo, password=text, **options)


connect = Connection.connect
