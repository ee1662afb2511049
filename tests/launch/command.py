"""How tests start ``secretmem run``."""

from __future__ import annotations

import os
import subprocess
import sys

from support.patience import PATIENCE


RUN = (sys.executable, "-P", "-m", "secretmem.cli.main", "run")


def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run ``secretmem run``."""
    return subprocess.run(
        [*RUN, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **more},
    )
