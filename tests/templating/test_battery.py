"""Pages through an app: folders, names, htmx, values that are awaited, and what goes wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from demijohn import App, Blueprint, Page, Request, Response, Secret, Settings, current, flash, wait
from demijohn.errors import ConfigurationError
from demijohn.http import Markup
from demijohn.templating import (
    AwaitableInTemplate,
    Slot,
    TemplateNotFound,
    Templates,
    UndefinedError,
    component,
    render_template,
    render_template_string,
)
from demijohn.templating import components as components_module
from tests.app.calling import call

Write = Callable[..., Path]


@pytest.fixture
def app(tmp_path: Path) -> App:
    """An app whose templates are in the test's folder."""
    app = App(settings=Settings(secret_key=Secret("a7c1f09e5b2d48836e4f0c9b1d75a2e8")))
    app.use(Templates(tmp_path / "templates", byte_code=False))
    return app


async def text(app: App, target: str, **headers: str) -> str:
    """The body of a GET as text."""
    response = await call(
        app, "GET", target, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    assert response.status == 200, response.body
    return response.body.decode()


async def test_a_page_is_rendered(app: App, write: Write) -> None:
    """A `Page` is its template with its names, its status and its headers, as HTML."""
    write({"a.html": "<h1>{{ title }}</h1>"})

    @app.get("/")
    def home() -> Any:
        return Page("a.html", title="A & B", status=201, headers={"X-One": "1"})

    response = await call(app, "GET", "/")
    assert (response.status, response.body) == (201, b"<h1>A &amp; B</h1>")
    assert (response.content_type, response.headers["x-one"]) == ("text/html; charset=utf-8", "1")


async def test_nothing_has_to_be_used(tmp_path: Path, write: Write) -> None:
    """An app that returns a page has templates by itself, from the folder beside its module."""
    app = App(templates=str(write({"a.html": "{{ 1 + 1 }}"})))

    @app.get("/")
    def home() -> Any:
        return Page("a.html")

    assert "templating" not in app.batteries
    assert await text(app, "/") == "2"
    assert "templating" in app.batteries


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("robots.txt", "text/plain; charset=utf-8"),
        ("feed.xml", "application/xml; charset=utf-8"),
        ("logo.svg", "image/svg+xml; charset=utf-8"),
        ("a.html", "text/html; charset=utf-8"),
        ("a.html.j2", "text/html; charset=utf-8"),
        ("a.txt.j2", "text/plain; charset=utf-8"),
        ("a.unknown", "text/html; charset=utf-8"),
    ],
)
async def test_type_by_suffix(app: App, write: Write, name: str, kind: str) -> None:
    """The suffix of the template decides the content type."""
    write({name: "x"})

    @app.get("/")
    def home() -> Any:
        return Page(name)

    assert (await call(app, "GET", "/")).content_type == kind


async def test_an_htmx_request_gets_the_block(app: App, write: Write) -> None:
    """A browser gets the whole page, an htmx request the block that the page names; caches are told."""
    write({"list.html": "<html>{% block rows %}{% for p in posts %}<tr>{{ p }}</tr>{% endfor %}{% endblock %}</html>"})

    @app.get("/")
    def rows() -> Any:
        return Page("list.html#rows", posts=[1, 2]).with_htmx(trigger="listed", push_url="/?page=2")

    whole = "<html><tr>1</tr><tr>2</tr></html>"
    assert await text(app, "/") == whole
    assert await text(app, "/", hx_request="true", hx_boosted="true") == whole
    assert await text(app, "/", hx_request="true", hx_request_type="full") == whole
    response = await call(app, "GET", "/", headers={"hx-request": "true", "hx-request-type": "partial"})
    assert response.body == b"<tr>1</tr><tr>2</tr>"
    assert (response.headers["hx-trigger"], response.headers["hx-push-url"]) == ("listed", "/?page=2")
    assert "hx-request" in response.headers["vary"].lower()


async def test_values_are_awaited_first(app: App, write: Write) -> None:
    """Coroutines and other awaitables among the values are awaited, context processors that are async too."""
    write({"a.html": "{{ posts|join('-') }}{{ user }}{{ late }}"})

    class Query:
        def __await__(self) -> Any:
            return load([3, 4]).__await__()

    async def load(value: Any) -> Any:
        return value

    @app.context_processor
    async def people() -> dict[str, Any]:
        return {"user": await load("ann")}

    @app.get("/async")
    async def home() -> Any:
        return Page("a.html", posts=Query(), late=load("!"))

    @app.get("/sync")
    def plain() -> Any:
        return Page("a.html", posts=Query(), late=wait(load("?")))

    assert await text(app, "/async") == "3-4ann!"
    assert await text(app, "/sync") == "3-4ann?"


