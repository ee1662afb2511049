"""`sources.Watch`: new value in, old value closed after its last use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from secretmem import Secret, SourceError, sources
from support import forked
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType


pytestmark = pytest.mark.needs_secretmem


class Mount:
    """A Kubernetes Secret as the kubelet mounts it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._version = 0
        self.write("first")
        (folder / "key").symlink_to("..data/key")

    def write(self, value: str) -> None:
        """Make a new folder, and change the link to it at once."""
        self._version += 1
        version = self.folder / f"..version{self._version}"
        version.mkdir()
        (version / "key").write_text(value)
        link = self.folder / "..data_tmp"
        link.symlink_to(version.name)
        link.rename(self.folder / "..data")

    def watch(self, interval: float = 0.0, **options: bool) -> sources.Watch:
        """Follow it."""
        source = sources.Kubernetes(str(self.folder), "key")
        return source.watch(interval=interval, **options)


@pytest.fixture
def mount(tmp_path: Path) -> Mount:
    """Mount a Secret."""
    return Mount(tmp_path)


def _is(watch: sources.Watch, value: str) -> bool:
    with watch.use() as secret:
        return secret.matches(value)


def _why(watch: sources.Watch) -> str | None:
    failure = watch.failure
    return failure.reason if isinstance(failure, SourceError) else None


def test_a_mount_is_followed(mount: Mount) -> None:
    """Each new value once; the same value again is no change."""
    with mount.watch() as watch:
        assert _is(watch, "first")
        for number, value in enumerate(("second", "third"), 1):
            mount.write(value)
            assert _is(watch, value)
            assert _is(watch, value)
            assert watch.changes == number
        mount.write("third")
        assert _is(watch, "third")
        assert watch.changes == 2
        assert repr(watch).endswith("/key, 2 changes>")
    assert "closed" in repr(watch)


def test_the_old_value_ends_after_its_last_use(mount: Mount) -> None:
    """Nested blocks, each with the value that it began with."""
    with mount.watch() as watch, watch.use() as first:
        with watch.use() as same:
            assert same is first
            mount.write("second")
            with watch.use() as second:
                assert second.matches("second")
                assert first.matches("first")
        states = [first.closed]
    states += [first.closed, second.closed]
    assert states == [False, True, True]


def test_close_waits_for_the_last_use(mount: Mount) -> None:
    """Then nothing works any more, and close again is fine."""
    watch = mount.watch()
    with watch.use() as secret:
        watch.close()
        assert secret.matches("first")
    assert secret.closed
    watch.close()
    uses = (
        lambda: watch.use().__enter__(),
        watch.check,
        lambda: watch.follow(print),
        lambda: watch.on_signal(signal.SIGUSR1),
    )
    for use in uses:
        with pytest.raises(ValueError, match="closed"):
            use()


def test_a_source_that_is_gone_keeps_its_value(mount: Mount) -> None:
    """Why is in `failure`, until it comes back."""
    with mount.watch() as watch:
        data = mount.folder / "..data"
        target = data.readlink()
        data.unlink()
        for _ in range(2):
            assert _is(watch, "first")
            assert _why(watch) == "missing"
        data.symlink_to(target)
        assert _is(watch, "first")
        assert _why(watch) is None
        assert watch.changes == 0
        mount.write("")
        assert _is(watch, "first")
        assert _why(watch) == "empty"
        mount.write("second")
        assert _is(watch, "second")


def test_it_looks_no_more_often_than_asked(mount: Mount) -> None:
    """But at once when it is told to."""
    with mount.watch(interval=3600) as watch:
        mount.write("second")
        assert _is(watch, "first")
        assert [watch.check(), watch.check()] == [True, False]
        assert _is(watch, "second")


def test_a_command_is_asked_when_told_to(tmp_path: Path) -> None:
    """Nobody can see from outside that it would say something else."""
    path = tmp_path / "said"
    path.write_text("one")
    with sources.parse(f"cmd:cat {path}").watch(interval=0) as watch:
        path.write_text("two")
        assert _is(watch, "one")
        assert watch.check()
        assert _is(watch, "two")


@pytest.fixture
def before() -> Iterator[list[int]]:
    """Have a handler of SIGHUP already."""
    seen: list[int] = []
    old = signal.signal(signal.SIGHUP, lambda number, _: seen.append(number))
    yield seen
    signal.signal(signal.SIGHUP, old)


def test_a_command_is_polled_when_asked_for(tmp_path: Path) -> None:
    """At each look, also after one that failed; without it never."""
    path = tmp_path / "token"
    path.write_text("old")
    source = sources.parse(f"cmd:cat {path}")
    with (
        source.watch(interval=0) as still,
        source.watch(interval=0, poll=True) as watch,
    ):
        path.write_text("new")
        with watch.use() as secret:
            assert secret.matches("new")
        with still.use() as secret:
            assert secret.matches("old")
        path.unlink()
        with watch.use() as secret:
            assert secret.matches("new")
        assert _why(watch) == "command"
        path.write_text("newer")
        with watch.use() as secret:
            assert secret.matches("newer")
        assert _why(watch) is None
        assert watch.changes == 2


