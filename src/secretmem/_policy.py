"""
What the program requires: the policy.

The default requires memfd_secret(2): without it the first use raises
`UnavailableError`.  Anything less is chosen by name, in code or by the
environment variable ``SECRETMEM_BACKEND``, and is never silent.
"""

from __future__ import annotations

import os
import sys

from secretmem import _backend
from secretmem.exceptions import ConfigurationError, DegradedWarning


TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Final, Literal

    Backend = Literal["memfd_secret", "mlock", "fake"]
    Fork = Literal["private", "inherit"]
    Gate = Literal["auto", "mprotect"]

VARIABLE: Final = "SECRETMEM_BACKEND"

# A name that is looked up here for the first time is imported.
_NOT_THE_CALLER: Final = ("secretmem", "importlib")

_BACKENDS: Final = ("memfd_secret", "mlock", "fake")


class _Policy:
    """The choices of this process."""

    __slots__ = (
        "backend",
        "configured",
        "fork",
        "gate",
        "required",
        "strict_format",
        "warned",
    )

    def __init__(self) -> None:
        self.backend: str = "memfd_secret"
        self.fork: str = "private"
        self.gate: str = "auto"
        self.strict_format = False
        self.configured = False
        self.required = False
        self.warned = False


active: Final = _Policy()


def configure(
    *,
    policy: Literal["require"] | None = None,
    backend: Backend | None = None,
    fork: Fork | None = None,
    gate: Gate | None = None,
    strict_format: bool | None = None,
) -> None:
    """
    Choose how secrets are kept, before the first one is made.

    Args:
        policy: ``"require"`` pins the default: memfd_secret(2) or
            `UnavailableError`.  Neither the environment nor a later call
            can weaken it.
        backend: ``"memfd_secret"``; or, degraded and by name, ``"mlock"``:
            locked ordinary memory that the kernel, debuggers and root can
            read; or ``"fake"``, ordinary memory for tests on machines
            without the call.
        fork: What new secrets do in forked children unless they say
            otherwise: ``"private"`` (children get `ForkError`) or
            ``"inherit"``.
        gate: ``"auto"`` closes the arena by a protection key where the
            machine has one, ``"mprotect"`` never uses a key.
        strict_format: ``str()`` and ``format()`` of a Secret raise
            ``TypeError`` instead of giving a redacted text.

    An argument that is None leaves its setting as it is.  After any call
    the environment variable ``SECRETMEM_BACKEND`` is ignored.

    Raises:
        ConfigurationError: Secret memory is in use with other settings, or
            ``policy`` and ``backend`` contradict each other.
        ValueError: An unknown word.
    """
    now = active
    _check("policy", policy, ("require",))
    _check("backend", backend, _BACKENDS)
    _check("fork", fork, ("private", "inherit"))
    _check("gate", gate, ("auto", "mprotect"))
    required = now.required or policy == "require"
    if required:
        if backend not in (None, "memfd_secret"):
            raise ConfigurationError(
                f'policy="require" contradicts backend={backend!r}'
            )
        backend = "memfd_secret"
    _apply(backend or now.backend, fork or now.fork, gate or now.gate)
    now.configured = True
    now.required = required
    if strict_format is not None:
        now.strict_format = bool(strict_format)


def bind() -> Any:  # noqa: ANN401 - the compiled module, or one like it
    """
    Return the module that does the work, set up by policy and environment.

    Called when the first class that builds on it is defined.
    """
    if not active.configured:
        named = os.environ.get(VARIABLE)
        if named and _may_read_environment():
            _check(VARIABLE, named, _BACKENDS)
            _apply(named, active.fork, active.gate)
    return _backend.load()


def _may_read_environment() -> bool:
    """Not in a program with more privilege than its caller (AT_SECURE)."""
    try:
        from secretmem import _native
    except ImportError:
        return os.getuid() == os.geteuid() if hasattr(os, "getuid") else True
    return not _native.secure_exec()


def _apply(backend: str, fork: str, gate: str) -> None:
    _backend.select(_module(backend))
    # First: a warning that was turned into an error changes nothing.
    if backend != "memfd_secret" and not active.warned:
        _warn(backend)
        active.warned = True
    _backend.load().settings(
        "memfd_secret" if backend == "fake" else backend,
        allow_pku=gate == "auto",
        inherit=fork == "inherit",
    )
    active.backend, active.fork, active.gate = backend, fork, gate


def _module(backend: str) -> Any:  # noqa: ANN401 - as for bind
    if backend != "fake":
        return None
    from secretmem.testing import fake_native

    return fake_native


def _warn(backend: str) -> None:
    import warnings

    what = {
        "mlock": "locked ordinary memory (mlock), which debuggers, core "
        "dumps of root and the kernel can read",
        "fake": "ordinary memory (fake), which protects nothing",
    }[backend]
    warnings.warn(
        f"secrets of this process are kept in {what}",
        DegradedWarning,
        stacklevel=_caller_depth(),
    )


def _caller_depth() -> int:
    """Point the warning at the first frame outside of this package."""
    depth = 0
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - as logging does
    while frame and frame.f_globals.get("__package__") in _NOT_THE_CALLER:
        # These frames of an import are not counted by warnings.
        depth += "importlib._bootstrap" not in frame.f_code.co_filename
        frame = frame.f_back
    return depth


def _check(what: str, word: str | None, words: tuple[str, ...]) -> None:
    if word is not None and word not in words:
        raise ValueError(f"{what} is one of {', '.join(words)}: not {word!r}")
