"""The compiled part. Checked against the extension by mypy's stubtest."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Literal, Self, SupportsIndex, TypeVar, final

from typing_extensions import Buffer, disjoint_base

__all__ = [
    "AgeStream",
    "AreaBase",
    "Ed25519Base",
    "IntakeBase",
    "KeyBase",
    "SearchBase",
    "SecretBase",
    "View",
    "X25519Base",
    "aead_open",
    "aead_open_into",
    "aead_open_to_secret",
    "aead_seal",
    "aead_seal_into",
    "age_identities",
    "age_identity_text",
    "age_open",
    "age_recipient",
    "age_recipient_text",
    "age_seal",
    "allow_tracer",
    "argon2id",
    "build_info",
    "digest_to_secret",
    "disable_speculation",
    "dotenv_field",
    "dumpable",
    "encapsulate",
    "fernet_open",
    "fernet_seal",
    "fernet_time",
    "hand_over",
    "hkdf",
    "hmac",
    "hmac_to_secret",
    "hmac_verify",
    "hotp",
    "hotp_verify",
    "json_field",
    "memfd_secret",
    "pbkdf2",
    "pem_body",
    "pkcs8_encrypt",
    "probe",
    "rsa_numbers",
    "rsa_seal_oaep",
    "scram_proof",
    "scrypt",
    "seccomp_active",
    "secure_exec",
    "set_dumpable",
    "set_no_new_privs",
    "settings",
    "ssh_add_message",
    "ssh_encrypt",
    "start",
    "started",
    "stats",
    "take_over",
    "trace_resume",
    "trace_seize",
    "trace_stopped",
    "trim",
    "x25519",
]

_S = TypeVar("_S", bound=SecretBase)

@final
class View:
    """The context manager of `SecretBase.reveal`."""

    def __enter__(self) -> memoryview: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> Literal[False]: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

@disjoint_base
class SecretBase:
    """The part of `secretmem.Secret` that touches bytes."""

    def __new__(cls, *args: object, **kwargs: object) -> Self: ...
    @classmethod
    def random(
        cls,
        size: int,
        *,
        name: str | None = None,
        inherit: bool | None = None,
        isolated: bool = False,
        flush: bool = False,
    ) -> Self: ...
    @classmethod
    def from_bytes(
        cls,
        data: Buffer,
        /,
        *,
        wipe: bool = False,
        name: str | None = None,
        inherit: bool | None = None,
        isolated: bool = False,
        flush: bool = False,
    ) -> Self: ...
    @classmethod
    def _from_str(
        cls,
        text: str,
        /,
        *,
        name: str | None = None,
        inherit: bool | None = None,
        isolated: bool = False,
        flush: bool = False,
    ) -> Self: ...
    @classmethod
    def _read(
        cls,
        fd: int,
        *,
        line: bool,
        strip: bool,
        max_size: int,
        between: Callable[[], None] | None = None,
        name: str | None = None,
        inherit: bool | None = None,
        isolated: bool = False,
        flush: bool = False,
    ) -> Self | None: ...
    @classmethod
    def _from_env(
        cls,
        variable: bytes,
        *,
        erase: bool,
        name: str | None = None,
        inherit: bool | None = None,
        isolated: bool = False,
        flush: bool = False,
    ) -> Self | None: ...
    @property
    def name(self) -> str | None: ...
    @property
    def closed(self) -> bool: ...
    @property
    def inherit(self) -> bool: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __getitem__(self, key: slice, /) -> Self: ...
    def __add__(self, other: Self | Buffer, /) -> Self: ...
    def __radd__(self, other: Buffer, /) -> Self: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...
    def matches(self, candidate: Buffer | str, /) -> bool: ...
    def strip(self) -> Self: ...
    def reveal(self, *, writable: bool = False) -> View: ...
    def close(self) -> None: ...
    def _decode(
        self, encoding: str, /, *, name: str | None = None
    ) -> Self: ...
    def _encode(
        self, encoding: str, /, *, name: str | None = None
    ) -> Self: ...
    def _write(self, fd: int, /) -> None: ...
    def _export(self) -> bytes: ...

@disjoint_base
class AreaBase:
    """The native part of `secretmem.SecretArea`."""

    def __new__(
        cls, size: int, *, share: bool, cloexec: bool, keep_fd: bool
    ) -> Self: ...
    def __len__(self) -> int: ...
    @property
    def closed(self) -> bool: ...
    def _fileno(self) -> int | None: ...
    def _close(self, *, wipe: bool) -> None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

def settings(backend: str, *, allow_pku: bool, inherit: bool) -> None: ...
def start() -> None: ...
def started() -> bool: ...
def stats() -> dict[str, Any]: ...
def trim() -> int: ...
def probe() -> tuple[Literal["ok", "errno", "signal"], int]: ...
def memfd_secret(flags: int, /) -> int: ...
def dumpable() -> bool: ...
def set_dumpable(dumpable: bool, /) -> None: ...
def set_no_new_privs() -> None: ...
def disable_speculation(which: SupportsIndex, /) -> None: ...
def seccomp_active() -> bool: ...
def secure_exec() -> bool: ...
def build_info() -> dict[str, Any]: ...

@final
class KeyBase:
    """A private key of the crypto library: RSA or a NIST curve."""

    @staticmethod
    def generate(kind: str, bits: int, *, inherit: bool | None) -> KeyBase: ...
    @staticmethod
    def load(
        encoded: SecretBase,
        passphrase: SecretBase | None,
        *,
        inherit: bool | None,
    ) -> KeyBase: ...
    @property
    def kind(self) -> str: ...
    @property
    def bits(self) -> int: ...
    @property
    def closed(self) -> bool: ...
    def public(self) -> bytes: ...
    def public_numbers(self) -> tuple[bytes, bytes]: ...
    def pkcs8(self, cls: type[_S]) -> _S: ...
    def number(self, cls: type[_S], name: str, *, mpint: bool) -> _S: ...
    def sign_ecdsa(self, digest: bytes) -> bytes: ...
    def sign_pkcs1(self, algorithm: str, digest: bytes) -> bytes: ...
    def sign_pss(
        self, algorithm: str, mgf1: str, salt_len: int, digest: bytes
    ) -> bytes: ...
    def decrypt_oaep(
        self,
        cls: type[_S],
        algorithm: str,
        mgf1: str,
        label: bytes,
        ciphertext: bytes,
    ) -> _S: ...
    def exchange(self, cls: type[_S], peer: bytes) -> _S: ...
    def sign_ml_dsa(self, message: bytes, context: bytes) -> bytes: ...
    def sign_mu(self, mu: bytes) -> bytes: ...
    def decapsulate(self, cls: type[_S], ciphertext: bytes) -> _S: ...
    def close(self) -> None: ...

@final
class Ed25519Base:
    """An Ed25519 private key."""

    @staticmethod
    def generate(*, inherit: bool | None) -> Ed25519Base: ...
    @staticmethod
    def from_seed(
        seed: SecretBase, *, inherit: bool | None
    ) -> Ed25519Base: ...
    @property
    def closed(self) -> bool: ...
    def public(self) -> bytes: ...
    def seed(self, cls: type[_S]) -> _S: ...
    def sign(self, message: Buffer) -> bytes: ...
    def close(self) -> None: ...

@final
class IntakeBase:
    """A message of known length that arrives piece by piece."""

    def __new__(cls, size: int) -> Self: ...
    @property
    def room(self) -> int: ...
    def read(self, fd: int) -> bool: ...
    def finish(self, cls: type[_S], name: str | None) -> _S: ...
    def close(self) -> None: ...

def ssh_add_message(
    message: SecretBase, /
) -> tuple[Ed25519Base | KeyBase, bytes, bytes, bytes]: ...

@final
class X25519Base:
    """An X25519 private key."""

    @staticmethod
    def generate(*, inherit: bool | None) -> X25519Base: ...
    @staticmethod
    def from_seed(seed: SecretBase, *, inherit: bool | None) -> X25519Base: ...
    @property
    def closed(self) -> bool: ...
    def public(self) -> bytes: ...
    def seed(self, cls: type[_S]) -> _S: ...
    def exchange(self, cls: type[_S], peer: bytes) -> _S: ...
    def close(self) -> None: ...

@final
class SearchBase:
    """All forms of some keys, to be looked for."""

    def __new__(cls, *keys: tuple[str, SecretBase]) -> SearchBase: ...
    def forms(self) -> list[tuple[int, str, str, int, int]]: ...
    def scan(
        self, fd: int, start: int, size: int, /
    ) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]], int]: ...
    def registers(
        self, thread: int, /
    ) -> tuple[int, list[tuple[str, tuple[int, int, int]]]]: ...
    def close(self) -> None: ...

def trace_seize(thread: int, /) -> None: ...
def trace_stopped(thread: int, /) -> int | None: ...
def trace_resume(thread: int, signal: int, /) -> None: ...
def allow_tracer(pid: int, /) -> None: ...
def x25519(
    cls: type[_S], private: SecretBase, public: bytes, name: str | None, /
) -> _S: ...
def hotp(
    algorithm: str, key: SecretBase, counter: int, digits: int, /
) -> int: ...
def hotp_verify(
    algorithm: str,
    key: SecretBase,
    counter: int,
    digits: int,
    candidate: bytes,
    /,
) -> bool: ...
def encapsulate(
    cls: type[_S], kind: str, public: bytes, /, *, inherit: bool | None
) -> tuple[_S, bytes]: ...
def pkcs8_encrypt(
    algorithm: str,
    form: SecretBase,
    passphrase: SecretBase,
    cost: tuple[int, int, int],
    salt: bytes,
    iv: bytes,
    /,
) -> bytes: ...
def ssh_encrypt(
    section: SecretBase, passphrase: SecretBase, rounds: int, salt: bytes, /
) -> bytes: ...
def pem_body(
    cls: type[_S],
    secret: SecretBase,
    label: str | None,
    name: str | None,
    /,
) -> _S: ...
def json_field(
    cls: type[_S],
    secret: SecretBase,
    path: Sequence[str | int],
    name: str | None,
    /,
) -> _S: ...
def dotenv_field(
    cls: type[_S], secret: SecretBase, field: str, name: str | None, /
) -> _S: ...
def hand_over(secret: SecretBase, /) -> int: ...
def take_over(
    cls: type[_S],
    fd: int,
    *,
    name: str | None = None,
    inherit: bool | None = None,
    isolated: bool = False,
    flush: bool = False,
) -> _S: ...
def pbkdf2(
    cls: type[_S],
    algorithm: str,
    password: SecretBase,
    salt: bytes,
    iterations: int,
    length: int,
    name: str | None,
    /,
) -> _S: ...
def scrypt(
    cls: type[_S],
    password: SecretBase,
    salt: bytes,
    cost: tuple[int, int, int],
    max_memory: int,
    length: int,
    name: str | None,
    /,
) -> _S: ...
def argon2id(
    cls: type[_S],
    password: SecretBase,
    inputs: tuple[bytes, SecretBase | None, bytes],
    cost: tuple[int, int, int],
    max_memory: int,
    length: int,
    name: str | None,
    /,
) -> _S: ...
def hmac(algorithm: str, key: SecretBase, message: Buffer, /) -> bytes: ...
def hmac_verify(
    algorithm: str, key: SecretBase, message: Buffer, mac: Buffer, /
) -> bool: ...
def hmac_to_secret(
    cls: type[_S],
    algorithm: str,
    key: SecretBase,
    message: Buffer,
    name: str | None,
    /,
) -> _S: ...
def digest_to_secret(
    cls: type[_S], algorithm: str, secret: SecretBase, name: str | None, /
) -> _S: ...
def scram_proof(
    algorithm: str, client_key: SecretBase, message: Buffer, /
) -> bytes: ...
def hkdf(
    cls: type[_S],
    algorithm: str,
    secret: SecretBase,
    salt: bytes,
    info: bytes,
    length: int,
    name: str | None,
    /,
) -> _S: ...
def aead_seal(
    algorithm: str,
    key: SecretBase,
    nonce: bytes,
    data: Buffer | SecretBase,
    aad: bytes,
    /,
) -> bytes: ...
def aead_open(
    algorithm: str,
    key: SecretBase,
    nonce: bytes,
    data: Buffer,
    aad: bytes,
    /,
) -> bytes: ...
def aead_seal_into(
    algorithm: str,
    key: SecretBase,
    nonce: bytes,
    data: Buffer | SecretBase,
    aad: bytes,
    buffer: Buffer,
    /,
) -> None: ...
def aead_open_into(
    algorithm: str,
    key: SecretBase,
    nonce: bytes,
    data: Buffer,
    aad: bytes,
    buffer: Buffer,
    /,
) -> None: ...
def aead_open_to_secret(
    cls: type[_S],
    algorithm: str,
    key: SecretBase,
    nonce: bytes,
    data: Buffer,
    aad: bytes,
    name: str | None,
    /,
) -> _S: ...
def fernet_seal(
    key: SecretBase, time: int, iv: bytes, data: Buffer, /
) -> bytes: ...
def fernet_open(
    cls: type[_S], key: SecretBase, token: bytes, name: str | None, /
) -> _S: ...
def fernet_time(token: bytes, /) -> int | None: ...

@final
class AgeStream:
    """A payload between a descriptor and ciphertext; see `secretmem.age`."""

    def __new__(cls, key: SecretBase, /) -> Self: ...
    @property
    def ended(self) -> bool: ...
    def open(self, chunk: bytes, last: bool, /) -> None: ...
    def write(self, fd: int, /) -> None: ...
    def fill(self, fd: int, /) -> int: ...
    def seal(self) -> bytes: ...

def age_identities(cls: type[_S], text: SecretBase, /) -> list[_S] | int: ...
def age_identity_text(cls: type[_S], key: SecretBase, /) -> _S: ...
def age_recipient_text(public: bytes, /) -> str: ...
def age_recipient(text: str, /) -> bytes | None: ...
def age_open(
    cls: type[_S], key: SecretBase, payload: bytes, name: str | None, /
) -> _S: ...
def age_seal(key: SecretBase, data: SecretBase | Buffer, /) -> bytes: ...
def rsa_numbers(spki: bytes, /) -> tuple[bytes, bytes] | None: ...
def rsa_seal_oaep(
    modulus: bytes,
    exponent: bytes,
    algorithm: str,
    label: bytes,
    message: SecretBase,
    /,
) -> bytes: ...
