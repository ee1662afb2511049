"""Private keys under a RLIMIT_MEMLOCK of 64 KiB, and without room."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from support import alone


if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_root,
    pytest.mark.needs_unprivileged,
]

PASSPHRASE = "correct horse"
LIMIT = 64 << 10


@pytest.fixture
def path() -> Iterator[Path]:
    """A file that another user can read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder, "key")


def encryption(passphrase: str) -> KeySerializationEncryption:
    """Encrypt with the passphrase, if there is one."""
    if not passphrase:
        return NoEncryption()
    return BestAvailableEncryption(passphrase.encode())


def sign(path: str, passphrase: str, gate: str) -> None:
    """Load one Ed25519 key from a file under the limit, and sign."""
    import resource

    limit = 64 << 10
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
    import secretmem
    from secretmem import Secret
    from secretmem.keys import Ed25519PrivateKey, load_file

    secretmem.configure(gate=gate)  # type: ignore[arg-type]  # one of two
    words = Secret.from_bytes(passphrase.encode()) if passphrase else None
    key = load_file(path, words)
    assert isinstance(key, Ed25519PrivateKey)
    for number in range(100):
        message = b"%d" % number
        key.public_key().verify(key.sign(message), message)
    # And again: loading does not use the limit up.
    for _ in range(20):
        load_file(path, words).close()
    key.public_key().verify(key.sign(b"after"), b"after")
    now = secretmem.posture()
    assert now.locked_bytes <= limit
    assert now.heap_blocks == 0


@pytest.mark.parametrize("gate", ["auto", "mprotect"])
@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
@pytest.mark.parametrize(
    "encoding, form",
    [
        (Encoding.PEM, PrivateFormat.PKCS8),
        (Encoding.DER, PrivateFormat.PKCS8),
    ],
)
def test_one_ed25519_key_loads_and_signs(
    encoding: Encoding,
    form: PrivateFormat,
    passphrase: str,
    gate: str,
    path: Path,
) -> None:
    """From any file, in 64 KiB of locked memory: arena, stack and heap."""
    made = ed25519.Ed25519PrivateKey.generate()
    path.write_bytes(
        made.private_bytes(encoding, form, encryption(passphrase))
    )
    alone.passes_unprivileged(sign, str(path), passphrase, gate)


@pytest.mark.needs_tool("ssh-keygen")
@pytest.mark.parametrize("gate", ["auto", "mprotect"])
@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_one_openssh_key_loads_and_signs(
    passphrase: str, gate: str, path: Path
) -> None:
    """As above, with bcrypt's work memory on the domain's stack."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase]
    subprocess.run([*command, "-f", str(path)], check=True)
    path.chmod(0o644)
    alone.passes_unprivileged(sign, str(path), passphrase, gate)


def exhaust(path: str, limit: int) -> None:
    """Use a key that is too large for the limit, and then a small one."""
    import resource

    resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    import secretmem
    from secretmem import LimitError
    from secretmem.keys import (
        Ed25519PrivateKey,
        RSAPrivateKey,
        load_file,
    )

    refused = []
    key: RSAPrivateKey | None = None
    for _ in range(10):
        try:
            loaded = load_file(path)
            assert isinstance(loaded, RSAPrivateKey)
            key = loaded
            key.sign(b"m", padding.PKCS1v15(), hashes.SHA256())
        except LimitError as error:
            refused.append(error.need)
    assert len(refused) == 10
    assert all(need > 0 for need in refused)
    # What failed left nothing behind.
    key = None
    assert secretmem.posture().heap_blocks == 0
    small = Ed25519PrivateKey.generate()
    small.public_key().verify(small.sign(b"m"), b"m")


def test_a_key_without_room_is_a_limit_error(path: Path) -> None:
    """RSA-4096 needs more heap than 64 KiB; the process goes on."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=4096)
    path.write_bytes(
        made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    alone.passes_unprivileged(exhaust, str(path), LIMIT)


def contend(limit: int) -> None:
    """Many threads sign with RSA where two of them fill the heap."""
    import resource
    import threading

    resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    from secretmem.keys import RSAPrivateKey

    key = RSAPrivateKey.generate(2048)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            for _ in range(20):
                made = key.sign(b"m", padding.PKCS1v15(), hashes.SHA256())
                key.public_key().verify(
                    made, b"m", padding.PKCS1v15(), hashes.SHA256()
                )
        except BaseException as error:  # noqa: BLE001 - kept for the assertion
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed


def test_threads_wait_for_room_in_the_heap() -> None:
    """Each has its claim in turn: no refusal while others will finish."""
    alone.passes_unprivileged(contend, 256 << 10)
