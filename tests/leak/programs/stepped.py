"""Programs: one operation each, run instruction by instruction."""

from __future__ import annotations

import os

from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_TWICE = ("{plain}", "{plain}")


def _run(stage: Stage, action: Callable[[], Any]) -> None:
    # What is made at the first use is made before.
    action()
    stage.traced(action)


def _made(stage: Stage, make: Callable[[], Any]) -> None:
    def action() -> None:
        make().close()

    _run(stage, action)


@program(payloads=_TWICE)
def step_equals(stage: Stage) -> None:
    """Compare two secrets."""
    one, two = stage.secret(), stage.secret()
    assert one == two
    _run(stage, lambda: one == two)


@program(payloads=_TWICE)
def step_matches(stage: Stage) -> None:
    """Compare with the right candidate in a buffer."""
    secret, buffer = stage.secret(), stage.buffer()
    assert secret.matches(buffer)
    _run(stage, lambda: secret.matches(buffer))


@program(payloads=_TWICE)
def step_matches_str(stage: Stage) -> None:
    """Compare with the right candidate in a str."""
    secret, text = stage.secret(), stage.buffer().decode()
    assert secret.matches(text)
    _run(stage, lambda: secret.matches(text))


@program()
def step_from_bytes(stage: Stage) -> None:
    """Copy a buffer, wipe it, close the secret."""
    buffer = stage.buffer()
    made = stage.Secret.from_bytes
    made(buffer).close()
    stage.traced(lambda: made(buffer, wipe=True).close())


@program()
def step_slice(stage: Stage) -> None:
    """Take a part."""
    secret = stage.secret()
    _made(stage, lambda: secret[1:])


@program()
def step_slice_back(stage: Stage) -> None:
    """Take a part backwards."""
    secret = stage.secret()
    _made(stage, lambda: secret[::-1])


@program(payloads=_TWICE)
def step_add(stage: Stage) -> None:
    """Join secrets and a buffer."""
    one, buffer = stage.secret(), stage.buffer()
    _made(stage, lambda: one + one)
    _made(stage, lambda: buffer + one)


@program(payloads=(" {plain}\n",))
def step_strip(stage: Stage) -> None:
    """Take white space off."""
    secret = stage.secret(" {plain}\n")
    assert len(secret.strip()) == 24
    _run(stage, lambda: secret.strip().close())


@program(payloads=("{base64}",), forms=("plain", "base64"))
def step_base64(stage: Stage) -> None:
    """Decode base64."""
    text = stage.secret("{base64}")
    _run(stage, lambda: stage.Secret.from_base64(text).close())


@program(payloads=("{hex}",), forms=("plain", "hex"))
def step_hex(stage: Stage) -> None:
    """Decode hexadecimal digits."""
    text = stage.secret("{hex}")
    _run(stage, lambda: stage.Secret.from_hex(text).close())


@program()
def step_reveal(stage: Stage) -> None:
    """Open and leave a view, read-only and writable."""
    secret = stage.secret()

    def show() -> None:
        with secret.reveal():
            pass

    def change() -> None:
        with secret.reveal(writable=True):
            pass

    _run(stage, show)
    _run(stage, change)


@program()
def step_write(stage: Stage) -> None:
    """Write to a descriptor."""
    secret = stage.secret()
    fd = os.open(os.devnull, os.O_WRONLY)
    _run(stage, lambda: secret.write_to(fd))


@program(payloads=(" {plain}\n",) * 2)
def step_from_fd(stage: Stage) -> None:
    """Read a pipe, strip what was read, close."""
    stage.secret(" {plain}\n", strip=True)
    fd = stage.source(" {plain}\n")
    stage.traced(lambda: stage.Secret.from_fd(fd, strip=True).close())


@program()
def step_line(stage: Stage) -> None:
    """Read a line, as from a terminal."""
    fd = stage.source()
    read = stage.Secret._read
    facts = {"line": True, "strip": False, "max_size": 4096}
    secret = stage.Secret.from_bytes(b"x\n")
    with secret:
        read(stage.pipe_of(secret), **facts)
    stage.traced(lambda: read(fd, **facts).close())


@program()
def step_isolated(stage: Stage) -> None:
    """Close a secret with pages of its own, flushed."""
    secret = stage.secret(isolated=True, flush=True, inherit=True)
    secret[:].close()
    stage.traced(secret.close)


@program(payloads=("{plain}32bytes!", "{plain}"))
def step_key_ring(stage: Stage) -> None:
    """Encrypt and decrypt with a key in secret memory."""
    import secretmem

    ring = secretmem.KeyRing([stage.secret("{plain}32bytes!")])
    message = stage.secret()
    token = ring.encrypt(message)
    stage.traced(lambda: ring.encrypt(message))
    _made(stage, lambda: ring.decrypt_to_secret(token))


@program()
def step_export(stage: Stage) -> None:
    """Export: the copy is in ordinary memory, but no register held it."""
    secret = stage.secret()
    _run(stage, lambda: stage.hazmat.export_bytes(secret))


@program(payloads=(), variables={"TOKEN": "{plain}"}, bare=True)
def step_environment(stage: Stage) -> None:
    """Take a variable."""
    take = stage.Secret._from_env
    take(b"TOKEN", erase=False).close()
    stage.traced(lambda: take(b"TOKEN", erase=True).close())


@program(payloads=("{hex}x",), forms=("plain", "hex"))
def step_wrong_hex(stage: Stage) -> None:
    """Fail to decode, at the last digit."""
    text = stage.secret("{hex}x")

    def fail() -> None:
        try:
            stage.Secret.from_hex(text)
        except ValueError:
            return

    _run(stage, fail)


@program(payloads=_TWICE, times=3)
def step_too_large(stage: Stage) -> None:
    """Fail to read: it is more than was allowed."""
    stage.secret()
    fd = stage.source()

    def fail() -> None:
        try:
            stage.Secret.from_fd(fd, max_size=30)
        except ValueError:
            return

    stage.traced(fail)
