"""What ML-DSA and ML-KEM keys have in common: they are made of a seed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import asymmetric as _asymmetric
from cryptography.hazmat.primitives import serialization as forms

from secretmem import Secret, _policy
from secretmem.exceptions import InvalidKey
from secretmem.keys._base import PrivateKey


if TYPE_CHECKING:
    from typing import Self

    from secretmem import _native
else:
    _native = _policy.bind()

_K = TypeVar("_K", bound="SeedKey")

# PKCS#8 around a seed (RFC 9881 and RFC 9935, section 6): the algorithm is
# one of 2.16.840.1.101.3.4, by the last two bytes of its name.
_PKCS8 = bytes.fromhex("3000020100300b060960864801650304000004008000")


class SeedKey(PrivateKey):
    """A private key that is made of a seed."""

    __slots__ = ()
    _KIND: ClassVar[str]
    _OID: ClassVar[bytes]
    _SEED: ClassVar[int]
    _PUBLIC: ClassVar[int]

    @classmethod
    def _of(cls, key: object) -> Self:
        self = object.__new__(cls)
        self._key = key
        return self

    @classmethod
    def generate(cls, *, inherit: bool | None = None) -> Self:
        """Make a key from random bytes of the kernel."""
        with Secret.random(cls._SEED) as seed:
            return cls.from_seed(seed, inherit=inherit)

    @classmethod
    def from_seed(cls, seed: Secret, *, inherit: bool | None = None) -> Self:
        """
        Make the key of a seed: 32 bytes of ML-DSA, 64 of ML-KEM (d and z).

        Raises:
            InvalidKey: The seed has another length.
        """
        size = cls._SEED
        if len(seed) != size:
            raise InvalidKey(f"a seed of {cls._KIND} has {size} bytes")
        head = bytearray(_PKCS8)
        head[1] = size + len(head) - 2
        head[16:18] = cls._OID
        head[19], head[21] = size + 2, size
        with bytes(head) + seed as form:
            key = _native.KeyBase.load(form, None, inherit=inherit)
        return cls._of(key)

    @classmethod
    def from_seed_bytes(cls, data: object) -> NoReturn:  # noqa: ARG003 - as pyca
        """Refuse: bytes lie in ordinary memory; `from_seed` takes a Secret."""
        raise TypeError("a seed comes as a Secret: from_seed(Secret)")

    def seed(self) -> Secret:
        """Return the seed as a new Secret."""
        with self.pkcs8() as form:
            return form[-self._SEED :]

    def private_bytes_raw(self) -> bytes:
        """Refuse; `seed` gives a Secret."""
        raise TypeError("a private key does not leave secret memory")

    def public_bytes_raw(self) -> bytes:
        """Return the bytes of the public key, which every release gives."""
        return bytes(self._key.public())[-self._PUBLIC :]

    def public_key(self) -> Any:  # noqa: ANN401 - of a class that may not be there
        """
        Return pyca's public key.

        Raises:
            UnsupportedAlgorithm: The installed ``cryptography`` has no such
                class, or its OpenSSL no such algorithm.
        """
        return forms.load_der_public_key(self._key.public())

    def jwk(self) -> NoReturn:
        """Refuse: no standard says how such a key is written."""
        raise UnsupportedAlgorithm(f"no JSON Web Key of {self._KIND}")


def like_pyca(cls: type[_K]) -> type[_K]:
    """Make a class an instance of pyca's of that name, where there is one."""
    module = "mldsa" if cls.__name__.startswith("MLDSA") else "mlkem"
    try:
        pyca = importlib.import_module(f"{_asymmetric.__name__}.{module}")
    except ImportError:
        return cls
    abstract = getattr(pyca, cls.__name__, None)
    if abstract is not None:
        abstract.register(cls)
    return cls
