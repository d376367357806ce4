"""The OpenAPI document: from the types of an app, valid by the schema of OpenAPI 3.1, and as the app behaves."""

import enum
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pydantic
import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from demijohn import App, Blueprint, Body, Cookie, File, Form, Header, Page, Query, UploadFile, WebSocket, redirect
from demijohn.auth import User as BaseUser
from demijohn.db import Database, Mapped, Model, belongs_to, column
from demijohn.errors import ConfigurationError
from demijohn.http import EventStreamResponse, Markup, Response, ServerSentEvent
from demijohn.i18n import Translations, gettext_lazy
from demijohn.openapi import OpenAPI, describe
from demijohn.openapi.writing import to_yaml_text
from demijohn.schema import Field
from demijohn.testing import TestClient


class Color(enum.Enum):
    """What it looks like."""

    RED = "red"
    BLUE = "blue"


class Tag(msgspec.Struct):
    name: str
    parent: "Tag | None" = None


class Item(msgspec.Struct, forbid_unknown_fields=True):
    """Something to buy."""

    name: Annotated[str, Field(label="Name", help="Shown in lists.", min_length=2, max_length=40, pattern="[A-Z].*")]
    price: Annotated[Decimal, Field(ge=0)]
    color: Color = Color.RED
    tags: Annotated[list[Tag], Field(max_length=5)] = []
    id: Annotated[int, Field(readonly=True)] = 0
    secret: Annotated[str, Field(private=True)] = ""
    when: datetime | None = None


@dataclass
class Paging:
    """Which part of a list."""

    page: Annotated[int, Field(ge=1, help="From one.")] = 1
    size: int = 20


class Row(TypedDict, total=False):
    left: int
    right: tuple[int, str]


class Pet(pydantic.BaseModel):
    name: str
    friends: "list[Pet]" = []


class OpenapiUser(BaseUser):
    pass


class OpenapiLabel(Model):
    name: Mapped[str] = column(max_length=40)


class OpenapiPost(Model):
    title: Mapped[str] = column(max_length=200, min_length=3, help="Shown in lists")
    slug: Mapped[str] = column(max_length=90, unique=True)
    digest: Mapped[str] = column(private=True, default="")
    made: Mapped[datetime | None] = column(readonly=True)
    label: Mapped[OpenapiLabel] = belongs_to()


def shop() -> tuple[App, OpenAPI]:
    """An app with a route of each kind."""
    app = App()
    app.use(Database("sqlite:///:memory:"))
    api = app.use(OpenAPI("Shop", version="2.1", tags={"items": "All that is sold."}))
    items = Blueprint("items")

    @items.get("/", name="list")
    async def list_items(
        paging: Annotated[Paging, Query()],
        color: Color | None = None,
        tag: list[str] = [],  # noqa: B006
    ) -> list[Item]:
        """List what there is.

        Newest first.

        Args:
            color: Not shown.
        """
        return []

    @items.post("/", status=201)
    async def create(
        item: Item, x_request_id: Annotated[str | None, Header()] = None, c: Annotated[str, Cookie()] = ""
    ) -> Item:
        return item

    @items.route("/{id:int}", methods=["GET", "DELETE"], name="one")
    @describe(responses={404: "There is no such item.", 409: ("Taken.", Tag)}, deprecated=True, tags=["old"])
    async def one(id: int) -> Item | None: ...

    app.include(items, prefix="/api/items")

    @app.post("/posts", status=201)
    async def new_post(post: Annotated[OpenapiPost, Body(include=["title", "slug", "label"])]) -> OpenapiPost:
        return post

    @app.get("/posts/{post:slug}", formats=["html", "json", "csv"])
    async def show(post: OpenapiPost) -> Page:
        return Page("x.html", post=post)

    @app.get("/about")
    async def about():  # type: ignore[no-untyped-def]
        return Page("about.html")

    @app.get("/markup")
    async def markup() -> Markup:
        return Markup("x")

    @app.get("/go")
    async def go():  # type: ignore[no-untyped-def]
        return redirect("/")

    @app.get("/shown")
    @describe(hidden=False, summary="A page", operation_id="aPage")
    async def shown() -> Markup:
        return Markup("x")

    @app.get("/hidden")
    @describe(hidden=True)
    async def hidden() -> int:
        return 1

    @app.post("/upload")
    async def upload(file: Annotated[UploadFile, File()], note: Annotated[str, Form()] = "") -> dict[str, int]:
        return {}

    @app.get("/lines")
    async def lines() -> AsyncIterator[Tag]:
        yield Tag("a")

    @app.get("/events")
    async def events() -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent("x")

    @app.get("/more-events")
    async def more_events() -> EventStreamResponse:
        return EventStreamResponse([])

    @app.get("/text/{kind}")
    def text(kind: Literal["a", "b"], n: int) -> str:
        return kind

    @app.get("/raw")
    def raw() -> Response:
        return Response()

    @app.get("/rows")
    def rows() -> tuple[dict[str, Row], int]:
        return {}, 200

    @app.put("/pet")
    def pet(pet: Pet) -> Pet:
        return pet

    @app.delete("/nothing")
    def nothing() -> None: ...

    @app.websocket("/ws")
    async def ws(socket: WebSocket) -> None: ...

    return app, api


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    app, api = shop()
    return api.document(app)


