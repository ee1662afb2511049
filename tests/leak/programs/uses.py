"""Programs: what is done with secrets."""

from __future__ import annotations

import os

from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# JSON; braces are doubled since payloads are formats.
_DOCUMENT = '{{"keys": [5, {{"value": "{plain}"}}]}}'


@program("Secret.__eq__", "Secret.__ne__", payloads=("{plain}",) * 2)
def equals(stage: Stage) -> None:
    """Compare two secrets."""
    one, two = stage.secret(), stage.secret()
    assert one == two
    stage.repeat(lambda: (one == two, one != two, one == 7))
    one.close()
    two.close()
    stage.ended()


@program("Secret.matches", payloads=("{plain}",) * 3)
def matches(stage: Stage) -> None:
    """Compare with a buffer of the program's own, and wipe that."""
    secret, buffer = stage.secret(), stage.buffer()
    assert secret.matches(buffer)
    stage.wipe(buffer)
    stage.check(b"equal")
    wrong = bytes(24)
    stage.repeat(lambda: secret.matches(wrong))
    stage.repeat(lambda: secret.matches("another"))
    secret.close()


@program("Secret.matches", payloads=("{plain}",) * 2)
def matches_buffer(stage: Stage) -> None:
    """The candidate's buffer holds it, and nothing else does."""
    buffer = stage.buffer()
    stage.baseline()
    secret = stage.secret()
    stage.repeat(lambda: secret.matches(buffer))


@program("Secret.matches", payloads=("{plain}",) * 2)
def matches_str(stage: Stage) -> None:
    """The candidate's str holds it, and nothing else does."""
    buffer = stage.buffer()
    text = buffer.decode("ascii")
    stage.wipe(buffer)
    stage.baseline()
    secret = stage.secret()
    assert secret.matches(text)
    stage.repeat(lambda: secret.matches(text))


@program("Secret.matches", payloads=("{plain}\xc3\xa9",) * 2)
def matches_wide(stage: Stage) -> None:
    """Of other than ASCII text the interpreter keeps a UTF-8 form."""
    buffer = stage.buffer("{plain}\xc3\xa9")
    text = buffer.decode()
    stage.wipe(buffer)
    stage.baseline()
    secret = stage.secret("{plain}\xc3\xa9")
    assert secret.matches(text)
    stage.copied(b"the UTF-8 form")
    stage.baseline()
    for _ in range(stage.many):
        secret.matches(text)
    stage.ended(b"many times")


@program(
    "Secret.matches",
    payloads=("{plain}",) * 2,
    no_control="an area has no ordinary counterpart; see `area`",
)
def matches_area(stage: Stage) -> None:
    """A candidate that lies in secret memory itself."""
    import secretmem

    secret = stage.secret()
    area = secretmem.SecretArea(24)
    with memoryview(area) as view:
        os.readv(stage.source(), [view])
        assert secret.matches(view)
        stage.repeat(lambda: secret.matches(view))


@program("Secret.__getitem__", "Secret.__len__", "Secret.__bool__")
def slices(stage: Stage) -> None:
    """Take parts, also with steps, which go through the domain."""
    secret = stage.secret()
    kept = [secret[:], secret[2:], secret[:20], secret[::-1]]
    assert [len(part) for part in kept] == [24, 22, 20, 24]
    assert secret
    stage.check(b"cut")
    stage.repeat(lambda: (secret[4:].close(), secret[::-2].close()))
    secret.close()
    for part in kept:
        part.close()
    stage.ended()


@program("Secret.__getitem__", forms=("plain", "reversed"))
def reversed_slice(stage: Stage) -> None:
    """A slice backwards: the value reversed is looked for too."""
    secret = stage.secret()
    part = secret[::-1]
    stage.check(b"cut")

    def cut() -> None:
        secret[::-1].close()

    stage.repeat(cut)
    part.close()


@program("Secret.__add__", "Secret.__radd__", payloads=("{plain}",) * 2)
def concatenation(stage: Stage) -> None:
    """Join secrets with secrets and with buffers."""
    secret, buffer = stage.secret(), stage.buffer()
    kept = [secret + secret, secret + buffer, buffer + secret]
    stage.wipe(buffer)
    assert [len(each) for each in kept] == [48, 48, 48]
    stage.check(b"joined")
    salt = b"public"
    stage.repeat(
        lambda: (
            (secret + secret).close(),
            (secret + salt).close(),
            (salt + secret).close(),
        )
    )


@program("Secret.strip", payloads=("\r\n {plain}\t\n",))
def strip(stage: Stage) -> None:
    """Take white space off."""
    secret = stage.secret("\r\n {plain}\t\n")
    part = secret.strip()
    assert len(part) == 24
    stage.check(b"stripped")
    stage.repeat(lambda: secret.strip().close())
    secret.close()
    part.close()
    stage.ended()


@program("Secret.reveal")
def reveal(stage: Stage) -> None:
    """Open views, look while they are open and after."""
    secret = stage.secret()
    view: Any
    with secret.reveal() as view:
        assert len(view) == 24
        stage.check(b"open")
    stage.check(b"released")

    def show() -> None:
        with secret.reveal():
            pass

    def change() -> None:
        with secret.reveal(writable=True) as view:
            view[0] = view[0]

    stage.repeat(show)
    stage.repeat(change)
    secret.close()
    stage.ended()


