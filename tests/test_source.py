"""
The house rules hold for this checkout, and each rule finds a planted fault.

The rules are in scripts/rules_*.py; `make lint` has the rest (ruff, mypy,
clippy).
"""

from __future__ import annotations

import importlib
import subprocess
from typing import TYPE_CHECKING

import pytest

import python_share
import rules_python
import rules_rust
import rules_text
from tree import ROOT


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tree import Finding

    Rule = Callable[[Path], list[Finding]]

RULES: tuple[Rule, ...] = (
    rules_python.import_direction,
    rules_python.import_cycles,
    rules_python.stale_exceptions,
    rules_python.public_names,
    rules_python.long_functions,
    rules_rust.safety_comments,
    rules_rust.system_calls,
    rules_rust.reasons,
    rules_text.sizes,
    rules_text.stale_exceptions,
    rules_text.words,
    rules_text.whitespace,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_this_checkout_keeps(rule: Rule) -> None:
    """No file of this checkout breaks the rule."""
    assert "\n".join(map(str, rule(ROOT))) == ""


def _tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root


SAFE = "//! Rust because.\n"
FAULTS: tuple[tuple[Rule, str, str, str], ...] = (
    (
        rules_python.import_direction,
        "src/secretmem/_secret.py",
        "from secretmem.prove import needle\n",
        "later layer",
    ),
    (
        rules_python.import_direction,
        "src/secretmem/_secret.py",
        "def f():\n    import secretmem.cli.main\n",
        "later layer",
    ),
    (
        rules_python.import_direction,
        "src/secretmem/_limits.py",
        "from . import _secret\n",
        "imports _secret",
    ),
    (
        rules_python.import_direction,
        "src/secretmem/model/ram.py",
        "from secretmem import exceptions\n",
        "stands alone",
    ),
    (
        rules_python.import_direction,
        "src/secretmem/_newcomer.py",
        "from secretmem import _secret\n",
        "no layer",
    ),
    (
        rules_python.stale_exceptions,
        "src/secretmem/_policy.py",
        "import os\n",
        "unused",
    ),
    (
        rules_python.import_cycles,
        "src/secretmem/_secret.py",
        "from secretmem import _area\n",
        "in a circle",
    ),
    (
        rules_python.public_names,
        "src/secretmem/hazmat.py",
        '__all__ = ["a"]\ndef a(): ...\ndef b(): ...\n',
        "b is public",
    ),
    (
        rules_python.public_names,
        "src/secretmem/__init__.py",
        "__all__ = []\nfrom secretmem.hazmat import a\n",
        "a is public",
    ),
    (
        rules_python.public_names,
        "src/secretmem/hazmat.py",
        "def a(): ...\n",
        "has __all__",
    ),
    (
        rules_python.long_functions,
        "src/secretmem/_secret.py",
        "def f():\n" + "    g()\n" * 61,
        "f has 62 lines",
    ),
    (
        rules_rust.safety_comments,
        "rust/core/src/area.rs",
        "fn f() {\n    unsafe { g() };\n}\n",
        "without a SAFETY comment",
    ),
    (
        rules_rust.safety_comments,
        "rust/core/src/area.rs",
        "fn f() {\n    // SAFETY: fine.\n    unsafe { g() };\n}\n",
        "says nothing",
    ),
    (
        rules_rust.safety_comments,
        "rust/core/src/area.rs",
        "// SAFETY: for f only\nfn f() {}\nfn g() {\n    unsafe { h() }\n}\n",
        "without a SAFETY comment",
    ),
    (
        rules_rust.safety_comments,
        "rust/core/src/area.rs",
        "unsafe impl Send for Area {}\n",
        "without a SAFETY comment",
    ),
    (
        rules_rust.safety_comments,
        "rust/core/src/area.rs",
        "/// Wipes.\npub(crate) unsafe fn wipe() {}\n",
        "# Safety",
    ),
    (
        rules_rust.system_calls,
        "rust/core/src/area.rs",
        "fn f() { libc::mmap(a); }\n",
        "libc::mmap is called",
    ),
    (
        rules_rust.system_calls,
        "rust/core/src/area.rs",
        "use libc::{close, EAGAIN};\n",
        "only constants",
    ),
    (
        rules_rust.system_calls,
        "rust/core/src/area.rs",
        'unsafe extern "C" {\n    fn mmap(at: usize);\n}\n',
        "mmap is declared",
    ),
    (
        rules_rust.system_calls,
        "rust/core/src/area.rs",
        'fn f() { asm!("syscall") }\n',
        "a system call",
    ),
    (
        rules_rust.system_calls,
        "rust/core/src/domain/tramp.s",
        "start:\n    svc #0\n",
        "a system call",
    ),
    (
        rules_rust.reasons,
        "rust/core/src/area.rs",
        "//! An area.\n",
        "why this is Rust",
    ),
    (rules_text.sizes, "src/long.py", "x\n" * 401, "needs a reason"),
    (rules_text.sizes, "src/long.rs", "x\n" * 601, "split it"),
    (rules_text.sizes, "scripts/long", "x\n" * 401, "needs a reason"),
    (rules_text.words, "docs/a.md", "an unbreakable vault\n", "unbreakable"),
    (rules_text.words, "docs/a.md", "see /root/.cargo\n", "one machine"),
    (rules_text.words, "src/a.py", "# TODO: later\n", "loose end"),
    (rules_text.words, "src/a.py", "raise NotImplementedError\n", "unfinish"),
    (rules_text.whitespace, "src/a.py", "x = 1 \n", "blanks"),
    (rules_text.whitespace, "src/a.py", "x = 1", "no newline"),
)


@pytest.mark.parametrize("rule, path, text, message", FAULTS)
def test_a_planted_fault_is_found(
    tmp_path: Path, rule: Rule, path: str, text: str, message: str
) -> None:
    """The rule speaks, and names the file."""
    others = {
        "src/secretmem/__init__.py": "",
        "src/secretmem/_area.py": "from secretmem import _secret\n",
        "src/secretmem/_secret.py": "",
        "src/secretmem/cli/__init__.py": "",
        "src/secretmem/cli/main.py": "",
        "src/secretmem/prove/__init__.py": "",
    }
    findings = rule(_tree(tmp_path, others | {path: text}))
    assert message in "\n".join(map(str, findings))


GOOD_RUST = """\
//! An area. Rust because it maps
//! pages.

use libc::EAGAIN;

unsafe extern "C" {
    /// Switches stacks.
    ///
    /// # Safety
    /// The stack is mapped.
    fn secretmem_on_stack(f: unsafe extern "C" fn(usize));
}

/// Wipes.
///
/// # Safety
/// The range is mapped.
#[inline(never)]
pub(crate) unsafe fn wipe() -> i32 {
    let text = "unsafe { in a string }"; // unsafe in a comment
    // SAFETY: the caller promises that the range is mapped, and
    // nobody else writes there.
    let done = call(
        unsafe { other(libc::EAGAIN) },
    );
    done
}

// SAFETY: the pointer is never shared.
unsafe impl Send for Area {}

impl Kernel for Linux {
    unsafe fn map(&self) {}
}
"""


def test_good_rust_passes(tmp_path: Path) -> None:
    """The rules accept what they ask for."""
    root = _tree(tmp_path, {"rust/core/src/area.rs": GOOD_RUST})
    assert rules_rust.safety_comments(root) == []
    assert rules_rust.system_calls(root) == []
    assert rules_rust.reasons(root) == []


def test_type_checking_imports_go_any_way(tmp_path: Path) -> None:
    """An import that only a type checker reads binds nothing."""
    text = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from secretmem.cli import main\n"
    )
    root = _tree(tmp_path, {"src/secretmem/_secret.py": text})
    assert rules_python.import_direction(root) == []


