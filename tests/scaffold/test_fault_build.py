"""The second extension: `import secretmem` whose system calls can fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[2]

_CODE = """
import errno
import secretmem
from secretmem import _native
assert secretmem.build_info()["fault_injection"]
print(_native.__file__)
_native.fault_arm(1, errno.EMFILE, False)
try:
    secretmem.Secret.random(32)
except (OSError, secretmem.SecretmemError) as error:
    print(type(error).__name__)
print(_native.fault_disarm())
with secretmem.Secret.random(32) as secret:
    print(secret)
"""


@pytest.mark.needs_secretmem
def test_a_call_fails_on_order(fault_environment: dict[str, str]) -> None:
    """The first call fails once, by name; the next use works."""
    result = subprocess.run(
        [sys.executable, "-c", _CODE],
        env=fault_environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr == ""
    path, error, failed, shown = result.stdout.splitlines()
    assert Path(path).is_relative_to(ROOT / "build" / "fault")
    assert error.endswith("Error")
    assert failed == "1"
    assert shown == "<Secret memfd_secret>"


@pytest.mark.needs_secretmem
def test_the_product_has_no_such_switch() -> None:
    """The extension that is published cannot be told to fail."""
    code = (
        "import secretmem, secretmem._native as native\n"
        "assert not secretmem.build_info()['fault_injection']\n"
        "assert not [n for n in dir(native) if n.startswith('fault')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
