"""How tests run ``seal``, ``open`` and ``keygen``."""

from __future__ import annotations

import subprocess
import sys

from secretmem import age


MESSAGE = b"attack at dawn"
FINE, FINDING, USAGE = 0, 1, 2


def run(
    *arguments: object, feed: bytes = b"", code: int = FINE
) -> subprocess.CompletedProcess[bytes]:
    """Run the command and check how it ended."""
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "secretmem.cli.main"),
            *map(str, arguments),
        ],
        input=feed,
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def sealed_to(recipient: str) -> bytes:
    """Encrypt the message to a recipient."""
    return age.encrypt(MESSAGE, [age.parse_recipient(recipient)])
