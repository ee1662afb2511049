"""Encrypt a field anew under the key of this year."""

from __future__ import annotations

from pathlib import Path

from secretmem import Secret
from secretmem.fernet import Fernet, MultiFernet


new = Fernet(Secret.from_file("new.key"))
old = Fernet(Secret.from_file("fernet.key"))
token = MultiFernet([new, old]).rotate(Path("field").read_bytes())
print(new.decrypt(token))
