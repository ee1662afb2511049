"""The ``secretmem keygen`` program: make an identity."""

from __future__ import annotations

import json
import os
import stat
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from secretmem.cli import age_files, voice


if TYPE_CHECKING:
    from secretmem import age

_EPILOG = """\b
Examples:
  $ secretmem keygen -o key.txt
  $ secretmem keygen -y key.txt
  $ secretmem keygen | secretmem seal -p -o key.age

The file is that of age-keygen. What is printed to standard error is public.

Exit status: 0 fine, 1 the file is there already or cannot be written,
2 usage, 69 no secret memory here.
"""


@click.command(epilog=_EPILOG)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="A new file, which only its owner can read, instead of stdout.",
)
@click.option(
    "-y",
    "from_file",
    metavar="IDENTITY",
    help="Print the recipients of a file of identities instead.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="With -o or -y: print JSON."
)
@age_files.reported
def command(
    *, output: str | None, from_file: str | None, as_json: bool
) -> None:
    """Make an identity for age files; its key is made in secret memory."""
    from secretmem import age

    if from_file is not None:
        if output is not None:
            raise click.UsageError("-o makes an identity and -y reads one")
        _show(from_file, as_json=as_json)
        return
    if as_json and output is None:
        raise click.UsageError("--json needs -o FILE or -y IDENTITY")
    with age.Identity.generate() as identity:
        if output is None:
            _warn()
            _write(identity, sys.stdout.fileno())
        else:
            _save(identity, output)
        recipient = str(identity.recipient)
    if as_json:
        click.echo(json.dumps({"output": output, "recipient": recipient}))
    elif output is not None or not sys.stdout.isatty():
        click.echo(f"Public key: {recipient}", err=True)


def _show(path: str, *, as_json: bool) -> None:
    from secretmem import age

    found = age.load_identities(path)
    texts = [str(identity.recipient) for identity in found]
    for identity in found:
        identity.close()
    if as_json:
        click.echo(json.dumps({"recipients": texts}))
    else:
        click.echo("\n".join(texts))


def _warn() -> None:
    """Say so when the key goes to a file that others can read."""
    mode = os.fstat(sys.stdout.fileno()).st_mode
    if stat.S_ISREG(mode) and mode & 0o077:
        voice.complain(
            "the key goes to a file that others can read",
            "use -o FILE, or umask 077",
        )


def _save(identity: age.Identity, path: str) -> None:
    """Write a new file; one that is there stays as it is."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _write(identity, fd)
    except BaseException:
        os.unlink(path)  # noqa: PTH108 - of our own open above
        raise
    finally:
        os.close(fd)


def _write(identity: age.Identity, fd: int) -> None:
    """Write what age-keygen writes, straight from secret memory."""
    now = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
    head = f"# created: {now}\n# public key: {identity.recipient}\n"
    with identity.text() as text, head.encode() + text + b"\n" as file:
        file.write_to(fd)
