"""One ``secretmem run`` inside another, and descriptors that get lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from launch.command import RUN, run


pytestmark = pytest.mark.needs_secretmem

SEEN = """
import json, os, secretmem
from secretmem import handover
listed = os.environ.get("SECRETMEM_FDS", "")
open_now = 0
for name in os.listdir("/proc/self/fd"):
    try:
        link = os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        continue
    open_now += "secretmem" in link
names = handover.inherited_names()
right = {n: secretmem.inherited(n).matches(f"value of {n}") for n in names}
print(json.dumps([listed, open_now, right]))
"""
PYTHON = ("--", sys.executable, "-c", SEEN)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files with values."""
    for name in "AB":
        (tmp_path / name).write_text(f"value of {name}")
    (tmp_path / "old").write_text("another value")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SECRETMEM_FDS", raising=False)


@pytest.mark.parametrize("stay", [(), ("--restart",)])
def test_the_inner_one_adds_its_secrets(stay: tuple[str, ...]) -> None:
    """The command finds those of both, by name."""
    done = run(
        *("--secret", "A=file:A", "--", *RUN, *stay),
        *("--secret", "B=file:B", *PYTHON),
    )
    listed, open_now, right = json.loads(done.stdout)
    assert sorted(item[:2] for item in listed.split(":")) == ["A=", "B="]
    assert open_now == 2
    assert right == {"A": True, "B": True}


def test_a_new_value_takes_the_place_of_the_old() -> None:
    """No descriptor of the old one is left."""
    done = run(
        *("--secret", "A=file:old", "--", *RUN),
        *("--secret", "A=file:A", *PYTHON),
    )
    _, open_now, right = json.loads(done.stdout)
    assert open_now == 1
    assert right == {"A": True}


def test_an_exposed_value_takes_the_place_of_the_old() -> None:
    """As a variable, it is no descriptor at all."""
    done = run(
        *("--secret", "A=file:old", "--", *RUN),
        *("--secret", "A=file:A", "--expose", "env:A", *PYTHON),
    )
    assert json.loads(done.stdout) == ["", 0, {}]


def test_descriptors_that_got_lost_are_left_out() -> None:
    """A number that is closed, or is a file, is no secret."""
    with Path("A").open("rb") as file:
        done = subprocess.run(
            [*RUN, "--secret", "B=file:B", *PYTHON],
            capture_output=True,
            text=True,
            check=True,
            pass_fds=[file.fileno()],
            env={**os.environ, "SECRETMEM_FDS": f"A={file.fileno()}:C=99"},
        )
    assert json.loads(done.stdout)[2] == {"B": True}


def test_a_damaged_variable() -> None:
    """Usage, before anything is read."""
    done = run("--secret", "A=file:A", "--", "true", SECRETMEM_FDS="A=3:B")
    assert done.returncode == 2
    assert "NAME=FD" in done.stderr


@pytest.mark.parametrize("closed", [True, False])
def test_what_the_program_says_of_a_lost_one(closed: bool) -> None:  # noqa: FBT001 - a parameter
    """The name, and who may have closed it."""
    code = (
        "import secretmem\n"
        "try: secretmem.inherited('A')\n"
        "except (OSError, ValueError) as error: print(error)\n"
    )
    with Path("A").open("rb") as file:
        number = 99 if closed else file.fileno()
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            pass_fds=[file.fileno()],
            env={**os.environ, "SECRETMEM_FDS": f"A={number}"},
        )
    assert f"descriptor {number} of the inherited secret 'A'" in done.stdout
    assert "pass_fds" in done.stdout
    assert ("is not open" in done.stdout) == closed
