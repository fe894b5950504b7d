"""Logs as one JSON object a line on stdout: time, level, event and fields of our own naming; of errors type and place only.

Messages of libraries are kept to their first line, with exceptions, bytes and mappings in them replaced by their type, because
those may quote what a customer sent.
"""

import logging
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any

import msgspec
import structlog

from agents.failure import chain

MESSAGE_CHARS_MAX = 500  # a library's line; longer ones carry payloads
_GIVEN = re.compile(r"\(.*\)")
_UNSAFE = (BaseException, bytes, bytearray, Mapping)


def configure() -> None:
    """For a process of its own: our logs, those of libraries from WARNING on, and what nobody caught."""
    shared: list[Any] = [
        structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True), _failures,
    ]  # fmt: skip
    renderer = structlog.processors.JSONRenderer(_dumps)
    structlog.configure(
        processors=[*shared, renderer], logger_factory=structlog.PrintLoggerFactory(), cache_logger_on_first_use=False
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Foreign(foreign_pre_chain=shared, processors=[_without_meta, renderer]))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


class _Foreign(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        safe = logging.makeLogRecord(record.__dict__)
        if isinstance(safe.args, tuple):
            safe.args = tuple(type(arg).__name__ if isinstance(arg, _UNSAFE) else arg for arg in safe.args)
        elif safe.args is not None:
            safe.args = {
                name: type(arg).__name__ if isinstance(arg, _UNSAFE) else arg for name, arg in safe.args.items()
            }
        first = safe.getMessage().partition("\n")[0]
        if record.name == "asyncio":  # it writes what a failed callback was given into the message
            first = _GIVEN.sub("(...)", first)
        first = first[:MESSAGE_CHARS_MAX]
        safe.msg, safe.args = f"{record.name}: {first}", None
        return super().format(safe)


def _failures(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["failure"] = chain(error)
    return event


def _without_meta(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event.pop("_record", None)
    event.pop("_from_structlog", None)
    return event


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if kind is not KeyboardInterrupt:
        structlog.get_logger(__name__).critical("crashed", exc_info=error)


def _dumps(event: Any, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
