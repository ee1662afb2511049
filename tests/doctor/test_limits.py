"""What is left of RLIMIT_MEMLOCK, and who holds the rest."""

from __future__ import annotations

import errno
import json
import mmap
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from secretmem import _limits
from secretmem._limits import PER_PROCESS, PER_USER, Holder
from support import filters, holders, trees, unprivileged
from support.patience import PATIENCE


if TYPE_CHECKING:
    from pathlib import Path


# Tells the regime by what getrlimit(2) promises: with a limit of nothing a
# mapping is refused at once, or only its first touch is.
_WITNESS = """
import ctypes, json, mmap, os, resource
from secretmem import _limits
found = _limits.regime()
resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
libc = ctypes.CDLL(None)
fd = libc.syscall(447, os.O_CLOEXEC)
os.ftruncate(fd, mmap.PAGESIZE)
try:
    mmap.mmap(fd, mmap.PAGESIZE)
    seen = "per-user"
except OSError:
    seen = "per-process"
print(json.dumps([found, seen, _limits.regime()]))
"""

# Ten pages of sixteen are held and touched, and six more are asked for.
_ERROR = """
import ctypes, json, mmap, os, resource
from secretmem import _limits
resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
libc = ctypes.CDLL(None)
fd = libc.syscall(447, os.O_CLOEXEC)
os.ftruncate(fd, 40960)
area = mmap.mmap(fd, 40960)
for page in range(10):
    area[page * 4096] = 1
error = _limits.limit_error(28672, None, "an area")
mine = [each for each in error.holders if each.pid == os.getpid()]
print(json.dumps({
    "text": str(error), "need": error.need, "have": error.have,
    "mapped": mine[0].mapped, "resident": mine[0].resident,
    "descriptors": mine[0].descriptors, "memory": isinstance(
        error, MemoryError),
}))
"""


def _nobody(code: str) -> Any:  # noqa: ANN401 - JSON of any shape
    child = unprivileged.run("-c", code)
    assert child.stderr == ""
    return json.loads(child.stdout)


@pytest.mark.needs_secretmem
@pytest.mark.needs_unprivileged
def test_regime_is_what_the_kernel_does() -> None:
    """Found without a touch, with room and without."""
    found, seen, full = _nobody(_WITNESS)
    assert found == seen
    assert full == seen


@pytest.mark.needs_secretmem
@pytest.mark.needs_unprivileged
def test_error_tells_need_have_and_holders() -> None:
    """Whatever the regime, what is held is taken off."""
    error = _nobody(_ERROR)
    assert error["need"] == 28672
    # Others of this user may hold some too, where it counts per user.
    assert 0 <= error["have"] <= 65536 - 40960
    assert error["mapped"] == 40960
    assert error["resident"] == 40960
    assert error["descriptors"] == 2  # mmap of Python keeps another
    assert error["memory"]
    text = error["text"]
    assert text.startswith("an area needs 28672 bytes")
    assert "65536 bytes, counted per" in text
    for line in ("`ulimit -l ", "`LimitMEMLOCK=", "docker run --ulimit"):
        assert line in text


@pytest.mark.needs_secretmem
def test_descriptor_alone_makes_a_holder() -> None:
    """It keeps the pages as a mapping does."""
    with holders.holding("descriptor", 4) as pid:
        found = {each.pid: each for each in _all()}
    assert found[pid].mapped == 0
    assert found[pid].resident == 0
    assert found[pid].descriptors == 1


@pytest.mark.needs_secretmem
def test_mapping_alone_makes_a_holder() -> None:
    """Its descriptor was closed; two of its pages were touched."""
    with holders.holding("closed", 4) as pid:
        found = {each.pid: each for each in _all()}
    assert found[pid].mapped == 4 * 4096
    assert found[pid].resident == 2 * 4096
    assert found[pid].descriptors == 0
    assert found[pid].comm.startswith("python")
    assert pid not in {each.pid for each in _all()}


def _all() -> list[Holder]:
    import os

    return _limits.holders(os.getuid())


def test_recorded_holders(tmp_path: Path) -> None:
    """A kernel that counts per user, with two holders of root."""
    trees.unpack("debian-6.12.117", tmp_path)
    found, hidden = _limits.scan(0, str(tmp_path / "proc"))
    assert hidden == 0
    assert [(each.pid, each.mapped, each.resident) for each in found] == [
        (185, 40960, 8192),
        (186, 0, 0),
    ]
    assert _limits.scan(1000, str(tmp_path / "proc")) == ([], 0)
    assert _limits.room(PER_USER, 65536, found) == 65536 - 8192
    assert found[0].charged(PER_PROCESS) == 40960
    assert found[0].charged(None) == 40960


