"""age files under the 64 KiB of locked memory that containers often have."""

from __future__ import annotations

import pytest

from support import alone


pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_root,
    pytest.mark.needs_unprivileged,
]


def test_short_files_fit_the_smallest_usual_limit() -> None:
    """To a Secret and between descriptors; longer ones are a LimitError."""

    def short() -> None:
        import os
        import resource

        limit = 64 << 10
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
        from secretmem import LimitError, age

        message = b"w" * (8 << 10)
        identity = age.Identity.generate()
        sealed = age.encrypt(message, [identity.recipient])
        assert age.decrypt(sealed, [identity]).matches(message)
        reader, writer = os.pipe()
        age.decrypt_to_fd(sealed, writer, [identity])
        assert os.read(reader, len(message)) == message
        os.write(writer, message)
        os.close(writer)
        null = os.open(os.devnull, os.O_WRONLY)
        to = [identity.recipient]
        assert age.encrypt_fd(reader, null, to) == len(message)
        large = age.encrypt(bytes(100_000), [identity.recipient])
        needed = 0
        try:
            age.decrypt_to_fd(large, null, [identity])
        except LimitError as error:
            needed = error.need
        assert needed == limit
        # The failure took nothing.
        assert age.decrypt(sealed, [identity]).matches(message)

    alone.passes_unprivileged(short)
