"""Pages that are sent while they are rendered."""

import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping
from typing import Any, cast

from jinja2.runtime import Context

from demijohn.templating.environment import BASE, Environment
from demijohn.templating.failures import raise_explained

__all__ = ["stream_chunks"]

_CHUNK = 16 * 1024


async def stream_chunks(
    environment: Environment,
    name: str,
    values: Mapping[str, Any],
    *,
    base: Callable[[], Awaitable[Mapping[str, Any] | None]],
) -> AsyncIterator[bytes]:
    """Yield a template in pieces, rendered as they are asked for.

    Loops walk async iterators, and what a call returns is awaited. Text is gathered to about 16 KiB; when the template
    has to wait for something, what it has so far goes out first (Any: templates print anything).

    Raises:
        TemplateError: Something is wrong with the template.
    """
    streaming = environment.streaming()
    found = await base()
    settled = {key: await value if hasattr(value.__class__, "__await__") else value for key, value in values.items()}
    parent = (
        {**streaming.globals, **settled} if found is None else {**found, **streaming.callers, **settled, BASE: found}
    )
    pieces: list[str] = []
    size = 0
    rendering: Any = None
    try:
        template = streaming.get_template(name)
        rendering = cast("Any", template.root_render_func(Context(streaming, parent, template.name, template.blocks)))
        while True:
            step = _Step(rendering.__anext__())
            if step.waits:
                if pieces:
                    yield "".join(pieces).encode()
                    pieces.clear()
                    size = 0
                await step.rest()
            if step.is_over:
                break
            pieces.append(step.piece)
            size += len(step.piece)
            if size >= _CHUNK:
                yield "".join(pieces).encode()
                pieces.clear()
                size = 0
    except Exception as error:
        raise_explained(error, streaming)
    finally:
        if rendering is not None:
            await rendering.aclose()
    if pieces:
        yield "".join(pieces).encode()


class _Step:
    """One step of an async generator: run up to its first wait, and the rest when it is asked for."""

    __slots__ = ("_future", "_steps", "is_over", "piece", "waits")

    def __init__(self, awaitable: Awaitable[str]) -> None:
        self._steps: Generator[Any, Any, str] = cast("Any", awaitable).__await__()
        self.is_over = False
        self.piece = ""
        self.waits = False
        try:
            self._future = self._steps.send(None)
            self.waits = True
        except StopIteration as done:
            self.piece = done.value
        except StopAsyncIteration:
            self.is_over = True

    async def rest(self) -> None:
        """Wait for the rest of the step."""
        try:
            self.piece = await _continued(self._steps, self._future)
        except StopAsyncIteration:
            self.is_over = True


@types.coroutine
def _continue(steps: Generator[Any, Any, str], future: Any) -> Generator[Any, Any, str]:
    """Hand what a step waits for to the event loop, and the answers back to the step."""
    try:
        while True:
            try:
                answer = yield future
            except BaseException as error:
                future = steps.throw(error)
            else:
                future = steps.send(answer)
    except StopIteration as done:
        return cast("str", done.value)
    finally:
        steps.close()


async def _continued(steps: Generator[Any, Any, str], future: Any) -> str:
    return await cast("Coroutine[Any, Any, str]", _continue(steps, future))
