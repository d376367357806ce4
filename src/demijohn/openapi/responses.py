"""What a handler answers: by its return annotation, its status and its formats."""

import dis
import inspect
import types
from collections.abc import Awaitable, Coroutine, Iterator, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias, Union, get_args, get_origin, get_type_hints

from demijohn._lib.sentinels import MISSING
from demijohn.app import Operation, Page
from demijohn.app.streaming import items_of
from demijohn.http import (
    EventStreamResponse,
    FileResponse,
    HTMLResponse,
    JSONResponse,
    Markup,
    PlainTextResponse,
    RedirectResponse,
    Response,
    ServerSentEvent,
    html,
    redirect,
)
from demijohn.openapi.schemas import Schema, Schemas

__all__ = ["PROBLEM", "VALIDATION", "Content", "answers_of", "has_annotation", "is_page", "phrase_of"]

Content: TypeAlias = dict[str, Schema]

PROBLEM: Schema = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "default": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status"],
}
VALIDATION: Schema = {
    "description": "The input was read and is wrong; all errors together.",
    "allOf": [{"$ref": "#/components/schemas/Problem"}],
    "type": "object",
    "properties": {
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "place": {"type": "array", "items": {"type": ["string", "integer"]}},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
                "required": ["place", "code", "message"],
            },
        }
    },
    "required": ["errors"],
}
_PAGES = (Page, redirect, html)
_RENDERING = ("render_template", "render_template_string", "stream_template")
_MEDIA: tuple[tuple[Any, str], ...] = (
    (Page, "text/html"),
    (Markup, "text/html"),
    (HTMLResponse, "text/html"),
    (PlainTextResponse, "text/plain"),
    (JSONResponse, "application/json"),
    (EventStreamResponse, "text/event-stream"),
    (FileResponse, "application/octet-stream"),
)


def returned(function: Any) -> Any:
    """Return the annotation of what a handler returns, `MISSING` where there is none (Any: of many types)."""
    inner = inspect.unwrap(function)
    try:
        hint = get_type_hints(inner, include_extras=True).get("return", MISSING)
    except Exception:
        return MISSING
    while get_origin(hint) in (Awaitable, Coroutine):
        hint = get_args(hint)[-1]
    return hint


def has_annotation(function: Any) -> bool:
    """Return whether a handler says what it returns (Any: a handler)."""
    return returned(function) is not MISSING


def is_page(operation: Operation) -> bool:
    """Return whether a handler answers people rather than programs.

    It says that it returns HTML or a redirect, or says nothing and builds a page.
    """
    if any(known.name != "html" for known in operation.formats):
        return False
    hint = returned(operation.function)
    if hint is not MISSING and hint is not Any:
        parts = [get_origin(part) or part for part in _alternatives(hint)]
        return all(
            isinstance(part, type) and issubclass(part, (Page, Markup, HTMLResponse, RedirectResponse))
            for part in parts
        )
    return any(_builds_page(value) for value in _named_by(inspect.unwrap(operation.function)))


def _builds_page(value: Any) -> bool:
    if any(value is known for known in _PAGES):
        return True
    # Templates are another room of this floor: its functions are known by where they stand.
    module = str(getattr(value, "__module__", ""))
    return module.startswith("demijohn.templating.") and getattr(value, "__name__", "") in _RENDERING


def _named_by(function: Any) -> Iterator[Any]:
    """Yield what the code of a function names from outside: globals, what it closes over, names of modules.

    An attribute of anything else (`book.html`) is only a word.
    """
    if not isinstance(function, types.FunctionType):
        return
    closed = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    value: Any = None
    for step in dis.get_instructions(function):
        if step.opname == "LOAD_GLOBAL":
            value = function.__globals__.get(step.argval)
        elif step.opname == "LOAD_DEREF" and step.argval in closed:
            try:
                value = closed[step.argval].cell_contents
            except ValueError:  # it has no value yet
                value = None
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD") and isinstance(value, types.ModuleType):
            value = getattr(value, step.argval, None)
        else:
            value = None
        if value is not None:
            yield value


def answers_of(operation: Operation, schemas: Schemas) -> dict[str, Schema]:
    """Return the good answers of an operation, by status."""
    hint = returned(operation.function)
    status = operation.status or 200
    item = items_of(operation.function)
    if item is not None:
        return {str(status): _answer(status, _stream(item, schemas))}
    found: dict[str, Content] = {}
    for part in _alternatives(hint):
        if part is type(None):
            code = 204 if operation.status in (None, 204) else status
            found.setdefault(str(code), {})
            continue
        if _is(part, RedirectResponse):
            found.setdefault("303", {})
            continue
        content = found.setdefault(str(status), {})
        for media, schema in _content(part, operation, schemas).items():
            if media in content and content[media] != schema:
                content[media] = {"anyOf": [*content[media].get("anyOf", [content[media]]), schema]}
            else:
                content[media] = schema
    return {code: _answer(int(code), content) for code, content in found.items()}


def _answer(status: int, content: Content) -> Schema:
    made: Schema = {"description": phrase_of(status)}
    if content and status != 204:
        made["content"] = {media: {"schema": schema} if schema else {} for media, schema in content.items()}
    return made


def _alternatives(hint: Any) -> Sequence[Any]:
    """Return the types that a handler may return; of `(body, status)` the body alone."""
    if hint is MISSING:
        return (MISSING,)
    if hint is None:
        return (type(None),)
    parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    found: list[Any] = []
    for part in parts:
        arguments = get_args(part)
        if get_origin(part) is tuple and len(arguments) in (2, 3) and arguments[1] is int:
            found += _alternatives(arguments[0])
        else:
            found.append(part)
    return found


def _is(tp: Any, cls: type) -> bool:
    return isinstance(tp, type) and issubclass(tp, cls)


def _content(tp: Any, operation: Operation, schemas: Schemas) -> Content:
    if operation.formats:
        schema = schemas.of(tp, "out") if tp is not MISSING and not _is(tp, Page | Markup) else {}  # type: ignore[arg-type]
        return {
            known.media_types[0]: {"type": "string"} if known.name in ("html", "csv") else schema
            for known in operation.formats
        }
    for cls, media in _MEDIA:
        if _is(tp, cls):
            return {media: {"type": "string"} if media.startswith("text/") else {}}
    if tp is MISSING or tp is Any:
        return {"application/json": {}}
    if _is(tp, Response):
        return {"*/*": {}}
    if _is(tp, str):
        return {"text/plain": {"type": "string"}}
    if _is(tp, bytes):
        return {"application/octet-stream": {}}
    return {"application/json": schemas.of(tp, "out")}


def _stream(item: Any, schemas: Schemas) -> Content:
    if _is(item, ServerSentEvent):
        return {"text/event-stream": {"type": "string"}}
    if _is(item, str):
        return {"text/html" if _is(item, Markup) else "text/plain": {"type": "string"}}
    if _is(item, bytes):
        return {"application/octet-stream": {}}
    return {"application/jsonl": {} if item is Any else schemas.of(item, "out")}


def phrase_of(status: int) -> str:
    """Return the standard phrase of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Answer"
