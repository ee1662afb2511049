"""Programs: what goes wrong, with the exceptions and tracebacks kept."""

from __future__ import annotations

import functools
import os
import sys
import traceback

from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Kept:
    """Keeps exceptions as programs and loggers keep them."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.texts: list[str] = []

    def fails(
        self, kind: type[BaseException], action: Callable[[], object]
    ) -> None:
        """Do what must fail; keep the error, its traceback and frames."""
        try:
            action()
        except kind as error:
            self.errors.append(error)
            return
        raise AssertionError("that should have failed")

    def logged(self) -> None:
        """Pass all of it to logging, and to a formatter of variables."""
        import io
        import logging

        into = io.StringIO()
        log = logging.getLogger("test")
        log.propagate = False
        log.addHandler(logging.StreamHandler(into))
        for error in self.errors:
            log.error("failed", exc_info=error)
            assert error.__traceback__
            told = traceback.TracebackException.from_exception(
                error, capture_locals=True
            )
            self.texts.append("".join(told.format()))
            self.texts.append(repr(error.args))
        self.texts.append(into.getvalue())


@program("secretmem.ClosedError", "secretmem.SecretmemError")
def closed(stage: Stage) -> None:
    """Every use after close; the secret was there before."""
    import secretmem

    kept = Kept()
    secret = stage.secret()
    stage.check(b"before")
    secret.close()
    if stage.ordinary:
        return
    for action in (
        lambda: secret == secret,  # noqa: PLR0124 - refused
        lambda: secret.matches(b"a" * 24),
        lambda: secret[4:],
        lambda: secret + secret,
        secret.strip,
        lambda: secret.reveal().__enter__(),
        lambda: secret.write_to(1),
        secret.__enter__,
        lambda: stage.Secret.from_hex(secret),
        lambda: stage.hazmat.export_bytes(secret),
        lambda: stage.hazmat.export_str(secret),
    ):
        kept.fails(secretmem.ClosedError, action)
    kept.logged()
    assert issubclass(secretmem.ClosedError, secretmem.SecretmemError)
    stage.ended(b"refused")


@program("Secret.from_fd", payloads=("{plain}", "{plain}"), times=50)
def too_large(stage: Stage) -> None:
    """More than max_size; part of it was read already."""
    kept = Kept()
    fd = stage.source()
    make = stage.Secret.from_fd
    kept.fails(ValueError, lambda: make(fd, max_size=100))
    kept.logged()
    stage.ended(b"refused")
    secret = stage.secret()
    path = f"{stage.folder}/large"
    with open(path, "wb") as file:  # noqa: PTH123 - as in stage
        secret.write_to(file)
    kept.fails(ValueError, lambda: stage.Secret.from_file(path, max_size=9))
    stage.check(b"file refused")


@program(
    "Secret.from_base64",
    "Secret.from_hex",
    payloads=("{plain}", "{base64}!", "{hex}x"),
    forms=("plain", "base64", "hex"),
)
def wrong_encoding(stage: Stage) -> None:
    """Text that is not in the encoding, up to its last character."""
    kept = Kept()
    secrets = [
        stage.secret(),
        stage.secret("{base64}!"),
        stage.secret("{hex}x"),
    ]
    make = stage.Secret
    for secret in secrets:
        kept.fails(ValueError, functools.partial(make.from_hex, secret))
    kept.fails(ValueError, lambda: make.from_base64(secrets[1]))
    kept.fails(ValueError, lambda: make.from_base64(secrets[1], urlsafe=True))
    kept.logged()
    stage.check(b"refused")
    for secret in secrets:
        secret.close()
    if not stage.ordinary:
        stage.ended(b"closed")


@program("hazmat.export_str", payloads=("{plain}\xff",))
def not_text(stage: Stage) -> None:
    """Export as text what is not text: no error keeps the copy."""
    kept = Kept()
    secret = stage.secret("{plain}\xff")
    export = stage.hazmat.export_str
    kept.fails(ValueError, lambda: export(secret))
    kept.fails(ValueError, lambda: export(secret, "ascii"))
    kept.fails(ValueError, lambda: export(secret, "utf-32"))
    kept.fails(LookupError, lambda: export(secret, "no-such"))
    kept.logged()
    # The documented copies were made and freed, so memory is not judged here:
    # what counts is that no error, frame or text keeps one of them.
    stage.shows(b"refused")
    assert bool(_held(kept)) == stage.ordinary


def _held(kept: Kept) -> list[object]:
    """List the exported values that errors and their frames keep alive."""
    seen: list[object] = []
    for error in kept.errors:
        at: BaseException | None = error
        while at is not None:
            seen += [arg for arg in at.args if _is_value(arg)]
            seen += [v for v in vars(at).values() if _is_value(v)]
            trace = at.__traceback__
            while trace is not None:
                values = trace.tb_frame.f_locals.values()
                seen += [v for v in values if _is_value(v)]
                trace = trace.tb_next
            at = at.__context__
    return seen


def _is_value(thing: object) -> bool:
    return isinstance(thing, bytes | bytearray) and b"\xff" in thing


@program("secretmem.BorrowError")
def borrowed(stage: Stage) -> None:
    """A writable view is out: every other use is refused."""
    import secretmem

    kept = Kept()
    secret = stage.secret()
    if stage.ordinary:
        stage.check(b"alive")
        return
    with secret.reveal(writable=True):
        for action in (
            lambda: secret == secret,  # noqa: PLR0124 - refused
            lambda: secret[4:],
            lambda: secret.reveal().__enter__(),
            lambda: secret.write_to(1),
            lambda: stage.hazmat.export_bytes(secret),
        ):
            kept.fails(secretmem.BorrowError, action)
        stage.check(b"refused, view open")
    kept.logged()
    stage.check(b"view closed")


@program("Secret.write_to", payloads=("{plain}", "{plain}"), times=500)
def failed_write(stage: Stage) -> None:
    """Nobody reads, a full device, no descriptor."""
    kept = Kept()
    secret = stage.secret()
    source, target = os.pipe()
    os.close(source)
    kept.fails(BrokenPipeError, lambda: secret.write_to(target))
    os.close(target)
    kept.fails(OSError, lambda: secret.write_to(target))
    full = os.open("/dev/full", os.O_WRONLY)
    kept.fails(OSError, lambda: secret.write_to(full))
    kept.logged()
    stage.check(b"refused")


@program("Secret.from_fd", payloads=("{plain}",))
def failed_read(stage: Stage) -> None:
    """A source that fails after it gave something."""
    kept = Kept()
    secret = stage.secret()
    kept.fails(OSError, lambda: stage.Secret.from_file("/"))
    kept.fails(OSError, lambda: stage.Secret.from_file("/no/such/file"))
    kept.fails(OSError, lambda: stage.Secret.from_fd(write_end(secret)))
    kept.logged()
    stage.check(b"refused")


def write_end(secret: Any) -> int:  # noqa: ANN401 - Secret or Ordinary
    """Give the write end of a pipe that holds the value: EBADF to read."""
    source, target = os.pipe()
    secret.write_to(target)
    os.close(source)
    return target


@program("secretmem.LimitError", payloads=("{plain}",) * 2)
def limit(stage: Stage) -> None:
    """No room: the source was not read, or a copy was begun."""
    import resource

    import secretmem

    # Without descriptors no module can be loaded.
    import secretmem._errors
    import secretmem._limits

    kept = Kept()
    secret = stage.secret(isolated=True)
    stage.check(b"loaded")
    if stage.ordinary:
        return
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    # As many as are open anyway; poll(2) refuses more than the limit.
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, allowed[1]))
    for action in (
        lambda: stage.Secret.from_fd(stage.source(), isolated=True),
        secret.strip,
        lambda: secret + secret,
        lambda: secret[::-1],
    ):
        kept.fails(secretmem.LimitError, action)
    resource.setrlimit(resource.RLIMIT_NOFILE, allowed)
    kept.logged()
    stage.check(b"refused")


@program("secretmem.ForkError")
def forked(stage: Stage) -> None:
    """A forked child looks for a private secret; its memory is scanned."""
    import secretmem

    secret = stage.secret()
    kept = Kept()
    pid = os.fork()
    if pid == 0:
        stage.forked()
        if stage.ordinary:
            stage.check(b"child")
            os._exit(0)
        kept.fails(secretmem.ForkError, lambda: secret[:])
        kept.fails(secretmem.ForkError, lambda: secret == secret)  # noqa: PLR0124 - refused
        stage.check(b"child, refused")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    stage.check(b"parent")


@program("Secret.inherit")
def inherited(stage: Stage) -> None:
    """A forked child uses an inherited secret, which it adopts."""
    secret = stage.secret(inherit=True)
    pid = os.fork()
    if pid == 0:
        stage.forked()
        stage.check(b"child, before")
        assert len(secret[:]) == 24
        with secret.reveal():
            pass

        def cut() -> None:
            secret[4:].close()

        stage.repeat(cut)
        secret.close()
        stage.ended(b"child, closed")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    stage.check(b"parent")
    secret.close()
    stage.ended()


@program(
    "secretmem.UnavailableError",
    confined=True,
    no_control="no secret is ever made",
)
def unavailable(stage: Stage) -> None:
    """The kernel refuses: nothing was read yet."""
    import secretmem

    kept = Kept()
    fd = stage.source()
    kept.fails(secretmem.UnavailableError, lambda: stage.Secret.from_fd(fd))
    kept.logged()
    stage.ended(b"refused")


@program("Secret.prompt", payloads=(), terminal=True)
def interrupted_prompt(stage: Stage) -> None:
    """Ctrl-C in either answer, a second that differs, a line too long."""
    kept = Kept()
    prompt = stage.Secret.prompt
    stage.type(b"{plain}\x03")
    kept.fails(KeyboardInterrupt, prompt)
    stage.ended(b"first answer")
    stage.type(b"{plain}\n", b"{plain}\x03")
    kept.fails(KeyboardInterrupt, lambda: prompt(confirm=True))
    stage.ended(b"second answer")
    stage.type(b"{plain}\n", b"x{plain}\n")
    kept.fails(ValueError, lambda: prompt(confirm=True))
    kept.logged()
    stage.ended(b"different")
    stage.type(b"{plain}" + b"x" * 5000 + b"\n")
    kept.fails(ValueError, prompt)
    kept.logged()
    stage.ended(b"cut")
    stage.type(b"{plain}\n")
    secret = prompt()
    stage.check(b"in the end")
    secret.close()


@program(
    "Secret.from_hex",
    code=-6,
    payloads=("{plain}", "{plain}"),
)
def aborted(stage: Stage) -> None:
    """An unhandled exception, then abort(3); its core file is looked at."""
    stage.limit_core()
    secret, other = stage.secret(), stage.secret()
    assert secret == other
    assert secret[4:].strip() != other
    stage.check(b"before")

    def hook(*told: Any) -> None:  # noqa: ANN401 - as sys.excepthook
        sys.__excepthook__(*told)
        os.abort()

    sys.excepthook = hook
    stage.Secret.from_hex(secret)
