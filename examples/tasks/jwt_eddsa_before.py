"""Sign and check a JWT with EdDSA."""

from __future__ import annotations

from pathlib import Path

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key


key = load_pem_private_key(Path("ed25519.pem").read_bytes(), None)
token = jwt.encode({"sub": "user 7"}, key, algorithm="EdDSA")
print(jwt.decode(token, key.public_key(), algorithms=["EdDSA"])["sub"])
