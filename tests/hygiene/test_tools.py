"""
What the tools that report exceptions show of Secrets: nothing.

Each is tried on functions that have a Secret, a view or a key in their
variables; the control is the same with a str, which each of them shows.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hygiene import victims
from hygiene.tools import TOOLS
from hygiene.victims import Value, caught
from secretmem import Secret
from secretmem.redact import Redactor


if TYPE_CHECKING:
    from collections.abc import Callable

    Tool = Callable[[BaseException], str]
    Victim = Callable[[Value], None]


pytestmark = pytest.mark.needs_secretmem

tools = pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)


def _redactor(value: Value) -> Redactor:
    raw = Secret.from_bytes(bytes.fromhex(value.text()), name="raw")
    return Redactor(value.secret(), raw)


@tools
@pytest.mark.parametrize("victim", [victims.kept, victims.key])
def test_a_secret_is_not_shown(victim: Victim, tool: Tool) -> None:
    """Nor what was made of it, nor a view."""
    value = Value()
    report = tool(caught(victim, value))
    assert "RuntimeError" in report or "token" in report or "seed" in report
    assert not value.shown_in(report)


@tools
def test_control_a_str_is_shown(tool: Tool) -> None:
    """By each of them."""
    value = Value()
    assert value.shown_in(tool(caught(victims.ordinary, value)))


@tools
@pytest.mark.parametrize("victim", [victims.ordinary, victims.exported])
def test_copies_are_taken_out_before(victim: Victim, tool: Tool) -> None:
    """An exception without them is reported as others are."""
    value = Value()
    error = caught(victim, value)
    with _redactor(value) as redactor:
        assert redactor.scrub(error) >= 1
        assert redactor.scrub(error) == 0
    report = tool(error)
    assert not value.shown_in(report)
    if tool is not TOOLS["pretty_locals"]:
        assert "refused" in report


@tools
@pytest.mark.parametrize("victim", [victims.ordinary, victims.exported])
def test_copies_are_taken_out_after(victim: Victim, tool: Tool) -> None:
    """A report that shows them, as text, does not when it is redacted."""
    value = Value()
    report = tool(caught(victim, value))
    assert value.shown_in(report)
    with _redactor(value) as redactor:
        clean = redactor.text(report)
    assert not value.shown_in(clean)
    assert "secret 'token'" in clean or "secret 'raw'" in clean


_CRASH = """
import faulthandler, os, sys
from secretmem import Secret

def function(token, text):
    faulthandler.dump_traceback()
    os.abort()

faulthandler.enable()
text = sys.stdin.read()
function(Secret.from_bytes(text.encode()), text)
"""


def test_faulthandler_shows_no_variables() -> None:
    """Neither Secrets nor others; that it works is the control."""
    value = Value()
    done = subprocess.run(
        ["prlimit", "--core=0", sys.executable, "-c", _CRASH],
        input=value.text(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.count("in function") == 2, done.stderr
    assert "Fatal Python error: Aborted" in done.stderr
    assert not value.shown_in(done.stderr)
