"""
Every public operation on secrets, as a function without arguments.

Each gives a value that is the same whenever it succeeds, and gives back
what it took, also when it fails.
"""

from __future__ import annotations

import errno
import os
import tempfile
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from key_operations import (  # type: ignore[import-not-found]  # beside this program
    Keys,
)

import secretmem
from secretmem import (
    SealedStore,
    Secret,
    SecretArea,
    _policy,
    age,
    handover,
    hazmat,
)
from secretmem.audit import Planted, Search


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


Operation = "Callable[[], object]"

WORD = b"  the word of 32 bytes in all.  "
LARGE = bytes(range(250)) * 80

warnings.simplefilter("ignore")  # os.environ has a copy; this is a test


class Fixed:
    """Secrets that live all the time; no failure may change them."""

    def __init__(self) -> None:
        self.word = Secret.from_bytes(WORD)
        self.same = Secret.from_bytes(WORD, isolated=True)
        self.large = Secret.from_bytes(LARGE)
        self.given = Secret.from_bytes(WORD, inherit=True)
        self.dotenv = Secret.from_bytes(b"A=1\nB='two'\n")
        self.hex = Secret.from_bytes(WORD.hex().encode())
        self.keys = Keys(self.word)
        self.all = (
            *(self.word, self.same, self.large, self.given),
            *(self.hex, self.dotenv, *self.keys.all),
        )

    def intact(self) -> bool:
        """Compare all of them with what was put in."""
        return (
            self.word.matches(WORD)
            and self.same.matches(WORD)
            and self.large.matches(LARGE)
            and self.given.matches(WORD)
            and self.hex.matches(WORD.hex())
        )


def out(secret: Secret) -> bytes:
    """Copy out and close."""
    with secret:
        return hazmat.export_bytes(secret)


@contextmanager
def source(data: bytes) -> Iterator[int]:
    """Give a descriptor from which the data can be read."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        yield file.fileno()


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """Give a pipe."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def from_pipe(data: bytes) -> bytes:
    """Read a pipe to its end; it does not tell its size."""
    with pipe() as (reading, writing):
        os.write(writing, data)
        null = os.open("/dev/null", os.O_WRONLY)
        os.dup2(null, writing)
        os.close(null)
        return out(Secret.from_fd(reading))


def from_file(data: bytes, *, strip: bool = False) -> bytes:
    """Read a file that tells its size."""
    with source(data) as fd:
        return out(Secret.from_fd(fd, strip=strip))


def from_env() -> bytes:
    """Take a variable; a failure leaves it."""
    os.environ["SECRETMEM_FAULT"] = "value"
    secret = Secret.from_env("SECRETMEM_FAULT")
    assert "SECRETMEM_FAULT" not in os.environ
    return out(secret)


def wiped() -> bytes:
    """Take a buffer; a failure leaves it as it was."""
    buffer = bytearray(WORD)
    try:
        return out(Secret.from_bytes(buffer, wipe=True))
    except BaseException:
        # The copy was made or the buffer is whole; out() may have failed.
        assert bytes(buffer) in {WORD, bytes(len(WORD))}
        raise


def revealed(secret: Secret) -> bytes:
    """Look through a window."""
    with secret.reveal() as view:
        return bytes(view)


def changed() -> bytes:
    """Write back through a window, all or nothing."""
    with Secret.from_bytes(b"before") as secret:
        try:
            with secret.reveal(writable=True) as view:
                view[:] = b"-after"
        finally:
            if not secret.closed:
                changed_to.append(secret[:])
        return hazmat.export_bytes(secret)


# What `changed` found afterwards; a fault may also hit that look.
changed_to: list[Secret] = []


def written(secret: Secret) -> bytes:
    """Write to a file."""
    with tempfile.TemporaryFile() as file:
        secret.write_to(file)
        file.seek(0)
        return file.read()


def piped() -> bytes:
    """Write to a pipe."""
    with pipe() as (reading, writing):
        fixed.word.write_to(writing)
        return os.read(reading, 100)


def area() -> bytes:
    """Make, use, wipe and unmap an area."""
    area = SecretArea(5000, fork="private")
    with memoryview(area) as view:
        view[4999] = 7
        data = bytes(view[4990:])
    area.close(wipe=True)
    return data


def descriptor() -> int:
    """Make a secretmem file."""
    fd = secretmem.memfd_secret()
    os.close(fd)
    return 0


def handed_over(secret: Secret) -> bool:
    """Hand over and take back; a degraded backend refuses."""
    if _policy.active.backend != "memfd_secret":
        return True
    fd = handover.to_descriptor(secret)
    try:
        with handover.from_descriptor(fd) as same:
            return same == secret
    finally:
        os.close(fd)


def views() -> bytes:
    """Have several windows at once."""
    with (
        fixed.word.reveal() as one,
        fixed.same.reveal() as two,
        fixed.large.reveal() as three,
    ):
        return bytes(one) + bytes(two) + three.tobytes()[:4]