@pytest.mark.parametrize(
    "module",
    [name for name in rules_python.modules() if rules_python.is_public(name)],
)
def test_listed_names_exist(module: str) -> None:
    """Each name in ``__all__`` of a public module can be had."""
    loaded = importlib.import_module(module)
    missing = [n for n in loaded.__all__ if not hasattr(loaded, n)]
    assert missing == []


def test_python_lines_are_code_only() -> None:
    """Blank lines, comments and docstrings do not count."""
    source = (
        '"""Doc."""\n\n# why\ndef f():\n    """Doc."""\n    return (\n1)\n'
    )
    assert python_share.python_lines(source) == 3


def test_rust_lines_are_product_only() -> None:
    """Comments and items of test builds do not count."""
    source = (
        "//! Doc.\nfn f() {\n    // why\n    g();\n}\n"
        "#[cfg(test)]\nmod fake;\n"
        '#[cfg(any(test, feature = "fault"))]\nmod tests {\n    fn t() {}\n}\n'
        "fn h() {}\n"
    )
    assert python_share.rust_lines(source) == 4


def test_rust_modules_of_test_builds_do_not_count(tmp_path: Path) -> None:
    """A file that only ``#[cfg(test)] mod`` brings in is no product."""
    files = {
        "rust/core/src/kernel/mod.rs": "#[cfg(test)]\nmod fake;\nmod real;\n",
        "rust/core/src/kernel/fake.rs": "fn f() {}\n" * 7,
        "rust/core/src/kernel/real.rs": "fn f() {}\n",
        "src/secretmem/a.py": "x = 1\n",
    }
    counted = python_share.count(_tree(tmp_path, files))
    assert counted == {"python": 1, "rust": 2}


@pytest.mark.needs_tool("git")
def test_builds_leave_no_untracked_file() -> None:
    """What the targets write is ignored by git."""
    written = [
        ".venv/x",
        "build/x",
        "dist/x",
        "rust/target/x",
        "docs/_build/x",
        "src/secretmem/_native.abi3.so",
        "src/secretmem/__pycache__/x.pyc",
        ".coverage.1",
        ".hypothesis/x",
        ".mypy_cache/x",
        ".pytest_cache/x",
        ".ruff_cache/x",
    ]
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", *written],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ignored.stdout.split() == written
