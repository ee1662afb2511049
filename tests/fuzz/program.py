"""
Damage input for a parser: ``python -m fuzz.program NAME COUNT SEED``.

A parser may refuse with an error of ours, and with nothing else: no panic, no
signal, no other exception.  It may take long only where the input says so,
and leaves no secret behind.  The input under way is in the file that
``SECRETMEM_FUZZ_INPUT`` names, for whoever finds this process dead.
"""

from __future__ import annotations

import gc
import os
import pathlib
import random
import signal
import sys
from typing import TYPE_CHECKING

import secretmem
from fuzz.parsers import parsers


if TYPE_CHECKING:
    from fuzz.parsers import Parser

# Seconds of one input; the slowest legal one takes a tenth of a second.
PATIENCE = 600
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF)


def mutate(dice: random.Random, seeds: tuple[bytes, ...]) -> bytes:
    """Damage one of the seeds a little, or much."""
    data = bytearray(dice.choice(seeds))
    for _ in range(dice.choice((0, 1, 1, 1, 2, 3, 8))):
        at = dice.randrange(len(data) + 1)
        end = min(len(data), at + dice.choice((1, 1, 2, 4, 16, 64)))
        match dice.randrange(8):
            case 0 | 1 if at < len(data):
                data[at] ^= 1 << dice.randrange(8)
            case 2 if at < len(data):
                data[at] = dice.choice(EXTREMES)
            case 3:
                del data[at:end]
            case 4:
                data[at:at] = dice.randbytes(dice.randrange(1, 9))
            case 5:
                data[at:at] = data[at:end] * dice.choice((1, 2, 40))
            case 6:
                other = dice.choice(seeds)
                data[at:] = other[dice.randrange(len(other) + 1) :]
            case _:
                del data[at:]
    return bytes(data)


def one(parser: Parser, data: bytes) -> bool:
    """Read one input; whether it was accepted."""
    try:
        parser.read(data)
    except (secretmem.exceptions.SecretmemError, ValueError):
        return False
    return True


def run(parser: Parser, count: int, seed: str) -> int:
    """Read many; how many were accepted."""
    dice = random.Random(seed)  # noqa: S311 nothing secret
    accepted = sum(one(parser, data) for data in parser.seeds)
    gc.collect()
    before = secretmem.posture()
    kept = os.environ.get("SECRETMEM_FUZZ_INPUT")
    for _ in range(count):
        data = mutate(dice, parser.seeds)
        if kept:
            pathlib.Path(kept).write_bytes(data)
        signal.alarm(PATIENCE)
        accepted += one(parser, data)
        signal.alarm(0)
    gc.collect()
    after = secretmem.posture()
    assert (after.live, after.heap_blocks) == (before.live, before.heap_blocks)
    return accepted


def main() -> None:
    """Run the parser that is named."""
    name, count, seed = sys.argv[1:]
    accepted = run(parsers()[name], int(count), seed)
    print(f"{name}: {count} inputs, {accepted} accepted")  # noqa: T201 a program


if __name__ == "__main__":
    main()
