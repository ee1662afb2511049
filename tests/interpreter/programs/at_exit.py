"""
End with secrets and views alive in every odd place.

Nothing may be printed, and the exit status is 0.
"""

from __future__ import annotations

import atexit
import sys
import threading
import weakref
from typing import Any

from secretmem import Secret, SecretArea, hazmat


module_level = [Secret.random(32) for _ in range(100)]
area = SecretArea(5000, keep_fd=True)
area_view = memoryview(area)[10:20]


class Last:
    """Uses secrets when it is collected, late."""

    def __init__(self) -> None:
        self.secret = Secret.from_bytes(b"last")
        self.view: Any = self.secret.reveal()
        self.shown = self.view.__enter__()
        self.me = self

    def __del__(self) -> None:
        assert bytes(self.shown) == b"last"
        assert repr(self.secret) == "<Secret memfd_secret>"
        assert str(self.secret)
        self.secret.close()
        assert repr(self.secret) == "<Secret closed>"


def generator() -> Any:  # noqa: ANN401 - a generator of views
    """Never runs to its end."""
    with Secret.random(64).reveal() as view:
        yield view


suspended = generator()
shown = next(suspended)
last = Last()
cycle: list[Any] = [Secret.random(8)]
cycle.append(cycle)
local = threading.local()
local.secret = Secret.random(8)
finalizer = weakref.finalize(last, print, end="")
finalizer.atexit = False
orphan = None
try:
    with module_level[0].reveal() as seen:
        orphan = seen[:]
except BufferError:
    pass
sys.modules["a_place_of_its_own"] = Secret.random(4)  # type: ignore[assignment]  # on purpose


@atexit.register
def use_at_exit() -> None:
    """Everything works while exit handlers run."""
    with Secret.from_bytes(b"at exit") as secret:
        assert hazmat.export_bytes(secret) == b"at exit"
        with secret.reveal() as view:
            assert bytes(view) == b"at exit"
