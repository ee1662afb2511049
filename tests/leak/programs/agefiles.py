"""
Programs: age files, from the identity's text to the plaintext.

What is looked for is the identity, each key that is derived on the way to the
payload, and the message (`leak.agefile`); the file key of files that a
program makes is learned from it.
"""

from __future__ import annotations

import os

from leak.disturbed import under_signals
from leak.refused import refused
from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ALONE = "the identity and its file have a control in live_age"


def _age(stage: Stage) -> Any:  # noqa: ANN401 - ours or the control's
    if stage.ordinary:
        from leak import agefile

        return agefile
    from secretmem import age

    return age


def _null() -> int:
    return os.open(os.devnull, os.O_WRONLY)


@program(
    "age.Identity",
    "Identity.from_secret",
    "Identity.close",
    "Identity.closed",
    "age.decrypt",
    payloads=("{identity}", "{sealed}"),
    material="age",
)
def live_age(stage: Stage) -> None:
    """Load an identity and open a file into a Secret."""
    age = _age(stage)
    assert age.Identity
    text = stage.secret("{identity}")
    sealed = bytes(stage.buffer("{sealed}"))
    identity = age.Identity.from_secret(text)
    stage.check(b"loaded")
    message = age.decrypt(sealed, [identity])
    stage.check(b"opened")
    stage.repeat(lambda: age.decrypt(sealed, [identity]).close())
    stage.repeat(lambda: age.Identity.from_secret(text).close())
    under_signals(stage, lambda: age.decrypt(sealed, [identity]).close())
    under_signals(stage, lambda: age.Identity.from_secret(text).close(), 4)
    stage.check(b"after samples")
    identity.close()
    assert identity.closed
    text.close()
    message.close()
    stage.end()


@program(
    "age.Recipient",
    "Recipient.parse",
    "Recipient.public",
    "Recipient.wrap",
    "Identity.recipient",
    "Identity.unwrap",
    "Identity.text",
    "Identity.generate",
    "age.Stanza",
    "Stanza.kind",
    "Stanza.arguments",
    "Stanza.body",
    "age.encrypt",
    "age.load_identities",
    payloads=("{identity}", "{plain}"),
    material="age",
    no_control=_ALONE,
)
def seal_age(stage: Stage) -> None:
    """Wrap and unwrap a file key; encrypt a Secret; write an identity."""
    from secretmem import Secret, age

    text, message = stage.secret("{identity}"), stage.secret("{plain}")
    (identity,) = age.load_identities(text)
    assert isinstance(identity, age.Identity)
    recipient = age.Recipient.parse(str(identity.recipient))
    assert recipient.public == identity.recipient.public
    file_key = Secret.random(16)
    stage.learn(file_key)
    stanza = recipient.wrap(file_key)
    assert isinstance(stanza, age.Stanza)
    assert (stanza.kind, len(stanza.arguments)) == ("X25519", 1)
    assert len(stanza.body) == 32
    stage.check(b"wrapped")
    again = identity.unwrap(stanza)
    assert again == file_key
    new = age.Identity.generate()
    stage.learn(new._key.seed(Secret))
    new.text().close()
    stage.check(b"written")
    sealed = age.encrypt(message, [recipient, new.recipient])
    assert age.decrypt(sealed, [identity]) == message
    stage.repeat(lambda: age.encrypt(message, [recipient]))
    stage.repeat(lambda: identity.text().close())

    def wrap() -> None:
        key = identity.unwrap(recipient.wrap(file_key))
        assert key is not None
        key.close()

    under_signals(stage, wrap, 2)
    under_signals(stage, lambda: age.encrypt(message, [recipient]), 2)
    under_signals(stage, lambda: age.Identity.generate().text().close(), 4)
    for each in (identity, new, file_key, text, message):
        each.close()
    stage.end()


