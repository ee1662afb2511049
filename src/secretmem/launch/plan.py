"""What goes where: the names, their sources, and what is exposed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from secretmem.sources import parse


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from secretmem.sources import Source


# A variable's name in every shell (POSIX.1-2017, 3.235), so that every name
# can be exposed.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)

Kind = Literal["env", "file"]


class PlanError(ValueError):
    """The arguments contradict each other, or are not well written."""


@dataclass(frozen=True)
class Exposure:
    """A secret that the command gets outside of secret memory."""

    kind: Kind
    name: str

    @classmethod
    def parse(cls, text: str) -> Exposure:
        """Take ``env:NAME`` or ``file:NAME``; PlanError."""
        kind, _, name = text.partition(":")
        if kind not in ("env", "file") or not _NAME.match(name):
            raise PlanError(f"--expose is env:NAME or file:NAME, not {text!r}")
        return cls(cast("Kind", kind), name)

    def loss(self) -> str:
        """Say what is lost by it."""
        if self.kind == "env":
            return (
                f"{self.name} is in the command's environment: "
                "/proc/PID/environ shows it to this user, every process that "
                "the command starts has it, and none of its copies is wiped"
            )
        return (
            f"{self.name} is in an ordinary file in memory "
            f"({self.name}_FILE names it): root and whoever may attach to "
            "the command can read it, and it may be swapped out"
        )


@dataclass(frozen=True)
class Plan:
    """Everything that the arguments ask for."""

    secrets: dict[str, Source]
    exposures: tuple[Exposure, ...]
    command: tuple[str, ...]

    @classmethod
    def parse(
        cls,
        secrets: Iterable[str],
        exposures: Iterable[str],
        command: Sequence[str],
    ) -> Plan:
        """
        Take the arguments apart; nothing is read.

        Raises:
            PlanError: A name is wrong or there twice, or what is exposed is
                no secret of this command.
            SourceError: A source is not well written.
        """
        named: dict[str, Source] = {}
        for text in secrets:
            name, equals, source = text.partition("=")
            if not equals or not _NAME.match(name):
                raise PlanError(
                    f"--secret is NAME=SOURCE, not {text!r}; a name has "
                    "letters, digits and _"
                )
            if name in named:
                raise PlanError(f"the secret {name} is named twice")
            named[name] = parse(source)
        shown = tuple(map(Exposure.parse, exposures))
        for each in shown:
            if each.name not in named:
                raise PlanError(f"there is no --secret {each.name} to expose")
        if len({each.name for each in shown}) != len(shown):
            raise PlanError("a secret is exposed twice")
        if not command:
            raise PlanError("no command was given: -- COMMAND...")
        return cls(named, shown, tuple(command))

    def kind(self, name: str) -> Kind | None:
        """Tell how a secret is exposed; None is not at all."""
        kinds = {each.name: each.kind for each in self.exposures}
        return kinds.get(name)