@program("Secret.reveal")
def reveal_in_use(stage: Stage) -> None:
    """Leave a view while something uses it; let go later."""
    secret = stage.secret()
    kept: Any = None
    try:
        with secret.reveal() as view:
            kept = view[4:]
            os.environ["NO_SUCH_NAME"]  # leaves with the slice in use
    except KeyError as error:
        notes = getattr(error, "__notes__", [])
    assert stage.ordinary or len(notes) == 1
    stage.check(b"left in use")
    secret.close()
    stage.check(b"closed in use")
    del kept, view
    stage.ended(b"let go")


@program("Secret.write_to")
def write_to(stage: Stage) -> None:
    """Write to a descriptor and to a file object."""
    secret = stage.secret()
    with open(os.devnull, "wb") as file:  # noqa: PTH123 - as in stage
        stage.repeat(
            lambda: (secret.write_to(file), secret.write_to(file.fileno()))
        )
        file.write(b"buffered")
        secret.write_to(file)
    stage.check(b"written")
    secret.close()
    stage.ended()


@program(
    "Secret.__enter__",
    "Secret.__exit__",
    "Secret.close",
    "Secret.closed",
    "Secret.name",
    "Secret.inherit",
)
def block(stage: Stage) -> None:
    """Close at the end of a block; ask for what is public."""
    with stage.secret(name="shown") as secret:
        assert not secret.closed
        stage.repeat(lambda: (secret.name, secret.closed, secret.inherit))
    assert secret.closed
    secret.close()
    stage.ended()


@program("Secret.__repr__", "Secret.__str__", "Secret.__format__")
def shown(stage: Stage) -> None:
    """Print it, in every way."""
    secret = stage.secret()
    stage.repeat(
        lambda: (repr(secret), str(secret), f"{secret}", f"{secret!r:>40}")
    )
    stage.repeat(lambda: "%s %r" % (secret, secret))  # noqa: UP031 - one of the ways


def _refused(action: Callable[[], object]) -> BaseException:
    """Do what must be refused; give the error, which keeps its frames."""
    try:
        action()
    except TypeError as error:
        return error
    raise AssertionError("that should have been refused")


@program(
    "Secret.__bytes__",
    "Secret.__iter__",
    "Secret.__contains__",
    "Secret.__reversed__",
    "Secret.__hash__",
    "Secret.__copy__",
    "Secret.__deepcopy__",
    "Secret.__reduce__",
    "Secret.__reduce_ex__",
    "Secret.__getstate__",
    "Secret.__init_subclass__",
    "Secret.__lt__",
    "Secret.__le__",
    "Secret.__gt__",
    "Secret.__ge__",
    "Secret.__new__",
    no_control="bytes refuse none of this",
)
def refusals(stage: Stage) -> None:
    """Everything that a Secret refuses; the errors are kept."""
    import copy
    import json
    import pickle

    secret = stage.secret()
    kept = [
        _refused(action)
        for action in (
            lambda: bytes(secret),
            lambda: list(secret),
            lambda: b"a" in secret,
            lambda: reversed(secret),
            lambda: {secret: 1},
            lambda: copy.copy(secret),
            lambda: copy.deepcopy(secret),
            lambda: pickle.dumps(secret),
            secret.__reduce__,
            secret.__getstate__,
            lambda: json.dumps(secret),
            lambda: secret < secret,  # noqa: PLR0124 - refused
            lambda: secret[3],
            lambda: type("Sub", (type(secret),), {}),
            type(secret),
            lambda: secret == b"",
            lambda: memoryview(secret),
            lambda: secret.matches(5),
            lambda: b"".join([secret]),
        )
    ]
    stage.check(b"refused")
    del kept


@program("Secret.json_field", payloads=(_DOCUMENT,))
def json_field(stage: Stage) -> None:
    """Take a field of a document, and ask for some that are not there."""
    document = stage.secret(_DOCUMENT)
    field = document.json_field("keys", 1, "value")
    assert len(field) == 24
    stage.check(b"taken")
    stage.repeat(lambda: document.json_field("keys", 1, "value").close())
    kept = []
    for path in (("values",), ("keys", 7), ("keys", 1), ("keys", 0)):
        try:
            document.json_field(*path)
        except (ValueError, LookupError, AttributeError) as error:
            kept.append(error)
    assert len(kept) == 4
    stage.check(b"refused")
    field.close()
    document.close()
    stage.ended()


@program("hazmat.export_bytes", "secretmem.hazmat")
def export_bytes(stage: Stage) -> None:
    """Export: the documented copy is there, and is the only one."""
    secret = stage.secret()
    stage.ended(b"before")
    value = stage.hazmat.export_bytes(secret)
    assert len(value) == 24
    stage.copied(b"exported")


@program("hazmat.export_str", "hazmat.counts")
def export_str(stage: Stage) -> None:
    """Export as text."""
    secret = stage.secret()
    value = stage.hazmat.export_str(secret)
    assert len(value) == 24
    assert sum(stage.hazmat.counts().values()) == 1
    stage.copied(b"exported")
