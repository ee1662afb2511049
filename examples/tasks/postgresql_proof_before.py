"""Ask a database, by a driver in Python; PGHOST says where its socket is."""

from __future__ import annotations

import os
from pathlib import Path

from pg8000.dbapi import connect


password = Path("database.password").read_text()
place = {"unix_sock": f"{os.environ['PGHOST']}/.s.PGSQL.5432"}
connection = connect("app", password=password, database="postgres", **place)
cursor = connection.cursor()
cursor.execute("select current_user")
print(cursor.fetchone())
connection.close()
