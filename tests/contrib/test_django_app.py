"""A Django application: which key signs what."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys

import pytest


pytestmark = pytest.mark.needs_secretmem

_APP = """
import sys, json
import django
from django.conf import settings
from secretmem import Secret, posture

signing = Secret.from_fd(0, name="signing")
settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY=sys.argv[1],
    SIGNING_BACKEND="secretmem.contrib.django.CookieSigner",
    SECRETMEM_SIGNING_KEY=signing,
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    INSTALLED_APPS=["django.contrib.sessions"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ROOT_URLCONF=__name__,
)
django.setup()

from django.core.signing import BadSignature, loads
from django.http import HttpResponse
from django.test import Client
from django.urls import path

def show(request):
    count = int(request.get_signed_cookie("count", 0)) + 1
    request.session["seen"] = count
    answer = HttpResponse(str(count))
    answer.set_signed_cookie("count", count)
    return answer

urlpatterns = [path("", show)]
client = Client()
said = [client.get("/").content.decode() for _ in range(3)]
json.dump({
    "said": said,
    "cookie": client.cookies["count"].value,
    "session": client.cookies["sessionid"].value,
    "exports": posture().exports,
}, sys.stdout)
"""

_CHECK = """
import sys, json
import django
from django.conf import settings

settings.configure(SECRET_KEY=sys.argv[1])
from django.core import signing
from django.http import HttpRequest

told = json.load(sys.stdin)
request = HttpRequest()
request.COOKIES["count"] = told["cookie"]
cookie = request.get_signed_cookie("count", None)
engine = "django.contrib.sessions.backends.signed_cookies"
try:
    session = signing.loads(told["session"], salt=engine)
except signing.BadSignature:
    session = None
json.dump([bool(cookie), bool(session)], sys.stdout)
"""


def _run(program: str, key: str, given: str) -> object:
    done = subprocess.run(
        [sys.executable, "-c", program, key],
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_which_key_signs_what() -> None:
    """Signed cookies: ours; sessions: SECRET_KEY, as the page says."""
    ours, theirs = secrets.token_hex(), secrets.token_hex()
    told = _run(_APP, theirs, ours)
    assert isinstance(told, dict)
    assert told["said"] == ["1", "2", "3"]
    assert told["exports"] == {}
    given = json.dumps(told)
    # An ordinary Django with one of the keys reads what that key signed.
    assert _run(_CHECK, ours, given) == [True, False]
    assert _run(_CHECK, theirs, given) == [False, True]
