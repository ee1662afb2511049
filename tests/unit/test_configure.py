"""`configure`: choices, contradictions, too late, and the environment."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import secretmem
from secretmem import Secret
from support import alone, unprivileged


pytestmark = pytest.mark.needs_secretmem


@pytest.mark.parametrize(
    "options",
    [
        {"policy": "none"},
        {"policy": "Require"},
        {"backend": "memfd"},
        {"backend": ""},
        {"fork": "share"},
        {"gate": "pku"},
    ],
)
def test_unknown_words(options: dict[str, Any]) -> None:
    """ValueError that lists the known ones; nothing is changed."""
    before = secretmem.posture()
    with pytest.raises(ValueError, match="is one of"):
        secretmem.configure(**options)
    assert secretmem.posture().backend == before.backend


def test_unknown_keywords() -> None:
    """TypeError."""
    wrong: Any = secretmem.configure
    with pytest.raises(TypeError):
        wrong(polcy="require")
    with pytest.raises(TypeError):
        wrong("require")


def test_one_wrong_word_changes_nothing() -> None:
    """All are looked at before any is applied."""

    def mixed() -> None:
        import secretmem

        try:
            secretmem.configure(fork="inherit", gate="nope")  # type: ignore[arg-type]  # what is under test
        except ValueError:
            pass
        else:
            raise AssertionError
        assert secretmem.posture().fork == "private"
        assert not secretmem.Secret.random(1).inherit

    alone.passes(mixed)


def test_fork_inherit() -> None:
    """It holds for new secrets that say nothing themselves."""

    def inherit() -> None:
        import secretmem
        from secretmem import Secret

        before = Secret.random(1)
        secretmem.configure(fork="inherit")
        assert not before.inherit
        assert Secret.random(1).inherit
        assert Secret.from_hex("00").inherit
        assert not Secret.random(1, inherit=False).inherit
        assert secretmem.posture().fork == "inherit"
        secretmem.configure()
        assert secretmem.posture().fork == "inherit"
        secretmem.configure(fork="private")
        assert not Secret.random(1).inherit

    alone.passes(inherit)


def test_too_late_for_another_backend_or_gate() -> None:
    """ConfigurationError after the first use, and all stays as it was."""

    def late() -> None:
        import warnings

        import secretmem
        from secretmem import ConfigurationError, Secret

        warnings.simplefilter("ignore")
        secretmem.configure(gate="mprotect")
        secret = Secret.random(4)
        before = secretmem.posture()
        choices: list[dict[str, object]] = [
            {"backend": "mlock"},
            {"backend": "mlock", "fork": "inherit"},
        ]
        for options in choices:
            try:
                secretmem.configure(**options)  # type: ignore[arg-type]  # one of several
            except ConfigurationError as error:
                said = str(error)
            else:
                raise AssertionError(options)
            assert "before the first" in said
        after = secretmem.posture()
        assert (after.backend, after.fork) == (before.backend, before.fork)
        assert repr(secret) == "<Secret memfd_secret>"
        assert not Secret.random(1).inherit
        # The same choice again is no other choice.
        secretmem.configure(policy="require", gate="mprotect")

    alone.passes(late)


def test_require_contradicts_other_backends() -> None:
    """In one call and in two, in either order of libraries."""

    def contradiction() -> None:
        import secretmem
        from secretmem import ConfigurationError

        def refused(**options: object) -> None:
            try:
                secretmem.configure(**options)  # type: ignore[arg-type]  # one of several
            except ConfigurationError as error:
                said = str(error)
            else:
                raise AssertionError(options)
            assert "require" in said

        refused(policy="require", backend="mlock")
        secretmem.configure(policy="require", backend="memfd_secret")
        refused(backend="mlock")
        secretmem.configure(strict_format=True)
        refused(backend="mlock", strict_format=False)
        assert secretmem.posture().backend == "memfd_secret"
        assert secretmem.posture().strict_format

    alone.passes(contradiction, options=["-W", "error"])


def test_the_gate_can_be_mprotect() -> None:
    """On every machine; ``auto`` is a key where there is one."""

    def gate(word: str) -> None:
        import secretmem

        secretmem.configure(gate=word)  # type: ignore[arg-type]  # one of two
        print(secretmem.posture().gate)  # noqa: T201 - the program's output

    assert alone.passes(gate, "mprotect").strip() == "mprotect"
    assert alone.passes(gate, "auto").strip() in {"pku", "mprotect"}


@pytest.mark.needs_pku
def test_a_key_is_used_where_there_is_one() -> None:
    """posture() says which."""
    assert secretmem.posture().gate == "pku"


@pytest.mark.needs_no_pku
def test_mprotect_is_used_where_there_is_no_key() -> None:
    """posture() says which."""
    assert secretmem.posture().gate == "mprotect"


def backend_now(choice: str) -> None:
    """Print the backend after a choice in code."""
    import warnings

    import secretmem

    warnings.simplefilter("ignore")
    if choice == "require":
        secretmem.configure(policy="require")
    elif choice:
        secretmem.configure(backend=choice)  # type: ignore[arg-type]  # one of several
    from secretmem import Secret

    secret = Secret.random(1)
    print(secretmem.posture().backend, repr(secret))  # noqa: T201 - the program's output


@pytest.mark.parametrize(
    "variable, choice, backend",
    [
        (None, "", "memfd_secret"),
        ("", "", "memfd_secret"),
        ("memfd_secret", "", "memfd_secret"),
        ("mlock", "", "mlock"),
        ("mlock", "require", "memfd_secret"),
        ("mlock", "memfd_secret", "memfd_secret"),
        ("memfd_secret", "mlock", "mlock"),
        ("nonsense", "require", "memfd_secret"),
    ],
)
def test_the_environment_and_the_code(
    variable: str | None, choice: str, backend: str
) -> None:
    """The variable counts only where the code says nothing."""
    environment = {} if variable is None else {"SECRETMEM_BACKEND": variable}
    said = alone.passes(backend_now, choice, environment=environment)
    assert said.split() == [backend, "<Secret", f"{backend}>"]


def test_require_after_the_class_was_looked_up() -> None:
    """The order of imports does not weaken it."""

    def imported_first() -> None:
        import warnings

        warnings.simplefilter("ignore")
        import secretmem
        from secretmem import Secret

        secretmem.configure(policy="require")
        assert repr(Secret.random(1)) == "<Secret memfd_secret>"
        assert secretmem.posture().backend == "memfd_secret"

    alone.passes(imported_first, environment={"SECRETMEM_BACKEND": "mlock"})


def test_a_wrong_word_in_the_environment() -> None:
    """ValueError at the first use, with the variable's name."""
    done = alone.run(
        backend_now, "", environment={"SECRETMEM_BACKEND": "nonsense"}
    )
    assert done.returncode == 1
    assert "ValueError: SECRETMEM_BACKEND is one of" in done.stderr


