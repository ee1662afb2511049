"""
Keys to plant, and everything that an operation makes of them.

Each kind is a `Needle` whose texts go into the target's pipes (``{pem}``,
``{encrypted}``, ``{passphrase}``, ``{key}``) and whose shapes are the key and
the values that are as good as the key: what it is expanded to, the numbers
that it consists of in both byte orders. The reversed form of a number has its
limbs as a processor with little byte order keeps them.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cryptography import fernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed25519,
    mldsa,
    mlkem,
    padding,
    rsa,
)

from leak import aes
from leak.needle import Needle, Shape, random_text


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# PBKDF2 in an encrypted PKCS#8 file (RFC 8018), by its object identifier.
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_LINE = 64


class Material(Needle):
    """A key with its texts for pipes and its parts to look for."""

    def __init__(
        self, texts: Mapping[str, bytes], parts: Mapping[str, bytes]
    ) -> None:
        super().__init__(texts.get("plain", b""))
        object.__setattr__(self, "_texts", dict(texts))
        object.__setattr__(self, "_parts", dict(parts))

    def texts(self) -> dict[str, bytes]:
        """What payloads may name."""
        made: dict[str, bytes] = getattr(self, "_texts")  # noqa: B009 - set behind a frozen class's back
        return made

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """What to look for: each part, and backwards."""
        parts: dict[str, bytes] = getattr(self, "_parts")  # noqa: B009 - as above
        shapes = [Shape(name, data) for name, data in parts.items()]
        shapes += [
            Shape(f"{name}, reversed", data[::-1])
            for name, data in parts.items()
            if not name.startswith("text")
        ]
        return tuple(shapes)


def _radix52(number: int) -> bytes:
    """Write digits of 52 bits, as code for AVX-512 IFMA does."""
    digits = []
    while number:
        digits.append((number & (1 << 52) - 1).to_bytes(8, "little"))
        number >>= 52
    # Zeros at the end would be found everywhere.
    return b"".join(digits).rstrip(b"\0")


def _files(key: Any) -> dict[str, bytes]:  # noqa: ANN401 - any of pyca's keys
    """Write a key as PEM, plain and encrypted (PBES2, AES-256-CBC)."""
    passphrase = random_text(24)
    encryption = forms.BestAvailableEncryption(passphrase)

    def pem(how: forms.KeySerializationEncryption) -> bytes:
        written: bytes = key.private_bytes(
            forms.Encoding.PEM, forms.PrivateFormat.PKCS8, how
        )
        return written

    return {
        "pem": pem(forms.NoEncryption()),
        "der": _der(pem(forms.NoEncryption())),
        "encrypted": pem(encryption),
        "passphrase": passphrase,
    }


def _der(pem: bytes) -> bytes:
    return base64.b64decode(b"".join(pem.splitlines()[1:-1]))


def _of_files(files: Mapping[str, bytes], secret: bytes) -> dict[str, bytes]:
    """
    Say what is secret in the files, from the first secret bytes on.

    And what the passphrase becomes: the key of the file, and its schedules.
    """
    pem, passphrase = files["pem"], files["passphrase"]
    start = (_der(pem).index(secret) * 4 + 2) // 3
    lines = b"".join(pem.splitlines()[1:-1])[start:]
    # The first line of the file's own that is whole, as it lies there.
    cut = -start % _LINE
    ends = [0, *range(cut or _LINE, len(lines), _LINE), len(lines)]
    parts = {
        f"text, line {number}": lines[ends[number] : ends[number + 1]]
        for number in range(len(ends) - 1)
    }
    der = _der(files["encrypted"])
    at = der.index(_PBKDF2) + len(_PBKDF2) + 2
    salt = der[at + 2 : at + 2 + der[at + 1]]
    at += 2 + len(salt)
    rounds = int.from_bytes(der[at + 2 : at + 2 + der[at + 1]])
    key = hashlib.pbkdf2_hmac("sha256", passphrase, salt, rounds, 32)
    return {
        **{name: line for name, line in parts.items() if len(line) > 8},
        "text of the passphrase": passphrase,
        "key of the file, expanded": aes.schedule(key),
        "key of the file, to decrypt": aes.inverse_schedule(key),
    }


def _ed25519(key: ed25519.Ed25519PrivateKey) -> Material:
    seed = key.private_bytes_raw()
    hashed = hashlib.sha512(seed).digest()
    scalar = bytearray(hashed[:32])
    scalar[0] &= 248
    scalar[31] = scalar[31] & 63 | 64
    files = _files(key)
    parts = {
        "seed": seed,
        "scalar before clamping": hashed[:32],
        "scalar": bytes(scalar),
        "prefix": hashed[32:],
    }
    return Material({**files, "key": seed}, parts | _of_files(files, seed))


def _x25519(seed: bytes) -> Material:
    scalar = bytearray(seed)
    scalar[0] &= 248
    scalar[31] = scalar[31] & 63 | 64
    return Material({"key": seed}, {"seed": seed, "scalar": bytes(scalar)})


def _ml_dsa(key: mldsa.MLDSA65PrivateKey) -> Material:
    """A seed and what FIPS 204, algorithms 6 and 33, make of it."""
    seed = key.private_bytes_raw()
    rows, columns = 6, 5
    made = hashlib.shake_256(seed + bytes((rows, columns))).digest(128)
    inner, signing = made[32:96], made[96:]
    files = _files(key)
    parts = {
        "seed": seed,
        "seed of the vectors": inner,
        "K": signing,
        "s1, packed": _small_numbers(inner, 0),
        "s2, packed": _small_numbers(inner, columns),
    }
    return Material({**files, "key": seed}, parts | _of_files(files, seed))


def _small_numbers(seed: bytes, nonce: int) -> bytes:
    """
    Give a polynomial of numbers from -4 to 4, as the private key has it.

    FIPS 204, algorithm 31: half bytes below 9.  In the key each is four minus
    the number, which is that half byte again.
    """
    stream = hashlib.shake_256(seed + nonce.to_bytes(2, "little")).digest(512)
    halves = [half for byte in stream for half in (byte & 15, byte >> 4)]
    kept = [half for half in halves if half < 9][:256]
    pairs = zip(kept[::2], kept[1::2], strict=True)
    return bytes(low | high << 4 for low, high in pairs)


def _ml_kem(key: mlkem.MLKEM768PrivateKey) -> Material:
    """A seed and what FIPS 203, algorithms 13 and 8, make of it."""
    seed = key.private_bytes_raw()
    noise = hashlib.sha3_512(seed[:32] + bytes((3,))).digest()[32:]
    files = _files(key)
    _, sealed = key.public_key().encapsulate()
    parts = {
        "d": seed[:32],
        "z": seed[32:],
        "seed of the noise": noise,
        "noise": hashlib.shake_256(noise + bytes(1)).digest(128),
    }
    texts = {**files, "key": seed, "sealed": sealed}
    return Material(texts, parts | _of_files(files, seed))


def _on_curve(key: ec.EllipticCurvePrivateKey) -> Material:
    number = key.private_numbers().private_value
    scalar = number.to_bytes((key.key_size + 7) // 8)
    files = _files(key)
    # After the private number, the file has the public point.
    parts = {
        name: data
        for name, data in _of_files(files, scalar).items()
        if not name.startswith("text, line")
    }
    start = (_der(files["pem"]).index(scalar) * 4 + 2) // 3
    text = b"".join(files["pem"].splitlines()[1:-1])[start:]
    parts["text of the scalar"] = text[: len(scalar) * 4 // 3 - 1]
    return Material(files, {"scalar": scalar, **parts})


def _rsa(key: rsa.RSAPrivateKey) -> Material:
    numbers = key.private_numbers()
    values = {
        "p": numbers.p,
        "q": numbers.q,
        "dp": numbers.dmp1,
        "dq": numbers.dmq1,
        "qinv": numbers.iqmp,
        "d": numbers.d,
    }
    parts = {}
    for name, value in values.items():
        parts[name] = value.to_bytes((value.bit_length() + 7) // 8)
        parts[f"{name}, digits of 52 bits"] = _radix52(value)
    message = random_text(24)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    sealed = key.public_key().encrypt(message, oaep)
    files = _files(key)
    parts |= _of_files(files, parts["d"]) | {"text of the message": message}
    return Material({**files, "sealed": sealed}, parts)


def _xored(key: bytes, byte: int) -> bytes:
    return bytes(each ^ byte for each in key)


def _mac_parts(key: bytes) -> dict[str, bytes]:
    """Give an HMAC key and its blocks (RFC 2104), without their filling."""
    return {
        "MAC key": key,
        "ipad": _xored(key, 0x36),
        "opad": _xored(key, 0x5C),
    }


def _cipher_parts(key: bytes) -> dict[str, bytes]:
    """Give an AES key's schedules, in both orders of a word's bytes."""
    expanded, back = aes.schedule(key), aes.inverse_schedule(key)
    return {
        "key, expanded": expanded,
        "key, expanded, words turned": aes.swapped(expanded),
        "key, to decrypt": back,
        "key, to decrypt, words turned": aes.swapped(back),
        "H": aes.hash_key(key),
    }


def _symmetric(key: bytes) -> Material:
    """A key of 32 bytes for everything, and a message of 24."""
    message = random_text(24)
    parts = {
        **_cipher_parts(key),
        **_mac_parts(key),
        "text of the key in base32": base64.b32encode(key).rstrip(b"="),
        "text of the message": message,
    }
    return Material({"key": key, "plain": message}, parts)


def _fernet(key: bytes) -> Material:
    """A key in base64, of which half signs and half encrypts."""
    message = random_text(24)
    text = base64.urlsafe_b64encode(key)
    parts = {
        **_mac_parts(key[:16]),
        **_cipher_parts(key[16:]),
        "text of the key": text.rstrip(b"="),
        "text of the message": message,
    }
    token = fernet.Fernet(text).encrypt(message)
    return Material({"key": text, "token": token}, parts)


def _age(seed: bytes) -> Material:
    """An identity of age, and a file that it opens."""
    from leak import agefile
    from secretmem import Secret, age, hazmat

    message = random_text(24)
    with age.Identity(Secret.from_bytes(seed)) as identity:
        text = hazmat.export_bytes(identity.text())
        sealed = age.encrypt(message, [identity.recipient])
    letters = text.rpartition(b"1")[2]
    x25519_parts = getattr(_x25519(seed), "_parts")  # noqa: B009 - as in Material
    keys = agefile.derived(seed, sealed)
    parts = {
        **x25519_parts,
        **keys,
        **_mac_parts(keys["key of the MAC"]),
        "in groups of five bits": agefile.groups_of_five(seed),
        "text of the identity": letters[:29],
        "text of the identity, second half": letters[29:],
    }
    file = b"# created: today\n" + text + b"\n"
    texts = {"identity": file, "plain": message}
    return Material({**texts, "sealed": sealed}, parts)


def _generated(curve: ec.EllipticCurve) -> Material:
    return _on_curve(ec.generate_private_key(curve))


KINDS: dict[str, Callable[[], Material]] = {
    "ed25519": lambda: _ed25519(ed25519.Ed25519PrivateKey.generate()),
    "x25519": lambda: _x25519(secrets.token_bytes(32)),
    "p256": lambda: _generated(ec.SECP256R1()),
    "p384": lambda: _generated(ec.SECP384R1()),
    "p521": lambda: _generated(ec.SECP521R1()),
    "rsa": lambda: _rsa(rsa.generate_private_key(65537, 2048)),
    "ml-dsa": lambda: _ml_dsa(mldsa.MLDSA65PrivateKey.generate()),
    "ml-kem": lambda: _ml_kem(mlkem.MLKEM768PrivateKey.generate()),
    "age": lambda: _age(secrets.token_bytes(32)),
    "symmetric": lambda: _symmetric(secrets.token_bytes(32)),
    "fernet": lambda: _fernet(secrets.token_bytes(32)),
}


# Kinds of which a value of that length is a key; of a length of its own, or
# of any: 32 bytes of Fernet are in base64 or not.
_SEEDS: dict[tuple[str, int | None], Callable[[bytes], Material]] = {
    ("ed25519", None): lambda seed: _ed25519(
        ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    ),
    ("x25519", None): _x25519,
    ("age", 32): _age,
    ("symmetric", None): _symmetric,
    ("fernet", None): _fernet,
    ("ml-dsa", 32): lambda seed: _ml_dsa(
        mldsa.MLDSA65PrivateKey.from_seed_bytes(seed)
    ),
    ("ml-kem", 64): lambda seed: _ml_kem(
        mlkem.MLKEM768PrivateKey.from_seed_bytes(seed)
    ),
}


def learned(kind: str, value: bytes) -> Needle:
    """
    Give what to look for besides, of a value that the target made.

    A key of this kind: a seed, 32 bytes, or PKCS#8 in DER.  Of a curve, what
    is shorter is a shared secret.
    """
    make = _SEEDS.get((kind, None)) or _SEEDS.get((kind, len(value)))
    if make is not None:
        return make(value)
    if len(value) <= 66:
        return Needle(value, ("plain", "reversed"))
    key = forms.load_der_private_key(value, None)
    if isinstance(key, rsa.RSAPrivateKey):
        return _rsa(key)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return _on_curve(key)
