"""Programs: keys in the hands of other libraries, by our adapters."""

from __future__ import annotations

from leak.disturbed import under_signals
from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ALONE = "its key has a control in other programs"


def _ssh(stage: Stage, part: int) -> None:
    """Sign for paramiko and asyncssh, and show what they show."""
    from secretmem import keys
    from secretmem.contrib.asyncssh import KeyPair
    from secretmem.contrib.paramiko import pkey

    key: Any = keys.load_pem(stage.secret("{pem}"))
    ours, pair = pkey(key), KeyPair(key, "comment")

    def sign() -> None:
        ours.sign_ssh_data(b"message")
        pair.sign(b"message")

    shown = [repr(ours), repr(pair), ours.get_base64(), pair.get_comment()]
    stage.check(b"shown")
    assert all(shown)
    stage.repeat(sign, 50)
    under_signals(stage, sign, part)
    key.close()
    stage.end()


@program(payloads=("{pem}",), material="ed25519", no_control=_ALONE)
def ssh_ed25519(stage: Stage) -> None:
    """With an Ed25519 key."""
    _ssh(stage, 8)


@program(payloads=("{pem}",), material="rsa", no_control=_ALONE)
def ssh_rsa(stage: Stage) -> None:
    """With an RSA key."""
    _ssh(stage, 16)


@program(payloads=("{key}",), material="symmetric", no_control=_ALONE)
def scram_password(stage: Stage) -> None:
    """Derive SCRAM's keys from a password, and prove that one has it."""
    from secretmem.contrib.scram import ClientKeys

    password = stage.secret("{key}")

    def prove() -> None:
        keys = ClientKeys.from_password(password, salt=b"s", iterations=10)
        keys.proof(b"message")
        keys.close()

    keys = ClientKeys.from_password(password, salt=b"s", iterations=10)
    stage.learn(keys._client)
    stage.learn(keys._server)
    stage.check(b"derived")
    keys.close()
    stage.repeat(prove, 200)
    under_signals(stage, prove, 8)
    password.close()
    stage.end()
