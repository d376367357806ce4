"""Handlers get what they ask for, and clients hear of every mistake at once."""

import asyncio
import dataclasses
import functools
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest

from demijohn import App, Body, Cookie, Fields, File, Form, Header, Path, Query, Request, Response, View
from demijohn.app import Binder, HandlerParameter, Input
from demijohn.errors import FieldError, ValidationFailed
from demijohn.http import URL, Cookies, FormData, Headers, QueryParams, UploadFile
from demijohn.schema import Field, to_builtins
from tests.app.calling import call

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Item(msgspec.Struct):
    name: Annotated[str, Field(min_length=2)]
    price: int = 0
    tags: list[str] = []


class Search(msgspec.Struct):
    text: str = ""
    page: Annotated[int, Field(ge=1)] = 1
    exact: bool = False
    tag: list[str] = []


@dataclasses.dataclass
class Point:
    x: int


@attrs.define
class Box:
    width: int


class Options(TypedDict):
    size: int


class Pair(NamedTuple):
    left: int


class Model(pydantic.BaseModel):
    n: Annotated[int, pydantic.Field(ge=1)]


async def answer(app: App, method: str, target: str, **options: Any) -> Any:
    """The decoded JSON of the response, or its problem with the status first."""
    response = await call(app, method, target, **options)
    data = msgspec.json.decode(response.body) if response.body else None
    if response.status >= 400:
        return response.status, [(tuple(error["place"]), error["code"]) for error in (data or {}).get("errors", [])]
    return data


def app_with(handler: Any, pattern: str = "/", method: str = "GET", **options: Any) -> App:
    app = App()
    app.route(pattern, methods=[method], **options)(handler)
    return app


@pytest.mark.parametrize("sync", [False, True])
async def test_path_and_query(sync: bool) -> None:
    """The path and the query are read by name and type, whichever kind the handler is."""

    def show(id: int, q: str = "", page: int = 1, exact: bool = False, ratio: float | None = None) -> Any:
        return [id, q, page, exact, ratio]

    async def show_async(id: int, q: str = "", page: int = 1, exact: bool = False, ratio: float | None = None) -> Any:
        return show(id, q, page, exact, ratio)

    app = app_with(show if sync else show_async, "/users/{id:int}")
    assert await answer(app, "GET", "/users/42") == [42, "", 1, False, None]
    assert await answer(app, "GET", "/users/42?q=a%20b&page=3&exact=on&ratio=1.5") == [42, "a b", 3, True, 1.5]
    assert await answer(app, "GET", "/users/42?page=&ratio=&q=") == [42, "", 1, False, None]
    assert await answer(app, "GET", "/users/42?page=x&exact=maybe&ratio=nan") == (
        422,
        [(("query", "page"), "type"), (("query", "exact"), "type"), (("query", "ratio"), "type")],
    )


async def test_every_kind_of_scalar() -> None:
    """Enumerations, dates, UUIDs, decimals, literals, lists, sets and unions come from the query."""

    async def show(
        colour: Colour,
        on: date,
        key: UUID,
        price: Decimal,
        order: Literal["asc", "desc"] = "asc",
        ids: list[int] = [],  # noqa: B006 - each request gets its own
        names: set[str] | None = None,
        either: int | str = 0,
    ) -> Any:
        ids.append(0)
        return to_builtins([colour, on, key, price, order, ids, sorted(names or ()), either])

    app = app_with(show)
    key = "12345678-1234-5678-1234-567812345678"
    target = f"/?colour=red&on=2026-01-31&key={key}&price=1.50"
    expected = ["red", "2026-01-31", key, "1.50", "asc", [0], [], 0]
    assert await answer(app, "GET", target) == expected
    assert await answer(app, "GET", target) == expected
    more = "&order=desc&ids=1&ids=2&names=b&names=a&either=x"
    assert await answer(app, "GET", target + more) == [*expected[:4], "desc", [1, 2, 0], ["a", "b"], "x"]
    assert await answer(app, "GET", "/?order=up&ids=1&ids=x") == (
        422,
        [
            (("query", "colour"), "missing"),
            (("query", "on"), "missing"),
            (("query", "key"), "missing"),
            (("query", "price"), "missing"),
            (("query", "order"), "choice"),
            (("query", "ids", 1), "type"),
        ],
    )


