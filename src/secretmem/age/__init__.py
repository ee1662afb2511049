"""
age files (age-encryption.org/v1) whose keys and content stay secret.

::

    from secretmem import age

    identity = age.Identity.generate()
    sealed = age.encrypt(b"attack at dawn", [identity.recipient])
    secret = age.decrypt(sealed, [identity])

Files are those of ``age`` and ``rage``, in both directions.  Identities, file
keys and the plaintext of `decrypt` are in secret memory; `decrypt_to_fd` and
`encrypt_fd` move long plaintext between descriptors over secret pages.
"""

from __future__ import annotations

from secretmem.age._file import decrypt, decrypt_to_fd, encrypt, encrypt_fd
from secretmem.age._header import Stanza
from secretmem.age._load import (
    is_encrypted,
    load_identities,
    load_recipients,
    parse_recipient,
)
from secretmem.age._scrypt import Passphrase
from secretmem.age._ssh import SSHIdentity, SSHRecipient
from secretmem.age._x25519 import Identity, Recipient
from secretmem.age.errors import (
    AgeError,
    DamagedFileError,
    NoMatchError,
    WorkFactorError,
)


__all__ = (
    "AgeError",
    "DamagedFileError",
    "Identity",
    "NoMatchError",
    "Passphrase",
    "Recipient",
    "SSHIdentity",
    "SSHRecipient",
    "Stanza",
    "WorkFactorError",
    "decrypt",
    "decrypt_to_fd",
    "encrypt",
    "encrypt_fd",
    "is_encrypted",
    "load_identities",
    "load_recipients",
    "parse_recipient",
)
