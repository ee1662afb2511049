"""The agent's status on terminals of several widths."""

from __future__ import annotations

import pytest

from secretmem.agent import status


_USE = (
    "2026-11-24 14:04:16  sign  SHA256:" + "x" * 43 + "  by /usr/bin/ssh "
    "(pid 4711, uid 1000) for git@example.org"
)
_STATUS = {
    "pid": 1,
    "started": 0,
    "keys": [],
    "secrets": [],
    "protection": {
        "backend": "memfd_secret",
        "gate": "none",
        "dumpable": False,
        "locked_bytes": 4096,
    },
    "hibernation": {
        "allowed": False,
        "asleep_since": None,
        "logind": False,
    },
    "last": [_USE],
}


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_last_uses_fit(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are wrapped, and nothing of them is left out."""
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = list(status.lines(_STATUS))
    uses = lines[lines.index("LAST USES") + 1 :]
    assert all(len(line) < columns for line in uses)
    assert " ".join(" ".join(uses).split()) == " ".join(_USE.split())
