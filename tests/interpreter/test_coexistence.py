"""Other cryptographic libraries in the process, all at work at once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from secretmem import _native
from support.patience import PATIENCE


pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_tool("cc", "nm"),
]

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).with_name("programs")
SECONDS = 3


def symbols(library: str | Path) -> str:
    """List what a library defines and needs, as the dynamic linker sees it."""
    return subprocess.run(
        ["nm", "--dynamic", str(library)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Link a second AWS-LC, of the very archive that the extension has."""
    pattern = "*/build/aws-lc-sys-*/out/libaws_lc_*_crypto.a"
    archives = sorted((ROOT / "rust" / "target").glob(pattern))
    if not archives:
        pytest.skip("the extension was not built in this checkout")
    made = tmp_path_factory.mktemp("second") / "libsecond.so"
    subprocess.run(
        [
            *("cc", "-shared", "-fPIC", "-O1", "-o", made),
            *(PROGRAMS / "second_copy.c", "-Wl,--whole-archive"),
            *(archives[-1], "-Wl,--no-whole-archive", "-lpthread"),
        ],
        check=True,
    )
    name = re.search(r"\b(aws_lc_\w+?)_ED25519_sign\b", symbols(made))
    assert name is not None
    return made, name[1]


def test_the_extension_shows_and_takes_no_such_name() -> None:
    """
    Nothing of AWS-LC is exported, and nothing is left to be filled.

    Its weak ``sdallocx`` is: AWS-LC calls it only where there is no
    ``OPENSSL_memory_free``, and there is ours.
    """
    names = symbols(_native.__file__)
    assert "PyInit__native" in names
    assert re.findall(r"OPENSSL_\w+|aws_lc_\w+", names) == []


@pytest.mark.parametrize("order", ["first", "last"])
def test_four_libraries_at_once(second: tuple[Path, str], order: str) -> None:
    """Threads, TLS handshakes, and a second copy with the same names."""
    library, prefix = second
    program = PROGRAMS / "coexist.py"
    done = subprocess.run(
        [sys.executable, program, library, prefix, str(SECONDS), order],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) >= 2, "every library did something meanwhile"
