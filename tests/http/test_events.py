"""Events arrive one by one, stay alive, and cannot be forged by their data."""

import asyncio
import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.http import BadEvent, EventStreamResponse, ServerSentEvent


def parse(stream: str) -> list[dict[str, str]]:
    """Read a stream as the HTML standard says."""
    events = []
    fields: dict[str, str] = {}
    for line in stream.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not line:
            if "data" in fields:
                fields["data"] = fields["data"][:-1]
                events.append(fields)
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            fields[name] = fields.get("data", "") + value + "\n" if name == "data" else value
    return events


TEXT = st.text(st.characters(codec="utf-8"))


@given(TEXT, st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8")), TEXT)
def test_data_cannot_forge_an_event(data: str, name: str, comment: str) -> None:
    """Whatever the text, one event comes out, and it is the text (its line breaks made one kind)."""
    sent = ServerSentEvent(
        data.encode("utf-8", "replace").decode(), event=name, comment=comment.encode("utf-8", "replace").decode()
    )
    (event,) = parse(sent.encode().decode())
    assert event["data"] == sent.data.replace("\r\n", "\n").replace("\r", "\n")
    assert event["event"] == name


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0b"])
def test_names_and_ids_are_one_line(bad: str) -> None:
    """Refused where they are made."""
    with pytest.raises(BadEvent):
        ServerSentEvent("x", event=bad)
    with pytest.raises(BadEvent):
        ServerSentEvent("x", id=bad)


def test_all_fields() -> None:
    """In the order that browsers like, data of other types as JSON."""
    event = ServerSentEvent({"a": 1}, event="news", id=7, retry=1000, comment="hi")
    assert event.encode() == b': hi\nevent: news\nid: 7\nretry: 1000\ndata: {"a":1}\n\n'


async def test_a_stream_of_events_is_kept_alive_and_closed() -> None:
    """A comment goes out while nothing happens, in one task, and the source is closed at the end."""
    gate = asyncio.Event()
    tasks = set()
    closed = []

    async def source() -> AsyncIterator[object]:
        try:
            tasks.add(asyncio.current_task())
            yield "one"
            await gate.wait()
            tasks.add(asyncio.current_task())
            yield {"two": 2}
        finally:
            closed.append(True)

    response = EventStreamResponse(source(), ping=0.01)
    assert response.content_type is not None
    assert response.content_type.startswith("text/event-stream")
    pieces = response.body_iterator
    assert await anext(pieces) == b"data: one\n\n"
    assert await anext(pieces) == b": ping\n\n"
    gate.set()
    rest = [piece async for piece in pieces if piece != b": ping\n\n"]
    assert rest == [b'data: {"two":2}\n\n']
    assert len(tasks) == 1
    assert closed == [True]


async def test_a_client_that_leaves_ends_the_source() -> None:
    """`aclose` stops a source that waits for ever."""
    closed = []

    async def source() -> AsyncIterator[str]:
        try:
            yield "one"
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    response = EventStreamResponse(source(), ping=5)
    await anext(response.body_iterator)
    await response.aclose()
    assert closed == [True]


async def test_an_error_in_the_source_reaches_the_transport() -> None:
    """It is not swallowed by the task."""

    async def source() -> AsyncIterator[str]:
        yield "one"
        raise RuntimeError("broken")

    for ping in (None, 5.0):
        response = EventStreamResponse(source(), ping=ping)
        with pytest.raises(RuntimeError, match="broken"):
            _ = [piece async for piece in response.body_iterator]
        await response.aclose()


async def test_a_stream_that_never_began_closes_its_source() -> None:
    """Nothing is left when the client left before the first byte."""

    class Source:
        closed = False

        def __aiter__(self) -> "Source":
            return self

        async def __anext__(self) -> str:
            return "x"

        async def aclose(self) -> None:
            self.closed = True

    source = Source()
    response = EventStreamResponse(source)
    await response.aclose()
    assert source.closed


def test_an_event_for_many_streams_is_encoded_once() -> None:
    """The same object gives the same bytes; one that was changed is encoded anew."""
    event = ServerSentEvent(1.5, id=1)
    assert event.encode() is event.encode()
    event.id = "2"
    assert event.encode() == b"id: 2\ndata: 1.5\n\n"
    text = ServerSentEvent("news")
    assert text.encode() is text.encode()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text("abc"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(VALUES, max_size=3), VALUES)
def test_an_event_says_what_its_data_is_now(data: list[Any], more: Any) -> None:
    """Data that was changed inside between two streams is sent as it is, and not as it was."""
    for holder in (data, {"inner": data}):
        event = ServerSentEvent(holder)
        assert event.encode() == ServerSentEvent(copy.deepcopy(holder)).encode()
        data.append(more)
        assert event.encode() == ServerSentEvent(copy.deepcopy(holder)).encode()
