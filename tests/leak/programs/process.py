"""Programs: areas, the call itself, settings of the process."""

from __future__ import annotations

import functools
import mmap
import os

from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _read_into(stage: Stage, target: Any) -> None:  # noqa: ANN401 - a buffer
    with memoryview(target) as view:
        assert os.readv(stage.source(), [view[:24]]) == 24


@program(
    "secretmem.SecretArea",
    "SecretArea.__len__",
    "SecretArea.__enter__",
    "SecretArea.__exit__",
    "SecretArea.__repr__",
    "SecretArea.__reduce_ex__",
    "SecretArea.close",
    "SecretArea.closed",
    payloads=("{plain}",) * 2,
)
def area(stage: Stage) -> None:
    """Read into an area, show it, close it."""
    import pickle

    import secretmem

    if stage.ordinary:
        buffer = bytearray(100)
        _read_into(stage, buffer)
        stage.check(b"filled")
        return
    with secretmem.SecretArea(100) as made:
        _read_into(stage, made)
        assert len(made) == 100
        stage.check(b"filled")
        stage.repeat(lambda: (repr(made), len(made), made.closed))
        try:
            pickle.dumps(made)
        except TypeError as error:
            kept = [error]
        stage.check(b"not pickled")
        assert kept
    assert made.closed
    stage.ended(b"closed")
    other = secretmem.SecretArea(100)
    _read_into(stage, other)
    other.close(wipe=True)
    stage.ended(b"wiped")


@program("SecretArea.fileno", "SecretArea.__new__", payloads=("{plain}",) * 2)
def area_descriptor(stage: Stage) -> None:
    """An area with its descriptor, in a child too; and a private one."""
    import secretmem

    if stage.ordinary:
        _read_into(stage, control := mmap.mmap(-1, 100))
        stage.check(b"filled")
        control.close()
        return
    shared = secretmem.SecretArea(100, keep_fd=True)
    private = secretmem.SecretArea(100, fork="private", cloexec=False)
    _read_into(stage, shared)
    _read_into(stage, private)
    with mmap.mmap(shared.fileno(), 4096) as again:
        assert memoryview(again)[:24] == memoryview(shared)[:24]
        stage.check(b"mapped twice")
    pid = os.fork()
    if pid == 0:
        stage.forked()
        with memoryview(shared) as view:
            assert any(view)
        stage.check(b"child")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    stage.check(b"parent")


@program("secretmem.memfd_secret")
def the_call(stage: Stage) -> None:
    """Use the call itself; an ordinary memory file is the control."""
    import secretmem

    make = secretmem.memfd_secret
    fd = os.memfd_create("control") if stage.ordinary else make()
    os.ftruncate(fd, 4096)
    mapped = mmap.mmap(fd, 4096)
    _read_into(stage, mapped)
    stage.check(b"filled")
    stage.repeat(lambda: os.close(make(0)))
    mapped.close()
    os.close(fd)
    stage.ended()


@program(
    "secretmem.posture",
    "secretmem.Posture",
    "secretmem.trim",
    "secretmem.build_info",
    payloads=("{plain}",) * 20,
)
def facts(stage: Stage) -> None:
    """Ask for facts while secrets live; give idle memory back."""
    import json

    import secretmem

    secrets = [stage.secret() for _ in range(20)]
    stage.check(b"loaded")
    if not stage.ordinary:
        posture = secretmem.posture()
        assert isinstance(posture, secretmem.Posture)
        assert posture.live == 20
        kept = [json.dumps(posture.as_dict()), repr(posture)]
        stage.repeat(lambda: (secretmem.posture(), secretmem.build_info()))
        for secret in secrets[2:]:
            secret.close()
        kept.append(repr(secretmem.trim()))
        stage.check(b"trimmed")
    for secret in secrets:
        secret.close()
    secretmem.trim()
    stage.ended()


@program("secretmem.configure", "secretmem.ConfigurationError")
def configured(stage: Stage) -> None:
    """Choose before, fail to choose after."""
    import secretmem

    secretmem.configure(
        policy="require", fork="inherit", gate="mprotect", strict_format=True
    )
    secret = stage.secret()
    stage.check(b"loaded")
    kept: list[BaseException] = []
    if not stage.ordinary:
        for action in (
            functools.partial(secretmem.configure, backend="mlock"),
            functools.partial(secretmem.configure, gate="auto"),
        ):
            try:
                action()
            except secretmem.ConfigurationError as error:
                kept.append(error)
        try:
            str(secret)
        except TypeError as error:
            kept.append(error)
        assert len(kept) >= 2
    stage.check(b"refused")


@program("secretmem.harden", "secretmem.Setting", root=True)
def hardened(stage: Stage) -> None:
    """Harden with a secret in memory; root still looks."""
    import secretmem

    secret = stage.secret()
    stage.check(b"loaded")
    settings = secretmem.harden(no_new_privs=True, speculation=True)
    assert len(settings) == 5
    assert all(isinstance(each, secretmem.Setting) for each in settings)
    assert repr(settings)
    stage.check(b"hardened")
    secret.close()
    stage.ended()


@program(
    "secretmem.DegradedWarning",
    "secretmem.SecretmemWarning",
    payloads=("{plain}",) * 2,
    variables={"SECRETMEM_BACKEND": "mlock"},
    no_control="it is its own: locked memory is found",
)
def degraded(stage: Stage) -> None:
    """The mlock backend, by name: found while it lives, and wiped after."""
    import secretmem

    kind = secretmem.DegradedWarning
    assert issubclass(kind, secretmem.SecretmemWarning)
    secret, other = stage.secret(), stage.secret()
    assert secretmem.posture().degraded
    stage.copied(b"locked memory is readable")
    assert secret == other
    with secret.reveal():
        stage.copied(b"view open")
    secret.close()
    other.close()
    stage.ended(b"wiped")


@program(payloads=("{plain}",) * 8)
def threads(stage: Stage) -> None:
    """Several threads at once; all of them are looked at."""
    import threading

    secrets = [stage.secret() for _ in range(8)]
    start, stop = threading.Barrier(9), threading.Event()

    def work(one: Any, two: Any) -> None:  # noqa: ANN401 - Secret or Ordinary
        start.wait()
        for _ in range(stage.many // 10):
            assert one == two
            assert one.matches(b"x") is False
            (one + two)[8:].strip().close()
            with one.reveal(), two.reveal():
                pass
        stop.wait()

    workers = [
        threading.Thread(target=work, args=(one, two))
        for one, two in zip(secrets, reversed(secrets), strict=True)
    ]
    for worker in workers:
        worker.start()
    start.wait()
    stage.check(b"running")
    stop.set()
    for worker in workers:
        worker.join()
    stage.check(b"ended")
    for secret in secrets:
        secret.close()
    stage.ended()
