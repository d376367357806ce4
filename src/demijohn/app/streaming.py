"""Generators as answers: what they yield is written item by item, in the format that suits it."""

import types
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
)
from functools import partial
from typing import Annotated, Any, ClassVar, Protocol, TypeAlias, Union, get_args, get_origin

from demijohn._lib.later import asyncio, inspect
from demijohn._lib.stepping import Step
from demijohn.app.signatures import bare, return_hint
from demijohn.http import EventStreamResponse, Request, Response, ServerSentEvent, StreamResponse
from demijohn.http.streams import as_async
from demijohn.http.threads import in_stream_thread
from demijohn.schema import to_json

__all__ = [
    "ItemWriter",
    "Items",
    "JSONArray",
    "StreamAnswers",
    "Streamer",
    "items_of",
    "json_line",
    "separate",
    "stream",
    "streamer_of",
    "written",
]

Items: TypeAlias = AsyncIterable[Any] | Iterable[Any]
"""What a generator yields (Any: whatever the handler gives)."""
Streamer: TypeAlias = Callable[[Items], StreamResponse]
"""Makes a response of a generator."""

_PIECE = 32 * 1024
_FLUSH = 0.05
_FIRST = 0.1
"""How long an answer waits for its first item, before its head is sent."""

_SOURCES = (AsyncIterator, AsyncIterable, AsyncGenerator, Iterator, Iterable, Generator)


class ItemWriter(Protocol):
    """Writes the items of one stream, and what stands at its end."""

    def __call__(self, item: Any, /) -> bytes:
        """Return an item as bytes (Any: whatever the handler yields)."""
        ...

    def end(self) -> bytes:
        """Return what comes after the last item."""
        ...


def items_of(function: Callable[..., Any]) -> Any:
    """Return the type of what a handler yields, `Any` where it does not say, or None where it yields nothing.

    Any: annotations are of many types.
    """
    inner = bare(function)
    hint = return_hint(function)
    origin = get_origin(hint) or hint
    is_generator = inspect.isasyncgenfunction(inner) or inspect.isgeneratorfunction(inner)
    if origin in _SOURCES and (is_generator or origin not in (Iterable, AsyncIterable)):
        arguments = get_args(hint)
        return arguments[0] if arguments else Any
    return Any if is_generator else None


def streamer_of(tp: Any) -> Streamer | None:
    """Return what suits items of a type, or None where only the first item can tell (Any: an annotation)."""
    while get_origin(tp) is Annotated:
        tp = get_args(tp)[0]
    parts = get_args(tp) if get_origin(tp) in (Union, types.UnionType) else (tp,)
    classes = [part if isinstance(part, type) else get_origin(part) or part for part in parts]
    if any(isinstance(cls, type) and issubclass(cls, ServerSentEvent) for cls in classes):
        return EventStreamResponse
    if any(cls is Any or cls is object or not isinstance(cls, type) for cls in classes):
        return None
    if all(issubclass(cls, bytes | bytearray | memoryview) for cls in classes):
        return StreamResponse
    if all(issubclass(cls, str) for cls in classes):
        return _html if all(hasattr(cls, "__html__") for cls in classes) else _text
    return _lines


def _for_item(item: object) -> Streamer:
    return streamer_of(type(item)) or _lines


def written(items: Items, write: ItemWriter, *, content_type: str) -> StreamResponse:
    """Return the response for items of which larger pieces are gathered."""
    response = StreamResponse(gathered(items, write), content_type=content_type)
    # What is wrapped is closed even if the wrapping never began.
    response._source = items
    return response


def _text(items: Items) -> StreamResponse:
    return written(items, _Encoded(str.encode), content_type="text/plain; charset=utf-8")


def _html(items: Items) -> StreamResponse:
    return written(items, _Encoded(str.encode), content_type="text/html; charset=utf-8")


def _lines(items: Items) -> StreamResponse:
    return written(items, _Encoded(json_line), content_type="application/jsonl")


def json_line(item: Any) -> bytes:
    """Return an item as a line of JSON (Any: what the encoder knows)."""
    return to_json(item) + b"\n"


class _Encoded:
    """Items that stand by themselves."""

    __slots__ = ("_encode",)

    def __init__(self, encode: Callable[[Any], bytes]) -> None:
        self._encode = encode

    def __call__(self, item: Any, /) -> bytes:
        return self._encode(item)

    def end(self) -> bytes:
        return b""


class JSONArray:
    """Items of one JSON array, each on a line of its own."""

    __slots__ = ("_before",)

    def __init__(self) -> None:
        self._before = b"["

    def __call__(self, item: Any, /) -> bytes:
        """Return an item with what stands before it (Any: what the encoder knows)."""
        before, self._before = self._before, b",\n"
        return before + to_json(item)

    def end(self) -> bytes:
        """Return the end of the array."""
        return b"]\n" if self._before == b",\n" else b"[]\n"


def separate(encode: Callable[[Any], bytes]) -> Callable[[], ItemWriter]:
    """Return what makes writers of items that stand by themselves (Any: whatever handlers yield)."""
    return lambda: _Encoded(encode)


