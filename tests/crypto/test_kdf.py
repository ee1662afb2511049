"""Keys from passwords: the RFCs' answers, cryptography's, and the limits."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf import argon2 as pyca_argon2
from cryptography.hazmat.primitives.kdf import pbkdf2 as pyca_pbkdf2
from cryptography.hazmat.primitives.kdf import scrypt as pyca_scrypt

from secretmem import Secret
from secretmem.crypto import argon2id, pbkdf2, scrypt
from secretmem.exceptions import InvalidKey
from support.patience import PATIENCE


pytestmark = pytest.mark.needs_secretmem

SALT = b"0123456789abcdef"
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - RFC 6070 and old files
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


def secret(text: bytes) -> Secret:
    """Make a Secret of public test data."""
    return Secret.from_bytes(text)


# RFC 6070 but for the case of 16 million iterations.
RFC6070 = (
    (b"password", b"salt", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"),
    (b"password", b"salt", 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"),
    (b"password", b"salt", 4096, "4b007901b765489abead49d926f721d065a429c1"),
    (
        b"passwordPASSWORDpassword",
        b"saltSALTsaltSALTsaltSALTsaltSALTsalt",
        4096,
        "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038",
    ),
    (b"pass\0word", b"sa\0lt", 4096, "56fa6aa75548099dcc37d7f03425e0c3"),
)

# RFC 7914, section 12, but for the case of 1 GiB.
RFC7914 = (
    (
        b"",
        b"",
        (16, 1, 1),
        (
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
            "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"
        ),
    ),
    (
        b"password",
        b"NaCl",
        (1024, 8, 16),
        (
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
            "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
        ),
    ),
    (
        b"pleaseletmein",
        b"SodiumChloride",
        (16384, 8, 1),
        (
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
            "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
        ),
    ),
)


@pytest.mark.parametrize("password, salt, iterations, right", RFC6070)
def test_pbkdf2_gives_the_rfcs_answers(
    password: bytes, salt: bytes, iterations: int, right: str
) -> None:
    """RFC 6070."""
    key = pbkdf2(
        secret(password),
        salt=salt,
        iterations=iterations,
        length=len(right) // 2,
        algorithm="sha1",
    )
    assert key.matches(bytes.fromhex(right))


@pytest.mark.parametrize("password, salt, cost, right", RFC7914)
def test_scrypt_gives_the_rfcs_answers(
    password: bytes, salt: bytes, cost: tuple[int, int, int], right: str
) -> None:
    """RFC 7914."""
    n, r, p = cost
    key = scrypt(secret(password), salt=salt, n=n, r=r, p=p, length=64)
    assert key.matches(bytes.fromhex(right))


def test_argon2id_gives_the_rfcs_answer() -> None:
    """RFC 9106, section 5.3, with key and associated data."""
    key = argon2id(
        secret(b"\1" * 32),
        salt=b"\2" * 16,
        iterations=3,
        lanes=4,
        memory_cost=32,
        secret=secret(b"\3" * 8),
        associated_data=b"\4" * 12,
        name="derived",
    )
    assert key.matches(
        bytes.fromhex(
            "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
        )
    )
    assert key.name == "derived"


@pytest.mark.parametrize("algorithm", HASHES)
def test_pbkdf2_agrees_with_cryptography(algorithm: str) -> None:
    """Each hash, a result of more than one block."""
    theirs = pyca_pbkdf2.PBKDF2HMAC(HASHES[algorithm], 100, SALT, 1000)
    ours = pbkdf2(
        secret(b"pw"),
        salt=SALT,
        iterations=1000,
        length=100,
        algorithm=algorithm,
    )
    assert ours.matches(theirs.derive(b"pw"))


@pytest.mark.parametrize("length", [1, 32, 200])
def test_scrypt_agrees_with_cryptography(length: int) -> None:
    """Another r and p than the RFC's."""
    theirs = pyca_scrypt.Scrypt(SALT, length, 512, 3, 2)
    ours = scrypt(secret(b"pw"), salt=SALT, n=512, r=3, p=2, length=length)
    assert ours.matches(theirs.derive(b"pw"))


