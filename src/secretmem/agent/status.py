"""What the agent tells of itself: keys, constraints, uses, protection."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
import time
from typing import TYPE_CHECKING, Any

import secretmem
from secretmem.agent.errors import AgentProtocolError


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.agent.identities import Identity
    from secretmem.agent.state import State


_SCHEMA = 1
_LAST = 10
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def of(state: State) -> dict[str, Any]:
    """Return the status for JSON; times are seconds since 1970."""
    posture = secretmem.posture()
    return {
        "schema": _SCHEMA,
        "pid": os.getpid(),
        "started": state.started,
        "keys": [_key(each) for each in state.identities],
        "secrets": [
            {
                "name": each.name,
                "purpose": each.purpose,
                "uses": each.uses,
                "exported": each.exported,
            }
            for each in state.named.values()
        ],
        "protection": {
            "backend": posture.backend,
            "gate": posture.gate,
            "dumpable": posture.dumpable,
            "locked_bytes": posture.locked_bytes,
        },
        "hibernation": {
            "allowed": state.sleep is not None,
            "logind": state.sleep is not None and state.sleep.has_logind,
            "asleep_since": None,
        },
        "last": [str(use) for use in list(state.uses.last)[-_LAST:]],
    }


def _key(identity: Identity) -> dict[str, Any]:
    from secretmem.agent.identities import now, printable

    limits = identity.constraints
    deadline = identity.deadline
    return {
        "kind": identity.blob[4:].split(b"\0", 1)[0].decode("ascii"),
        "fingerprint": identity.fingerprint,
        "comment": identity.name,
        "seconds_left": None if deadline is None else deadline - now(),
        "confirm": limits.confirm,
        "destinations": sorted(
            {printable(each.target.hostname) for each in limits.destinations}
        ),
        "added": identity.added,
        "uses": identity.uses,
        "used": identity.used,
    }


def read(data: bytes) -> dict[str, Any]:
    """
    Read what an agent tells.

    Raises:
        AgentProtocolError: It is none of this form.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("schema") != _SCHEMA:
        raise AgentProtocolError("the status is of no form known here")
    return found


def purpose(status: dict[str, Any], name: str) -> str | None:
    """
    Return the purpose of a secret; None where there is no such secret.

    Raises:
        AgentProtocolError: The status does not tell.
    """
    try:
        for each in status["secrets"]:
            if each["name"] == name:
                return str(each["purpose"])
    except (LookupError, TypeError):
        text = "the status does not list secrets"
        raise AgentProtocolError(text) from None
    return None


def lines(status: dict[str, Any]) -> Iterator[str]:
    """Give the status as a table for people."""
    yield (
        f"agent {status['pid']}, for {_span(time.time() - status['started'])}"
        f": {len(status['keys'])} keys, {len(status['secrets'])} secrets"
    )
    guard = status["protection"]
    dumpable = "dumpable" if guard["dumpable"] else "not dumpable"
    yield (
        f"protection: {guard['backend']}, gate {guard['gate']}, {dumpable}, "
        f"{guard['locked_bytes']} bytes locked"
    )
    yield f"hibernation: {_hibernation(status['hibernation'])}"
    yield ""
    yield from _keys(status["keys"])
    if status["secrets"]:
        yield ""
        yield f"{'SECRET':24}{'PURPOSE':22}{'USES':>7}  HAND-OVER"
        for each in status["secrets"]:
            over = "allowed" if each["exported"] else "refused"
            name = f"{each['name']:24}{each['purpose']:22}"
            yield f"{name}{each['uses']:>7}  {over}"
    if status["last"]:
        yield ""
        yield "LAST USES"
        for use in status["last"]:
            yield from _wrapped(use)


def _wrapped(use: str) -> list[str]:
    """Wrap a use where the terminal ends, or at 80 columns."""
    return textwrap.wrap(
        use,
        shutil.get_terminal_size().columns - 1,
        initial_indent="  ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _hibernation(found: dict[str, Any]) -> str:
    since = found["asleep_since"]
    if since is not None:
        return f"possible, asleep for {_span(time.time() - since)}"
    if not found["allowed"]:
        return "refused while this agent runs"
    when = "when logind says so, or " if found["logind"] else ""
    return f"refused until the keys are sealed, {when}on request"


def _keys(keys: list[dict[str, Any]]) -> Iterator[str]:
    yield f"{'KEY':52}{'LEFT':>7}{'USES':>7}{'LAST USE':>12}"
    if not keys:
        yield "(none)"
    for key in keys:
        left = key["seconds_left"]
        used = key["used"]
        yield (
            f"{key['fingerprint']:52}"
            f"{'-' if left is None else _span(left):>7}{key['uses']:>7}"
            f"{'never' if used is None else _ago(used):>12}"
        )
        notes = [key["kind"], key["comment"]]
        if key["confirm"]:
            notes.append("asks each time")
        if key["destinations"]:
            notes.append(f"only to {', '.join(key['destinations'])}")
        yield f"  {'; '.join(notes)}"


def _ago(moment: float) -> str:
    return f"{_span(time.time() - moment)} ago"


def _span(seconds: float) -> str:
    """Write a time in its largest whole unit."""
    seconds = max(int(seconds), 0)
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
