"""Logs: one line an event, facts as fields, never content.

What a reader of the log must not find there, documents, prompts, completions and keys, is removed in one place, whoever
logs it: `scrub` for fields, `explain` for exceptions, whose messages and local variables may quote a text.
"""

import json
import logging
import math
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import PurePath
from typing import Literal, TextIO
from uuid import UUID

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from service.core.errors import PrecisError

Level = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "json", "console"]

OURS = "precis"
"""The logger of the standard library that our own events go through."""
CONTENT = frozenset({"text", "quote", "body", "prompt", "completion", "api_key", "authorization", "key"})
"""Fields that hold content or secrets under their usual names."""
REMOVED = "[removed]"
FIRST = ("at", "level", "event")
"""The fields that a line begins with."""
MAX_DEPTH = 4
"""Levels of nested values that are logged."""
MAX_FRAMES = 40
"""Frames of an exception that are logged, the innermost ones; a recursion has a thousand."""
TELLING = 4
"""Characters from which the message of an exception is looked for in a line, to remove it there."""

_LEVELS: Mapping[Level, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_LEAST: Mapping[str, int] = {OURS: logging.DEBUG, "uvicorn.error": logging.INFO}
"""Least level by logger; that of all others is warning."""
_CRASHED = "Exception in ASGI application"
"""What uvicorn logs where an answer was begun and ends in an exception."""
_META = ("_record", "_from_structlog")
"""Fields that structlog's formatter adds and takes away again."""


log = structlog.stdlib.get_logger(__name__)


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines. One that cannot be written is lost; the work that it speaks of goes on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Say that a line was lost, if that much can be written; the inherited way prints the arguments."""
        lost = {"level": "error", "event": "log_line_lost", "logger": record.name}
        with suppress(OSError, ValueError):
            self.stream.write(json.dumps({**lost, "error": type(sys.exception()).__name__}) + self.terminator)


def configure(*, level: Level, fmt: LogFormat, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging, as often as wanted; the last call counts.

    Our own events are logged from `level` on, those of libraries from warning on, and those of uvicorn's life from info
    on. Uvicorn and Litestar must be told to leave logging alone (`log_config=None`, `logging_config=None`).

    Args:
        level: the least level that is logged.
        fmt: `auto` is `console` on a terminal and `json` elsewhere.
        stream: where lines go; standard error when missing.
    """
    target = sys.stderr if stream is None else stream
    on_terminal = not target.closed and target.isatty()
    chain: tuple[Processor, ...] = (
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        explain,
        scrub,
    )
    renderers = _console(colours=on_terminal) if fmt == "console" or (fmt == "auto" and on_terminal) else _json()
    handler = _Handler(target)
    handler.addFilter(partial(_wanted, level=_LEVELS[level]))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=(structlog.stdlib.add_logger_name, *chain),
            processors=(structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers),
            pass_foreign_args=True,
        )
    )
    structlog.configure(
        processors=(*chain, structlog.stdlib.ProcessorFormatter.wrap_for_formatter),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=_our_logger,
        # a cached logger would keep what an earlier call has set
        cache_logger_on_first_use=False,
    )
    _route(handler, level=_LEVELS[level])