async def test_constraints_on_parameters() -> None:
    """Bounds come from the marker, from `Field` or from `msgspec.Meta`."""

    async def show(
        id: Annotated[int, Path(ge=10)],
        page: Annotated[int, Query(ge=1, le=9)] = 1,
        q: Annotated[str, Field(max_length=3, pattern="[a-z]*")] = "",
        n: Annotated[int, msgspec.Meta(multiple_of=2)] | None = None,
        word: Annotated[str, Query(check=str.islower)] = "x",
    ) -> Any:
        return [id, page, q, n, word]

    app = app_with(show, "/{id:int}")
    assert await answer(app, "GET", "/10?page=9&q=abc&n=4&word=y") == [10, 9, "abc", 4, "y"]
    assert await answer(app, "GET", "/9?page=0&q=ABCD&n=3&word=Y") == (
        422,
        [
            (("path", "id"), "ge"),
            (("query", "page"), "ge"),
            (("query", "q"), "max_length"),
            (("query", "q"), "pattern"),
            (("query", "n"), "multiple_of"),
            (("query", "word"), "value"),
        ],
    )


async def test_path_values_are_converted_where_the_route_did_not() -> None:
    """`/{id}` with `id: int` is read as text; a converter's own type is taken as it is."""

    async def show(id: int, rest: str) -> Any:
        return [id, rest]

    app = app_with(show, "/{id}/{rest:path}")
    assert await answer(app, "GET", "/7/a/b") == [7, "a/b"]
    assert await answer(app, "GET", "/x/a") == (422, [(("path", "id"), "type")])


async def test_markers_headers_cookies_and_aliases() -> None:
    """Underscores of headers are hyphens, aliases are taken as they are, lists are repeated lines."""

    async def show(
        user_agent: Annotated[str, Header()],
        x_tag: Annotated[list[str], Header()] = [],  # noqa: B006
        limit: Annotated[int | None, Header("X-Limit")] = None,
        theme: Annotated[str, Cookie()] = "light",
        sid: Annotated[str | None, Cookie("__Host-sid")] = None,
        sort: Annotated[str, Query("order_by")] = "id",
    ) -> Any:
        return [user_agent, x_tag, limit, theme, sid, sort]

    app = app_with(show)
    headers = {"User-Agent": "me", "X-Limit": "3", "Cookie": "theme=dark; __Host-sid=s"}
    assert await answer(app, "GET", "/?order_by=name", headers=headers) == ["me", [], 3, "dark", "s", "name"]
    assert await answer(app, "GET", "/", headers={"X-Limit": "x"}) == (
        422,
        [(("header", "user-agent"), "missing"), (("header", "X-Limit"), "type")],
    )


async def test_a_class_gathers_many_parameters() -> None:
    """With a marker, a class takes all its fields from the query, the headers or the cookies."""

    class Trace(msgspec.Struct):
        x_request_id: str
        x_level: int = 0

    async def show(
        search: Annotated[Search, Query()],
        trace: Annotated[Trace, Header()],
        jar: Annotated[Options | None, Cookie()] = None,
    ) -> Any:
        return to_builtins([search, trace, jar])

    app = app_with(show)
    headers = {"X-Request-ID": "r", "X-Level": "2", "Cookie": "size=3"}
    assert await answer(app, "GET", "/?text=a&page=2&exact=1&tag=x&tag=y", headers=headers) == [
        {"text": "a", "page": 2, "exact": True, "tag": ["x", "y"]},
        {"x_request_id": "r", "x_level": 2},
        {"size": 3},
    ]
    assert await answer(app, "GET", "/?page=0", headers={"X-Level": "x"}) == (
        422,
        [
            (("query", "page"), "ge"),
            (("header", "x_request_id"), "missing"),
            (("header", "x_level"), "type"),
        ],
    )


