"""Logs go to stderr: for people on a terminal, as JSON elsewhere (MONITOR_LOG: auto, text or json)."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import Processor


def check(form: str) -> None:
    """Raise ValueError when `form` is not auto, text or json."""
    if form not in ("auto", "text", "json"):
        raise ValueError(f"MONITOR_LOG: {form!r} is not one of auto, text, json")


def set_up(form: str) -> None:
    """Route structlog and the standard library's logging to stderr in one form.

    Raises:
        ValueError: `form` is not auto, text or json.
    """
    import structlog  # here, for a tenth of a second: it brings rich along

    check(form)
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    shared: Sequence[Processor] = (
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )
    renderer: Processor = (
        # Plain tracebacks: rich ones show local variables, and a password may be among them.
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if text
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    last = (renderer,) if text else (structlog.processors.format_exc_info, renderer)
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
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
