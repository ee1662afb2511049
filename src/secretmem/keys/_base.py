"""What the private keys have in common: refusals, export, the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from secretmem import Secret, _policy
from secretmem._shown import unless_unmade


if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from cryptography.hazmat.primitives import serialization as forms


class PrivateKey:
    """
    A private key in secret memory.

    ``with key:`` closes it at the end; a closed key raises ClosedError.
    """

    __slots__ = ("_key",)
    _key: Any

    def __init__(self) -> None:
        """Refuse: a key is generated or loaded."""
        raise TypeError(
            f"{type(self).__name__} is made by its class methods, such as "
            "generate(), or by secretmem.keys.load_file and the like"
        )

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return bool(self._key.closed)

    def close(self) -> None:
        """End the key: new uses fail at once, its bytes are wiped."""
        self._key.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def pkcs8(self) -> Secret:
        """Return the PKCS#8 form (RFC 5958), DER, as a new Secret."""
        form: Secret = self._key.pkcs8(Secret)
        return form

    def private_bytes(
        self,
        encoding: forms.Encoding,
        format: forms.PrivateFormat,  # noqa: A002 - pyca's signature
        encryption_algorithm: forms.KeySerializationEncryption,
    ) -> bytes:
        """
        Return the key encrypted; the plain one stays in secret memory.

        Args:
            encoding: PEM or DER; of OpenSSH PEM.
            format: PKCS8, of which the encrypted form is RFC 5958's, or
                OpenSSH.
            encryption_algorithm: `PassphraseEncryption`, or pyca's
                ``BestAvailableEncryption``, which takes PBKDF2 for PKCS8 and
                whose passphrase lies in ordinary memory.

        Raises:
            TypeError: Without encryption: ``hazmat`` is the way out.
            UnsupportedAlgorithm: Another encoding or format.
        """
        from secretmem.keys._forms import encrypted

        return encrypted(self, encoding, format, encryption_algorithm)

    def jwk(self) -> Secret:
        """
        Return the JSON Web Key (RFC 7517) as a new Secret.

        It holds the private key: ``hazmat.export_str`` gives the text.
        """
        from secretmem.keys._forms import jwk

        public: Any = self
        return jwk(public.public_key(), self._number)

    def _number(self, name: str, *, mpint: bool = False) -> Secret:
        """Give one of the private numbers by its name in a JWK."""
        number: Secret = self._key.number(Secret, name, mpint=mpint)
        return number

    @classmethod
    def from_private_bytes(cls, data: object) -> NoReturn:  # noqa: ARG003 - as pyca
        """Refuse: pyca's own constructor keeps the key in ordinary memory."""
        raise TypeError(
            "a key's bytes come as a Secret: from_seed(Secret), or load_pem, "
            "load_der and load_file"
        )

    def private_numbers(self) -> NoReturn:
        """Refuse: the numbers would lie in ordinary memory."""
        raise TypeError("a private key does not leave secret memory")

    @unless_unmade
    def __repr__(self) -> str:
        closed = " closed" if self.closed else ""
        return f"<{type(self).__name__} {_policy.active.backend}{closed}>"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a private key is not pickled")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> NoReturn:
        raise TypeError("a private key is not copied")
