"""
The process that looks into a test process from outside.

``python -m secretmem.testing._looker PID COUNT``: reads a line of JSON for
each key from standard input ({"label", "kind", "fd"}), makes the search, says
so, and answers each further line with a report.  It ends with its input.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

from secretmem import Secret
from secretmem.audit import AuditError, Planted, Search, audit_process
from secretmem.exceptions import SecretmemError


def main() -> int:
    """Look when asked, until nobody asks any more."""
    pid, count = map(int, sys.argv[1:])
    try:
        search = _search(count)
    except (AuditError, SecretmemError) as error:
        _say({"error": str(error)})
        return 1
    with search:
        _say({"forms": len(search.forms)})
        for _ in sys.stdin:
            _say(_look(pid, search))
    return 0


def _search(count: int) -> Search:
    """Read the keys from their pipes."""
    with contextlib.ExitStack() as ends:
        keys = []
        for _ in range(count):
            order = json.loads(sys.stdin.readline())
            secret = ends.enter_context(Secret.from_fd(order["fd"]))
            os.close(order["fd"])
            keys.append(Planted(order["label"], order["kind"], secret))
        return Search(keys)


def _look(pid: int, search: Search) -> dict[str, Any]:
    try:
        report = audit_process(pid, search, hold=True)
    except AuditError as error:
        hint = f" ({error.hint})" if error.hint else ""
        return {"error": f"{error}{hint}"}
    return report.as_dict()


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
