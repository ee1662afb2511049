"""The programs ``seal``, ``open`` and ``keygen``."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from age.command import FINDING, FINE, MESSAGE, USAGE, run, sealed_to
from secretmem import Secret, age
from support.terminal import session


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.needs_secretmem


def test_a_file_goes_there_and_back(
    key_file: Path, recipient: str, tmp_path: Path
) -> None:
    """Over pipes and over files."""
    sealed = run("seal", "-r", recipient, feed=MESSAGE).stdout
    assert sealed.startswith(b"age-encryption.org/v1\n")
    assert run("open", "-i", key_file, feed=sealed).stdout == MESSAGE
    (tmp_path / "plain").write_bytes(MESSAGE)
    options = ("-a", "-r", recipient, "-o", tmp_path / "sealed")
    run("seal", *options, tmp_path / "plain")
    opened = tmp_path / "opened"
    run("open", "-i", key_file, "-o", opened, tmp_path / "sealed")
    assert opened.read_bytes() == MESSAGE
    assert stat.S_IMODE(opened.stat().st_mode) == 0o600


def test_the_key_file_is_private_and_stays(key_file: Path) -> None:
    """Mode 0600, the form of age-keygen, and never overwritten."""
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    text = key_file.read_text("ascii")
    lines = text.splitlines()
    assert re.fullmatch(r"# created: \S+T\S+", lines[0])
    assert re.fullmatch(r"# public key: age1\w{58}", lines[1])
    assert re.fullmatch(r"AGE-SECRET-KEY-1[A-Z0-9]{58}", lines[2])
    said = run("keygen", "-o", key_file, code=FINDING).stderr.decode()
    assert said == f"secretmem: {key_file}: file exists\n"
    assert key_file.read_text("ascii") == text


def test_the_public_key_is_told(tmp_path: Path) -> None:
    """On standard error; the identity is on standard output."""
    done = run("keygen")
    said = re.fullmatch(rb"Public key: (age1\w+)\n", done.stderr)
    assert said is not None
    assert said[1] in done.stdout
    path = tmp_path / "key"
    told = json.loads(run("keygen", "--json", "-o", path).stdout)
    assert told["output"] == str(path)
    listed = json.loads(run("keygen", "--json", "-y", path).stdout)
    assert listed == {"recipients": [told["recipient"]]}


def test_a_key_for_all_to_read_is_warned_of(tmp_path: Path) -> None:
    """Redirected by a shell with the usual umask."""
    path = tmp_path / "key"
    with path.open("wb") as file:
        os.fchmod(file.fileno(), 0o644)
        done = subprocess.run(
            [sys.executable, "-P", "-m", "secretmem.cli.main", "keygen"],
            stdout=file,
            stderr=subprocess.PIPE,
            check=True,
        )
    assert b"a file that others can read\nsecretmem: hint:" in done.stderr


def test_recipients_of_every_source(
    key_file: Path, recipient: str, tmp_path: Path
) -> None:
    """From a file with comments, and twice from the command line."""
    other = age.Identity.generate()
    listed = tmp_path / "recipients"
    listed.write_text(f"# of the shop\n\n{other.recipient}\n", "ascii")
    third = age.Identity.generate()
    options = ("-R", listed, "-r", recipient, "-r", third.recipient)
    sealed = run("seal", *options, feed=MESSAGE).stdout
    for identity in (other, third, age.Identity.from_file(key_file)):
        assert age.decrypt(sealed, [identity]).matches(MESSAGE)


def test_a_passphrase_from_a_source(tmp_path: Path) -> None:
    """A source of `secretmem.sources`, so that no terminal is needed."""
    path = tmp_path / "passphrase"
    path.write_bytes(b"correct horse\n")
    source = ("--passphrase-from", f"file:{path}?strip=yes")
    sealed = run("seal", *source, feed=MESSAGE).stdout
    with Secret.from_bytes(b"correct horse") as passphrase:
        opened = age.decrypt(sealed, [age.Passphrase(passphrase)])
    assert opened.matches(MESSAGE)
    assert run("open", *source, feed=sealed).stdout == MESSAGE
    few = ("--max-work-factor", "10")
    said = run("open", *source, *few, feed=sealed, code=FINDING).stderr
    assert b"pass --max-work-factor 18" in said
    missing = ("--passphrase-from", f"file:{tmp_path}/nothing")
    said = run("seal", *missing, feed=MESSAGE, code=USAGE).stderr
    assert b"ENOENT" in said
    assert b"hint: check the name" in said


def test_an_encrypted_identity(
    key_file: Path, recipient: str, tmp_path: Path
) -> None:
    """The file of identities is an age file itself."""
    with (
        Secret.from_bytes(b"correct horse") as phrase,
        Secret.from_file(key_file) as text,
    ):
        cheap = age.Passphrase(phrase, work_factor=5)
        locked = age.encrypt(text, [cheap], armor=True)
    path, source = tmp_path / "key.age", tmp_path / "passphrase"
    path.write_bytes(locked)
    source.write_bytes(b"correct horse")
    options = ("-i", path, "--passphrase-from", f"file:{source}")
    opened = run("open", *options, feed=sealed_to(recipient))
    assert opened.stdout == MESSAGE
    few = ("--max-work-factor", "4")
    said = run("open", *options, *few, feed=sealed_to(recipient), code=FINDING)
    assert b"pass --max-work-factor 5" in said.stderr


def test_a_damaged_identity_asks_for_nothing(
    recipient: str, tmp_path: Path
) -> None:
    """What is wrong is said; there is no passphrase to give."""
    path = tmp_path / "key.pem"
    path.write_bytes(
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    )
    said = run(
        "open", "-i", path, feed=sealed_to(recipient), code=USAGE
    ).stderr
    assert b"cannot be read" in said
    assert b"passphrase" not in said.partition(b"hint")[0]


def test_an_identity_from_a_pipe(key_file: Path, recipient: str) -> None:
    """As a shell's ``-i <(command)`` gives it: it can be read once."""
    reader, writer = os.pipe()
    os.write(writer, key_file.read_bytes())
    os.close(writer)
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "secretmem.cli.main"),
            *("open", "-i", f"/dev/fd/{reader}"),
        ],
        input=sealed_to(recipient),
        stdout=subprocess.PIPE,
        pass_fds=[reader],
        check=True,
    )
    os.close(reader)
    assert done.stdout == MESSAGE


