"""Passphrases: scrypt, the only recipient of its file."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Self

from secretmem import Secret
from secretmem._shown import unless_unmade
from secretmem.age import _header, _wrap
from secretmem.age.errors import WorkFactorError
from secretmem.crypto.kdf import scrypt
from secretmem.exceptions import InvalidKey


if TYPE_CHECKING:
    from secretmem.age._header import Stanza

KIND = _header.SCRYPT
WORK_FACTOR = 18
MAX_WORK_FACTOR = 20

_LABEL = b"age-encryption.org/v1/scrypt"
_SALT = 16
_BLOCK = 8
_DECIMAL = re.compile(r"[1-9][0-9]?")


class Passphrase:
    """
    A passphrase that encrypts or opens a file, as recipient and identity.

    Its work memory, 2 to the power of the work factor in KiB, is ordinary
    memory, wiped at the end (see ``secretmem.crypto.scrypt``).

    Args:
        passphrase: The passphrase; whoever made it closes it.
        work_factor: To encrypt with; 18 (256 MiB, about a second) is age's.
        max_work_factor: Files that ask for more are not opened: whoever made
            the file decides what opening it costs.

    Raises:
        InvalidKey: The passphrase is empty, or a factor is not from 1 to 30.
    """

    __slots__ = ("_max_work_factor", "_passphrase", "_work_factor")

    def __init__(
        self,
        passphrase: Secret,
        *,
        work_factor: int = WORK_FACTOR,
        max_work_factor: int = MAX_WORK_FACTOR,
    ) -> None:
        if not isinstance(passphrase, Secret):
            raise TypeError(
                f"the passphrase is a Secret, not {type(passphrase).__name__}"
            )
        if not len(passphrase):
            raise InvalidKey("the passphrase is empty")
        for factor in (work_factor, max_work_factor):
            if not 1 <= factor <= 30:  # noqa: PLR2004 - age's own bound
                raise InvalidKey(f"a work factor is 1 to 30, not {factor}")
        self._passphrase = passphrase
        self._work_factor = work_factor
        self._max_work_factor = max_work_factor

    def wrap(self, file_key: Secret) -> Stanza:
        """Wrap a 16-byte file key for whoever knows the passphrase."""
        salt = os.urandom(_SALT)
        with self._derived(salt, self._work_factor) as wrapping:
            body = _wrap.seal_key(wrapping, file_key)
        arguments = (_header.encode(salt), str(self._work_factor))
        return _header.Stanza(KIND, arguments, body)

    def unwrap(self, stanza: Stanza) -> Secret | None:
        """
        Return the file key of a stanza; None if the passphrase is another.

        Raises:
            DamagedFileError: The stanza is not formed as scrypt ones are.
            WorkFactorError: It asks for more than ``max_work_factor``.
        """
        if stanza.kind != KIND:
            return None
        if len(stanza.arguments) != 2:  # noqa: PLR2004 - salt and factor
            raise _header.damaged("a passphrase has a salt and a work factor")
        salt, factor = _header.decode(stanza.arguments[0]), stanza.arguments[1]
        if len(salt) != _SALT:
            raise _header.damaged(f"a salt has {len(salt)} bytes, not {_SALT}")
        if not _DECIMAL.fullmatch(factor):
            raise _header.damaged("the work factor is not a number from 1")
        _wrap.check_body(stanza)
        if int(factor) > self._max_work_factor:
            raise WorkFactorError(int(factor), self._max_work_factor)
        with self._derived(salt, int(factor)) as wrapping:
            return _wrap.open_key(wrapping, stanza.body)

    def _derived(self, salt: bytes, factor: int) -> Secret:
        n = 1 << factor
        return scrypt(
            self._passphrase,
            salt=_LABEL + salt,
            n=n,
            r=_BLOCK,
            length=_wrap.KEY_SIZE,
            max_memory=128 * _BLOCK * (n + 2),
        )

    def close(self) -> None:
        """Close the passphrase."""
        self._passphrase.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @unless_unmade
    def __repr__(self) -> str:
        return f"<Passphrase, work factor {self._work_factor}>"