@program(
    "age.encrypt_fd",
    "age.decrypt_to_fd",
    payloads=("{identity}", "{sealed}", "{plain}"),
    material="age",
    no_control=_ALONE,
)
def stream_age(stage: Stage) -> None:
    """Plaintext from a pipe, and to a descriptor; several chunks too."""
    from secretmem import age

    with stage.secret("{identity}") as text:
        identity = age.Identity.from_secret(text)
    sealed = bytes(stage.buffer("{sealed}"))
    source, sink = stage.source("{plain}"), _null()
    with open("whole.age", "w+b") as target:  # noqa: PTH123 - as programs do
        age.encrypt_fd(source, target, [identity.recipient])
        stage.check(b"sealed from a pipe")
        target.seek(0)
        message = age.decrypt(target, [identity])
        stage.check(b"opened again")
    assert age.decrypt_to_fd(sealed, sink, [identity]) == len(message)
    stage.check(b"opened to a descriptor")
    stage.repeat(lambda: age.decrypt_to_fd(sealed, sink, [identity]))
    under_signals(
        stage, lambda: age.decrypt_to_fd(sealed, sink, [identity]), 2
    )

    def seal() -> None:
        reader = stage.pipe_of(message)
        age.encrypt_fd(reader, sink, [identity.recipient])
        os.close(reader)

    stage.repeat(seal)
    under_signals(stage, seal, 2)
    long = message
    while len(long) < 200_000:
        long += long
    big = age.encrypt(long, [identity.recipient])
    under_signals(stage, lambda: age.decrypt_to_fd(big, sink, [identity]), 2)
    under_signals(stage, lambda: age.encrypt(long, [identity.recipient]), 4)
    stage.check(b"long ones")
    for each in (identity, message, long):
        each.close()
    stage.end()


@program(
    "age.Passphrase",
    "Passphrase.wrap",
    "Passphrase.unwrap",
    "Passphrase.close",
    "age.is_encrypted",
    payloads=("{plain}", "{identity}"),
    material="age",
    no_control="its work memory is ordinary memory; looks come afterwards",
)
def passphrase_age(stage: Stage) -> None:
    """A passphrase, and an identity that is encrypted with it."""
    from secretmem import Secret, age

    phrase = age.Passphrase(stage.secret("{plain}"), work_factor=6)
    text = stage.secret("{identity}")
    file_key = Secret.random(16)
    stage.learn(file_key)
    assert phrase.unwrap(phrase.wrap(file_key)) == file_key
    stage.check(b"wrapped")
    with open("key.age", "wb") as file:  # noqa: PTH123 - as programs do
        file.write(age.encrypt(text, [phrase]))
    assert age.is_encrypted("key.age")
    with Secret.random(8) as wrong:
        refused(
            age.NoMatchError, lambda: age.load_identities("key.age", wrong)
        )
    phrases = phrase._passphrase

    def load() -> None:
        for each in age.load_identities("key.age", phrases):
            each.close()

    stage.repeat(load, 100)
    for each in (phrase, file_key, text):
        each.close()
    stage.end()


_FILES = ("{pem}", "{encrypted}", "{passphrase}")


@program(
    "age.SSHIdentity",
    "SSHIdentity.close",
    "SSHIdentity.closed",
    "SSHIdentity.from_file",
    "SSHIdentity.from_secret",
    "SSHIdentity.recipient",
    "SSHIdentity.unwrap",
    "age.SSHRecipient",
    "SSHRecipient.kind",
    "SSHRecipient.parse",
    "SSHRecipient.tag",
    "SSHRecipient.wrap",
    "age.parse_recipient",
    payloads=_FILES,
    material="ed25519",
    no_control=_ALONE,
)
def ssh_age(stage: Stage) -> None:
    """Load an ssh key and open a file with it."""
    from secretmem import Secret, age

    text, encrypted = stage.secret("{pem}"), stage.secret("{encrypted}")
    passphrase = stage.secret("{passphrase}")
    with open("key.pem", "wb") as file:  # noqa: PTH123 - ciphertext
        encrypted.write_to(file)
    with age.SSHIdentity.from_file("key.pem", passphrase) as loaded:
        identity = age.SSHIdentity.from_secret(text)
        assert loaded.recipient == identity.recipient
    stage.check(b"loaded")
    recipient = age.SSHRecipient.parse(str(identity.recipient))
    assert recipient == age.parse_recipient(str(recipient))
    file_key = Secret.random(16)
    stanza = recipient.wrap(file_key)
    assert (stanza.kind, stanza.arguments[0]) == (
        recipient.kind,
        recipient.tag,
    )

    def unwrap() -> None:
        key = identity.unwrap(stanza)
        assert key is not None
        key.close()

    stage.repeat(unwrap, 100)
    stage.repeat(lambda: recipient.wrap(file_key), 100)
    under_signals(stage, unwrap, 4)
    under_signals(stage, lambda: age.SSHIdentity.from_secret(text).close(), 8)
    for each in (identity, text, encrypted, passphrase, file_key):
        each.close()
    assert identity.closed
    stage.end()


