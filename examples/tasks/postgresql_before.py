"""Ask a database; PGHOST and the others say which."""

from __future__ import annotations

from pathlib import Path

from psycopg import connect


password = Path("database.password").read_text()
with connect("user=app dbname=postgres", password=password) as connection:
    print(connection.execute("select current_user").fetchone())
