"""Sign and check a JWT with HS256."""

from __future__ import annotations

from pathlib import Path

import jwt


key = Path("jwt.key").read_bytes()
token = jwt.encode({"sub": "user 7"}, key, algorithm="HS256")
print(jwt.decode(token, key, algorithms=["HS256"])["sub"])
