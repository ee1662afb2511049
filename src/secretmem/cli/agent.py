"""The ``secretmem agent`` program: parse, start, end."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from secretmem.cli import voice


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem.agent.start import Options


_EPILOG = """\b
Examples:
  $ eval "$(secretmem agent)"
  $ ssh-add
  $ secretmem agent -- git push
  $ secretmem agent -D -a ~/.ssh/agent.sock --log ~/.ssh/agent.log

ssh, ssh-add, git, scp and whatever else speaks the protocol of SSH agents
(RFC 9987) use it unchanged. A key goes from the socket straight into secret
memory and is parsed and used there. Keys on FIDO devices (sk-) and on smart
cards (PKCS#11), and DSA keys, are refused.

\b
What it keeps and who used it:
  $ secretmem agent status

More than ssh, over the second socket only; the source as in
secretmem.sources, the purpose one of aes-gcm, aes-gcm-siv,
chacha20-poly1305, xchacha20-poly1305, hmac-sha256, hmac-sha384, hmac-sha512,
sign, age:

\b
  $ secretmem agent -x /run/me/extra --secret db=aes-gcm:file:/etc/db.key

Secret memory keeps the machine from hibernating. With --hibernation=allow the
agent seals its keys by a passphrase and gives all secret memory back, when
systemd-logind tells that the machine will sleep, or by --sleep; afterwards it
takes them back, or by --wake:

\b
  $ eval "$(secretmem agent --hibernation=allow)"
  $ secretmem agent --hibernation=allow --hibernation-key credential:agent

\b
Signals:
  SIGTERM, SIGHUP, SIGINT  wipe all keys, remove the socket, end
  SIGUSR1                  drop all keys, go on
  SIGUSR2                  with --hibernation=allow: sleep, or wake up

\b
Environment:
  SSH_AUTH_SOCK, SSH_AGENT_PID       what is printed, and what -k needs
  SECRETMEM_AGENT_SOCK               the second socket, for status and clients
  SSH_ASKPASS, DISPLAY, WAYLAND_DISPLAY
                                     who is asked about keys of ssh-add -c
  XDG_RUNTIME_DIR, TMPDIR            where the socket is made without -a
  LISTEN_FDS, LISTEN_PID             a socket of systemd's, in place of -a

Exit status: 0 fine, 1 status: there is no agent, 2 usage, 69 the agent cannot
start; of the command, if there is one, 126 or 127 if it cannot be executed.
"""

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST = 2**32 - 1
# Of a descriptor's number.
_DIGITS = 9


class _Time(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """Seconds, or a time as in sshd_config(5): 1h30m."""

    name = "time"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """Return seconds."""
        text = str(value).lower()
        if not re.fullmatch(r"([0-9]+[smhdw]?)+", text):
            self.fail(f"{value!r} is no time such as 600 or 1h30m", param, ctx)
        parts = re.findall(r"([0-9]+)([smhdw]?)", text)
        seconds = sum(int(n) * _UNITS[unit] for n, unit in parts)
        if not 0 < seconds <= _LONGEST:
            self.fail("a lifetime is from 1 second to 136 years", param, ctx)
        return seconds


_PATH = click.Path(path_type=Path)


@click.command(
    epilog=_EPILOG,
    context_settings={"allow_interspersed_args": False},
    short_help="Keep SSH keys in secret memory.",
)
@click.option(
    "-a",
    "path",
    metavar="SOCKET",
    type=_PATH,
    help="Make the socket there; a dead agent's is replaced.",
)
@click.option(
    "-x",
    "extra",
    metavar="SOCKET",
    type=_PATH,
    help="Make the second socket there, for extensions and status.",
)
@click.option(
    "-D",
    "foreground",
    is_flag=True,
    help="Stay in the foreground; log uses to standard error.",
)
@click.option("-c", "csh", flag_value=True, help="Print commands for csh.")
@click.option(
    "-s", "csh", flag_value=False, help="Print commands for sh.", default=None
)
@click.option("-k", "kill", is_flag=True, help="End the agent of this shell.")
@click.option(
    "-t",
    "lifetime",
    metavar="TIME",
    type=_Time(),
    help="End keys that come without a lifetime after this time.",
)
@click.option(
    "--key",
    "keys",
    metavar="FILE",
    type=_PATH,
    multiple=True,
    help="Load a private key file at the start; may be repeated.",
)
@click.option(
    "--identity",
    "identities",
    metavar="FILE",
    type=_PATH,
    multiple=True,
    help="age identities, for key files that are age files.",
)
@click.option(
    "--secret",
    "secrets",
    metavar="NAME=PURPOSE:SOURCE",
    multiple=True,
    help="Keep a secret for the second socket; see below.",
)
@click.option(
    "--allow-export",
    "exported",
    metavar="NAME",
    multiple=True,
    help="Let the second socket hand over this secret.",
)
@click.option(
    "--log",
    metavar="FILE",
    type=_PATH,
    help="Append a line for each use: when, what, which key, who.",
)
@click.option(
    "--hibernation",
    type=click.Choice(["refuse", "allow"]),
    default="refuse",
    help="allow: seal the keys and give way when the machine will sleep.",
)
@click.option(
    "--hibernation-key",
    metavar="SOURCE",
    default="prompt:",
    help="The passphrase for that; prompt: (the default) asks.",
)
@click.option(
    "--sleep",
    "rest",
    flag_value="sleep",
    help="Let the agent of this shell seal its keys now.",
)
@click.option(
    "--wake",
    "rest",
    flag_value="wake",
    help="Let the agent of this shell take its keys back.",
)
# What the agent calls itself with while it sleeps.
@click.option("--asleep", metavar="FD", hidden=True)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def command(  # noqa: PLR0913 - one for each option
    *,
    path: Path | None,
    extra: Path | None,
    foreground: bool,
    csh: bool | None,
    kill: bool,
    lifetime: int | None,
    keys: tuple[Path, ...],
    identities: tuple[Path, ...],
    secrets: tuple[str, ...],
    exported: tuple[str, ...],
    log: Path | None,
    hibernation: str,
    hibernation_key: str,
    rest: str | None,
    asleep: str | None,
    command: tuple[str, ...],
) -> int:
    """
    Keep SSH keys in secret memory.

    An SSH agent in place of OpenSSH's ssh-agent. Without COMMAND it goes to
    the background and prints the shell commands that make it the agent of
    a shell. With COMMAND it runs the command with the agent, and ends with
    it.
    """
    if importlib.util.find_spec("cryptography") is None:
        voice.complain(
            "the agent needs cryptography, for the signatures of host keys",
            "pip install 'secretmem[cli,crypto]'",
        )
        return voice.UNAVAILABLE
    if command[:1] == ("status",):
        _status.main(
            list(command[1:]), "secretmem agent status", standalone_mode=False
        )
        return voice.FINE
    if asleep is not None:
        return _sleep(asleep)
    if rest is not None:
        return _let(rest, extra)
    from secretmem.agent import life, named, start

    options = start.Options(
        path=path,
        extra=extra,
        foreground=foreground,
        csh=life.is_csh() if csh is None else csh,
        lifetime=lifetime,
        keys=[each.absolute() for each in keys],
        identities=[each.absolute() for each in identities],
        secrets=secrets,
        exported=exported,
        log=log and log.absolute(),
        hibernation=hibernation == "allow",
        hibernation_key=hibernation_key,
        command=command,
    )
    if kill:
        return _guarded(start.kill, options)
    if foreground and command:
        raise click.UsageError("-D and a command exclude each other")
    try:
        named.check(secrets, exported)
    except named.NamedError as error:
        raise click.UsageError(str(error)) from None
    return _guarded(start.run, options)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "-x",
    "extra",
    metavar="SOCKET",
    type=_PATH,
    help="The agent's second socket; SECRETMEM_AGENT_SOCK by default.",
)
def _status(*, as_json: bool, extra: Path | None) -> None:
    """Print what the agent keeps, and who used it."""
    from secretmem.agent import status
    from secretmem.agent.client import AgentError, Client

    try:
        with Client(extra) if extra else Client.second() as agent:
            found = agent.status()
    except AgentError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    try:
        shown = list(status.lines(found))
    except (LookupError, TypeError, ValueError, ArithmeticError):
        text = "the status lacks what is shown here; --json prints all of it"
        raise click.ClickException(text) from None
    for line in shown:
        click.echo(line)


def _let(rest: str, extra: Path | None) -> int:
    """Let an agent sleep, or wake it."""
    from secretmem.agent.client import (
        AgentError,
        AgentRefusedError,
        Client,
    )

    reasons = {
        "sleep": "the agent does not sleep; is it one with "
        "--hibernation=allow, and is there memory to read its keys?",
        "wake": "the agent sleeps on: no passphrase, or none that fits",
    }
    try:
        with Client(extra) if extra else Client.second() as agent:
            (agent.sleep if rest == "sleep" else agent.wake)()
    except AgentRefusedError:
        voice.complain(reasons[rest])
        return voice.UNAVAILABLE
    except AgentError as error:
        voice.complain(str(error))
        return voice.UNAVAILABLE
    return voice.FINE


def _sleep(value: str) -> int:
    """Be the agent that sleeps; its keys come by a descriptor."""
    from secretmem import SecretmemError
    from secretmem.agent import asleep, handing
    from secretmem.agent.sealing import BoxError

    if value == handing.NOTHING:
        return voice.FINE
    if not (value.isascii() and value.isdecimal() and len(value) < _DIGITS):
        raise click.UsageError("--asleep is for the agent itself")
    try:
        return asleep.run(int(value))
    except (BoxError, SecretmemError, OSError) as error:
        voice.complain(f"what the agent has sealed cannot be read: {error}")
        return voice.UNAVAILABLE


def _guarded(act: Callable[[Options], int], options: Options) -> int:
    """Run; say what went wrong."""
    from secretmem import SecretmemError
    from secretmem.agent.start import StartError

    try:
        return act(options)
    except StartError as error:
        voice.complain(str(error))
        return voice.UNAVAILABLE if error.code is None else error.code
    except OSError as error:
        voice.refused(error)
        return voice.UNAVAILABLE
    except SecretmemError as error:
        voice.complain(str(error))
        return voice.UNAVAILABLE
