"""Programs: the life of keys of ML-DSA and ML-KEM."""

from __future__ import annotations

from leak.disturbed import under_signals
from leak.programs.keys import live
from leak.refused import refused, unencrypted
from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FILES = ("{pem}", "{encrypted}", "{passphrase}")
_LOADED = "what is loaded has a control"


@program(payloads=_FILES, material="ml-dsa")
def live_ml_dsa(stage: Stage) -> None:
    """Load, sign, close."""
    live(stage, lambda key: key.sign(b"message"), 100, 4)


@program(payloads=(*_FILES, "{sealed}"), material="ml-kem")
def live_ml_kem(stage: Stage) -> None:
    """Load, decapsulate, close."""
    sealed = bytes(stage.buffer("{sealed}"))

    def use(key: Any) -> None:  # noqa: ANN401 - ours or pyca's
        if stage.ordinary:
            key.decapsulate(sealed)
        else:
            key.decapsulate_to_secret(sealed).close()

    live(stage, use, 200, 4)


@program(
    "keys.MLDSA44PrivateKey",
    "keys.MLDSA65PrivateKey",
    "keys.MLDSA87PrivateKey",
    "MLDSA65PrivateKey.from_seed",
    "MLDSA65PrivateKey.generate",
    "MLDSA65PrivateKey.sign",
    "MLDSA65PrivateKey.sign_mu",
    "MLDSA65PrivateKey.public_key",
    "MLDSA65PrivateKey.public_bytes_raw",
    "MLDSA65PrivateKey.seed",
    "MLDSA65PrivateKey.pkcs8",
    "MLDSA65PrivateKey.close",
    "MLDSA65PrivateKey.closed",
    payloads=("{key}",),
    material="ml-dsa",
    no_control=_LOADED,
)
def ml_dsa(stage: Stage) -> None:
    """From a seed, and new ones; by a context and by mu."""
    from secretmem import keys

    seed = stage.secret("{key}")
    old = keys.MLDSA65PrivateKey.from_seed(seed)
    stage.check(b"of a seed")
    assert old.seed() == seed
    new = keys.MLDSA65PrivateKey.generate()
    stage.learn(new.seed())
    stage.check(b"generated")
    for key in (old, new):
        public = key.public_key()
        assert public.public_bytes_raw() == key.public_bytes_raw()
        public.verify(key.sign(b"message", b"context"), b"message", b"context")
        public.verify_mu(key.sign_mu(bytes(64)), bytes(64))
        stage.check(b"signed")
        key.pkcs8().close()
        key.close()
        assert key.closed
    for cls in (keys.MLDSA44PrivateKey, keys.MLDSA87PrivateKey):
        other = cls.from_seed(seed)
        other.sign(b"message")
        other.close()
        stage.check(b"another size")
    seed.close()
    stage.end()


@program(
    "keys.MLKEM512PrivateKey",
    "keys.MLKEM768PrivateKey",
    "keys.MLKEM1024PrivateKey",
    "keys.encapsulate",
    "MLKEM768PrivateKey.from_seed",
    "MLKEM768PrivateKey.generate",
    "MLKEM768PrivateKey.decapsulate_to_secret",
    "MLKEM768PrivateKey.public_key",
    "MLKEM768PrivateKey.public_bytes_raw",
    "MLKEM768PrivateKey.seed",
    "MLKEM768PrivateKey.pkcs8",
    "MLKEM768PrivateKey.close",
    "MLKEM768PrivateKey.closed",
    payloads=("{key}",),
    material="ml-kem",
    no_control=_LOADED,
)
def ml_kem(stage: Stage) -> None:
    """From a seed, and new ones; both sides of an agreement."""
    from secretmem import keys

    seed = stage.secret("{key}")
    old = keys.MLKEM768PrivateKey.from_seed(seed)
    stage.check(b"of a seed")
    assert old.seed() == seed
    new = keys.MLKEM768PrivateKey.generate()
    stage.learn(new.seed())
    stage.check(b"generated")
    for key in (old, new):
        shared, sealed = keys.encapsulate(key.public_key())
        stage.learn(shared)
        stage.check(b"encapsulated")
        again = key.decapsulate_to_secret(sealed)
        assert again == shared
        stage.check(b"decapsulated")
        raw = key.public_bytes_raw()
        stage.repeat(lambda raw=raw: keys.encapsulate(raw)[0].close(), 100)  # type: ignore[misc]  # bound early
        under_signals(
            stage,
            lambda raw=raw: keys.encapsulate(raw)[0].close(),  # type: ignore[misc]  # as above
            4,
        )
        shared.close()
        again.close()
        key.pkcs8().close()
        key.close()
        assert key.closed
    for cls in (keys.MLKEM512PrivateKey, keys.MLKEM1024PrivateKey):
        other = cls.from_seed(seed)
        shared, sealed = keys.encapsulate(other.public_bytes_raw())
        assert other.decapsulate_to_secret(sealed) == shared
        stage.check(b"another size")
        shared.close()
        other.close()
    seed.close()
    stage.end()