async def test_names_of_the_app(app: App, write: Write) -> None:
    """Globals, filters, tests and context processors of the app are there, in macros that are imported too."""
    write(
        {
            "m.html": "{% macro m() %}{{ site() }}{{ request.path }}{{ current.request.method }}{% endmacro %}",
            "a.html": "{% from 'm.html' import m %}{{ 'x'|shout }}{{ 3 is big }}{{ user }}{{ path }}{{ m() }}",
        }
    )

    @app.template_global()
    def site() -> str:
        return "<S>"

    @app.template_filter("shout")
    def loud(value: str) -> str:
        return f"{value}!"

    @app.template_test()
    def big(value: int) -> bool:
        return value > 2

    @app.context_processor
    def user() -> dict[str, Any]:
        return {"user": "ann"}

    @app.context_processor
    def path(request: Request) -> dict[str, Any]:
        return {"path": request.path}

    @app.get("/here")
    def home() -> Any:
        return Page("a.html")

    assert await text(app, "/here") == "x!Trueann/here&lt;S&gt;/hereGET"


async def test_names_of_the_kernel(app: App, write: Write) -> None:
    """`url_for`, `csrf_token`, `csrf_input`, `csp_nonce`, messages, `session`, `g` and `query_string` are there."""
    write(
        {
            "a.html": "{{ url_for('post', id=3) }}|{{ csrf_input() }}|{{ csp_nonce() }}|{{ get_flashed_messages()|join }}|"
            "{{ session.theme }}|{{ g.word }}|{{ query_string(page=2, tag=none) }}|{% if session %}yes{% endif %}"
        }
    )

    @app.get("/posts/{id:int}", name="post")
    def post(id: int) -> str:
        return str(id)

    @app.get("/")
    def home(request: Request) -> Any:
        flash("Hi <you>")
        current.session["theme"] = "dark"
        request.g.word = "<w>"
        return Page("a.html")

    url, field, nonce, messages, theme, word, query, has = (await text(app, "/?page=1&tag=a&tag=b&q=%26")).split("|")
    assert url == "/posts/3"
    assert field.startswith('<input type="hidden" name="csrf_token" value="')
    assert len(nonce) >= 16
    assert (messages, theme, word, query, has) == ("Hi &lt;you&gt;", "dark", "&lt;w&gt;", "?q=%26&amp;page=2", "yes")


async def test_blueprints_have_folders_and_names(app: App, write: Write, tmp_path: Path) -> None:
    """A blueprint's templates are found, the app's override them; its context processors are for its own routes."""
    write({"shared.html": "app's {{ where or 'nowhere' }}"})
    write({"shared.html": "blog's", "post.html": "{{ where }}{{ site }}"}, "blog")
    blog = Blueprint("blog", templates=tmp_path / "blog")
    inner = Blueprint("inner")

    @app.context_processor
    def site() -> dict[str, Any]:
        return {"site": "S"}

    @blog.context_processor
    def where() -> dict[str, Any]:
        return {"where": "in the blog"}

    @blog.get("/post")
    def post() -> Any:
        return Page("post.html")

    @inner.get("/deep")
    def deep() -> Any:
        return Page("post.html")

    @blog.get("/shared")
    def shared() -> Any:
        return Page("shared.html")

    @blog.get("/own")
    def own() -> Any:
        return Page("blog:shared.html")

    @app.get("/shared")
    def top() -> Any:
        return Page("shared.html")

    blog.include(inner, prefix="/inner")
    app.include(blog, prefix="/blog")
    assert await text(app, "/blog/post") == "in the blogS"
    assert await text(app, "/blog/inner/deep") == "in the blogS"
    assert await text(app, "/blog/shared") == "app&#39;s in the blog".replace("&#39;", "'")
    assert await text(app, "/blog/own") == "blog's"
    assert await text(app, "/shared") == "app's nowhere"


