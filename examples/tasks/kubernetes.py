"""Sign with a key that Kubernetes mounts, and changes."""

from __future__ import annotations

import subprocess

from secretmem import crypto, sources


def sign(message):
    with keys.use() as key:
        return crypto.Hmac(key).digest(message).hex()


keys = sources.Kubernetes("mounted", "key").watch(interval=0)
print(sign(b"message"))
subprocess.run(["./rotate"], check=True)
print(sign(b"message"))
