"""
Run the project's Python tests under another kernel.

    python3 -m lab.suite [KERNEL] [-- PYTEST ARGUMENTS...]

The default is the newest 6.12: protection keys, and locked memory charged
per user at first touch, neither of which the machine at hand may have.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from lab import kernels
from lab.apt import LabError
from lab.bench import SWITCH_ON
from lab.checks.package import ROOT, python
from lab.hostroot import run_here


if TYPE_CHECKING:
    from collections.abc import Sequence


KERNEL = "6.12"
# Not the laboratory itself, and nothing that builds, documents or measures.
LEFT_OUT = ("lab", "scaffold", "bench", "docs", "support")
SECONDS = 6 * 3600
UNAVAILABLE = 69
DIED = 70
# Emulation is slow: a limit that means "hung" on a machine does not here.
PATIENCE = "faulthandler_timeout=1800"


def folders() -> list[str]:
    """Return the test folders that say something about a kernel."""
    tests = sorted((ROOT / "tests").iterdir())
    return [
        f"tests/{folder.name}"
        for folder in tests
        if folder.name not in LEFT_OUT and any(folder.glob("test_*.py"))
    ]


def main(argv: Sequence[str]) -> int:
    """Return pytest's exit status; 69 without a guest, 70 if it died."""
    own, arguments = list(argv), []
    if "--" in own:
        at = own.index("--")
        own, arguments = own[:at], own[at + 1 :]
    if len(own) > 1 or own[:1] == ["--help"]:
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    words = [str(python()), "-m", "pytest", "-p", "no:cacheprovider"]
    words += ["-o", PATIENCE, *(arguments or folders())]
    os.chdir(ROOT)
    try:
        kernel = kernels.get(own[0] if own else KERNEL)
        outcome = run_here(
            kernel,
            words,
            append="" if kernel.on_by_default else SWITCH_ON,
            memory="3G",
            seconds=SECONDS,
            swap=True,
        )
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return UNAVAILABLE
    return DIED if outcome.status is None else outcome.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
