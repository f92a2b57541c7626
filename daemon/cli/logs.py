"""Logging: the only place that configures it.

One event a line on standard error: JSON, or coloured columns on a terminal. Values, not sentences. Secrets never get
here; what has the key of one is masked all the same. Libraries that use `logging` are heard from warnings on.
"""

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Final

import structlog

MASK: Final = "***"

_SECRET_KEY: Final = re.compile(
    r"pass(word|wd|phrase)?$|token$|secret|authorization|cookie|credential$|api[_-]?key$|private[_-]?key",
    re.IGNORECASE,
)
_MOST_DEPTH: Final = 8
_FOREIGN_NOISE: Final = ("aiohttp", "apscheduler", "asyncio", "alembic", "sqlalchemy")


def configure(level: str = "info", *, before_line: Callable[[], None] | None = None) -> None:
    """Send the logs of this process to standard error, from `level` on.

    `before_line` is called before each line, to take a progress line out of the way.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=True,
    )
    handler = _StandardError(before_line)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), redact],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering()],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in _FOREIGN_NOISE:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    logging.captureWarnings(capture=True)


def _rendering() -> list[structlog.typing.Processor]:
    if sys.stderr is not None and sys.stderr.isatty():
        # The other formatters show local variables, and one of them may be a secret.
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [
        structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        ),
        _head_first,
        structlog.processors.JSONRenderer(default=str, ensure_ascii=True),
    ]


def _head_first(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """When, how grave and what, before everything else: a line is read from its left."""
    head = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    return {**head, **event}


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The event with the value of every key that names a secret masked, at any depth."""
    for key in event:
        event[key] = MASK if _SECRET_KEY.search(key) else _masked(event[key], _MOST_DEPTH)
    return event


def _masked(value: object, depth: int) -> object:
    if depth == 0:
        return value
    match value:
        case dict():
            return {
                key: MASK if isinstance(key, str) and _SECRET_KEY.search(key) else _masked(item, depth - 1)
                for key, item in value.items()
            }
        case list() | tuple():
            return [_masked(item, depth - 1) for item in value]
        case _:
            return value


class _StandardError(logging.Handler):
    """Writes to standard error and lets nothing that happens there reach the service (L27): a full disk, a closed
    pipe, a journal that restarts.
    """

    def __init__(self, before_line: Callable[[], None] | None) -> None:
        super().__init__()
        self._before_line = before_line

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._before_line is not None:
                self._before_line()
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            return
