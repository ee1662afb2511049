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
    from collections.abc import Iterable

    from secretmem import _native
    from secretmem.keys._load import Loaded
else:
    _native = _policy.bind()


_CONTROL = "control"

# Bytes of a key, which fit into a pipe; as in the compiled part.
_MOST = 8192


class Look(NamedTuple):
    """What one look at the process showed."""

    moment: str
    findings: tuple[Finding, ...]
    searched: int
    """Bytes."""


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
    clean result.

    Raises:
        AuditError: A key is not what its kind says, or this process cannot
            be looked into (it is not dumpable, ptrace(2) is forbidden).
    """

    def __init__(self, *keys: Secret | Loaded, kind: str = "raw") -> None:
        if not keys:
            raise TypeError("residue_audit needs a key to look for")
        if kind not in KINDS:
            raise ValueError(f"a kind is one of {', '.join(KINDS)}")
        self._keys = keys
        self._kind = kind
        self._child: subprocess.Popen[bytes] | None = None
        self._ends = contextlib.ExitStack()
        # Here in plain sight: each look must find it.
        self._control = os.urandom(32)
        self.looks: list[Look] = []
        self.judged = False

    def __enter__(self) -> Self:
        """Start the process that looks, and give it the keys."""
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
            AuditError: The process cannot be looked into.
        """
        answer = self._ask({})
        found = [Finding(**each) for each in answer["findings"]]
        if not any(each.key == _CONTROL for each in found):
            raise AuditError(
                "the audit did not find the value that it must find"
            )
        keys = tuple(each for each in found if each.key != _CONTROL)
        look = Look(moment, keys, answer["searched"])
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
        orders, sources = [], []
        for number, key in enumerate(self._keys, 1):
            label = f"key {number}" if len(self._keys) > 1 else "the key"
            kind, secret = secret_of(key, self._kind)
            with contextlib.ExitStack() as made:
                if secret is not key:
                    made.enter_context(secret)
                if len(secret) > _MOST:
                    raise AuditError(f"a key has at most {_MOST} bytes")
                source, target = os.pipe()
                sources.append(source)
                secret.write_to(target)
                os.close(target)
            orders.append({"label": label, "kind": kind, "fd": source})
        source, target = os.pipe()
        sources.append(source)
        os.write(target, self._control)
        os.close(target)
        orders.append({"label": _CONTROL, "kind": "raw", "fd": source})
        command = [sys.executable, "-P", "-m", "secretmem.testing._looker"]
        command += [str(os.getpid()), str(len(orders))]
        self._child = subprocess.Popen(  # noqa: S603 - this package's own
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=sources,
            env=_environment(),
        )
        for fd in sources:
            os.close(fd)
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
        if child is None:
            return
        with child:
            child.kill()
        with contextlib.suppress(OSError):
            _native.allow_tracer(0)


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
