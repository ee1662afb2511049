"""
Programs: streams, whose key is derived for each; limits of a key.

What is looked for is the main key and the stream's own, which the driver
learns, with what AES makes of them.
"""

from __future__ import annotations

from leak.disturbed import under_signals
from leak.stage import Stage, program


_NO_COUNTERPART = "cryptography has no streams"


@program(
    "stream.Encryptor",
    "stream.Decryptor",
    "Encryptor.update",
    "Encryptor.finalize",
    "Encryptor.close",
    "Decryptor.update",
    "Decryptor.finalize",
    "Decryptor.close",
    payloads=("{key}",),
    material="symmetric",
    no_control=_NO_COUNTERPART,
)
def live_stream(stage: Stage) -> None:
    """Encrypt and decrypt by pieces, to the end and not."""
    from secretmem.crypto.stream import Decryptor, Encryptor

    key, data = stage.secret("{key}"), bytes(1000)

    def both() -> None:
        made = Encryptor(key, b"aad", segment_size=256)
        sealed = made.update(data) + made.finalize()
        read = Decryptor(key, b"aad", segment_size=256)
        read.update(sealed)
        read.finalize()

    first = Encryptor(key, b"aad", segment_size=256)
    assert first._cipher is not None
    stage.learn(first._cipher._key)
    sealed = first.update(data)
    stage.check(b"encrypting")
    second = Decryptor(key, b"aad", segment_size=256)
    second.update(sealed)
    stage.check(b"decrypting")
    for stream in (first, second):
        stream.close()
    stage.check(b"closed")
    stage.repeat(both, 300)
    under_signals(stage, both, 4)
    key.close()
    stage.end()


@program(
    "stream.encrypt",
    "stream.decrypt",
    "stream.decrypt_to_secret",
    payloads=("{key}", "{plain}"),
    material="symmetric",
    no_control=_NO_COUNTERPART,
)
def live_files(stage: Stage) -> None:
    """Whole files; a message from a pipe that becomes a Secret; errors."""
    import io

    from secretmem.crypto import InvalidTag, stream

    key, message = stage.secret("{key}"), stage.secret()
    made = io.BytesIO()
    with message.reveal() as view:
        # The data of a stream comes from ordinary memory; not this one.
        encryptor = stream.Encryptor(key, segment_size=64)
        assert encryptor._cipher is not None
        header = encryptor._header
        nonce = encryptor._nonce(last=False)
        made.write(header + encryptor._cipher.encrypt(nonce, view[:8]))
        nonce = encryptor._nonce(last=True)
        made.write(encryptor._cipher.encrypt(nonce, view[8:]))
        stage.learn(encryptor._cipher._key)
        encryptor.close()
    sealed = made.getvalue()

    def opened() -> None:
        source = io.BytesIO(sealed)
        secret = stream.decrypt_to_secret(key, source, segment_size=64)
        assert secret == message
        secret.close()

    def refused() -> None:
        for wrong in (sealed[:-1], sealed[:64]):
            try:
                stream.decrypt_to_secret(
                    key, io.BytesIO(wrong), segment_size=64
                )
            except InvalidTag:
                continue
            raise AssertionError("that should have failed")

    stage.repeat(opened, 300)
    stage.repeat(refused, 100)
    under_signals(stage, opened, 4)
    for _ in range(20):
        source, target = io.BytesIO(bytes(5000)), io.BytesIO()
        stream.encrypt(key, source, target, segment_size=512)
        source, again = io.BytesIO(target.getvalue()), io.BytesIO()
        stream.decrypt(key, source, again, segment_size=512)
        assert not any(again.getvalue())
    stage.check(b"files")
    message.close()
    key.close()
    stage.end()


@program(
    "secretmem.KeyLimitError",
    "AESGCM.MAX_BYTES",
    "AESGCM.MAX_FAILURES",
    "AESGCM.MAX_MESSAGES",
    "AESGCM.failures",
    payloads=("{key}", "{plain}"),
    material="symmetric",
    no_control="an error has no ordinary counterpart",
)
def worn_out(stage: Stage) -> None:
    """Reach the limits of a key; the errors are kept."""
    from secretmem import CryptoError, KeyLimitError
    from secretmem.crypto.aead import AESGCM

    key, message = stage.secret("{key}"), stage.secret()
    cipher = AESGCM(key, max_messages=2, max_failures=2)
    assert cipher.MAX_MESSAGES < cipher.MAX_FAILURES < cipher.MAX_BYTES
    sealed = [cipher.encrypt(bytes(12), message) for _ in range(2)]
    kept: list[Exception] = []
    for use in (
        lambda: cipher.encrypt(bytes(12), message),
        lambda: cipher.decrypt_to_secret(bytes(12), sealed[0][1:]),
        lambda: cipher.decrypt_to_secret(bytes(11), sealed[0]),
        lambda: cipher.decrypt_to_secret(bytes(12), sealed[0][:-1]),
        lambda: cipher.decrypt_to_secret(bytes(12), sealed[0]),
    ):
        try:
            use()
        except CryptoError as error:
            kept.append(error)
    assert len(kept) == 5
    assert cipher.failures == 2
    assert isinstance(kept[-1], KeyLimitError)
    stage.check(b"refused")
    for secret in (message, key):
        secret.close()
    stage.end()
