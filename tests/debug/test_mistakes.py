"""The ten mistakes that beginners make most: each is named where it shows, with the line to write."""

import asyncio
import html
import logging
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demijohn import App, Page, Response, Settings
from demijohn._lib.advice import advice_for
from demijohn.cli.target import load_app
from demijohn.debug import broken_app, redact
from demijohn.errors import ConfigurationError
from demijohn.http import Request
from demijohn.testing import TestClient
from tests.debug.conftest import HTML


def development() -> App:
    """An app as `demijohn run` has it."""
    return App(settings=Settings.load({}, files=(), env="development"), debug=True)


def shown(app: App, path: str) -> str:
    """What a browser shows, as text."""
    page = TestClient(app, base_url="http://localhost", raise_server_exceptions=False).get(path, headers=HTML)
    return words_of(page.text)


def words_of(page: str) -> str:
    """A page without its tags, style and script."""
    page = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def failure_of(target: str) -> Exception:
    """What loading an app comes to."""
    try:
        load_app(target).freeze()
    except Exception as error:
        return error
    raise AssertionError("it was loaded")


def shown_instead(folder: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a browser shows in place of an app that cannot be loaded, as text."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    try:
        caught = failure_of(target)
    finally:
        for name in set(sys.modules) - before:
            del sys.modules[name]
    sent: list[Response] = []
    request = Request("GET", "/", b"/", b"", [(b"accept", b"text/html")])
    asyncio.run(broken_app(caught).handle(request, sent.append))  # type: ignore[arg-type]
    return words_of(sent[0].body.decode())


async def load_price(name: str) -> int:
    """What nobody awaits."""
    return len(name)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_a_coroutine_that_is_worked_with(caplog: pytest.LogCaptureFixture) -> None:
    """The page and the terminal name the variable, the call, and `await`, or `wait` in a plain function."""
    app = development()

    @app.get("/sum")
    async def total() -> str:
        price = load_price("apple")
        return str(price + 1)  # type: ignore[operator]

    @app.get("/plain")
    def plain() -> str:
        price = load_price("apple")
        return str(price * 2)  # type: ignore[operator]

    @app.get("/attribute")
    async def attribute() -> str:
        return load_price("apple").title()  # type: ignore[attr-defined,no-any-return]

    @app.get("/returned")
    async def returned() -> object:
        return load_price("apple")

    page = shown(app, "/sum")
    assert "`price` is the coroutine of `load_price(...)`" in page
    assert "Write:  price = await load_price(...)" in page
    assert "What DJN-313 means" in page
    assert "[DJN-313]" not in page  # the note for the terminal is not told twice
    assert "Write:  price = await load_price(...)  [DJN-313]" in caplog.text
    assert "Write:  price = wait(load_price(...))   with  from demijohn import wait" in shown(app, "/plain")
    assert "Write:  (await load_price(...))" in shown(app, "/attribute")
    assert "Write `return await ...`" in shown(app, "/returned")


def test_what_has_coroutines_in_its_words_alone() -> None:
    """An error of the developer's own is not talked about."""

    class MyError(TypeError):
        pass

    assert advice_for(MyError("a 'coroutine' of mine")) is None
    assert advice_for(TypeError("nothing of the kind")) is None
    assert advice_for(TypeError("Blueprint.__init__() got an unexpected keyword argument 'nothing'")) is None


def test_a_missing_return() -> None:
    """The page says that most often a `return` was forgotten."""
    app = development()

    @app.get("/")
    async def forgot():  # type: ignore[no-untyped-def]
        str(3)

    assert "Most often a `return` was forgotten" in shown(app, "/")


def test_a_text_with_tags(caplog: pytest.LogCaptureFixture) -> None:
    """A browser sees the text and, below it, why it is one; data, other texts and production stay as they are."""
    app = development()

    @app.get("/tags")
    async def tags() -> str:
        return "<h1>Hello</h1>"

    @app.get("/page")
    def page() -> tuple[str, int]:
        return "<!doctype html><p>Hello", 404

    @app.get("/less")
    async def less() -> str:
        return "1 < 2, and a <b> is no tag here"

    @app.get("/meant")
    async def meant() -> Response:
        return Response("<h1>Hello</h1>", content_type="text/plain; charset=utf-8")

    client = TestClient(app, base_url="http://localhost")
    seen = client.get("/tags", headers=HTML)
    assert seen.headers["content-type"] == "text/plain; charset=utf-8"
    assert seen.text.startswith("<h1>Hello</h1>\n")
    assert 'Write:  return html("<h1>{}</h1>", title)' in seen.text
    assert seen.headers["content-length"] == str(len(seen.content))
    assert "DJN-426" in client.get("/page", headers=HTML).text
    client.get("/tags", headers=HTML)
    told = [record for record in caplog.records if "DJN-426" in record.getMessage()]
    assert [record.levelno for record in told] == [logging.WARNING, logging.WARNING]  # once for each handler
    assert client.get("/tags").text == "<h1>Hello</h1>"
    assert client.get("/less", headers=HTML).text == "1 < 2, and a <b> is no tag here"
    assert client.get("/meant", headers=HTML).text == "<h1>Hello</h1>"

    live = App(settings=Settings.load({}, files=(), env="production", secret_key="k" * 40))
    live.add_route("/tags", tags)
    assert TestClient(live, base_url="https://localhost").get("/tags", headers=HTML).text == "<h1>Hello</h1>"


def test_a_handler_that_is_registered_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both lines are named."""
    (tmp_path / "twice_app.py").write_text(
        "from demijohn import App\napp = App()\n"
        '@app.get("/a")\nasync def a(): return "1"\n@app.get("/a")\nasync def b(): return "2"\n'
    )
    page = shown_instead(tmp_path, "twice_app.py", monkeypatch)
    assert "GET '/a' is routed twice: at twice_app.py:3, and at twice_app.py:5." in page


def test_a_missing_type_of_a_body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A POST is offered the body and the query, a GET the query alone."""
    (tmp_path / "untyped_app.py").write_text(
        'from demijohn import App\napp = App()\n@app.post("/a")\nasync def a(new_item): return new_item\n'
    )
    page = shown_instead(tmp_path, "untyped_app.py", monkeypatch)
    assert "new_item: dict   or a class with its fields:  class NewItem(msgspec.Struct): ..." in page
    assert "For what stands in the query:  new_item: str" in page


def test_a_call_that_blocks() -> None:
    """The error, which is one line of the log in development, names the line and what to await."""
    app = development()

    @app.get("/")
    async def slow() -> str:
        time.sleep(0.001)
        return "slow"

    page = shown(app, "/")
    assert "called time.sleep(0.001) on the event loop" in page
    assert "Write:  await asyncio.sleep(0.001)" in page


@pytest.mark.parametrize("name", ["app", "db", "helper"])
def test_modules_that_import_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The page and the terminal say which modules, and how it goes one way."""
    folder = tmp_path / f"ring_{name}"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "main.py").write_text(
        f"from demijohn import App\nfrom ring_{name} import views\napp = App()\n{name} = app\n"
    )
    (folder / "views.py").write_text(f"from ring_{name}.main import {name}\n")
    lines = {
        "app": 'views = Blueprint("views")   and  @views.get(...)\nand in ring_app.main:\n    app.include(ring_app.views.views)',
        "db": "from demijohn.db import Model, Mapped, column",
        "helper": "Move helper into a module that imports neither of them.",
    }
    page = shown_instead(tmp_path, f"ring_{name}.main", monkeypatch)
    assert (
        f"ring_{name}.main imports ring_{name}.views, and ring_{name}.views imports ring_{name}.main, "
        f"which has not got to the line of {name!r} yet." in page
    )
    assert lines[name] in page
    done = subprocess.run(
        [sys.executable, "-m", "demijohn", "check", f"ring_{name}.main"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert lines[name] in done.stderr
    assert "[DJN-425]" in done.stderr


def test_a_wrong_name_of_a_template(tmp_path: Path) -> None:
    """The nearest name is told, and the file to make."""
    app = development()
    (tmp_path / "list.html").write_text("x")
    app.template_folder = tmp_path

    @app.get("/")
    async def page() -> Page:
        return Page("lits.html")

    text = shown(app, "/")
    assert "There is no template 'lits.html'. Did you mean 'list.html'?" in text
    assert "Make the file" in text


def test_no_secret_key(tmp_path: Path) -> None:
    """An app with sessions does not start in production without one, and says how one is made."""
    (tmp_path / "app.py").write_text(
        "from demijohn import App\nfrom demijohn.sessions import Session\napp = App()\n"
        '@app.get("/")\nasync def home(session: Session): return "x"\n'
    )
    command = [sys.executable, "-m", "demijohn", "serve", "--port", "0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    told = done.stdout + done.stderr
    assert done.returncode != 0
    assert "SECRET_KEY is not set, and sessions need it." in told
    assert "secrets.token_urlsafe(48)" in told


def test_no_secret_key_where_the_start_was_not_checked() -> None:
    """Under another server the first that needs it fails with the line to write, which no redaction takes away."""
    app = App(settings=Settings.load({}, files=(), env="production"))
    with pytest.raises(
        ConfigurationError, match=r"by the name SECRET_KEY:  python.* -c .*token_urlsafe\(48\)"
    ) as caught:
        app.keys.fingerprint()
    assert "token_urlsafe(48)" in redact(str(caught.value))


def test_a_port_in_use(tmp_path: Path) -> None:
    """Who listens is guessed, and another port offered as it is written on the command line."""
    (tmp_path / "app.py").write_text("from demijohn import App\napp = App()\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "demijohn", "run", "--port", str(port)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert f"The address 127.0.0.1:{port} is in use." in done.stderr
    assert f"--port {port + 1}" in done.stderr


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ('Blueprint("x", __name__, url_prefix="/x")', 'Blueprint("blog", prefix="/blog")'),
        ('App(title="Shop")', 'app.use(OpenAPI("Shop"))'),
        ('App().include(Blueprint("x"), url_prefix="/x")', 'app.include(blueprint, prefix="/blog")'),
    ],
)
def test_keywords_of_other_frameworks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, written: str) -> None:
    """`url_prefix` is a TypeError of Python's, and the page says what is written here."""
    (tmp_path / "foreign_app.py").write_text(f"from demijohn import App, Blueprint\napp = {line}\n")
    page = shown_instead(tmp_path, "foreign_app.py", monkeypatch)
    assert f"Here:  {written}" in page
