"""What callers give: recipients of their own, limits, wrong types."""

from __future__ import annotations

from typing import Any

import pytest

from secretmem import InvalidKey, Secret, age


pytestmark = pytest.mark.needs_secretmem

MESSAGE = b"attack at dawn"


@pytest.fixture
def identity() -> age.Identity:
    """Make one."""
    return age.Identity.generate()


class _Other:
    """A recipient of a caller's own."""

    def __init__(self, kind: str, *arguments: str) -> None:
        self._made = age.Stanza(kind, arguments, b"body")

    def wrap(self, file_key: Secret) -> age.Stanza:
        """Wrap nothing."""
        del file_key
        return self._made


@pytest.mark.parametrize(
    "words",
    [
        ("",),
        ("a b",),
        ("own", ""),
        ("own", "a b"),
        ("own", "a\n-> X25519"),
        ("own", "ä"),
        ("own", "\udc80"),
        ("own", "\x7f"),
    ],
    ids=repr,
)
def test_a_stanza_that_nobody_reads_is_not_written(
    words: tuple[str, ...], identity: age.Identity
) -> None:
    """Of a recipient class of a caller's own."""
    mine = identity.recipient
    tried: list[list[Any]] = [[_Other(*words)], [mine, _Other(*words)]]
    for own in tried:
        with pytest.raises(InvalidKey, match="not formed"):
            age.encrypt(b"", own)
    everyone: list[Any] = [mine, _Other("own", "a", "b")]
    assert age.decrypt(age.encrypt(MESSAGE, everyone), [identity]).matches(
        MESSAGE
    )


def test_a_stanza_of_a_passphrase_stands_alone(
    identity: age.Identity,
) -> None:
    """Whatever class made it."""
    with pytest.raises(InvalidKey, match="the only one of its file"):
        age.encrypt(b"", [identity.recipient, _Other("scrypt", "a", "1")])
    assert age.encrypt(b"", [_Other("scrypt", "a", "1")])


def test_the_work_of_an_encrypted_file_of_identities_is_limited(
    identity: age.Identity,
) -> None:
    """As that of any file."""
    with (
        Secret.from_bytes(b"correct horse") as phrase,
        identity.text() as text,
    ):
        cheap = age.Passphrase(phrase, work_factor=5)
        with Secret.from_bytes(age.encrypt(text, [cheap])) as file:
            with pytest.raises(age.WorkFactorError):
                age.load_identities(file, phrase, max_work_factor=4)
            (found,) = age.load_identities(file, phrase, max_work_factor=5)
    assert found.recipient == identity.recipient


def test_an_integer_is_no_public_key() -> None:
    """Nor is a list."""
    wrong: Any
    for wrong in (32, [0] * 32):
        with pytest.raises(TypeError):
            age.Recipient(wrong)
