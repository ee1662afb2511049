"""
Programs: the life of a private key, from its file to its end.

Loaded, used once and many times, used while samples are taken and signals
arrive, closed; at the end perhaps a core file. The control is the same with
``cryptography``.
"""

from __future__ import annotations

from leak.disturbed import under_signals
from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_FILES = ("{pem}", "{encrypted}", "{passphrase}")
_LOADED = "what is loaded has a control"


def _modules(stage: Stage) -> Any:  # noqa: ANN401 - ours or the control's
    if stage.ordinary:
        from leak import pyca

        return pyca.keys
    from secretmem import keys

    return keys


def live(
    stage: Stage,
    use: Callable[[Any], object],
    most: int = 1000,
    part: int = 1,
) -> None:
    """Load both files, use, load again under samples, close."""
    load = _modules(stage).load_pem
    plain, encrypted, passphrase = (stage.secret(each) for each in _FILES)
    key = load(plain)
    stage.check(b"loaded")
    again = load(encrypted, passphrase)
    stage.check(b"loaded, encrypted")
    assert key.public_key() == again.public_key()
    again.close()
    stage.check(b"one of two closed")
    stage.repeat(lambda: use(key), most)
    under_signals(stage, lambda: use(key), part)
    under_signals(stage, lambda: load(plain).close(), 8 * part)
    under_signals(stage, lambda: load(encrypted, passphrase).close(), 8 * part)
    stage.check(b"after samples")
    key.close()
    for secret in (plain, encrypted, passphrase):
        secret.close()
    stage.end()


def _hash() -> Any:  # noqa: ANN401 - loaded late
    from cryptography.hazmat.primitives.hashes import SHA256

    return SHA256()


def _ecdsa(key: Any) -> bytes:  # noqa: ANN401 - ours or pyca's
    from cryptography.hazmat.primitives.asymmetric import ec

    signature: bytes = key.sign(b"message", ec.ECDSA(_hash()))
    return signature


@program("keys.load_pem", payloads=_FILES, material="ed25519")
def live_ed25519(stage: Stage) -> None:
    """Sign with Ed25519; load_pem reads the files."""
    live(stage, lambda key: key.sign(b"message"))


@program(payloads=_FILES, material="p256")
def live_p256(stage: Stage) -> None:
    """Sign with P-256."""
    live(stage, _ecdsa)


@program(payloads=_FILES, material="p384")
def live_p384(stage: Stage) -> None:
    """Sign with P-384."""
    live(stage, _ecdsa, 300, 4)


@program(payloads=_FILES, material="p521")
def live_p521(stage: Stage) -> None:
    """Sign with P-521."""
    live(stage, _ecdsa, 300, 4)


@program(payloads=_FILES, material="rsa")
def live_rsa(stage: Stage) -> None:
    """Sign by PKCS1 v1.5 and by PSS in turn."""
    from cryptography.hazmat.primitives.asymmetric import padding

    pss = padding.PSS(padding.MGF1(_hash()), 32)
    pads = [padding.PKCS1v15(), pss]

    def use(key: Any) -> None:  # noqa: ANN401 - ours or pyca's
        pads.reverse()
        key.sign(b"message", pads[0], _hash())

    live(stage, use, 200)


@program(
    "keys.RSAPrivateKey",
    "RSAPrivateKey.decrypt_to_secret",
    "RSAPrivateKey.decrypt",
    "RSAPrivateKey.key_size",
    payloads=("{pem}", "{sealed}"),
    material="rsa",
)
def decrypt_rsa(stage: Stage) -> None:
    """Decrypt by OAEP, to a Secret and, last, to bytes."""
    from cryptography.hazmat.primitives.asymmetric import padding

    key = _modules(stage).load_pem(stage.secret("{pem}"))
    if not stage.ordinary:
        from secretmem.keys import RSAPrivateKey

        assert isinstance(key, RSAPrivateKey)
    assert key.key_size == 2048
    sealed = bytes(stage.buffer("{sealed}"))
    pad = padding.OAEP(padding.MGF1(_hash()), _hash(), None)
    message = key.decrypt_to_secret(sealed, pad)
    stage.check(b"decrypted")
    stage.repeat(lambda: key.decrypt_to_secret(sealed, pad).close(), 100)
    under_signals(stage, lambda: key.decrypt_to_secret(sealed, pad).close(), 4)
    stage.check(b"after samples")
    copy = key.decrypt(sealed, pad)
    stage.copied(b"to bytes")
    assert len(copy) == len(message) == 24


