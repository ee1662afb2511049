"""``python -m bench [--quick] [--json FILE]``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench import crypto, crypto_table, report, table


UNAVAILABLE = 69


def main() -> int:
    """Measure, print, and write the JSON file if one is wanted."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds; rough times"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    reason = _unavailable()
    if reason:
        print(reason)
        return UNAVAILABLE
    measured = report.measure(quick=arguments.quick)
    for line in table.lines(measured):
        print(line)
    keys = crypto.measure(quick=arguments.quick)
    for line in crypto_table.lines(keys):
        print(line)
    if arguments.json:
        content = table.as_json(measured)
        content["cryptography"] = crypto_table.as_json(keys)
        text = json.dumps(content, indent=1)
        arguments.json.write_text(text + "\n", "utf-8")
    return 0


def _unavailable() -> str:
    """Say why nothing can be measured on this machine."""
    import secretmem

    try:
        secretmem.posture()
    except secretmem.UnavailableError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    raise SystemExit(main())
