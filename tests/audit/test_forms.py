"""
Each form of each kind of key is found when a process leaks it, alone.

The forms are made here by other means than the product's (hashlib, pyca,
`leak.aes`), and the target holds nothing else of the key: each is a control
of its own. With no leak, nothing is found.
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from audit.targets import holding, search_for
from leak import aes
from secretmem.audit import audit_process


if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

RSA = rsa.generate_private_key(65537, 2048)
NUMBERS = RSA.private_numbers()
CURVE = ec.generate_private_key(ec.SECP384R1())
SCALAR = CURVE.private_numbers().private_value


def _clamped(scalar: bytes) -> bytes:
    low, *middle, high = scalar
    return bytes([low & 248, *middle, high & 63 | 64])


def _drawn() -> bytes:
    """Draw a key of which, and of whose hash, clamping is another form."""
    while True:
        key = os.urandom(32)
        scalar = hashlib.sha512(key).digest()[:32]
        if _clamped(key) != key and _clamped(scalar) != scalar:
            return key


KEY = _drawn()


def _hash() -> bytes:
    return hashlib.sha512(KEY).digest()


def _digits(number: int, bits: int, size: int) -> bytes:
    made = b""
    while number:
        made += (number & (1 << bits) - 1).to_bytes(size, "little")
        number >>= bits
    return made.rstrip(b"\0")


def _big(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _state(name: str, byte: int) -> bytes:
    """
    Give a hash's state after HMAC's first block.

    OpenSSL keeps the words in front of its context; hashlib shows them as
    the digest of nothing only after padding, so they are computed.
    """
    block = bytes(k ^ byte for k in KEY.ljust(64, b"\0"))
    words = _sha256_block(block)
    assert name == "SHA-256"
    return struct.pack("=8I", *words)


def _sha256_block(block: bytes) -> list[int]:
    """Compress one block (FIPS 180-4, 6.2.2)."""
    primes = [n for n in range(2, 312) if all(n % d for d in range(2, n))]

    def root(number: int, power: int) -> int:
        """Give 32 bits of the fraction of a root."""
        low, high = 0, number << 32
        while high - low > 1:
            middle = (low + high) // 2
            if middle**power <= number << 32 * power:
                low = middle
            else:
                high = middle
        return low & 0xFFFFFFFF

    def turn(word: int, by: int) -> int:
        return (word >> by | word << 32 - by) & 0xFFFFFFFF

    schedule = list(struct.unpack(">16I", block))
    for at in range(16, 64):
        a, b = schedule[at - 15], schedule[at - 2]
        low = turn(a, 7) ^ turn(a, 18) ^ a >> 3
        high = turn(b, 17) ^ turn(b, 19) ^ b >> 10
        schedule.append(
            schedule[at - 16] + low + schedule[at - 7] + high & 0xFFFFFFFF
        )
    start = [root(prime, 2) for prime in primes[:8]]
    state = list(start)
    for prime, word in zip(primes, schedule, strict=True):
        a, b, c, _, e, f, g, h = state
        first = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25))
        first += (e & f ^ ~e & g) + root(prime, 3) + word
        second = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)
        second += a & b ^ a & c ^ b & c
        state = [first + second, *state[:7]]
        state[4] += first
        state = [each & 0xFFFFFFFF for each in state]
    return [a + b & 0xFFFFFFFF for a, b in zip(start, state, strict=True)]


def _words(data: bytes, size: int) -> bytes:
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(piece[::-1] for piece in pieces)


def _pem(pad: bytes = b"") -> bytes:
    """Write a PEM body with the key in it, in lines of 64."""
    return base64.encodebytes(b"\x30\x2e" + pad + KEY)[8:-12]


_XORED = {byte: bytes(k ^ byte for k in KEY) for byte in (0x36, 0x5C)}

LEAKS: dict[tuple[str, str], Callable[[], bytes]] = {
    ("raw", "key, plain"): lambda: KEY,
    ("raw", "key, reversed"): lambda: KEY[::-1],
    ("raw", "key, base64"): lambda: base64.b64encode(KEY),
    ("raw", "key, hex"): KEY.hex().encode,
    ("raw", "key, Python int"): lambda: _digits(int.from_bytes(KEY), 30, 4),
    ("raw", "key, 52-bit digits"): lambda: _digits(int.from_bytes(KEY), 52, 8),
    ("password", "password, plain"): lambda: KEY,
    ("ed25519", "seed, plain"): lambda: KEY,
    ("ed25519", "seed, base64"): lambda: _pem(b"x"),
    ("ed25519", "scalar, plain"): lambda: _clamped(_hash()[:32]),
    ("ed25519", "scalar, reversed"): lambda: _clamped(_hash()[:32])[::-1],
    ("ed25519", "scalar, Python int"): lambda: _digits(
        int.from_bytes(_clamped(_hash()[:32]), "little"), 30, 4
    ),
    ("ed25519", "scalar before clamping, plain"): lambda: _hash()[:32],
    ("ed25519", "prefix, plain"): lambda: _hash()[32:],
    ("ed25519", "hash of the seed, words turned"): lambda: _words(_hash(), 8),
    ("x25519", "scalar, plain"): lambda: _clamped(KEY),
    ("aes", "round keys, plain"): lambda: aes.schedule(KEY)[32:],
    ("aes", "round keys, reversed"): lambda: aes.schedule(KEY)[:31:-1],
    ("aes", "round keys, words turned"): lambda: aes.swapped(
        aes.schedule(KEY)
    )[32:],
    ("aes", "round keys to decrypt, plain"): lambda: aes.inverse_schedule(KEY)[
        16:-32
    ],
    ("aes", "round keys to decrypt, words turned"): lambda: aes.swapped(
        aes.inverse_schedule(KEY)[16:-32]
    ),
    ("aes", "hash key of GCM, plain"): lambda: aes.hash_key(KEY),
    ("aes", "hash key of GCM, reversed"): lambda: aes.hash_key(KEY)[::-1],
    ("hmac", "ipad, plain"): lambda: _XORED[0x36],
    ("hmac", "opad, plain"): lambda: _XORED[0x5C],
    ("hmac", "inner state, SHA-256"): lambda: _state("SHA-256", 0x36),
    ("hmac", "outer state, SHA-256"): lambda: _state("SHA-256", 0x5C),
    ("rsa", "p, plain"): lambda: _big(NUMBERS.p),
    ("rsa", "q, reversed"): lambda: _big(NUMBERS.q)[::-1],
    ("rsa", "d, Python int"): lambda: _digits(NUMBERS.d, 30, 4),
    ("rsa", "d, hex"): f"{NUMBERS.d:x}".encode,
    ("rsa", "d mod p-1, 52-bit digits"): lambda: _digits(NUMBERS.dmp1, 52, 8),
    ("rsa", "d mod q-1, plain"): lambda: _big(NUMBERS.dmq1),
    ("rsa", "q inverse, plain"): lambda: _big(NUMBERS.iqmp),
    ("curve", "scalar, plain"): lambda: _big(SCALAR),
    ("curve", "scalar, Python int"): lambda: _digits(SCALAR, 30, 4),
}


def _key(kind: str) -> tuple[str, bytes]:
    """Give the kind for the product, and the key."""
    if kind not in ("rsa", "curve"):
        return kind, KEY
    key = RSA if kind == "rsa" else CURVE
    return "pkcs8", key.private_bytes(
        forms.Encoding.DER, forms.PrivateFormat.PKCS8, forms.NoEncryption()
    )


@pytest.mark.parametrize(
    "leak", LEAKS, ids=lambda leak: "-".join(leak).replace(" ", "_")
)
def test_a_leaked_form_is_found(leak: tuple[str, str]) -> None:
    """It is found whole, under its name, and is the only one."""
    kind, form = leak
    content = LEAKS[leak]()
    with search_for(*_key(kind)) as search, holding(content) as pid:
        report = audit_process(pid, search)
    # The last bytes of a form may be left out: a byte that two digits share.
    found = [f for f in report.findings if f.size >= len(content) - 4]
    assert {f.form for f in found} == {form}, list(report.lines())
    assert not report.clean


@pytest.mark.parametrize(
    "lines", [b"", b"-----BEGIN PRIVATE KEY-----\n"], ids=["bare", "header"]
)
def test_lines_of_pem_are_found(lines: bytes) -> None:
    """An RSA key's file shows as base64 of its numbers, line by line."""
    pem = RSA.private_bytes(
        forms.Encoding.PEM,
        forms.PrivateFormat.TraditionalOpenSSL,
        forms.NoEncryption(),
    )
    body = b"\n".join(pem.splitlines()[8:-1])
    kind, key = _key("rsa")
    with search_for(kind, key) as search, holding(lines + body) as pid:
        report = audit_process(pid, search)
    shapes = {f.form.rpartition(", ")[2] for f in report.findings}
    assert shapes == {"base64"}
    assert len(report.findings) >= body.count(b"\n")


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in LEAKS}))
def test_control_nothing_is_found_where_nothing_is(kind: str) -> None:
    """A process that holds other bytes is clean, and was searched."""
    with search_for(*_key(kind)) as search, holding(os.urandom(4096)) as pid:
        report = audit_process(pid, search)
    assert report.clean, list(report.lines())
    assert report.complete
    assert report.searched > 1 << 20
    assert report.threads == 1


@pytest.mark.parametrize("size", [7, 8, 15, 31])
def test_pieces_of_eight_bytes_and_more_are_found(size: int) -> None:
    """Seven bytes are no finding; eight are."""
    # Nor may the byte behind them be the key's next one by chance.
    held = KEY[:size] + bytes([KEY[size] ^ 0xFF])
    with search_for("raw", KEY) as search, holding(held) as pid:
        report = audit_process(pid, search)
    assert report.clean == (size < 8)
    assert all(f.size == size for f in report.findings)
