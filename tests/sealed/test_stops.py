"""Nothing is lost when a save fails, or is killed, wherever it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.patience import PATIENCE


pytestmark = pytest.mark.needs_secretmem


PROGRAMS = Path(__file__).with_name("programs")


@pytest.mark.parametrize("mode", ["unnamed", "named"])
def test_it_is_killed_at_each_line(tmp_path: Path, mode: str) -> None:
    """SIGKILL at every point of a save, on both kinds of file system."""
    program = str(PROGRAMS / "killed.py")
    _run(sys.executable, "-P", program, str(tmp_path), mode)


# A program that fills a small disk, and then makes room.
_FULL = """
import errno, os, sys
from pathlib import Path
from secretmem import SealedStore, Secret

folder = Path(sys.argv[1])
path, filler = folder / "store", folder / "filler"
key = SealedStore.generate_key()
store = SealedStore(key)
with Secret.random(1000) as value:
    for number in range(40):
        store[f"{number}"] = value
    store.save(path)
    old = path.read_bytes()
    for number in range(400):
        store[f"{number}"] = value

def refused(number):
    try:
        store.save(path)
    except OSError as error:
        assert error.errno == number, error
        assert error.filename == str(path)
    else:
        raise AssertionError("it was saved")
    assert path.read_bytes() == old
    assert os.listdir(folder) == ["store"] or filler.exists()
    assert len(SealedStore.load(path, key)) == 40
    assert store.generation == 1
"""
_DISK = """
refused(errno.ENOSPC)
del store["399"]
for number in range(40, 399):
    del store[str(number)]
with filler.open("wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(512))
    except OSError as error:
        assert error.errno == errno.ENOSPC
refused(errno.ENOSPC)
filler.unlink()
store.save(path)
assert len(SealedStore.load(path, key)) == 40
"""
_SIZE = """
import resource
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for most in (0, 100, 4096, 100_000, 400_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    refused(errno.EFBIG)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
store.save(path)
assert len(SealedStore.load(path, key)) == 400
"""


def _run(*command: str) -> None:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr


def test_a_limit_of_a_file(tmp_path: Path) -> None:
    """RLIMIT_FSIZE: EFBIG, whichever write it is that meets it."""
    program = _FULL + _SIZE
    _run(sys.executable, "-P", "-c", program, str(tmp_path))


@pytest.mark.needs_network_none
@pytest.mark.needs_tool("unshare", "mount")
def test_a_full_disk(tmp_path: Path) -> None:
    """ENOSPC: the old file is there, and the next save works."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    mount = f"mount -t tmpfs -o size=128k none {tmp_path}"
    wrap = ["unshare", *user, "--mount", "sh", "-c", f'{mount} && exec "$@"']
    program = _FULL + _DISK
    _run(*wrap, "sh", sys.executable, "-P", "-c", program, str(tmp_path))
