"""The command line of `secretmem audit`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ed25519

from audit.targets import holding
from leak import aes
from support import terminal, unprivileged
from support.patience import PATIENCE


if TYPE_CHECKING:
    from pathlib import Path


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

COMMAND = [sys.executable, "-P", "-m", "secretmem.cli.main", "audit"]


def run(
    *arguments: object,
    pass_fds: tuple[int, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run ``secretmem audit ARGUMENTS``."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
        pass_fds=pass_fds,
    )


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Make a key of 32 bytes in a file."""
    path = tmp_path / "key"
    path.write_bytes(os.urandom(32))
    return path


def test_a_finding_is_a_row_and_exit_code_1(key: Path) -> None:
    """The table names key, form and place, and no byte of the key."""
    value = key.read_bytes()
    with holding(b"copy: " + value) as pid:
        done = run("--pid", pid, "--key", f"ed25519={key}")
    assert done.returncode == 1, done.stderr
    assert "seed, plain" in done.stdout
    assert "found 1 piece of 1 key" in done.stdout
    assert not done.stderr
    for shape in (value.hex(), repr(value)[2:-1]):
        assert shape not in done.stdout


def test_nothing_found_is_exit_code_0(key: Path) -> None:
    """What was looked at is told."""
    with holding(os.urandom(64)) as pid:
        done = run("--pid", pid, "--key", f"aes={key}", "--hold")
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("nothing was found\n")
    assert "registers of 1 thread" in done.stdout


def test_json(key: Path) -> None:
    """Several keys; sizes and places as numbers."""
    other = key.with_name("other")
    other.write_text(os.urandom(16).hex() + "\n", "ascii")
    value = bytes.fromhex(other.read_text("ascii"))
    # The key begins its round keys, and ends those to decrypt: of those, too,
    # it would be a part if the byte beside it were theirs by chance.
    before = aes.inverse_schedule(value)[-17] ^ 0xFF
    behind = aes.schedule(value)[16] ^ 0xFF
    held = key.read_bytes()[::-1] + bytes([before, *value, behind])
    with holding(held) as pid:
        done = run(
            *("--pid", pid, "--key", f"raw={key}", "--json"),
            *("--key", f"aes=file:{other}?encoding=hex"),
        )
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["schema"] == 1
    assert not report["clean"]
    assert report["complete"]
    assert report["keys"] == [
        f"aes of file:{other}?encoding=hex",
        f"raw of {key}",
    ]
    assert {f["form"] for f in report["findings"]} == {
        "key, plain",
        "key, reversed",
    }
    assert report["searched"] > 1 << 20


def test_a_key_from_a_descriptor(key: Path) -> None:
    """``fd:N``, in base64."""
    import base64

    source, target = os.pipe()
    os.write(target, base64.b64encode(key.read_bytes()) + b"\n")
    os.close(target)
    with holding(key.read_bytes()) as pid:
        done = run(
            "--pid",
            pid,
            "--key",
            f"raw=fd:{source}?encoding=base64",
            pass_fds=(source,),
        )
    os.close(source)
    assert done.returncode == 1, done.stderr


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_private_key_file(encrypted: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter
    """Its seed is looked for, with a passphrase if it has one."""
    private = ed25519.Ed25519PrivateKey.generate()
    word = tmp_path / "word"
    word.write_text("correct horse\n", "ascii")
    path = tmp_path / "key.pem"
    path.write_bytes(
        private.private_bytes(
            forms.Encoding.PEM,
            forms.PrivateFormat.PKCS8,
            forms.BestAvailableEncryption(b"correct horse")
            if encrypted
            else forms.NoEncryption(),
        )
    )
    with holding(private.private_bytes_raw()) as pid:
        arguments: list[object] = ["--pid", pid, "--key", f"pem={path}"]
        if encrypted:
            refused = run(*arguments)
            assert refused.returncode == 69
            assert "--passphrase" in refused.stderr
            arguments += ["--passphrase", word]
        done = run(*arguments)
    assert done.returncode == 1, done.stderr
    assert "seed, plain" in done.stdout


def ask(pid: int) -> None:
    """Run in an interpreter of its own."""
    import sys

    from secretmem.cli.main import main

    key = ("--key", "password=prompt")
    sys.argv = ["secretmem", "audit", "--pid", str(pid), *key]
    sys.exit(main())


def test_a_key_is_typed_at_the_prompt() -> None:
    """A password, without echo; a progress bar comes and goes."""
    with (
        holding(b"the words: tr0ub4dor&3.") as pid,
        terminal.session(ask, pid) as session,
    ):
        session.expect("Key to look for (password): ")
        session.type("tr0ub4dor&3\n")
        seen = session.expect("found 1 piece of 1 key")
    assert b"tr0ub4dor" not in seen
    assert b"searching" in seen


@pytest.mark.parametrize(
    "arguments,words",
    [
        ((), "give either --pid or --core"),
        (("--pid", "1", "--core", "/dev/null"), "either"),
        (("--pid", "1"), "give at least one --key"),
        (("--core", __file__, "--hold", "--key", "raw=x"), "--hold needs"),
        (("--pid", "1", "--key", "raw"), "KIND=SOURCE"),
        (("--pid", "1", "--key", "dsa=x"), "KIND one of"),
        (("--pid", "1", "--key", "raw=env:KEY"), "from the environment"),
        (("--pid", "0", "--key", "raw=x"), "0 is not in the range"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], words: str) -> None:
    """Exit code 2, with what was meant."""
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_what_cannot_be_audited(key: Path, tmp_path: Path) -> None:
    """Exit code and cause: no process, no key, no core file."""
    short = tmp_path / "short"
    short.write_bytes(b"1234567")
    for arguments, words in (
        (("--pid", 1 << 22, "--key", f"raw={key}"), "there is no process"),
        (("--pid", 1, "--key", f"raw={short}"), "has 8 bytes or more"),
        (("--pid", 1, "--key", "raw=/nowhere"), "file:/nowhere: "),
        (("--pid", 1, "--key", "raw=fd:99"), "fd:99: "),
        (("--pid", 1, "--key", f"aes={short}"), "16, 24 or 32 bytes"),
        (("--pid", 1, "--key", f"pem={key}"), "cannot be read"),
        (("--pid", 1, "--key", f"raw=file:{key}?encoding=hex"), "hex"),
        (("--pid", 1, "--key", "raw=file:x?colour=red"), "colour"),
        (("--core", key, "--key", f"raw={key}"), "no ELF core file"),
    ):
        done = run(*arguments)
        # The wrong size for its kind is wrong usage.
        usage = " bytes" in words
        assert done.returncode == (2 if usage else 69), (arguments, done)
        assert words in done.stderr
        assert not done.stdout


@pytest.mark.needs_root
@pytest.mark.needs_unprivileged
def test_another_user_is_refused_with_the_reason(key: Path) -> None:
    """Not the same uid: it says so and what to do."""
    with holding(b"") as pid:
        source = os.open(key, os.O_RDONLY)
        done = unprivileged.run(
            *(*COMMAND[2:], "--pid", str(pid), "--key", f"raw=fd:{source}"),
            pass_fds=(source,),
        )
        os.close(source)
    assert done.returncode == 69
    assert "it runs as uid 0; run the audit as root" in done.stderr
