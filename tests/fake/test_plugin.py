"""The plugin: which backend a session gets, and that it says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import secretmem
from secretmem.testing import fake_native


if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., subprocess.CompletedProcess[str]]


PACKAGE = Path(secretmem.__file__).parent

A_USERS_TEST = """
import pytest
import secretmem
from secretmem import Secret, hazmat


def test_a_token():
    with Secret.from_bytes(b"token", name="api") as token:
        assert token.matches("token")
        with token.reveal() as view:
            assert bytes(view) == b"token"
        assert hazmat.export_str(token[1:3]) == "ok"
        with pytest.raises(TypeError):
            f"{token}"
    with pytest.raises(secretmem.ClosedError):
        token.matches("token")


def test_where_it_is():
    backend = secretmem.posture().backend
    assert backend == EXPECTED
    assert backend in repr(Secret.random(1))


def test_nothing_is_shared(tmp_path):
    path = tmp_path / "password"
    path.write_bytes(b"hunter2\\n")
    password = Secret.from_file(path, strip=True)
    assert password.name == "password" and len(password) == 7
    with password.reveal(writable=True) as view:
        view[0] = ord("H")
    assert password.matches("Hunter2")
"""

A_LIMIT_TEST = """
import errno
import pytest
import secretmem
from secretmem import Secret


def test_a_small_limit(secretmem_machine):
    secretmem_machine.process.memlock = 16 * 1024
    held = [Secret.random(32)]
    with pytest.raises(secretmem.LimitError) as caught:
        while True:
            held.append(Secret.random(32))
    assert len(held) == 4 * (4096 // 48)
    assert caught.value.have == 0


def test_a_filter(secretmem_machine):
    process = secretmem_machine.process
    process.seccomp["memfd_secret"] = errno.EPERM
    with pytest.raises(secretmem.UnavailableError) as caught:
        Secret.random(32)
    assert caught.value.remedy


def test_fresh_again():
    assert len(Secret.random(32)) == 32
"""

OUTSIDE = """
import secretmem
try:
    secretmem.Secret.random(1)
except secretmem.UnavailableError as error:
    print("refused:", error.reason)
"""

BY_NAME = """
import warnings
import secretmem
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    secretmem.configure(backend="fake")
print(caught[0].category.__name__, secretmem.Secret.random(1))
"""


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """
    Copy the package without its compiled part.

    It is installed as pip would, so that pytest finds the plugin itself.
    """
    home = tmp_path / "bare"
    for path in PACKAGE.rglob("*.py"):
        copy = home / "secretmem" / path.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    assert not list(home.rglob("*.so"))
    installed = home / "secretmem-0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: secretmem\nVersion: 0\n")
    (installed / "entry_points.txt").write_text(
        "[pytest11]\nsecretmem = secretmem.testing.plugin\n"
    )
    return home


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Give a function that runs Python with a package tree first in line."""
    place = tmp_path / "users"
    place.mkdir()

    def start(
        home: Path, *arguments: str, tests: str = "", ini: str = ""
    ) -> subprocess.CompletedProcess[str]:
        (place / "test_users.py").write_text(tests, "utf-8")
        (place / "pytest.ini").write_text(f"[pytest]\n{ini}", "utf-8")
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("COV", "PYTEST", "SECRETMEM"))
        }
        return subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=place,
            env={**environment, "PYTHONPATH": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )

    return start


FOUND = ("-m", "pytest", "-rA")


def test_without_the_compiled_part_users_tests_run(
    bare: Path, run: Run
) -> None:
    """As on a Mac: nothing to configure, and the header says fake."""
    tests = A_USERS_TEST.replace("EXPECTED", "'fake'")
    done = run(bare, *FOUND, tests=tests)
    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert "secretmem: fake (no compiled part here)" in done.stdout


def test_limits_and_filters_can_be_played(bare: Path, run: Run) -> None:
    """A fixture gives the machine of the fake."""
    done = run(bare, *FOUND, tests=A_LIMIT_TEST)
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_outside_of_a_session_it_is_refused(bare: Path, run: Run) -> None:
    """The fake never stands in by itself."""
    done = run(bare, "-c", OUTSIDE)
    assert done.stdout == "refused: native-missing\n", done.stderr


def test_by_name_it_is_chosen(bare: Path, run: Run) -> None:
    """With the warning of every degraded backend."""
    done = run(bare, "-c", BY_NAME)
    assert done.stdout == "DegradedWarning <Secret fake>\n", done.stderr


@pytest.mark.needs_secretmem
def test_where_the_real_thing_works_it_stays(run: Run) -> None:
    """The plugin only makes formatting strict."""
    tests = A_USERS_TEST.replace("EXPECTED", "'memfd_secret'")
    done = run(PACKAGE.parent, *FOUND, tests=tests)
    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert "secretmem: memfd_secret" in done.stdout


@pytest.mark.needs_secretmem
@pytest.mark.parametrize(
    "option, ini",
    [("--secretmem-fake", ""), ("-q", "secretmem_backend = fake")],
)
def test_the_fake_can_be_asked_for(run: Run, option: str, ini: str) -> None:
    """By option, and in the ini file."""
    tests = A_USERS_TEST.replace("EXPECTED", "'fake'")
    done = run(PACKAGE.parent, *FOUND, option, tests=tests, ini=ini)
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_real_refuses_to_stand_in(bare: Path, run: Run) -> None:
    """With `secretmem_backend = real` a missing part is an error."""
    done = run(
        bare,
        *FOUND,
        tests=A_USERS_TEST.replace("EXPECTED", "'memfd_secret'"),
        ini="secretmem_backend = real",
    )
    assert "UnavailableError" in done.stdout
    assert "passed" not in done.stdout


def test_other_words_are_usage_errors(bare: Path, run: Run) -> None:
    """The ini option takes three words."""
    done = run(bare, *FOUND, tests="", ini="secretmem_backend = maybe")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "not 'maybe'" in done.stderr


@pytest.mark.needs_secretmem
def test_the_names_are_those_of_the_compiled_part() -> None:
    """Everything but cryptography, and the same numbers in `stats`."""
    from secretmem import _native

    crypto = set(_native.__all__) - set(fake_native.__all__)
    assert set(fake_native.__all__) <= set(_native.__all__)
    assert not {name for name in crypto if name.startswith(("set", "mem"))}
    assert set(fake_native.stats()) == set(_native.stats())


def test_cryptography_is_named_as_missing() -> None:
    """Not an AttributeError far away from its cause."""
    with pytest.raises(secretmem.UnavailableError, match="cryptography"):
        _ = fake_native.aead_seal
