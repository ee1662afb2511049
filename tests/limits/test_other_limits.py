"""Descriptors, mappings and address space run out: clean errors."""

from __future__ import annotations

import pytest

from support import alone


pytestmark = pytest.mark.needs_secretmem


def test_no_descriptors() -> None:
    """LimitError, also as the first error of the process; then it works."""

    def exhausted() -> None:
        import os
        import resource

        from secretmem import LimitError, Secret

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        taken = os.dup(0)
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken + 1, hard))
        for _ in range(3):
            try:
                Secret.from_bytes(b"x")
            except LimitError as error:
                said = str(error)
            else:
                raise AssertionError
            assert said
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        with Secret.from_bytes(b"x") as secret:
            assert secret.matches(b"x")

    alone.passes(exhausted)


def test_no_descriptors_later() -> None:
    """What has its memory goes on working."""

    def exhausted() -> None:
        import os
        import resource

        from secretmem import LimitError, Secret, hazmat

        secret = Secret.from_bytes(b"word")
        assert secret.matches(b"word")
        with secret.reveal():
            pass
        taken = os.dup(0)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken + 1, hard))
        assert secret.matches(b"word")
        assert hazmat.export_bytes(secret + b"s") == b"words"
        with secret.reveal() as view:
            assert bytes(view) == b"word"
        try:
            Secret.from_bytes(bytes(100_000))
        except LimitError:
            pass
        else:
            raise AssertionError
        try:
            Secret.from_file("/dev/null")
        except OSError as error:
            number = error.errno
        assert number == 24  # EMFILE

    alone.passes(exhausted)


def test_no_address_space() -> None:
    """RLIMIT_AS: LimitError, and what was there stays."""

    def exhausted() -> None:
        import resource
        from pathlib import Path

        from secretmem import LimitError, Secret

        kept = Secret.from_bytes(b"kept")
        assert kept.matches(b"kept")
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        room = pages * 4096 + (24 << 20)
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (room, hard))
        secrets: list[Secret] = []
        try:
            secrets.extend(Secret.random(1 << 20) for _ in range(1000))
        except LimitError:
            pass
        else:
            raise AssertionError
        assert kept.matches(b"kept")
        secrets.clear()
        with Secret.random(1 << 20) as secret:
            assert len(secret) == 1 << 20

    alone.passes(exhausted)
