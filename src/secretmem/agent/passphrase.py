"""The passphrase that seals an agent: at the start, and after its sleep."""

from __future__ import annotations

import contextlib
import fcntl
import select
import subprocess
import termios
from typing import TYPE_CHECKING

from secretmem import Secret, sources
from secretmem.agent import confirm
from secretmem.exceptions import SourceError


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem.agent.loop import Loop

_MOST = 4096
_QUESTION = "Passphrase to wake the SSH agent: "
# What can be read again after a re-exec.
_AGAIN = (
    sources.Credential,
    sources.File,
    sources.Docker,
    sources.Kubernetes,
    sources.Age,
    sources.Json,
    sources.Dotenv,
    sources.Command,
    sources.Keyring,
)


class PassphraseError(Exception):
    """The passphrase cannot be had; the text says why and what to do."""


def first(text: str) -> Secret:
    """
    Read the passphrase at the start.

    Args:
        text: A source, as in `secretmem.sources`.

    Raises:
        PassphraseError: It cannot be had, or not a second time.
        LimitError: As for every Secret.
    """
    try:
        source = sources.parse(text)
        if isinstance(source, sources.Prompt):
            return _asked_twice()
        if not isinstance(source, _AGAIN):
            raise PassphraseError(
                f"--hibernation-key {source.scheme}: cannot be read again "
                "after the sleep; use prompt:, credential: or file:"
            )
        return source.read()
    except SourceError as error:
        raise PassphraseError(error.in_one()) from None


def _asked_twice() -> Secret:
    if confirm.program() is None:
        raise PassphraseError(
            "nobody could ask for the passphrase after the sleep: "
            "SSH_ASKPASS names no program; set it, or use "
            "--hibernation-key credential:NAME or file:PATH"
        )
    try:
        found = Secret.prompt(
            "Passphrase for the time of hibernation: ", confirm=True
        )
    except ValueError as error:
        raise PassphraseError(str(error)) from None
    except (OSError, EOFError):
        # No terminal: a service, or a desktop's start.
        found = _asked_by_program()
    if not len(found):
        raise PassphraseError("the passphrase is empty")
    return found


def _asked_by_program() -> Secret:
    name = confirm.program()
    if name is None:
        raise PassphraseError("SSH_ASKPASS names no program")
    answers = []
    for question in (_QUESTION, f"{_QUESTION}(again) "):
        with subprocess.Popen(  # noqa: S603 - the user names it
            [name, question], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        ) as child:
            answers.append(_read(child))
    found, second = answers
    with second:
        if found != second:
            found.close()
            raise PassphraseError("the two passphrases differ")
    return found


def _read(child: subprocess.Popen[bytes]) -> Secret:
    """Read the answer of a program into secret memory."""
    if child.stdout is None:
        raise PassphraseError("the program does not run")
    return Secret.from_fd(child.stdout.fileno(), strip=True, max_size=_MOST)


class Question:
    """
    The passphrase after the sleep.

    As long as the user has not answered there is no secret memory: the
    machine may have to sleep again.
    """

    def __init__(self, loop: Loop, text: str) -> None:
        self._loop = loop
        self._source = sources.parse(text)
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def asks(self) -> bool:
        """Whether a user is asked, who may answer otherwise next time."""
        return isinstance(self._source, sources.Prompt)

    def ask(
        self, answered: Callable[[], None], failed: Callable[[str], None]
    ) -> None:
        """Call ``answered`` when `read` will not wait; else ``failed``."""
        if not self.asks:
            self._loop.later(0, answered)
            return
        name = confirm.program()
        try:
            if name is None:
                raise FileNotFoundError
            self._child = subprocess.Popen(  # noqa: S603 - the user names it
                [name, _QUESTION],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
            )
        except OSError:
            self._loop.later(0, lambda: failed("no SSH_ASKPASS"))
            return
        fd = self._fd(self._child)
        self._loop.watch(
            fd, select.EPOLLIN, lambda _: self._ready(fd, answered, failed)
        )

    @staticmethod
    def _fd(child: subprocess.Popen[bytes]) -> int:
        if child.stdout is None:
            raise ValueError("the program does not run")
        return child.stdout.fileno()

    def _ready(
        self,
        fd: int,
        answered: Callable[[], None],
        failed: Callable[[str], None],
    ) -> None:
        """Look how much there is, without reading it."""
        self._loop.forget(fd)
        waiting = bytearray(4)
        fcntl.ioctl(fd, termios.FIONREAD, waiting)
        if any(waiting):
            answered()
        else:
            self.stop()
            failed("nobody gave the passphrase")

    def read(self) -> Secret:
        """
        Return the passphrase, in secret memory from here on.

        Raises:
            SecretmemError, ValueError, OSError: It cannot be read.
        """
        if self._child is None:
            return self._source.read()
        try:
            return _read(self._child)
        finally:
            self.stop()

    def stop(self) -> None:
        """End the program that asks."""
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(KeyError, ValueError):
            self._loop.forget(self._fd(child))
        if child.stdout is not None:
            child.stdout.close()
        child.kill()
        child.wait()
