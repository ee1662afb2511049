"""Read a database field that is a Fernet token, and write another."""

from __future__ import annotations

from pathlib import Path

from secretmem import Secret
from secretmem.fernet import Fernet


fernet = Fernet(Secret.from_file("fernet.key"))
print(fernet.decrypt(Path("field").read_bytes()))
print(fernet.decrypt(fernet.encrypt(b"another")))
