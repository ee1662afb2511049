"""
The documentation's unit under a systemd that is process 1.

With a user of its own (DynamicUser=), its system call filter, its credential,
and the descriptor store.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from docs import blocks
from support import systemd_system, unprivileged


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_unprivileged,
    pytest.mark.needs_system_systemd,
]

FILES = {
    each.caption: each.text
    for each in blocks.blocks("deploy/systemd.md")
    if each.caption
}

# A dynamic user has a /tmp of its own.
MORE = """
Type={type}
NotifyAccess=main
FileDescriptorStoreMax=4
TimeoutStartSec=60
Environment=PYTHONPATH={tree} PYTHONDONTWRITEBYTECODE=1
BindReadOnlyPaths={tree} {folder}
StandardOutput=append:{folder}/said
StandardError=append:{folder}/said
"""

KEEPS = """
import os, signal, socket
from secretmem import Secret, handover
if "token" in handover.inherited_names():
    token = handover.inherited("token")
    print("kept", end=" ")
else:
    token = Secret.from_credential("token", strip=True)
    handover.keep("token", token)
    print("read", end=" ")
print(token.matches("hunter2"), os.getuid() > 0, flush=True)
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.pause()
"""


class Place:
    """A folder with units, programs and what they say."""

    def __init__(self, folder: Path, system: systemd_system.System) -> None:
        self.folder = folder
        self.system = system

    def unit(self, name: str, kind: str, changes: dict[str, str]) -> None:
        """Write the page's unit, with some lines changed."""
        text = FILES["app.service"]
        start = f"{unprivileged.interpreter()} -P {self.folder}/{name}.py"
        for line, new in {
            "ExecStart=.*": f"ExecStart={start}",
            **changes,
        }.items():
            text, count = re.subn(f"(?m)^{line}$", new, text)
            assert count == 1, line
        text += MORE.format(
            type=kind, tree=unprivileged.tree(), folder=self.folder
        )
        (self.folder / f"{name}.service").write_text(text)
        self.system.systemctl("daemon-reload")

    def said(self) -> str:
        """Give what was said until now."""
        return (self.folder / "said").read_text()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Have a manager, the page's program and its secret."""
    (tmp_path / "app.py").write_text(FILES["service.py"])
    (tmp_path / "keeps.py").write_text(KEEPS)
    (tmp_path / "token").write_text("hunter2\n")
    (tmp_path / "token").chmod(0o600)
    tmp_path.chmod(0o755)
    with systemd_system.system(tmp_path) as system:
        yield Place(tmp_path, system)


def test_the_pages_unit_runs(place: Place) -> None:
    """With its filter, as a user that cannot read the secret's file."""
    path = f"{place.folder}/token"
    load = {"LoadCredential=.*": f"LoadCredential=token:{path}"}
    place.unit("app", "oneshot", load)
    place.system.systemctl("start", "app.service")
    assert place.said() == "<Secret 'token' memfd_secret>\n"


def test_without_its_filter_line(place: Place) -> None:
    """The control: the group alone refuses the call, and that is said."""
    changes = {
        "LoadCredential=.*": f"LoadCredential=token:{place.folder}/token",
        "SystemCallFilter=.*": "SystemCallFilter=@system-service",
    }
    place.unit("app", "oneshot", changes)
    with pytest.raises(AssertionError, match=r"app\.service"):
        place.system.systemctl("start", "app.service")
    assert "UnavailableError" in place.said()


def test_an_encrypted_credential(place: Place) -> None:
    """Of the machine's own key, which this manager makes."""
    name, path = "token", f"{place.folder}/token"
    place.system.run(
        *("systemd-creds", "encrypt", "--with-key=host", f"--name={name}"),
        *(path, f"{path}.cred"),
    )
    load = f"LoadCredentialEncrypted={name}:{path}.cred"
    place.unit("app", "oneshot", {"LoadCredential=.*": load})
    (place.folder / "token").unlink()
    place.system.systemctl("start", "app.service")
    assert place.said() == "<Secret 'token' memfd_secret>\n"


def test_a_restart(place: Place) -> None:
    """The descriptor store has it, when the credential has changed."""
    load = {"LoadCredential=.*": f"LoadCredential=token:{place.folder}/token"}
    place.unit("keeps", "notify", load)
    place.system.systemctl("start", "keeps.service")
    (place.folder / "token").write_text("another")
    for _ in range(2):
        place.system.systemctl("restart", "keeps.service")
    assert place.said() == "read True True\n" + 2 * "kept True True\n"
    shown = place.system.systemctl(
        "show", "keeps.service", "-p", "NFileDescriptorStore"
    )
    assert shown == "NFileDescriptorStore=1\n"