def operation(document: dict[str, Any], path: str, method: str = "get") -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][path][method]
    return found


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    """It follows the JSON Schema of OpenAPI 3.1, references and path parameters included."""
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert document["openapi"].startswith("3.1")
    assert document["info"] == {"title": "Shop", "version": "2.1"}


def test_pages_and_what_is_ours_are_left_out(document: dict[str, Any]) -> None:
    """Handlers for people, WebSockets, the document itself and hidden ones are not told; a shown page is."""
    assert set(document["paths"]) == {
        "/api/items/",
        "/api/items/{id}",
        "/posts",
        "/posts/{post}",
        "/shown",
        "/upload",
        "/lines",
        "/events",
        "/more-events",
        "/text/{kind}",
        "/raw",
        "/rows",
        "/pet",
        "/nothing",
    }
    assert operation(document, "/shown")["operationId"] == "aPage"
    assert operation(document, "/shown")["summary"] == "A page"


def test_texts_tags_and_names(document: dict[str, Any]) -> None:
    """The docstring, without its sections, the blueprint and the route's name say what it is."""
    found = operation(document, "/api/items/")
    assert (found["summary"], found["description"]) == ("List what there is", "Newest first.")
    assert (found["operationId"], found["tags"]) == ("items_list", ["items"])
    assert operation(document, "/api/items/{id}", "delete")["operationId"] == "items_one_delete"
    assert operation(document, "/api/items/{id}")["deprecated"] is True
    assert operation(document, "/text/{kind}")["summary"] == "Text"
    assert {"name": "items", "description": "All that is sold."} in document["tags"]
    assert {"name": "old"} in document["tags"]


def test_parameters(document: dict[str, Any]) -> None:
    """Each place has its parameters, with constraints, defaults and whether they are needed."""
    found = {one["name"]: one for one in operation(document, "/api/items/")["parameters"]}
    assert found["page"] == {
        "name": "page",
        "in": "query",
        "description": "From one.",
        "schema": {"type": "integer", "minimum": 1, "default": 1},
    }
    assert found["color"]["schema"] == {"anyOf": [{"$ref": "#/components/schemas/Color"}, {"type": "null"}]}
    assert found["tag"]["schema"] == {"type": "array", "items": {"type": "string"}, "default": []}
    given = {(one["in"], one["name"]) for one in operation(document, "/api/items/", "post")["parameters"]}
    assert given == {("header", "x-request-id"), ("cookie", "c")}
    kind, number = operation(document, "/text/{kind}")["parameters"]
    assert kind["schema"] == {"type": "string", "enum": ["a", "b"]}
    assert number["required"] is True
    (slug,) = operation(document, "/posts/{post}")["parameters"]
    assert slug["schema"] == {"type": "string", "maxLength": 90}


