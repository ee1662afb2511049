"""
sentry-sdk without exported copies of Secrets.

What the SDK sends of a `secretmem.Secret` is its ``repr``; this integration
takes pieces of what was exported out of its events: variables, messages,
breadcrumbs, requests, spans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretmem.contrib._common import missing


try:
    import sentry_sdk
    from sentry_sdk.integrations import Integration
    from sentry_sdk.scope import add_global_event_processor
except ImportError as error:
    raise missing("sentry", "sentry-sdk>=2.0") from error

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

    from secretmem.redact import Redactor

__all__ = ("SecretmemIntegration",)


class SecretmemIntegration(Integration):
    """
    For ``sentry_sdk.init(integrations=[...])``.

    Args:
        redactor: What knows the Secrets.
    """

    identifier = "secretmem"

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor

    @staticmethod
    def setup_once() -> None:
        """Let every event pass by; the SDK calls this."""
        add_global_event_processor(_redacted)


def _redacted(event: Event, hint: Hint) -> Event | None:
    del hint
    found = sentry_sdk.get_client().get_integration(SecretmemIntegration)
    if found is None:
        return event
    clean: Any = found.redactor.value(event)
    return clean  # type: ignore[no-any-return]  # what came, an Event
