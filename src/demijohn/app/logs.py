"""The log: one pipeline for server, app and commands, under the standard `logging` library.

Everything that is logged anywhere goes through one handler of the root logger: a line for people in development, a
JSON document in production; the request and its route beside each, without secrets, and never two lines where one was
logged.
"""

import logging
import os
import re
import sys
import time
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TextIO

import msgspec

from demijohn._lib.redaction import HIDDEN, is_secret, redact, text_of
from demijohn._lib.text import did_you_mean
from demijohn.app.context import running
from demijohn.app.settings import Secret, Settings
from demijohn.errors import ConfigurationError
from demijohn.http import Request
from demijohn.middleware import request_id
from demijohn.middleware.requestid import last_name

__all__ = ["JSONFormatter", "LogHandler", "NoteHandler", "PrettyFormatter", "find_handler", "set_up_logging"]

_LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_STANDARD: Final = frozenset(
    (*logging.LogRecord("", 0, "", 0, "", (), None).__dict__, "message", "asctime", "color_message")
)
"""What every record has; whatever else is on one was given by `extra=`."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_COLOURS: Final = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}
_LONGEST: Final = 20_000


class PrettyFormatter(logging.Formatter):
    """A line for people: time, level, logger, message, what was given by `extra=`, and the request.

    Further lines of a message are indented behind a bar and control characters are written out, so that no visitor can
    write a line of the log.
    """

    def __init__(self, *, colour: bool = False) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or the lines, of a record."""
        message, fields = _content(record)
        level = record.levelname.lower()
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        shown = f"{self._paint(level.ljust(8), _COLOURS.get(level, '0'))} {self._paint(record.name, '2')} "
        rest = "".join(f" {name}={_value(value)}" for name, value in fields.items())
        context = self._paint(f"  [{about}]", "2") if (about := _about()) else ""
        lines = f"{at} {shown} {_plain(message)}{rest}{context}"
        failure = _failure(record, from_own_code=True)
        return f"{lines}\n{failure}" if failure else lines

    def access(self, request: Request, status: int, size: int, *, seconds: float) -> str:
        """Return the line of a response."""
        colour = {2: "32", 3: "36", 4: "33", 5: "31"}.get(status // 100, "0")
        path = request.raw_path.decode("latin-1")
        query = f"?{_query(request.query_string.decode('latin-1'))}" if request.query_string else ""
        route = "" if request.route is None else request.route.pattern
        told = self._paint(f"  [{route}]", "2") if route and route != path else ""
        length = "" if size < 0 else f" {size:,} B"
        what = f"{self._paint(str(status), colour)} {request.method} {_plain(path + query)}"
        return f"{time.strftime('%H:%M:%S')} {what}  {seconds * 1000:.1f} ms{length}{told}"

    def _paint(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._colour else text


class JSONFormatter(logging.Formatter):
    """A JSON document on one line: time (UTC), level, logger, message, request, route, and what `extra=` gave."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the document of a record."""
        message, fields = _content(record)
        document: dict[str, Any] = {
            "time": _moment(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(message)[:_LONGEST],
            **_context(),
        }
        for name, value in fields.items():
            document.setdefault(name, _value(value) if not isinstance(value, int | float | None) else value)
        failure = _failure(record)
        if failure:
            document["exception"] = failure
        document["process"] = record.process
        return msgspec.json.encode(document).decode()

    def access(self, request: Request, status: int, size: int, *, seconds: float) -> str:
        """Return the document of a response; `size` is -1 where it was a stream."""
        # Written by hand: this is the only thing that is logged for each request.
        path = _text(request.raw_path)
        query, route, client = request.query_string, request.route, request.client
        return (
            f'{{"time":"{_moment(time.time())}","level":"info","logger":"demijohn.access",'
            f'"message":"{request.method} {path} {status}","method":"{request.method}","path":"{path}",'
            f'"status":{status},"size":{size},"duration_ms":{seconds * 1000:.2f},"request_id":"{last_name(request)}"'
            f"{_pair('route', '' if route is None else route.pattern)}"
            f"{_pair('query', _query(query.decode('latin-1'))) if query else ''}"
            f"{_pair('client', client[0]) if client else ''}}}"
        )


def _text(text: bytes | str) -> str:
    """Return a text as it stands in JSON, without its quotes."""
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return msgspec.json.encode(text)[1:-1].decode()


def _pair(name: str, value: str) -> str:
    return f',"{name}":"{_text(value)}"' if value else ""


_ACCESS: Final = logging.getLogger("demijohn.access")


class LogHandler(logging.StreamHandler[TextIO]):
    """Writes to standard error, and the lines of the access log without a record for each.

    Args:
        formatter: How lines look.
        stream: Where they go.
    """

    def __init__(self, formatter: PrettyFormatter | JSONFormatter, stream: TextIO | None = None) -> None:
        super().__init__(sys.stderr if stream is None else stream)
        self.lines: PrettyFormatter | JSONFormatter = formatter
        self.setFormatter(formatter)
        self._waiting: deque[str] = deque()
        self._at_once = isinstance(formatter, PrettyFormatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, behind the lines of the access log that came before it."""
        self.write_out()
        super().emit(record)

    def add_access(self, request: Request, status: int, size: int, *, seconds: float) -> bool:
        """Log a response, and return whether that was done here; others may listen to `demijohn.access` instead."""
        if _ACCESS.handlers or not _ACCESS.isEnabledFor(logging.INFO):
            return not _ACCESS.handlers
        self._waiting.append(self.lines.access(request, status, size, seconds=seconds))
        if self._at_once or len(self._waiting) > 200:
            self.write_out()
        return True

    def write_out(self) -> None:
        """Write the lines of the access log that wait; the server does so twice a second."""
        waiting = []
        # Drained one by one: other threads log meanwhile.
        while self._waiting:
            try:
                waiting.append(self._waiting.popleft())
            except IndexError:
                break
        if not waiting:
            return
        try:
            self.stream.write("\n".join(waiting) + "\n")
            self.flush()
        except Exception:
            self.handleError(logging.LogRecord("demijohn.access", logging.INFO, "", 0, "the access log", (), None))

    def close(self) -> None:
        """Write what waits, and close."""
        self.write_out()
        super().close()


class NoteHandler(logging.Handler):
    """Notes what a request logs, for the toolbar of development (Any: the app)."""

    def __init__(self, app: Any) -> None:
        super().__init__()
        self._app = weakref.ref(app)

    def emit(self, record: logging.LogRecord) -> None:
        """Note a record beside the request that wrote it."""
        app = self._app()
        if app is None:
            logging.getLogger().removeHandler(self)
        elif record.name != "demijohn.access":
            message, fields = _content(record)
            told = "".join(f" {name}={_value(value)}" for name, value in fields.items())
            text = f"{message}{told}\n{_failure(record)}".rstrip("\n")
            line = {"level": record.levelname.lower(), "logger": record.name, "message": text[:_LONGEST]}
            app.note("Log", line)


def set_up_logging(settings: Settings | None = None, *, stream: TextIO | None = None) -> LogHandler | None:
    """Send what is logged to standard error, unless the program has set up the root logger by itself.

    Called by the server, the command line and scripts; again with the settings of the app once it is loaded.

    Args:
        settings: `log_level`, `log_format` and `log_levels` count; without settings the environment does.
        stream: Instead of standard error.

    Returns:
        The handler, or `None` where others are in charge.

    Raises:
        ConfigurationError: A level is not known (DJN-773).
    """
    root = logging.getLogger()
    before = find_handler()
    if before is None and any(type(handler).__module__ != __name__ for handler in root.handlers):
        return None
    level, form, levels = _wanted(settings)
    target = stream if stream is not None else sys.stderr
    production = (settings.env if settings is not None else os.environ.get("DEMIJOHN_ENV")) == "production"
    if form == "json" or (form == "auto" and production):
        formatter: PrettyFormatter | JSONFormatter = JSONFormatter()
    else:
        is_terminal = hasattr(target, "isatty") and target.isatty()
        formatter = PrettyFormatter(colour=is_terminal and "NO_COLOR" not in os.environ)
    if before is not None:
        before.write_out()
        root.removeHandler(before)
    handler = LogHandler(formatter, target)
    root.addHandler(handler)
    root.setLevel(_number(level))
    for entry in levels:
        name, _, own = entry.partition("=")
        logging.getLogger(name.strip()).setLevel(_number(own))
    if settings is not None:
        _hide(settings)
    logging.captureWarnings(True)
    return handler


def find_handler() -> LogHandler | None:
    """Return the handler that `set_up_logging` put up, or `None`."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogHandler):
            return handler
    return None


_hidden: list[str] = []
"""The values of the app's own secrets; they never come into a line, whatever stands around them."""


def _hide(settings: Settings) -> None:
    _hidden[:] = [secret for secret in _secrets(settings) if len(secret) >= 6]


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, tuple | list | set | frozenset):
        for part in value:
            yield from _secrets(part)


def _clean(text: str) -> str:
    for secret in _hidden:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return redact(text)


def _wanted(settings: Settings | None) -> tuple[str, str, Iterable[str]]:
    if settings is not None:
        return settings.log_level, settings.log_format, settings.log_levels
    environment = os.environ
    names = environment.get("DEMIJOHN_LOG_LEVELS", "")
    return (
        environment.get("DEMIJOHN_LOG_LEVEL", "info"),
        environment.get("DEMIJOHN_LOG_FORMAT", "auto"),
        [part for part in names.split(",") if part.strip()],
    )


def _number(level: str) -> int:
    name = level.strip().lower()
    if name not in _LEVELS:
        raise ConfigurationError(
            f"The level {level!r} of the log is not known.{did_you_mean(name, _LEVELS)}",
            why=f"It is one of {', '.join(_LEVELS)}.",
            fix="Write  DEMIJOHN_LOG_LEVEL=info  or  DEMIJOHN_LOG_LEVELS=sqlalchemy=warning,shop=debug",
            code="DJN-773",
        )
    number: int = logging.getLevelNamesMapping()[name.upper()]
    return number


def _content(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """Return the message of a record and the fields beside it; structlog hands over a dict instead of a text."""
    fields = {name: value for name, value in record.__dict__.items() if name not in _STANDARD and name[0] != "_"}
    if isinstance(record.msg, dict):
        event: Mapping[str, Any] = record.msg
        fields |= {str(name): value for name, value in event.items() if name not in ("event", "level", "timestamp")}
        return _clean(text_of(event.get("event", ""))), _without_secrets(fields)
    try:
        message = record.getMessage()
    except Exception as error:
        message = f"{record.msg!r} with {record.args!r} ({type(error).__name__}: {error})"
    return _clean(message), _without_secrets(fields)


def _without_secrets(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: HIDDEN if is_secret(name) and value else value for name, value in fields.items()}


def _value(value: Any) -> str:
    if isinstance(value, str):
        text = str.__str__(value)
    else:
        try:
            text = repr(value)
        except Exception as error:
            text = f"<{type(value).__name__}: its repr raised {type(error).__name__}>"
    return _clean(_CONTROL.sub(_written_out, text.replace("\n", "\\n").replace("\t", "\\t")))[:2000]


def _plain(message: str) -> str:
    text = _CONTROL.sub(_written_out, message[:_LONGEST])
    return text.replace("\n", "\n    │ ") if "\n" in text else text


def _written_out(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def _failure(record: logging.LogRecord, *, from_own_code: bool = False) -> str:
    parts = []
    if record.exc_info and record.exc_info[0] is not None:
        kind, error, trace = record.exc_info
        if from_own_code and error is not None:
            from demijohn._lib import tracebacks  # it looks for the folders of Python, which takes some milliseconds

            parts.append(tracebacks.told(error).rstrip("\n"))
        else:
            parts.append(logging.Formatter().formatException((kind, error, trace)))
    if record.stack_info:
        parts.append(record.stack_info)
    return _CONTROL.sub(_written_out, _clean("\n".join(parts))) if parts else ""


def _context() -> dict[str, str]:
    unit = running.get()
    if unit is None:
        return {}
    if not isinstance(unit, Request):
        name = getattr(unit, "name", "") or getattr(unit, "path", "")
        return {"unit": name} if name else {}
    route = unit.route
    found = {"request_id": request_id(unit), "method": unit.method, "path": unit.path}
    if route is not None:
        found["route"] = route.pattern
    return found


def _about() -> str:
    found = _context()
    if "request_id" not in found:
        return found.get("unit", "")
    name = found["request_id"]
    return f"{found['method']} {_plain(found.get('route', found['path']))} {name[:4]}…{name[-6:]}"


def _query(text: str) -> str:
    return "&".join(
        f"{name}={HIDDEN}" if sign and is_secret(name) else f"{name}{sign}{value}"
        for name, sign, value in (part.partition("=") for part in text.split("&"))
    )


_second: tuple[int, str] = (-1, "")


def _moment(at: float) -> str:
    """Return a moment as RFC 3339 has it, in UTC; the part down to the second is made once a second."""
    global _second
    whole, rest = divmod(int(at * 1000), 1000)
    known, text = _second  # in one step: threads ask too
    if whole != known:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        _second = (whole, text)
    return "%s.%03dZ" % (text, rest)  # noqa: UP031 - half the time of an f-string here
