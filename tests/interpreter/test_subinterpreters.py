"""A second interpreter in the process is refused, and the first goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.patience import PATIENCE


pytestmark = pytest.mark.needs_secretmem

_CODE = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

{before}
USE = '''
import secretmem
try:
    secretmem.Secret.random(32)
except ImportError as error:
    said = str(error)
else:
    said = "made"
import os
os.write(1, said.encode())
'''
interpreters.run_string(interpreters.create(), USE)
import secretmem
with secretmem.Secret.random(32) as secret:
    assert len(secret) == 32
"""


@pytest.mark.parametrize(
    "before",
    ["", "import secretmem; secretmem.Secret.random(32)"],
    ids=["loaded there first", "in use already"],
)
def test_it_is_an_import_error(before: str) -> None:
    """Its message says where secrets can be used."""
    done = subprocess.run(
        [sys.executable, "-c", _CODE.format(before=before)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "not available in a subinterpreter" in done.stdout
