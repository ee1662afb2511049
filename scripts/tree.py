"""
The files of this checkout, as the other scripts see them.

Tracked files when git is there, else (an unpacked source distribution)
every file outside the folders that builds write.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable


ROOT = Path(__file__).resolve().parent.parent

# Folders that builds and tools write.
BUILT = frozenset(
    {
        ".git",
        ".hypothesis",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".venv",
        "__pycache__",
        "_build",
        "build",
        "dist",
        "target",
    }
)


@dataclass(frozen=True, order=True)
class Finding:
    """One broken house rule, printed as compilers print theirs."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        """Give ``path:line: text``."""
        return f"{self.path}:{self.line}: {self.text}"


def tracked(root: Path = ROOT) -> list[Path]:
    """
    List the files under version control that exist, sorted.

    A new file that git does not ignore counts as well: a rule should speak
    before the commit.
    """
    if not (root / ".git").exists():
        return sorted(_walk(root))
    listing = subprocess.run(
        [
            "git",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (root / name for name in listing.split("\0") if name)
    return sorted({path for path in paths if path.is_file()})


def _walk(root: Path) -> Iterable[Path]:
    for path in root.iterdir():
        if path.is_dir() and not path.is_symlink():
            if path.name not in BUILT:
                yield from _walk(path)
        elif path.is_file():
            yield path


def relative(path: Path, root: Path = ROOT) -> str:
    """Give the path as the reader types it: from the root, with slashes."""
    return path.relative_to(root).as_posix()
