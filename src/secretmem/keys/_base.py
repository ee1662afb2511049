"""What the private keys have in common: refusals, export, the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from secretmem import _policy


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

    def private_bytes(
        self,
        encoding: forms.Encoding,  # noqa: ARG002 - pyca's signature
        format: forms.PrivateFormat,  # noqa: A002, ARG002 - as above
        encryption_algorithm: forms.KeySerializationEncryption,  # noqa: ARG002 - as above
    ) -> NoReturn:
        """Refuse: the key would lie in ordinary memory."""
        raise TypeError(
            "a private key does not leave secret memory; "
            "secretmem.hazmat.export_bytes(key.pkcs8()) makes a copy in "
            "ordinary memory"
        )

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

    def __repr__(self) -> str:
        closed = " closed" if self.closed else ""
        return f"<{type(self).__name__} {_policy.active.backend}{closed}>"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a private key is not pickled")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> NoReturn:
        raise TypeError("a private key is not copied")
