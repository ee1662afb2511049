"""Programs: where secrets come from."""

from __future__ import annotations

import os

from leak.stage import Stage, program


@program("secretmem.Secret", "Secret.from_fd", "Secret.close")
def from_fd(stage: Stage) -> None:
    """Read a pipe, also many times."""
    secret = stage.secret()
    stage.check(b"loaded")

    def again() -> None:
        fd = stage.pipe_of(secret)
        copy = stage.Secret.from_fd(fd)
        os.close(fd)
        copy.close()

    stage.repeat(again)
    secret.close()
    stage.ended()


@program("Secret.from_fd", payloads=(" \t{plain}\n \n",))
def from_fd_strip(stage: Stage) -> None:
    """Read a pipe and take white space off."""
    secret = stage.secret(" \t{plain}\n \n", strip=True)
    assert len(secret) == 24
    stage.check(b"loaded")


@program("Secret.from_fd", times=1000)
def from_fd_long(stage: Stage) -> None:
    """Read so much that the first room does not do."""
    secret = stage.secret()
    assert len(secret) == 24_000
    stage.check(b"loaded")
    secret.close()
    stage.ended()


@program("Secret.from_file", files={"token": "{plain}\n"}, payloads=())
def from_file(stage: Stage) -> None:
    """Read a file."""
    path = f"{stage.folder}/token"
    secret = stage.Secret.from_file(path, strip=True)
    stage.check(b"loaded")
    stage.repeat(lambda: stage.Secret.from_file(path).close())
    secret.close()


@program("Secret.from_credential", files={"key": "{plain}"}, payloads=())
def from_credential(stage: Stage) -> None:
    """Read what systemd would pass."""
    os.environ["CREDENTIALS_DIRECTORY"] = stage.folder
    secret = stage.Secret.from_credential("key")
    stage.check(b"loaded")
    secret.close()


@program("Secret.from_bytes")
def from_bytes_wiped(stage: Stage) -> None:
    """Take a buffer over: it is wiped, so nothing is left."""
    buffer = stage.buffer()
    secret = stage.Secret.from_bytes(buffer, wipe=True)
    assert not any(buffer)
    stage.check(b"loaded")

    def again() -> None:
        with secret.reveal() as view:
            buffer[:] = view
        stage.Secret.from_bytes(memoryview(buffer), wipe=True).close()

    # Filling the buffer is Python's copy, through its vector registers: it
    # is the source that this test has to account for.
    again()
    stage.baseline()
    for _ in range(stage.many):
        again()
    stage.ended(b"many times")


@program("Secret.from_bytes")
def from_bytes_kept(stage: Stage) -> None:
    """Copy a buffer that stays: it holds the value, and nothing else does."""
    buffer = stage.buffer()
    stage.baseline()
    secret = stage.Secret.from_bytes(buffer)
    stage.check(b"loaded")
    stage.repeat(lambda: stage.Secret.from_bytes(buffer).close())
    stage.wipe(buffer)
    secret.close()


@program("Secret.from_bytes")
def from_bytes_object(stage: Stage) -> None:
    """Copy a bytes object, which can only be dropped."""
    fd = stage.source()
    value = os.read(fd, 100)
    stage.baseline()
    secret = stage.Secret.from_bytes(memoryview(value))
    stage.check(b"loaded")
    stage.repeat(lambda: stage.Secret.from_bytes(value).close())
    secret.close()


@program(
    "Secret.from_base64",
    payloads=("{base64}", "{base64}"),
    forms=("plain", "base64"),
)
def from_base64(stage: Stage) -> None:
    """Decode a Secret, and a buffer that is wiped after."""
    text = stage.secret("{base64}")
    secret = stage.Secret.from_base64(text)
    assert len(secret) == 24
    stage.check(b"loaded")
    stage.repeat(lambda: stage.Secret.from_base64(text).close())
    buffer = stage.buffer("{base64}")
    other = stage.Secret.from_base64(buffer)
    stage.wipe(buffer)
    assert other == secret
    stage.check(b"from a buffer")
    for each in (text, secret, other):
        each.close()
    stage.ended()


@program(
    "Secret.from_base64",
    payloads=("{base64url}",),
    forms=("plain", "base64url"),
)
def from_base64_url(stage: Stage) -> None:
    """Decode the other alphabet."""
    text = stage.secret("{base64url}")
    secret = stage.Secret.from_base64(text, urlsafe=True)
    assert len(secret) == 24
    stage.check(b"loaded")
    stage.repeat(lambda: stage.Secret.from_base64(text, urlsafe=True).close())


