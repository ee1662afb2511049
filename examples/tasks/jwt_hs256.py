"""Sign and check a JWT with HS256."""

from __future__ import annotations

import jwt

from secretmem import Secret
from secretmem.contrib import pyjwt


pyjwt.register()
key = Secret.from_file("jwt.key")
token = jwt.encode({"sub": "user 7"}, key, algorithm="HS256")
print(jwt.decode(token, key, algorithms=["HS256"])["sub"])
