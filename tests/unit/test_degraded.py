"""The degraded backend: chosen by name, never silent, otherwise the same."""

from __future__ import annotations

import pytest

from support import alone


pytestmark = pytest.mark.needs_secretmem


def test_one_warning_at_the_line_that_chose_it() -> None:
    """In code; a second call with the same choice says nothing more."""

    def chosen() -> None:
        import sys
        import warnings

        import secretmem
        from secretmem import DegradedWarning

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            line = sys._getframe().f_lineno + 1
            secretmem.configure(backend="mlock")
            secretmem.configure(backend="mlock", fork="inherit")
            secretmem.Secret.random(1).close()
        (only,) = caught
        assert only.category is DegradedWarning
        assert "mlock" in str(only.message)
        assert only.filename == sys.argv[0]
        assert only.lineno == line

    alone.passes(chosen)


def test_one_warning_at_the_first_use_by_environment() -> None:
    """It points into the program that looked up the first name."""

    def named() -> None:
        import sys
        import warnings

        import secretmem
        from secretmem import DegradedWarning

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            line = sys._getframe().f_lineno + 1
            secretmem.Secret.random(1).close()
            secretmem.SecretArea(1).close()
            secretmem.posture()
        (only,) = caught
        assert only.category is DegradedWarning
        assert only.filename == sys.argv[0]
        assert only.lineno == line

    alone.passes(named, environment={"SECRETMEM_BACKEND": "mlock"})


@pytest.mark.parametrize("by", ["code", "environment"])
def test_the_warning_as_an_error_changes_nothing(by: str) -> None:
    """Who forbids it does not get it, however often it is tried."""

    def forbidden(by: str) -> None:
        import secretmem
        from secretmem import DegradedWarning

        for _ in range(3):
            try:
                if by == "code":
                    secretmem.configure(backend="mlock")
                else:
                    secretmem.posture()
            except DegradedWarning:
                continue
            raise AssertionError
        if by == "code":
            assert secretmem.posture().backend == "memfd_secret"
            assert repr(secretmem.Secret.random(1)) == "<Secret memfd_secret>"

    name = {"SECRETMEM_BACKEND": "mlock" if by == "environment" else ""}
    alone.passes(forbidden, by, environment=name, options=["-W", "error"])


def test_it_shows_in_posture_and_repr() -> None:
    """And its pages are locked, not dumped, and no secretmem."""

    def shown() -> None:
        import warnings
        from pathlib import Path

        warnings.simplefilter("ignore")
        import secretmem
        from secretmem import Secret

        secretmem.configure(backend="mlock")
        secret = Secret.random(32, name="k")
        assert repr(secret) == "<Secret 'k' mlock>"
        now = secretmem.posture()
        assert now.backend == "mlock"
        assert now.degraded is True
        assert "configure" in now.evidence["backend"]
        assert now.as_dict()["degraded"] is True
        smaps = Path("/proc/self/smaps").read_text("utf-8")
        assert "/secretmem (deleted)" not in smaps
        with secret.reveal():
            smaps = Path("/proc/self/smaps").read_text("utf-8")
        blocks = smaps.split("/memfd:secretmem-degraded (deleted)")[1:]
        assert len(blocks) >= 3  # arena, window to write, window to read
        for block in blocks:
            flags = block.partition("VmFlags:")[2].partition("\n")[0].split()
            # Locked, not in core files, not in children.
            assert {"lo", "dd", "dc"} <= set(flags), flags

    alone.passes(shown)


def test_every_operation_works_on_it() -> None:
    """The same code on other pages."""

    def everything() -> None:
        import os
        import tempfile
        import warnings

        warnings.simplefilter("ignore")
        import secretmem
        from secretmem import ForkError, Secret, hazmat

        secretmem.configure(backend="mlock")
        for size in (0, 1, 32, 4097, 100_000):
            data = os.urandom(size)
            for options in ({}, {"isolated": True}, {"inherit": True}):
                secret = Secret.from_bytes(data, flush=True, **options)  # type: ignore[arg-type]  # one of several
                assert secret.matches(data)
                assert hazmat.export_bytes(secret[::-1]) == data[::-1]
                assert (secret + secret).matches(data * 2)
                with secret.reveal() as view:
                    assert bytes(view) == data
                with secret.reveal(writable=True) as view:
                    view[:] = data[::-1]
                assert secret.matches(data[::-1])
                with tempfile.TemporaryFile() as file:
                    secret.write_to(file)
                    file.seek(0)
                    assert Secret.from_fd(file) == secret
                secret.close()
        private, shared = Secret.random(8), Secret.random(8, inherit=True)
        expected = hazmat.export_bytes(shared)
        pid = os.fork()
        if not pid:
            try:
                private.matches(bytes(8))
            except ForkError:
                os._exit(0 if shared.matches(expected) else 3)
            os._exit(4)
        assert os.waitpid(pid, 0)[1] == 0
        private.close()
        shared.close()
        secretmem.trim()
        assert secretmem.posture().live == 0
        assert secretmem.posture().area_bytes == 0

    alone.passes(everything)


def test_a_secret_area_is_memfd_secret_all_the_same() -> None:
    """It is the system call as it is, whatever keeps the secrets."""

    def area() -> None:
        import warnings
        from pathlib import Path

        warnings.simplefilter("ignore")
        import secretmem

        secretmem.configure(backend="mlock")
        with secretmem.SecretArea(100) as area:
            maps = Path("/proc/self/maps").read_text("utf-8")
            assert "/secretmem (deleted)" in maps
            assert bytes(area) == bytes(100)

    alone.passes(area)
