"""All programs, loaded; the tests choose among them by their files."""

from __future__ import annotations

import importlib
from pathlib import Path

from leak.stage import PROGRAMS, Program


def programs(*files: str) -> dict[str, Program]:
    """Load and give the programs of some files below ``programs``."""
    modules = [f"leak.programs.{file}" for file in files]
    for module in modules:
        importlib.import_module(module)
    return {
        name: program
        for name, program in PROGRAMS.items()
        if program.module in modules
    }


def residue_tests() -> dict[str, Program]:
    """Load and give the programs that are residue tests of the API."""
    return programs(
        *("sources", "origins", "handed", "uses", "errors", "process"),
        *("crypto", "ecosystem"),
    )


def key_tests() -> dict[str, Program]:
    """Load and give the programs that use keys, of `leak.material`."""
    return programs(
        *("keys", "pq", "ciphers", "derivation", "refusals"),
        *("streams", "forms", "adapters", "audit", "agefiles", "threaded"),
        "sealed",
    )


def files() -> list[str]:
    """List the files below ``programs``."""
    folder = Path(__file__).with_name("programs")
    return sorted(path.stem for path in folder.glob("*.py"))
