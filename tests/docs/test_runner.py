"""The runner of examples finds what is wrong with an example."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from docs import blocks, shell
from docs.test_examples import run_python, run_shell


if TYPE_CHECKING:
    from pathlib import Path


def _session(text: str, kind: str) -> blocks.Session:
    found = blocks.blocks("planted.md", text)
    files = {each.caption: each.text for each in found if each.caption}
    runs = [each for each in found if not each.caption]
    return blocks.Session("planted.md", kind, runs, files)


@pytest.mark.parametrize(
    "text, said",
    [
        ("```pycon\n>>> 1 + 1\n2\n```\n", ""),
        ("```pycon\n>>> 1 + 1\n3\n```\n", "Expected:"),
        ("```pycon\n>>> print('a b')\na ...\n```\n", ""),
        ("```pycon\n2\n```\n", "status 1"),
        ("```pycon\n>>> 1 / 0\n```\n", "ZeroDivisionError"),
        (
            (
                "```pycon\n>>> {}[1]\nTraceback (most recent call last):\n"
                "KeyError: 2\n```\n"
            ),
            "Expected:",
        ),
        ("```python\nx = 1\n```\n\n```pycon\n>>> x\n1\n```\n", ""),
        ("```python\nx = y\n```\n", "docs/planted.md:2"),
        ("```python\nprint(1)\n```\n", "printed"),
        ("```python\nimport os; os._exit(3)\n```\n", "status 3"),
        ("```python\nimport sys; sys.exit()\n```\n", "SystemExit"),
        (
            "```python\nimport warnings; warnings.warn('odd')\n```\n",
            "odd",
        ),
    ],
)
def test_python(text: str, said: str, tmp_path: Path) -> None:
    """A block that does not do what it shows is reported."""
    folder = tmp_path / "example"
    folder.mkdir()
    found = run_python(_session(text, "python"), folder)
    assert said in found
    assert bool(said) == bool(found)


@pytest.mark.parametrize(
    "text, said",
    [
        ("```console\n$ echo one\none\n$ echo two\ntwo\n```\n", ""),
        ("```console\n$ echo one\ntwo\n```\n", "docs/planted.md:2"),
        ("```console\n$ echo one\n```\n", "one"),
        ("```console\n$ false\n```\n", "got status 1"),
        ("<!-- example: exit=1 -->\n```console\n$ false\n```\n", ""),
        ("<!-- example: exit=1 -->\n```console\n$ true\n```\n", "status 0"),
        ("<!-- example: exit=any -->\n```console\n$ false\n```\n", ""),
        ("```console\n$ echo 'a  b'\na b\n```\n", "a  b"),
        (
            "<!-- example: loose -->\n```console\n$ echo 'a  b'\na b\n```\n",
            "",
        ),
        ("```console\n$ exit 4\n$ echo more\nmore\n```\n", "got status 4"),
        ("```console\n$ X=1\n$ echo $X \\\n> 2\n1 2\n```\n", ""),
        ("```console\n$ sleep 100 &\n$ echo here\nhere\n```\n", ""),
        ("```console\n$ printf end\nend\n```\n", ""),
    ],
)
def test_shell(text: str, said: str, tmp_path: Path) -> None:
    """A command that prints or ends otherwise is reported."""
    found = run_shell(_session(text, "shell"), tmp_path)
    assert said in found
    assert bool(said) == bool(found)


def test_output_without_a_command() -> None:
    """A block that begins with output is a mistake of the writer."""
    (block,) = blocks.blocks("planted.md", "```console\none\n```\n")
    with pytest.raises(ValueError, match="output without a command"):
        shell.commands(block)


def test_commands_without_prompts_are_not_run() -> None:
    """A page may show what takes half an hour."""
    shown, run = (
        blocks.blocks("planted.md", f"```console\n{line}\n```\n")[0]
        for line in ("make lab", "$ make lab")
    )
    assert not shown.has_prompts
    assert run.has_prompts


def test_typing_at_a_prompt(tmp_path: Path) -> None:
    """The session has a terminal, at which words are typed."""
    text = (
        "<!-- example: typed=one;two -->\n```pycon\n"
        ">>> with open('/dev/tty', 'r+b', 0) as tty:\n"
        "...     for _ in range(2):\n"
        "...         _ = tty.write(b'Word: ')\n"
        "...         tty.readline()\n"
        "b'one\\n'\nb'two\\n'\n```\n"
    )
    folder = tmp_path / "example"
    folder.mkdir()
    assert run_python(_session(text, "python"), folder) == ""


def test_reading_of_blocks() -> None:
    """Comments, captions, directives and line numbers are seen."""
    text = (
        "# Page\n\n:::{note}\n```pycon\n>>> 1\n1\n```\n:::\n\n"
        "```{toctree}\none\n```\n\n"
        "<!-- example: fresh needs=root,tool:gdb typed='a b' -->\n\n"
        "```{code-block} python\n:caption: x.py\n\nx = 1\n```\n"
        "<!-- recorded: table -->\n```text\nrow\n```\n"
    )
    note, code, table = blocks.blocks("planted.md", text)
    assert (note.language, note.line, note.text) == (
        "pycon",
        5,
        ">>> 1\n1\n",
    )
    assert (code.caption, code.line, code.text) == ("x.py", 19, "x = 1\n")
    assert code.options == {
        "fresh": "fresh",
        "needs": "root,tool:gdb",
        "typed": "a b",
    }
    assert (table.kind, table.options) == ("recorded", {"table": "table"})


def test_what_a_session_needs() -> None:
    """Secret memory unless it says otherwise; root for a root prompt."""
    plain = _session("```console\n$ true\n```\n", "shell")
    assert plain.needs == {"secretmem"}
    told = _session(
        "<!-- example: needs=nothing -->\n```console\n# true\n```\n", "shell"
    )
    assert told.needs == {"root"}
    both = _session("```console\n$ true\n```\n" * 2, "shell")
    both.blocks[0].options["needs"] = "nothing"
    assert both.needs == {"secretmem"}
    both.blocks[1].options["needs"] = "tool:gdb,pku"
    assert both.needs == {"tool:gdb", "pku"}


@pytest.mark.needs_unprivileged
def test_shell_without_privileges(tmp_path: Path) -> None:
    """The commands have no privilege, this Python's package and the files."""
    (tmp_path / "seen.py").write_text("import secretmem, os\n")
    text = (
        "<!-- example: needs=unprivileged -->\n```console\n"
        "$ python -c 'import seen, os; print(os.geteuid() == 0)'\nFalse\n"
        "$ grep CapEff /proc/self/status\nCapEff:\t0000000000000000\n```\n"
    )
    assert run_shell(_session(text, "shell"), tmp_path) == ""
