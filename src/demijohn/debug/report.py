"""What a failure comes to: exceptions with their causes, the request, the route, the app; texts, no frames."""

import os
import platform
import sys
import traceback
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from types import TracebackType
from typing import Any

import msgspec

from demijohn._lib.advice import Advice, advice_for
from demijohn._lib.sentinels import MISSING
from demijohn._lib.source import place_of
from demijohn._lib.text import did_you_mean
from demijohn.debug.frames import Frame, Line, lines_around, read_frames, walk
from demijohn.debug.redaction import HIDDEN, is_secret, redact, shown, text_of
from demijohn.errors import DemijohnError
from demijohn.http import Request

__all__ = ["Failure", "Report", "Section", "Syntax", "describe", "make_report"]

_MOST_CAUSES = 12
_MOST_MEMBERS = 30
_LONGEST = 6000


class Syntax(msgspec.Struct):
    """Where a file could not be read as Python."""

    file: str
    line: int
    source: list[Line]


class Failure(msgspec.Struct):
    """One exception: what it says, where it was raised, and what led to it."""

    name: str
    module: str
    message: str
    number: int
    notes: list[str]
    frames: list[Frame]
    hint: str = ""
    """What Python thinks was meant."""
    code: str = ""
    why: str = ""
    fix: str = ""
    syntax: Syntax | None = None
    members: "list[Failure]" = []
    """The exceptions of a group."""
    link: str = ""
    """How the next one led to this one."""
    cause: "Failure | None" = None

    @property
    def full_name(self) -> str:
        """The class with its module, as Python writes it."""
        return self.name if self.module in ("builtins", "__main__", "") else f"{self.module}.{self.name}"

    @property
    def main(self) -> Frame | None:
        """The frame to look at: the last one of the user's own code."""
        own = [frame for frame in self.frames if not frame.is_library]
        return own[-1] if own else self.frames[-1] if self.frames else None

    def chain(self) -> "list[Failure]":
        """Return this one and what led to it, the youngest first."""
        found: list[Failure] = [self]
        while found[-1].cause is not None:
            found.append(found[-1].cause)
        return found


class Section(msgspec.Struct):
    """A table: names and values."""

    title: str
    rows: list[tuple[str, str]]


class Report(msgspec.Struct):
    """Everything that a page, a document or a text tells of a failure."""

    failure: Failure
    method: str = ""
    url: str = ""
    route: str = ""
    handler: str = ""
    place: str = ""
    sections: list[Section] = []
    versions: str = ""

    @property
    def title(self) -> str:
        """One line: the class and the first line of what it says."""
        first = self.failure.message.partition("\n")[0]
        return f"{self.failure.name}: {first}" if first else self.failure.name


def describe(error: BaseException) -> tuple[Failure, list[TracebackType]]:
    """Return what an exception and everything that led to it say, and the steps of all tracebacks by their numbers."""
    steps: list[TracebackType] = []
    return _failure(error, steps, set(), 0), steps


def _failure(error: BaseException, steps: list[TracebackType], seen: set[int], depth: int) -> Failure:
    seen.add(id(error))
    frames = read_frames(error.__traceback__)
    offset = len(steps)
    steps.extend(walk(error.__traceback__))
    for frame in frames:
        frame.index += offset
    failure = Failure(
        name=text_of(type(error).__qualname__),
        module=text_of(type(error).__module__),
        message=_message(error),
        number=offset,
        notes=[_cut(redact(text_of(note))) for note in list(getattr(error, "__notes__", None) or ())[:20]],
        frames=frames,
        hint=_hint(error),
    )
    if isinstance(error, DemijohnError):
        failure.message = _cut(redact(text_of(error.seen)))
        failure.why = _cut(redact(text_of(error.why)))
        failure.fix = _cut(redact(text_of(error.fix)))
        failure.code = text_of(error.code)
    elif (advice := _advice(error)) is not None:
        failure.why, failure.fix, failure.code = advice
        failure.notes = [note for note in failure.notes if note != str(advice)]
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        failure.message = text_of(error.msg)
        failure.syntax = _syntax(error, error.filename, error.lineno)
    if isinstance(error, BaseExceptionGroup) and depth < 5:
        failure.message = text_of(error.message)
        failure.members = [
            _failure(each, steps, seen, depth + 1) for each in error.exceptions[:_MOST_MEMBERS] if id(each) not in seen
        ]
    cause = error.__cause__
    link = "was the direct cause of"
    if cause is None and not error.__suppress_context__:
        cause, link = error.__context__, "was being handled when"
    if cause is not None and id(cause) not in seen and len(seen) < _MOST_CAUSES + _MOST_MEMBERS:
        failure.link = link
        failure.cause = _failure(cause, steps, seen, depth)
    return failure


def _advice(error: BaseException) -> Advice | None:
    try:
        return advice_for(error)
    except Exception:  # what is in its frames may do anything
        return None


def _message(error: BaseException) -> str:
    if isinstance(error, KeyError) and len(error.args) == 1:
        return _cut(redact(shown(error.args[0])))
    return _cut(redact(text_of(error)))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def _hint(error: BaseException) -> str:
    """Return `Did you mean: 'name'?` where Python has an idea."""
    if not isinstance(error, NameError | AttributeError | ImportError):
        return ""
    try:
        stack = traceback.TracebackException.from_exception(error, limit=-1, lookup_lines=False)
        last = "".join(stack.format_exception_only())
    except Exception:
        return ""
    _, found, rest = last.partition("Did you mean")
    if found:
        return text_of(f"Did you mean{rest.partition(chr(10))[0]}")
    return _guess(error)