@pytest.mark.parametrize("length", [4, 32, 200])
def test_argon2id_agrees_with_cryptography(length: int) -> None:
    """Neither a key beside the password nor associated data."""
    theirs = pyca_argon2.Argon2id(
        salt=SALT, length=length, iterations=2, lanes=3, memory_cost=1024
    )
    ours = argon2id(
        secret(b"pw"),
        salt=SALT,
        length=length,
        iterations=2,
        lanes=3,
        memory_cost=1024,
    )
    assert ours.matches(theirs.derive(b"pw"))


@pytest.mark.parametrize(
    "parameters",
    [
        {"n": 0},
        {"n": 3},
        {"n": 1 << 16, "r": 1},
        {"n": 16, "r": 0},
        {"n": 16, "p": 0},
        {"n": 16, "length": 0},
        {"n": 1 << 40},
        {"n": 1 << 20},  # 1 GiB
        {"n": 1024, "max_memory": 128 * 8 * (1024 + 2) - 1},
    ],
    ids=str,
)
def test_scrypt_refuses(parameters: dict[str, Any]) -> None:
    """Parameters that do not exist or cost too much."""
    with pytest.raises(InvalidKey):
        scrypt(secret(b"pw"), salt=SALT, **parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {"salt": b"1234567"},
        {"length": 3},
        {"iterations": 0},
        {"lanes": 0},
        {"memory_cost": 7, "lanes": 1},
        {"memory_cost": 1 << 20},  # 1 GiB
        {"memory_cost": 64, "max_memory": 64 * 1024 - 1},
        {"associated_data": bytes(33)},
    ],
    ids=str,
)
def test_argon2id_refuses(parameters: dict[str, Any]) -> None:
    """Parameters that do not exist or cost too much."""
    chosen: dict[str, Any] = {"salt": SALT, "memory_cost": 64, **parameters}
    with pytest.raises(InvalidKey):
        argon2id(secret(b"pw"), **chosen)


def test_pbkdf2_refuses() -> None:
    """No iterations, no length, no such hash."""
    with pytest.raises(InvalidKey):
        pbkdf2(secret(b"pw"), salt=SALT, iterations=0)
    with pytest.raises(InvalidKey):
        pbkdf2(secret(b"pw"), salt=SALT, iterations=1, length=0)
    with pytest.raises(ValueError, match="no such hash"):
        pbkdf2(secret(b"pw"), salt=SALT, iterations=1, algorithm="md5")


def test_work_memory_that_cannot_be_had_is_an_error() -> None:
    """mmap(2) says no, and the process goes on."""
    code = """
import resource
from secretmem import Secret
from secretmem.crypto import argon2id, scrypt
password = Secret.from_bytes(b"pw")
resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
for derive in (
    lambda: scrypt(password, salt=b"s", n=1 << 20, max_memory=2 << 30),
    lambda: argon2id(
        password, salt=bytes(8), memory_cost=1 << 20, max_memory=2 << 30
    ),
):
    try:
        derive()
    except OSError as e:
        print(e.errno, e.strerror)
print(len(scrypt(password, salt=b"s", n=1024)))
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert run.stdout.splitlines() == [
        "12 mmap: Cannot allocate memory",
        "12 mmap: Cannot allocate memory",
        "32",
    ]


def test_the_interpreter_goes_on_meanwhile() -> None:
    """Another thread counts while a key is derived."""
    password = secret(b"pw")
    done = threading.Event()

    def derive() -> None:
        pbkdf2(password, salt=SALT, iterations=1_000_000)
        done.set()

    thread = threading.Thread(target=derive)
    thread.start()
    turns = 0
    while not done.is_set():
        turns += 1
        time.sleep(0.001)
    thread.join()
    assert turns > 1
