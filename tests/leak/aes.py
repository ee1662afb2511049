"""What AES makes of a key (FIPS 197): schedules, and the H of GCM."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def _double(byte: int) -> int:
    return (byte << 1 ^ (0x1B if byte & 0x80 else 0)) & 0xFF


def _times(byte: int, factor: int) -> int:
    result = 0
    while factor:
        if factor & 1:
            result ^= byte
        byte, factor = _double(byte), factor >> 1
    return result


def _sbox() -> bytes:
    """Make the table of section 5.1.1."""
    inverse = [0] * 256
    for a in range(1, 256):
        inverse[a] = next(b for b in range(256) if _times(a, b) == 1)
    box = bytearray()
    for value in inverse:
        word = value * 0x101
        turned = value
        for shift in (4, 5, 6, 7):
            turned ^= word >> shift & 0xFF
        box.append(turned ^ 0x63)
    return bytes(box)


_SBOX = _sbox()


def schedule(key: bytes) -> bytes:
    """Give all round keys of a key of 16, 24 or 32 bytes (section 5.2)."""
    count = len(key) // 4
    words = [key[at : at + 4] for at in range(0, len(key), 4)]
    constant = 1
    while len(words) < 4 * (count + 7):
        last = words[-1]
        if len(words) % count == 0:
            last = bytes(_SBOX[byte] for byte in last[1:] + last[:1])
            last = bytes([last[0] ^ constant]) + last[1:]
            constant = _double(constant)
        elif count > 6 and len(words) % count == 4:
            last = bytes(_SBOX[byte] for byte in last)
        pair = zip(words[-count], last, strict=True)
        words.append(bytes(a ^ b for a, b in pair))
    return b"".join(words)


def _unmixed(word: bytes) -> bytes:
    """Apply InvMixColumns to one column (section 5.3.3)."""
    row = (14, 11, 13, 9)
    made = []
    for at in range(4):
        value = 0
        for place in range(4):
            value ^= _times(word[place], row[(place - at) % 4])
        made.append(value)
    return bytes(made)


def inverse_schedule(key: bytes) -> bytes:
    """Give the round keys for decryption (section 5.3.5)."""
    forth = schedule(key)
    rounds = [forth[at : at + 16] for at in range(0, len(forth), 16)]
    middle = [
        b"".join(_unmixed(each[at : at + 4]) for at in range(0, 16, 4))
        for each in rounds[1:-1]
    ]
    return b"".join(reversed([rounds[0], *middle, rounds[-1]]))


def hash_key(key: bytes) -> bytes:
    """Give GCM's H: a block of zeros, encrypted (SP 800-38D, 6.3)."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - one block
    return encryptor.update(bytes(16))


def swapped(data: bytes) -> bytes:
    """Turn the bytes of each word of four round."""
    words = (data[at : at + 4] for at in range(0, len(data), 4))
    return b"".join(word[::-1] for word in words)
