"""Sources that were exposed before: environment and keyring; the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from secretmem import Secret
from secretmem.exceptions import CopiedWarning
from secretmem.sources._base import Source
from secretmem.sources._text import split, syntax


if TYPE_CHECKING:
    from typing import Any, Self


class Environment(Source):
    """
    ``env:NAME``: an environment variable, which is erased.

    Warns with CopiedWarning, since ``os.environ`` had copied it.

    Args:
        variable: Its name.
        erase: False leaves it where it is.
        **options: As for every source.
    """

    scheme = "env"
    remedies = {"missing": "set it, or check its name"}  # noqa: RUF012 - a ClassVar, as the base says
    options = (*Source.options, "erase")

    def __init__(
        self,
        variable: str,
        *,
        erase: bool = True,
        **options: Any,  # noqa: ANN401 - as for every source
    ) -> None:
        super().__init__(**options)
        if not variable or "=" in variable or "\0" in variable:
            raise ValueError("that is not the name of a variable")
        self.variable = variable
        self.erase = erase

    @classmethod
    def parse(cls, text: str, rest: str) -> Self:
        """Take the name of a variable."""
        parts = split(text, rest).only(*cls.options)
        if not parts.body or "=" in parts.body:
            raise syntax(text, "it is the name of a variable")
        erase = parts.switch("erase", default=True)
        return cls(parts.body, erase=erase, **cls._keywords(parts))

    @property
    def name(self) -> str:
        """The variable's name."""
        return self.variable

    def _load(self, options: dict[str, Any]) -> Secret:
        kept = {k: v for k, v in options.items() if k != "name"}
        try:
            return Secret.from_env(
                self.variable, erase=self.erase, label=options["name"], **kept
            )
        except KeyError:
            raise LookupError("there is no such variable") from None

    def __str__(self) -> str:
        text = self._written(self.variable)
        if self.erase:
            return text
        return f"{text}{'&' if '?' in text else '?'}erase=no"


class Prompt(Source):
    """
    ``prompt:TEXT``: ask on the terminal, with echo off.

    Reading it blocks until somebody answers.

    Args:
        text: The prompt; ``Password`` if it is empty.
        **options: As for every source.
    """

    scheme = "prompt"
    options = ()
    remedies = dict.fromkeys(
        ("missing", "failed"),
        "there is no terminal to ask at: use another source",
    )

    def __init__(self, text: str = "", **options: Any) -> None:  # noqa: ANN401 - as for every source
        super().__init__(**options)
        self.text = text

    @classmethod
    def parse(cls, text: str, rest: str) -> Self:
        """Take the rest as it is; there are no options."""
        del text
        return cls(rest)

    @property
    def name(self) -> str:
        """The prompt's own text."""
        return self.text.rstrip(": ") or "password"

    def _load(self, options: dict[str, Any]) -> Secret:
        asked = self.text.rstrip(": ") or "Password"
        return Secret.prompt(f"{asked}: ", **options)

    def __str__(self) -> str:
        return f"prompt:{self.text}"


class Keyring(Source):
    """
    ``keyring:SERVICE/USER``: the desktop's keyring, by the library keyring.

    Warns with CopiedWarning: that library hands out a ``str``, unless its
    backend is that of ``secretmem.contrib.keyring``.  Reading it blocks
    until the keyring is unlocked.

    Args:
        service: As the library calls it.
        user: As the library calls it.
        **options: As for every source.
    """

    scheme = "keyring"
    remedies = {"missing": "check the service and the user"}  # noqa: RUF012 - a ClassVar, as the base says

    def __init__(
        self,
        service: str,
        user: str,
        **options: Any,  # noqa: ANN401 - as for every source
    ) -> None:
        super().__init__(**options)
        if not service or not user:
            raise ValueError("neither service nor user is empty")
        self.service = service
        self.user = user

    @classmethod
    def parse(cls, text: str, rest: str) -> Self:
        """Take service and user; the last slash is between them."""
        parts = split(text, rest).only(*cls.options)
        service, _, user = parts.body.rpartition("/")
        if not service or not user:
            raise syntax(
                text, "it is a service and a user", "keyring:SERVICE/USER"
            )
        return cls(service, user, **cls._keywords(parts))

    @property
    def name(self) -> str:
        """Service and user."""
        return f"{self.service}/{self.user}"

    def _load(self, options: dict[str, Any]) -> Secret:
        import warnings

        keyring = self._library()
        sealed = sys.modules.get("secretmem.contrib.keyring")
        ring = keyring.get_keyring()
        if sealed is not None and isinstance(ring, sealed.SealedKeyring):
            return self._of_store(ring, options)
        warnings.warn(
            "the library keyring hands out a str; that copy lies in ordinary "
            "memory until the interpreter reuses it",
            CopiedWarning,
            stacklevel=4,
        )
        try:
            text = keyring.get_password(self.service, self.user)
        except keyring.errors.KeyringError as error:
            kind = type(error).__name__
            raise self.error(
                "failed",
                f"the keyring says {kind}",
                "`keyring diagnose` says what backend that library has",
            ) from None
        if text is None:
            raise LookupError("the keyring has no such entry")
        return Secret._from_str(text, **options)  # noqa: SLF001 - reads a str where it is

    def _of_store(self, ring: Any, options: dict[str, Any]) -> Secret:  # noqa: ANN401 - of a later layer
        """Open a password of `SealedKeyring`, of which no text is made."""
        found: Secret | None = ring.get_secret(self.service, self.user)
        if found is None:
            raise LookupError("the keyring has no such entry")
        with found, found.reveal() as view:
            return Secret.from_bytes(view, **options)

    def _library(self) -> Any:  # noqa: ANN401 - a module without types of ours
        try:
            import keyring
            import keyring.errors
        except ImportError as error:
            raise self.error(
                "unavailable",
                "the library keyring is not installed",
                "pip install keyring",
            ) from error
        return keyring

    def __str__(self) -> str:
        return self._written(self.name)
