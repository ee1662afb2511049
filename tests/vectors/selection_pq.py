"""
Write ``data/ml_dsa.json`` and ``data/ml_kem.json`` anew from Wycheproof.

    cd tests && python -m vectors.selection_pq WYCHEPROOF

The argument is a checkout of C2SP/wycheproof; ORIGIN.md names its commit.
Kept are a few of each parameter set, verdict and flag, public keys that are
compared as their SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vectors.selection import Row, spread, write


if TYPE_CHECKING:
    from collections.abc import Iterator

DSA = (44, 65, 87)
KEM = (512, 768, 1024)
# Rows are kilobytes long.
FEW = 3


def tests(folder: Path, name: str) -> Iterator[tuple[Row, Row]]:
    """Give the tests of a file with their groups."""
    text = (folder / "testvectors_v1" / f"{name}_test.json").read_bytes()
    document: dict[str, Any] = json.loads(text)
    for group in document["testGroups"]:
        for test in group["tests"]:
            yield group, test


def digest(public: str) -> str:
    """Shorten a public key to its SHA-256."""
    return hashlib.sha256(bytes.fromhex(public)).hexdigest()


def kind(name: str, test: Row) -> str:
    """Tell what a test is about."""
    return " ".join([name, test["result"], *sorted(test["flags"])])


def ml_dsa(folder: Path) -> list[Row]:
    """
    Keys, messages, contexts.

    Not the signatures: those are deterministic, and ours are hedged.
    """
    kept = []
    for size in DSA:
        rows = [
            {
                "set": size,
                "seed": group["privateSeed"],
                "public": digest(group.get("publicKey") or ""),
                "msg": test.get("msg", ""),
                "ctx": test.get("ctx", ""),
                "mu": test.get("mu", ""),
                "kind": kind("sign", test),
                "result": test["result"],
            }
            for group, test in tests(folder, f"mldsa_{size}_sign_seed")
            if len(test.get("msg", "")) < 2048
        ]
        kept += spread(rows, FEW)
    return kept


def ml_kem(folder: Path) -> list[Row]:
    """Seeds with ciphertexts, and public keys to refuse."""
    kept = []
    for size in KEM:
        rows = [
            {
                "set": size,
                "seed": test["seed"],
                "public": digest(test.get("ek", "")),
                "c": test["c"],
                "K": test["K"],
                "kind": kind("decaps", test),
                "result": test["result"],
            }
            for _, test in tests(folder, f"mlkem_{size}")
        ]
        refused = [
            {
                "set": size,
                "seed": "",
                "public": test["ek"],
                "c": "",
                "K": "",
                "kind": kind("encaps", test),
                "result": test["result"],
            }
            for _, test in tests(folder, f"mlkem_{size}_encaps")
            if test["result"] == "invalid"
        ]
        kept += spread(rows, 2 * FEW) + spread(refused, FEW)
    return kept


def main() -> None:
    """Write both files."""
    folder = Path(sys.argv[1])
    write("ml_dsa", ml_dsa(folder))
    write("ml_kem", ml_kem(folder))


if __name__ == "__main__":
    main()