@program(
    "Secret.from_hex",
    payloads=("{hex}", "{hex}"),
    forms=("plain", "hex"),
)
def from_hex(stage: Stage) -> None:
    """Decode hexadecimal digits, of a Secret and of a wiped buffer."""
    text = stage.secret("{hex}")
    secret = stage.Secret.from_hex(text)
    assert len(secret) == 24
    stage.check(b"loaded")
    stage.repeat(lambda: stage.Secret.from_hex(text).close())
    buffer = stage.buffer("{hex}")
    other = stage.Secret.from_hex(buffer)
    stage.wipe(buffer)
    assert other == secret
    stage.check(b"from a buffer")


def _text_source(stage: Stage, payload: str, name: str) -> None:
    """Decode a str: it holds the text, and nothing else may."""
    buffer = stage.buffer(payload)
    text = buffer.decode("ascii")
    stage.wipe(buffer)
    stage.baseline()
    decode = getattr(stage.Secret, name)
    secret = decode(text)
    assert len(secret) == 24
    stage.check(b"loaded")
    stage.repeat(lambda: decode(text).close())


@program(
    "Secret.from_base64",
    payloads=("{base64}",),
    forms=("plain", "base64"),
)
def from_base64_str(stage: Stage) -> None:
    """Decode a str."""
    _text_source(stage, "{base64}", "from_base64")


@program("Secret.from_hex", payloads=("{hex}",), forms=("plain", "hex"))
def from_hex_str(stage: Stage) -> None:
    """Decode a str."""
    _text_source(stage, "{hex}", "from_hex")


@program("Secret.random", payloads=())
def random(stage: Stage) -> None:
    """Make random values; the driver learns three of them by write(2)."""
    kept = []
    for index in range(stage.many):
        secret = stage.Secret.random(24)
        if index in (0, stage.many // 2, stage.many - 1):
            kept.append(secret)
    for secret in kept:
        stage.learn(secret)
    stage.check(b"made")
    for secret in kept:
        secret.close()
    stage.ended()


@program(
    "Secret.from_env",
    "secretmem.CopiedWarning",
    payloads=(),
    variables={"TOKEN": "{plain}"},
)
def from_env(stage: Stage) -> None:
    """Take a variable over: os.environ had copied it, and that shows."""
    import warnings

    stage.copied(b"os.environ and the block of the kernel")
    stage.shows(b"before")
    stage.baseline()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        secret = stage.Secret.from_env("TOKEN", erase=False)
        kinds = [each.category.__name__ for each in caught]
        assert stage.ordinary or kinds == ["CopiedWarning"]
        stage.ended(b"kept")
        again = stage.Secret.from_env("TOKEN")
    assert "TOKEN" not in os.environ
    assert again == secret
    stage.ended(b"taken")
    stage.forget_baseline()
    stage.shows(b"after")


@program("Secret.from_env", no_control="see `from_env`")
def from_env_own(stage: Stage) -> None:
    """Take a variable that the program itself has set: libc has a copy."""
    import warnings

    warnings.simplefilter("ignore")
    buffer = stage.buffer()
    os.environ["TOKEN"] = buffer.decode()
    stage.wipe(buffer)
    stage.baseline()
    secret = stage.Secret.from_env("TOKEN")
    assert len(secret) == 24
    stage.check(b"taken")


@program("Secret.prompt", payloads=(), terminal=True)
def prompt(stage: Stage) -> None:
    """Ask at a terminal."""
    stage.type(b"{plain}\n")
    secret = stage.Secret.prompt()
    assert len(secret) == 24
    stage.check(b"typed")
    stage.type(b"{plain}\n", b"{plain}\n")
    other = stage.Secret.prompt(confirm=True)
    assert other == secret
    stage.check(b"typed twice")
    secret.close()
    other.close()
    stage.ended()


@program("Secret.inherit", payloads=("{plain}",) * 4)
def options(stage: Stage) -> None:
    """Every way in which a secret can be kept."""
    kept = [
        stage.secret(isolated=True),
        stage.secret(inherit=True),
        stage.secret(flush=True),
        stage.secret(name="shown", inherit=True, isolated=True, flush=True),
    ]
    stage.check(b"loaded")
    for secret in kept:
        with secret.reveal():
            pass
    stage.check(b"shown")
    for secret in kept:
        secret.close()
    stage.ended()
