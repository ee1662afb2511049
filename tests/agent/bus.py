"""A D-Bus of our own, and what stands in for systemd-logind on it."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import threading
from typing import TYPE_CHECKING, Any

from jeepney import (
    DBusAddress,
    HeaderFields,
    MessageType,
    new_error,
    new_method_return,
    new_signal,
)
from jeepney.bus_messages import message_bus
from jeepney.io import blocking

from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = "org.freedesktop.login1"
_MANAGER = DBusAddress(
    "/org/freedesktop/login1", _NAME, "org.freedesktop.login1.Manager"
)
_CONFIG = """
<busconfig>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
  </policy>
</busconfig>
"""


class Logind:
    """
    The part of logind that an agent speaks with.

    As with the real one, an inhibitor is one end of a pipe; it is given
    back when nobody has that end any more (systemd-inhibit(1)).
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.preparing = False
        self.asked: list[tuple[str, ...]] = []
        self._held: list[int] = []
        self._bus = blocking.open_dbus_connection(address, enable_fds=True)
        self._bus.send_and_get_reply(message_bus.RequestName(_NAME))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def env(self) -> dict[str, str]:
        """The environment in which this is the system's bus."""
        return {"DBUS_SYSTEM_BUS_ADDRESS": self.address}

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                message = self._bus.receive()
                if message.header.message_type is MessageType.method_call:
                    self._bus.send(self._reply(message))

    def _reply(self, message: Any) -> Any:  # noqa: ANN401 - without types
        method = message.header.fields[HeaderFields.member]
        if method == "Inhibit":
            reading, writing = os.pipe()
            self._held.append(reading)
            self.asked.append(message.body)
            reply = new_method_return(message, "h", (writing,))
            self._bus.send(reply)
            os.close(writing)
            # It is sent; an answer to nothing does no harm.
            return new_signal(_MANAGER, "Unheard")
        if method == "Get" and message.body[1] == "PreparingForSleep":
            return new_method_return(message, "v", (("b", self.preparing),))
        return new_error(message, f"{_NAME}.Unknown")

    def prepare(self, *, begins: bool) -> None:
        """Say that the machine will sleep, or has slept."""
        self.preparing = begins
        signal = new_signal(_MANAGER, "PrepareForSleep", "b", (begins,))
        self._bus.send(signal)

    def is_held(self) -> bool:
        """Tell whether somebody holds the newest inhibitor."""
        return not self._waited(0)

    def wait_for_release(self) -> None:
        """Wait until the newest inhibitor is given back."""
        assert self._waited(int(PATIENCE * 1000)), (
            "the inhibitor is still held"
        )

    def _waited(self, milliseconds: int) -> bool:
        ready = select.poll()
        ready.register(self._held[-1], 0)
        return bool(ready.poll(milliseconds))

    def close(self) -> None:
        """Leave the bus."""
        self._bus.sock.shutdown(2)
        self._thread.join()
        self._bus.close()
        for each in self._held:
            os.close(each)


def forge(address: str, *, begins: bool) -> None:
    """Send the signal from a connection that is not logind's."""
    with blocking.open_dbus_connection(address) as bus:
        signal = new_signal(_MANAGER, "PrepareForSleep", "b", (begins,))
        bus.send(signal)
        # It has gone through the bus when this is answered.
        bus.send_and_get_reply(message_bus.GetId())


@contextlib.contextmanager
def logind(folder: Path) -> Iterator[Logind]:
    """Run a bus with a logind on it."""
    config = folder / "bus.conf"
    config.write_text(_CONFIG.format(path=folder / "bus"), "utf-8")
    daemon = subprocess.Popen(
        [
            "dbus-daemon",
            f"--config-file={config}",
            "--nofork",
            "--print-address=1",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    said = daemon.stdout
    assert said is not None
    try:
        address = said.readline().strip()
        found = Logind(address)
        try:
            yield found
        finally:
            found.close()
    finally:
        daemon.kill()
        daemon.wait()
        said.close()