@pytest.mark.parametrize("tp", [Item, Point, Box, Options, Model, list[Item], dict[str, int], Item | None, Pair | Item])
@pytest.mark.parametrize("sync", [False, True])
async def test_body_types_are_read_from_the_body(tp: Any, sync: bool) -> None:
    """Structs, dataclasses, attrs, TypedDicts, pydantic models, lists and dicts of them."""

    async def create(item: tp) -> Any:
        return to_builtins(item)

    def create_sync(item: tp) -> Any:
        return to_builtins(item)

    data: dict[Any, Any] = {
        Item: {"name": "cup", "price": 3, "tags": []},
        Point: {"x": 1},
        Box: {"width": 1},
        Options: {"size": 1},
        Model: {"n": 1},
        dict[str, int]: {"a": 1},
        Item | None: {"name": "cup", "price": 0, "tags": []},
        Pair | Item: {"name": "cup", "price": 0, "tags": []},
    }
    body = data.get(tp, [{"name": "cup", "price": 0, "tags": []}])
    app = app_with(create_sync if sync else create, method="POST")
    assert await answer(app, "POST", "/", body=msgspec.json.encode(body), headers=JSON) == body
    assert (await answer(app, "POST", "/", body=b'"x"', headers=JSON))[0] == 422


async def test_errors_of_body_query_and_path_come_together() -> None:
    """One answer holds everything that is wrong, as RFC 9457 has it."""

    async def update(id: Annotated[int, Path(ge=5)], item: Item, dry: bool = False) -> Any:
        return None

    app = app_with(update, "/{id:int}", "PUT")
    response = await call(app, "PUT", "/1?dry=x", body=b'{"name":"a","price":"b"}', headers=JSON)
    assert response.status == 422
    assert response.content_type == "application/problem+json"
    problem = msgspec.json.decode(response.body)
    assert problem["status"] == 422
    assert problem["errors"] == [
        {"place": ["body", "name"], "code": "min_length", "message": "At least 2 characters needed."},
        {"place": ["body", "price"], "code": "type", "message": "Expected an integer."},
        {"place": ["path", "id"], "code": "ge", "message": "Must be at least 5."},
        {"place": ["query", "dry"], "code": "type", "message": "Expected true or false."},
    ]


async def test_an_empty_body() -> None:
    """Nothing was sent: the default, `None` where that is allowed, or one error."""

    async def create(item: Item) -> Any:
        return to_builtins(item)

    async def maybe(item: Item | None) -> Any:
        return [to_builtins(item)]

    async def usual(item: Item = Item("default")) -> Any:  # noqa: B008
        return to_builtins(item)

    assert await answer(app_with(create, method="POST"), "POST", "/") == (422, [(("body",), "missing")])
    assert await answer(app_with(maybe, method="POST"), "POST", "/") == [None]
    assert (await answer(app_with(usual, method="POST"), "POST", "/"))["name"] == "default"


async def test_the_content_type_chooses_the_decoder() -> None:
    """JSON with parameters and `+json`, MessagePack and YAML are read; anything else is 415."""

    async def create(item: Point) -> Any:
        return item.x

    app = app_with(create, method="POST")
    for kind in ("application/json; charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON"):
        assert await answer(app, "POST", "/", body=b'{"x":1}', headers={"content-type": kind}) == 1
    assert await answer(app, "POST", "/", body=b'{"x":1}') == 1
    packed = msgspec.msgpack.encode({"x": 2})
    assert await answer(app, "POST", "/", body=packed, headers={"content-type": "application/msgpack"}) == 2
    assert await answer(app, "POST", "/", body=b"x: 3", headers={"content-type": "application/yaml"}) == 3
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "\xff"):
        response = await call(app, "POST", "/", body=b'{"x":1}', headers={"content-type": kind})
        assert response.status == 415


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b'{"name":"\xff"}', b'{"name":', b"nope"])
async def test_a_body_that_is_no_json_is_a_bad_request(body: bytes) -> None:
    """Broken, truncated, too deep, not UTF-8: 400."""

    async def create(item: Item) -> Any:
        return None

    assert (await call(app_with(create, method="POST"), "POST", "/", body=body, headers=JSON)).status == 400


async def test_two_bodies_stand_below_their_names() -> None:
    """`{"item": {...}, "point": {...}}`, as also one body with `embed`."""

    async def both(item: Item, point: Annotated[Point, Body()], note: Annotated[str, Body()] = "n") -> Any:
        return to_builtins([item, point, note])

    async def one(item: Annotated[Item, Body(embed=True, alias="the-item")]) -> Any:
        return [item.name]

    app = app_with(both, method="POST")
    assert await answer(app, "POST", "/", body=b'{"item":{"name":"ab"},"point":{"x":1}}') == [
        {"name": "ab", "price": 0, "tags": []},
        {"x": 1},
        "n",
    ]
    assert await answer(app, "POST", "/", body=b'{"item":{},"note":3}') == (
        422,
        [(("body", "item", "name"), "missing"), (("body", "point"), "missing"), (("body", "note"), "type")],
    )
    assert await answer(app_with(one, method="POST"), "POST", "/", body=b'{"the-item":{"name":"ab"}}') == ["ab"]


