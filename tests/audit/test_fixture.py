"""The fixture `residue_audit`, as users have it: in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import secretmem
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., subprocess.CompletedProcess[str]]


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

SOURCE = Path(secretmem.__file__).resolve().parents[1]

CLEAN = """
from secretmem import Secret
from secretmem.crypto import Hmac


def test_it(residue_audit):
    key = Secret.random(32)
    with residue_audit(key, kind="hmac") as audit:
        for _ in range(100):
            Hmac(key).digest(b"message")
        used = audit.look("used")
        key.close()
    audit.assert_clean()
    assert used.moment == "used"
    assert used.searched > 1 << 20
    assert [look.moment for look in audit.looks] == ["used", "the end"]
"""

LEAKS = {
    "bytes": "hazmat.export_bytes(key)",
    "hex": "hazmat.export_bytes(key).hex()",
    "base64": "base64.b64encode(hazmat.export_bytes(key))",
    "Python int": "int.from_bytes(hazmat.export_bytes(key))",
    "scalar": "hashlib.sha512(hazmat.export_bytes(key)).digest()",
}

LEAKY = """
import base64
import hashlib

from secretmem import Secret, hazmat


def test_it(residue_audit):
    key = Secret.random(32)
    with residue_audit(key, kind="ed25519") as audit:
        kept = {leak}
    audit.assert_clean({allow})
    assert kept
"""

KEYS = """
import pytest
from secretmem import Secret
from secretmem.audit import AuditError
from secretmem.keys import (
    Ed25519PrivateKey, EllipticCurvePrivateKey, X25519PrivateKey
)
from cryptography.hazmat.primitives.asymmetric import ec


def test_private_keys(residue_audit):
    keys = (
        Ed25519PrivateKey.generate(),
        X25519PrivateKey.generate(),
        EllipticCurvePrivateKey.generate(ec.SECP256R1()),
    )
    with residue_audit(*keys) as audit:
        keys[0].sign(b"message")
    audit.assert_clean()
    assert not keys[0].closed


def test_what_it_refuses(residue_audit):
    with pytest.raises(TypeError):
        residue_audit()
    with pytest.raises(ValueError, match="a kind is one of raw"):
        residue_audit(Secret.random(32), kind="dsa")
    with pytest.raises(AuditError, match="has 32 bytes"):
        residue_audit(Secret.random(31), kind="ed25519").__enter__()
    with pytest.raises(AuditError, match="at most 8192"):
        residue_audit(Secret.random(9000)).__enter__()
    with pytest.raises(AuditError, match="inside its block"):
        residue_audit(Secret.random(32)).look()
    audit = residue_audit(Secret.random(32))
    with pytest.raises(ZeroDivisionError), audit:
        1 / 0
    with pytest.raises(AssertionError, match="nothing was looked at"):
        audit.assert_clean()


def test_a_process_that_is_not_dumpable(residue_audit):
    import secretmem
    import os

    secretmem.harden()
    with residue_audit(Secret.random(32)) as audit:
        assert os.geteuid() == 0
    audit.assert_clean()
"""

FORGOTTEN = """
from secretmem import Secret


def test_it(residue_audit):
    with residue_audit(Secret.random(32)):
        pass
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Give a function that runs a test file with the plugin."""

    def start(tests: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_users.py").write_text(tests, "utf-8")
        (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("COV", "PYTEST", "SECRETMEM"))
        }
        return subprocess.run(
            [
                *(sys.executable, "-W", "error", "-m", "pytest", "-rA"),
                *arguments,
            ],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(SOURCE)},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    return start


def test_clean_code_passes(run: Run) -> None:
    """Looks in the middle and at the end; the key may be closed."""
    done = run(CLEAN)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_fails_and_is_named(name: str, run: Run) -> None:
    """The message says form and place, and holds no byte of the key."""
    done = run(LEAKY.format(leak=LEAKS[name], allow=""))
    assert "1 failed" in done.stdout, done.stdout + done.stderr
    assert "copies of a key are in ordinary memory" in done.stdout
    shape = {"bytes": "seed, plain", "scalar": "before clamping, plain"}
    assert shape.get(name, f"seed, {name}") in done.stdout
    assert "anonymous at 0x" in done.stdout


def test_places_can_be_allowed(run: Run) -> None:
    """A pattern takes findings out; others count on."""
    leak = LEAKS["bytes"]
    done = run(LEAKY.format(leak=leak, allow='allow=["*"]'))
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    done = run(LEAKY.format(leak=leak, allow='allow=["file *"]'))
    assert "1 failed" in done.stdout, done.stdout + done.stderr


def test_private_keys_and_refusals(run: Run) -> None:
    """Loaded keys of all kinds; wrong ones are errors, never clean."""
    done = run(KEYS)
    expected = 3 if os.geteuid() == 0 else 2
    assert f"{expected} passed" in done.stdout, done.stdout + done.stderr
    if os.geteuid():
        assert "not dumpable" in done.stdout


def test_a_forgotten_question_is_an_error(run: Run) -> None:
    """A test that never asks whether it is clean does not pass."""
    done = run(FORGOTTEN)
    assert "nobody called assert_clean()" in done.stdout, done.stdout
    assert done.returncode == 1


def test_on_the_fake_it_is_skipped(run: Run) -> None:
    """There every secret is in ordinary memory."""
    done = run(CLEAN, "--secretmem-fake")
    assert "1 skipped" in done.stdout, done.stdout + done.stderr
    assert "needs secret memory" in done.stdout
