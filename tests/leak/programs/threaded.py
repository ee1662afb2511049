"""
Programs: one key used by several threads at once, samples taken meanwhile.

Three threads and the main one compute; a sample that meets the main thread
in an operation mostly meets the others in one too, each on a stack of its own.
"""

from __future__ import annotations

import threading

from leak.disturbed import under_signals
from leak.programs.keys import _hash, _modules
from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_WORKERS = 3


def _together(stage: Stage, use: Callable[[], object], part: int = 1) -> None:
    """Use the key by all threads until the samples are taken."""
    stop = threading.Event()
    began = threading.Barrier(_WORKERS + 1)

    def work() -> None:
        began.wait()
        while not stop.is_set():
            use()

    workers = [threading.Thread(target=work) for _ in range(_WORKERS)]
    for worker in workers:
        worker.start()
    began.wait()
    # Registers hold the key now and then; the samples look at memory.
    under_signals(stage, use, part)
    stop.set()
    for worker in workers:
        worker.join()
    stage.check(b"after the threads")


@program(payloads=("{pem}",), material="ed25519")
def threads_ed25519(stage: Stage) -> None:
    """Sign, quickly, on small stacks."""
    with stage.secret("{pem}") as encoded:
        key = _modules(stage).load_pem(encoded)
    message = bytes(20_000)
    _together(stage, lambda: key.sign(message))
    key.close()
    stage.end()


@program(payloads=("{pem}",), material="rsa")
def threads_rsa(stage: Stage) -> None:
    """Sign while the interpreter is let go: truly at once."""
    from cryptography.hazmat.primitives.asymmetric import padding

    with stage.secret("{pem}") as encoded:
        key = _modules(stage).load_pem(encoded)
    pad, sha = padding.PKCS1v15(), _hash()
    _together(stage, lambda: key.sign(b"message", pad, sha))
    key.close()
    stage.end()


@program(payloads=("{key}", "{plain}"), material="symmetric")
def threads_aesgcm(stage: Stage) -> None:
    """Encrypt data that is long enough to let the interpreter go."""
    if stage.ordinary:
        from leak.pyca import AESGCM
    else:
        from secretmem.crypto.aead import AESGCM  # type: ignore[assignment]  # the same names

    message = stage.secret()
    with stage.secret("{key}") as key:
        cipher: Any = AESGCM(key)
        data = bytes(1 << 17)
        _together(stage, lambda: cipher.encrypt(bytes(12), data, None))
        cipher.close()
    message.close()
    stage.end()


@program(payloads=("{pem}",), material="p256")
def raised_p256(stage: Stage) -> None:
    """The caller fails with the key in its frame, and logs all it can."""
    import io
    import logging
    import traceback

    from cryptography.hazmat.primitives.asymmetric import ec

    said = io.StringIO()
    logging.basicConfig(stream=said, force=True)

    def fail(key: Any, encoded: Any) -> None:  # noqa: ANN401 - ours or pyca's
        signature = key.sign(b"message", ec.ECDSA(_hash()))
        raise RuntimeError("no use for it", key, encoded, len(signature))

    encoded = stage.secret("{pem}")
    key = _modules(stage).load_pem(encoded)
    kept = []
    for _ in range(20):
        try:
            fail(key, encoded)
        except RuntimeError as error:
            logging.exception("failed with %r and %r", key, encoded)  # noqa: LOG015 - what programs do
            kept.append(error)
            all_of_it = traceback.TracebackException.from_exception(
                error, capture_locals=True
            )
            said.write("".join(all_of_it.format()))
    assert said.getvalue().count("no use for it") >= 20
    stage.check(b"raised")
    kept.clear()
    key.close()
    encoded.close()
    stage.end()
