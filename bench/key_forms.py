"""What it takes to load a private key, from each form and beside others."""

from __future__ import annotations

from timeit import Timer
from typing import TYPE_CHECKING, Any, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROUNDS = {True: 3, False: 25}
_WINDOW = {True: 0.002, False: 0.01}
_WIDE = 30
_US = 1e6


class Load(NamedTuple):
    """Microseconds of a load, best of many."""

    form: str
    ours: float
    theirs: float
    other: str


class _Form(NamedTuple):
    title: str
    text: bytes
    ours: Callable[[bytes], object]
    theirs: Callable[[bytes], object]
    other: str


def measure(*, quick: bool) -> list[Load]:
    """Time every form, each library in turn."""
    return [_time(form, quick=quick) for form in _forms()]


def lines(loads: list[Load]) -> Iterator[str]:
    """Give the table line by line."""
    yield ""
    yield "LOADING A KEY, us: best of many rounds, in turn. Ours makes the"
    yield "text a secret first, parses inside the domain, and closes both. The"
    yield "others also test whether the primes of an RSA key are prime."
    yield ""
    heads = ("secretmem", "other", "x other")
    yield f"{'':{_WIDE}}" + "".join(f"{head:>11}" for head in heads)
    for each in loads:
        yield (
            f"  {each.form:<{_WIDE - 2}}{each.ours:>11.1f}"
            f"{each.theirs:>11.1f}{each.theirs / each.ours:>11.2f}"
            f"  {each.other}"
        )


def _time(form: _Form, *, quick: bool) -> Load:
    timers = [
        Timer("load(text)", globals={"load": load, "text": form.text})
        for load in (form.ours, form.theirs)
    ]
    counts = [_count(timer, _WINDOW[quick]) for timer in timers]
    best = [float("inf")] * len(timers)
    for _ in range(_ROUNDS[quick]):
        for i, timer in enumerate(timers):
            took = timer.timeit(counts[i]) / counts[i] * _US
            best[i] = min(best[i], took)
    return Load(form.title, best[0], best[1], form.other)


def _count(timer: Timer, window: float) -> int:
    """Find how often the call fits the window."""
    count = 1
    while (took := timer.timeit(count)) < window / 4:
        count *= 4
    return max(1, int(count * window / took))


def _forms() -> Iterator[_Form]:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    made: dict[str, Any] = {
        "Ed25519": ed25519.Ed25519PrivateKey.generate(),
        "P-256": ec.generate_private_key(ec.SECP256R1()),
        "RSA-2048": rsa.generate_private_key(65537, 2048),
    }
    bare = form.NoEncryption()
    for name, key in made.items():
        pkcs8 = key.private_bytes(
            form.Encoding.PEM, form.PrivateFormat.PKCS8, bare
        )
        yield _Form(f"{name}, PKCS#8 PEM", pkcs8, _ours, _pem, "cryptography")
    for name, key in made.items():
        openssh = key.private_bytes(
            form.Encoding.PEM, form.PrivateFormat.OpenSSH, bare
        )
        yield _Form(f"{name}, OpenSSH", openssh, _ours, _ssh, "cryptography")
    yield from _web_keys(made)


def _web_keys(made: dict[str, Any]) -> Iterator[_Form]:
    from jwt import algorithms

    kinds: dict[str, Any] = {
        "Ed25519": algorithms.OKPAlgorithm,
        "P-256": algorithms.ECAlgorithm,
        "RSA-2048": algorithms.RSAAlgorithm,
    }
    for name, kind in kinds.items():
        text = kind.to_jwk(made[name]).encode()
        yield _Form(f"{name}, JWK", text, _ours_jwk, _jwk(kind), "PyJWT")


def _ours(text: bytes) -> None:
    from secretmem import Secret, keys

    with Secret.from_bytes(text) as secret:
        keys.load_pem(secret).close()


def _ours_jwk(text: bytes) -> None:
    from secretmem import Secret, keys

    with Secret.from_bytes(text) as secret:
        keys.load_jwk(secret).close()


def _pem(text: bytes) -> object:
    from cryptography.hazmat.primitives import serialization

    return serialization.load_pem_private_key(text, None)


def _ssh(text: bytes) -> object:
    from cryptography.hazmat.primitives import serialization

    return serialization.load_ssh_private_key(text, None)


def _jwk(kind: Any) -> Callable[[bytes], object]:  # noqa: ANN401 no types
    return lambda text: kind.from_jwk(text.decode())
