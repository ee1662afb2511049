"""
The real tools that report an exception with its variables.

Each takes an exception and gives the text, or the page, that it would show.
"""

from __future__ import annotations

import io
import json
import pprint
import traceback
import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def _info(error: BaseException) -> tuple[Any, Any, Any]:
    return type(error), error, error.__traceback__


def _frame(error: BaseException) -> FrameType:
    """Give the frame that raised."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame


def standard(error: BaseException) -> str:
    """Python's own, with variables."""
    report = traceback.TracebackException.from_exception(
        error, capture_locals=True
    )
    return "".join(report.format())


def pretty_locals(error: BaseException) -> str:
    """A dump of locals()."""
    return pprint.pformat(_frame(error).f_locals, width=1000)


def _cgitb(error: BaseException, name: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module = import_module("cgitb")
    out = io.StringIO()
    module.Hook(file=out, format=name).handle(_info(error))
    return out.getvalue()


def cgitb_text(error: BaseException) -> str:
    """The text of cgitb, as long as Python has it."""
    return _cgitb(error, "text")


def cgitb_html(error: BaseException) -> str:
    """Its page."""
    return _cgitb(error, "html")


def rich(error: BaseException) -> str:
    """rich.traceback."""
    from rich.console import Console
    from rich.traceback import Traceback

    out = io.StringIO()
    shown = Traceback.from_exception(
        *_info(error), show_locals=True, width=200, locals_max_string=200
    )
    Console(file=out, width=200).print(shown)
    return out.getvalue()


def better_exceptions(error: BaseException) -> str:
    """better_exceptions."""
    formatter = import_module("better_exceptions").ExceptionFormatter(
        colored=False, max_length=None
    )
    return "".join(formatter.format_exception(*_info(error)))


def stackprinter(error: BaseException) -> str:
    """Stackprinter."""
    shown = import_module("stackprinter").format(_info(error), show_vals="all")
    return str(shown)


def ipython(error: BaseException) -> str:
    """IPython's %xmode Verbose."""
    made = import_module("IPython.core.ultratb").VerboseTB(
        theme_name="nocolor"
    )
    return str(made.text(*_info(error)))


def loguru(error: BaseException) -> str:
    """Loguru with diagnose."""
    logger = import_module("loguru").logger
    logger.remove()
    out = io.StringIO()
    handler = logger.add(out, diagnose=True, backtrace=True, colorize=False)
    try:
        logger.opt(exception=error).error("failed")
    finally:
        logger.remove(handler)
    return out.getvalue()


def _django(error: BaseException) -> Any:  # noqa: ANN401 - Django has no types
    settings = import_module("django.conf").settings
    if not settings.configured:
        # That of tests/contrib/test_django.py: a process has one.
        settings.configure(SECRET_KEY="the key of the application")
    import_module("django").setup()
    reporter = import_module("django.views.debug").ExceptionReporter
    return reporter(None, *_info(error))


def django_page(error: BaseException) -> str:
    """Django's technical page for status 500."""
    return str(_django(error).get_traceback_html())


def werkzeug(error: BaseException) -> str:
    """What werkzeug's debugger shows, and answers in its console."""
    tbtools = import_module("werkzeug.debug.tbtools")
    shown = tbtools.DebugTraceback(error)
    page = shown.render_debugger_html(
        evalex=True, secret="pin", evalex_trusted=True
    )
    frames = [
        each
        for each in shown.all_frames
        if isinstance(each, tbtools.DebugFrameSummary)
    ]
    answers = [
        frames[-1].eval(line) for line in ("dump()", *_frame(error).f_locals)
    ]
    return "\n".join([page, *answers])


def as_shown(event: dict[str, Any]) -> str:
    """Write an event as Sentry's page shows it."""
    return json.dumps(event, ensure_ascii=False).replace("\\\\", "\\")


def sentry(error: BaseException) -> str:
    """The event that sentry-sdk would send."""
    return as_shown(sentry_event(error))


def sentry_event(error: BaseException, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - sentry's own
    """The same, with options of its client."""
    sdk = import_module("sentry_sdk")
    sent: list[Any] = []
    base = import_module("sentry_sdk.transport").Transport
    send = {"capture_envelope": lambda _, envelope: sent.append(envelope)}
    client = sdk.Client(
        dsn="http://key@localhost/1",
        transport=type("Transport", (base,), send),
        default_integrations=False,
        **options,
    )
    with sdk.new_scope() as scope:
        scope.set_client(client)
        scope.capture_exception(error)
        client.close()
    (envelope,) = sent
    event: dict[str, Any] = envelope.get_event()
    return event


TOOLS: dict[str, Callable[[BaseException], str]] = {
    each.__name__: each
    for each in (
        standard,
        pretty_locals,
        cgitb_text,
        cgitb_html,
        rich,
        better_exceptions,
        stackprinter,
        ipython,
        loguru,
        django_page,
        werkzeug,
        sentry,
    )
    # Python 3.13 has none.
    if not each.__name__.startswith("cgitb") or find_spec("cgitb")
}
