"""Write the seeds of every parser, for libFuzzer: ``-m fuzz.seeds FOLDER``."""

from __future__ import annotations

import pathlib
import sys

from fuzz.parsers import parsers


def main() -> None:
    """Write each seed to a file of its own."""
    for name, parser in parsers().items():
        folder = pathlib.Path(sys.argv[1], name)
        folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(parser.seeds):
            (folder / f"seed-{number}").write_bytes(seed)


if __name__ == "__main__":
    main()
