"""
What stands in encoded text: base64, base32, hex, PEM, JSON, .env.

The methods here are those of `Secret`.  Text and result stay in secret
memory; only the options of a new secret pass through Python.
"""

from __future__ import annotations

from secretmem import _policy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

    from secretmem import _native
    from secretmem._native import SecretBase as _Base
else:
    _native = _policy.bind()
    _Base = object


class Decoding(_Base):
    """Part of `Secret`."""

    __slots__ = ()

    @classmethod
    def from_base64(
        cls,
        data: object,
        *,
        urlsafe: bool = False,
        **options: Any,  # noqa: ANN401 - as from_bytes
    ) -> Self:
        """
        Decode base64 (RFC 4648, sections 4 and 5) inside secret memory.

        Args:
            data: A Secret, or a bytes-like object or ASCII str; white space
                at its ends is ignored and padding may be missing.
            urlsafe: Use the alphabet of section 5.
            **options: As for every constructor; of a Secret's result only
                ``name`` can be chosen.

        Raises:
            ValueError: The text is not base64.
        """
        alphabet = "base64url" if urlsafe else "base64"
        return cls._decoded(data, alphabet, options)

    @classmethod
    def from_base32(cls, data: object, **options: Any) -> Self:  # noqa: ANN401 - as from_bytes
        """
        Decode base32 (RFC 4648, section 6), as authenticators show keys.

        All letters are capital, or all are small.  Arguments and errors are
        those of `from_base64`.
        """
        return cls._decoded(data, "base32", options)

    @classmethod
    def from_hex(cls, data: object, **options: Any) -> Self:  # noqa: ANN401 - as from_bytes
        """
        Decode hexadecimal digits (RFC 4648, section 8) inside secret memory.

        Arguments and errors are those of `from_base64`.
        """
        return cls._decoded(data, "hex", options)

    @classmethod
    def from_pem(
        cls,
        data: object,
        *,
        label: str | None = None,
        **options: Any,  # noqa: ANN401 - as from_bytes
    ) -> Self:
        """
        Give what a PEM block (RFC 7468) stands for, decoded inside.

        Args:
            data: As for `from_base64`; may hold several blocks and text
                around them.
            label: Of the block, such as ``"PRIVATE KEY"``; None takes the
                first block.
            **options: As for `from_base64`.

        Raises:
            ValueError: There is no such block, or it is damaged.
        """
        if not (label is None or isinstance(label, str)):
            raise TypeError(f"a label is a str, not {type(label).__name__}")
        name = options.pop("name", None)
        if isinstance(data, _native.SecretBase):
            _check_no_options(options)
            return _native.pem_body(cls, data, label, name)
        with cls._made(data, options) as text:
            return _native.pem_body(cls, text, label, name)

    @classmethod
    def _decoded(
        cls, data: object, encoding: str, options: dict[str, Any]
    ) -> Self:
        name = options.pop("name", None)
        if isinstance(data, cls):
            _check_no_options(options)
            return data._decode(encoding, name=name)  # noqa: SLF001 - cls is final
        with cls._made(data, options) as text:
            return text._decode(encoding, name=name)  # noqa: SLF001 - as above

    @classmethod
    def _made(cls, data: object, options: dict[str, Any]) -> Self:
        # A str is read where it is: encoding it would leave a copy behind.
        made = cls._from_str if isinstance(data, str) else cls.from_bytes
        return made(data, **options)  # type: ignore[arg-type]  # checked there

    def json_field(self, *path: str | int, name: str | None = None) -> Self:
        """
        Return one string of a JSON document (RFC 8259) as a new Secret.

        The document, a Secret of at most 64 KiB, is read inside secret
        memory.  It is kept as the document is.

        Args:
            *path: Keys of objects and indices of arrays from the outermost
                in, at most 8; none if the document is a string.
            name: Of the result.

        Raises:
            ValueError: No JSON, no such field, no string there, or an object
                on the path has that key twice.
        """
        for step in path:
            if isinstance(step, bool) or not isinstance(step, str | int):
                raise TypeError("a path has str keys and int indices")
            if isinstance(step, int) and step < 0:
                raise ValueError("an index of a JSON array is not negative")
        return _native.json_field(type(self), self, path, name)

    def dotenv_field(self, field: str, *, name: str | None = None) -> Self:
        """
        Return one value of a .env document as a new Secret.

        The document, a Secret of at most 64 KiB and 1000 lines, is read
        inside secret memory as the library dotenvy does, but nothing is
        substituted.  It is kept as the document is.

        Args:
            field: The name before the equals sign.
            name: Of the result.

        Raises:
            ValueError: Not such a document, no such name, the name twice, or
                the value contains ``${``.
        """
        return _native.dotenv_field(type(self), self, field, name)


def _check_no_options(options: dict[str, Any]) -> None:
    if options:
        raise TypeError("a Secret decides itself how it is kept")