async def test_the_body_itself() -> None:
    """`bytes` is the body as it came; a string or list with `Body()` is JSON."""

    async def raw(data: Annotated[bytes, Body()]) -> Any:
        return len(data)

    async def text(data: Annotated[str, Body()]) -> Any:
        return data

    async def numbers(data: Annotated[list[int], Body()]) -> Any:
        return sum(data)

    assert await answer(app_with(raw, method="POST"), "POST", "/", body=b"\xff\x00") == 2
    assert (await call(app_with(text, method="POST"), "POST", "/", body=b'"a"', headers=JSON)).body == b"a"
    plain = {"content-type": "text/plain"}
    assert (await call(app_with(text, method="POST"), "POST", "/", body=b"a b", headers=plain)).body == b"a b"
    assert await answer(app_with(numbers, method="POST"), "POST", "/", body=b"[1,2]") == 3


async def test_only_listed_fields_of_a_body_are_taken() -> None:
    """`include` and `exclude` refuse every other field, by name."""

    async def create(item: Annotated[Item, Body(include=["name"])]) -> Any:
        return to_builtins(item)

    async def many(items: Annotated[list[Item], Body(exclude=["price"])]) -> Any:
        return len(items)

    app = app_with(create, method="POST")
    assert (await answer(app, "POST", "/", body=b'{"name":"ab"}'))["price"] == 0
    assert await answer(app, "POST", "/", body=b'{"name":"a","price":3,"admin":true}') == (
        422,
        [(("body", "name"), "min_length"), (("body", "price"), "unknown"), (("body", "admin"), "unknown")],
    )
    app = app_with(many, method="POST")
    assert await answer(app, "POST", "/", body=b'[{"name":"ab"},{"name":"cd","price":1}]') == (
        422,
        [(("body", 1, "price"), "unknown")],
    )


async def test_forms() -> None:
    """Single fields, whole classes and check boxes; a body that is no form is 415."""

    async def fields(
        name: Annotated[str, Form(min_length=2)], count: Annotated[int, Form()], ok: Annotated[bool, Form()]
    ) -> Any:
        return [name, count, ok]

    async def whole(search: Annotated[Search, Form()]) -> Any:
        return to_builtins(search)

    async def everything(form: FormData) -> Any:
        return list(form.multi_items())

    app = app_with(fields, method="POST")
    assert await answer(app, "POST", "/", body=b"name=ab&count=+3", headers=FORM) == ["ab", 3, False]
    assert await answer(app, "POST", "/", body=b"name=ab&count=3&ok=on", headers=FORM) == ["ab", 3, True]
    assert await answer(app, "POST", "/", body=b"name=a&ok=x", headers=FORM) == (
        422,
        [(("form", "name"), "min_length"), (("form", "count"), "missing"), (("form", "ok"), "type")],
    )
    assert (await call(app, "POST", "/", body=b"{}", headers=JSON)).status == 415
    app = app_with(whole, method="POST")
    assert (await answer(app, "POST", "/", body=b"text=a&tag=x&tag=y", headers=FORM))["tag"] == ["x", "y"]
    app = app_with(everything, method="POST")
    assert await answer(app, "POST", "/", body=b"a=1&a=2", headers=FORM) == [["a", "1"], ["a", "2"]]


def multipart(*parts: tuple[str, str | None, bytes]) -> dict[str, Any]:
    lines = []
    for name, filename, data in parts:
        disposition = f'form-data; name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
        lines += [b"--x", f"Content-Disposition: {disposition}".encode(), b"", data]
    return {
        "body": b"\r\n".join([*lines, b"--x--", b""]),
        "headers": {"content-type": "multipart/form-data; boundary=x"},
    }


