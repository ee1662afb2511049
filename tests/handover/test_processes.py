"""multiprocessing, pools and other programs: a Secret goes along."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support import alone
from support.patience import PATIENCE


pytestmark = pytest.mark.needs_secretmem

PROGRAMS = Path(__file__).with_name("programs")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("program", ["arguments.py", "pools.py"])
def test_multiprocessing(method: str, program: str) -> None:
    """By argument, queue, pipe, pool and executor; nothing is left open."""
    done = subprocess.run(
        [sys.executable, "-P", str(PROGRAMS / program), method],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr


def test_a_pickle_of_multiprocessing_holds_no_byte_of_it() -> None:
    """And it can be used once."""

    def pickled() -> None:
        import os
        import pickle
        from multiprocessing.reduction import ForkingPickler

        from secretmem import Secret

        value = os.urandom(24)
        with Secret.from_bytes(value, name="n", inherit=True) as secret:
            data = bytes(ForkingPickler.dumps([secret]))
            assert not any(value[i : i + 8] in data for i in range(17))
            (same,) = pickle.loads(data)  # noqa: S301 - our own
            assert same == secret
            assert (same.name, same.inherit) == ("n", True)
            same.close()
            said = ""
            try:
                pickle.loads(data)  # noqa: S301 - our own
            except EOFError as error:
                said = str(error)
            assert "fetched before" in said
        said = ""
        try:
            ForkingPickler.dumps(secret)
        except ValueError as error:
            said = str(error)
        assert "closed" in said

    alone.passes(pickled)
