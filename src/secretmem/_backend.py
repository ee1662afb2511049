"""
Which module does the work: the compiled one, or another chosen by name.

The choice is made once, when the first class that builds on it is defined.
"""

from __future__ import annotations

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
    try:
        from secretmem import _native
    except ImportError:
        from secretmem import _missing

        return _missing
    return _native
