"""Sign with a key that Kubernetes mounts, and changes."""

from __future__ import annotations

import hmac
import subprocess
from pathlib import Path


def sign(message):
    return hmac.digest(key, message, "sha256").hex()


key = Path("mounted/key").read_bytes()
print(sign(b"message"))
subprocess.run(["./rotate"], check=True)
key = Path("mounted/key").read_bytes()
print(sign(b"message"))