async def test_files() -> None:
    """`UploadFile`, lists of them, optional ones, and a limit of their size."""

    async def upload(
        photo: UploadFile,
        title: Annotated[str, Form()] = "",
        more: list[UploadFile] = [],  # noqa: B006
        small: Annotated[UploadFile | None, File(max_size=2)] = None,
    ) -> Any:
        return [(await photo.read()).decode(), title, [file.filename for file in more], small and small.filename]

    app = app_with(upload, method="POST")
    sent = multipart(("photo", "a.png", b"data"), ("title", None, b"T"), ("more", "b", b"1"), ("more", "c", b"2"))
    assert await answer(app, "POST", "/", **sent) == ["data", "T", ["b", "c"], None]
    assert await answer(app, "POST", "/", **multipart(("photo", None, b"text"), ("more", None, b"x"))) == (
        422,
        [(("form", "photo"), "type"), (("form", "more"), "type")],
    )
    sent = multipart(("small", "s", b"123"), ("title", "t", b"file"))
    assert await answer(app, "POST", "/", **sent) == (
        422,
        [(("form", "photo"), "missing"), (("form", "title"), "type"), (("form", "small"), "max_length")],
    )


async def test_one_function_for_get_and_post() -> None:
    """On GET a form, file or body that may be left out is its default; one that is needed is refused."""

    async def edit(
        name: Annotated[str | None, Form()],
        tags: Annotated[list[str], Form()] = [],  # noqa: B006
        photo: UploadFile | None = None,
    ) -> Any:
        return [name, tags, photo]

    app = App()
    app.route("/", methods=["GET", "POST"])(edit)
    assert await answer(app, "GET", "/?name=x") == [None, [], None]
    assert await answer(app, "POST", "/", body=b"name=x&tags=a", headers=FORM) == ["x", ["a"], None]


async def test_a_handler_for_forms_and_json() -> None:
    """`Body(form=True)` reads whichever came."""

    async def create(item: Annotated[Item, Body(form=True, exclude=["price"])]) -> Any:
        return to_builtins(item)

    app = app_with(create, method="POST")
    assert (await answer(app, "POST", "/", body=b'{"name":"ab"}', headers=JSON))["name"] == "ab"
    assert await answer(app, "POST", "/", body=b"name=ab&tags=x&price=9", headers=FORM) == {
        "name": "ab",
        "price": 0,
        "tags": ["x"],
    }
    assert await answer(app, "POST", "/", body=b"name=a", headers=FORM) == (422, [(("form", "name"), "min_length")])


async def test_what_the_request_offers_by_type() -> None:
    """Request, headers, query, cookies, URL, app and the rest of the path."""

    async def show(
        request: Request, headers: Headers, query: QueryParams, cookies: Cookies, url: URL, app: App, **rest: Any
    ) -> Any:
        assert isinstance(app, App)
        return [request.method, headers["x-a"], query["b"], cookies["c"], url.path, rest]

    app = app_with(show, "/{lang}/{page:int}")
    headers = {"X-A": "1", "Cookie": "c=3"}
    assert await answer(app, "GET", "/de/7?b=2", headers=headers) == [
        "GET", "1", "2", "3", "/de/7", {"lang": "de", "page": 7},
    ]  # fmt: skip


async def test_unannotated_parameters() -> None:
    """A name in the path, `request`, and what has a plain default need no annotation."""

    async def show(request, name, page=1):  # type: ignore[no-untyped-def]
        return [request.path, name, page]

    app = app_with(show, "/{name}")
    assert await answer(app, "GET", "/ann?page=2") == ["/ann", "ann", 2]
    assert await answer(app, "GET", "/ann?page=x") == (422, [(("query", "page"), "type")])


