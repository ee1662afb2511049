"""The emulator's output is taken apart; commands reach the guest whole."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from lab import guest, hostroot, kernels, suite
from lab.apt import LabError


if TYPE_CHECKING:
    from pathlib import Path


def _shell(text: str, seconds: int = 20) -> tuple[str, int | None, list[str]]:
    pieces: list[str] = []
    found = guest._watch(["/bin/sh", "-c", text], seconds, pieces.append)
    return *found, pieces


@pytest.mark.parametrize(
    "text, output, status",
    [
        (r"printf 'a\nb\n\0360\n'", "a\nb\n", 0),
        (r"printf 'no end of line\0363\n'", "no end of line", 3),
        (r"printf 'a\n\036\n'", "a\n", None),
        (r"printf 'died'", "died", None),
    ],
)
def test_status_is_split_from_the_output(
    text: str,
    output: str,
    status: int | None,
) -> None:
    """A guest that did not come to its end has no status."""
    found, code, pieces = _shell(text)

    assert (found, code) == (output, status)
    assert "".join(pieces) == output


def test_hung_guest_is_ended() -> None:
    """After the time limit there is an outcome, without a status."""
    began = time.monotonic()
    found, code, _ = _shell("echo began; exec sleep 60", seconds=1)

    assert (found, code) == ("began\n", None)
    assert time.monotonic() - began < 30


def test_words_arrive_as_they_were_given(tmp_path: Path) -> None:
    """Blanks, quotes and dollars in arguments mean nothing on the way."""
    words = ["printf", "<%s>", "two words", "it's", '"$HOME"', "*", ""]
    line = hostroot._script(words, str(tmp_path), 0, {"HOME": "/"})
    local = line.replace(hostroot.MOUNT, "").replace("chroot /new", "command")
    shown = subprocess.run(
        ["sh", "-c", local.replace("exec command", "exec")],
        capture_output=True,
        text=True,
        check=True,
    )

    assert shown.stdout == '<two words><it\'s><"$HOME"><*><>'


def test_user_is_dropped_to_inside() -> None:
    """Only for another user; the caller's home is opened for it."""
    asked = hostroot._script(["id"], "/", 1000, {"HOME": "/home/me"})
    root = hostroot._script(["id"], "/", 0, {"HOME": "/home/me"})

    assert "--reuid=1000 --regid=1000 --clear-groups" in asked
    assert "chmod o+x /new/home/me\n" in asked
    assert "setpriv" not in root
    assert "chmod o+x" not in root


def test_no_command_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """A kernel alone is not enough."""
    with pytest.raises(SystemExit) as ended:
        hostroot.main(["6.12"])

    assert ended.value.code == 2
    assert "no command" in capsys.readouterr().err


@pytest.mark.parametrize("program", [hostroot.main, suite.main])
def test_missing_kernel_is_unavailable(
    program: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The reason is printed, the exit status is 69."""

    def gone(name: str) -> kernels.Kernel:
        raise LabError(f"the archive offers no kernel {name} any more")

    monkeypatch.setattr(kernels, "get", gone)

    assert callable(program)
    assert program(["6.12", "--", "true"]) == 69
    assert "no kernel 6.12 any more" in capsys.readouterr().err


def test_suite_leaves_itself_out() -> None:
    """Guests in guests would not end."""
    folders = suite.folders()

    assert "tests/unit" in folders
    assert "tests/lab" not in folders