def test_without_proc_there_is_still_an_error(tmp_path: Path) -> None:
    """Nothing is known of others then, and nothing is raised."""
    nowhere = str(tmp_path / "nowhere")
    assert _limits.scan(0, nowhere) == ([], 0)
    assert _limits.resident_bytes(nowhere) is None
    assert _limits.count_descriptors(nowhere) is None
    assert _limits.read_holder(7, nowhere) is not None


def _error(
    monkeypatch: pytest.MonkeyPatch,
    kind: str | None,
    found: list[Holder],
    hidden: int = 2,
) -> str:
    monkeypatch.setattr(_limits, "regime", lambda: kind)
    monkeypatch.setattr(_limits, "soft_limit", lambda: 65536)
    monkeypatch.setattr(_limits, "scan", lambda _uid: (found, hidden))
    return str(_limits.limit_error(8192, None, "a window"))


def test_message_names_the_largest_holders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Five are named, the others are counted, and so are hidden ones."""
    found = [Holder(pid, "app", 4096, 4096, 0) for pid in range(7)]
    text = _error(monkeypatch, PER_USER, found)
    assert "a window needs 8192 bytes" in text
    assert f"{65536 - 7 * 4096} bytes are left" in text
    assert "pid 4 (app) 4096 bytes, 2 more; not readable: 2" in text


def test_message_without_any_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else of this user is locked then, or the limit is small."""
    text = _error(monkeypatch, PER_USER, [], hidden=0)
    assert "Held by this user: nothing seen. Close secrets" in text


def test_message_of_a_limit_per_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other processes do not matter there and are not blamed."""
    found = [Holder(1, "other", 4096, 4096, 0)]
    text = _error(monkeypatch, PER_PROCESS, found)
    assert "This process maps 0 bytes" in text
    assert "other" not in text


def test_regime_unknown_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be told is not claimed."""
    assert "counted" not in _error(monkeypatch, None, [])


def test_given_room_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller may know better."""
    monkeypatch.setattr(_limits, "regime", lambda: None)
    error = _limits.limit_error(8192, 12, "a slot")
    assert (error.need, error.have) == (8192, 12)


def test_no_limit_has_no_room_to_tell() -> None:
    """Unlimited is not a number."""
    assert _limits.room(PER_USER, None, []) is None
    assert _limits._bytes(None) == "no limit shown"


def test_room_without_a_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without VmLck leaves it unknown."""
    monkeypatch.setattr(_limits, "_field", lambda *_: None)
    assert _limits.room(PER_PROCESS, 65536, []) is None


@pytest.mark.parametrize("action", ["EPERM", "ENOSYS"])
def test_regime_where_the_call_is_refused(action: str) -> None:
    """Without the call there is no regime."""
    code = "from secretmem import _limits; print(_limits.regime())"
    child = subprocess.run(
        filters.command(action, [sys.executable, "-c", code]),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert child.stdout == "None\n"


@pytest.mark.needs_secretmem
@pytest.mark.parametrize(
    "number, kind",
    [(errno.EAGAIN, PER_PROCESS), (errno.ENOMEM, None)],
)
def test_regime_by_the_refusal_of_a_mapping(
    monkeypatch: pytest.MonkeyPatch, number: int, kind: str | None
) -> None:
    """Only one regime refuses at mmap; other errors tell nothing."""

    def refuse(*_: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(mmap, "mmap", refuse)
    assert _limits.regime() == kind


@pytest.mark.needs_secretmem
def test_regime_without_smaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the flags of the mapping it stays open."""
    monkeypatch.setattr(_limits, "_read", lambda _: None)
    assert _limits.regime() is None


@pytest.mark.parametrize(
    "text, soft",
    [
        ("Max locked memory  65536  65536  bytes\n", 65536),
        ("Max locked memory  unlimited  unlimited  bytes\n", None),
        ("Max file locks  7  7  locks\n", None),
        (None, None),
    ],
)
def test_soft_limit(
    monkeypatch: pytest.MonkeyPatch, text: str | None, soft: int | None
) -> None:
    """Read without importing; not shown is None too."""
    monkeypatch.setattr(_limits, "_read", lambda _: text)
    assert _limits.soft_limit() == soft


def test_soft_limit_of_this_process() -> None:
    """The kernel's own call says the same."""
    soft = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    unlimited = soft == resource.RLIM_INFINITY
    assert _limits.soft_limit() == (None if unlimited else soft)


def test_error_of_a_process_that_can_import_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After chroot(2) or setuid(2) there may be no library any more."""
    for name in ("ctypes", "mmap", "resource"):
        monkeypatch.setitem(sys.modules, name, None)
    error = _limits.limit_error(8192, None, "a slot")
    assert error.need == 8192
    assert "a slot needs 8192 bytes" in str(error)


def test_holder_shows_its_fields() -> None:
    """They are sizes and names, never content."""
    shown = repr(Holder(1, "app", 2, None, None))
    assert shown == (
        "Holder(pid=1, comm='app', mapped=2, resident=None, descriptors=None)"
    )
