"""
Tell how much of the product is Python, and fail below the agreed share.

A line is Rust only if it touches secret bytes, registers, stacks or the
kernel; everything else is Python. Counted are lines of code: no blank
lines, comments or docstrings, no tests, and no compiled module's stub,
which states again what Rust says.

    python scripts/python_share.py [--json]
"""

from __future__ import annotations

import ast
import io
import json
import sys
import tokenize
from typing import TYPE_CHECKING

from rules_rust import (
    TEST_ONLY,
    assembly,
    code_only,
    modules_for_tests,
    product_sources,
)
from tree import ROOT, tracked


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


# Share of the product's lines of code that are Python, at least.
LEAST = 0.60

_NO_CODE = frozenset(
    {
        tokenize.COMMENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
        tokenize.INDENT,
        tokenize.NEWLINE,
        tokenize.NL,
    }
)


def python_lines(source: str) -> int:
    """Count the lines of code of a Python module."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - set(_docstring_lines(ast.parse(source))))


def _docstring_lines(tree: ast.AST) -> Iterator[int]:
    owners = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, owners) and ast.get_docstring(node) is not None:
            doc = node.body[0]
            yield from range(doc.lineno, (doc.end_lineno or doc.lineno) + 1)


def rust_lines(source: str) -> int:
    """Count the lines of code of a Rust module, its tests left out."""
    code = code_only(source, keep_strings=True).splitlines()
    return sum(1 for line in _without_tests(code) if line.strip())


def _without_tests(code: Iterable[str]) -> Iterator[str]:
    """
    Leave out each item that only test builds have.

    An item ends where its braces close, or at the semicolon of one that
    has none.
    """
    depth = 0
    skipping = opened = False
    for line in code:
        if not skipping and TEST_ONLY.match(line):
            skipping, opened, depth = True, False, 0
        if not skipping:
            yield line
            continue
        depth += line.count("{") - line.count("}")
        opened = opened or "{" in line
        ends = depth == 0 if opened else line.rstrip().endswith(";")
        if ends:
            skipping = False


def _count_rust(root: Path) -> int:
    paths = set(product_sources(root)) - modules_for_tests(root)
    return sum(rust_lines(path.read_text("utf-8")) for path in paths)


def count(root: Path = ROOT) -> dict[str, int]:
    """Count the product's lines of code by language."""
    package = root / "src"
    python = sum(
        python_lines(path.read_text("utf-8"))
        for path in tracked(root)
        if path.suffix == ".py" and package in path.parents
    )
    instructions = sum(
        1
        for path in assembly(root)
        for line in path.read_text("utf-8").splitlines()
        if line.strip() and not line.lstrip().startswith(("#", "//"))
    )
    return {"python": python, "rust": _count_rust(root) + instructions}


def main(arguments: list[str]) -> int:
    """Print the share; 1 if it is too small."""
    lines = count()
    whole = lines["python"] + lines["rust"]
    share = lines["python"] / whole if whole else 1.0
    if "--json" in arguments:
        print(json.dumps({**lines, "share": round(share, 4)}))
    else:
        print(
            f"python share: {share:.1%} of {whole} lines of code "
            f"(Python {lines['python']}, Rust {lines['rust']}; "
            f"at least {LEAST:.0%})"
        )
    return 0 if share >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
