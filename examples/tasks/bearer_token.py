"""Call a service over HTTPS with a bearer token."""

from __future__ import annotations

import os

import httpx

from secretmem import Secret
from secretmem.contrib.httpx import BearerAuth


token = Secret.from_file("token")
with httpx.Client(auth=BearerAuth(token)) as client:
    print(client.get(os.environ["SERVICE"]).text)
