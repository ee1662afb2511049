"""Sign and check a JWT with EdDSA."""

from __future__ import annotations

import jwt

from secretmem import Secret
from secretmem.keys import load_pem


key = load_pem(Secret.from_file("ed25519.pem"))
token = jwt.encode({"sub": "user 7"}, key, algorithm="EdDSA")
print(jwt.decode(token, key.public_key(), algorithms=["EdDSA"])["sub"])
