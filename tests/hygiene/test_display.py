"""Where people look at values: IPython, Jupyter, pytest's assertions."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import secretmem
from hygiene.victims import Settings, Value
from secretmem.crypto import Hmac


pytestmark = pytest.mark.needs_secretmem

# IPython has no types for this.
FORMATTERS: Any = import_module("IPython.core.formatters")

SOURCE = Path(secretmem.__file__).resolve().parents[1]


def test_what_jupyter_is_sent() -> None:
    """Plain text, the repr, and nothing else; a str is sent: the control."""
    value = Value()
    with value.secret() as secret, secret.reveal() as view:
        for shown in (
            secret,
            view,
            [secret, {"a": secret}],
            Settings(secret),
            Hmac(secret),
        ):
            data, metadata = FORMATTERS.DisplayFormatter().format(shown)
            assert list(data) == ["text/plain"]
            assert not value.shown_in(str(data))
            assert metadata == {}
        assert FORMATTERS.DisplayFormatter().format(secret)[0][
            "text/plain"
        ] == repr(secret)
        data, _ = FORMATTERS.DisplayFormatter().format([value.text()])
        assert value.shown_in(data["text/plain"])


_SESSION = """
import os, sys
from IPython.core.interactiveshell import InteractiveShell
from secretmem import Secret

text = sys.stdin.read()
shell = InteractiveShell()
shell.user_ns["token"] = Secret.from_bytes(text.encode(), name="token")
for line in ("token", "%whos", "%pinfo token", "%pinfo2 token", "[token]"):
    shell.run_cell(line)
print("of a str:")
shell.user_ns["token"] = text
shell.run_cell("token")
"""


def test_a_session_of_ipython(tmp_path: Path) -> None:
    """What it prints of a Secret, by its own commands too."""
    value = Value()
    done = subprocess.run(
        [sys.executable, "-c", _SESSION],
        input=value.text(),
        capture_output=True,
        text=True,
        check=False,
        env={"IPYTHONDIR": str(tmp_path), "PYTHONPATH": str(SOURCE)},
    )
    assert done.returncode == 0, done.stderr
    said, _, control = done.stdout.partition("of a str:")
    assert said.count("<Secret 'token' memfd_secret>") >= 3, said
    assert not value.shown_in(said + done.stderr)
    assert value.shown_in(control)


_TESTS = """
import os
import pytest
from secretmem import Secret

text = os.environ.pop("GIVEN")

@pytest.fixture
def pair():
    return [Secret.from_bytes(text.encode()), text]

def test_equal(pair):
    secret, other = pair[0], Secret.random(32)
    assert secret == other

def test_matches(pair):
    secret = pair[0]
    assert secret.matches("guess")

def test_in_containers(pair):
    made = {"a": [pair[0]]}
    assert made == {"a": [Secret.random(32)]}

def test_length(pair):
    secret = pair[0]
    assert len(secret) == 1

def test_wrong_type(pair):
    secret = pair[0]
    assert secret == "guess"

def test_control(pair):
    plain = pair[1]
    assert plain == "guess"
"""


@pytest.mark.parametrize("plugin", [True, False])
def test_assertions_of_pytest(plugin: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter
    """With variables, at full length; the last test is the control."""
    value = Value()
    (tmp_path / "test_it.py").write_text(_TESTS)

    def said(*chosen: str) -> str:
        return subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-vvv", "--showlocals"),
                *("-p", "secretmem" if plugin else "no:secretmem"),
                *("-p", "no:cacheprovider", *chosen, "test_it.py"),
            ],
            cwd=tmp_path,
            env={"PYTHONPATH": str(SOURCE), "GIVEN": value.text()},
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    report = said("-k", "not control")
    assert "5 failed" in report, report
    assert "<Secret memfd_secret>" in report
    # The fixture's own list holds the text, and pytest shows it.
    shown = [line for line in report.splitlines() if "pair" not in line]
    assert not value.shown_in("\n".join(shown))
    report = said("-k", "control")
    assert "1 failed" in report, report
    assert value.shown_in(report)
