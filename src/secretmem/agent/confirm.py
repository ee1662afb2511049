"""Asking the user, by the program that SSH_ASKPASS names (ssh-agent(1))."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
from collections import deque
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem.agent.loop import Loop

    Verdict = Callable[[bool], None]

_USUAL = "/usr/bin/ssh-askpass"
# Bytes of an answer that are looked at, and questions that may wait.
_ANSWER = 1024
_QUEUE = 64


def program() -> str | None:
    """Return the program that asks, or None where there is none."""
    named = os.environ.get("SSH_ASKPASS")
    if named:
        return shutil.which(named)
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return shutil.which(_USUAL)
    return None


class Asker:
    """Asks one question after the other; other requests go on."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._waiting: deque[_Question] = deque()
        self._asked: _Question | None = None

    def ask(self, prompt: str, done: Verdict) -> Callable[[], None]:
        """
        Ask; call ``done`` with the verdict. Returns what takes it back.

        Where nobody can be asked, the answer is no.
        """
        question = _Question(prompt, done)
        if len(self._waiting) == _QUEUE:
            done(False)  # noqa: FBT003 - the verdict is all there is to say
            return lambda: None
        self._waiting.append(question)
        self._next()
        return lambda: self._take_back(question)

    def _take_back(self, question: _Question) -> None:
        if question is self._asked:
            question.stop(self._loop)
            self._asked = None
            self._next()
        else:
            with contextlib.suppress(ValueError):
                self._waiting.remove(question)

    def _next(self) -> None:
        if self._asked is None and self._waiting:
            self._asked = question = self._waiting.popleft()
            question.start(
                self._loop, lambda verdict: self._answered(question, verdict)
            )

    def _answered(self, question: _Question, verdict: bool) -> None:  # noqa: FBT001 - a verdict
        """Pass an answer on, unless its question was taken back."""
        if question is not self._asked:
            return
        self._asked = None
        self._next()
        question.done(verdict)


class _Question:
    """One run of the program."""

    def __init__(self, prompt: str, done: Verdict) -> None:
        self._prompt = prompt
        self.done = done
        self._child: subprocess.Popen[bytes] | None = None
        self._answer = b""

    def start(self, loop: Loop, tell: Verdict) -> None:
        """Run the program."""
        name = program()
        try:
            if name is None:
                raise FileNotFoundError
            self._child = subprocess.Popen(  # noqa: S603 - the user names it
                [name, self._prompt],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env={**os.environ, "SSH_ASKPASS_PROMPT": "confirm"},
            )
        except OSError:
            loop.later(0, lambda: tell(False))  # noqa: FBT003 - a verdict
            return
        fd = self._fd()
        loop.watch(fd, select.EPOLLIN, lambda _: self._read(loop, tell))

    def _fd(self) -> int:
        if self._child is None or self._child.stdout is None:
            raise ValueError("the program does not run")
        return self._child.stdout.fileno()

    def _read(self, loop: Loop, tell: Verdict) -> None:
        data = os.read(self._fd(), _ANSWER)
        if data:
            self._answer = (self._answer + data)[:_ANSWER]
            return
        loop.forget(self._fd())
        self._wait(loop, tell)

    def _wait(self, loop: Loop, tell: Verdict) -> None:
        """The answer has ended; the program soon will."""
        child = self._child
        if child is None:
            return
        if child.poll() is None:
            loop.later(0.01, lambda: self._wait(loop, tell))
            return
        self._close()
        first = self._answer.partition(b"\n")[0].strip().lower()
        tell(child.returncode == 0 and first in {b"", b"yes"})

    def stop(self, loop: Loop) -> None:
        """End the program: nobody waits for the answer."""
        child = self._child
        if child is None or child.stdout is None or child.stdout.closed:
            return
        with contextlib.suppress(KeyError):
            loop.forget(self._fd())
        child.kill()
        child.wait()
        self._close()

    def _close(self) -> None:
        child, self._child = self._child, None
        if child is not None and child.stdout is not None:
            child.stdout.close()
