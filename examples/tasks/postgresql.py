"""Ask a database; PGHOST and the others say which."""

from __future__ import annotations

from secretmem import Secret
from secretmem.contrib.psycopg import connect


password = Secret.from_file("database.password")
with connect("user=app dbname=postgres", password=password) as connection:
    print(connection.execute("select current_user").fetchone())