@program(
    "MLKEM768PrivateKey.decapsulate",
    payloads=("{key}",),
    material="ml-kem",
    no_control=_LOADED,
)
def ml_kem_to_bytes(stage: Stage) -> None:
    """A shared secret as bytes is a copy, and counted."""
    from secretmem import keys, posture

    seed = stage.secret("{key}")
    key = keys.MLKEM768PrivateKey.from_seed(seed)
    shared, sealed = keys.encapsulate(key.public_bytes_raw())
    before = sum(posture().exports.values())
    copy = key.decapsulate(sealed)
    assert shared.matches(copy)
    assert sum(posture().exports.values()) == before + 1
    stage.check(b"the key itself stays")


@program(
    "MLDSA65PrivateKey.from_private_bytes",
    "MLDSA65PrivateKey.from_seed_bytes",
    "MLDSA65PrivateKey.private_bytes",
    "MLDSA65PrivateKey.private_bytes_raw",
    "MLDSA65PrivateKey.private_numbers",
    "MLDSA65PrivateKey.jwk",
    payloads=("{pem}",),
    material="ml-dsa",
    no_control=_LOADED,
)
def refused_ml_dsa(stage: Stage) -> None:
    """A key does not give its bytes; wrong lengths are errors."""
    from cryptography.exceptions import UnsupportedAlgorithm

    from secretmem import Secret, keys
    from secretmem.exceptions import ClosedError, InvalidKey

    key: Any = keys.load_pem(stage.secret("{pem}"))
    said = refused(
        TypeError,
        lambda: key.from_private_bytes(b"as bytes"),
        lambda: key.from_seed_bytes(bytes(32)),
        lambda: key.private_bytes(*unencrypted()),
        key.private_bytes_raw,
        key.private_numbers,
    )
    said += refused(UnsupportedAlgorithm, key.jwk)
    said += refused(
        InvalidKey,
        lambda: key.sign(b"message", bytes(256)),
        lambda: key.sign_mu(bytes(63)),
        lambda: key.from_seed(Secret.random(33)),
    )
    shown = [repr(key), str(key)]
    stage.check(b"refused")
    key.close()
    said += refused(ClosedError, lambda: key.sign(b"message"))
    stage.check(b"closed")
    assert said
    assert shown


@program(
    "MLKEM768PrivateKey.from_private_bytes",
    "MLKEM768PrivateKey.from_seed_bytes",
    "MLKEM768PrivateKey.private_bytes",
    "MLKEM768PrivateKey.private_bytes_raw",
    "MLKEM768PrivateKey.private_numbers",
    "MLKEM768PrivateKey.jwk",
    payloads=("{pem}",),
    material="ml-kem",
    no_control=_LOADED,
)
def refused_ml_kem(stage: Stage) -> None:
    """The same; a ciphertext for another key is no error."""
    from cryptography.exceptions import UnsupportedAlgorithm

    from secretmem import Secret, keys
    from secretmem.exceptions import ClosedError, InvalidKey

    key: Any = keys.load_pem(stage.secret("{pem}"))
    said = refused(
        TypeError,
        lambda: key.from_private_bytes(b"as bytes"),
        lambda: key.from_seed_bytes(bytes(64)),
        lambda: key.private_bytes(*unencrypted()),
        key.private_bytes_raw,
        key.private_numbers,
    )
    said += refused(UnsupportedAlgorithm, key.jwk)
    said += refused(
        InvalidKey,
        lambda: key.decapsulate_to_secret(bytes(1087)),
        lambda: key.from_seed(Secret.random(32)),
        lambda: keys.encapsulate(bytes(100)),
        lambda: keys.encapsulate(b"\xff" * 1184),
    )
    other = key.decapsulate_to_secret(bytes(1088))
    stage.check(b"refused")
    other.close()
    key.close()
    said += refused(
        ClosedError, lambda: key.decapsulate_to_secret(bytes(1088))
    )
    stage.check(b"closed")
    assert said
