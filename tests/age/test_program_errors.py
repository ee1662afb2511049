"""What ``seal``, ``open`` and ``keygen`` refuse, and in which words."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from age.command import FINDING, USAGE, run, sealed_to


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs_secretmem


def test_passphrases_that_do_not_fit(recipient: str, tmp_path: Path) -> None:
    """What is wrong, in the words of the command line."""
    word, other = tmp_path / "word", tmp_path / "other"
    word.write_text("correct horse")
    other.write_text("incorrect")
    sealed = run(
        "seal", "--passphrase-from", f"file:{word}", feed=b"text"
    ).stdout
    cases = (
        (sealed, other, (), "the passphrase is wrong"),
        (sealed, word, ("--max-work-factor", "5"), "--max-work-factor 18"),
        (
            sealed_to(recipient),
            word,
            (),
            "none of 1 identity decrypts the file",
        ),
    )
    for feed, phrase, options, text in cases:
        done = run(
            *("open", "--passphrase-from", f"file:{phrase}", *options),
            feed=feed,
            code=FINDING,
        )
        assert text in done.stderr.decode()
    path = tmp_path / "stranger"
    run("keygen", "-o", path)
    done = run("open", "-i", path, feed=sealed, code=FINDING)
    assert "encrypted with a passphrase" in done.stderr.decode()


def test_where_no_terminal_is(recipient: str) -> None:
    """The option that says where a passphrase is."""
    for arguments in (("seal", "-p"), ("open", "-p")):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "secretmem.cli.main", *arguments],
            input=sealed_to(recipient),
            capture_output=True,
            check=False,
            start_new_session=True,
        )
        assert done.returncode == USAGE
        assert b"--passphrase-from SOURCE" in done.stderr


def test_a_file_is_not_replaced_by_what_is_made_of_it(
    recipient: str, key_file: Path, tmp_path: Path
) -> None:
    """Nor by another name of it."""
    path, link = tmp_path / "plain", tmp_path / "link"
    path.write_bytes(b"the only copy")
    link.symlink_to(path)
    for to in (path, link):
        for arguments in (("seal", "-r", recipient), ("open", "-i", key_file)):
            done = run(*arguments, "-o", to, path, code=USAGE)
            assert b"are the same file" in done.stderr
            assert path.read_bytes() == b"the only copy"


def test_errors_name_the_file_of_keys(tmp_path: Path) -> None:
    """Of recipients without one, and of identities that are none."""
    empty, wrong = tmp_path / "empty", tmp_path / "wrong"
    empty.write_text("# none yet\n")
    wrong.write_text("no key\n")
    done = run("seal", "-R", empty, feed=b"text", code=USAGE)
    assert f"{empty}: the file holds no recipient" in done.stderr.decode()
    done = run("open", "-i", wrong, feed=b"text", code=USAGE)
    assert f"{wrong}: line 1" in done.stderr.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ("seal",),
        ("seal", "-r", "age1x"),
        ("seal", "-p", "-r", f"age1{'q' * 58}"),
        ("seal", "--json", "-p"),
        ("open",),
        ("open", "--json", "-i", "key"),
        ("open", "--max-work-factor", "31", "-p"),
        ("keygen", "--json"),
        ("keygen", "-o", "a", "-y", "b"),
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    """Exit code 2 and one line that says why."""
    said = run(*arguments, code=USAGE).stderr.decode()
    assert said.startswith("secretmem: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("seal", "-R", "missing"),
        ("open", "-i", "missing"),
        ("keygen", "-o", "missing/key"),
        ("keygen", "-y", "missing"),
    ],
    ids=" ".join,
)
def test_a_missing_file(arguments: tuple[str, ...]) -> None:
    """Exit code 1, and its name."""
    said = run(*arguments, code=FINDING).stderr.decode()
    assert re.fullmatch(r"secretmem: missing\S*: no such file.*\n", said)
