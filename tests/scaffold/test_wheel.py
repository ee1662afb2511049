"""The wheel that is published installs into a clean environment and works."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest


pytestmark = pytest.mark.needs_wheel

ROOT = Path(__file__).resolve().parents[2]

# glibc 2.34: what the oldest system with memfd_secret(2) on by default has.
NEWEST_GLIBC = (2, 34)


@pytest.fixture(scope="module")
def wheel(request: pytest.FixtureRequest) -> Path:
    """Give the wheel under test."""
    path = request.config.getoption("wheel")
    assert isinstance(path, Path)
    return path.resolve()


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel, alone, and give its interpreter."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-index",
            "--no-deps",
            wheel,
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return python


def _run(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python apart from this checkout."""
    return subprocess.run(
        [python, "-I", *arguments],
        cwd=python.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tag_is_manylinux_and_abi3(wheel: Path) -> None:
    """One wheel serves each CPython from 3.11 and each Linux of that age."""
    name = r"secretmem-[^-]+-cp311-abi3-manylinux_(\d+)_(\d+)_\w+\.whl"
    match = re.fullmatch(name, wheel.name)
    assert match is not None, wheel.name
    assert (int(match[1]), int(match[2])) <= NEWEST_GLIBC


def test_the_content(wheel: Path) -> None:
    """The extension, the marker of types and the licences, nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    expected = re.compile(r"secretmem(-\d.*\.dist-info)?")
    assert [top for top in tops if not expected.fullmatch(top)] == []
    endings = {"_native.abi3.so", "py.typed", "_native.pyi", "METADATA"}
    endings |= {"LICENSE-MIT", "LICENSE-APACHE"}
    assert {name.rpartition("/")[2] for name in names} >= endings
    assert not [name for name in names if "__pycache__" in name]


def test_the_bill_of_materials(wheel: Path, python: Path) -> None:
    """Every crate of the lock file that is compiled in, with its licence."""
    with zipfile.ZipFile(wheel) as archive:
        places = [name for name in archive.namelist() if "/sboms/" in name]
        (place,) = places
        bill = json.loads(archive.read(place))
    assert place.endswith(".dist-info/sboms/secretmem-native.cyclonedx.json")
    assert bill["bomFormat"] == "CycloneDX"
    parts = {part["name"]: part for part in bill["components"]}
    assert [n for n, part in parts.items() if not part["licenses"]] == []
    lock = tomllib.loads((ROOT / "rust/Cargo.lock").read_text("utf-8"))
    locked = {(each["name"], each["version"]) for each in lock["package"]}
    assert {(n, part["version"]) for n, part in parts.items()} <= locked
    assert {"aws-lc-sys", "secretmem-core", "pyo3"} <= set(parts)
    code = "import secretmem; print(secretmem.build_info()['crypto_library'])"
    library = _run(python, "-c", code).stdout.strip()
    assert library == f"aws-lc-sys {parts['aws-lc-sys']['version']}"


@pytest.mark.needs_tool("nm")
def test_the_extension_shows_one_symbol(wheel: Path, tmp_path: Path) -> None:
    """No symbol of the crypto library can be taken for another copy's."""
    with zipfile.ZipFile(wheel) as archive:
        path = archive.extract("secretmem/_native.abi3.so", tmp_path)
    shown = subprocess.run(
        ["nm", "-D", "--defined-only", path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert [line.split()[-1] for line in shown.splitlines()] == [
        "PyInit__native"
    ]
    # The weak hooks that the library looks up would be found elsewhere.
    needed = subprocess.run(
        ["nm", "-D", "--undefined-only", path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "OPENSSL" not in needed
    assert "memcpy" in needed


def test_the_import_needs_nothing(python: Path) -> None:
    """The installed package imports by itself, from its own place."""
    result = _run(python, "-c", "import secretmem; print(secretmem.__file__)")
    assert result.stderr == ""
    assert Path(result.stdout).is_relative_to(python.parents[1])


@pytest.mark.needs_secretmem
def test_a_secret_works(python: Path) -> None:
    """The installed package makes, compares, shows and closes a secret."""
    code = (
        "from secretmem import Secret\n"
        "with Secret.from_bytes(bytearray(b'k' * 32), wipe=True) as key:\n"
        "    with key.reveal() as view:\n"
        "        assert bytes(view) == b'k' * 32\n"
        "    assert key.matches(b'k' * 32)\n"
        "    print(key)\n"
    )
    result = _run(python, "-c", code)
    assert result.stderr == ""
    assert "memfd_secret" in result.stdout


def test_the_command_names_its_extra(python: Path) -> None:
    """Without the extra the command says what to install, and no more."""
    result = subprocess.run(
        [python.with_name("secretmem"), "prove"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "secretmem[cli]" in result.stderr
    assert "Traceback" not in result.stderr


A_USERS_TEST = """
import pytest
from secretmem import Secret, hazmat
from secretmem.crypto import Hmac


def test_clean(residue_audit):
    key = Secret.random(32)
    with pytest.raises(TypeError):
        f"{key}"
    with residue_audit(key, kind="hmac") as audit:
        Hmac(key).digest(b"message")
    audit.assert_clean()


def test_leaky(residue_audit):
    key = Secret.random(32)
    with residue_audit(key) as audit:
        copy = hazmat.export_bytes(key)
    audit.assert_clean()
    assert copy
"""


@pytest.fixture(scope="module")
def pytest_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy this environment's pytest, and nothing else, to a folder."""
    folder = tmp_path_factory.mktemp("pytest")
    names = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
    for name in names:
        for file in metadata.distribution(name).files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                copy = folder / file
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), copy)
    return folder


@pytest.mark.needs_secretmem
@pytest.mark.needs_ptrace
def test_pytest_finds_the_plugin(
    python: Path, pytest_alone: Path, tmp_path: Path
) -> None:
    """With no line of configuration; its fixtures work from the wheel."""
    (tmp_path / "test_users.py").write_text(A_USERS_TEST, "utf-8")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COV", "PYTEST", "SECRETMEM"))
    }
    done = subprocess.run(
        [python, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(pytest_alone)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "secretmem: memfd_secret" in done.stdout, done.stderr
    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert "copies of a key are in ordinary memory" in done.stdout


def test_this_is_no_test_of_the_checkout(python: Path) -> None:
    """The clean environment has the wheel's package and pip only."""
    result = _run(python, "-m", "pip", "list", "--format=freeze")
    names = {line.partition("==")[0] for line in result.stdout.split()}
    assert names - {"pip", "setuptools", "wheel"} == {"secretmem"}
    assert (
        sys.prefix
        not in _run(python, "-c", "import sys; print(sys.path)").stdout
    )