async def gathered(items: Items, write: ItemWriter) -> AsyncIterator[bytes]:
    """Yield items as bytes, gathered to larger pieces as long as the next one comes at once.

    What has to wait for the next item, or is 32 KiB, goes out; a sync iterator is walked in a worker thread.
    """
    if not isinstance(items, AsyncIterable):
        async for piece in _gathered_in_thread(items, write):
            yield piece
        return
    iterator = aiter(items)
    pieces: list[bytes] = []
    size = 0
    step: Step[Any] | None = None
    try:
        while True:
            step = Step(iterator.__anext__())
            if not step.is_done:
                if pieces:
                    yield b"".join(pieces)
                    pieces.clear()
                    size = 0
                await step.within(None)
            if step.error is not None:
                if isinstance(step.error, StopAsyncIteration):
                    break
                if pieces:  # what came before the failure is not lost
                    yield b"".join(pieces)
            item = step.result()
            piece = write(item.data if isinstance(item, ServerSentEvent) else item)
            pieces.append(piece)
            size += len(piece)
            if size >= _PIECE:
                yield b"".join(pieces)
                pieces.clear()
                size = 0
                await asyncio.sleep(0)  # a generator that never waits must not hold up the others
    finally:
        if step is not None:
            await step.cancel()
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()
    pieces.append(write.end())
    yield b"".join(pieces)


async def _gathered_in_thread(items: Iterable[Any], write: ItemWriter) -> AsyncIterator[bytes]:
    iterator = iter(items)
    pieces: deque[bytes] = deque()

    def fill() -> bool:
        """Walk on until there is enough; whether there may be more."""
        size = 0
        for item in iterator:
            piece = write(item.data if isinstance(item, ServerSentEvent) else item)
            pieces.append(piece)
            size += len(piece)
            if size >= _PIECE:
                return True
        return False

    def taken() -> bytes:
        return b"".join([pieces.popleft() for _ in range(len(pieces))])

    step: Step[bool] | None = None
    try:
        while True:
            step = Step(in_stream_thread(fill))
            while not await step.within(_FLUSH):
                if pieces:
                    yield taken()
            if step.error is not None and pieces:
                yield taken()
            if not step.result():
                break
            yield taken()
    finally:
        if step is not None:
            await step.cancel()
        close = getattr(iterator, "close", None)
        if close is not None:
            await in_stream_thread(close)
    pieces.append(write.end())
    yield taken()


class _Source:
    """An async iterator that is opened, up to its first item, before it is iterated over."""

    __slots__ = ("_first", "_iterator")

    def __init__(self, items: AsyncIterable[Any]) -> None:
        self._iterator = aiter(items)
        self._first: Step[Any] | None = None

    async def open(self, seconds: float | None) -> Any:
        """Ask for the first item and wait so long for it; return it where it is there, or `_END`.

        What fails by then is raised.
        """
        step = self._first = Step(self._iterator.__anext__())
        if not await step.within(seconds) or isinstance(step.error, StopAsyncIteration):
            return _END
        return step.result()

    def __aiter__(self) -> "_Source":
        return self

    def __anext__(self) -> Awaitable[Any]:
        first, self._first = self._first, None
        # Each coroutine between is one more to walk through at every event of every stream.
        return self._iterator.__anext__() if first is None else self._opened(first)

    async def _opened(self, first: Step[Any]) -> Any:
        await first.within(None)
        return first.result()

    async def aclose(self) -> None:
        first, self._first = self._first, None
        if first is not None:
            await first.cancel()
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            await close()


class _ThreadSource:
    """The same for a sync iterator, which is walked in worker threads."""

    __slots__ = ("_first", "_iterator")

    def __init__(self, items: Iterable[Any]) -> None:
        self._iterator = iter(items)
        self._first: list[Any] = []

    async def open(self, seconds: float | None) -> Any:
        first = await in_stream_thread(next, self._iterator, _END)
        if first is not _END:
            self._first.append(first)
        return first

    def __iter__(self) -> "_ThreadSource":
        return self

    def __next__(self) -> Any:
        return self._first.pop() if self._first else next(self._iterator)

    def close(self) -> None:
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()


_END: Any = object()


def stream(items: Items, make: Streamer | None = None) -> StreamResponse:
    """Return the response for a generator, which is opened when all else is done: what fails by then is an ordinary
    error.

    Where it is known how items are written, the head does not wait longer than a tenth of a second for the first one.
    """
    if make is EventStreamResponse and not isinstance(items, AsyncIterable):
        items = as_async(items)
    source = _Source(items) if isinstance(items, AsyncIterable) else _ThreadSource(items)
    if make is None:
        return _Unknown(source)
    response = make(source)
    response.opening = partial(source.open, _FIRST)
    return response


class _Unknown(StreamResponse):
    """A stream of whatever suits its first item."""

    __slots__ = ("_made",)

    def __init__(self, source: _Source | _ThreadSource) -> None:
        super().__init__(self._pieces(), content_type=None)
        self._made: StreamResponse | None = None
        self._source = source
        self.opening = self._open

    async def _open(self) -> None:
        source: Any = self._source
        first = await source.open(None)
        made = self._made = (StreamResponse if first is _END else _for_item(first))(source)
        if self.content_type is None:
            self.content_type = made.content_type
        for name, value in made.headers.multi_items():
            if name not in self.headers:
                self.headers[name] = value

    async def _pieces(self) -> AsyncIterator[bytes]:
        if self._made is not None:
            async for piece in self._made.body_iterator:
                yield piece

    async def aclose(self) -> None:
        if self._made is not None:
            await self._made.aclose()
        await super().aclose()


class StreamAnswers:
    """What a handler answers whose annotation says what it yields."""

    __slots__ = ("_encoder", "_make")

    check: ClassVar[None] = None

    def __init__(self, make: Streamer, encoder: Any) -> None:
        self._make = make
        self._encoder = encoder

    def encode(self, value: Any, request: Request) -> Response | Coroutine[Any, Any, Response]:
        """Return the response for what the handler returned (Any: of any type)."""
        if isinstance(value, AsyncIterator | Iterator):
            return stream(value, self._make)
        made: Response | Coroutine[Any, Any, Response] = self._encoder.encode(value, request)
        return made
