"""Structured logs on stderr, one JSON object a line, in which no content can appear."""

import logging
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, cast

import structlog
from aiokafka.errors import KafkaError
from asyncpg import PostgresError

_Event = MutableMapping[str, Any]

_WITHHELD = "withheld"
_SECRET_NAMES = frozenset(
    {
        "actor",
        "authorization",
        "content",
        "credential",
        "credentials",
        "fields",
        "headers",
        "key",
        "password",
        "payload",
        "record",
        "sealed",
        "secret",
        "settings",
        "token",
        "value",
    }
)
_OF_POSTGRES = ("sqlstate", "table_name", "constraint_name")
_OURS = ("keyturn_", "shared.", "services.", "deploy.")
_LONGEST_TRACE = 40


def configure_logs(service: str, level: int = logging.INFO) -> None:
    """Send every log of this process, the libraries' own included, to stderr as JSON."""
    first: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _say_which(service),
        _withhold,
        _render_error,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *first,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, _first_line, *first],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    # Python's own report of an error nobody caught would quote what failed.
    sys.excepthook = _report
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Each reports every reconnection as an error or in several lines; what matters we say.
    for name in ("aiokafka", "asyncio", "sqlalchemy", "uvicorn", "faststream"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _report(_kind: object, error: BaseException, _trace: object) -> None:
    structlog.stdlib.get_logger().critical("nobody caught an error", exc_info=error)


def describe_error(error: BaseException) -> str:
    """Return what may be said of an error: its kind, and its text where that quotes nothing.

    A driver quotes the row or the argument it refused, a parser what it could not read, and a
    built-in error the value that was wrong. So a text is shown only of our own errors, of Kafka's
    and of the operating system's.
    """
    kind = type(error).__qualname__
    if isinstance(error, PostgresError):
        told = (getattr(error, name, None) for name in _OF_POSTGRES)
        return f"{kind}: {' '.join(str(one) for one in told if one)}"
    if isinstance(error, OSError):
        return f"{kind}: {error.strerror}"
    if isinstance(error, KafkaError) or type(error).__module__.startswith(_OURS):
        said = str(error).removeprefix(f"{kind}: ")
        return f"{kind}: {said.splitlines()[0]}" if said else kind
    return kind


def _say_which(service: str) -> structlog.typing.Processor:
    def add(_logger: object, _method: str, event: _Event) -> Mapping[str, Any]:
        event["service"] = service
        return event

    return add


def _first_line(_logger: object, _method: str, event: _Event) -> Mapping[str, Any]:
    # Libraries put the repr of what failed, with its content, below the first line.
    event["event"] = (str(event["event"]).splitlines() or [""])[0][:500]
    return event


def _withhold(_logger: object, _method: str, event: _Event) -> Mapping[str, Any]:
    for name in event.keys() & _SECRET_NAMES:
        event[name] = _WITHHELD
    return event


def _render_error(_logger: object, _method: str, event: _Event) -> Mapping[str, Any]:
    given: object = event.pop("exc_info", None)
    # structlog gives an error or True, logging a tuple of what `sys.exc_info` returns.
    error = cast("tuple[object, ...]", given)[1] if isinstance(given, tuple) else given
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["error"] = describe_error(error)
        event["trace"] = list(_trace(error))[-_LONGEST_TRACE:]
    return event


def _trace(error: BaseException, depth: int = 0) -> Iterator[str]:
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and depth < 5:  # noqa: PLR2004  a chain this long repeats itself
        yield from _trace(before, depth + 1)
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"{frame.filename}:{frame.lineno} {frame.name}"
    yield describe_error(error)
    if isinstance(error, BaseExceptionGroup) and depth < 5:  # noqa: PLR2004  as above
        for inner in error.exceptions:  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]  the group's parameter is not known here
            yield from _trace(inner, depth + 1)  # pyright: ignore[reportUnknownArgumentType]  as above