def test_classes_differ_by_direction(document: dict[str, Any]) -> None:
    """What a client sends has no readonly field and may leave defaults out; private fields are in neither."""
    schemas = document["components"]["schemas"]
    given, sent = schemas["ItemInput"], schemas["Item"]
    assert given["required"] == ["name", "price"]
    assert given["additionalProperties"] is False
    assert "id" not in given["properties"]
    assert sent["properties"]["id"]["readOnly"] is True
    assert set(sent["required"]) == {"name", "price", "color", "tags", "id", "when"}
    assert "secret" not in given["properties"] | sent["properties"]
    assert sent["properties"]["name"] == {
        "type": "string",
        "minLength": 2,
        "maxLength": 40,
        "pattern": "^(?:[A-Z].*)$",
        "title": "Name",
        "description": "Shown in lists.",
    }
    assert given["properties"]["tags"]["maxItems"] == 5
    assert sent["properties"]["when"]["anyOf"] == [{"type": "string", "format": "date-time"}, {"type": "null"}]
    assert schemas["Color"] == {"type": "string", "enum": ["red", "blue"], "description": "What it looks like."}
    assert schemas["Row"]["properties"]["right"]["prefixItems"] == [{"type": "integer"}, {"type": "string"}]
    assert "required" not in schemas["Row"]
    assert schemas["Pet"]["properties"]["name"]["type"] == "string"


def test_models(document: dict[str, Any]) -> None:
    """A model shows its public columns; its body is what the handler lists, relations as keys."""
    schemas = document["components"]["schemas"]
    assert "digest" not in schemas["OpenapiPost"]["properties"]
    assert "label" not in schemas["OpenapiPost"]["properties"]
    assert schemas["OpenapiPost"]["properties"]["label_id"]["type"] == "integer"
    body = schemas["OpenapiPostBody"]
    assert set(body["properties"]) == {"title", "slug", "label"}
    assert body["properties"]["title"]["minLength"] == 3
    assert body["additionalProperties"] is False


