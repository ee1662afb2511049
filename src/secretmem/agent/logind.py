"""
systemd-logind, over D-Bus: it tells of sleep, and waits for us.

``org.freedesktop.login1`` sends PrepareForSleep(true) before the machine
sleeps and PrepareForSleep(false) afterwards. Who holds a delay inhibitor gets
a few seconds in between, InhibitDelayMaxSec of logind.conf(5)
(org.freedesktop.login1(5), systemd-inhibit(1)).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import select
from collections import deque
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem.agent.loop import Loop

_NAME = "org.freedesktop.login1"
_PATH = "/org/freedesktop/login1"
_MANAGER = "org.freedesktop.login1.Manager"
# Seconds for a reply of the bus, and until the next try to connect.
_PATIENCE, _AGAIN = 2.0, 30.0
# Whatever the library raises of a bus that is absent, ends or errs.
_ERRORS = (OSError, RuntimeError, ValueError, LookupError)


def is_installed() -> bool:
    """Tell whether the library that speaks D-Bus is there."""
    return importlib.util.find_spec("jeepney") is not None


class Logind:
    """
    A connection to logind.

    ``tell`` is called with the value of each PrepareForSleep, ``connected``
    each time that there is a connection again.
    """

    def __init__(
        self,
        loop: Loop,
        tell: Callable[[bool], None],
        connected: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._tell = tell
        self._connected = connected
        self._bus: Any = None
        self._signals: deque[Any] = deque()

    @property
    def there(self) -> bool:
        """Whether there is a connection."""
        return self._bus is not None

    def connect(self) -> None:
        """Connect; where that fails, try again later."""
        try:
            self._connect()
            self._connected()
        except _ERRORS:
            self._lost()

    def _connect(self) -> None:
        from jeepney import MatchRule, message_bus
        from jeepney.io import blocking

        self._bus = blocking.open_dbus_connection("SYSTEM", enable_fds=True)
        rule = MatchRule(
            type="signal",
            sender=_NAME,
            interface=_MANAGER,
            member="PrepareForSleep",
            path=_PATH,
        )
        # The bus looks at the sender, which it knows by another name here.
        ours = MatchRule(
            type="signal", interface=_MANAGER, member="PrepareForSleep"
        )
        self._bus.filter(ours, queue=self._signals)
        self._ask(message_bus.AddMatch(rule))
        fd = self._bus.sock.fileno()
        self._loop.watch(fd, select.EPOLLIN, lambda _: self._read())

    def _ask(self, message: Any) -> Any:  # noqa: ANN401 - a message of the bus
        """Call a method; return the body of the reply."""
        from jeepney import DBusErrorResponse
        from jeepney.wrappers import unwrap_msg

        reply = self._bus.send_and_get_reply(message, timeout=_PATIENCE)
        self._look_soon()
        try:
            return unwrap_msg(reply)
        except DBusErrorResponse as error:
            raise OSError(str(error)) from None

    def _call(self, method: str, kinds: str, *arguments: str) -> Any:  # noqa: ANN401 - what it returns
        from jeepney import DBusAddress, new_method_call

        manager = DBusAddress(_PATH, _NAME, _MANAGER)
        message = new_method_call(manager, method, kinds, arguments)
        return self._ask(message)[0]

    def inhibit(self) -> int:
        """
        Take a delay inhibitor; return the descriptor that holds it.

        Raises:
            OSError: logind does not give one.
        """
        why = "secretmem agent", "It seals its keys", "delay"
        try:
            given = self._call("Inhibit", "ssss", "sleep", *why)
            fd = int(given.to_raw_fd())
        except _ERRORS as error:
            raise OSError(str(error)) from None
        os.set_inheritable(fd, False)  # noqa: FBT003 - by position only
        return fd

    def is_preparing(self) -> bool:
        """
        Tell whether the machine is about to sleep.

        Raises:
            OSError: logind does not say.
        """
        from jeepney import DBusAddress, Properties

        manager = DBusAddress(_PATH, _NAME, _MANAGER)
        question = Properties(manager).get("PreparingForSleep")
        try:
            return bool(self._ask(question)[0][1])
        except _ERRORS as error:
            raise OSError(str(error)) from None

    def _read(self) -> None:
        try:
            while True:
                self._bus.recv_messages(timeout=0)
        except TimeoutError:
            pass
        except _ERRORS:
            self._lost()
        self._look()

    def _look_soon(self) -> None:
        """Look at signals that came before a reply."""
        if self._signals:
            self._loop.later(0, self._look)

    def _look(self) -> None:
        while self._signals:
            message = self._signals.popleft()
            if self._is_of_logind(message):
                self._tell(bool(message.body[0]))

    def _is_of_logind(self, message: Any) -> bool:  # noqa: ANN401 - as above
        """Whoever is on the bus may send us such a signal."""
        from jeepney import HeaderFields, message_bus

        sender = message.header.fields.get(HeaderFields.sender)
        try:
            (owner,) = self._ask(message_bus.GetNameOwner(_NAME))
        except _ERRORS:
            return False
        return (
            bool(sender == owner)
            and message.header.fields.get(HeaderFields.signature) == "b"
        )

    def _lost(self) -> None:
        self.close()
        self._loop.later(_AGAIN, self.connect)

    def close(self) -> None:
        """End the connection."""
        bus, self._bus = self._bus, None
        if bus is not None:
            with contextlib.suppress(KeyError, OSError):
                self._loop.forget(bus.sock.fileno())
            bus.close()


def release(inhibitor: int | None) -> None:
    """Give an inhibitor back."""
    if inhibitor is not None:
        with contextlib.suppress(OSError):
            os.close(inhibitor)
