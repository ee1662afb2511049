"""sentry-sdk with the integration: no piece of an exported Secret."""

from __future__ import annotations

import pytest
import sentry_sdk

from hygiene.tools import as_shown, sentry, sentry_event
from hygiene.victims import Value, caught, exported, kept, ordinary
from secretmem import Secret
from secretmem.contrib.sentry import SecretmemIntegration
from secretmem.redact import Redactor


pytestmark = pytest.mark.needs_secretmem


def _integration(value: Value) -> SecretmemIntegration:
    raw = Secret.from_bytes(bytes.fromhex(value.text()), name="raw")
    return SecretmemIntegration(Redactor(value.secret(), raw))


@pytest.mark.parametrize("victim", [kept, exported, ordinary])
def test_an_event(victim: object) -> None:
    """Its variables and messages; without the integration: the control."""
    value = Value()
    error = caught(victim, value)  # type: ignore[arg-type]  # one of ours
    assert value.shown_in(sentry(error)) is (victim is not kept)
    event = sentry_event(error, integrations=[_integration(value)])
    assert not value.shown_in(as_shown(event))
    last = event["exception"]["values"][-1]
    names = {name for f in last["stacktrace"]["frames"] for name in f["vars"]}
    assert "token" in names


def test_what_was_before_the_error() -> None:
    """What a program put into the scope."""
    value = Value()
    error = caught(kept, value)
    with sentry_sdk.isolation_scope() as scope:
        scope.set_context("request", {"deep": [{"token": value.text()}]})
        scope.set_extra("header", f"Bearer {value.text()}")
        assert value.shown_in(sentry(error))
        event = sentry_event(error, integrations=[_integration(value)])
    assert not value.shown_in(as_shown(event))
    assert event["extra"]["header"].startswith("Bearer [secret ")
