"""What cannot be wired is told at start-up: where, why, and with the line to write."""

import asyncio
import math
from typing import Annotated, Any

import msgspec
import pytest

from demijohn import App, Body, Cookie, Depends, Fields, Form, Header, Path, Query, Request
from demijohn.app.binding import WiringErrors
from demijohn.errors import ConfigurationError
from demijohn.http import UploadFile, WebSocket
from demijohn.schema import Field


class Item(msgspec.Struct):
    name: str


class Foreign:
    pass


class Shaken:
    pass


async def unknown(thing: Foreign) -> None: ...
async def body_on_get(item: Item) -> None: ...
async def form_on_get(name: Annotated[str, Form()]) -> None: ...
async def file_on_get(file: UploadFile) -> None: ...
async def untyped(thing) -> None: ...  # type: ignore[no-untyped-def]
async def unresolved(thing: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821
async def torn(thing: Annotated[str, Query(), Header()]) -> None: ...
async def body_and_form(item: Item, name: Annotated[str, Form()]) -> None: ...
async def not_in_path(id: Annotated[int, Path()]) -> None: ...
async def no_function(thing: Annotated[Any, Depends(3)]) -> None: ...  # type: ignore[arg-type]
async def no_binder(thing: Annotated[Foreign, Fields("a")]) -> None: ...
async def bad_file(file: Annotated[bytes, Form()], other: dict[str, UploadFile]) -> None: ...
async def bad_fields(item: Annotated[Item, Body(include=["nmae"])]) -> None: ...
async def partial(item: Annotated[Item, Body(partial=True)]) -> None: ...
async def bad_bound(q: Annotated[str, Field(ge=1)]) -> None: ...
async def unreadable_query(thing: Annotated[Foreign, Query()]) -> None: ...
async def unreadable_path(id: Foreign) -> None: ...
async def anything(thing: Any) -> None: ...


@pytest.mark.parametrize(
    ("handler", "method", "code", "words"),
    [
        (
            unknown,
            "GET",
            "DJN-200",
            r"`thing: Foreign` of unknown \(.*test_binding_errors.py:\d+\)[\s\S]*provide\(Foreign",
        ),
        (body_on_get, "GET", "DJN-201", r"item: Annotated\[Item, Query\(\)\]"),
        (form_on_get, "GET", "DJN-201", "answers 'GET'"),
        (file_on_get, "HEAD", "DJN-201", "answers 'HEAD'"),
        (untyped, "GET", "DJN-202", "thing: str"),
        (unresolved, "GET", "DJN-202", "'Nowhere' is not defined"),
        (torn, "GET", "DJN-203", r"Query\(\) and Header\(\)"),
        (body_and_form, "POST", "DJN-204", "'item' and 'name'"),
        (not_in_path, "GET", "DJN-205", r"\{id\}"),
        (no_function, "GET", "DJN-206", "got 3"),
        (no_binder, "POST", "DJN-200", r"Fields\('a'\)"),
        (bad_file, "POST", "DJN-200", "UploadFile"),
        (bad_fields, "POST", "DJN-200", r"'nmae'[\s\S]*has 'name'"),
        (partial, "POST", "DJN-200", "UNSET"),
        (bad_bound, "GET", "DJN-010", "parameter `q` of bad_bound"),
        (unreadable_query, "GET", "DJN-012", "register_decoder"),
        (anything, "GET", "DJN-200", "thing"),
    ],
)
def test_wiring_that_cannot_work(handler: Any, method: str, code: str, words: str) -> None:
    """Each mistake has its code and the line to write, before the first request."""
    app = App()
    app.route("/", methods=[method])(handler)
    with pytest.raises(ConfigurationError, match=words) as caught:
        app.freeze()
    assert caught.value.code == code
    assert caught.value.why
    assert caught.value.fix


def test_all_mistakes_of_a_function_come_together() -> None:
    """One error tells them all."""

    async def show(a: Foreign, b: Item, c: Annotated[int, Path()], d: int = 1) -> None: ...

    app = App()
    app.get("/")(show)
    with pytest.raises(WiringErrors) as caught:
        app.freeze()
    assert [problem.code for problem in caught.value.problems] == ["DJN-200", "DJN-201", "DJN-205"]
    for name in ("`a: Foreign`", "`b: Item`", "`c: int`", "DJN-201"):
        assert name in str(caught.value)


def test_a_path_that_cannot_be_read_into_its_type() -> None:
    """A name of the path needs a type that text is read into."""
    app = App()
    app.get("/{id}")(unreadable_path)
    with pytest.raises(ConfigurationError, match="DJN-012"):
        app.freeze()


def test_builtin_functions_have_no_types() -> None:
    """A function in C says nothing of its parameters."""
    app = App()
    app.get("/")(math.sqrt)
    with pytest.raises(ConfigurationError, match="DJN-202"):
        app.freeze()
    app = App()
    app.get("/")(Shaken.__init__)
    with pytest.raises(ConfigurationError, match="DJN-20"):
        app.freeze()


def test_sockets_have_no_body_and_requests_no_socket() -> None:
    """Each kind of route offers what it has."""

    async def socket(item: Item) -> None: ...
    async def wrong(request: Request) -> None: ...
    async def page(websocket: WebSocket) -> None: ...

    for handler, kind, code in ((socket, "websocket", "201"), (wrong, "websocket", "208"), (page, "get", "208")):
        app = App()
        getattr(app, kind)("/")(handler)
        with pytest.raises(ConfigurationError) as caught:
            app.freeze()
        assert caught.value.code == f"DJN-{code}"


def test_types_beside_a_handler_are_found() -> None:
    """Annotations that are strings find the names of the function around the handler."""
    app = App()

    class Local(msgspec.Struct):
        a: int

    exec(
        "def make(Inner):\n"
        "    from demijohn import Query\n"
        "    from typing import Annotated\n"
        "    async def show(n: 'Annotated[int, Query(\"m\")]', inner: 'Annotated[Inner, Query()]') -> 'Inner': ...\n"
        "    app.get('/')(show)\n"
        "    app.freeze()\n",
        namespace := {"app": app},
    )
    namespace["make"](Local)


def test_markers_print_as_they_are_written() -> None:
    """A marker in a message is the one in the source."""
    assert [repr(marker) for marker in (Query(), Header("X-A"), Cookie(), Fields("a", "b"), Depends(asyncio.run))] == [
        "Query()",
        "Header('X-A')",
        "Cookie()",
        "Fields('a', 'b')",
        "Depends(run)",
    ]
