"""Tables and numbers of the documentation are those of the code."""

from __future__ import annotations

import inspect
import json
import re
from subprocess import run
from typing import TYPE_CHECKING

import pytest

import secretmem
from docs import blocks
from secretmem import _availability, _policy
from secretmem._secret import MAX_SIZE
from secretmem.doctor.advisories import ADVISORIES
from secretmem.prove import attacks
from support import unprivileged


if TYPE_CHECKING:
    from pathlib import Path


ROOT = blocks.DOCS.parent
README = (ROOT / "README.md").read_text("utf-8")
RUST = ROOT / "rust" / "core" / "src"

KIB = 1024


def table(page: str, head: str) -> list[list[str]]:
    """Return the rows of the table whose head begins with ``head``."""
    text = page if "\n" in page else blocks.read(page)
    lines = text.splitlines()
    start = next(
        at for at, line in enumerate(lines) if line.startswith(f"| {head}")
    )
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def constant(file: str, name: str) -> int:
    """Return a number of the Rust core, such as ``24 << 10``."""
    text = (RUST / file).read_text("utf-8")
    match = re.search(rf"const {name}: \w+ = (\d+)(?: << (\d+))?;", text)
    assert match is not None, name
    return int(match[1]) << int(match[2] or 0)


def test_limits_lead() -> None:
    """What is not stopped comes before how to use it."""
    index = blocks.read("index.md")
    tree = re.findall(
        r"^```\{toctree\}.*?^```$", index, re.MULTILINE | re.DOTALL
    )[0]
    names = [line for line in tree.splitlines() if re.match(r"\w", line)]
    assert names[:2] == ["threat-model", "limitations"]
    assert index.index("not stopped") < index.index("```{toctree}")


def test_readme_and_threat_model_agree() -> None:
    """The same layers, in the same words."""
    rows = table("threat-model.md", "layer | who")
    shown = [[row[0].split()[1], *row[1:]] for row in rows]
    wanted = table(README, "layer | who")
    assert shown == [[row[0].split()[0], *row[1:]] for row in wanted]


@pytest.mark.parametrize(
    "limit",
    [
        "runs inside the process",
        "malicious dependency",
        "BPF or perf that read user memory in the process's own context",
        "Registers during an operation",
        "also as seen by ptrace or in a core file's register notes",
        "the kernel's saved copies",
        "any process of the same uid that samples or injects",
        "a live domain stack, of an open view",
        "of anything a Python library copied from a view",
        "A kernel module, kdump, the hypervisor, cold boot",
        "DMA without an IOMMU",
        "a frame of the kernel's own image",
        "`write(2)` from secret pages works",
    ],
)
def test_no_limit_is_left_out(limit: str) -> None:
    """README and threat model name each of them."""
    for text in (README, blocks.read("threat-model.md")):
        plain = re.sub(r"\s+", " ", text.replace("**", ""))
        assert limit.lower() in plain.lower()


def test_rows_of_prove_exist() -> None:
    """The threat model points at attacks that are there."""
    text = blocks.read("threat-model.md")
    cells = [row[-1] for row in table("threat-model.md", "route")]
    named = set(re.findall("`(\\w+)`", " ".join(cells)))
    for words in re.findall(r"[Rr]ows? ((?:`\w+`(?:, | and )?)+)", text):
        named |= set(re.findall("`(\\w+)`", words))
    assert len(named) > 20
    assert named <= set(attacks.NAMES)


