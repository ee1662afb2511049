"""A real systemd: its descriptor store, and ``secretmem run`` in it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secretmem import Secret, age, handover, hazmat
from support import systemd


if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.needs_secretmem

SERVICE = """
import os, pathlib, signal, sys
from secretmem import Secret, handover
here = pathlib.Path(sys.argv[1])
names = handover.inherited_names()
if "token" in names:
    secret = handover.inherited("token")
    said = "kept"
else:
    secret = Secret.from_file(here / "token")
    # Only the manager has it then, when this process ends.
    (here / "token").unlink()
    handover.keep("token", Secret.from_bytes(b"replaced"))
    handover.keep("token", secret)
    said = "read"
assert secret.matches("value"), names
if (here / "forget").exists():
    handover.forget("token")
(here / "said").write_text(said)
os.write(1, b"ready")
signal.pause()
"""

UNIT = """
[Service]
FileDescriptorStoreMax=8
NotifyAccess=main
TimeoutStartSec=300
StandardError=append:{folder}/stderr
Environment=PYTHONPATH={path}
ExecStart={command}
ExecStartPost=/bin/sh -c 'until test -s {folder}/said; do sleep .05; done'
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Have a service's program and its files."""
    (tmp_path / "service.py").write_text(SERVICE)
    (tmp_path / "token").write_text("value")
    (tmp_path / "key").write_text("of systemd")
    (tmp_path / "systemd/user").mkdir(parents=True)
    return tmp_path


def _unit(folder: Path, name: str, command: str, unit: str = UNIT) -> None:
    import secretmem

    path = Path(secretmem.__file__).parents[1]
    text = unit.format(path=path, folder=folder, command=command)
    (folder / "systemd/user" / f"{name}.service").write_text(text)


@pytest.fixture
def manager(folder: Path) -> Iterator[systemd.Manager]:
    """Have a manager that knows two services."""
    program = f"{sys.executable} {folder}/service.py {folder}"
    _unit(folder, "kept", program)
    run = f"{sys.executable} -m secretmem.cli.main run"
    code = (
        "import secretmem, os, pathlib;"
        "length = len(secretmem.inherited('KEY'));"
        f"said = pathlib.Path('{folder}/said');"
        "said.write_text(f'{length} {os.getpid()}');"
        "import signal; signal.pause()"
    )
    _unit(
        folder,
        "run",
        f"{run} --secret KEY=file:{folder}/key -- "
        f'{sys.executable} -c "{code}"',
    )
    with systemd.manager(folder) as running:
        yield running


def _start(manager: systemd.Manager, folder: Path, verb: str) -> str:
    said = folder / "said"
    said.unlink(missing_ok=True)
    manager.systemctl(verb, "kept.service")
    return said.read_text()


def _stored(manager: systemd.Manager, unit: str) -> int:
    said = manager.systemctl("show", unit, "-p", "NFileDescriptorStore")
    return int(said.partition("=")[2])


@pytest.mark.needs_systemd
def test_a_secret_survives_a_restart(
    manager: systemd.Manager, folder: Path
) -> None:
    """Several times, one descriptor each; until it is forgotten."""
    assert _start(manager, folder, "start") == "read"
    assert _stored(manager, "kept.service") == 1
    for _ in range(2):
        assert _start(manager, folder, "restart") == "kept"
        assert _stored(manager, "kept.service") == 1
    (folder / "forget").touch()
    assert _start(manager, folder, "restart") == "kept"
    assert _stored(manager, "kept.service") == 0


@pytest.mark.needs_systemd
def test_run_in_a_service(manager: systemd.Manager, folder: Path) -> None:
    """The command is the main process, and has the secret."""
    manager.systemctl("start", "run.service")
    length, pid = (folder / "said").read_text().split()
    assert length == "10"
    shown = manager.systemctl("show", "run.service", "-p", "MainPID")
    assert shown == f"MainPID={pid}\n"


CREDENTIALS = """
import json, os, pathlib, secretmem, sys
key, sealed = map(secretmem.inherited, ("KEY", "SEALED"))
where = os.environ["CREDENTIALS_DIRECTORY"]
kinds = [line.split()[2] for line in open("/proc/self/mounts")
         if line.split()[1] == where]
said = [key.matches("of systemd"), sealed.matches("value"), kinds,
        sorted(os.listdir(where))]
pathlib.Path(sys.argv[1], "said").write_text(json.dumps(said))
"""


@pytest.mark.needs_systemd
def test_credentials(tmp_path: Path) -> None:
    """What LoadCredential= passes: a value, and what opens a sealed one."""
    (tmp_path / "service.py").write_text(CREDENTIALS)
    (tmp_path / "key").write_text("of systemd")
    with age.Identity.generate() as identity, identity.text() as text:
        (tmp_path / "identity").write_bytes(hazmat.export_bytes(text))
        sealed = age.encrypt(b"value", [identity.recipient])
    (tmp_path / "sealed.age").write_bytes(sealed)
    (tmp_path / "systemd/user").mkdir(parents=True)
    unit = UNIT.replace(
        "[Service]",
        "[Service]\nType=oneshot\n"
        f"LoadCredential=key:{tmp_path}/key\n"
        f"LoadCredential=machine.key:{tmp_path}/identity",
    )
    source = f"age:{tmp_path}/sealed.age?identity=credential:machine.key"
    command = (
        f"{sys.executable} -m secretmem.cli.main run "
        f"--secret KEY=credential:key --secret SEALED={source} "
        f"-- {sys.executable} {tmp_path}/service.py {tmp_path}"
    )
    _unit(tmp_path, "credentials", command, unit)
    with systemd.manager(tmp_path) as manager:
        manager.systemctl("start", "credentials.service")
    said = json.loads((tmp_path / "said").read_text())
    *right, kinds, names = said
    assert right == [True, True]
    assert kinds in (["ramfs"], ["tmpfs"])
    assert names == ["key", "machine.key"]


def test_without_a_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to add to the unit."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    with Secret.from_bytes(b"x") as secret:
        with pytest.raises(LookupError, match="FileDescriptorStoreMax="):
            handover.keep("name", secret)
        for name in ("", "a:b", "ü", "a\n", "x" * 250):
            with pytest.raises(ValueError, match="names of 1 to"):
                handover.keep(name, secret)
            with pytest.raises(ValueError, match="names of 1 to"):
                handover.forget(name)
