"""A filter for `logging`."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

from secretmem.redact._redactor import PLAIN


if TYPE_CHECKING:
    from secretmem.redact._redactor import Redactor


class RedactingFilter(logging.Filter):
    """
    A filter for loggers and handlers of ``logging``.

    The message with its arguments, the exception, the stack and whatever
    else was added to the record come out without pieces.

    Args:
        redactor: What knows the Secrets.
        refuse: Replace the whole message of such a record by a line that
            says where it was logged.
    """

    def __init__(self, redactor: Redactor, *, refuse: bool = False) -> None:
        super().__init__()
        self._redactor = redactor
        self._refuse = refuse

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; it is always logged."""
        redactor = self._redactor
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - logging says what is wrong with it
            message = str(record.msg)
            record.args = redactor.value(record.args)
        clean = redactor.text(message)
        if clean != message:
            if self._refuse:
                clean = (
                    f"a message with a secret, logged at {record.pathname}:"
                    f"{record.lineno}, is withheld"
                )
            record.msg, record.args = clean, ()
        elif redactor.holds(record.args):
            # Another formatter may write the arguments in another way.
            record.msg, record.args = message, ()
        if record.exc_info and record.exc_info[1]:
            redactor.scrub(record.exc_info[1])
            lines = traceback.format_exception(*record.exc_info)
            shown = "".join(lines).rstrip("\n")
            record.exc_text = redactor.text(record.exc_text or shown)
        if record.stack_info:
            record.stack_info = redactor.text(record.stack_info)
        known = ("exc_info", "msg", "args")
        rest = {k: v for k, v in vars(record).items() if k not in known}
        # One search for all of them, since few records hold anything.
        held = redactor.holds(rest)
        for name, value in rest.items():
            if held or not isinstance(value, PLAIN):
                setattr(record, name, redactor.shown(value))
        return True
