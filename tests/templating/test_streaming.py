"""Pages that are sent while they are rendered."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from demijohn import App, StreamResponse
from demijohn.templating import ScopedSlot, Slot, Templates, UndefinedError, stream_template
from tests.app.calling import call

Write = Callable[..., Path]


@pytest.fixture
def app(tmp_path: Path) -> App:
    """An app whose templates are in the test's folder."""
    app = App()
    app.use(Templates(tmp_path / "templates", byte_code=False))
    return app


async def chunks(app: App, target: str) -> list[bytes]:
    """The pieces of a stream, as they come."""
    response = await call(app, "GET", target)
    assert isinstance(response, StreamResponse)
    assert response.content_type == "text/html; charset=utf-8"
    return [chunk async for chunk in response.body_iterator]


async def test_async_iterators_are_looped_over(app: App, write: Write) -> None:
    """A loop walks an async generator, and values that are awaitable are awaited."""
    write({"a.html": "{% for n in numbers %}[{{ n }}]{% else %}none{% endfor %}{{ total }}{{ add(1) }}"})

    async def numbers() -> AsyncIterator[str]:
        for n in ("<", "2"):
            await asyncio.sleep(0)
            yield n

    async def total() -> int:
        return 7

    async def add(n: int) -> int:
        return n + 1

    @app.get("/")
    async def home() -> Any:
        return stream_template("a.html", numbers=numbers(), total=total(), add=add)

    assert b"".join(await chunks(app, "/")) == b"[&lt;][2]72"


async def test_what_is_there_goes_out_before_a_wait(app: App, write: Write) -> None:
    """The head of a page is sent before the page waits for its first row."""
    write({"a.html": "<head>{% for row in rows %}<tr>{{ row }}</tr>{% endfor %}</table>"})
    go = asyncio.Event()

    async def rows() -> AsyncIterator[int]:
        await go.wait()
        yield 1
        yield 2

    @app.get("/")
    async def home() -> Any:
        return stream_template("a.html", rows=rows())

    response = await call(app, "GET", "/")
    assert isinstance(response, StreamResponse)
    iterator = aiter(response.body_iterator)
    assert await anext(iterator) == b"<head>"
    waiting = asyncio.ensure_future(anext(iterator))
    await asyncio.sleep(0)
    assert not waiting.done()
    go.set()
    assert await waiting == b"<tr>1</tr><tr>2</tr></table>"
    with pytest.raises(StopAsyncIteration):
        await anext(iterator)


async def test_long_pages_come_in_pieces(app: App, write: Write) -> None:
    """A page of many rows is never whole in memory."""
    write({"a.html": "{% for n in range(20000) %}<p>{{ n }}</p>{% endfor %}"})

    @app.get("/")
    async def home() -> Any:
        return stream_template("a.html")

    pieces = await chunks(app, "/")
    assert len(pieces) > 10
    assert max(map(len, pieces)) < 20_000
    assert b"".join(pieces).endswith(b"<p>19999</p>")


async def test_layouts_imports_components_and_processors(app: App, write: Write) -> None:
    """What works in a page works in a stream: layouts, macros, components with scoped slots, context processors."""
    templates = app.batteries["templating"]
    assert isinstance(templates, Templates)

    @templates.component(source="<ul>{% for x in items %}<li>{{ row(x) }}{{ user }}</li>{% endfor %}{{ content }}</ul>")
    def listing(items: list[int], row: ScopedSlot, content: Slot = "") -> None: ...

    @templates.component(source="({{ word }})")
    def mark(word: str) -> None: ...

    write(
        {
            "base.html": "<b>{% block body %}{% endblock %}</b>",
            "m.html": "{% macro m(x) %}m{{ x }}{% endmacro %}",
            "a.html": "{% extends 'base.html' %}{% from 'm.html' import m %}{% block body %}"
            "{% listing items=[1, 2] %}{% slot row(x) %}{{ m(x) }}{{ mark(word='w') }}{% endslot %}end{% endlisting %}"
            "{{ mark(**{'word': 'd'}) }}{% include 'part.html' %}{% endblock %}",
            "part.html": "{{ user }}",
        }
    )

    @app.context_processor
    async def user() -> dict[str, Any]:
        return {"user": "ann"}

    @app.get("/")
    async def home() -> Any:
        return stream_template("a.html")

    expected = b"<b><ul><li>m1(w)ann</li><li>m2(w)ann</li>end</ul>(d)ann</b>"
    assert b"".join(await chunks(app, "/")) == expected


async def test_a_failure_cuts_the_stream(app: App, write: Write) -> None:
    """What goes wrong on the way is told with its place, after what was sent."""
    write({"a.html": "start{{ pause() }}\n{{ nmae }}end"})

    async def pause() -> str:
        await asyncio.sleep(0)
        return ""

    @app.get("/")
    async def home() -> Any:
        return stream_template("a.html", name=1, pause=pause)

    response = await call(app, "GET", "/")
    assert isinstance(response, StreamResponse)
    iterator = aiter(response.body_iterator)
    assert await anext(iterator) == b"start"
    with pytest.raises(UndefinedError, match="a.html:2 uses 'nmae'"):
        await anext(iterator)


async def test_leaving_early_ends_the_iterators(app: App, write: Write) -> None:
    """When the client leaves, the generator that the template loops over is closed, while it waits too."""
    write({"a.html": "x{% for row in rows %}{{ row }}{% endfor %}"})
    ended: list[str] = []

    async def rows() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(3600)
            yield 2
        finally:
            ended.append("closed")

    @app.get("/")
    async def home() -> Any:
        return stream_template("a.html", rows=rows())

    response = await call(app, "GET", "/")
    assert isinstance(response, StreamResponse)
    iterator: Any = aiter(response.body_iterator)
    assert await anext(iterator) == b"x1"
    reading = asyncio.ensure_future(anext(iterator))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await iterator.aclose()
    assert ended == ["closed"]


async def test_timeouts_and_tasks_hold_inside(app: App, write: Write) -> None:
    """`asyncio.timeout` and `current_task` are right inside of what a streamed template awaits."""
    write({"a.html": "{{ slow() }}{{ task() }}"})

    async def slow() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(10)
        except TimeoutError:
            return "timed out,"
        return "never"

    async def task() -> bool:
        await asyncio.sleep(0)
        return asyncio.current_task() is not None

    @app.get("/")
    async def home() -> Any:
        return stream_template("a.html", slow=slow, task=task)

    assert b"".join(await chunks(app, "/")) == b"timed out,True"
