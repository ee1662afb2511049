"""
The examples in the documentation, as the tests see them.

What a fenced block is decides its language:

==============  ==========================================================
``python``      code that runs and prints nothing
``pycon``       a Python session with its output, as doctest reads it
``console``     shell commands (``$``, or ``#`` for root) with their output
a caption       any block with ``:caption: NAME`` is the file NAME, there
                for the commands of the page
``sh``          commands that are not run: they change the machine, or take
                long; so is ``console`` without prompts
``text``        recorded output or a picture; says which
the others      files for other programs, checked where something can
==============  ==========================================================

``...`` in an output stands for anything.  The Python blocks of a page are one
session from top to bottom, its shell blocks another; both run in an empty
folder.  A comment before a block says more::

    <!-- example: fresh needs=root,tool:gdb exit=1 typed='word;word' -->

``fresh`` begins a new session, ``needs`` names markers of `support.needs`
(``nothing`` instead of secretmem; ``unprivileged`` also drops privileges),
``exit`` is the status of the block's last command (``any`` where it depends
on the machine), ``loose`` lets the number of blanks in an output differ, and
``typed`` is what a person types at each prompt of the session.
``<!-- recorded: NAME -->`` and ``<!-- picture -->`` explain text.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path


DOCS = Path(__file__).resolve().parents[2] / "docs"

PYTHON = frozenset({"python", "pycon"})

LANGUAGES = PYTHON | {
    "c",
    "console",
    "dockerfile",
    "ini",
    "json",
    "sh",
    "text",
    "yaml",
}

# Directives of MyST whose content is prose.
_PROSE = frozenset(
    {
        "admonition",
        "autoclass",
        "autofunction",
        "automodule",
        "autoexception",
        "autodata",
        "caution",
        "eval-rst",
        "glossary",
        "important",
        "include",
        "note",
        "seealso",
        "tip",
        "toctree",
        "warning",
    }
)

_FENCE = re.compile(r"^(?P<fence>`{3,}|:{3,})(?P<info>.*)$")
_COMMENT = re.compile(r"^<!--\s*(?P<kind>\w+)(?::\s*(?P<words>.*?))?\s*-->$")


@dataclass(frozen=True)
class Block:
    """
    One fenced block.

    ``line`` is the number of its first line of content; ``options`` are the
    words of the comment before it, ``caption`` the name of a file.
    """

    page: str
    line: int
    language: str
    text: str
    caption: str = ""
    kind: str = ""
    options: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Return where it stands, as compilers say it."""
        return f"docs/{self.page}:{self.line}"

    @property
    def has_prompts(self) -> bool:
        """Tell whether it shows commands with their output."""
        return re.search("^[$#] ", self.text, re.MULTILINE) is not None


@dataclass
class Session:
    """Blocks that run one after the other, and what they need."""

    page: str
    kind: str
    blocks: list[Block] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name of the test."""
        return f"{self.page}:{self.blocks[0].line}:{self.kind}"

    @property
    def typed(self) -> list[str]:
        """Return what a person types, word by word."""
        return [
            word
            for block in self.blocks
            for word in block.options.get("typed", "").split(";")
            if word
        ]

    @property
    def unprivileged(self) -> bool:
        """Tell whether it is to run without privileges."""
        return "unprivileged" in self.needs

    @property
    def needs(self) -> set[str]:
        """Return the names of markers, such as "root" or "tool:gdb"."""
        return {
            need
            for block in self.blocks
            for need in _needs(block)
            if need != "nothing"
        }


def _needs(block: Block) -> set[str]:
    """Return what a block needs: secret memory, unless it says otherwise."""
    needs = set(block.options.get("needs", "secretmem").split(","))
    if block.language == "console" and re.search(
        "^# ", block.text, re.MULTILINE
    ):
        needs.add("root")
    return needs


def pages() -> list[str]:
    """Return the pages, as paths below docs."""
    found = sorted(DOCS.rglob("*.md"))
    names = (path.relative_to(DOCS) for path in found)
    return [str(name) for name in names if name.parts[0] != "_build"]


def read(page: str) -> str:
    """Return the text of a page."""
    return (DOCS / page).read_text("utf-8")


def blocks(page: str, text: str | None = None) -> list[Block]:
    """Return the fenced blocks of a page that are no prose, in order."""
    lines = (read(page) if text is None else text).splitlines()
    found: list[Block] = []
    prose: list[str] = []
    comment: re.Match[str] | None = None
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence is None:
            if lines[at].strip():
                comment = _COMMENT.match(lines[at])
            at += 1
        elif prose and lines[at].rstrip() == prose[-1]:
            prose.pop()
            at += 1
        elif _is_prose(fence["info"]):
            prose.append(fence["fence"])
            at += 1
        else:
            end = _end(lines, at, fence["fence"])
            info = fence["info"].strip()
            found.append(_block(page, lines[at + 1 : end], at, info, comment))
            comment = None
            at = end + 1
    return found


def _is_prose(info: str) -> bool:
    """Tell a directive, whose content is not code."""
    name = re.match(r"\s*\{([\w-]+)\}", info)
    return name is not None and name[1] in _PROSE


def sessions(page: str) -> list[Session]:
    """Return what is run of a page."""
    found: list[Session] = []
    all_blocks = blocks(page)
    files = {each.caption: each.text for each in all_blocks if each.caption}
    for block in all_blocks:
        kind = _kind(block)
        if not kind:
            continue
        same = [each for each in found if each.kind == kind]
        if not same or "fresh" in block.options:
            found.append(Session(page, kind, files=files))
            same = [found[-1]]
        same[-1].blocks.append(block)
    return found


def recorded(page: str) -> dict[str, str]:
    """Return the recorded outputs of a page by their names."""
    return {
        next(iter(block.options)): block.text
        for block in blocks(page)
        if block.kind == "recorded"
    }


def _kind(block: Block) -> str:
    if block.caption:
        return ""
    if block.language in PYTHON:
        return "python"
    if block.language == "console" and block.has_prompts:
        return "shell"
    return ""


def _end(lines: list[str], start: int, fence: str) -> int:
    """Return the index of the closing fence."""
    for at in range(start + 1, len(lines)):
        if lines[at].rstrip() == fence:
            return at
    raise ValueError(f"the fence of line {start + 1} is not closed")


def _block(
    page: str,
    content: list[str],
    at: int,
    info: str,
    comment: re.Match[str] | None,
) -> Block:
    """Make a block of its lines; ``at`` is the index of its fence."""
    language = info.removeprefix("{code-block}").strip()
    caption, first = "", 0
    while first < len(content) and content[first].startswith(":"):
        name, _, value = content[first][1:].partition(":")
        if name == "caption":
            caption = value.strip()
        first += 1
    while first and first < len(content) and not content[first].strip():
        first += 1
    words = shlex.split(comment["words"] or "") if comment else []
    return Block(
        page=page,
        line=at + first + 2,
        language=language,
        text="\n".join(content[first:]) + "\n",
        caption=caption,
        kind=comment["kind"] if comment else "",
        options={
            word.partition("=")[0]: word.partition("=")[2] or word
            for word in words
        },
    )
