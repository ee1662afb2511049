"""
The residue audit of a test: does the code under test leave copies of a key?

A process of its own looks into the test process from outside, as ``secretmem
audit`` does.  It has the keys in secret memory, to which they go through a
pipe, so that the audit itself leaves none.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from secretmem import Secret, _policy
from secretmem.audit import AuditError, Finding
from secretmem.audit.planted import KINDS, secret_of


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from secretmem import _native
    from secretmem.keys._load import Loaded
else:
    _native = _policy.bind()


_CONTROL = "control"
_LOOKER = "secretmem.testing._looker"

# Bytes of a key, which fit into a pipe; as in the compiled part.
_MOST = 8192

# The audit of each process that is inside its block: a child after fork(2)
# may have its own.
_running: dict[int, ResidueAudit] = {}


class Look(NamedTuple):
    """What one look at the process showed."""

    moment: str
    findings: tuple[Finding, ...]
    searched: int
    """Bytes."""
    refused: dict[str, int]
    """Bytes that could not be read, by mapping; secret memory is there."""


class ResidueAudit:
    """
    Looks for keys in this process; a context manager.

    Args:
        *keys: Secrets, or private keys of `secretmem.keys`.
        kind: What the Secrets are, which says what is made of them:
            ``"raw"``, ``"password"``, ``"ed25519"``, ``"x25519"``,
            ``"aes"``, ``"hmac"`` or ``"pem"``.

    The keys may be closed inside the block.  At its end there is a last
    look; `look` makes others before.  Each look also has to find a random
    value that this process holds: one that does not is an error, and no
    clean result; so is one that could not search all.

    There is one audit at a time in a process, since Yama allows one process
    to look (``PR_SET_PTRACER``): give all keys to one.

    Raises:
        AuditError: A key is not what its kind says, this process cannot
            be looked into (it is not dumpable, ptrace(2) is forbidden), or
            another audit is inside its block.
    """

    def __init__(self, *keys: Secret | Loaded, kind: str = "raw") -> None:
        if not keys:
            raise TypeError("residue_audit needs a key to look for")
        if kind not in KINDS:
            raise ValueError(f"a kind is one of {', '.join(KINDS)}")
        self._keys = keys
        self._kind = kind
        self._child: subprocess.Popen[bytes] | None = None
        # Here in plain sight: each look must find it.
        self._control = os.urandom(32)
        self.looks: list[Look] = []
        self.judged = False

    def __enter__(self) -> Self:
        """Start the process that looks, and give it the keys."""
        pid = os.getpid()
        if self._child or _running.setdefault(pid, self) is not self:
            raise AuditError(
                "an audit of this process is inside its block: there is one "
                "at a time; give all keys to one"
            )
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Look a last time, unless the block failed."""
        try:
            if kind is None:
                self.look("the end")
        finally:
            self._stop()

    def look(self, moment: str = "a look") -> Look:
        """
        Look now; the threads of this process stand still meanwhile.

        Args:
            moment: How messages call it.

        Raises:
            AuditError: The process cannot be looked into, or not all was
                searched.
        """
        answer = self._ask({})
        if not answer["complete"]:
            raise AuditError(
                "the audit is not complete: " + "; ".join(answer["gaps"])
            )
        found = [Finding(**each) for each in answer["findings"]]
        if not any(each.key == _CONTROL for each in found):
            raise AuditError(
                "the audit did not find the value that it must find"
            )
        keys = tuple(each for each in found if each.key != _CONTROL)
        look = Look(moment, keys, answer["searched"], answer["refused"])
        self.looks.append(look)
        return look

    def assert_clean(self, *, allow: Iterable[str] = ()) -> None:
        """
        Fail if any look found a piece of a key.

        Args:
            allow: Patterns (fnmatch) of places that do not count, such as
                ``"registers*"`` or ``"file */model.bin"``: what reports call
                the kind of memory and, behind a blank, its name.

        Raises:
            AssertionError: Something was found; says where, never what.
        """
        __tracebackhide__ = True
        self.judged = True
        if not self.looks:
            raise AssertionError("nothing was looked at: the block failed")
        patterns = tuple(allow)
        lines = [
            f"  at {look.moment}: {_line(each)}"
            for look in self.looks
            for each in look.findings
            if not any(fnmatch.fnmatch(_place(each), p) for p in patterns)
        ]
        if lines:
            raise AssertionError(
                "copies of a key are in ordinary memory:\n" + "\n".join(lines)
            )

    # -- The process that looks ----------------------------------------------

    def _start(self) -> None:
        orders: list[dict[str, object]] = []
        sources = []
        # The reading ends, each with a key in plain: closed whatever happens.
        with contextlib.ExitStack() as ends:
            for number, key in enumerate(self._keys, 1):
                label = f"key {number}" if len(self._keys) > 1 else "the key"
                kind, secret = secret_of(key, self._kind)
                with contextlib.ExitStack() as made:
                    if secret is not key:
                        made.enter_context(secret)
                    if len(secret) > _MOST:
                        raise AuditError(f"a key has at most {_MOST} bytes")
                    fd = _piped(ends, secret.write_to)
                sources.append(fd)
                orders.append({"label": label, "kind": kind, "fd": fd})
            control = self._control
            fd = _piped(ends, lambda target: os.write(target, control))
            sources.append(fd)
            orders.append({"label": _CONTROL, "kind": "raw", "fd": fd})
            self._child = subprocess.Popen(  # noqa: S603 - this package's own
                [
                    *(sys.executable, "-P", "-m", _LOOKER),
                    *(str(os.getpid()), str(len(orders))),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=sources,
                env=_environment(),
            )
        with contextlib.suppress(OSError):  # EINVAL: no Yama, no need
            _native.allow_tracer(self._child.pid)
        self._ask(*orders)

    def _ask(self, *orders: object) -> dict[str, Any]:
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise AuditError("the audit looks inside its block only")
        with contextlib.suppress(BrokenPipeError):
            for order in orders:
                child.stdin.write(json.dumps(order).encode() + b"\n")
            child.stdin.flush()
        line = child.stdout.readline()
        answer: dict[str, Any] = json.loads(
            line or '{"error": "its process ended"}'
        )
        if "error" in answer:
            raise AuditError(f"no audit: {answer['error']}")
        return answer

    def _stop(self) -> None:
        child, self._child = self._child, None
        if _running.get(os.getpid()) is self:
            del _running[os.getpid()]
        if child is None:
            return
        with child:
            child.kill()
        with contextlib.suppress(OSError):
            _native.allow_tracer(0)


def _piped(ends: contextlib.ExitStack, write: Callable[[int], object]) -> int:
    """Give the reading end of a pipe with what `write` puts into it."""
    source, target = os.pipe()
    ends.callback(os.close, source)
    try:
        write(target)
    finally:
        os.close(target)
    return source


def _place(finding: Finding) -> str:
    return f"{finding.kind} {finding.where}".strip()


def _line(finding: Finding) -> str:
    return (
        f"{finding.key} ({finding.form}): {finding.size} bytes in "
        f"{_place(finding)} at {finding.address:#x}"
    )


def _environment() -> dict[str, str]:
    """Let the other process import what this one does."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
