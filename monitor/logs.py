"""Logs go to stderr: for people on a terminal, as JSON elsewhere (MONITOR_LOG: auto, text or json).

One line an event, whatever feeds and servers put into their answers, and no secrets: whatever is logged, by this
program or a library, tracebacks too, goes through `_harmless` last.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from monitor.errors import without_secrets

if TYPE_CHECKING:
    from structlog.typing import Processor

_hidden: set[str] = set()
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What ends a line somewhere, or tells a terminal what to do."""


def check(form: str) -> None:
    """Raise ValueError when `form` is not auto, text or json."""
    if form not in ("auto", "text", "json"):
        raise ValueError(f"MONITOR_LOG: {form!r} is not one of auto, text, json")


def is_text(form: str) -> bool:
    """Tell whether logs are for people to read."""
    return form == "text" or (form == "auto" and sys.stderr.isatty())


def hide(secrets: Iterable[str]) -> None:
    """Let these never stand in a log, wherever they come from; what is shorter than four characters is no secret."""
    _hidden.update(secret for secret in secrets if len(secret) > 3)


def set_up(form: str) -> None:
    """Route structlog and the standard library's logging to stderr in one form.

    Raises:
        ValueError: `form` is not auto, text or json.
    """
    import structlog  # here, for a tenth of a second: it brings rich along

    check(form)
    shared: Sequence[Processor] = (
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )
    # Plain tracebacks: rich ones show local variables, and a password may be among them.
    last: Sequence[Processor] = (
        (_trace_in_a_line, _harmless, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))
        if is_text(form)
        else (
            structlog.processors.format_exc_info,
            _harmless,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        )
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # One write a line: two threads that print would do so into each other's.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=list(shared),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    # The worker says itself what befell a job, in a line; APScheduler would add a stack trace.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def take_all() -> None:
    """Log what Python itself would print to stderr: warnings, and what ends a thread or the process."""
    import structlog

    log = structlog.get_logger()

    def ended(kind: type[BaseException], error: BaseException, tb: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            log.critical("ended by an exception; this is a bug", exc_info=(kind, error, tb))

    def thread_ended(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            ended(args.exc_type, args.exc_value, args.exc_traceback)

    def ignored(args: sys.UnraisableHookArgs) -> None:
        log.error("an exception was ignored; this is a bug", where=repr(args.object), fault=repr(args.exc_value))

    logging.captureWarnings(capture=True)
    sys.unraisablehook = ignored
    sys.excepthook = ended
    threading.excepthook = thread_ended


# ---------------------------------------------------------------- what every line goes through


def _trace_in_a_line(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say an exception with the places that it came through, the last first."""
    error = event.pop("exc_info", None)
    if isinstance(error, tuple):
        error = error[1]
    elif error and not isinstance(error, BaseException):
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        event["fault"] = f"{type(error).__name__}: {error} at " + " < ".join(reversed(places))
    return event


def _harmless(logger: Any, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Take secrets and what ends lines out of everything that is said."""
    return {str(name): _cleaned(value) for name, value in event.items()}


def _cleaned(value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {str(name): _cleaned(one) for name, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_cleaned(one) for one in value]
    text = str(value)
    for secret in _hidden:
        text = text.replace(secret, "***")
    return _BREAKS.sub(_escaped, without_secrets(text))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
