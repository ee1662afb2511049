"""RSA (RFC 8017): PKCS1 v1.5 and PSS signatures, OAEP decryption."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding as paddings
from cryptography.hazmat.primitives.asymmetric import rsa as pyca
from cryptography.hazmat.primitives.serialization import load_der_public_key

from secretmem import Secret, _policy, hazmat
from secretmem.keys._base import PrivateKey
from secretmem.keys._digest import NAMES, digest_of, hash_name


if TYPE_CHECKING:
    from typing import Self

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import utils
    from typing_extensions import Buffer

    from secretmem import _native
else:
    _native = _policy.bind()

_SIZES = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}


class RSAPrivateKey(PrivateKey, pyca.RSAPrivateKey):
    """An RSA key of 2048 to 8192 bits; an instance of pyca's own class."""

    __slots__ = ()

    @classmethod
    def _of(cls, key: object) -> Self:
        self = object.__new__(cls)
        self._key = key
        return self

    @classmethod
    def generate(
        cls, key_size: int = 3072, *, inherit: bool | None = None
    ) -> Self:
        """
        Make a key inside secret memory, with exponent 65537.

        Blocks for up to seconds; other threads run meanwhile.

        Raises:
            InvalidKey: Not 2048, 3072, 4096 or 8192 bits.
        """
        key = _native.KeyBase.generate("rsa", key_size, inherit=inherit)
        return cls._of(key)

    @property
    def key_size(self) -> int:
        """Bits of the modulus."""
        return int(self._key.bits)

    def sign(
        self,
        data: Buffer,
        padding: paddings.AsymmetricPadding,
        algorithm: (
            hashes.HashAlgorithm | utils.Prehashed | utils.NoDigestInfo
        ),
    ) -> bytes:
        """
        Sign by PKCS1 v1.5 or PSS.

        Raises:
            UnsupportedAlgorithm: Another padding or hash.
        """
        name, digest = digest_of(data, algorithm)
        if isinstance(padding, paddings.PKCS1v15):
            return bytes(self._key.sign_pkcs1(name, digest))
        if isinstance(padding, paddings.PSS):
            mask = _mgf1(padding.mgf)
            salt = self._salt_length(padding, name)
            return bytes(self._key.sign_pss(name, mask, salt, digest))
        raise UnsupportedAlgorithm(f"no signatures with {padding.name}")

    def _salt_length(self, padding: paddings.PSS, name: str) -> int:
        length = padding._salt_length  # noqa: SLF001 - pyca's own code reads it
        if length is paddings.PSS.DIGEST_LENGTH:
            return _SIZES[name]
        if length is paddings.PSS.MAX_LENGTH:
            return (self.key_size + 6) // 8 - _SIZES[name] - 2
        if isinstance(length, int):
            return length
        raise ValueError("the salt's length is not known when signing")

    def decrypt_to_secret(
        self, ciphertext: bytes, padding: paddings.AsymmetricPadding
    ) -> Secret:
        """
        Decrypt by OAEP into a new Secret.

        Raises:
            InvalidTag: The ciphertext is not for this key, label and hash.
            UnsupportedAlgorithm: Another padding: decryption by PKCS1 v1.5
                tells attackers too much.
        """
        if not isinstance(padding, paddings.OAEP):
            raise UnsupportedAlgorithm("decryption is by OAEP only")
        name = hash_name(padding.algorithm)
        label = padding._label or b""  # noqa: SLF001 - pyca's own code reads it
        plain: Secret = self._key.decrypt_oaep(
            Secret, name, _mgf1(padding.mgf), label, ciphertext
        )
        return plain

    def decrypt(
        self, ciphertext: bytes, padding: paddings.AsymmetricPadding
    ) -> bytes:
        """Decrypt by OAEP into ordinary memory; counted as an export."""
        with self.decrypt_to_secret(ciphertext, padding) as plain:
            return hazmat.export_bytes(plain)

    def public_key(self) -> pyca.RSAPublicKey:
        """Return pyca's public key."""
        return cast(
            "pyca.RSAPublicKey", load_der_public_key(self._key.public())
        )


def _mgf1(mgf: object) -> str:
    algorithm = getattr(mgf, "_algorithm", None)
    if not isinstance(mgf, paddings.MGF1) or algorithm is None:
        raise UnsupportedAlgorithm(f"the mask is MGF1 with {', '.join(NAMES)}")
    return hash_name(algorithm)
