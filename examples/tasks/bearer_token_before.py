"""Call a service over HTTPS with a bearer token."""

from __future__ import annotations

import os
from pathlib import Path

import httpx


token = Path("token").read_text()
with httpx.Client(headers={"Authorization": f"Bearer {token}"}) as client:
    print(client.get(os.environ["SERVICE"]).text)
