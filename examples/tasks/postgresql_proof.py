"""Ask a database, by a driver in Python; PGHOST says where its socket is."""

from __future__ import annotations

import os

from secretmem import Secret
from secretmem.contrib.pg8000 import connect


password = Secret.from_file("database.password")
place = {"unix_sock": f"{os.environ['PGHOST']}/.s.PGSQL.5432"}
connection = connect("app", password=password, database="postgres", **place)
cursor = connection.cursor()
cursor.execute("select current_user")
print(cursor.fetchone())
connection.close()
