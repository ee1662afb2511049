"""
Stands where the compiled part is missing, so that the package imports.

Every use raises `UnavailableError` with the cause and the remedy.
"""

from __future__ import annotations

from typing import NoReturn


def _refuse(*_args: object, **_options: object) -> NoReturn:
    """Say why there is no secret memory here."""
    from secretmem._availability import explain

    raise explain("native-missing")


class _Refusing(type):
    """Calls and attributes of the classes below refuse."""

    def __call__(cls, *_args: object, **_options: object) -> NoReturn:
        _refuse()


class SecretBase(metaclass=_Refusing):
    """Has the constructors, which refuse."""

    __slots__ = ()

    @classmethod
    def _make(cls, *_args: object, **_options: object) -> NoReturn:
        _refuse()

    random = from_bytes = _from_str = _read = _from_env = _make


class AreaBase(metaclass=_Refusing):
    """Cannot be made."""

    __slots__ = ()


start = stats = probe = memfd_secret = build_info = _refuse
dumpable = set_dumpable = set_no_new_privs = disable_speculation = _refuse
seccomp_active = _refuse


def settings(backend: str, *, allow_pku: bool, inherit: bool) -> None:
    """Accept any choice: the first use refuses."""


def trim() -> int:
    """Give nothing back: there is nothing."""
    return 0


def started() -> bool:
    """Nothing was started."""
    return False


def secure_exec() -> bool:
    """Not known here; the environment is not believed then."""
    return True