def _guess(error: NameError | AttributeError | ImportError) -> str:
    """Return the nearest name that there is: Python 3.11 tells its idea to the terminal alone."""
    known: list[str] = []
    if isinstance(error, AttributeError):
        try:
            known = dir(error.obj) if isinstance(error.name, str) else []
        except Exception:
            return ""
    elif isinstance(error, NameError) and (trace := error.__traceback__) is not None:
        while trace.tb_next is not None:
            trace = trace.tb_next
        frame = trace.tb_frame
        known = [*frame.f_locals, *frame.f_globals, *frame.f_builtins]
    hint = did_you_mean(str(error.name), known, limit=1) if known else ""
    return text_of(hint.strip().replace("mean '", "mean: '"))


def _syntax(error: SyntaxError, file: str, line: int) -> Syntax:
    source = lines_around(file, line)
    if not source and error.text:
        source = [Line(line, error.text.rstrip("\r\n"), True)]
    for each in source:
        if each.current and error.offset:
            each.start = max(0, error.offset - 1)
            same = error.end_lineno in (None, line) and error.end_offset
            each.end = max(each.start + 1, (error.end_offset or 1) - 1) if same else len(each.text)
            each.end = max(each.end, each.start + 1)
    return Syntax(file, line, source)


def make_report(failure: Failure, request: Request | None, app: Any) -> Report:
    """Put together what is told of a failure (Any: the app, or None where it could not be loaded)."""
    report = Report(failure=failure, versions=_versions())
    if request is not None:
        report.method = request.method
        report.url = redact(_url(request))
        report.sections = _request(request)
        route = request.route
        if route is not None:
            report.route = text_of(route.pattern)
            report.handler = getattr(route.endpoint, "__qualname__", type(route.endpoint).__qualname__)
            report.place = place_of(route.endpoint)
            report.sections.insert(0, _route(route, request))
    report.sections.append(_surroundings(app))
    return report


def _url(request: Request) -> str:
    try:
        path = request.raw_path.decode("latin-1")
        query = "&".join(
            f"{name}={HIDDEN}" if is_secret(name.partition("=")[0]) else name
            for name in request.query_string.decode("latin-1").split("&")
            if name
        )
        return f"{request.scheme}://{request.host}{request.root_path}{path}" + (f"?{query}" if query else "")
    except Exception:
        return text_of(request.path)


def _route(route: Any, request: Request) -> Section:
    rows = [
        ("pattern", text_of(route.pattern)),
        ("methods", ", ".join(route.methods or ("any",))),
        ("name", text_of(route.name)),
        ("handler", f"{getattr(route.endpoint, '__qualname__', route.endpoint)}  ({place_of(route.endpoint)})"),
    ]
    rows += [(f"{{{name}}}", shown(value)) for name, value in request.path_params.items()]
    return Section("Route", rows)


def _request(request: Request) -> list[Section]:
    sections = []
    sections.append(Section("Query", _safely(lambda: request.query)))
    if request._form is not None:
        sections.append(Section("Form", _safely(lambda: request._form)))
    elif request._json is not MISSING and request._json is not None:
        sections.append(Section("JSON body", [("body", shown(request._json, limit=2000))]))
    elif request._body:
        sections.append(Section("Body", [("bytes", f"{len(request._body):,}"), ("begins", shown(request._body[:400]))]))
    headers = [
        (name.decode("latin-1"), HIDDEN if is_secret(name) else redact(value.decode("latin-1"))[:1000])
        for name, value in request.raw_headers
    ]
    sections.append(Section("Headers", headers))
    cookies = [(text_of(name), HIDDEN) for name in _safe_names(request)]
    if cookies:
        sections.append(Section("Cookies", cookies))
    client = request.client
    sections.append(Section("Client", [("address", client[0] if client else "a Unix socket, or none")]))
    return [section for section in sections if section.rows]


def _safe_names(request: Request) -> list[str]:
    try:
        return list(request.cookies)
    except Exception:
        return []


def _safely(read: Any) -> list[tuple[str, str]]:
    """Return the fields of a query or form, where a broken one is said to be broken."""
    try:
        fields = read()
        pairs = fields.multi_items() if hasattr(fields, "multi_items") else fields.items()
        return [
            (text_of(name), HIDDEN if is_secret(name) and value else _plain(value)) for name, value in list(pairs)[:200]
        ]
    except Exception as error:
        return [("unreadable", f"{type(error).__name__}: {text_of(error)}")]


def _plain(value: object) -> str:
    return redact(text_of(value))[:2000] if isinstance(value, str) else shown(value)


@cache
def _version() -> str:
    return version("demijohn")


def _versions() -> str:
    return f"Demijohn {_version()} · Python {platform.python_version()} · {sys.platform}"


def _surroundings(app: Any) -> Section:
    rows = [
        ("Demijohn", _version()),
        ("Python", f"{platform.python_version()}  {sys.executable}"),
        ("process", str(os.getpid())),
    ]
    if app is not None:
        batteries: Mapping[str, Any] = app.batteries
        rows.insert(0, ("app", shown(app)))
        rows.insert(1, ("folder", str(app.root_path)))
        rows.append(("environment", app.settings.env or "not named"))
        rows.append(("batteries", ", ".join(batteries) or "none"))
    return Section("App", rows)