async def test_rendering_by_hand(app: App, write: Write) -> None:
    """`render_template` gives markup or text, blocks too; a handler may return it."""
    write({"a.html": "<b>{{ x }}</b>{% block c %}[{{ x }}]{% endblock %}", "a.txt": "{{ x }}"})

    @app.get("/")
    def home() -> Any:
        assert isinstance(render_template("a.html", x=1), Markup)
        assert type(render_template("a.txt", x="O'Neil & Co")) is str
        assert render_template("a.txt", x="O'Neil & Co") == "O'Neil & Co"
        return render_template("a.html#c", x="<") + render_template_string("<i>{{ y }}</i>", y="&")

    response = await call(app, "GET", "/")
    assert (response.body, response.content_type) == (b"[&lt;]<i>&amp;</i>", "text/html; charset=utf-8")


async def test_awaitables_are_refused_where_nothing_can_be_awaited(app: App, write: Write) -> None:
    """`render_template` names the value that it cannot await."""
    write({"a.html": "x"})
    caught: list[BaseException] = []
    app.add_error_handler(AwaitableInTemplate, lambda error: (caught.append(error), ("", 500))[1])

    async def load() -> int:
        return 1

    @app.get("/")
    async def home() -> Any:
        return render_template("a.html", posts=load())

    assert (await call(app, "GET", "/")).status == 500
    assert "'posts'" in str(caught[0])
    assert "DJN-707" in str(caught[0])


async def test_failures_reach_the_error_handlers(app: App, write: Write) -> None:
    """A template that fails half way sends nothing of itself: the answer is the error's."""
    write({"a.html": "<h1>half</h1>{{ nmae }}", "b.html": "{{ boom() }}"})
    caught: list[BaseException] = []
    app.add_error_handler(UndefinedError, lambda error: (caught.append(error), ("sorry", 500))[1])

    @app.get("/a")
    def half() -> Any:
        return Page("a.html", name="x")

    @app.get("/b")
    def boom() -> Any:
        return Page("b.html", boom=lambda: 1 / 0)

    @app.get("/missing")
    def missing() -> Any:
        return Page("c.html")

    response = await call(app, "GET", "/a")
    assert (response.status, response.body) == (500, b"sorry")
    assert "a.html:1 uses 'nmae'" in str(caught[0])
    for target in ("/b", "/missing"):
        response = await call(app, "GET", target)
        assert response.status == 500
        assert b"half" not in response.body


async def test_pages_of_error_handlers(app: App, write: Write) -> None:
    """An error handler may return a page, and the status is the error's."""
    write({"404.html": "nothing at {{ request.path }}"})

    @app.errorhandler(404)
    async def not_found(error: Exception) -> Any:
        return Page("404.html")

    response = await call(app, "GET", "/nowhere")
    assert (response.status, response.body) == (404, b"nothing at /nowhere")


async def test_pages_of_hooks_and_tuples(app: App, write: Write) -> None:
    """A page may be what a hook returns, or the body of a tuple, also where a value has to be awaited."""
    write({"a.html": "{{ x }}"})

    async def load() -> int:
        return 5

    @app.before_request
    def closed(request: Request) -> Any:
        return Page("a.html", x=load()) if request.path == "/closed" else None

    @app.get("/closed")
    def never() -> str:
        return "never"

    @app.get("/tuple")
    def pair() -> Any:
        return Page("a.html", x=load()), 418, {"X-Two": "2"}

    assert await text(app, "/closed") == "5"
    response = await call(app, "GET", "/tuple")
    assert (response.status, response.body, response.headers["x-two"]) == (418, b"5", "2")


async def test_components_called_in_python(app: App, write: Write) -> None:
    """A component is a function: a handler returns it as the answer to an htmx request."""
    templates = app.batteries["templating"]
    assert isinstance(templates, Templates)

    @templates.component(source="<p class='{{ tone }}'>{{ words }}</p>{{ content }}{{ user or '' }}")
    def note(words: str, content: Slot = "", tone: str = "info") -> None: ...

    @app.context_processor
    def user() -> dict[str, Any]:
        return {"user": "ann"}

    @app.get("/")
    def home() -> Any:
        return note("<hi>", content=Markup("<br>"), tone="x")

    response = await call(app, "GET", "/")
    assert response.body == b"<p class='x'>&lt;hi&gt;</p><br>ann"
    assert response.content_type == "text/html; charset=utf-8"
    assert await text(app, "/") == await text(app, "/")
    assert "note" not in components_module._declared


