"""The ``secretmem seal`` program: encrypt a file to recipients."""

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
  $ secretmem seal -r age1... -o backup.tar.age backup.tar
  $ pg_dump shop | secretmem seal -R recipients.txt > shop.age
  $ secretmem seal -p --armor note.txt

RECIPIENT is age1... or the line of an ssh .pub file. SOURCE says where the
passphrase comes from, such as fd:3 or file:PATH (see `secretmem.sources`);
without --passphrase-from, -p asks on the terminal.

Exit status: 0 fine, 1 a file cannot be read or written, 2 usage,
69 no secret memory here.
"""

_BINARY = (
    "this would write binary to the terminal; use --armor, -o FILE, or -o - "
    "to do it all the same"
)


@click.command(epilog=_EPILOG)
@click.option(
    "-r", "--recipient", "recipients", multiple=True, metavar="RECIPIENT"
)
@click.option(
    "-R",
    "--recipients-file",
    "files",
    multiple=True,
    metavar="FILE",
    help="Recipients, one a line.",
)
@click.option("-p", "--passphrase", "ask", is_flag=True, help="Ask for one.")
@click.option("--passphrase-from", "phrase_source", metavar="SOURCE")
@click.option("-a", "--armor", is_flag=True, help="Write text.")
@click.option("-o", "--output", metavar="FILE", help="Instead of stdout.")
@click.option(
    "--json", "as_json", is_flag=True, help="With -o: say what was done."
)
@click.argument("file", default=age_output.STDIO)
@age_files.reported
def command(
    *,
    recipients: tuple[str, ...],
    files: tuple[str, ...],
    ask: bool,
    phrase_source: str | None,
    armor: bool,
    output: str | None,
    as_json: bool,
    file: str,
) -> None:
    """
    Encrypt FILE, or standard input, to an age file.

    The plaintext goes through secret memory, 64 KiB at a time.
    """
    from secretmem import age

    if as_json and output in (None, age_output.STDIO):
        raise click.UsageError("--json needs -o FILE")
    everyone: list[age.Recipient | age.SSHRecipient] = [
        age.parse_recipient(text) for text in recipients
    ]
    for each in files:
        everyone += age.load_recipients(each)
    by_phrase = ask or phrase_source is not None
    if bool(everyone) == by_phrase:
        raise click.UsageError(
            "give recipients (-r, -R), or a passphrase (-p) and no recipient"
        )
    to: list[age.Recipient | age.SSHRecipient] | list[age.Passphrase]
    to = everyone
    refusal = None if armor else _BINARY
    with ExitStack() as stack:
        source = stack.enter_context(age_files.source(file))
        age_files.check_apart(source, output)
        age_output.refuse_terminal(output, refusal)
        if by_phrase:
            # Before the output is begun: until its end, signals are taken
            # there, and the prompt would not see them.
            asked = age_files.passphrase(phrase_source, confirm=True)
            to = [age.Passphrase(stack.enter_context(asked))]
        writing = age_output.target(output, 0o666, refusal)
        target = stack.enter_context(writing)
        counter = stack.enter_context(age_files.Counter("sealed"))
        size = age.encrypt_fd(
            source, target, to, armor=armor, progress=counter
        )
    if as_json:
        said = {
            "output": output,
            "bytes": size,
            "recipients": [str(each) for each in everyone],
        }
        click.echo(json.dumps(said))
