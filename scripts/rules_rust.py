"""
House rules for the Rust side: SAFETY comments, system calls, reasons.

These read the text, not the grammar. Clippy checks much of the same with
the grammar; what is here is what clippy cannot say: every file, attribute,
assembly file and feature, also those that this machine does not compile.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from tree import ROOT, Finding, relative, tracked


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# The one file that makes system calls.
KERNEL = "rust/core/src/kernel/linux.rs"

# Functions of the C library that manage its heap and make no system call of
# ours: the crypto library's memory comes from there outside of operations.
HEAP = frozenset({"free", "malloc", "malloc_usable_size", "realloc"})

# Functions that our own assembly defines have this prefix; whatever else an
# extern block declares is a C library's.
OWN_PREFIX = "secretmem_"

# "as above" is an answer, "ok" is none.
SAFETY_WORDS = 2

# A comment may stand this many lines above, at the start of the statement.
REACH = 12

_CODE = re.compile(
    r"""
    (?P<string> b?r(?P<hash>\#*)".*?"(?P=hash) | b?"(?:\\.|[^"\\])*" )
    | (?P<char> b?'(?:\\.[^']*|[^'\\])' )
    | (?P<comment> //[^\n]* | /\*.*?\*/ )
    """,
    re.VERBOSE | re.DOTALL,
)

TEST_ONLY = re.compile(
    r"\s*#\[cfg\((?:test|feature = \"fault\""
    r"|any\(test, feature = \"fault\"\))\)\]"
)
_MODULE = re.compile(r"\s*(?:pub(?:\([^)]*\))? )?mod (\w+);")

_UNSAFE = re.compile(r"\bunsafe\b(?!\s*_)")
_UNSAFE_FN = re.compile(r"\bunsafe\s+(?:extern\s+\"[^\"]*\"\s*)?fn\s+\w")
_UNSAFE_FN_TYPE = re.compile(r"\bunsafe\s+(?:extern\s+\"[^\"]*\"\s*)?fn\s*\(")
_EXTERN_OPENS = re.compile(r"\bunsafe\s+extern\s+\"[^\"]*\"\s*\{")
_LINT_NAME = re.compile(r"\bunsafe_(?:code|op_in_unsafe_fn)\b")
_LIBC_CALL = re.compile(r"\blibc::([a-z]\w*)\s*\(")
_LIBC_USE = re.compile(r"\buse\s+libc\b(?!::[A-Z_0-9]+\s*;)")
_EXTERN = re.compile(r"\bextern\s+\"C\"\s*\{([^}]*)\}")
_EXTERN_FN = re.compile(r"\bfn\s+(\w+)")
# `#` before a digit is an immediate operand on aarch64.
_ASM_COMMENT = re.compile(r"#(?!\d)|//")
_TRAP = re.compile(r"(?<![\w.])(?:syscall|sysenter|int\s+\$?0x80|svc\s+#?0)\b")


def sources(root: Path = ROOT) -> list[Path]:
    """List the Rust files, tests and fuzz targets included."""
    paths = tracked(root)
    return [p for p in paths if _in_rust(p, root) and p.suffix == ".rs"]


def assembly(root: Path = ROOT) -> list[Path]:
    """List the assembly files."""
    paths = tracked(root)
    return [p for p in paths if _in_rust(p, root) and p.suffix in {".s", ".S"}]


def product_sources(root: Path = ROOT) -> list[Path]:
    """List the Rust files that end up in the product."""
    return [p for p in sources(root) if "src" in p.relative_to(root).parts]


def modules_for_tests(root: Path = ROOT) -> set[Path]:
    """List the files of the modules that only test builds have."""
    found = set()
    for path in product_sources(root):
        folder = path.parent
        if path.stem not in {"lib", "main", "mod"}:
            folder /= path.stem
        text = code_only(path.read_text("utf-8"), keep_strings=True)
        lines = [line for line in text.splitlines() if line.strip()]
        for attribute, item in pairwise(lines):
            module = _MODULE.match(item)
            if module and TEST_ONLY.match(attribute):
                found |= {folder / f"{module[1]}.rs"}
                found |= {folder / module[1] / "mod.rs"}
    return found


def _in_rust(path: Path, root: Path) -> bool:
    return path.relative_to(root).parts[0] == "rust"


def code_only(text: str, *, keep_strings: bool = False) -> str:
    """Blank out comments and, unless told, strings; lines stay lines."""

    def blank(match: re.Match[str]) -> str:
        if match["comment"] is None and keep_strings:
            return match[0]
        return re.sub(r"[^\n]", " ", match[0])

    return _CODE.sub(blank, text)


def safety_comments(root: Path = ROOT) -> list[Finding]:
    """Check that each ``unsafe`` has a SAFETY comment that says something."""
    findings = []
    for path in sources(root):
        text = path.read_text("utf-8")
        lines = text.splitlines()
        code = code_only(text, keep_strings=True).splitlines()
        plain = code_only(text).splitlines()
        for index, line in enumerate(plain):
            problem = _unsafe_problem(code, lines, index, line)
            if problem:
                where = relative(path, root)
                findings.append(Finding(where, index + 1, problem))
    return findings


def _unsafe_problem(
    code: list[str], lines: list[str], index: int, plain: str
) -> str | None:
    if not _UNSAFE.search(_LINT_NAME.sub("", plain)):
        return None
    if _UNSAFE_FN_TYPE.search(code[index]):
        return None
    above = "\n".join(_comment_above(code, lines, index))
    if _UNSAFE_FN.search(code[index]):
        # A private one is called next to its reasons, or by a protocol.
        if "# Safety" in above or not code[index].lstrip().startswith("pub"):
            return None
        return "an unsafe function says under `# Safety` what callers owe"
    if _EXTERN_OPENS.search(code[index]):
        # What callers owe is said at each function in the block.
        inside = "\n".join(_block(lines, index))
        above += inside.replace("# Safety", "SAFETY:")
    beside = lines[index].partition("SAFETY:")[2]
    said = above.partition("SAFETY:")[2] or beside
    if not said:
        return "unsafe without a SAFETY comment"
    if len(re.findall(r"\w+", said)) < SAFETY_WORDS:
        return "a SAFETY comment that says nothing"
    return None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _block(lines: list[str], index: int) -> Iterator[str]:
    """Give the lines of the block that a line opens."""
    for line in lines[index + 1 :]:
        if line.strip() and _indent(line) <= _indent(lines[index]):
            return
        yield line


def _comment_above(
    code: list[str], lines: list[str], index: int
) -> Iterator[str]:
    """
    Give the comment lines that belong to the statement at a line.

    Walks up to the start of the statement (a line that ends another one, or
    opens a block) and through the comments and attributes before it.
    """
    block: list[str] = []
    in_statement = True
    for at in range(index - 1, -1, -1):
        bare = code[at].strip()
        if lines[at].strip().startswith("//"):
            block.append(lines[at])
            in_statement = False
        elif bare.startswith("#"):
            continue
        elif not in_statement or not bare or index - at > REACH:
            break
        elif bare.endswith("=> {"):
            continue
        elif bare.endswith((";", "{", "}", ",")):
            break
    return reversed(block)


def system_calls(root: Path = ROOT) -> list[Finding]:
    """
    Check that only the kernel file calls into libc or the kernel.

    Tests may: they raise signals and look at what the kernel says.
    """
    findings = []
    for path in sorted(set(product_sources(root)) - modules_for_tests(root)):
        where = relative(path, root)
        if where == KERNEL:
            continue
        text = path.read_text("utf-8")
        code = code_only(text)
        spoken = code_only(text, keep_strings=True)
        for line, problem in _foreign_calls(code, spoken):
            findings.append(Finding(where, line, problem))
    for path in assembly(root):
        for number, text in enumerate(path.read_text("utf-8").splitlines(), 1):
            if _TRAP.search(_ASM_COMMENT.split(text)[0]):
                where = relative(path, root)
                findings.append(Finding(where, number, "a system call"))
    return sorted(findings)


def _foreign_calls(code: str, spoken: str) -> Iterator[tuple[int, str]]:
    def line_of(text: str, at: int) -> int:
        return text.count("\n", 0, at) + 1

    for match in _LIBC_CALL.finditer(code):
        if match[1] in HEAP:
            continue
        text = f"libc::{match[1]} is called outside {KERNEL}"
        yield line_of(code, match.start()), text
    for match in _LIBC_USE.finditer(code):
        text = "only constants of libc may be imported here"
        yield line_of(code, match.start()), text
    for block in _EXTERN.finditer(spoken):
        for function in _EXTERN_FN.finditer(block[1]):
            if not function[1].startswith(OWN_PREFIX):
                text = f"{function[1]} is declared outside {KERNEL}"
                at = block.start(1) + function.start()
                yield line_of(spoken, at), text
    for string in re.finditer(r'"(?:\\.|[^"\\])*"', spoken):
        if _TRAP.match(string[0].strip('" \t')):
            yield line_of(spoken, string.start()), "a system call instruction"


def reasons(root: Path = ROOT) -> list[Finding]:
    """
    Check that each module's first comment says why it is Rust.

    A crate's root only lists its modules.
    """
    findings = []
    for path in sorted(set(product_sources(root)) - modules_for_tests(root)):
        if path.name == "lib.rs":
            continue
        first = []
        for line in path.read_text("utf-8").splitlines():
            if not line.startswith("//!"):
                break
            first.append(line[3:])
        if "Rust because" not in " ".join(" ".join(first).split()):
            text = "the first comment says why this is Rust (Rust because ...)"
            findings.append(Finding(relative(path, root), 1, text))
    return findings