def _cut(sealed: bytes) -> bytes:
    return sealed[:-1]


def _strange(sealed: bytes) -> bytes:
    del sealed
    return b"not an age file"


def _changed(sealed: bytes) -> bytes:
    return sealed.replace(b"-> X25519", b"-> X25519 ", 1)


@pytest.mark.parametrize("damage", [_cut, _strange, _changed])
def test_a_damaged_file_leaves_none(
    damage: Callable[[bytes], bytes],
    key_file: Path,
    recipient: str,
    tmp_path: Path,
) -> None:
    """Exit code 1, no output, no rest of it, and an old one unchanged."""
    options = ("-i", key_file, "-o", tmp_path / "opened")
    before = set(tmp_path.iterdir())
    file = damage(sealed_to(recipient))
    assert run("open", *options, feed=file, code=FINDING).stderr.startswith(
        b"secretmem: "
    )
    assert set(tmp_path.iterdir()) == before
    (tmp_path / "opened").write_bytes(b"an old one")
    run("open", *options, feed=file, code=FINDING)
    assert (tmp_path / "opened").read_bytes() == b"an old one"


def test_a_stranger(recipient: str, tmp_path: Path) -> None:
    """Exit code 1 and what to do."""
    path = tmp_path / "stranger"
    run("keygen", "-o", path)
    done = run("open", "-i", path, feed=sealed_to(recipient), code=FINDING)
    said = done.stderr.decode()
    assert "none of 1 identity decrypts the file" in said
    assert "secretmem: hint: give the identity" in said
    assert done.stdout == b""


@pytest.mark.parametrize("name", ["seal", "open", "keygen"])
def test_help_has_an_example(name: str) -> None:
    """And the exit codes."""
    said = run(name, "--help").stdout.decode()
    assert f"$ secretmem {name} " in said
    assert "69 no" in said.replace("\n  ", " ")


def test_json_tells_what_was_done(
    key_file: Path, recipient: str, tmp_path: Path
) -> None:
    """With a file to write to."""
    sealed, opened = tmp_path / "sealed", tmp_path / "opened"
    done = run("seal", "--json", "-r", recipient, "-o", sealed, feed=MESSAGE)
    assert json.loads(done.stdout) == {
        "output": str(sealed),
        "bytes": len(MESSAGE),
        "recipients": [recipient],
    }
    done = run("open", "--json", "-i", key_file, "-o", opened, sealed)
    assert json.loads(done.stdout) == {
        "output": str(opened),
        "bytes": len(MESSAGE),
    }


def _on_terminal(*arguments: str) -> None:
    import sys

    from secretmem.cli.main import main

    sys.argv[1:] = arguments
    sys.exit(main())


def test_nothing_is_written_to_a_terminal(
    key_file: Path, recipient: str, tmp_path: Path
) -> None:
    """Neither binary nor plaintext, unless it is asked for."""
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    plain.write_bytes(MESSAGE)
    sealed.write_bytes(sealed_to(recipient))
    seal = ("seal", "-r", recipient, str(plain))
    unseal = ("open", "-i", str(key_file), str(sealed))
    with session(_on_terminal, *seal) as person:
        person.expect("would write binary to the terminal")
        assert person.end() == USAGE
    with session(_on_terminal, *unseal) as person:
        shown = person.expect("would write the plaintext to the terminal")
        assert MESSAGE not in shown
        assert person.end() == USAGE
    with session(_on_terminal, "seal", "-a", *seal[1:]) as person:
        person.expect("-----END AGE ENCRYPTED FILE-----")
        assert person.end() == FINE
    with session(_on_terminal, *unseal, "-o", "-") as person:
        person.expect(MESSAGE.decode())
        assert person.end() == FINE


def test_a_passphrase_is_asked_for(tmp_path: Path) -> None:
    """Twice to seal, once to open."""
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    plain.write_bytes(MESSAGE)
    seal = ("seal", "-p", "-o", str(sealed), str(plain))
    with session(_on_terminal, *seal) as person:
        for prompt in ("Passphrase: ", "Passphrase: (again) "):
            person.expect(prompt)
            person.silent(lambda: not person.echoes())
            person.type("correct horse\n")
        assert person.end() == FINE
    opened = tmp_path / "opened"
    unseal = ("open", "-p", "-o", str(opened), str(sealed))
    with session(_on_terminal, *unseal) as person:
        person.expect("Passphrase: ")
        person.silent(lambda: not person.echoes())
        person.type("correct horse\n")
        assert person.end() == FINE
    assert opened.read_bytes() == MESSAGE
