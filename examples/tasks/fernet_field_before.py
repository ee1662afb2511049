"""Read a database field that is a Fernet token, and write another."""

from __future__ import annotations

from pathlib import Path

from cryptography.fernet import Fernet


fernet = Fernet(Path("fernet.key").read_bytes())
print(fernet.decrypt(Path("field").read_bytes()))
print(fernet.decrypt(fernet.encrypt(b"another")))
