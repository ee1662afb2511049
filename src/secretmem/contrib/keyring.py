"""
A backend of the library keyring: passwords in a `secretmem.SealedStore`.

::

    store = SealedStore.load("passwords", key)
    keyring.set_keyring(SealedKeyring(store, "passwords"))

Programs that call ``keyring.get_password`` then get an ordinary ``str``, as
that library's interface wants: an export, which is counted.  ``get_secret``
and the source ``keyring:SERVICE/USER`` give a Secret, of which no ``str``
was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from secretmem import Secret, hazmat
from secretmem.contrib._common import check_secret, missing


try:
    from keyring.backend import KeyringBackend
    from keyring.errors import PasswordDeleteError
except ImportError as error:
    raise missing("keyring", "keyring>=25") from error

if TYPE_CHECKING:
    import os

    from secretmem import SealedStore

__all__ = ("SealedKeyring",)


class SealedKeyring(KeyringBackend):
    """
    For ``keyring.set_keyring``; the library never chooses it by itself.

    Args:
        store: Where the passwords are; other values in it are left alone.
        path: The store's file, which is saved after each change; None saves
            nothing.
    """

    # Below that of every backend that the library may choose.
    priority = 0.0

    def __init__(
        self,
        store: SealedStore,
        path: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring's own
        self._store = store
        self._path = path

    def get_secret(self, service: str, username: str) -> Secret | None:
        """
        Open a password into a Secret, or give None.

        Raises:
            DamagedStoreError: The store was changed from outside.
        """
        sealed = self._store.get(_name(service, username))
        return None if sealed is None else sealed.open()

    def set_secret(self, service: str, username: str, secret: Secret) -> None:
        """
        Keep a Secret as a password.

        Raises:
            TypeError: It is none.
            OSError: The file cannot be saved; the store has the new one.
        """
        self._store[_name(service, username)] = check_secret(secret)
        self._save()

    def get_password(self, service: str, username: str) -> str | None:
        """Give a password as text, or None: an export."""
        secret = self.get_secret(service, username)
        if secret is None:
            return None
        with secret:
            return hazmat.export_str(secret)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a text, which was in ordinary memory before."""
        with Secret._from_str(password) as secret:  # noqa: SLF001 - our own
            self.set_secret(service, username, secret)

    def delete_password(self, service: str, username: str) -> None:
        """
        Forget a password.

        Raises:
            keyring.errors.PasswordDeleteError: There is none.
        """
        try:
            del self._store[_name(service, username)]
        except KeyError:
            raise PasswordDeleteError("there is no such password") from None
        self._save()

    def _save(self) -> None:
        if self._path is not None:
            self._store.save(self._path)


def _name(service: str, username: str) -> str:
    """Name a value so that no two pairs have one name."""
    return f"keyring/{quote(service, safe='')}/{quote(username, safe='')}"
