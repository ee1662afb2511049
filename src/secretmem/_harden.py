"""
Hardening of the process: an explicit act of a program, never of an import.

It keeps out processes of the same user that attach, sample or take
descriptors.  It does not stop root.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from secretmem import _policy


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem import _native
else:
    _native = _policy.bind()

_STORE_BYPASS = 0
_INDIRECT_BRANCH = 1


class Setting(NamedTuple):
    """One setting: what it is now, and what it breaks."""

    name: str
    done: bool
    effect: str
    breaks: str
    error: str | None = None


def harden(
    *,
    undumpable: bool = True,
    no_core: bool = True,
    no_new_privs: bool = False,
    speculation: bool = False,
) -> list[Setting]:
    """
    Harden this process; returns each setting with what it breaks.

    Args:
        undumpable: PR_SET_DUMPABLE 0 (prctl(2)): processes of the same user
            cannot ptrace(2) it, open its ``/proc/PID/mem``, sample it by
            perf or take its descriptors by pidfd_getfd(2).  execve(2)
            resets it.
        no_core: RLIMIT_CORE 0, soft and hard (getrlimit(2)).
        no_new_privs: PR_SET_NO_NEW_PRIVS, for this process and its children
            for good.
        speculation: PR_SET_SPECULATION_CTRL: store bypass and indirect
            branch speculation off, for this thread and those it starts.

    A setting that the kernel refuses is returned with ``done`` False and
    its errno's name; nothing is raised.
    """
    wanted = [
        (undumpable, _UNDUMPABLE),
        (no_core, _NO_CORE),
        (no_new_privs, _NO_NEW_PRIVS),
        (speculation, _STORES),
        (speculation, _BRANCHES),
    ]
    return [_try(*setting) for asked, setting in wanted if asked]


def _try(
    name: str, act: Callable[[], None], effect: str, breaks: str
) -> Setting:
    try:
        act()
    except OSError as error:
        import errno

        word = errno.errorcode.get(error.errno or 0, str(error.errno))
        return Setting(
            name, done=False, effect=effect, breaks=breaks, error=word
        )
    return Setting(name, done=True, effect=effect, breaks=breaks)


def _no_core_files() -> None:
    import resource

    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except ValueError as error:
        raise OSError(1, str(error)) from None


def _undumpable() -> None:
    _native.set_dumpable(False)


def _no_new_privs() -> None:
    _native.set_no_new_privs()


def _no_store_bypass() -> None:
    _native.disable_speculation(_STORE_BYPASS)


def _no_branch_speculation() -> None:
    _native.disable_speculation(_INDIRECT_BRANCH)


_Wish = tuple[str, "Callable[[], None]", str, str]

_UNDUMPABLE: _Wish = (
    "undumpable",
    _undumpable,
    (
        "processes of the same user cannot attach, read /proc/PID/mem, "
        "sample by perf or take descriptors"
    ),
    (
        "gdb, strace, py-spy and gcore without privilege; core files; "
        "/proc/self files belong to root"
    ),
)
_NO_CORE: _Wish = (
    "no_core",
    _no_core_files,
    "no core files, in which registers would be written",
    "post-mortem debugging; the hard limit cannot be raised again",
)
_NO_NEW_PRIVS: _Wish = (
    "no_new_privs",
    _no_new_privs,
    "execve(2) gives no privileges",
    "sudo, ping and other set-uid programs in children",
)
_STORES: _Wish = (
    "speculation_store_bypass",
    _no_store_bypass,
    "no speculative store bypass in this thread",
    "speed, a few percent",
)
_BRANCHES: _Wish = (
    "speculation_indirect_branch",
    _no_branch_speculation,
    "no indirect branch speculation across processes in this thread",
    "speed, a few percent",
)
