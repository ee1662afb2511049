"""Django's signing with Secrets, beside Django's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core import signing
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import override_settings

from secretmem import Secret, posture
from secretmem.contrib import django as ours


pytestmark = pytest.mark.needs_secretmem

KEY = "the key of the application"
BACKEND = "secretmem.contrib.django.CookieSigner"


@pytest.fixture(scope="module", autouse=True)
def _settings() -> None:
    if not settings.configured:
        settings.configure(SECRET_KEY=KEY)


@pytest.fixture
def secret() -> Secret:
    """Give the same key as a Secret."""
    return Secret.from_bytes(KEY.encode())


@pytest.mark.parametrize("algorithm", [None, "sha1", "sha384", "sha512"])
def test_signers_are_interchangeable(
    secret: Secret, algorithm: str | None
) -> None:
    """With the default salt and with another, nothing exported."""
    before = posture().exports
    for salt in (None, "newsletter"):
        options: Any = {"salt": salt, "algorithm": algorithm}
        mine = ours.Signer(key=secret, **options)
        other = signing.Signer(key=KEY, **options)
        assert mine.sign("value \N{SNOWMAN}") == other.sign(
            "value \N{SNOWMAN}"
        )
        assert mine.unsign(other.sign("value")) == "value"
        stamped = ours.TimestampSigner(key=secret, **options)
        plain = signing.TimestampSigner(key=KEY, **options)
        assert stamped.unsign(plain.sign("v"), max_age=3600) == "v"
        assert plain.unsign(stamped.sign("v"), max_age=3600) == "v"
        with pytest.raises(signing.SignatureExpired):
            stamped.unsign(plain.sign("v"), max_age=timedelta(seconds=-1))
    assert posture().exports == before


def test_a_damaged_value_is_refused(secret: Secret) -> None:
    """Value, signature, separator."""
    signer = ours.Signer(key=secret)
    signed = signer.sign("value")
    for damaged in ("valve" + signed[5:], signed[:-1], "value", "value:"):
        with pytest.raises(signing.BadSignature):
            signer.unsign(damaged)


@pytest.mark.parametrize("compress", [False, True])
def test_objects_are_interchangeable(secret: Secret, compress: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """`dumps` and `loads`, each way."""
    data = {"a": ["b"] * 40}
    mine = ours.dumps(data, secret, compress=compress)
    assert signing.loads(mine) == data
    other = signing.dumps(data, compress=compress)
    assert ours.loads(other, secret, max_age=3600) == data
    new = Secret.random(32)
    assert ours.loads(other, new, fallback_keys=[secret]) == data
    with pytest.raises(signing.BadSignature):
        ours.loads(other, new)


def _cookie(response: HttpResponse) -> HttpRequest:
    request = HttpRequest()
    request.COOKIES["c"] = response.cookies["c"].value
    return request


def _set() -> HttpResponse:
    response = HttpResponse()
    response.set_signed_cookie("c", "value", salt="s")
    return response


def test_the_backend_signs_cookies(secret: Secret) -> None:
    """Django's own backend reads them with the same key, and the reverse."""
    theirs = _cookie(_set())
    with override_settings(
        SECRET_KEY="another",
        SIGNING_BACKEND=BACKEND,
        SECRETMEM_SIGNING_KEY=secret,
    ):
        assert theirs.get_signed_cookie("c", salt="s") == "value"
        mine = _cookie(_set())
        with pytest.raises(signing.BadSignature):
            mine.get_signed_cookie("c", salt="other")
    assert mine.get_signed_cookie("c", salt="s") == "value"


def test_the_backends_keys_rotate(secret: Secret) -> None:
    """Old keys verify."""
    theirs = _cookie(_set())
    new = Secret.random(32)
    with override_settings(SIGNING_BACKEND=BACKEND, SECRETMEM_SIGNING_KEY=new):
        with pytest.raises(signing.BadSignature):
            theirs.get_signed_cookie("c", salt="s")
        with override_settings(SECRETMEM_SIGNING_KEY_FALLBACKS=[secret]):
            assert theirs.get_signed_cookie("c", salt="s") == "value"


def test_a_missing_or_wrong_setting_is_said() -> None:
    """Nothing is signed under SECRET_KEY instead."""
    with override_settings(SIGNING_BACKEND=BACKEND):
        with pytest.raises(ImproperlyConfigured, match="SECRETMEM_"):
            _set()
        with (
            override_settings(SECRETMEM_SIGNING_KEY="text"),
            pytest.raises(ImproperlyConfigured, match="SECRETMEM_"),
        ):
            _set()


def test_a_secret_as_secret_key_is_said(secret: Secret) -> None:
    """Django would sign with its text."""
    with (
        override_settings(
            SECRET_KEY=secret,
            SIGNING_BACKEND=BACKEND,
            SECRETMEM_SIGNING_KEY=secret,
        ),
        pytest.raises(ImproperlyConfigured, match="must be text"),
    ):
        _set()


def test_keys_in_ordinary_memory_are_refused() -> None:
    """Text, nothing, and an algorithm that we lack."""
    wrong: Any
    for wrong in (KEY, KEY.encode(), None):
        with pytest.raises(TypeError, match="is a Secret"):
            ours.Signer(key=wrong)
    with pytest.raises(ValueError, match="empty"):
        ours.Signer(key=Secret.from_bytes(b""))
    signer = ours.Signer(key=Secret.random(9), algorithm="md5")
    with pytest.raises(ValueError, match="not md5"):
        signer.sign("a")