def test_a_signal_reads_again(mount: Mount, before: list[int]) -> None:
    """At the next use; the handler that was there is called, and put back."""
    there = signal.getsignal(signal.SIGHUP)
    with mount.watch(interval=3600) as watch:
        watch.on_signal(signal.SIGHUP)
        mount.write("second")
        os.kill(os.getpid(), signal.SIGHUP)
        assert _is(watch, "second")
        assert before == [signal.SIGHUP]
    assert signal.getsignal(signal.SIGHUP) is there


@pytest.mark.parametrize("first", [0, 1])
def test_several_watches_have_one_signal(
    mount: Mount, before: list[int], first: int
) -> None:
    """Whichever is closed first, the other is told."""
    there = signal.getsignal(signal.SIGHUP)
    watches = [mount.watch(interval=3600) for _ in range(2)]
    for watch in watches:
        watch.on_signal(signal.SIGHUP)
    watches.pop(first).close()
    mount.write("second")
    signal.raise_signal(signal.SIGHUP)
    (left,) = watches
    assert _is(left, "second")
    assert before == [signal.SIGHUP]
    left.close()
    assert signal.getsignal(signal.SIGHUP) is there


def test_a_handler_that_came_later_stays(
    mount: Mount, before: list[int]
) -> None:
    """`close` puts nothing over it."""
    with mount.watch() as watch:
        watch.on_signal(signal.SIGHUP)
        ours = signal.getsignal(signal.SIGHUP)
        assert callable(ours)

        def later(number: int, frame: FrameType | None) -> None:
            ours(number, frame)

        signal.signal(signal.SIGHUP, later)
    assert signal.getsignal(signal.SIGHUP) is later
    signal.raise_signal(signal.SIGHUP)
    assert before == [signal.SIGHUP]


_CLOSED_IN_A_THREAD = """
import os, signal, sys, threading
from secretmem import sources
watch = sources.File(sys.argv[1]).watch()
watch.on_signal(signal.SIGHUP)
signal.raise_signal(signal.SIGHUP)
thread = threading.Thread(target=watch.close)
thread.start()
thread.join()
print("closed", flush=True)
signal.raise_signal(signal.SIGHUP)
print("not here")
"""


def test_closed_in_another_thread(mount: Mount) -> None:
    """The next signal does what it did before the watch."""
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-c", _CLOSED_IN_A_THREAD),
            str(mount.folder / "key"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "closed\n", done
    assert done.returncode == -signal.SIGHUP


def test_a_thread_calls_after_what_others_saw_first(mount: Mount) -> None:
    """Such as a use, or `check`."""
    called = threading.Event()
    with mount.watch(interval=0.5) as watch:
        watch.follow(lambda _: called.set())
        mount.write("second")
        watch.check()
        assert called.wait(PATIENCE)


def test_a_thread_calls_after_a_change(mount: Mount) -> None:
    """And ends when the watch is closed."""
    changed: list[sources.Watch] = []
    called = threading.Event()

    def note(watch: sources.Watch) -> None:
        changed.append(watch)
        called.set()

    with mount.watch() as watch:
        thread = watch.follow(note)
        mount.write("second")
        assert called.wait(PATIENCE)
        assert _is(watch, "second")
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert changed == [watch]


def test_many_threads_use_it_while_it_changes(mount: Mount) -> None:
    """Nobody meets a closed value."""
    wrong: list[BaseException] = []
    stop = threading.Event()

    def work(watch: sources.Watch) -> None:
        try:
            while not stop.is_set():
                with watch.use() as secret:
                    assert len(secret) >= 5
                    assert not secret.matches(b"no")
        except BaseException as error:  # noqa: BLE001 - told below
            wrong.append(error)

    with mount.watch() as watch:
        threads = [
            threading.Thread(target=work, args=[watch]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for number in range(50):
            mount.write(f"value {number}")
            watch.check()
        stop.set()
        for thread in threads:
            thread.join()
        assert not wrong
        assert _is(watch, "value 49")


def test_a_forked_child_reads_anew(mount: Mount) -> None:
    """The parent's value is private; the file is there for both."""
    with mount.watch(interval=3600) as watch:
        assert _is(watch, "first")
        assert forked.run(lambda: _is(watch, "first")).result() is True
        assert _is(watch, "first")


def test_options_are_those_of_every_value(mount: Mount) -> None:
    """Of the new ones too."""
    with mount.watch(inherit=True) as watch:
        for value in ("second", "third"):
            mount.write(value)
            with watch.use() as secret:
                assert isinstance(secret, Secret)
                assert secret.inherit
                assert secret.name == "key"
    with pytest.raises(ValueError, match="seconds"):
        mount.watch(interval=-1)
    with pytest.raises(SourceError):
        sources.File("/nothing/here").watch()
