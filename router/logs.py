"""Log lines: one event name and fields; phone numbers masked, secrets never there."""

import logging
import re
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from router.basis.phone import masked

_NUMBER = re.compile(r"(?<![\w.:-])\+?\d{10,15}(?![\w.:-])")
"""What looks like a public phone number (E.164: at most 15 digits) and is not part of an id."""
_SHORTEST = 10
"""Characters of the shortest text that may hold one."""


def set_up(form: str, level: int = logging.INFO) -> None:
    """Write `json` or `text` lines to standard error."""
    renderer: Any = structlog.dev.ConsoleRenderer() if form == "text" else structlog.processors.JSONRenderer(_json)
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_numbers,
    ]
    if form == "json":
        processors.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")


def _json(line: dict[str, Any], default: Callable[[Any], Any]) -> str:
    """A line as JSON; a ring writes one, so it is made by the fast encoder."""
    return msgspec.json.encode(line, enc_hook=default).decode()


def mask_numbers(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
    """Hide what looks like a phone number in any text of a line."""
    for key, value in line.items():
        if isinstance(value, str) and len(value) >= _SHORTEST and key != "timestamp":
            line[key] = _NUMBER.sub(lambda found: masked(found.group()), value)
    return line
