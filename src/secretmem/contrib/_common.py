"""What the adapters have in common."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from secretmem import Secret, _policy, hazmat
from secretmem.crypto.mac import SIZES


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from secretmem import _native
    from secretmem.sources import Watch
else:
    _native = _policy.bind()

# Of a header's value: printable ASCII without the blank (RFC 9110).
_VISIBLE = frozenset(range(0x21, 0x7F))


def missing(module: str, package: str) -> ImportError:
    """Say which package, of which version, an adapter needs."""
    return ImportError(
        f"secretmem.contrib.{module} needs {package}: pip install '{package}'",
        name=module,
    )


def check_secret(key: object) -> Secret:
    """Return the key, which is a Secret and not empty."""
    if not isinstance(key, Secret):
        raise TypeError(
            f"the key is a Secret, not {type(key).__name__}: "
            "Secret.from_file(path) or Secret.from_bytes(key) makes one"
        )
    if not len(key):
        raise ValueError("the key is empty")
    return key


def check_secrets(keys: object) -> list[Secret]:
    """Return the keys, one or several, as a list."""
    if isinstance(keys, Secret):
        return [check_secret(keys)]
    if isinstance(keys, str | bytes | bytearray):
        check_secret(keys)  # says what it is instead
    several: Iterable[object] = keys  # type: ignore[assignment]  # else TypeError names it
    return [check_secret(key) for key in several]


def digest(algorithm: str, secret: Secret) -> Secret:
    """Return the plain hash of a Secret as a Secret, kept as it is."""
    if algorithm not in SIZES:
        raise ValueError(
            f"the hash is one of {', '.join(SIZES)}, not {algorithm}"
        )
    return _native.digest_to_secret(Secret, algorithm, secret, secret.name)


def salted(algorithm: str, salt: bytes, secret: Secret) -> Secret:
    """Return the hash of salt and Secret, which some libraries key MACs by."""
    with salt + secret as whole:
        return digest(algorithm, whole)


@contextmanager
def held(secret: object) -> Iterator[Secret]:
    """Give a Secret, or what a followed source has now, for one use."""
    if isinstance(secret, Secret):
        yield check_secret(secret)
        return
    from secretmem.sources import Watch

    if isinstance(secret, Watch):
        with secret.use() as now:
            yield check_secret(now)
    else:
        check_secret(secret)  # says what it is instead


def authorization(scheme: str, token: Secret | Watch) -> str:
    """
    Write the header that shows a token (RFC 6750, section 2.1): an export.

    Raises:
        ValueError: The token has characters that no header can hold; a
            library's own message would show it.
    """
    with held(token) as secret:
        text = hazmat.export_bytes(secret)
    if not set(text) <= _VISIBLE:
        raise ValueError(
            "the token has white space or other characters that a header "
            "cannot hold; was it read with strip?"
        )
    return f"{scheme} {text.decode('ascii')}"
