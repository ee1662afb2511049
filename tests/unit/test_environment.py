"""`Secret.from_env` and `Secret.from_credential`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import secretmem
from secretmem import CopiedWarning, Secret, hazmat
from support import alone


pytestmark = pytest.mark.needs_secretmem


def out(secret: Secret) -> bytes:
    """Copy out and close."""
    with secret:
        return hazmat.export_bytes(secret)


def take(name: str, **options: Any) -> Secret:  # noqa: ANN401 - keywords of from_env
    """Take a variable whose copy in os.environ is known of."""
    with pytest.warns(CopiedWarning, match=name):
        return Secret.from_env(name, **options)


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch) -> str:
    """Set a variable at run time."""
    monkeypatch.setenv("SECRETMEM_TEST_TOKEN", "s3cret")
    return "SECRETMEM_TEST_TOKEN"


def test_a_variable_is_taken_and_removed(variable: str) -> None:
    """It is in no place where the process would look again."""
    secret = take(variable)
    assert secret.name == variable
    assert out(secret) == b"s3cret"
    assert variable not in os.environ
    assert os.getenv(variable) is None
    with pytest.raises(KeyError, match=variable):
        Secret.from_env(variable)


def test_it_stays_if_asked_for(variable: str) -> None:
    """``erase=False`` changes nothing."""
    for _ in range(2):
        assert out(take(variable, erase=False)) == b"s3cret"
    assert os.environ[variable] == "s3cret"


def test_the_label_is_the_name_of_the_secret(variable: str) -> None:
    """``name`` is the variable."""
    with take(variable, label="token", inherit=True) as secret:
        assert secret.name == "token"
        assert secret.inherit


def test_the_warning_comes_first(variable: str) -> None:
    """As an error it leaves the variable as it was."""
    # The whole suite turns warnings into errors.
    with pytest.raises(CopiedWarning, match=r"os\.environ copied"):
        Secret.from_env(variable)
    assert os.environ[variable] == "s3cret"
    assert out(take(variable)) == b"s3cret"


def test_the_warning_points_at_the_caller(variable: str) -> None:
    """So that the line can be found."""
    with pytest.warns(CopiedWarning) as caught:
        Secret.from_env(variable, erase=False).close()
    assert [Path(w.filename).name for w in caught] == [Path(__file__).name]


@pytest.mark.parametrize("name", ["", "A=B", "A\0B", "="])
def test_names_that_no_variable_has(name: str) -> None:
    """ValueError."""
    with pytest.raises(ValueError, match="name of a variable"):
        Secret.from_env(name)


def test_a_missing_variable() -> None:
    """KeyError, as from os.environ; also for a prefix or an extension."""
    os.environ["SECRETMEM_TEST_LONG"] = "x"
    try:
        for name in ("SECRETMEM_TEST", "SECRETMEM_TEST_LONGER", "x"):
            with pytest.raises(KeyError):
                Secret.from_env(name)
    finally:
        del os.environ["SECRETMEM_TEST_LONG"]


@pytest.mark.parametrize(
    "value", ["", "=", "a=b", "é", "\udcff raw", "x" * 100_000]
)
def test_values_of_every_kind(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Bytes as they are in the environment."""
    monkeypatch.setenv("SECRETMEM_TEST_TOKEN", value)
    secret = take("SECRETMEM_TEST_TOKEN")
    assert out(secret) == os.fsencode(value)


def test_it_goes_from_the_block_of_the_kernel() -> None:
    """/proc/PID/environ shows zeros where the value was."""

    def inherited() -> None:
        import os
        import warnings
        from pathlib import Path

        from secretmem import Secret, hazmat

        block = Path("/proc/self/environ")
        assert b"TOKEN=hunter2\0" in block.read_bytes()
        before = block.read_bytes()
        warnings.simplefilter("ignore")
        secret = Secret.from_env("TOKEN")
        assert hazmat.export_bytes(secret) == b"hunter2"
        after = block.read_bytes()
        assert b"hunter2" not in after
        # The others are as they were, in their places.
        assert after == before.replace(b"hunter2", bytes(7))
        assert os.environ["TOKEN2"] == "hunter3"
        try:
            Secret.from_env("TOKEN")
        except KeyError:
            pass
        else:
            raise AssertionError("an erased variable was found again")
        # A child does not have it.
        if os.system('test -z "${TOKEN+x}"'):  # noqa: S605 - a shell's variables
            raise AssertionError("a child has the variable")

    alone.passes(
        inherited, environment={"TOKEN": "hunter2", "TOKEN2": "hunter3"}
    )


def test_a_value_set_again_is_the_one_that_counts() -> None:
    """Both places are erased."""

    def replaced() -> None:
        import os
        import warnings
        from pathlib import Path

        from secretmem import Secret, hazmat

        os.environ["TOKEN"] = "newer-value"
        warnings.simplefilter("ignore")
        secret = Secret.from_env("TOKEN")
        assert hazmat.export_bytes(secret) == b"newer-value"
        assert b"hunter2" not in Path("/proc/self/environ").read_bytes()

    alone.passes(replaced, environment={"TOKEN": "hunter2"})


def test_a_removed_variable_is_gone() -> None:
    """What the program removed is not found in the initial block."""

    def removed() -> None:
        import os

        from secretmem import Secret

        del os.environ["TOKEN"]
        try:
            Secret.from_env("TOKEN")
        except KeyError:
            return
        raise AssertionError("a removed variable was found")

    alone.passes(removed, environment={"TOKEN": "hunter2"})


def test_a_failure_keeps_the_variable(variable: str) -> None:
    """What cannot be kept is not erased."""
    with pytest.raises(TypeError), pytest.warns(CopiedWarning):
        Secret.from_env(variable, isolate=True)
    assert os.environ[variable] == "s3cret"


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder that systemd would make."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path


def test_a_credential(credentials: Path) -> None:
    """It is the file of that name."""
    (credentials / "db.password").write_bytes(b"s3cret\n")
    secret = Secret.from_credential("db.password")
    assert secret.name == "db.password"
    assert out(secret) == b"s3cret\n"
    stripped = Secret.from_credential("db.password", strip=True)
    assert out(stripped) == b"s3cret"
    with pytest.raises(ValueError, match="max_size"):
        Secret.from_credential("db.password", max_size=3)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc/passwd"])
def test_a_credential_is_a_plain_name(credentials: Path, name: str) -> None:
    """No way out of the folder."""
    assert credentials.is_dir()
    with pytest.raises(ValueError, match="plain file name"):
        Secret.from_credential(name)


def test_a_missing_credential(credentials: Path) -> None:
    """FileNotFoundError with the path."""
    with pytest.raises(FileNotFoundError) as caught:
        Secret.from_credential("none")
    assert caught.value.filename == str(credentials / "none")


@pytest.mark.parametrize("folder", [None, ""])
def test_no_credentials(
    monkeypatch: pytest.MonkeyPatch, folder: str | None
) -> None:
    """LookupError that says what to add to the unit."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    if folder is not None:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", folder)
    before = secretmem.posture().live
    with pytest.raises(LookupError, match="LoadCredential="):
        Secret.from_credential("db")
    assert secretmem.posture().live == before