@program(payloads=_FILES, material="rsa", no_control=_ALONE)
def ssh_rsa_age(stage: Stage) -> None:
    """The same with ssh-rsa."""
    ssh_age(stage)


@program(
    "age.AgeError",
    "age.NoMatchError",
    "age.DamagedFileError",
    "age.WorkFactorError",
    "Identity.from_file",
    "age.load_recipients",
    payloads=("{identity}", "{sealed}"),
    material="age",
    no_control=_ALONE,
)
def refuse_age(stage: Stage) -> None:
    """Errors, kept with their tracebacks: keys, files, an exception."""
    from secretmem import Secret, age
    from secretmem.exceptions import InvalidKey

    text, sink = stage.secret("{identity}"), _null()
    sealed = bytes(stage.buffer("{sealed}"))
    identity, stranger = (
        age.Identity.from_secret(text),
        age.Identity.generate(),
    )
    cheap = age.Passphrase(Secret.from_bytes(b"x"), max_work_factor=1)
    costly = age.Passphrase(Secret.from_bytes(b"x"), work_factor=2)
    locked = age.encrypt(b"", [costly])
    changed = sealed.replace(b"--- ", b"-> grease\n\n--- ", 1)
    # The last letter of the identity, and its checksum's beginning.
    bent = text[:-2] + b"!\n"
    cut = text[:-10]
    with open("recipients", "w") as file:  # noqa: PTH123 - as programs do
        file.write("age1x")

    def fail(_done: int) -> None:
        raise OSError("a failing caller")

    def every() -> list[Exception]:
        return [
            *refused(
                age.AgeError,
                lambda: age.decrypt(sealed, [stranger]),
                lambda: age.decrypt(locked, [cheap]),
            ),
            *refused(
                age.DamagedFileError,
                lambda: age.decrypt(sealed[:-1], [identity]),
                lambda: age.decrypt_to_fd(sealed[:-1], sink, [identity]),
                lambda: age.decrypt(changed, [identity]),
                lambda: age.decrypt(sealed[:40], [identity]),
            ),
            *refused(
                InvalidKey,
                lambda: age.Identity.from_secret(bent),
                lambda: age.Identity.from_secret(cut),
                lambda: age.Identity.from_file("recipients"),
                lambda: age.load_recipients("recipients"),
                lambda: age.SSHIdentity.from_secret(text),
                lambda: age.encrypt(text, []),
            ),
            *refused(
                OSError,
                lambda: age.decrypt_to_fd(
                    sealed, sink, [identity], progress=fail
                ),
            ),
            *refused(
                ValueError,
                lambda: age.decrypt(sealed, [identity], max_size=1),
            ),
        ]

    kept = every()
    assert isinstance(kept[0], age.NoMatchError)
    assert isinstance(kept[1], age.WorkFactorError)
    stage.check(b"refused")
    stage.repeat(every, 50)
    under_signals(stage, every)
    stage.check(b"after samples")
    for each in (identity, stranger, text, bent, cut):
        each.close()
    assert len(kept) == 14
    stage.end()
