"""The click group behind the table of commands: it loads them lazily."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from secretmem.cli import voice


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_HELP = """
Secret memory for Python, on memfd_secret(2).

Exit codes: 0 fine, 1 a finding, 2 usage, 69 not available here.
"""

_EPILOG = """\b
Examples:
  $ secretmem doctor
  $ secretmem run --secret DB=file:db.key -- ./serve
  $ secretmem run --help
"""


class LazyGroup(click.Group):
    """
    Commands by name; their modules are imported when they are used.

    ``table`` maps names to what is shown of them, ``load`` imports one.
    """

    def __init__(
        self, table: Mapping[str, str], load: Callable[[str], click.Command]
    ) -> None:
        """Take the table of commands."""
        super().__init__("secretmem", help=_HELP, epilog=_EPILOG)
        # Looked up when it is asked for.
        click.version_option(package_name="secretmem", prog_name="secretmem")(
            self
        )
        self._table = table
        self._load = load

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        del ctx
        return list(self._table)

    def get_command(
        self, ctx: click.Context, cmd_name: str
    ) -> click.Command | None:
        """Import a command; one that cannot be imported says why."""
        del ctx
        if cmd_name not in self._table:
            return None
        try:
            return self._load(cmd_name)
        except ImportError as error:
            return _unavailable(cmd_name, error)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Print the table without importing anything."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(self._table.items()))


def run(
    arguments: list[str],
    table: Mapping[str, str],
    load: Callable[[str], click.Command],
) -> int:
    """Run the command line ``arguments``; return the exit code."""
    group = LazyGroup(table, load)
    try:
        result = group.main(
            arguments, prog_name="secretmem", standalone_mode=False
        )
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return voice.USAGE
    except click.ClickException as error:
        voice.complain(voice.lower_first(error.format_message()))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        voice.complain("interrupted")
        return voice.INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away
        return voice.silence()
    return result if isinstance(result, int) else voice.FINE


def _unavailable(name: str, error: ImportError) -> click.Command:
    """Return a command that says why it is not there."""

    def complain() -> int:
        voice.complain(f"{name} is not available: {error}")
        return voice.UNAVAILABLE

    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(
        name,
        callback=complain,
        context_settings=settings,
        add_help_option=False,
    )