def many() -> bool:
    """Grow the arena by some areas."""
    made: list[Secret] = []
    try:
        # One by one: a failure must not lose those before it.
        made.extend(Secret.from_bytes(LARGE[n:1000]) for n in range(40))
        return all(s.matches(LARGE[n:1000]) for n, s in enumerate(made))
    finally:
        for each in made:
            each.close()


def sealed_and_opened() -> bytes:
    """Make an age file of a secret and open it."""
    with age.Identity.generate() as identity:
        return out(
            age.decrypt(
                age.encrypt(fixed.word, [identity.recipient]), [identity]
            )
        )


def sealed_values() -> list[bytes]:
    """Put values into a store, one of them to be opened once; a new key."""
    with SealedStore.generate() as store:
        store["word"] = fixed.word
        store.put("large", fixed.large, once=True)
        store.rekey()
        values = [out(store[name].open()) for name in ("word", "large")]
        assert list(store) == ["word"]
        return values


def age_streams() -> bytes:
    """Move plaintext from a file to an age file and to a file."""
    with (
        age.Identity.generate() as identity,
        source(LARGE) as plain,
        tempfile.TemporaryFile() as sealed,
        tempfile.TemporaryFile() as opened,
    ):
        age.encrypt_fd(plain, sealed, [identity.recipient])
        sealed.seek(0)
        age.decrypt_to_fd(sealed, opened, [identity])
        opened.seek(0)
        return opened.read()


def searched() -> list[tuple[str, int, int]]:
    """Look for a secret, and what is made of it, in a file."""
    with (
        source(b"one: " + WORD + b", backwards: " + WORD[::-1]) as fd,
        Search([Planted("word", "hmac", fixed.word)]) as search,
    ):
        found, refused = search.scan(fd, 0, 4096)
    if refused:  # a page that cannot be read is told, and is no error
        raise OSError(errno.EFAULT, "refused")
    return [(str(hit.form), hit.address, hit.size) for hit in found]


fixed: Fixed


def operations() -> dict[str, Callable[[], object]]:
    """Name every operation."""
    global fixed  # noqa: PLW0603 - made when the first of them is needed
    fixed = Fixed()
    word, large = fixed.word, fixed.large
    return {
        "random": lambda: len(out(Secret.random(32))),
        "from_bytes": lambda: out(Secret.from_bytes(WORD)),
        "from_bytes, page": lambda: out(Secret.from_bytes(LARGE[:5000])),
        "from_bytes, large": lambda: out(Secret.from_bytes(LARGE)),
        "from_bytes, own": lambda: out(Secret.from_bytes(WORD, isolated=True)),
        "from_bytes, inherit": lambda: out(
            Secret.from_bytes(WORD, inherit=True, flush=True)
        ),
        "from_bytes, wipe": wiped,
        "from_base64": lambda: out(Secret.from_base64(b"d29yZA==")),
        "from_base64, text": lambda: out(Secret.from_base64("d29yZA")),
        "from_hex": lambda: out(Secret.from_hex(fixed.hex)),
        "from_fd, file": lambda: from_file(WORD),
        "from_fd, strip": lambda: from_file(WORD, strip=True),
        "from_fd, large": lambda: from_file(LARGE),
        "from_fd, pipe": lambda: from_pipe(LARGE[:15000]),
        "from_env": from_env,
        "matches": lambda: word.matches(WORD),
        "matches, text": lambda: word.matches(WORD.decode()),
        "equal": lambda: word == fixed.same,
        "equal to another": lambda: word != fixed.given,
        "slice": lambda: out(word[2:9]),
        "slice, large": lambda: out(large[1:]),
        "step": lambda: out(word[::-2]),
        "sum": lambda: out(word + fixed.same),
        "sum with bytes": lambda: out(word + b"x"),
        "sum, other side": lambda: out(b"x" + large),
        "strip": lambda: out(word.strip()),
        "hand over": lambda: handed_over(word),
        "hand over, large": lambda: handed_over(large),
        "dotenv": lambda: out(fixed.dotenv.dotenv_field("B")),
        "reveal": lambda: revealed(word),
        "reveal, large": lambda: revealed(large),
        "reveal, inherit": lambda: revealed(fixed.given),
        "reveal, writable": changed,
        "reveal, several": views,
        "write_to, file": lambda: written(large),
        "write_to, pipe": piped,
        "export_bytes": lambda: hazmat.export_bytes(large),
        "export_str": lambda: hazmat.export_str(word),
        "many": many,
        "area": area,
        "memfd_secret": descriptor,
        "age": sealed_and_opened,
        "age, streams": age_streams,
        "sealed": sealed_values,
        "audit": searched,
        **fixed.keys.operations(),
        "posture": lambda: secretmem.posture().backend,
    }
