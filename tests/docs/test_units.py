"""The unit files of the documentation let a service use secret memory."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent import stage
from docs import blocks, shell
from secretmem.doctor import Outcome, System
from secretmem.doctor.unit import unit
from support.patience import PATIENCE


FILES = {
    each.caption: each.text
    for each in blocks.blocks("deploy/systemd.md")
    if each.caption
}
UNIT = FILES["app.service"]
DROP_IN = FILES["app.service.d/secretmem.conf"]

CONFINED = Path(__file__).with_name("confined.py")

# More than the page's own program does.
USES = """
from secretmem import Secret
key = Secret.random(32)
key.matches(bytes(32))
with key.reveal() as view:
    pass
"""


def _filter(text: str) -> str:
    lines = re.findall("^SystemCallFilter=(.*)$", text, re.MULTILINE)
    return " ".join(lines)


@pytest.mark.needs_tool("systemd-analyze")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """Every key and value is one of systemd's."""
    start = re.compile("^ExecStart=.*$", re.MULTILINE)
    text = start.sub("ExecStart=/bin/true", UNIT)
    (tmp_path / "app.service").write_text(text, "utf-8")
    place = tmp_path / "app.service.d"
    place.mkdir()
    (place / "secretmem.conf").write_text(DROP_IN, "utf-8")
    assert _verify(tmp_path) == ""
    (place / "secretmem.conf").write_text("[Service]\nLimitMEM=1\n", "utf-8")
    assert "LimitMEM" in _verify(tmp_path)


def _verify(folder: Path) -> str:
    """Return what systemd has to say of our files."""
    child = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", folder / "app.service"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    said = child.stderr.splitlines()
    return "\n".join(line for line in said if str(folder) in line)


@pytest.mark.parametrize(
    "files, status",
    [
        ({"app.service": UNIT}, "ok"),
        ({"app.service": "SystemCallFilter=@system-service\n"}, "finding"),
        (
            {
                "app.service": "SystemCallFilter=@system-service\n",
                "app.service.d/secretmem.conf": DROP_IN,
            },
            "ok",
        ),
    ],
)
def test_doctor_judges_the_unit(
    files: dict[str, str], status: str, tmp_path: Path
) -> None:
    """`secretmem doctor --unit` sees in the files what the page says."""
    for name, text in files.items():
        path = tmp_path / "etc/systemd/system" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    system = System(str(tmp_path), unit="app", outcome=Outcome("unknown"))
    assert [finding.status for finding in unit(system)] == [status]


def _run(words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the page's program under a filter, with a credential."""
    (folder / "token").write_text("hunter2\n", "utf-8")
    command = [sys.executable, str(CONFINED), words]
    return subprocess.run(
        [*command, sys.executable, "-c", FILES["service.py"] + USES],
        env={**shell.environment(), "CREDENTIALS_DIRECTORY": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


@pytest.mark.needs_tool("systemd-analyze")
@pytest.mark.needs_secretmem
@pytest.mark.parametrize(
    "words", [_filter(UNIT), f"@system-service {_filter(DROP_IN)}"]
)
def test_the_filter_lets_the_service_run(words: str, tmp_path: Path) -> None:
    """Even one that kills for every other call."""
    child = _run(words, tmp_path)
    assert child.stderr == ""
    assert child.stdout == "<Secret 'token' memfd_secret>\n"


@pytest.mark.needs_tool("systemd-analyze")
@pytest.mark.needs_secretmem
def test_the_group_alone_admits_nothing(tmp_path: Path) -> None:
    """The control: the program says that it would be killed."""
    child = _run("@system-service", tmp_path)
    assert child.returncode == 1
    assert "UnavailableError: a seccomp filter kills" in child.stderr


AGENT = Path(__file__).resolve().parents[2] / "deploy"


@pytest.mark.needs_tool("systemd-analyze")
def test_systemd_understands_the_agents_units(tmp_path: Path) -> None:
    """Every key and value is one of systemd's."""
    for name in ("secretmem-agent.socket", "secretmem-agent.service"):
        text = (AGENT / name).read_text("utf-8")
        text = re.sub(
            "^ExecStart=.*$", "ExecStart=/bin/true", text, flags=re.MULTILINE
        )
        (tmp_path / name).write_text(text, "utf-8")
    child = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--user"]
        + [str(path) for path in sorted(tmp_path.iterdir())],
        env={**shell.environment(), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    said = child.stderr.splitlines()
    assert [line for line in said if str(tmp_path) in line] == []


@pytest.mark.needs_tool("systemd-analyze", "ssh-add", "ssh-keygen")
@pytest.mark.needs_secretmem
def test_the_filter_lets_the_agent_run(tmp_path: Path) -> None:
    """It takes a key and signs under a filter that kills for the rest."""
    words = _filter((AGENT / "secretmem-agent.service").read_text("utf-8"))
    key = stage.make_key(tmp_path, "ed25519")
    path = tmp_path / "agent.sock"
    program = [sys.executable, "-m", "secretmem.cli.main", "agent", "-D"]
    confined: list[str | Path] = [sys.executable, CONFINED, words]
    command = [*confined, *program, "-a", path]
    with stage.serving(command, path, tmp_path / "log") as agent:
        agent.add(key)
        agent.add("-T", f"{key}.pub")
        code, _ = agent.end()
        assert code == 0
