"""A web application; gunicorn --preload loads it before it forks."""

from __future__ import annotations

import hmac
from pathlib import Path


key = Path("jwt.key").read_bytes()


def app(environ, start_response):
    mac = hmac.digest(key, environ["PATH_INFO"].encode(), "sha256")
    start_response("200 OK", [("Content-Length", "64")])
    return [mac.hex().encode()]
