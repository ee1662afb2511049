"""
Save in children that are killed before each line of our code in turn.

``killed.py FOLDER MODE``: the mode is ``unnamed``, or ``named`` as on a file
system without O_TMPFILE.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from secretmem import SealedStore, Secret, _whole


if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

OURS = f"{os.sep}secretmem{os.sep}"
OLD = {"a": b"old"}
NEW = {"a": b"new", "b": b"new"}


def put(store: SealedStore, values: dict[str, bytes]) -> None:
    """Give a store these values."""
    for name, value in values.items():
        with Secret.from_bytes(value) as secret:
            store[name] = secret


def kill_at(line: int) -> None:
    """End this process before a line of our code, counted from here."""
    left = line

    def trace(frame: FrameType, event: str, _arg: object) -> Any:  # noqa: ANN401 - of its own kind
        nonlocal left
        if OURS not in frame.f_code.co_filename:
            return None
        if event == "line":
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
        return trace

    sys.settrace(trace)


def child(store: SealedStore, path: Path, line: int) -> bool:
    """Save in a child; tells whether it came to its end."""
    pid = os.fork()
    if pid == 0:
        kill_at(line)
        store.save(path)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        return True
    assert os.WTERMSIG(status) == signal.SIGKILL
    return False


def state(path: Path, key: Secret) -> bool:
    """Look what is there; tells whether it is the new state."""
    with SealedStore.load(path, key) as store:
        wanted = NEW if "b" in store else OLD
        assert list(store) == list(wanted)
        for name, value in wanted.items():
            with store[name].open() as secret:
                assert secret.matches(value)
    return wanted is NEW


def main(folder: str, mode: str) -> None:
    """Kill it at one line after the other, until it is not reached."""
    if mode == "named":
        _whole._without_name = lambda whole: None  # noqa: ARG005 - its name
    path = Path(folder, "store")
    key = Secret.random(32, inherit=True)
    store = SealedStore(key)
    put(store, OLD)
    store.save(path)
    old = path.read_bytes()
    put(store, NEW)
    states: list[bool] = []
    ended = False
    while not ended:
        path.write_bytes(old)
        ended = child(store, path, len(states))
        states.append(state(path, key))
    # Old before some point, new after it, and of each there are many.
    assert states == sorted(states)
    assert states.count(False) > 60, states
    assert states.count(True) > 3, states
    left = {each.name for each in path.parent.iterdir()} - {"store"}
    assert left
    assert all(name.startswith(".store.") for name in left)
    # What lies about is not in the way.
    store.save(path)
    assert state(path, key)


main(*sys.argv[1:])
