"""What each task finds where it runs: files, servers, and what to look for."""

from __future__ import annotations

import base64
import datetime as dt
import http.server
import os
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from leak.material import KINDS
from leak.needle import Needle
from support import postgres


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path


class Stage:
    """The folder of a task, and what is to be found of its secret."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.needles: list[Needle] = []
        self.environment: dict[str, str] = {}

    def text(self, name: str) -> str:
        """Write a file with a fresh value; gives the value."""
        needle = Needle.random(size=40)
        self.needles.append(needle)
        (self.folder / name).write_bytes(needle.value)
        return needle.value.decode()

    def fernet(self, name: str) -> Fernet:
        """Write a fresh Fernet key."""
        key = Fernet.generate_key()
        (self.folder / name).write_bytes(key)
        self.needles += [Needle(key), Needle(base64.urlsafe_b64decode(key))]
        return Fernet(key)

    def pem(self, name: str, kind: str) -> None:
        """Write a fresh private key."""
        needle = KINDS[kind]()
        (self.folder / name).write_bytes(needle.texts()["pem"])
        self.needles.append(needle)


@contextmanager
def jwt_hs256(stage: Stage) -> Iterator[None]:
    """A key of letters and digits."""
    stage.text("jwt.key")
    yield


@contextmanager
def jwt_eddsa(stage: Stage) -> Iterator[None]:
    """An Ed25519 key."""
    stage.pem("ed25519.pem", "ed25519")
    yield


@contextmanager
def tls_request(stage: Stage) -> Iterator[None]:
    """A key on P-256."""
    stage.pem("tls.pem", "p256")
    yield


@contextmanager
def postgresql(stage: Stage) -> Iterator[None]:
    """A server of its own."""
    with postgres.server(stage.text("database.password")) as folder:
        stage.environment["PGHOST"] = folder
        yield


def postgresql_proof(stage: Stage) -> AbstractContextManager[None]:
    """The same server."""
    return postgresql(stage)


@contextmanager
def fernet_field(stage: Stage) -> Iterator[None]:
    """A key, and a token that exists."""
    fernet = stage.fernet("fernet.key")
    (stage.folder / "field").write_bytes(fernet.encrypt(b"as it was"))
    yield


@contextmanager
def key_rotation(stage: Stage) -> Iterator[None]:
    """The same, and a newer key."""
    with fernet_field(stage):
        stage.fernet("new.key")
        yield


@contextmanager
def kubernetes(stage: Stage) -> Iterator[None]:
    """A mount, and the kubelet as a script."""
    mounted = stage.folder / "mounted"
    for name in ("..one", "..two"):
        (mounted / name).mkdir(parents=True)
        stage.text(f"mounted/{name}/key")
    (mounted / "..data").symlink_to("..one")
    (mounted / "key").symlink_to("..data/key")
    rotate = stage.folder / "rotate"
    rotate.write_text(
        "#!/bin/sh\nln -s ..two mounted/..tmp\n"
        "mv -T mounted/..tmp mounted/..data\n"
    )
    rotate.chmod(0o755)
    yield


@contextmanager
def error_report(stage: Stage) -> Iterator[None]:
    """A token."""
    stage.text("token")
    yield


class Answer(http.server.BaseHTTPRequestHandler):
    """Says whether a token came."""

    def do_GET(self) -> None:
        """Answer, and close."""
        came = len(self.headers.get("Authorization", ""))
        body = f"{came} characters".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def bearer_token(stage: Stage) -> Iterator[None]:
    """A service with TLS in this process, which is not looked at."""
    stage.text("token")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(stage.folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    stage.environment["SERVICE"] = f"https://localhost:{server.server_port}/"
    # Of httpx, and of requests.
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        stage.environment[name] = str(stage.folder / "service.pem")
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _certificate(folder: Path) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=localhost")
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost")]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(True, None), critical=True)  # noqa: FBT003 - theirs
        .sign(key, SHA256())
    )
    path = folder / "service.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + made.public_bytes(Encoding.PEM)
    )
    return os.fspath(path)


STAGES: dict[str, Callable[[Stage], AbstractContextManager[None]]] = {
    each.__name__: each
    for each in (
        jwt_hs256,
        jwt_eddsa,
        postgresql,
        postgresql_proof,
        bearer_token,
        fernet_field,
        tls_request,
        kubernetes,
        key_rotation,
        error_report,
    )
}