async def test_all_kinds_of_callables_are_handlers() -> None:
    """Partials, callable objects, wrapped functions, methods, views and keyword-only parameters."""

    def wrapped(function: Any) -> Any:
        @functools.wraps(function)
        async def around(*args: Any, **kwargs: Any) -> Any:
            return ["wrapped", await function(*args, **kwargs)]

        return around

    @wrapped
    async def plain(n: int, *, word: str = "w") -> Any:
        return [n, word]

    class Callable:
        async def __call__(self, n: int) -> Any:
            return n

        def method(self, n: int, /, word: str) -> Any:
            return [n, word]

    class Numbers(View):
        async def get(self, n: int) -> Any:
            return ["view", n]

    async def two(first: int, n: int, word: str = "w") -> Any:
        return [first, n, word]

    app = App()
    app.get("/plain")(plain)
    app.get("/object")(Callable())
    app.get("/method")(Callable().method)
    app.get("/partial")(functools.partial(two, 1))
    app.get("/keyword")(functools.partial(two, first=1))
    app.route("/view")(Numbers)
    assert await answer(app, "GET", "/plain?n=1&word=x") == ["wrapped", [1, "x"]]
    assert await answer(app, "GET", "/object?n=2") == 2
    assert await answer(app, "GET", "/method?n=3&word=x") == [3, "x"]
    assert await answer(app, "GET", "/partial?n=4") == [1, 4, "w"]
    assert await answer(app, "GET", "/keyword?n=4&word=x") == [1, 4, "x"]
    assert await answer(app, "GET", "/view?n=5") == ["view", 5]
    assert await answer(app, "GET", "/view") == (422, [(("query", "n"), "missing")])


async def test_invalid_queries_are_bad_requests() -> None:
    """A query that is not UTF-8 is 400."""

    async def show(q: str = "") -> Any:
        return q

    assert (await call(app_with(show), "GET", "/?q=%ff")).status == 400


async def test_a_binder_binds_a_type_of_a_battery() -> None:
    """By class, by marker or by a function; in the path and elsewhere; its errors join the others."""

    class Post:
        def __init__(self, slug: str) -> None:
            self.slug = slug

    class Editor:
        pass

    def bind_post(parameter: HandlerParameter) -> Binder | None:
        if parameter.path is None:
            body = parameter.find(Body)
            assert body is not None

            def read(request: Any) -> Any:
                raise ValidationFailed([FieldError(("body", name), "missing", "?") for name in body.include or ()])

            return Binder(read, is_async=False, inputs=(Input("body", "", type=Post),), reads_body=True)
        assert parameter.path.converter == "slug"

        async def load(request: Request) -> Post:
            await asyncio.sleep(0)
            return Post(request.path_params[parameter.name])

        return Binder(load)

    def bind_editor(parameter: HandlerParameter) -> Binder | None:
        fields = parameter.find(Fields)
        return None if fields is None else Binder(lambda request: list(fields.names), is_async=False)

    async def show(post: Post, n: int = 0) -> Any:
        return post.slug

    def show_sync(post: Post, n: int = 0) -> Any:
        return post.slug

    async def edit(post: Annotated[Post, Body(include=["title", "text"])], n: int) -> Any:
        return None

    async def form(editor: Annotated[Editor, Fields("a", "b")]) -> Any:
        return editor

    app = App()
    app.binders.add(Post, bind_post)
    app.binders.add(lambda parameter: parameter.type is Editor, bind_editor)
    app.get("/posts/{post:slug}")(show)
    app.get("/sync/{post:slug}")(show_sync)
    app.post("/posts")(edit)
    app.get("/form")(form)
    assert (await call(app, "GET", "/posts/hello")).body == b"hello"
    assert (await call(app, "GET", "/sync/hello")).body == b"hello"
    assert await answer(app, "GET", "/posts/hello?n=x") == (422, [(("query", "n"), "type")])
    assert await answer(app, "POST", "/posts") == (
        422,
        [(("body", "title"), "missing"), (("body", "text"), "missing"), (("query", "n"), "missing")],
    )
    assert await answer(app, "GET", "/form") == ["a", "b"]


async def test_the_handler_is_called_in_a_thread_with_what_was_awaited() -> None:
    """A sync handler gets body, form and files as an async one does."""

    def create(request: Request, item: Item, page: int = 1) -> Response:
        return Response(f"{item.name}{page}{request.method}")

    app = app_with(create, method="POST")
    assert (await call(app, "POST", "/?page=2", body=b'{"name":"ab"}')).body == b"ab2POST"
    assert await answer(app, "POST", "/?page=x", body=b"{}") == (
        422,
        [(("body", "name"), "missing"), (("query", "page"), "type")],
    )


def test_mappings_of_any_are_bodies() -> None:
    """A `dict` parameter of a POST is the JSON object."""

    async def create(data: Mapping[str, Any]) -> Any:
        return dict(data)

    app = app_with(create, method="POST")
    assert asyncio.run(answer(app, "POST", "/", body=b'{"a":[1]}')) == {"a": [1]}
