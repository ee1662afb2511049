"""What importing does: nothing; and what happens without the native part."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support import alone


def test_import_loads_nothing_else() -> None:
    """One module, no other package, nothing that is slow to import."""

    def imported() -> None:
        import sys

        before = set(sys.modules)
        import secretmem

        assert set(sys.modules) - before == {"secretmem"}
        assert secretmem.__all__
        assert dir(secretmem) == sorted(secretmem.__all__)

    alone.passes(imported, options=["-I"])


@pytest.mark.needs_secretmem
def test_no_name_takes_secret_memory() -> None:
    """Every public name can be looked up without a mapping or descriptor."""

    def looked_up() -> None:
        import os
        from pathlib import Path

        def held() -> tuple[int, list[str]]:
            maps = Path("/proc/self/maps").read_text("utf-8")
            return maps.count("secretmem (deleted)"), os.listdir(  # noqa: PTH208 - numbers
                "/proc/self/fd"
            )

        before = held()
        import secretmem

        assert held() == before
        for name in secretmem.__all__:
            assert getattr(secretmem, name) is not None
        assert held() == before
        assert not secretmem._policy.bind().started()
        with secretmem.Secret.random(1):
            assert held()[0] > 0
            assert len(held()[1]) == len(before[1])

    alone.passes(looked_up)


def test_no_third_party_module() -> None:
    """The whole library is the standard library and our own code."""

    def used() -> None:
        import sys

        before = set(sys.modules)
        import secretmem

        for name in secretmem.__all__:
            getattr(secretmem, name)
        try:
            secretmem.Secret.random(1)
            secretmem.posture()
        except secretmem.UnavailableError:
            pass
        tops = {name.partition(".")[0] for name in set(sys.modules) - before}
        # CPython's own, but 3.11 leaves it out of its list.
        known = sys.stdlib_module_names | {"_xxsubinterpreters"}
        foreign = tops - known - {"secretmem"}
        assert not foreign, foreign
        heavy = {"dataclasses", "inspect", "asyncio", "subprocess", "logging"}
        assert not heavy & tops, heavy & tops

    alone.passes(used)


@pytest.mark.needs_secretmem
def test_import_makes_no_call_of_ours() -> None:
    """Not even memfd_secret(2) is tried; a filter would kill for it."""

    def quiet() -> None:
        import sys

        import secretmem

        for name in secretmem.__all__:
            getattr(secretmem, name)
        print("imported", file=sys.stderr)  # noqa: T201 - the program's output

    from support import filters

    with_filter = alone.run(quiet, before=filters.command("kill-process", []))
    assert with_filter.returncode == 0, with_filter.stderr


WITHOUT = """
import sys
sys.modules["secretmem._native"] = None  # makes its import fail
import secretmem
from secretmem import Secret, SecretArea, UnavailableError
"""

FIRST_USES = (
    "Secret.random(32)",
    "Secret.from_bytes(b'x')",
    "Secret.from_bytes(bytearray(b'x'), wipe=True)",
    "Secret.from_base64('eA==')",
    "Secret.from_base64(b'eA==')",
    "Secret.from_hex('78')",
    "Secret.from_file('/dev/null')",
    "Secret.from_fd(0)",
    "Secret.from_env('PATH', erase=False)",
    "Secret.prompt()",
    "SecretArea(100)",
    "secretmem.memfd_secret()",
    "secretmem.posture()",
    "secretmem.harden()",
    "secretmem.build_info()",
)


@pytest.mark.parametrize("use", FIRST_USES)
def test_without_the_native_part_the_first_use_says_why(use: str) -> None:
    """UnavailableError with cause and remedy, from every public call."""
    code = f"""{WITHOUT}
import warnings
warnings.simplefilter("ignore")
try:
    {use}
except UnavailableError as error:
    assert error.reason and error.remedy and str(error)
    print(error.reason)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "native-missing"


def test_without_the_native_part_the_rest_works() -> None:
    """Names, types, configuration, errors: a program can be imported."""
    code = f"""{WITHOUT}
for name in secretmem.__all__:
    getattr(secretmem, name)
secretmem.configure(policy="require", fork="inherit", strict_format=True)
assert secretmem.trim() == 0
assert issubclass(UnavailableError, secretmem.SecretmemError)
assert not isinstance(5, Secret)
def typed(key: Secret) -> "Secret | None": ...
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.needs_secretmem
def test_without_cryptography() -> None:
    """What needs no object of that package does not need the package."""
    code = """
import sys
sys.modules["cryptography"] = None
from secretmem import KeyRing, SealedStore, Secret, age
from secretmem import crypto, fernet, sources
identity = age.Identity.generate()
with SealedStore.generate(recipients=[identity.recipient]) as store:
    store["a"] = Secret.from_bytes(b"value")
    there = {}
    store.save_to(there)
    text = store["a"].open().seal_to(identity.recipient)
with SealedStore.load_from(there, identities=[identity]) as again:
    assert again["a"].open().matches(b"value")
assert Secret.from_sealed(text, identity).matches(b"value")
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_unknown_names() -> None:
    """AttributeError, as from every module."""
    import secretmem

    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = secretmem.nope
