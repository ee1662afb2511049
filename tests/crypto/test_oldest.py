"""
The oldest supported ``cryptography``, in an environment of its own.

The rest of the suite runs with the newest one (requirements/dev.txt).
"""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from support import needs


pytestmark = [pytest.mark.needs_oldest, pytest.mark.needs_secretmem]

ROOT = Path(__file__).resolve().parents[2]

# Whatever meets a class or an error of cryptography's.
FILES = (
    "tests/crypto/test_export.py",
    "tests/crypto/test_interop.py",
    "tests/crypto/test_limits.py",
    "tests/crypto/test_twofactor.py",
    "tests/crypto/test_x25519.py",
    "tests/contrib/test_pyjwt.py",
    "tests/contrib/test_x509.py",
)


def _oldest(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [needs.OLDEST / "bin" / "python", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_the_declared_one() -> None:
    """The environment has the version that pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (declared,) = project["project"]["optional-dependencies"]["crypto"]
    asked = "import cryptography; print(cryptography.__version__)"
    version = _oldest("-c", asked).stdout.strip()
    assert declared == f"cryptography>={version}"


def test_keys_and_ciphers_work_with_it() -> None:
    """The same tests, the same answers."""
    done = _oldest("-m", "pytest", "-q", "-p", "no:cacheprovider", *FILES)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout
    assert int(passed[1]) > 130
    assert "skipped" not in done.stdout
