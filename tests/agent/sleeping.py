"""An agent that can sleep, and what is seen of it from outside."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agent import stage
from secretmem.agent.client import Client
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PASSPHRASE = b"four words that nobody guesses"
NO_BUS = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent/bus"}


class Sleeper(NamedTuple):
    """An agent that can sleep."""

    agent: stage.Agent
    folder: Path

    def second(self) -> Client:
        """Return a client of the second socket."""
        return Client(self.folder / "extra", timeout=PATIENCE)

    def sleep(self) -> None:
        """Let it sleep."""
        with self.second() as client:
            client.sleep()

    def wake(self) -> None:
        """Let it wake up."""
        with self.second() as client:
            client.wake()

    def status(self) -> dict[str, Any]:
        """Ask how it is."""
        with self.second() as client:
            return client.status()

    def is_asleep(self) -> bool:
        """Tell whether it sleeps."""
        return self.status()["hibernation"]["asleep_since"] is not None


@contextlib.contextmanager
def agent(
    folder: Path,
    *options: str | Path,
    env: Mapping[str, str] = NO_BUS,
    source: str = "",
) -> Iterator[Sleeper]:
    """Run one whose passphrase is in a file."""
    (folder / "passphrase").write_bytes(PASSPHRASE)
    words = (
        "--hibernation=allow",
        "--hibernation-key",
        source or f"file:{folder}/passphrase",
    )
    extra = ("-x", folder / "extra")
    with stage.agent(folder, *extra, *words, *options, env=env) as found:
        yield Sleeper(found, folder)


def secret_mappings(pid: int) -> list[str]:
    """List the mappings of secret memory; the descriptors too."""
    found = Path(f"/proc/{pid}/maps").read_text("utf-8").splitlines()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(f"fd fd fd fd fd {entry.readlink()}")
    return [line for line in found if "/secretmem" in line.split()[5:6]]
