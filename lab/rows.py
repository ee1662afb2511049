"""One observation in a guest, and the reading of what the probe printed."""

from __future__ import annotations

from typing import NamedTuple


NO_ANSWER = "no answer"
# Observed by a row whose guest held nothing to look at.
NOTHING = "nothing to see"

EXPECTED = "as expected"
DIFFERS = "DIFFERS"
FAILED = "CONTROL FAILED"
EMPTY = "NOTHING TO SEE"


class Row(NamedTuple):
    """
    One line of the table: what should be seen, what was, and its control.

    A control is the same look at something that must succeed, so that a
    refusal is known to be the kernel's and not the probe's.
    """

    row: str
    what: str
    kernel: str
    expected: str
    observed: str
    control: str
    control_ok: bool
    evidence: str

    @property
    def verdict(self) -> str:
        """
        Return one of four words; only "as expected" is a good one.

        A row without a working control says nothing of the kernel, neither
        that it is as expected nor that it differs.
        """
        if not self.control_ok:
            return EMPTY if self.observed == NOTHING else FAILED
        return EXPECTED if self.fine else DIFFERS

    @property
    def fine(self) -> bool:
        """Tell whether the row is as expected and its control held."""
        return self.control_ok and self.observed == self.expected


class Answers:
    """``name=value`` lines by ``[section]``; what is missing says so."""

    def __init__(self, text: str) -> None:
        """Read the output of a job."""
        self._values: dict[tuple[str, str], str] = {}
        section = ""
        for line in text.splitlines():
            name, equals, value = line.strip().partition("=")
            if equals:
                self._values[section, name] = value
            elif name.startswith("[") and name.endswith("]"):
                section = name[1:-1]

    def get(self, section: str, name: str) -> str:
        """Return the value, or "no answer" if the guest did not say."""
        return self._values.get((section, name), NO_ANSWER)

    def number(self, section: str, name: str) -> int:
        """Return the value as a number; -1 if the guest did not say."""
        value = self.get(section, name)
        return int(value) if value.isdigit() else -1

    def all(self, section: str) -> str:
        """Return everything a section says, on one line, as evidence."""
        return ", ".join(
            f"{name}={value}"
            for (where, name), value in self._values.items()
            if where == section
        )
