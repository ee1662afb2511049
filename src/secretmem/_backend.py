"""
Which module does the work: the compiled one, or another chosen by name.

The choice is made once, when the first class that builds on it is defined.
"""

from __future__ import annotations

import importlib
import sys

from secretmem.exceptions import ConfigurationError


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Any: the compiled module, or one of the same surface.
_chosen: Any = None
_loaded: Any = None


def select(module: Any) -> None:  # noqa: ANN401 - as above
    """
    Let ``module`` stand where ``secretmem._native`` stands; None is that.

    Raises ConfigurationError once `load` has given another one.
    """
    global _chosen  # noqa: PLW0603 - one choice per process
    wanted = _native_or_missing() if module is None else module
    if _loaded is not None and _loaded is not wanted:
        raise ConfigurationError(
            "Secret is bound to its backend already; choose the backend "
            "before secretmem.Secret is first looked up"
        )
    _chosen = module


def load() -> Any:  # noqa: ANN401 - as above
    """Return the module that does the work, from now on for good."""
    global _loaded  # noqa: PLW0603 - one choice per process
    if _loaded is None:
        _loaded = _chosen if _chosen is not None else _native_or_missing()
    return _loaded


def _native_or_missing() -> Any:  # noqa: ANN401 - as above
    # From 3.12 on the interpreter refuses by itself; 3.11 would share the
    # types of the main interpreter.
    if sys.version_info < (3, 12):
        _refuse_subinterpreter(None)
    try:
        from secretmem import _native
    except ImportError as error:
        _refuse_subinterpreter(error)
        from secretmem import _missing

        return _missing
    return _native


def _refuse_subinterpreter(cause: ImportError | None) -> None:
    """Raise ImportError unless this is the process's main interpreter."""
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            interpreters = importlib.import_module(name)
        except ImportError:
            continue
        if interpreters.get_current() != interpreters.get_main():
            raise ImportError(
                "secretmem keeps one set of secrets per process and is not "
                "available in a subinterpreter; use it in the main "
                "interpreter, or in a process of its own",
                name="secretmem._native",
            ) from cause
        return