def test_slots() -> None:
    """The sizes of slots are those of the arena."""
    text = (RUST / "page.rs").read_text("utf-8")
    match = re.search(r"CLASSES: .*? =\s*\[([\d, \n]+)\];", text)
    assert match is not None
    sizes = [int(word) for word in match[1].replace(",", " ").split()]
    page = blocks.read("guide/limits.md")
    head = next(
        line for line in page.splitlines() if line.startswith("| bytes of")
    )
    assert [int(n) for n in re.findall(r"\d+", head)] == sizes
    (row,) = table("guide/limits.md", "bytes of")
    assert [int(n) for n in row[1:]] == [4096 // size for size in sizes]


def test_numbers_of_the_core() -> None:
    """Sizes that the pages state."""
    limits = re.sub(r"\s+", " ", blocks.read("guide/limits.md"))
    stacks = (RUST / "domain/stacks.rs").read_text("utf-8")
    assert "Self::Small => 24 << 10" in stacks
    assert "a stack of 24 KiB" in limits
    assert "Self::Small => 64," in stacks
    assert "at most 64" in limits
    assert constant("arena/growth.rs", "FIRST_PAGES") == 4
    assert constant("arena/mod.rs", "MOST_PAGES") == 256
    assert constant("arena/mod.rs", "MOST_PAGES_MPROTECT") == 8
    assert "up to 1 MiB, or up to 32 KiB with the mprotect gate" in limits
    assert constant("arena/mod.rs", "CANARY") == 8
    assert "8 bytes for a canary" in limits
    assert constant("arena/mod.rs", "MOST_BYTES") == 256 * KIB * KIB
    limitations = blocks.read("limitations.md")
    assert "at most 256 MiB" in limitations
    assert MAX_SIZE == KIB * KIB
    assert "limited to 1 MiB" in limitations


def test_reasons() -> None:
    """Every reason of UnavailableError, in the words of the code."""
    rows = table("guide/errors.md", "reason")
    shown = {row[0].strip("`"): row[1] for row in rows}
    source = inspect.getdoc(_availability) or ""
    wanted = dict(re.findall(r"^``([\w-]+)`` +(.+)$", source, re.MULTILINE))
    plain = {key: text.replace("``", "`") for key, text in wanted.items()}
    assert shown == plain
    assert set(shown) == set(_availability._CAUSES)


def test_errors() -> None:
    """Each error that has a section is one of the package's."""
    text = blocks.read("guide/errors.md")
    names = re.findall(r"^## (\w+Error)$", text, re.MULTILINE)
    assert len(names) > 5
    for name in names:
        assert issubclass(getattr(secretmem, name), secretmem.SecretmemError)


def test_posture() -> None:
    """Every fact is explained."""
    rows = table("guide/hardening.md", "fact")
    shown = re.findall(r"`(\w+)`", " ".join(row[0] for row in rows))
    assert sorted(shown) == sorted(secretmem.Posture._fields)


def test_arguments() -> None:
    """Each keyword of configure and harden is explained, with its default."""
    page = blocks.read("guide/configuration.md")
    terms = re.findall(r"^`(\w+)(?:=.*)?`$", page, re.MULTILINE)
    wanted = inspect.signature(secretmem.configure).parameters
    assert sorted(terms) == sorted(wanted)
    rows = table("guide/hardening.md", "argument")
    shown = {row[0].strip("`"): row[1] == "on" for row in rows}
    parameters = inspect.signature(secretmem.harden).parameters
    assert shown == {name: p.default for name, p in parameters.items()}
    assert f"`{_policy.VARIABLE}`" in page


def test_known_bugs() -> None:
    """The table is that of doctor."""
    shown = table("kernel.md", "name | what")
    assert shown == [
        [bug.name, bug.title, bug.introduced, ", ".join(bug.fixed)]
        for bug in ADVISORIES
    ]


def test_every_public_name_has_its_place() -> None:
    """The reference lists what the package exports."""
    text = "\n".join(
        blocks.read(page) for page in blocks.pages() if page.startswith("api/")
    )
    found = set(re.findall(r":: secretmem\.(\w+)", text))
    assert found >= set(secretmem.__all__)


def test_blocks_are_of_known_kinds() -> None:
    """A block that no test looks at says why."""
    for page in blocks.pages():
        for block in blocks.blocks(page):
            assert block.language in blocks.LANGUAGES, block.place
            explained = block.caption or block.kind in ("recorded", "picture")
            assert block.language != "text" or explained, block.place


def test_files_can_be_read_by_their_programs() -> None:
    """Python compiles and JSON is JSON, also where nothing runs it."""
    for page in blocks.pages():
        for block in blocks.blocks(page):
            if block.language == "json":
                json.loads(block.text)
            if block.language == "python":
                compile(block.text, block.place, "exec")


@pytest.mark.needs_tool("bash")
def test_commands_that_are_not_run_are_shell(tmp_path: Path) -> None:
    """What would change the machine is at least well-formed."""
    for page in blocks.pages():
        for block in blocks.blocks(page):
            if block.language == "sh" or (
                block.language == "console" and not block.has_prompts
            ):
                file = tmp_path / "commands.sh"
                file.write_text(block.text, "utf-8")
                assert run(["bash", "-n", file], check=False).returncode == 0


COUNT = """
import resource, sys
import secretmem
limit, wanted = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
secret = secretmem.Secret.random
keys = [secret(32) for _ in range(wanted + 1)]
keys[0] == keys[1]
with keys[0].reveal():
    print(len(keys))
"""


@pytest.mark.needs_secretmem
@pytest.mark.needs_unprivileged
@pytest.mark.parametrize(
    "limit, wanted, said",
    [
        (64 * KIB, 500, "more than 500 secrets of 32 bytes"),
        (8192 * KIB, 100_000, "more than 100,000 such keys"),
    ],
)
def test_that_many_secrets_fit(limit: int, wanted: int, said: str) -> None:
    """With one stack and one window beside them."""
    assert said in re.sub(r"\s+", " ", blocks.read("guide/limits.md"))
    child = unprivileged.run("-c", COUNT, str(limit), str(wanted))
    assert (child.stdout, child.stderr) == (f"{wanted + 1}\n", "")