def test_import_does_not_read_the_environment() -> None:
    """Only the first use does."""

    def imported() -> None:
        import secretmem

        assert secretmem.__doc__

    alone.passes(
        imported,
        environment={"SECRETMEM_BACKEND": "nonsense"},
        options=["-W", "error"],
    )


@pytest.mark.needs_root
@pytest.mark.needs_unprivileged
def test_privileged_programs_do_not_believe_the_environment(
    tmp_path: Path,
) -> None:
    """A set-uid interpreter (AT_SECURE) ignores the variable."""
    interpreter = unprivileged.interpreter()
    assert interpreter is not None
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    program = tmp_path / "python"
    shutil.copy(Path(interpreter).resolve(), program)
    os.chown(program, unprivileged.NOBODY, unprivileged.NOBODY)
    says = "import ctypes; print(ctypes.CDLL(None).getauxval(23)); "
    code = says + alone.source(backend_now, "").replace(
        "from __future__ import annotations\n", ""
    )
    home = f"import sys; sys.prefix; sys.path[:] = {_path(interpreter)!r}; "
    results = {}
    for mode in (0o755, 0o755 | stat.S_ISUID):
        program.chmod(mode)
        done = subprocess.run(
            [str(program), "-S", "-c", f"{home}\n{code}"],
            env={
                "SECRETMEM_BACKEND": "mlock",
                "PYTHONHOME": _home(interpreter),
                "PATH": os.defpath,
            },
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        assert done.returncode == 0, done.stderr
        results[mode & stat.S_ISUID] = done.stdout.split()[:2]
    assert results == {
        0: ["0", "mlock"],
        stat.S_ISUID: ["1", "memfd_secret"],
    }


def _ask(interpreter: str, expression: str) -> str:
    done = subprocess.run(
        [interpreter, "-I", "-c", f"import sys; print({expression})"],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return done.stdout.strip()


def _home(interpreter: str) -> str:
    return _ask(interpreter, "sys.base_prefix + ':' + sys.base_exec_prefix")


def _path(interpreter: str) -> list[str]:
    listed = _ask(interpreter, "'|'.join(sys.path)").split("|")
    return [str(unprivileged.tree()), *listed]


FAKE = """
import sys, types
fake = types.ModuleType("secretmem.testing")
fake.fake_native = types.SimpleNamespace(
    settings=lambda *a, **k: None, name="the fake"
)
sys.modules["secretmem.testing"] = fake
import warnings
warnings.simplefilter("ignore")
import secretmem
from secretmem import _backend, _policy
secretmem.configure(backend="fake")
assert _policy.bind() is fake.fake_native
try:
    secretmem.configure(policy="require")
except secretmem.ConfigurationError as error:
    assert "bound to its backend" in str(error)
else:
    raise AssertionError("the fake was called memfd_secret")
assert _policy.active.backend == "fake"
"""


def test_the_fake_is_never_called_memfd_secret() -> None:
    """Once it does the work, nobody can require the real one."""
    done = subprocess.run(
        [sys.executable, "-c", FAKE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_configuring_twice_alike_is_fine() -> None:
    """Also while secrets live."""
    now = secretmem.posture()
    with Secret.random(1):
        secretmem.configure(backend=now.backend)  # type: ignore[arg-type]  # as it is
        secretmem.configure()
    assert secretmem.posture().backend == now.backend
