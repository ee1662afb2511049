"""
Run Python with this package as a user without privileges.

Root becomes nobody. That user may read neither the folder of root's own
interpreter nor a checkout in a private folder: so an interpreter is looked
for that he can run, and the package is copied to where he can read it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


SOURCE = Path(__file__).resolve().parents[2] / "src" / "secretmem"

# The kernel's overflow id, which owns nothing.
NOBODY = 65534

_LIBRARIES = (
    *("click", "cryptography", "markdown_it", "mdurl", "pygments", "rich"),
)


def _interpreters() -> Iterator[str]:
    yield os.path.realpath(sys.executable)
    version = f"python3.{sys.version_info.minor}"
    for name in (version, "python3"):
        for folder in ("/usr/bin", "/usr/local/bin"):
            path = Path(folder, name)
            if path.exists():
                yield str(path)


@cache
def interpreter() -> str | None:
    """Find a Python of at least 3.11 that the user can start."""
    code = "import ctypes, sys; sys.exit(sys.version_info < (3, 11))"
    for path in _interpreters():
        try:
            child = _start([path, "-I", "-c", code])
        except PermissionError:
            continue
        if child.returncode == 0:
            return path
    return None


def why_not() -> str | None:
    """Tell why no child can run Python without privileges."""
    if interpreter() is None:
        return "no Python 3.11 that an unprivileged user may start"
    return None


@cache
def tree() -> Path:
    """Copy the package and the command's libraries to a readable place."""
    top = Path(tempfile.mkdtemp(prefix="secretmem-tests-"))
    top.chmod(0o755)
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(SOURCE, top / "secretmem", ignore=without)
    libraries = Path(sysconfig.get_path("purelib"))
    for name in _LIBRARIES:
        if (libraries / name).is_dir():
            shutil.copytree(libraries / name, top / name, ignore=without)
    for path in top.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return top


def discard_tree() -> None:
    """Delete the copy, if one was made."""
    if tree.cache_info().currsize:
        shutil.rmtree(tree())
        tree.cache_clear()


def run(
    *arguments: str,
    timeout: float = PATIENCE,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    pass_fds: Collection[int] = (),
) -> subprocess.CompletedProcess[str]:
    """
    Run ``python ARGUMENTS`` as the user; secretmem can be imported there.

    The result is not checked; its output is text.
    """
    path = interpreter()
    if path is None:
        raise RuntimeError(why_not())
    basis = {
        "PATH": os.defpath,
        "PYTHONPATH": str(tree()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/nonexistent",
    }
    return _start(
        [path, "-P", *arguments],
        timeout=timeout,
        stdin=stdin,
        environment={**basis, **(environment or {})},
        pass_fds=pass_fds,
    )


def _start(
    command: list[str],
    *,
    timeout: float = PATIENCE,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    pass_fds: Collection[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Start a program with every privilege dropped, and wait for it."""
    is_root = os.geteuid() == 0
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        input=stdin,
        timeout=timeout,
        cwd="/",
        env=environment,
        pass_fds=pass_fds,
        user=NOBODY if is_root else None,
        group=NOBODY if is_root else None,
        extra_groups=[] if is_root else None,
    )
