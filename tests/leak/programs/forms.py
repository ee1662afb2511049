"""
Programs: keys in other forms, and one-time passwords.

JSON Web Keys, encrypted PKCS#8, the bodies of PEM blocks, base32.
"""

from __future__ import annotations

from leak.disturbed import under_signals
from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_ALONE = "its key has a control in other programs"

_FILES = ("{pem}", "{passphrase}")


def _kept(kind: type[Exception], *actions: Callable[[], object]) -> None:
    """Do what must fail; the errors live as long as this function."""
    kept: list[Exception] = []
    for action in actions:
        try:
            action()
        except kind as error:
            kept.append(error)
    assert len(kept) == len(actions), "something was not refused"


def _there_and_back(stage: Stage, part: int = 8) -> None:
    """Write a key in every form and read it; damaged forms too."""
    from cryptography.hazmat.primitives import serialization as forms

    from secretmem import Secret, keys
    from secretmem.exceptions import InvalidKey

    key: Any = keys.load_pem(stage.secret("{pem}"))
    words = stage.secret("{passphrase}")
    scrypt = keys.PassphraseEncryption(words)
    scrypt.cost = (1 << 4, 8, 1)
    pbkdf2 = keys.PassphraseEncryption(words, kdf="pbkdf2", rounds=10)
    files = [
        key.private_bytes(
            forms.Encoding.PEM, forms.PrivateFormat.PKCS8, encryption
        )
        for encryption in (scrypt, pbkdf2)
    ]
    bcrypt = keys.PassphraseEncryption(words, kdf="bcrypt", rounds=1)
    openssh = key.private_bytes(
        forms.Encoding.PEM, forms.PrivateFormat.OpenSSH, bcrypt
    )
    files.append(openssh)
    stage.check(b"encrypted")

    def ssh() -> None:
        key.private_bytes(
            forms.Encoding.PEM, forms.PrivateFormat.OpenSSH, bcrypt
        )

    def jwk() -> None:
        with key.jwk() as document:
            keys.load_jwk(document).close()

    def pkcs8() -> None:
        with key.pkcs8() as form:
            keys.load_der(form).close()
            scrypt.encrypt(form)
            pbkdf2.encrypt(form)

    def encrypted() -> None:
        for file in files:
            with Secret.from_bytes(file) as text:
                keys.load_pem(text, words).close()

    def refused() -> None:
        with key.jwk() as document, Secret.from_bytes(files[0]) as text:
            _kept(
                InvalidKey,
                lambda: keys.load_jwk(document[:-9]),
                lambda: keys.load_jwk(document + b"x"),
                lambda: keys.load_jwk(document[:40] + document[44:]),
                lambda: keys.load_pem(text, words[1:]),
                lambda: keys.load_pem(text),
            )

    for action in (jwk, pkcs8, ssh, encrypted, refused):
        stage.repeat(action, 20)
        under_signals(stage, action, part)
    key.close()
    words.close()
    stage.end()


@program(
    "keys.load_jwk",
    "keys.PassphraseEncryption",
    "PassphraseEncryption.encrypt",
    "Ed25519PrivateKey.jwk",
    "Ed25519PrivateKey.pkcs8",
    payloads=_FILES,
    material="ed25519",
    no_control=_ALONE,
)
def live_forms_ed25519(stage: Stage) -> None:
    """An Ed25519 key: load_jwk, jwk, pkcs8, PassphraseEncryption.encrypt."""
    _there_and_back(stage)


@program(
    "EllipticCurvePrivateKey.jwk",
    payloads=_FILES,
    material="p256",
    no_control=_ALONE,
)
def live_forms_p256(stage: Stage) -> None:
    """A key on P-256: jwk."""
    _there_and_back(stage)


@program(
    "RSAPrivateKey.jwk",
    payloads=_FILES,
    material="rsa",
    no_control=_ALONE,
)
def live_forms_rsa(stage: Stage) -> None:
    """An RSA key: jwk."""
    _there_and_back(stage, 16)


@program(
    "X25519PrivateKey.jwk",
    "X25519PrivateKey.pkcs8",
    payloads=("{key}",),
    material="x25519",
    no_control=_ALONE,
)
def forms_x25519(stage: Stage) -> None:
    """An X25519 key."""
    from secretmem import keys

    seed = stage.secret("{key}")
    key = keys.X25519PrivateKey.from_seed(seed)

    def both() -> None:
        with key.jwk() as document, key.pkcs8() as form:
            keys.load_jwk(document).close()
            keys.load_der(form).close()

    stage.repeat(both, 50)
    under_signals(stage, both, 8)
    for each in (seed, key):
        each.close()
    stage.end()


@program(
    "Secret.from_pem",
    payloads=("{pem}",),
    material="ed25519",
    no_control=_ALONE,
)
def bodies(stage: Stage) -> None:
    """The body of a PEM block; damaged blocks are refused."""
    from secretmem import Secret

    text = stage.secret("{pem}")
    body = Secret.from_pem(text, label="PRIVATE KEY")
    stage.check(b"decoded")
    assert len(body) == 48

    def again() -> None:
        Secret.from_pem(text).close()

    stage.repeat(again)
    under_signals(stage, again, 8)
    _kept(
        ValueError,
        lambda: Secret.from_pem(text, label="KEY"),
        lambda: Secret.from_pem(text[:60]),
        lambda: Secret.from_pem(text[:40] + text[41:]),
    )
    stage.check(b"refused")
    for each in (text, body):
        each.close()
    stage.end()


@program(
    "Secret.from_base32",
    "twofactor.HOTP",
    "twofactor.TOTP",
    "twofactor.InvalidToken",
    "HOTP.generate",
    "HOTP.verify",
    "HOTP.get_provisioning_uri",
    "HOTP.close",
    "TOTP.generate",
    "TOTP.verify",
    "TOTP.get_provisioning_uri",
    "TOTP.close",
    payloads=("{key}",),
    material="symmetric",
    no_control=_ALONE,
)
def live_passwords(stage: Stage) -> None:
    """Make and verify passwords, by all hashes; the URI and back."""
    from secretmem import Secret
    from secretmem.crypto.twofactor import HOTP, TOTP, InvalidToken

    key = stage.secret("{key}")
    made = [HOTP(key, 8, name) for name in ("sha1", "sha256", "sha512")]
    by_time = TOTP(key, 6, "sha1", 30)

    def right() -> None:
        for each in made:
            each.verify(each.generate(7), 7)
        by_time.verify(by_time.generate(59), 59)

    def wrong() -> None:
        _kept(
            InvalidToken,
            lambda: made[0].verify(b"0000000x", 1),
            lambda: by_time.verify(b"", 1),
        )

    uri = by_time.get_provisioning_uri("a", "b")
    other = made[0].get_provisioning_uri("a", 0, "b")
    stage.check(b"written")
    start = len("otpauth://totp/b:a?digits=6&secret=")
    with uri[start : start + 52] as text:
        again = Secret.from_base32(text)
        assert again == key
    for action in (right, wrong):
        stage.repeat(action, 300)
        under_signals(stage, action, 8)
    for secret in (uri, other, again):
        secret.close()
    by_time.close()
    made[0].close()
    stage.end()
