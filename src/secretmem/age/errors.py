"""
What can be wrong with an age file.

::

    CryptoError
    └── AgeError                 base of these
        ├── NoMatchError         no identity opens the file
        ├── DamagedFileError     not an age file, damaged or cut; a ValueError
        └── WorkFactorError      the passphrase costs more than is allowed
"""

from __future__ import annotations

from secretmem.exceptions import CryptoError


class AgeError(CryptoError):
    """Base of the errors of age files."""


class NoMatchError(AgeError):
    """None of the identities opens the file."""


class DamagedFileError(AgeError, ValueError):
    """
    The file is damaged, cut short, or no age file.

    ``part`` says where: ``"armor"``, ``"header"``, ``"mac"`` (the header was
    changed after it was written) or ``"payload"``.
    """

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


class WorkFactorError(AgeError):
    """
    The file's passphrase costs more work than the caller allows.

    ``work_factor`` is the file's: scrypt with N = 2 to the power of it.
    """

    def __init__(self, work_factor: int, allowed: int) -> None:
        super().__init__(
            f"the file asks for work factor {work_factor} (2**{work_factor} "
            f"KiB of memory and the time to fill it), and {allowed} is "
            f"allowed; pass max_work_factor={work_factor} if you trust the "
            "file"
        )
        self.work_factor = work_factor
