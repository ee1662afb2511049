"""What is measured in Python, as the statements of a program."""

from __future__ import annotations

import os
from hmac import compare_digest
from timeit import Timer
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable

    # Does it that often.
    Operation = Callable[[int], object]

# A secret's length in bytes, and what is in it.
SIZE = 32
DATA = b"thirty-two bytes, of no concern\0"
# Other secrets that are alive meanwhile, as in a program.
NEIGHBOURS = 64

# timeit stops the collector of cycles; in a program it runs.
_SETUP = "import gc; gc.enable()"

_BYTEARRAY = {
    "create_close": "bytearray(DATA)",
    "random_close": "bytearray(urandom(SIZE))",
    "reveal": "with memoryview(first): pass",
    "compare": "compare_digest(first, second)",
    "matches": "compare_digest(first, DATA)",
    "slice_close": "first[4:8]",
}
_SECRETMEM = {
    "create_close": "from_bytes(DATA).close()",
    "random_close": "random(SIZE).close()",
    "reveal": "with first.reveal(): pass",
    "compare": "first == second",
    "matches": "first.matches(DATA)",
    "slice_close": "first[4:8].close()",
}


def of_bytearray() -> dict[str, Operation]:
    """Give the operations on ordinary memory, which wipes nothing."""
    first, second = bytearray(DATA), bytearray(DATA)
    assert compare_digest(first, second)
    names = {
        "first": first,
        "second": second,
        "urandom": os.urandom,
        "compare_digest": compare_digest,
        "neighbours": [bytearray(DATA) for _ in range(NEIGHBOURS)],
    }
    return _operations(_BYTEARRAY, names)


def of_secretmem() -> dict[str, Operation]:
    """Give the operations on secrets; the gate is chosen before."""
    from secretmem import Secret

    first, second = Secret.from_bytes(DATA), Secret.from_bytes(DATA)
    assert first == second
    assert first.matches(DATA)
    with first.reveal() as view:
        assert view == DATA
    names = {
        "first": first,
        "second": second,
        "from_bytes": Secret.from_bytes,
        "random": Secret.random,
        "neighbours": [Secret.from_bytes(DATA) for _ in range(NEIGHBOURS)],
    }
    return _operations(_SECRETMEM, names)


def _operations(
    statements: dict[str, str], names: dict[str, Any]
) -> dict[str, Operation]:
    known = {"DATA": DATA, "SIZE": SIZE, **names}
    return {
        name: Timer(statement, _SETUP, globals=known).timeit
        for name, statement in statements.items()
    }