@program(
    "keys.EllipticCurvePrivateKey",
    "EllipticCurvePrivateKey.exchange",
    "EllipticCurvePrivateKey.curve",
    "EllipticCurvePrivateKey.key_size",
    payloads=("{pem}",),
    material="p256",
)
def exchange_p256(stage: Stage) -> None:
    """Agree on a secret with another key."""
    from cryptography.hazmat.primitives.asymmetric import ec

    key = _modules(stage).load_pem(stage.secret("{pem}"))
    if not stage.ordinary:
        from secretmem.keys import EllipticCurvePrivateKey

        assert isinstance(key, EllipticCurvePrivateKey)
    assert key.key_size == key.curve.key_size
    peer = ec.generate_private_key(ec.SECP256R1()).public_key()
    shared = key.exchange(ec.ECDH(), peer)
    stage.learn(shared)
    stage.check(b"agreed")

    def agree() -> None:
        key.exchange(ec.ECDH(), peer).close()

    stage.repeat(agree)
    under_signals(stage, agree, 4)
    shared.close()
    key.close()
    stage.end()


@program(
    "keys.load_file",
    "keys.load_der",
    payloads=("{passphrase}", "{der}"),
    files={"key.pem": "{encrypted}"},
    material="rsa",
    no_control=_LOADED,
)
def load_otherwise(stage: Stage) -> None:
    """From a file and from DER; PKCS#8 in DER as a Secret."""
    from secretmem import keys

    passphrase = stage.secret("{passphrase}")
    path = f"{stage.folder}/key.pem"
    stage.repeat(lambda: keys.load_file(path, passphrase).close(), 20)
    der = stage.secret("{der}")
    key = keys.load_der(der)
    stage.check(b"loaded")
    stage.repeat(lambda: keys.load_der(der).close(), 100)
    key.close()
    stage.end()


@program(
    "keys.Ed25519PrivateKey",
    "Ed25519PrivateKey.from_seed",
    "Ed25519PrivateKey.generate",
    "Ed25519PrivateKey.sign",
    "Ed25519PrivateKey.public_key",
    "Ed25519PrivateKey.seed",
    "Ed25519PrivateKey.close",
    "Ed25519PrivateKey.closed",
    payloads=("{key}",),
    material="ed25519",
    no_control=_LOADED,
)
def ed25519(stage: Stage) -> None:
    """From a seed, and a new one."""
    from secretmem.keys import Ed25519PrivateKey

    seed = stage.secret("{key}")
    old = Ed25519PrivateKey.from_seed(seed)
    stage.check(b"of a seed")
    assert old.seed() == seed
    new = Ed25519PrivateKey.generate()
    stage.learn(new.seed())
    stage.check(b"generated")
    for key in (old, new):
        key.public_key().verify(key.sign(b"message"), b"message")
        stage.check(b"signed")
        key.close()
        assert key.closed
    seed.close()
    stage.end()


@program(
    "EllipticCurvePrivateKey.generate",
    "EllipticCurvePrivateKey.sign",
    "EllipticCurvePrivateKey.public_key",
    "EllipticCurvePrivateKey.pkcs8",
    "EllipticCurvePrivateKey.close",
    "EllipticCurvePrivateKey.closed",
    payloads=(),
    material="p384",
    no_control=_LOADED,
)
def new_curves(stage: Stage) -> None:
    """Make keys on all curves, write them, sign."""
    from cryptography.hazmat.primitives.asymmetric import ec

    from secretmem.keys import EllipticCurvePrivateKey

    for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()):
        key = EllipticCurvePrivateKey.generate(curve)
        form = key.pkcs8()
        stage.learn(form)
        stage.check(b"generated")
        algorithm = ec.ECDSA(_hash())
        signature = key.sign(b"message", algorithm)
        key.public_key().verify(signature, b"message", algorithm)
        stage.check(b"signed")
        form.close()
        key.close()
        assert key.closed
    stage.end()


@program(
    "RSAPrivateKey.generate",
    "RSAPrivateKey.sign",
    "RSAPrivateKey.public_key",
    "RSAPrivateKey.pkcs8",
    "RSAPrivateKey.close",
    "RSAPrivateKey.closed",
    payloads=(),
    material="rsa",
    no_control=_LOADED,
)
def new_rsa(stage: Stage) -> None:
    """Make an RSA key, write it, sign."""
    from cryptography.hazmat.primitives.asymmetric import padding

    from secretmem.keys import RSAPrivateKey

    key = RSAPrivateKey.generate(2048)
    form = key.pkcs8()
    stage.learn(form)
    stage.check(b"generated")
    pad = padding.PKCS1v15()
    signature = key.sign(b"message", pad, _hash())
    key.public_key().verify(signature, b"message", pad, _hash())
    stage.check(b"signed")
    form.close()
    key.close()
    assert key.closed
    stage.end()
