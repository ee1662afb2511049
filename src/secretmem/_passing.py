"""How a Secret goes through the pickler of multiprocessing: by descriptor."""

from __future__ import annotations

import os
import sys

from secretmem import _policy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from secretmem import _native
    from secretmem._secret import Secret
else:
    _native = _policy.bind()


def reduced(secret: Secret) -> tuple[Any, ...]:
    """
    Give multiprocessing's pickler a descriptor in the Secret's place.

    Called by ``Secret.__reduce_ex__`` alone: the frame two above is the one
    that runs the pickler, which is written in C and has none.

    Raises:
        TypeError: It is another pickler.
    """
    caller = sys._getframe(2).f_globals.get("__name__")  # noqa: SLF001 - as logging does
    if caller != "multiprocessing.reduction":
        raise TypeError(
            "a Secret is not pickled: the pickle would hold it in the clear; "
            "multiprocessing passes it on, secretmem.handover has other ways "
            "to another process, and secret.seal_to(recipient) is the way to "
            "another host"
        )
    from multiprocessing import resource_sharer

    fd = _native.hand_over(secret)
    try:
        # A second descriptor, which is closed when it was fetched.
        handle = resource_sharer.DupFd(fd)
    finally:
        os.close(fd)
    return rebuilt, (type(secret), handle, secret.name, secret.inherit)


def rebuilt(
    cls: type[Secret],
    handle: Any,  # noqa: ANN401 - of multiprocessing
    name: str | None,
    inherit: bool,  # noqa: FBT001 - as `reduced` gives it
) -> Secret:
    """
    Fetch the descriptor and make a Secret of it, where it was unpickled.

    Raises:
        EOFError: The sender has ended, or it was fetched before.
    """
    try:
        fd = handle.detach()
    except (EOFError, OSError) as error:
        raise EOFError(
            "the Secret is not there: the process that sent it has ended or "
            "is on another host (secret.seal_to(recipient) is for those), or "
            "it was fetched before"
        ) from error
    try:
        # multiprocessing receives it so that programs would inherit it.
        os.set_inheritable(fd, False)  # noqa: FBT003 - by position only
        return _native.take_over(cls, fd, name=name, inherit=inherit)
    finally:
        os.close(fd)
