"""
What code inside the domain must not do does not compile, or is a lint.

A copy of the Rust core gets a module in which every marked line breaks one
rule; the compiler must say so, with the code that belongs to the rule, and
say nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
RUST = ROOT / "rust"

# E0277: a bound is not satisfied; E0463: there is no such crate; E0603: it is
# private.
TYPES = """
use crate::domain::{self, run, run_with_heap};
use crate::runtime::Runtime;

fn results(r: &Runtime) {
    let _ = run(r, || vec![1u8]); //~ E0277
    let _ = run(r, || [0u8; 32]); //~ E0277
    let _ = run(r, || 7u8); //~ E0277
    let _ = run(r, || "text"); //~ E0277
    let _ = run(r, || String::new()); //~ E0277
    let _ = run(r, || Box::new(1usize)); //~ E0277
    let _ = run(r, || Some(1u8)); //~ E0277
    let _ = run(r, || (1usize, 2usize)); //~ E0277
    let _ = run(r, || Ok::<usize, u8>(1)); //~ E0277
    let _ = run(r, || core::ptr::null::<u8>()); //~ E0277
    let _ = run(r, || || 1usize); //~ E0277
    let _ = run_with_heap(r, 64, || vec![1u8]); //~ E0277
    let _ = run_with_heap(r, 64, || std::sync::Arc::new(1usize)); //~ E0277
}

struct Mine;
impl domain::Public for Mine {} //~ E0277

extern crate pyo3; //~ E0463
"""
SEALED = """
struct Mine;
impl crate::domain::sealed::Sealed for Mine {} //~ E0603
"""
RIGHT = """
use crate::domain::{run, run_with_heap};
use crate::runtime::Runtime;

pub(crate) fn results(r: &Runtime) -> bool {
    run(r, || ()).is_ok()
        && run(r, || true).is_ok()
        && run(r, || 1usize).is_ok()
        && run_with_heap(r, 64, || Some(1usize)).is_ok()
}
"""
LINTS = """
use std::backtrace::Backtrace;
use std::net::{TcpStream, ToSocketAddrs};
use std::{env, fs, io, thread};

pub(crate) fn forbidden(bytes: &[u8]) {
    println!("a"); //~ clippy::print_stdout
    print!("a"); //~ clippy::print_stdout
    eprintln!("a"); //~ clippy::print_stderr
    dbg!(1); //~ clippy::dbg_macro
    let _ = io::stdin(); //~ clippy::disallowed_methods
    let _ = io::stdout(); //~ clippy::disallowed_methods
    let _ = io::stderr(); //~ clippy::disallowed_methods
    let _ = Backtrace::capture(); //~ clippy::disallowed_methods
    let _ = Backtrace::force_capture(); //~ clippy::disallowed_methods
    let _ = thread::spawn(|| 1); //~ clippy::disallowed_methods
    let named = thread::Builder::new();
    let _ = named.spawn(|| 1); //~ clippy::disallowed_methods
    thread::scope(|_| ()); //~ clippy::disallowed_methods
    let _ = ("a", 1).to_socket_addrs(); //~ clippy::disallowed_methods
    let _ = TcpStream::connect("a:1"); //~ clippy::disallowed_methods
    let _ = fs::read("a"); //~ clippy::disallowed_methods
    let _ = env::var("a"); //~ clippy::disallowed_methods
    let _ = std::cell::OnceCell::<u8>::new(); //~ clippy::disallowed_types
    let _ = std::sync::LazyLock::new(|| 1); //~ clippy::disallowed_types
    let _ = bytes[3]; //~ clippy::indexing_slicing
    let _ = Some(1u8).unwrap(); //~ clippy::unwrap_used
}
"""


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Copy the Rust sources."""
    copy = tmp_path_factory.mktemp("rules") / "rust"
    ignore = shutil.ignore_patterns("target", "fuzz")
    shutil.copytree(RUST, copy, ignore=ignore)
    library = copy / "core" / "src" / "lib.rs"
    text = library.read_text("utf-8")
    library.write_text(f"{text}\nmod rules;\n", "utf-8")
    yield copy
    shutil.rmtree(copy)


def messages(core: Path, module: str, command: str) -> list[dict[str, Any]]:
    """Compile the core with the module; give what is said about it."""
    (core / "core" / "src" / "rules.rs").write_text(module, "utf-8")
    done = subprocess.run(
        [
            *("cargo", command, "--quiet", "--offline", "--locked"),
            *("--package", "secretmem-core", "--message-format", "json"),
        ],
        cwd=core,
        env={**os.environ, "CARGO_TARGET_DIR": str(ROOT / "build" / "rules")},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    said = [
        line["message"]
        for line in lines
        if line["reason"] == "compiler-message"
    ]
    assert said or done.returncode == 0, done.stderr
    return [each for each in said if each["spans"]]


def found(said: list[dict[str, Any]]) -> set[tuple[int, str]]:
    """Give the line and the code of each message."""
    return {
        (span["line_start"], (each["code"] or {}).get("code", "no code"))
        for each in said
        for span in each["spans"]
        if span["is_primary"]
        and span["file_name"].endswith("rules.rs")
        and (each["level"] == "error" or "clippy" in str(each["code"]))
    }


def marked(module: str) -> set[tuple[int, str]]:
    """Give the line and the code of each mark."""
    return {
        (number, match[1])
        for number, line in enumerate(module.splitlines(), 1)
        if (match := re.search(r"//~ (\S+)$", line))
    }


@pytest.mark.needs_tool("cargo")
@pytest.mark.parametrize("module", [TYPES, SEALED], ids=["types", "sealed"])
def test_what_must_not_leave_does_not_compile(core: Path, module: str) -> None:
    """Only public types come out, nobody adds one, and Python stays out."""
    assert found(messages(core, module, "check")) == marked(module)


@pytest.mark.needs_tool("cargo")
def test_what_may_leave_compiles(core: Path) -> None:
    """The control: the same calls with public results."""
    assert found(messages(core, RIGHT, "check")) == set()


@pytest.mark.needs_tool("cargo")
def test_what_must_not_be_used_inside_is_a_lint(core: Path) -> None:
    """Output, backtraces, threads, lazy state, names, indexing."""
    said = found(messages(core, LINTS, "clippy"))
    ours = {each for each in said if each[1] in {m[1] for m in marked(LINTS)}}
    assert ours >= marked(LINTS)


def test_thread_local_state_is_a_cell_made_by_a_constant() -> None:
    """
    Thread-local memory is ordinary, and its destructors run outside.

    So it holds what is copied: numbers and places, made at compile time.
    """
    states = []
    for path in sorted((RUST / "core" / "src").rglob("*.rs")):
        text = path.read_text("utf-8")
        for block in re.findall(
            r"^thread_local! \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL
        ):
            states += re.findall(r"^ *static (\w+: .*)$", block, re.MULTILINE)
    assert len(states) >= 4
    cell = re.compile(r"\w+: Cell<.*> = const \{")
    assert [each for each in states if not cell.match(each)] == []
    owned = re.compile(r"Vec|String|Box|Rc|Arc|Secret|\[u8")
    assert [each for each in states if owned.search(each)] == []
