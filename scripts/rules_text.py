"""House rules for every tracked text: sizes, words, paths, loose ends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tree import ROOT, Finding, relative, tracked


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# A file of code fits in the head of a reader: this many lines, ...
LINES = 400
# ... which may be exceeded up to here by the files named below.
MOST_LINES = 600

# Path: why it is one piece.
LONG_FILES: dict[str, str] = {
    "lab/probe.c": "one static program, for guests where nothing else runs",
    "rust/core/src/kernel/linux.rs": "every system call, in one file",
    "src/secretmem/_native.pyi": "the stub of one compiled module",
    "tests/unit/test_area.py": "one behaviour of one class after another",
    "tests/unit/test_descriptors.py": "as above: reading and writing",
    "tests/unit/test_reveal.py": "as above: views",
}

CODE_SUFFIXES = frozenset(
    {".S", ".c", ".h", ".py", ".pyi", ".rs", ".s", ".sh"}
)

# Written by tools or by others, word for word.
FOREIGN = frozenset(
    {
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "rust/Cargo.lock",
        "rust/fuzz/Cargo.lock",
    }
)

# Words that claim more than a mechanism does, or are another product's.
OVERCLAIMS = re.compile(
    r"\b(military[- ]grade|unbreakable|bullet-?proof|zero[- ]trust"
    r"|(?:secure )?enclaves?|vaults?|obfuscat\w+|unhackable|100\s?% secure"
    r"|impossible to (?:read|steal)|(?:completely|totally|fully) secure"
    r"|protected from (?:root|dma)|encrypted memory)\b",
    re.IGNORECASE,
)

# (path, word in lower case): why it is right there.
RIGHT_HERE: dict[tuple[str, str], str] = {
    ("bench/sealed.py", "enclave"): "memguard's name for what is measured",
    ("tests/bench/test_sealed.py", "enclave"): "as above",
}

# Where the authors worked is nobody's business and on nobody's machine.
PLACES = re.compile(
    r"(?<![\w.])/(?:work|root)/[\w.]|/tmp/team\b|\.library/|/process_api\b"
)

# A loose end in a tracked file is work that nobody sees.
LOOSE_ENDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\bunimplemented!|\btodo!")
# In the product; a test may raise it for what must not be called.
UNFINISHED = re.compile(r"\braise NotImplementedError\b")

# This file holds the words that it looks for; its test plants them.
SELF = frozenset({"scripts/rules_text.py", "tests/test_source.py"})


def texts(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Give (path, content) of each tracked file that is UTF-8 text."""
    for path in tracked(root):
        where = relative(path, root)
        if where in FOREIGN:
            continue
        raw = path.read_bytes()
        if b"\0" in raw:
            continue
        yield where, raw.decode("utf-8")


def sizes(root: Path = ROOT) -> list[Finding]:
    """Check the number of lines of each file of code."""
    findings = []
    for where, text in texts(root):
        name = where.rpartition("/")[2]
        suffix = "." + name.rpartition(".")[2]
        if "." in name and suffix not in CODE_SUFFIXES:
            continue
        count = text.count("\n")
        if count > MOST_LINES:
            say = f"{count} lines; {MOST_LINES} is the most: split it"
        elif count > LINES and where not in LONG_FILES:
            say = f"{count} lines; above {LINES} needs a reason in LONG_FILES"
        else:
            continue
        findings.append(Finding(where, count, say))
    return findings


def stale_exceptions(root: Path = ROOT) -> list[Finding]:
    """Check that each exception named here is still needed."""
    content = dict(texts(root))
    short = [
        Finding(where, 1, "needs no entry in LONG_FILES")
        for where in LONG_FILES
        if content.get(where, "").count("\n") <= LINES
    ]
    unused = [
        Finding(where, 1, f"{word!r} needs no entry in RIGHT_HERE")
        for where, word in RIGHT_HERE
        if word not in content.get(where, "").lower()
    ]
    return short + unused


def words(root: Path = ROOT) -> list[Finding]:
    """Check for overclaiming words, machine paths and loose ends."""
    everywhere = (
        (OVERCLAIMS, "claims too much or is another's word"),
        (PLACES, "a path of one machine"),
        (LOOSE_ENDS, "a loose end"),
    )
    product = (*everywhere, (UNFINISHED, "unfinished"))
    findings = []
    for where, text in texts(root):
        if where in SELF:
            continue
        rules = product if where.startswith("src/") else everywhere
        for number, line in enumerate(text.splitlines(), 1):
            for pattern, why in rules:
                for match in pattern.finditer(line):
                    if (where, match[0].lower()) in RIGHT_HERE:
                        continue
                    say = f"{match[0]!r}: {why}"
                    findings.append(Finding(where, number, say))
    return findings


def whitespace(root: Path = ROOT) -> list[Finding]:
    """Check line ends: no blanks before them, one newline at the end."""
    findings = []
    for where, text in texts(root):
        if where.startswith("tests/vectors/"):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                say = "blanks at the end of the line"
                findings.append(Finding(where, number, say))
        if text and not text.endswith("\n"):
            last = text.count("\n") + 1
            findings.append(Finding(where, last, "no newline at the end"))
    return findings
