"""Flask's sessions: its cookies, for the same key."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from flask import Flask, session

from secretmem import Secret, posture
from secretmem.contrib.flask import SessionInterface


pytestmark = pytest.mark.needs_secretmem


def _app(key: object, *old: object, ours: bool = True) -> Flask:
    """Make an application that counts in its session."""
    app = Flask("of the test")
    app.config.update(SECRET_KEY=key, SECRET_KEY_FALLBACKS=list(old))
    if ours:
        app.session_interface = SessionInterface()

    @app.get("/")
    def count() -> str:
        session["count"] = session.get("count", 0) + 1
        return str(session["count"])

    return app


def _asked(app: Flask, cookie: str | None = None) -> tuple[str, str]:
    """Ask once; gives the count and the new cookie."""
    client = app.test_client()
    if cookie:
        client.set_cookie("session", cookie)
    answer = client.get("/")
    assert answer.status_code == 200
    found: Any = client.get_cookie("session")
    return answer.text, found.value


def test_cookies_are_interchangeable() -> None:
    """With Flask's own, in both directions; nothing is exported."""
    text = secrets.token_hex()
    before = posture().exports
    ours = _app(Secret.from_bytes(text.encode()))
    theirs = _app(text, ours=False)
    count, cookie = _asked(ours)
    assert count == "1"
    count, cookie = _asked(theirs, cookie)
    assert count == "2"
    assert _asked(ours, cookie)[0] == "3"
    assert posture().exports == before


def test_another_key() -> None:
    """A cookie of it is no session; an old key still verifies."""
    old, new = Secret.random(32), Secret.random(32)
    cookie = _asked(_app(old))[1]
    assert _asked(_app(new), cookie)[0] == "1"
    count, cookie = _asked(_app(new, old), cookie)
    assert count == "2"
    assert _asked(_app(new), cookie)[0] == "3"


def test_without_a_key() -> None:
    """Flask says so, as it does otherwise."""
    app = _app(None)
    app.testing = True
    with pytest.raises(RuntimeError, match="no secret key was set"):
        app.test_client().get("/")


def test_what_is_refused() -> None:
    """Text with our interface, and a Secret without it."""
    for app in (_app("text"), _app(Secret.random(32), ours=False)):
        app.testing = True
        with pytest.raises(TypeError):
            app.test_client().get("/")
