"""Loading private keys: the file's bytes never leave secret memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem import Secret
from secretmem._unreadable import load
from secretmem.keys._ec import EllipticCurvePrivateKey
from secretmem.keys._ed25519 import Ed25519PrivateKey
from secretmem.keys._ml_dsa import (
    MLDSA44PrivateKey,
    MLDSA65PrivateKey,
    MLDSA87PrivateKey,
    MLDSAPrivateKey,
)
from secretmem.keys._ml_kem import (
    MLKEM512PrivateKey,
    MLKEM768PrivateKey,
    MLKEM1024PrivateKey,
    MLKEMPrivateKey,
)
from secretmem.keys._rsa import RSAPrivateKey
from secretmem.keys._x25519 import X25519PrivateKey


if TYPE_CHECKING:
    from secretmem._sources import Path

    Loaded = (
        Ed25519PrivateKey
        | EllipticCurvePrivateKey
        | MLDSAPrivateKey
        | MLKEMPrivateKey
        | RSAPrivateKey
        | X25519PrivateKey
    )

_SEED = 32
_PQ: dict[str, type[MLDSAPrivateKey | MLKEMPrivateKey]] = {
    "ml-dsa-44": MLDSA44PrivateKey,
    "ml-dsa-65": MLDSA65PrivateKey,
    "ml-dsa-87": MLDSA87PrivateKey,
    "ml-kem-512": MLKEM512PrivateKey,
    "ml-kem-768": MLKEM768PrivateKey,
    "ml-kem-1024": MLKEM1024PrivateKey,
}


def load_file(
    path: Path,
    passphrase: Secret | None = None,
    *,
    inherit: bool | None = None,
) -> Loaded:
    """
    Load a private key from a PEM, DER, OpenSSH or JWK file.

    Args:
        path: The file, at most 64 KiB: PKCS#8, encrypted PKCS#8, PKCS#1,
            SEC 1, what ``ssh-keygen`` writes, encrypted or not, or a JSON
            Web Key.
        passphrase: Of an encrypted key.
        inherit: Whether forked children have the key.

    Raises:
        OSError: The file cannot be read.
        InvalidKey: Damaged, of an unknown kind, or a wrong passphrase.
    """
    with Secret.from_file(path) as encoded:
        return _load(encoded, passphrase, inherit=inherit)


def load_pem(
    encoded: Secret,
    passphrase: Secret | None = None,
    *,
    inherit: bool | None = None,
) -> Loaded:
    """Load a private key from PEM or OpenSSH text; see `load_file`."""
    return _load(encoded, passphrase, inherit=inherit)


def load_der(
    encoded: Secret,
    passphrase: Secret | None = None,
    *,
    inherit: bool | None = None,
) -> Loaded:
    """Load a private key from DER; see `load_file`."""
    return _load(encoded, passphrase, inherit=inherit)


def load_jwk(text: Secret, *, inherit: bool | None = None) -> Loaded:
    """
    Load a private key from a JSON Web Key (RFC 7517).

    Args:
        text: An object of the type OKP (Ed25519, X25519), EC or RSA; an RSA
            key with its primes ``p`` and ``q`` and ``qi``.
        inherit: Whether forked children have the key.

    Raises:
        InvalidKey: Damaged, incomplete, of an unknown kind, or public.
    """
    return _load(text, None, inherit=inherit)


def _load(
    encoded: Secret, passphrase: Secret | None, *, inherit: bool | None
) -> Loaded:
    key = load(encoded, passphrase, inherit=inherit)
    if key.kind == "rsa":
        return RSAPrivateKey._of(key)  # noqa: SLF001 - the package's own
    if key.kind in ("p256", "p384", "p521"):
        return EllipticCurvePrivateKey._of(key)  # noqa: SLF001 - as above
    if key.kind in _PQ:
        return _PQ[key.kind]._of(key)  # noqa: SLF001 - as above
    cls = Ed25519PrivateKey if key.kind == "ed25519" else X25519PrivateKey
    # The seed is the last 32 bytes of the PKCS#8 form (RFC 8410, section 7).
    with key.pkcs8(Secret) as form, form[-_SEED:] as seed:
        key.close()
        return cls.from_seed(seed, inherit=inherit)
