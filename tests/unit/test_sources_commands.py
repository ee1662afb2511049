"""`secretmem.sources`: commands, and what they get of this process."""

from __future__ import annotations

import os
import signal

import pytest

from secretmem import SourceError, hazmat, sources


pytestmark = pytest.mark.needs_secretmem


def test_a_command_that_is_read_no_further_is_ended() -> None:
    """One that writes for ever meets the largest size."""
    source = sources.Command(["yes"], max_size=10_000)
    with pytest.raises(SourceError) as caught:
        source.read()
    assert caught.value.reason == "content"


def test_standard_error_of_a_command_is_ours(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """What it says is not swallowed, and not in the value."""
    with sources.read("sh:echo said >&2; echo word") as secret:
        assert secret.matches("word")
    assert capfd.readouterr().err == "said\n"


def test_a_command_can_be_ended_by_signals() -> None:
    """Also where they are blocked, as in a parent that waits for them."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        with sources.read("cmd:grep Sig[BI] /proc/self/status") as secret:
            lines = hazmat.export_str(secret).split("\n")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
    blocked, ignored = [int(line.split()[1], 16) for line in lines]
    assert blocked == 0
    # Python's own: SIGPIPE and SIGXFSZ.
    assert ignored & (1 << 12 | 1 << 24) == 0


@pytest.mark.parametrize("proc", [True, False])
def test_a_command_gets_no_other_descriptor(
    monkeypatch: pytest.MonkeyPatch,
    proc: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    """None that other programs would inherit, with /proc or without."""
    fd = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(fd, True)  # noqa: FBT003 - by position only

    def listdir(_path: str) -> list[str]:
        raise FileNotFoundError

    if not proc:
        monkeypatch.setattr(os, "listdir", listdir)
        monkeypatch.setattr(os, "sysconf", lambda _name: fd + 1)
    try:
        with sources.read(f"sh:[ -e /dev/fd/{fd} ] || echo gone") as secret:
            assert secret.matches("gone")
    finally:
        os.close(fd)