async def test_components_given_as_a_module(tmp_path: Path, write: Write) -> None:
    """Components may be given one by one or as a module of them; anything else is refused."""
    module = ModuleType("parts")

    @component(source="[{{ x }}]")
    def given_part(x: int) -> None: ...

    try:
        module.__dict__["given_part"] = given_part
        app = App()
        app.use(Templates(write({"a.html": "{% given_part x=1 /%}"}), components=[module], byte_code=False))

        @app.get("/")
        def home() -> Any:
            return Page("a.html")

        assert await text(app, "/") == "[1]"
        with pytest.raises(ConfigurationError, match="components=") as caught:
            Templates(components=[print])  # type: ignore[list-item]
        assert caught.value.code == "DJN-706"
    finally:
        components_module._declared.pop("given_part", None)


async def test_folders_of_batteries(app: App, write: Write, tmp_path: Path) -> None:
    """What a battery brings is found behind the app's and the blueprints' templates, by its owner's name as well."""
    write({"login.html": "mine, {% include 'auth:login.html' %}"})
    app.templates.folders.append((write({"login.html": "auth's", "logout.html": "bye"}, "auth"), "auth"))

    @app.get("/{name}")
    def show(name: str) -> Any:
        return Page(f"{name}.html")

    assert await text(app, "/login") == "mine, auth's"
    assert await text(app, "/logout") == "bye"


async def test_signal_of_a_rendered_template(app: App, write: Write) -> None:
    """Who listens to `template_rendered` hears the template and its names."""
    write({"a.html": "x"})
    heard = []

    def hear(sender: Any, template: str, context: dict[str, Any]) -> None:
        heard.append((template, context))

    @app.get("/")
    def home() -> Any:
        return Page("a.html", x=1)

    app.signals.template_rendered.connect(hear)
    await text(app, "/")
    assert heard == [("a.html", {"x": 1})]


async def test_development_reloads_and_production_keeps_byte_code(tmp_path: Path, write: Write) -> None:
    """With `debug` a changed template is seen; without it templates are kept compiled between processes."""
    folder = write({"a.html": "one"})
    app = App(debug=True)
    app.use(Templates(folder))

    @app.get("/")
    def home() -> Any:
        return Page("a.html")

    assert await text(app, "/") == "one"
    (folder / "a.html").write_text("two and more")
    assert await text(app, "/") == "two and more"
    kept = tmp_path / "kept"
    for _ in range(2):
        production = App()
        production.use(Templates(folder, byte_code=kept))
        production.get("/")(home)
        assert await text(production, "/") == "two and more"
    assert len(list(kept.glob("*.template"))) == 1


async def test_mail_without_a_request(app: App, write: Write) -> None:
    """In a script or command a text is rendered without a request; what asks for one can be tested for."""
    write({"mail.txt": "Dear {{ name }}, {% if request %}never{% else %}no request{% endif %}"})
    async with app.context():
        assert render_template("mail.txt", name="Ann") == "Dear Ann, no request"


async def test_json_in_a_page(app: App, write: Write) -> None:
    """`tojson` in a script is data that cannot end the script."""
    write({"a.html": "<script>const data = {{ data|tojson }}</script>"})

    @app.get("/")
    def home() -> Any:
        return Page("a.html", data={"a": "</script>"})

    body = await text(app, "/")
    assert body.count("</script>") == 1
    assert json.loads(body.removeprefix("<script>const data = ").removesuffix("</script>")) == {"a": "</script>"}


async def test_a_response_is_what_a_page_becomes(app: App, write: Write) -> None:
    """Hooks see the rendered page as a response."""
    write({"a.html": "x"})

    @app.after_request
    def mark(response: Response) -> None:
        response.headers["x-length"] = str(len(response.body))

    @app.get("/")
    def home() -> Any:
        return Page("a.html")

    assert (await call(app, "GET", "/")).headers["x-length"] == "1"


async def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    """Without any folder the error says where to make one."""
    app = App()
    app.use(Templates(byte_code=False))
    caught: list[BaseException] = []
    app.add_error_handler(TemplateNotFound, lambda error: (caught.append(error), ("", 500))[1])

    @app.get("/")
    def home() -> Any:
        return Page("a.html")

    assert (await call(app, "GET", "/")).status == 500
    assert "a.html" in str(caught[0])
