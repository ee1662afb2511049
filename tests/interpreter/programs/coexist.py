"""
Use four cryptographic libraries of one process at once, in threads.

The extension's private AWS-LC, a second AWS-LC with all its names visible,
Python's OpenSSL in TLS handshakes, and cryptography's OpenSSL.  Arguments:
the second library, the prefix of its names, seconds, and whether it is loaded
before the extension.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import socket
import ssl
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed25519,
    padding,
    rsa,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


if TYPE_CHECKING:
    from collections.abc import Callable

LIBRARY, PREFIX, SECONDS, FIRST = sys.argv[1:]


def load() -> ctypes.CDLL:
    """Load the second copy with its names for everybody."""
    return ctypes.CDLL(LIBRARY, mode=ctypes.RTLD_GLOBAL)


if FIRST == "first":
    second = load()

from secretmem import Secret, keys  # noqa: E402 - the order is what is tried
from secretmem.crypto import aead  # noqa: E402 - as above


if FIRST != "first":
    second = load()

PKCS1 = (padding.PKCS1v15(), hashes.SHA256())
counts: dict[str, int] = {}
counting = threading.Lock()


def ours() -> None:
    """Sign and encrypt inside; the other library verifies."""
    message = os.urandom(40)
    edwards.public_key().verify(edwards.sign(message), message)
    own_rsa.public_key().verify(own_rsa.sign(message, *PKCS1), message, *PKCS1)
    curve = ec.ECDSA(hashes.SHA256())
    own_ec.public_key().verify(own_ec.sign(message, curve), message, curve)
    nonce = os.urandom(12)
    sealed = cipher.encrypt(nonce, message, None)
    assert AESGCM(bytes(32)).decrypt(nonce, sealed, None) == message


def theirs() -> None:
    """Sign with cryptography's OpenSSL; hash with Python's."""
    message = os.urandom(5000)
    key = rsa.generate_private_key(65537, 2048)
    key.public_key().verify(key.sign(message, *PKCS1), message, *PKCS1)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(message)
    assert digest.finalize() == hashlib.sha256(message).digest()


def the_second() -> None:
    """Sign with the second copy, by its plain names."""
    public, private = (ctypes.create_string_buffer(n) for n in (32, 64))
    signature = ctypes.create_string_buffer(64)
    message = os.urandom(40)
    second[f"{PREFIX}_ED25519_keypair"](public, private)
    signed = second[f"{PREFIX}_ED25519_sign"](
        signature, message, ctypes.c_size_t(len(message)), private
    )
    assert signed == 1
    verifier = ed25519.Ed25519PublicKey.from_public_bytes(public.raw)
    verifier.verify(signature.raw, message)
    make = second[f"{PREFIX}_EVP_PKEY_new"]
    make.restype = ctypes.c_void_p
    second[f"{PREFIX}_EVP_PKEY_free"](ctypes.c_void_p(make()))


def certificate() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make contexts of both sides with a certificate of one of our keys."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=localhost")
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost")]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    form = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(form + pem)
        file.flush()
        server.load_cert_chain(file.name)
    return server, ssl.create_default_context(cadata=pem.decode())


def handshake() -> None:
    """Shake hands on loopback, and pass a message each way."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        with (
            socket.create_connection(listener.getsockname()) as plain,
            client.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            tls.sendall(b"ping")
            assert tls.recv(4) == b"pong"
        thread.join()


def serve(listener: socket.socket) -> None:
    """Answer one connection."""
    plain, _ = listener.accept()
    with plain, server.wrap_socket(plain, server_side=True) as tls:
        assert tls.recv(4) == b"ping"
        tls.sendall(b"pong")


def again(work: Callable[[], None], until: float) -> None:
    """Do it at least once, and repeat until then; count."""
    while True:
        work()
        with counting:
            counts[work.__name__] = counts.get(work.__name__, 0) + 1
        if time.monotonic() >= until:
            return


edwards = keys.Ed25519PrivateKey.generate()
own_rsa = keys.RSAPrivateKey.generate(2048)
own_ec = keys.EllipticCurvePrivateKey.generate(ec.SECP256R1())
cipher = aead.AESGCM(Secret.from_bytes(bytes(32)))
server, client = certificate()

# Ours alone: its memory and its random bytes are its own.
calls = second.second_copy_calls
for _ in range(5):
    ours()
assert calls() == 0, "the extension used the allocator of another library"
the_second()
assert calls() > 0, "or the line above tries nothing"

end = time.monotonic() + float(SECONDS)
WORK = (ours, theirs, the_second, handshake) * 2
failed: list[BaseException] = []
threading.excepthook = lambda given: failed.append(
    given.exc_value or RuntimeError()
)
threads = [threading.Thread(target=again, args=(work, end)) for work in WORK]
for each in threads:
    each.start()
for each in threads:
    each.join()
assert not failed, failed
print(min(counts.get(work.__name__, 0) for work in WORK))  # noqa: T201 - its result
