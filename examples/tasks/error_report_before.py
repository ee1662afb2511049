"""Report an error, with the variables of the functions that failed."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path


def fail(token):
    raise RuntimeError(f"the service refused {token}")


try:
    fail(Path("token").read_text())
except RuntimeError as error:
    report = traceback.TracebackException.from_exception(
        error, capture_locals=True
    )
    logging.error("".join(report.format()))
    sys.exit(0)
