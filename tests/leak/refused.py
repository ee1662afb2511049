"""What programs that are refused something have in common."""

from __future__ import annotations


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def refused(
    kinds: type[Exception] | tuple[type[Exception], ...],
    *actions: Callable[[], object],
) -> list[Exception]:
    """Collect what these raise, tracebacks and frames included."""
    kept: list[Exception] = []
    for action in actions:
        try:
            action()
        except kinds as error:
            kept.append(error)
    assert len(kept) == len(actions), "something was not refused"
    return kept


def unencrypted() -> tuple[Any, ...]:
    """Ask for a PEM file without a passphrase."""
    from cryptography.hazmat.primitives import serialization as forms

    return (
        forms.Encoding.PEM,
        forms.PrivateFormat.PKCS8,
        forms.NoEncryption(),
    )
