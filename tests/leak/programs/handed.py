"""Programs: `secretmem.handover`, and what ``secretmem run`` does."""

from __future__ import annotations

import os
import socket
import sys

from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@program(
    "secretmem.handover",
    "handover.to_descriptor",
    "handover.from_descriptor",
    "handover.send_secret",
    "handover.recv_secret",
)
def handed_over(stage: Stage) -> None:
    """By a descriptor and by a socket, also many times."""
    secret = stage.secret()
    if stage.ordinary:
        reader = stage.pipe_of(secret)
        copy = stage.Secret.from_fd(reader)
        stage.check(b"by a pipe")
        copy.close()
        return
    from secretmem import handover

    one, other = socket.socketpair()
    fd = handover.to_descriptor(secret)
    kept = [handover.from_descriptor(fd)]
    handover.send_secret(one, secret)
    stage.check(b"under way")
    kept.append(handover.recv_secret(other))
    assert all(each == secret for each in kept)
    stage.check(b"there")

    def again() -> None:
        handover.send_secret(one, secret)
        handover.recv_secret(other).close()

    stage.repeat(again)
    os.close(fd)
    for each in (secret, *kept):
        each.close()
    stage.ended()


@program(
    "secretmem.inherited",
    "handover.inherited",
    "handover.inherited_names",
    "handover.VARIABLE",
)
def inherited_here(stage: Stage) -> None:
    """What a program finds that was started with a secret."""
    secret = stage.secret()
    if stage.ordinary:
        stage.check(b"loaded")
        return
    import secretmem
    from secretmem import handover

    fds = [handover.to_descriptor(secret) for _ in range(2)]
    os.environ[handover.VARIABLE] = f"A={fds[0]}:B={fds[1]}"
    assert handover.inherited_names() == ["A", "B"]
    stage.check(b"named")
    kept = [handover.inherited("A"), secretmem.inherited("B")]
    assert all(each == secret for each in kept)
    assert secretmem.inherited("A") is kept[0]
    stage.check(b"inherited")
    for each in (secret, *kept):
        each.close()
    stage.ended()


@program()
def through_multiprocessing(stage: Stage) -> None:
    """The pickle of multiprocessing, in this process and in a child."""
    import multiprocessing
    import pickle
    from multiprocessing.reduction import ForkingPickler

    secret = stage.secret()
    if stage.ordinary:
        kept = [bytes(ForkingPickler.dumps(secret))]
        stage.check(b"pickled")
        return
    data = bytes(ForkingPickler.dumps(secret))
    stage.check(b"pickled")
    same = pickle.loads(data)  # noqa: S301 - our own
    assert same == secret
    stage.check(b"there")
    kept = []
    here, there = multiprocessing.Pipe()
    pid = os.fork()
    if pid == 0:
        stage.forked()
        got = there.recv()
        stage.check(b"child")
        got.close()
        os._exit(0)
    here.send(secret)
    assert os.waitpid(pid, 0)[1] == 0
    stage.check(b"parent")
    assert not kept
    secret.close()
    same.close()
    stage.ended()


@program(files={"token": "{plain}"}, payloads=())
def run_prepares(stage: Stage) -> None:
    """What ``secretmem run`` has done when it becomes the command."""
    from secretmem.launch import Plan, Prepared

    source = f"A=file:{stage.folder}/token"
    if stage.ordinary:
        os.environ["A"] = stage.Secret.from_file(f"{stage.folder}/token").text
        stage.check(b"as a variable")
        return
    plan = Plan.parse([source], [], ["true"])
    with Prepared(plan):
        stage.check(b"ready")
    stage.repeat(lambda: Prepared(plan).close(), 20)
    stage.ended()


@program(
    files={"token": "{plain}"},
    payloads=(),
    no_control="it is its own: what is exposed is found",
)
def run_exposes(stage: Stage) -> None:
    """A sealed file holds no copy in this process; a variable does."""
    from secretmem.launch import Plan, Prepared

    source = f"A=file:{stage.folder}/token"
    with Prepared(Plan.parse([source], ["file:A"], ["true"])):
        stage.check(b"a file")
    kept: list[Any] = [Prepared(Plan.parse([source], ["env:A"], ["true"]))]
    stage.copied(b"a variable")
    assert kept


_DOTENV = "# c\nexport OTHER=x\nTOKEN='{plain}'\nLAST=\"{plain}\"\n"


@program("Secret.dotenv_field", payloads=(_DOTENV,))
def dotenv_field(stage: Stage) -> None:
    """A value of a .env document, and what is not there or wrong."""
    document = stage.secret(_DOTENV)
    value = document.dotenv_field("TOKEN")
    assert len(value) == 24
    stage.check(b"found")
    stage.repeat(lambda: document.dotenv_field("LAST").close())
    kept = []
    if not stage.ordinary:
        broken = document[:-2]
        for each, name in ((document, "NOTHING"), (broken, "TOKEN")):
            try:
                each.dotenv_field(name)
            except ValueError as error:
                kept.append(error)
        assert len(kept) == 2
    stage.check(b"refused")
    document.close()
    value.close()


@program("sources.Dotenv", files={"env": _DOTENV}, payloads=())
def source_dotenv(stage: Stage) -> None:
    """The same as a source."""
    from secretmem import sources

    if stage.ordinary:
        sys.modules["secretmem.sources._files"].Secret = stage.Secret  # type: ignore[attr-defined]
    path = f"{stage.folder}/env"
    kept = [
        sources.Dotenv(path, "TOKEN").read(),
        sources.read(f"dotenv:{path}#LAST"),
    ]
    assert {len(each) for each in kept} == {24}
    stage.check(b"read")
    for secret in kept:
        secret.close()
    stage.ended()


@program("handover.keep", "handover.forget")
def kept_by_systemd(stage: Stage) -> None:
    """What is sent to a service manager, which is a socket here."""
    secret = stage.secret()
    if stage.ordinary:
        stage.check(b"loaded")
        return
    from secretmem import handover

    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    os.environ["NOTIFY_SOCKET"] = path = f"{stage.folder}/notify"
    manager.bind(path)
    pid = os.fork()
    if pid == 0:
        # Reads and closes what it is sent: remove, store, barrier; remove.
        for _ in range(4):
            for fd in socket.recv_fds(manager, 1000, 1)[1]:
                os.close(fd)
        os._exit(0)
    handover.keep("name", secret)
    stage.check(b"kept")
    handover.forget("name")
    assert os.waitpid(pid, 0)[1] == 0
    stage.check(b"forgotten")
    secret.close()
    stage.ended()