def scrub(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Remove fields that hold content and objects that could; `[removed]` in their place keeps the mistake visible."""
    plain = {name: _field(name, value, 0) for name, value in event.items() if name not in _META}
    first = {name: plain[name] for name in FIRST if name in plain}
    return {**first, **plain, **{name: event[name] for name in _META if name in event}}


def explain(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by types and frames; only errors of the service keep their message.

    Its causes and the members of a group follow it, outermost first. Where the line quotes the message of a foreign
    exception, as those of asyncio do, it is removed there too.
    """
    event.pop("stack_info", None)
    exceptions = tuple(_with_causes(_raised(event.pop("exc_info", None))))
    arguments = event.pop("positional_args", ())
    for exception in (*exceptions, *_exceptions_among(arguments)):
        event["event"] = _unquoted(str(event["event"]), exception)
    if exceptions:
        event["exception"] = [_explained(exception) for exception in exceptions]
    return event


# --- where lines go --------------------------------------------------------------------------------------------------


def _our_logger(*_names: str) -> logging.Logger:
    return logging.getLogger(OURS)


def _wanted(record: logging.LogRecord, *, level: int) -> bool:
    return record.levelno >= max(level, _LEAST.get(record.name, logging.WARNING))


def _is_unforeseen(record: logging.LogRecord) -> bool:
    """Whether a record is not of a response that was broken off for a reason of ours; such a reason is one line."""
    causes = _with_causes(_raised(record.exc_info) if str(record.msg).startswith(_CRASHED) else None)
    reason = next((error for error in causes if isinstance(error, PrecisError)), None)
    if reason is not None:
        log.warning("response_broken_off", code=reason.code, reason=reason.detail)
    return reason is None


def _route(handler: logging.Handler, *, level: int) -> None:
    """Send everything to one handler, in place of the one that an earlier call has set."""
    root = logging.getLogger()
    for earlier in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        root.removeHandler(earlier)
        earlier.close()
    root.addHandler(handler)
    root.setLevel(max(level, logging.WARNING))
    for name, least in _LEAST.items():
        logging.getLogger(name).setLevel(max(level, least))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = name != "uvicorn.access"
    logging.getLogger("uvicorn.error").addFilter(_is_unforeseen)
    # our own middleware says what was asked for; addresses and query strings stay out of the log
    logging.getLogger("uvicorn.access").disabled = True


def _json() -> tuple[Processor, ...]:
    return (structlog.processors.JSONRenderer(),)


def _console(*, colours: bool) -> tuple[Processor, ...]:
    renderer = structlog.dev.ConsoleRenderer(
        colors=colours, sort_keys=False, timestamp_key="at", exception_formatter=structlog.dev.plain_traceback
    )
    return (_exception_as_text, renderer)


def _exception_as_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write an exception as indented lines: a console reads no lists."""
    exceptions = event.get("exception")
    if isinstance(exceptions, list):
        event["exception"] = "\n".join(
            "\n    ".join([f"  {one['type']}: {one.get('message', REMOVED)}", *one["frames"]]) for one in exceptions
        )
    return event


# --- what lines hold -------------------------------------------------------------------------------------------------


def _field(name: object, value: object, depth: int) -> object:
    return REMOVED if str(name).lower().replace("-", "_") in CONTENT else _plain(value, depth)


def _plain(value: object, depth: int) -> object:
    """Return what JSON can hold; of an object that is not plain data only the type, since its repr may quote a text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float() if math.isfinite(value):
            return value
        case float() | date() | PurePath() | UUID() | PrecisError():
            return str(value)
        case Mapping() if depth < MAX_DEPTH:
            return {str(name): _field(name, inner, depth + 1) for name, inner in value.items()}
        case list() | tuple() | set() | frozenset() if depth < MAX_DEPTH:
            return [_plain(inner, depth + 1) for inner in value]
    return f"<{type(value).__name__}>"


def _raised(exc_info: object) -> BaseException | None:
    """Return the exception that a caller means: itself, a tuple around it, or the one that is being handled."""
    match exc_info:
        case BaseException():
            return exc_info
        case (_, BaseException() as exception, _):
            return exception
    return sys.exception() if exc_info is True else None


def _exceptions_among(arguments: object) -> Iterator[BaseException]:
    values: Iterable[object] = arguments.values() if isinstance(arguments, Mapping) else ()
    values = arguments if isinstance(arguments, tuple) else values
    return (exception for value in values if isinstance(value, BaseException) for exception in _with_causes(value))


def _with_causes(outermost: BaseException | None) -> Iterator[BaseException]:
    """Return an exception, what led to it and the members of groups, each once."""
    seen: set[int] = set()
    waiting = [outermost]
    while waiting:
        exception = waiting.pop()
        if exception is None or id(exception) in seen:
            continue
        seen.add(id(exception))
        yield exception
        waiting.append(exception.__cause__ or (None if exception.__suppress_context__ else exception.__context__))
        waiting.extend(reversed(exception.exceptions) if isinstance(exception, BaseExceptionGroup) else ())


def _unquoted(line: str, exception: BaseException) -> str:
    if isinstance(exception, PrecisError):
        return line
    # a foreign exception may fail to describe itself; then nobody has quoted it either
    with suppress(Exception):
        for quotation in (repr(exception), str(exception)):
            line = line.replace(quotation, REMOVED) if len(quotation) >= TELLING else line
    return line


def _explained(exception: BaseException) -> dict[str, object]:
    kind = type(exception)
    frames = [
        f"{frame.f_code.co_filename}:{line}:{frame.f_code.co_qualname}"
        for frame, line in traceback.walk_tb(exception.__traceback__)
    ]
    message = {"message": exception.detail} if isinstance(exception, PrecisError) else {}
    return {"type": f"{kind.__module__}.{kind.__qualname__}", **message, "frames": frames[-MAX_FRAMES:]}
