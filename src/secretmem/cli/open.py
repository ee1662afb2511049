"""The ``secretmem open`` program: decrypt an age file."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from secretmem.cli import age_files, age_output


if TYPE_CHECKING:
    from secretmem import age

_EPILOG = """\b
Examples:
  $ secretmem open -i key.txt -o backup.tar backup.tar.age
  $ secretmem open -i ~/.ssh/id_ed25519 shop.age | psql shop
  $ secretmem open -p note.age -o note.txt

IDENTITY is a file with AGE-SECRET-KEY-1... lines, encrypted with a passphrase
or not, or an ssh private key. SOURCE says where a passphrase comes from, such
as fd:3 or file:PATH (see `secretmem.sources`); without --passphrase-from it
is asked for on the terminal.

What comes out of a pipe before this ends with status 1 is not all there is.

Exit status: 0 fine, 1 no identity fits, or the file is damaged or cannot be
read or written, 2 usage, 69 no secret memory here.
"""

_TERMINAL = (
    "this would write the plaintext to the terminal, which keeps it; use "
    "-o FILE or a pipe, or -o - to do it all the same"
)


@click.command(epilog=_EPILOG)
@click.option("-i", "--identity", "paths", multiple=True, metavar="IDENTITY")
@click.option("-p", "--passphrase", "ask", is_flag=True, help="Ask for one.")
@click.option("--passphrase-from", "phrase_source", metavar="SOURCE")
@click.option(
    "--max-work-factor",
    type=click.IntRange(1, 30),
    default=20,
    show_default=True,
    help="Of a passphrase: 2**N KiB of memory.",
)
@click.option("-o", "--output", metavar="FILE", help="Instead of stdout.")
@click.option(
    "--json", "as_json", is_flag=True, help="With -o: say what was done."
)
@click.argument("file", default=age_output.STDIO)
@age_files.reported
def command(
    *,
    paths: tuple[str, ...],
    ask: bool,
    phrase_source: str | None,
    max_work_factor: int,
    output: str | None,
    as_json: bool,
    file: str,
) -> None:
    """
    Decrypt FILE, or standard input, which may be armored.

    Keys and plaintext stay in secret memory on their way.  A file of -o is
    there only when all of it was authentic.  The mode of a new one is 0600;
    an old one keeps its own.
    """
    from secretmem import age

    if as_json and output in (None, age_output.STDIO):
        raise click.UsageError("--json needs -o FILE")
    if not paths and not ask and phrase_source is None:
        raise click.UsageError("give an identity (-i) or a passphrase (-p)")
    with ExitStack() as stack:
        identities: list[age.Identity | age.SSHIdentity | age.Passphrase] = []
        for path in paths:
            for each in _load(path, phrase_source, max_work_factor):
                stack.callback(each.close)
                identities.append(each)
        if ask or (phrase_source is not None and not paths):
            phrase = age_files.passphrase(phrase_source, confirm=False)
            made = age.Passphrase(phrase, max_work_factor=max_work_factor)
            identities.append(stack.enter_context(made))
        source = stack.enter_context(age_files.source(file))
        age_files.check_apart(source, output)
        target = age_output.target(output, 0o600, _TERMINAL)
        fd = stack.enter_context(target)
        counter = stack.enter_context(age_files.Counter("opened"))
        size = age.decrypt_to_fd(source, fd, identities, progress=counter)
    if as_json:
        click.echo(json.dumps({"output": output, "bytes": size}))


def _load(
    path: str, phrase_source: str | None, max_work_factor: int
) -> list[age.Identity | age.SSHIdentity]:
    """Load a file of identities, with a passphrase if it needs one."""
    from secretmem import InvalidKey, Secret, age

    # Read once: it may be a pipe of the shell.
    with Secret.from_file(path) as text:
        try:
            if not age.is_encrypted(text):
                return age.load_identities(text)
            with age_files.passphrase(phrase_source, confirm=False) as phrase:
                return age.load_identities(
                    text, phrase, max_work_factor=max_work_factor
                )
        except (InvalidKey, age.NoMatchError) as error:
            raise type(error)(f"{path}: {error}") from None
