"""
Programs: keys from passwords, MACs as keys, agreement by X25519.

The work memory of scrypt and Argon2id is ordinary memory by design while the
function runs, so no samples are taken then; afterwards nothing is left.
"""

from __future__ import annotations

from leak.disturbed import under_signals
from leak.refused import refused, unencrypted
from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_ALONE = "its key has a control in other programs"

_SALT = b"a salt of 16 byt"


def _derived(
    stage: Stage,
    derive: Callable[[], Any],
    most: int,
) -> None:
    made = derive()
    stage.learn(made)
    stage.check(b"derived")
    stage.repeat(lambda: derive().close(), most)
    made.close()
    stage.check(b"closed")


@program(
    "crypto.pbkdf2",
    "Hmac.digest_to_secret",
    payloads=("{key}",),
    material="symmetric",
    no_control=_ALONE,
)
def derive_by_mac(stage: Stage) -> None:
    """PBKDF2, and a MAC as a Secret; samples of both."""
    from secretmem.crypto import Hmac, pbkdf2

    key = stage.secret("{key}")
    mac = Hmac(key)

    def password() -> Any:  # noqa: ANN401 - a Secret
        return pbkdf2(key, salt=_SALT, iterations=100)

    _derived(stage, password, 200)
    _derived(stage, lambda: mac.digest_to_secret(b"message"), 1000)
    under_signals(stage, lambda: password().close(), 4)
    under_signals(stage, lambda: mac.digest_to_secret(b"message").close(), 8)
    key.close()
    stage.end()


@program(
    "crypto.argon2id",
    "crypto.scrypt",
    payloads=("{key}", "{plain}"),
    material="symmetric",
    no_control=_ALONE,
)
def derive_with_memory(stage: Stage) -> None:
    """Argon2id with a pepper, and scrypt; both also refused."""
    from secretmem.crypto import argon2id, scrypt
    from secretmem.exceptions import InvalidKey

    password, pepper = stage.secret("{key}"), stage.secret()
    _derived(
        stage,
        lambda: argon2id(
            password,
            salt=_SALT,
            iterations=1,
            memory_cost=256,
            secret=pepper,
        ),
        20,
    )
    _derived(stage, lambda: scrypt(password, salt=_SALT, n=256), 20)
    kept: list[Exception] = []
    actions: tuple[Callable[[], object], ...] = (
        lambda: scrypt(password, salt=_SALT, n=3),
        lambda: argon2id(password, salt=_SALT, max_memory=1),
    )
    for action in actions:
        try:
            action()
        except InvalidKey as error:
            kept.append(error)
    assert len(kept) == 2
    stage.check(b"refused")
    password.close()
    pepper.close()
    stage.end()


@program(
    "keys.X25519PrivateKey",
    "X25519PrivateKey.from_seed",
    "X25519PrivateKey.generate",
    "X25519PrivateKey.exchange",
    "X25519PrivateKey.public_key",
    "X25519PrivateKey.seed",
    "X25519PrivateKey.close",
    "X25519PrivateKey.closed",
    "X25519PrivateKey.from_private_bytes",
    "X25519PrivateKey.private_bytes",
    "X25519PrivateKey.private_bytes_raw",
    "X25519PrivateKey.private_numbers",
    "crypto.x25519",
    payloads=("{key}",),
    material="x25519",
    no_control=_ALONE,
)
def agree_x25519(stage: Stage) -> None:
    """Agree by X25519, with a loaded key, a new one, and raw."""
    from cryptography.hazmat.primitives.asymmetric import x25519 as pyca

    from secretmem.crypto import x25519
    from secretmem.keys import X25519PrivateKey

    seed = stage.secret("{key}")
    peer = pyca.X25519PrivateKey.generate().public_key()
    key: Any = X25519PrivateKey.from_seed(seed)
    assert key.seed() == seed
    new = X25519PrivateKey.generate()
    stage.learn(new.seed())
    stage.learn(new.exchange(key.public_key()))
    stage.check(b"loaded")
    _derived(stage, lambda: key.exchange(peer), 1000)
    assert key.exchange(peer) == x25519(seed, peer.public_bytes_raw())
    stage.check(b"raw")
    kept = refused(
        TypeError,
        lambda: key.from_private_bytes(b"as bytes"),
        lambda: key.private_bytes(*unencrypted()),
        key.private_bytes_raw,
        key.private_numbers,
    )
    assert len(kept) == 4
    under_signals(stage, lambda: key.exchange(peer).close(), 4)
    for each in (key, new):
        each.close()
        assert each.closed
    seed.close()
    stage.end()
