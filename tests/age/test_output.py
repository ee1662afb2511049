"""What ``-o`` writes: links, modes, descriptors, and nothing in part."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secretmem import _whole, age
from secretmem.cli import age_output
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs_secretmem

CHUNK = 64 << 10
MESSAGE = b"attack at dawn"
PROGRAM = "from secretmem.cli.main import main; import sys; sys.exit(main())"
# On a file system without files that have no name, open(2) says EISDIR too.
NO_TMPFILE = f"import os; os.O_TMPFILE = os.O_DIRECTORY; {PROGRAM}"
PROGRAMS = pytest.mark.parametrize(
    "program", [PROGRAM, NO_TMPFILE], ids=["no name", "part"]
)


def command(program: str, *arguments: object) -> list[str]:
    """Return the command line."""
    return [sys.executable, "-P", "-c", program, *map(str, arguments)]


@pytest.fixture
def identity() -> Iterator[age.Identity]:
    """Make one."""
    with age.Identity.generate() as made:
        yield made


@pytest.fixture
def key_file(identity: age.Identity, tmp_path: Path) -> Path:
    """Write its file."""
    path = tmp_path / "key.txt"
    with identity.text() as text, path.open("wb") as file:
        text.write_to(file)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder for the output alone."""
    path = tmp_path / "output"
    path.mkdir()
    return path


@pytest.fixture
def sealed(identity: age.Identity, tmp_path: Path) -> Path:
    """Encrypt a message to it."""
    path = tmp_path / "sealed"
    path.write_bytes(age.encrypt(MESSAGE, [identity.recipient]))
    return path


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@PROGRAMS
def test_modes(
    program: str,
    identity: age.Identity,
    key_file: Path,
    sealed: Path,
    folder: Path,
) -> None:
    """New plaintext is the owner's alone; an old file keeps its mode."""
    new, old, again = folder / "new", folder / "old", folder / "again"
    for path, mode in ((old, 0o640), (again, 0o600)):
        path.write_bytes(b"an old one")
        path.chmod(mode)
    for path in (new, old):
        options = ("open", "-i", key_file, "-o", path, sealed)
        subprocess.run(command(program, *options), check=True)
        assert path.read_bytes() == MESSAGE
    writing = ("seal", "-r", identity.recipient, "-o", again, key_file)
    subprocess.run(command(program, *writing), check=True)
    assert age.decrypt(again, [identity])
    assert list(map(_mode, (new, old, again))) == [0o600, 0o640, 0o600]
    assert set(folder.iterdir()) == {new, old, again}


def test_an_owner_that_cannot_be_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the mode is not kept for others, who may be other ones."""
    path = folder / "old"
    path.touch()
    path.chmod(0o644)
    seen = list(path.stat())
    seen[stat.ST_GID] += 1

    def refuse(*_args: object) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(_whole, "status", lambda _path: os.stat_result(seen))
        patch.setattr(os, "fchown", refuse)
        with age_output.target(str(path), 0o600, None) as fd:
            os.write(fd, MESSAGE)
    assert path.read_bytes() == MESSAGE
    assert _mode(path) == 0o600


@PROGRAMS
@pytest.mark.parametrize("there", [True, False], ids=["old", "new"])
def test_a_link_stays_one(
    program: str, key_file: Path, sealed: Path, folder: Path, *, there: bool
) -> None:
    """What it names is written, there already or not."""
    named = folder / "named"
    if there:
        named.write_bytes(b"an old one")
    links = folder / "links"
    links.mkdir()
    link = links / "link"
    link.symlink_to("../named")
    options = ("open", "-i", key_file, "-o", link, sealed)
    subprocess.run(command(program, *options), check=True)
    assert link.is_symlink()
    assert named.read_bytes() == MESSAGE
    assert set(folder.iterdir()) == {named, links}


@pytest.mark.parametrize(
    "name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"]
)
def test_a_descriptor_is_written_as_it_is(
    name: str, key_file: Path, sealed: Path, folder: Path
) -> None:
    """A file that the shell has opened is written on, not replaced."""
    (folder / "link").symlink_to("/dev/stdout")
    path = folder / "opened"
    options = ("open", "-i", key_file, "-o", name, sealed)
    with path.open("wb", buffering=0) as file:
        file.write(b"before, ")
        subprocess.run(
            command(PROGRAM, *options), stdout=file, cwd=folder, check=True
        )
        assert os.fstat(file.fileno()).st_ino == path.stat().st_ino
    assert path.read_bytes() == b"before, " + MESSAGE


def test_a_descriptor_that_is_not_there(key_file: Path, sealed: Path) -> None:
    """Exit code 1, and its name."""
    options = ("open", "-i", key_file, "-o", "/dev/fd/987", sealed)
    done = subprocess.run(
        command(PROGRAM, *options), capture_output=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == b"secretmem: /dev/fd/987: bad file descriptor\n"


def _holds_plaintext(pid: int, folder: Path) -> bool:
    """Tell whether the process has a file there, with a chunk in it."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if str(link.readlink()).startswith(f"{folder}/"):
                return link.stat().st_size >= CHUNK
        except FileNotFoundError:
            continue
    return False


@PROGRAMS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_plaintext(
    program: str,
    number: signal.Signals,
    identity: age.Identity,
    key_file: Path,
    folder: Path,
) -> None:
    """While it waits for the end of its input; an old file stays."""
    old = folder / "old"
    old.write_bytes(b"an old one")
    whole = age.encrypt(bytes(4 * CHUNK), [identity.recipient])
    options = ("open", "-i", key_file, "-o", old)
    child = subprocess.Popen(command(program, *options), stdin=subprocess.PIPE)
    assert child.stdin is not None
    with child.stdin as slow:
        slow.write(whole[:-1])
        slow.flush()
        deadline = time.monotonic() + PATIENCE
        while not _holds_plaintext(child.pid, folder):
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        child.send_signal(number)
        assert child.wait(PATIENCE) == -number
    assert set(folder.iterdir()) == {old}
    assert old.read_bytes() == b"an old one"
