"""Objects whose ``__init__`` raised, in reports of that error."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from secretmem import KeyRing, Secret, age, keys, sources


if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.needs_secretmem

WRONG: dict[str, Callable[[], object]] = {
    "KeyRing": lambda: KeyRing([Secret.random(16)]),
    "Identity": lambda: age.Identity(Secret.random(16)),
    "Recipient": lambda: age.Recipient(b"abc"),
    "Passphrase": lambda: age.Passphrase(Secret.random(16), work_factor=50),
    "SSHRecipient": lambda: age.SSHRecipient(b"x"),
    "SSHIdentity": lambda: age.SSHIdentity(Secret.random(16)),  # type: ignore[arg-type]  # wrong on purpose
    "File": lambda: sources.File(5),  # type: ignore[arg-type]  # as above
    "Json": lambda: sources.Json(5),  # type: ignore[arg-type]  # as above
    "Command": lambda: sources.Command(5),  # type: ignore[arg-type]  # as above
    "Environment": lambda: sources.Environment(5),  # type: ignore[arg-type]  # as above
    "Credential": lambda: sources.Credential("a/b"),
    "Docker": lambda: sources.Docker("a/b"),
}


@pytest.mark.parametrize("name", WRONG)
def test_reports_with_variables_show_them(name: str) -> None:
    """The error is reported, not one of `repr`."""
    with pytest.raises(Exception, match=r".") as caught:
        WRONG[name]()
    report = traceback.TracebackException.from_exception(
        caught.value, capture_locals=True
    )
    assert report.stack[-1].locals
    assert not [
        (each.name, variable)
        for each in report.stack
        for variable, text in (each.locals or {}).items()
        if "repr() failed" in text
    ]


@pytest.mark.parametrize(
    "name",
    [n for n in keys.__all__ if n.endswith("PrivateKey")],
)
def test_keys_are_not_called(name: str) -> None:
    """An empty key would fail at its first use."""
    with pytest.raises(TypeError, match="made by its class methods"):
        getattr(keys, name)()
