"""A web application; gunicorn --preload loads it before it forks."""

from __future__ import annotations

from secretmem import Secret
from secretmem.crypto import Hmac


key = Secret.from_file("jwt.key", inherit=True)


def app(environ, start_response):
    mac = Hmac(key).digest(environ["PATH_INFO"].encode())
    start_response("200 OK", [("Content-Length", "64")])
    return [mac.hex().encode()]
