"""Encrypt a field anew under the key of this year."""

from __future__ import annotations

from pathlib import Path

from cryptography.fernet import Fernet, MultiFernet


new = Fernet(Path("new.key").read_bytes())
old = Fernet(Path("fernet.key").read_bytes())
token = MultiFernet([new, old]).rotate(Path("field").read_bytes())
print(new.decrypt(token))
