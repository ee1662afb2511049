"""Stopped, continued and ended at the prompt: the terminal echoes again."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from support import alone, terminal


if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.needs_secretmem


def ask() -> None:
    """Ask, and tell the answer."""
    from secretmem import Secret, hazmat

    secret = Secret.prompt("Word? ")
    print(f"got {hazmat.export_bytes(secret)!r}.")  # noqa: T201 - the program's output


def hidden(person: terminal.Session) -> None:
    """Wait until the program asks with echo off."""
    person.expect("Word? ")
    person.silent(lambda: not person.echoes())


def as_a_job(number: int) -> None:
    """
    Ask in a job of its own, as a shell has them.

    At SIGUSR1 the job is sent a signal, at SIGUSR2 it is continued in the
    foreground.  What became of it is told, and whether there is echo then.
    """
    import os
    import resource
    import signal
    import sys
    import termios

    from secretmem import Secret, hazmat

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    waiting, ready = os.pipe()
    job = os.fork()
    if not job:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.read(waiting, 1)
        secret = Secret.prompt("Word? ")
        print(f"got {hazmat.export_bytes(secret)!r}.", flush=True)  # noqa: T201 - the program's output
        os._exit(0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)

    def foreground(*_: object) -> None:
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)

    os.setpgid(job, job)
    signal.signal(signal.SIGUSR1, lambda *_: os.kill(job, number))
    signal.signal(signal.SIGUSR2, foreground)
    os.tcsetpgrp(0, job)
    os.write(ready, b"1")
    while True:
        status = os.waitpid(job, os.WUNTRACED)[1]
        echo = bool(termios.tcgetattr(0)[3] & termios.ECHO)
        if not os.WIFSTOPPED(status):
            break
        print(f"stopped by {os.WSTOPSIG(status)}, {echo=}.", flush=True)  # noqa: T201 - as above
    code = os.waitstatus_to_exitcode(status)
    print(f"ended with {code}, {echo=}.", flush=True)  # noqa: T201 - as above
    sys.exit(0)


def test_ctrl_z_and_fg_in_a_shell(tmp_path: Path) -> None:
    """The prompt is shown again, and the answer is not."""
    script = tmp_path / "ask.py"
    script.write_text(alone.source(ask), "utf-8")

    def shell() -> None:
        import os

        options = ("--norc", "--noprofile", "--noediting", "-i")
        os.execlp("bash", "bash", *options)  # noqa: S606 - the test's own

    with terminal.session(shell) as person:
        person.type(f"{sys.executable} {script}\n")
        hidden(person)
        person.type("ab\x1a")
        person.expect("Stopped")
        person.silent(person.echoes)
        person.type("fg\n")
        hidden(person)
        person.type("sesame\n")
        shown = person.expect("got b'sesame'.")
        assert b"sesame" not in shown
        person.type("exit\n")
        assert person.end() == 0


@pytest.mark.parametrize(
    "number, echo",
    [
        (signal.SIGTSTP, True),
        (signal.SIGTTIN, True),
        (signal.SIGTTOU, True),
        # It cannot be taken.
        (signal.SIGSTOP, False),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_stop(number: signal.Signals, echo: bool) -> None:  # noqa: FBT001 - a parameter
    """Echo is on meanwhile; then it asks anew, as often as it is stopped."""
    with terminal.session(as_a_job, int(number)) as person:
        hidden(person)
        for _ in range(2):
            person.type("ab")
            person.signal(signal.SIGUSR1)
            person.expect(f"stopped by {int(number)}, {echo=}.")
            person.signal(signal.SIGUSR2)
            hidden(person)
        person.type("sesame\n")
        shown = person.expect("got b'sesame'.")
        assert b"sesame" not in shown
        person.expect("ended with 0, echo=True.")


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGALRM,
    ],
    ids=lambda value: value.name,
)
def test_an_end(number: signal.Signals) -> None:
    """By the signal, as ever; there is echo afterwards."""
    with terminal.session(as_a_job, int(number)) as person:
        hidden(person)
        person.type("half an ans")
        person.signal(signal.SIGUSR1)
        person.expect(f"ended with {-number}, echo=True.")
        assert person.end() == 0


def test_a_signal_just_before_the_read() -> None:
    """Is not lost, though nothing interrupts the read."""

    def asked() -> None:
        import os
        import signal

        from secretmem import Secret, _terminal

        def read(fd: int, *, between: object) -> Secret | None:
            os.kill(os.getpid(), signal.SIGTERM)
            return Secret._read(
                fd,
                line=True,
                strip=False,
                max_size=9,
                between=between,  # type: ignore[arg-type]  # no name of typing is there
            )

        _terminal.ask(read, "Word? ")

    with terminal.session(asked) as person:
        person.expect("Word? ")
        assert person.end() == -signal.SIGTERM


def test_signals_of_others_stay_theirs() -> None:
    """Those with a handler in Python or C, the ignored, the blocked."""

    def others() -> None:
        import faulthandler
        import os
        import signal

        from secretmem import Secret, hazmat

        def handle(*_: object) -> None:
            os.write(1, b"handled")

        with open(os.devnull, "w") as sink:  # noqa: PTH123 - of the program
            faulthandler.register(signal.SIGALRM, sink)
            signal.signal(signal.SIGTERM, handle)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGQUIT})
            secret = Secret.prompt("Word? ")
            # Whoever had reset one would end here.
            for each in (signal.SIGALRM, signal.SIGTERM, signal.SIGHUP):
                os.kill(os.getpid(), each)
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, set())
            assert blocked == {signal.SIGQUIT}
            assert signal.sigpending() == {signal.SIGQUIT}
            print(f"got {hazmat.export_bytes(secret)!r}.")  # noqa: T201 - the program's output

    with terminal.session(others) as person:
        hidden(person)
        for each in (signal.SIGALRM, signal.SIGHUP, signal.SIGQUIT):
            person.signal(each)
        person.signal(signal.SIGTERM)
        person.expect("handled")
        person.type("on it goes\n")
        person.expect("got b'on it goes'.")
        assert person.end() == 0


def test_signals_are_as_before_and_the_main_threads() -> None:
    """Taken while it asks, and there only."""

    def asked() -> None:
        import signal
        import threading

        from secretmem import Secret, _terminal

        numbers = sorted(signal.valid_signals())

        def handlers() -> list[object]:
            return [signal.getsignal(each) for each in numbers]

        before = handlers()
        during = []

        def read(fd: int, *, between: object) -> Secret | None:
            during.append(handlers())
            return Secret._read(
                fd,
                line=True,
                strip=False,
                max_size=9,
                between=between,  # type: ignore[arg-type]  # no name of typing is there
            )

        _terminal.ask(read, "Word? ")
        assert during.pop() != before
        assert handlers() == before
        thread = threading.Thread(
            target=lambda: _terminal.ask(read, "Thread? ")
        )
        thread.start()
        thread.join()
        assert during.pop() == before
        print("as before.")  # noqa: T201 - the program's output

    with terminal.session(asked) as person:
        for prompt in ("Word? ", "Thread? "):
            person.expect(prompt)
            person.type("yes\n")
        person.expect("as before.")
        assert person.end() == 0
