"""From what a handler returns to a complete response."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, TypeAlias

from demijohn._lib.later import inspect
from demijohn._lib.source import place_of
from demijohn.app.page import Page
from demijohn.app.streaming import stream
from demijohn.errors import DemijohnError
from demijohn.http import Request, Response
from demijohn.http.response import ready
from demijohn.schema.encoding import write_json

__all__ = ["Encoder", "ResponseMaker", "WrongReturn", "is_plain_maker"]

ResponseMaker: TypeAlias = Callable[[Any, Request], Response | Coroutine[Any, Any, Response]]
"""Makes a response of a value, or a coroutine that does (Any: of the type that it was registered for)."""

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
JSON = "application/json"


class WrongReturn(DemijohnError):
    """A handler returned something that is no answer."""

    code = "DJN-310"


class Encoder:
    """Turns return values into responses, by the type of the value.

    `str` becomes text/plain, markup text/html, `bytes` octet-stream; a dict, list, Struct, dataclass and whatever the
    schema room can encode become JSON; generators stream, in the form that suits what they yield; `(body, status)` and
    `(body, status, headers)` mean what they do in Flask; a `Response` stays as it is. Batteries add makers for their
    own types.
    """

    def __init__(self) -> None:
        self.makers: dict[type, ResponseMaker] = {
            str: _from_str,
            bytes: _from_bytes,
            bytearray: _from_bytes,
            memoryview: _from_bytes,
            dict: _from_data,
            list: _from_data,
            int: _from_number,
            float: _from_number,
            bool: _from_data,
        }
        self._bases: list[tuple[type, ResponseMaker]] = [(Response, _as_is)]

    def add(self, cls: type, maker: ResponseMaker) -> None:
        """Register a maker for a class and its subclasses; a later one wins."""
        self._bases.insert(0, (cls, maker))
        # In place: compiled code looks into it.
        for known in [known for known in self.makers if issubclass(known, cls)]:
            del self.makers[known]
        self.makers[cls] = maker

    def encode(self, value: Any, request: Request) -> Response | Coroutine[Any, Any, Response]:
        """Return the response for a value of any type, or a coroutine that makes it.

        Raises:
            WrongReturn: The value is `None` from a handler that does not say so, or of a type that nothing can encode.
        """
        maker = self.makers.get(value.__class__)
        if maker is None:
            maker = self._find(value, request)
        return maker(value, request)

    async def complete(self, value: Any, request: Request) -> Response:
        """Return the response for a value of any type, awaiting what makes it."""
        made = self.encode(value, request)
        return made if isinstance(made, Response) else await made

    def _find(self, value: Any, request: Request) -> ResponseMaker:
        cls = value.__class__
        if value is None:
            raise _forgotten(request)
        if cls is tuple or (isinstance(value, tuple) and not hasattr(value, "_fields")):
            return self._from_tuple
        maker = self._maker_of(value)
        if maker is not _from_first_page:
            self.makers[cls] = maker
        return maker

    def _maker_of(self, value: Any) -> ResponseMaker:
        for base, maker in self._bases:
            if isinstance(value, base):
                return maker
        if isinstance(value, Page):
            return _from_first_page
        if hasattr(value, "__html__"):
            return _from_markup
        if isinstance(value, str):
            return _from_str
        if isinstance(value, AsyncIterator | Iterator):
            return _from_iterator
        if inspect.isawaitable(value):
            return _from_awaitable
        return _from_data

    def _from_tuple(self, value: tuple[Any, ...], request: Request) -> Response | Coroutine[Any, Any, Response]:
        return from_tuple(value, request, self.encode)


def from_tuple(
    value: tuple[Any, ...], request: Request, encode: ResponseMaker
) -> Response | Coroutine[Any, Any, Response]:
    """Return the response for `(body, status)`, `(body, headers)` or `(body, status, headers)`.

    Any: the body is of any type that `encode` takes.
    """
    status: Any = None
    headers: Any = None
    if len(value) == 3:
        body, status, headers = value
    elif len(value) == 2:
        body, second = value
        if isinstance(second, int):
            status = second
        else:
            headers = second
    else:
        raise WrongReturn(
            f"{_handler(request)} returned a tuple of {len(value)}.",
            why="A tuple means (body, status), (body, headers) or (body, status, headers).",
            fix="Return a list for a JSON array:  return list(...)",
            code="DJN-312",
        )
    if (status is not None and not isinstance(status, int)) or isinstance(headers, str | bytes):
        wrong = headers if status is None else status
        raise WrongReturn(
            f"{_handler(request)} returned a tuple with {wrong!r} in the place of the status.",
            why="A status is a number; what it means is added by itself.",
            fix="Write the number:  return body, 201",
            code="DJN-312",
        )
    made = Response(b"") if body is None else encode(body, request)
    if isinstance(made, Response):
        return _dressed(made, status, headers)

    async def later() -> Response:
        return _dressed(await made, status, headers)

    return later()


def _dressed(response: Response, status: Any, headers: Any) -> Response:
    if status is not None:
        response.status = status
    if headers:
        pairs = headers.items() if hasattr(headers, "items") else headers
        for name, content in pairs:
            if name.lower() == "content-type":
                response.content_type = content
            else:
                response.headers.add(name, content)
    return response


def _from_first_page(page: Page, request: Request) -> Response | Coroutine[Any, Any, Response]:
    """Have the app install what renders pages, and let that make the response."""
    request.app.need("templating")
    made: Response | Coroutine[Any, Any, Response] = request.app.encoder.encode(page, request)
    return made


def _as_is(value: Response, request: Request) -> Response:
    return value.for_request(request) if value.needs_request else value


def _from_str(value: str, request: Request) -> Response:
    return ready(value.encode(), TEXT)


def is_plain_maker(maker: ResponseMaker | None) -> bool:
    """Return whether it is ours that makes text/plain of a `str`."""
    return maker is _from_str


def _from_markup(value: Any, request: Request) -> Response:
    return Response(str(value.__html__()).encode(), content_type=HTML)


def _from_bytes(value: bytes | bytearray | memoryview, request: Request) -> Response:
    return Response(bytes(value), content_type="application/octet-stream")


def _from_number(value: float, request: Request) -> Response:
    return ready(write_json(value), JSON)


def _from_data(value: Any, request: Request) -> Response:
    try:
        return ready(write_json(value), JSON)
    except (TypeError, NotImplementedError) as error:
        raise WrongReturn(
            f"{_handler(request)} returned {type(value).__name__!r}: {error}",
            why="It is no response, no text, and nothing that becomes JSON.",
            fix="Return a dict, list, Struct, dataclass, model, `Page(...)`, `html(...)` or a `Response`.",
            code="DJN-311",
        ) from error


def _from_iterator(value: AsyncIterator[Any] | Iterator[Any], request: Request) -> Response:
    return stream(value)


def _from_awaitable(value: Any, request: Request) -> Response:
    if hasattr(value, "close"):
        value.close()
    raise WrongReturn(
        f"{_handler(request)} returned {value!r}, which was never awaited.",
        why="A coroutine is a promise of a value, not the value.",
        fix="Write `return await ...` in an `async def`, or `return wait(...)` in a plain `def`.",
        code="DJN-313",
    )


def _forgotten(request: Request) -> WrongReturn:
    return WrongReturn(
        f"{_handler(request)} returned None.",
        why="Most often a `return` was forgotten; an empty answer has to be meant.",
        fix="Return a value; or annotate the handler `-> None`, or say `status=204` on its route.",
    )


def _handler(request: Request) -> str:
    endpoint = getattr(request.route, "endpoint", None)
    if endpoint is None:
        return "The handler"
    name = getattr(endpoint, "__qualname__", repr(endpoint))
    return f"The handler `{name}` ({place_of(endpoint)})"