def test_answers(document: dict[str, Any]) -> None:
    """Status, type and formats of good answers, and problem documents for the others."""
    created = operation(document, "/api/items/", "post")["responses"]
    assert set(created) == {"201", "400", "422"}
    assert created["201"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Item"}
    assert created["422"]["content"]["application/problem+json"]["schema"]["$ref"].endswith("ValidationProblem")
    one = operation(document, "/api/items/{id}")["responses"]
    assert set(one) == {"200", "204", "404", "409"}
    assert one["404"]["description"] == "There is no such item."
    assert one["409"]["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/Tag"}}}
    assert set(operation(document, "/posts/{post}")["responses"]["200"]["content"]) == {
        "text/html",
        "application/json",
        "text/csv",
    }
    assert set(operation(document, "/lines")["responses"]["200"]["content"]) == {"application/jsonl"}
    assert set(operation(document, "/events")["responses"]["200"]["content"]) == {"text/event-stream"}
    assert set(operation(document, "/more-events")["responses"]["200"]["content"]) == {"text/event-stream"}
    assert set(operation(document, "/text/{kind}")["responses"]["200"]["content"]) == {"text/plain"}
    rows = operation(document, "/rows")["responses"]["200"]["content"]["application/json"]["schema"]
    assert rows == {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Row"}}
    assert operation(document, "/nothing", "delete")["responses"] == {"204": {"description": "No Content"}}
    form = operation(document, "/upload", "post")["requestBody"]
    assert list(form["content"]) == ["multipart/form-data"]
    assert form["content"]["multipart/form-data"]["schema"]["required"] == ["file"]


def test_names_are_stable() -> None:
    """A route that is added elsewhere changes no name and no schema of the others."""
    app, api = shop()
    before = api.document(app)
    other, other_api = shop()

    @other.get("/zzz")
    async def elsewhere() -> int:
        return 1

    after = other_api.document(other)
    assert {path: after["paths"][path] for path in before["paths"]} == before["paths"]
    assert after["paths"]["/zzz"]["get"]["operationId"] == "elsewhere"


class _Guard:
    name = "badge"

    def applies(self, methods: frozenset[str]) -> bool:
        """Return that it is always wanted."""
        return True

    def __call__(self, request: Any) -> None: ...


class _Badges:
    name = "badges"
    requires = ()

    def install(self, app: App) -> None:
        """Add nothing."""

    def security_of(self, thing: object) -> dict[str, dict[str, Any]] | None:
        """Say what a guard of ours wants."""
        return {"badge": {"type": "http", "scheme": "bearer"}} if isinstance(thing, _Guard) else None


def test_a_battery_tells_who_may() -> None:
    """A battery with `security_of` names the schemes of guards and services; the answers 401 and 403 come with them."""
    from demijohn.middleware.marks import mark

    app = App()
    app.use(_Badges())
    api = app.use(OpenAPI())

    @app.get("/x")
    async def secured() -> int:
        return 1

    mark(secured).guards.append(_Guard())

    @app.get("/y")
    async def unsecured() -> int:
        return 1

    document = api.document(app)
    assert operation(document, "/x")["security"] == [{"badge": []}]
    assert {"401", "403"} <= set(operation(document, "/x")["responses"])
    assert "security" not in operation(document, "/y")
    assert document["components"]["securitySchemes"] == {"badge": {"type": "http", "scheme": "bearer"}}
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_accounts_tell_who_may() -> None:
    """`user: User`, `login_required` and `requires` need the session; `User | None` and open routes do not."""
    from demijohn.auth import Auth, login_required, public, requires

    app = App()
    app.use(Database("sqlite:///:memory:"))
    app.use(Auth(OpenapiUser, permissions=["site.openapi"]))
    api = app.use(OpenAPI(only=["/api"]))

    @app.get("/api/user")
    async def by_user(user: OpenapiUser) -> str:
        return ""

    @app.get("/api/login")
    @login_required
    async def by_login() -> str:
        return ""

    @app.get("/api/right")
    @requires("site.openapi")
    async def by_right() -> str:
        return ""

    @app.get("/api/maybe")
    async def maybe(user: OpenapiUser | None) -> str:
        return ""

    @app.get("/api/public")
    @public
    async def everybody() -> str:
        return ""

    document = api.document(app)
    secured = {path for path in document["paths"] if "security" in operation(document, path)}
    assert secured == {"/api/user", "/api/login", "/api/right"}
    scheme = document["components"]["securitySchemes"]["session"]
    assert (scheme["in"], scheme["name"]) == ("cookie", "__Host-session")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


@pytest.mark.parametrize(
    ("options", "name"), [({"cookie_name": "sid"}, "__Host-sid"), ({"domain": "example.org"}, "__Secure-session")]
)
def test_the_cookie_of_a_login_is_that_of_the_sessions(options: dict[str, Any], name: str) -> None:
    """The security scheme names the cookie that the battery of the sessions sets."""
    from demijohn.auth import Auth, login_required
    from demijohn.sessions import Sessions

    app = App()
    app.use(Sessions(**options))
    app.use(Database("sqlite:///:memory:"))
    app.use(Auth(OpenapiUser))
    api = app.use(OpenAPI(only=["/api"]))

    @app.get("/api/x")
    @login_required
    async def secured() -> int:
        return 1

    assert api.document(app)["components"]["securitySchemes"]["session"]["name"] == name


def test_pages_of_batteries_are_left_out() -> None:
    """Generic views and the pages of accounts are for people; the document has what the app itself offers."""
    from demijohn.auth import Auth
    from demijohn.forms import ModelViews

    class Posts(ModelViews[OpenapiPost], fields=("title", "slug", "label")):
        pass

    app = App()
    app.use(Database("sqlite:///:memory:"))
    app.use(Auth(OpenapiUser))
    app.include(Posts.blueprint(), prefix="/posts")
    api = app.use(OpenAPI())

    @app.get("/api/x")
    async def inside() -> int:
        return 1

    assert set(api.document(app)["paths"]) == {"/api/x"}


def test_only_some_paths_and_servers() -> None:
    """`only` names beginnings of paths; a path without a slash is refused."""
    app = App()

    @app.get("/api/x")
    async def inside() -> int:
        return 1

    @app.get("/outside")
    async def outside() -> int:
        return 1

    api = app.use(OpenAPI(only=["/api"], servers=["https://api.example.org"], docs=None))
    document = api.document(app)
    assert set(document["paths"]) == {"/api/x"}
    assert document["servers"] == [{"url": "https://api.example.org"}]
    with TestClient(app) as client:
        assert client.get("/docs").status_code == 404
    for wrong in (lambda: OpenAPI(only=["api"]), lambda: OpenAPI(docs="docs"), lambda: OpenAPI(path="x")):
        with pytest.raises(ConfigurationError) as caught:
            wrong()
        assert caught.value.code == "DJN-980"


def test_an_empty_app_has_a_valid_document() -> None:
    """Nothing to tell is told in a valid way."""
    app = App()
    document = app.use(OpenAPI()).document(app)
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert document["paths"] == {}


def test_checks_tell_what_cannot_be_described() -> None:
    """A type without a schema and a handler that does not say what it returns are told with their place."""
    app = App()

    @app.get("/odd")
    def odd() -> complex:
        return 1j

    @app.get("/unsaid")
    def unsaid():  # type: ignore[no-untyped-def]
        return {}

    app.use(OpenAPI())
    found = {message.id: message for message in app.run_checks()}
    assert "complex" in found["openapi.type"].text
    assert "GET /unsaid" in found["openapi.unsaid"].text
    assert found["openapi.unsaid"].level == "info"


def test_a_word_makes_no_page() -> None:
    """Of handlers without annotation those are left out that use our own objects; an attribute or a namesake is not."""
    import demijohn
    from demijohn.templating import render_template

    app = App()

    class Book:
        html = "<b>"
        redirect = "/"

    def Page(number):  # type: ignore[no-untyped-def]
        return {"number": number}

    @app.get("/attribute")
    def attribute():  # type: ignore[no-untyped-def]
        return {"html": Book().html, "redirect": Book().redirect}

    @app.get("/namesake")
    def namesake():  # type: ignore[no-untyped-def]
        return Page(1)

    @app.get("/redirects")
    def redirects():  # type: ignore[no-untyped-def]
        return redirect("/")

    @app.get("/by-module")
    def by_module():  # type: ignore[no-untyped-def]
        return demijohn.redirect("/")

    @app.get("/rendered")
    def rendered():  # type: ignore[no-untyped-def]
        return render_template("x.html")

    api = app.use(OpenAPI())
    assert set(api.document(app)["paths"]) == {"/attribute", "/namesake"}
    told = [message for message in app.run_checks() if message.id == "openapi.page"]
    assert [message.text.partition(" is ")[0] for message in told] == [
        "GET /redirects",
        "GET /by-module",
        "GET /rendered",
    ]
    assert {message.level for message in told} == {"info"}


def test_names_do_not_depend_on_the_order() -> None:
    """Operations that clash all get their path, classes their module, wherever they stand; what is written stays."""

    def part(name: str) -> tuple[type, type]:
        fields = [("a" if name == "one" else "b", int)]
        own = msgspec.defstruct("Thing", fields, module=f"shop.{name}")
        problem = msgspec.defstruct("Problem", fields, module=f"shop.{name}")
        return own, problem

    (one, problem), (two, _) = part("one"), part("two")

    def build(order: list[int]) -> tuple[dict[str, str], dict[str, Any]]:
        app = App()

        async def first() -> Any: ...

        async def second(body: Any) -> Any: ...

        async def third() -> Any: ...

        first.__annotations__["return"] = one
        second.__annotations__.update(body=one, **{"return": problem})
        third.__annotations__["return"] = two

        def get_things() -> None: ...

        routes = [
            lambda: app.add_route("/a", describe(operation_id="things")(first), name="first"),
            lambda: app.add_route("/b", second, methods=["POST"], name="things"),
            lambda: app.add_route("/c-d", third, name="x.y"),
            lambda: app.add_route("/c_d", get_things, name="x_y"),
        ]
        for index in order:
            routes[index]()
        document = app.use(OpenAPI()).document(app)
        assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
        ids = {path: next(iter(made.values()))["operationId"] for path, made in document["paths"].items()}
        return ids, document["components"]["schemas"]

    expected = build([0, 1, 2, 3])
    assert expected[0] == {
        "/a": "things",
        "/b": "things_b",
        "/c-d": "x_y_c_d_get_2fa077b4",
        "/c_d": "x_y_c_d_get_d3407ee9",
    }
    assert set(expected[1]) == {"shop_one_Thing", "shop_two_Thing", "shop_one_Problem", "Problem", "ValidationProblem"}
    for order in ([3, 2, 1, 0], [2, 0, 3, 1]):
        assert build(order) == expected


def test_the_document_is_served_and_printed(tmp_path: Path) -> None:
    """JSON, YAML and the command hold the same."""
    app, api = shop()
    with TestClient(app) as client:
        as_json = client.get("/openapi.json")
        as_yaml = client.get("/openapi.yaml")
    assert as_json.headers["content-type"] == "application/json"
    assert as_json.json() == json.loads(json.dumps(api.document(app))) == yaml.safe_load(as_yaml.text)
    (tmp_path / "app.py").write_text(
        "from demijohn import App\nfrom demijohn.openapi import OpenAPI\napp = App()\napp.use(OpenAPI('T'))\n"
        "@app.get('/x')\nasync def x() -> int:\n    return 1\n"
    )
    for arguments, read in (([], json.loads), (["--format", "yaml"], yaml.safe_load)):
        command = [sys.executable, "-m", "demijohn", "openapi", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
        assert read(done.stdout)["info"]["title"] == "T"


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        {"a": [[1, 2], {"b": None}]},
        ["x: y", "- z", "", "  ", "no", "1", "\n", "\u2028é"],
        {"on": 1, "y": {"1": []}},
        "x",
        None,
        1.5,
    ],
)
def test_yaml_is_read_back(value: Any) -> None:
    """What is written reads back the same, words and white space that YAML takes for something else included."""
    assert yaml.safe_load(to_yaml_text(value)) == value


def test_the_document_is_written_once_for_each_language() -> None:
    """All who ask get the same text, made once; whoever reads another language gets its labels, whoever asked first."""
    app = App(debug=False)
    api = app.use(OpenAPI("Shop"))
    app.use(Translations(["en", "de"]))

    @app.get("/items")
    async def items(page: Annotated[int, Query(), Field(label=gettext_lazy("Log in"))] = 1) -> list[int]:
        return [page]

    def title(document: dict[str, Any]) -> str:
        return str(document["paths"]["/items"]["get"]["parameters"][0]["schema"]["title"])

    with TestClient(app) as client:
        german = client.get("/openapi.json", headers={"accept-language": "de"}).json()
        english = client.get("/openapi.json", headers={"accept-language": "en"}).json()
        assert title(english) == "Log in"
        assert title(german) == "Anmelden"
        assert "Anmelden" in client.get("/openapi.yaml", headers={"accept-language": "de"}).text
    assert api._text("json", app) is api._text("json", app)
