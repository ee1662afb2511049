"""Without its library an adapter says what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest


PACKAGES = {
    "httpx": ("httpx", "httpx>=0.27"),
    "requests": ("requests", "requests>=2.31"),
    "pg8000": ("pg8000", "pg8000>=1.31"),
    "psycopg": ("psycopg", "psycopg>=3.1"),
    "pyjwt": ("jwt", "PyJWT>=2.8"),
    "joserfc": ("joserfc", "joserfc>=1.8"),
    "itsdangerous": ("itsdangerous", "itsdangerous>=2.2"),
    "django": ("django", "Django>=4.2"),
    "botocore": ("botocore", "botocore>=1.44"),
    "asyncssh": ("asyncssh", "asyncssh>=2.24"),
    "paramiko": ("paramiko", "paramiko>=5.1"),
    "pydantic": ("pydantic", "pydantic>=2.7"),
    "pydantic_settings": ("pydantic_settings", "pydantic-settings>=2.3"),
    "flask": ("flask", "Flask>=3.1"),
    "keyring": ("keyring", "keyring>=25"),
    "sentry": ("sentry_sdk", "sentry-sdk>=2.0"),
}
ALL = ", ".join(repr(imported) for imported, _ in PACKAGES.values())
HIDDEN = f"import sys; sys.modules.update(dict.fromkeys([{ALL}]))"


def _run(statement: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"{HIDDEN}\n{statement}"],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("module", PACKAGES)
def test_the_error_names_the_package(module: str) -> None:
    """The last line of the traceback is the remedy."""
    ran = _run(f"import secretmem.contrib.{module}")
    assert ran.returncode == 1
    package = PACKAGES[module][1]
    assert ran.stderr.splitlines()[-1] == (
        f"ImportError: secretmem.contrib.{module} needs {package}: "
        f"pip install '{package}'"
    )


def test_the_others_need_none() -> None:
    """They import without any of the libraries."""
    ran = _run("import secretmem.contrib.aws, secretmem.contrib.scram")
    assert (ran.returncode, ran.stderr) == (0, "")
