"""
Write ``data/age.json`` anew from the published vectors.

    python tests/vectors/selection_age.py CCTV

CCTV is a checkout of C2SP/CCTV; ORIGIN.md names its commit.  Each file is
kept word for word, in base64, but for those of a recipient type that is not
there (post-quantum, ``AGE-SECRET-KEY-PQ-``).
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any


DATA = Path(__file__).with_name("data")

# What may stand in the head of a file, and whether several times.
KEYS = {
    "expect": False,
    "compressed": False,
    "payload": False,
    "identity": True,
    "passphrase": True,
    "armored": False,
    "file key": False,
    "comment": False,
}
NOT_KEPT = ("file key", "comment")


def vector(path: Path) -> dict[str, Any]:
    """Read a file of vectors: a head, an empty line, the age file."""
    head, _, file = path.read_bytes().partition(b"\n\n")
    row: dict[str, Any] = {"id": path.name}
    for line in head.decode().splitlines():
        key, _, value = line.partition(": ")
        if key in NOT_KEPT:
            continue
        if KEYS[key]:
            row.setdefault(key, []).append(value)
        else:
            row[key] = value
    row["file"] = base64.b64encode(file).decode()
    return row


def main(checkout: Path) -> None:
    """Write the file."""
    folder = checkout / "age" / "testdata"
    rows = [vector(path) for path in sorted(folder.iterdir())]
    kept = [
        row
        for row in rows
        if not any("-PQ-" in each for each in row.get("identity", ()))
    ]
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in kept)
    (DATA / "age.json").write_text(f"[\n{lines}\n]\n", "ascii")
    print(f"{len(kept)} of {len(rows)} vectors", file=sys.stderr)  # noqa: T201 - a script's voice


if __name__ == "__main__":
    main(Path(sys.argv[1]))
