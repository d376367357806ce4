"""The error page: what it shows, in which form, and that nothing in it is markup of somebody else."""

import json
import re
import time

import pytest

from demijohn import App, Settings, html
from demijohn.debug.documents import as_markdown
from demijohn.debug.editor import Editor
from demijohn.debug.frames import is_library, read_frames
from demijohn.debug.page import Link, Page
from demijohn.debug.report import describe, make_report
from demijohn.errors import ConfigurationError
from demijohn.http import Markup
from demijohn.testing import TestClient

from .conftest import HTML, Pages, make_app

SCRIPT = "<script>alert('x')</script>"


def render(error: BaseException) -> str:
    """The page of an exception alone."""
    failure, _ = describe(error)
    return Page(make_report(failure, None, None), editor=Editor({}), link=Link()).render()


def raised(error: BaseException) -> BaseException:
    """The exception with a traceback."""
    try:
        raise error
    except BaseException as caught:
        return caught


def client_of(app: App) -> TestClient:
    return TestClient(app, base_url="http://localhost", raise_server_exceptions=False)


def test_page_shows_the_failure() -> None:
    """Class, message, the user's frames with source and variables, the route, the handler and the headers are there."""
    pages = Pages(make_app())
    for wanted in ("KeyError", "pear", "inner", "prices", "{&#39;apple&#39;: 3}", "/fail", "Headers", "user-agent"):
        assert wanted in pages.text
    assert "library frame" in pages.text
    assert "<mark>" in pages.text


def test_exact_columns_are_marked() -> None:
    """Of the line that failed, the expression that failed is marked."""
    error = None
    try:
        _ = 1 + {"a": 1}["b"] + 2
    except KeyError as caught:
        error = caught
    assert error is not None
    [frame] = read_frames(error.__traceback__)
    line = next(line for line in frame.source if line.current)
    assert line.text[line.start : line.end] == '{"a": 1}["b"]'


def test_secrets_of_locals_are_not_shown() -> None:
    """The value of a variable whose name says that it is a secret is nowhere in the page but in its source."""
    text = Pages(make_app()).text
    assert "password" in text
    assert re.search(r"<th[^>]*>password</th><td[^>]*>•+</td>", text)


def test_text_of_exceptions_is_escaped() -> None:
    """Tags in a message, a note and a class name are text."""
    error = raised(ValueError(SCRIPT))
    error.add_note(SCRIPT)
    page = render(error)
    assert SCRIPT not in page
    assert page.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;") >= 3


def test_markup_in_an_exception_is_escaped() -> None:
    """What says that it is HTML is escaped all the same: it may hold what a visitor sent."""
    assert SCRIPT not in render(raised(ValueError(Markup(SCRIPT))))


def test_locals_are_escaped() -> None:
    """Tags in the value, the repr and the name of a variable are text."""

    class Evil:
        def __repr__(self) -> str:
            return Markup(SCRIPT)

        def __html__(self) -> str:
            return SCRIPT

    def fail() -> None:
        evil, text, key = Evil(), SCRIPT, {SCRIPT: SCRIPT}
        raise ValueError(f"{len(text)}{evil is None}{len(key)}")

    try:
        fail()
    except ValueError as error:
        page = render(error)
    assert SCRIPT not in page


def test_request_is_escaped() -> None:
    """Tags in the path, the query, a header and a cookie are text."""
    app = make_app()

    @app.get("/x/{name}")
    async def show(name: str) -> str:
        raise ValueError(name)

    response = client_of(app).get(
        f"/x/{SCRIPT.replace('/', '%2F')}", params={SCRIPT: SCRIPT}, headers={**HTML, "x-evil": SCRIPT}
    )
    assert response.status_code == 500
    assert SCRIPT not in response.text
    assert response.text.count("<script") == 1


def test_a_textarea_does_not_end_early() -> None:
    """The Markdown for the clipboard cannot break out of its element."""
    page = render(raised(ValueError("</textarea><script>alert(1)</script>")))
    assert "<script>alert" not in page


def test_policy_of_the_page() -> None:
    """Only the page's own script and style run, nothing is loaded, nobody frames it, nothing is kept."""
    response = client_of(make_app()).get("/fail", headers=HTML)
    policy = response.headers["content-security-policy"]
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
    assert nonce is not None
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert re.findall(r"<script[^>]*>", response.text) == [f'<script nonce="{nonce[1]}">']
    assert not re.search(r'(?:src|href)="(?!data:|#)', response.text)
    assert not re.search(r'\sstyle="|\son\w+="', response.text)
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html", "text/html"),
        ("application/json", "application/problem+json"),
        ("application/problem+json", "application/problem+json"),
        ("text/markdown", "text/markdown"),
        ("text/plain", "text/plain"),
        ("*/*", "text/plain"),
    ],
)
def test_form_follows_accept(accept: str, kind: str) -> None:
    """Browsers get a page, API clients a problem document, agents Markdown, curl text."""
    response = client_of(make_app()).get("/fail", headers={"accept": accept})
    assert response.status_code == 500
    assert response.headers["content-type"].partition(";")[0] == kind
    assert "pear" in response.text
    assert "hunter2" not in response.text


def test_problem_document() -> None:
    """The document names exception, frames, variables and the URL of the page, which shows the same failure."""
    client = client_of(make_app())
    document = client.get("/fail", headers={"accept": "application/json"}).json()
    assert document["exception"] == "KeyError"
    assert [frame["function"].rpartition(".")[2] for frame in document["traceback"] if not frame["library"]] == [
        "fail",
        "inner",
    ]
    assert document["locals"]["password"] == "••••••"
    page = client.get(document["debug_url"], headers=HTML)
    assert page.status_code == 200
    assert "pear" in page.text


def test_htmx_gets_text() -> None:
    """A fragment of htmx is not replaced by a whole page."""
    response = client_of(make_app()).get("/fail", headers={**HTML, "hx-request": "true"})
    assert "<html" not in response.text


def test_client_still_sees_the_exception() -> None:
    """A test client raises what the handler raised, page or no page."""
    with pytest.raises(KeyError, match="pear"):
        TestClient(make_app(), base_url="http://localhost").get("/fail", headers=HTML)


def test_exception_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The exception is logged with its traceback."""
    client_of(make_app()).get("/fail", headers=HTML)
    [record] = [record for record in caplog.records if record.name == "demijohn.error"]
    assert record.exc_info is not None


def test_groups_are_a_tree() -> None:
    """Each exception of a group has its own message, frames and members."""
    inner = ExceptionGroup("inner", [raised(KeyError("deep"))])
    page = render(raised(ExceptionGroup("outer", [raised(ValueError("first")), inner])))
    assert page.count('class="tree"') == 2
    for text in ("outer", "first", "inner", "deep"):
        assert text in page


def test_causes_are_told() -> None:
    """A direct cause and a context are told apart, and each has its frames; a suppressed one is left out."""
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error
    except ValueError as error:
        assert "KeyError was the direct cause of ValueError" in render(error)
    try:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second")  # noqa: B904 - it is what is tested
    except ValueError as error:
        assert "ValueError was raised while KeyError was being handled" in render(error)
    try:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second") from None
    except ValueError as error:
        assert 'class="cause"' not in render(error)


def test_cycle_of_causes_ends() -> None:
    """Exceptions that are each other's cause are told once."""
    first, second = raised(ValueError("first")), raised(ValueError("second"))
    first.__cause__, second.__cause__ = second, first
    failure, _ = describe(first)
    assert [each.message for each in failure.chain()] == ["first", "second"]


def test_our_own_errors_have_their_page() -> None:
    """A mistake that has a code shows its three beats and the page of its code."""
    error = raised(ConfigurationError("Seen.", why="Because.", fix="Write:  x = 1", code="DJN-413"))
    page = render(error)
    for text in ("Seen.", "Because.", "Write:  x = 1", "What DJN-413 means", 'class="block"'):
        assert text in page.replace("class=block", 'class="block"')


def test_hints_of_python() -> None:
    """What Python thinks was meant is shown."""
    try:
        quantity = "x"
        quantitty  # noqa: B018
    except NameError as error:
        assert "Did you mean: &#39;quantity&#39;?" in render(error)
    assert quantity


def test_recursion_is_cut() -> None:
    """Of a thousand frames the first and the last are shown, and how many are missing."""

    def again(depth: int) -> int:
        return again(depth + 1)

    try:
        again(0)
    except RecursionError as error:
        page = render(error)
    assert re.search(r"… [\d,]+ frames left out …", page)
    assert len(page) < 600_000


def test_syntax_error_shows_the_line() -> None:
    """The line of a file that is not Python is shown, with the place marked."""
    try:
        compile("x = (1,\ny = 2\n", "strange.py", "exec")
    except SyntaxError as error:
        page = render(error)
    assert "strange.py" in page
    assert "<mark>" in page


def test_panels_of_batteries() -> None:
    """A panel may tell rows, a table, text or markup; one that fails says so and harms nothing."""
    app = make_app()
    app.panels.add("Rows", lambda request: {"path": request.path, "token": "t0k3n"})
    app.panels.add("Table", lambda request: [{"sql": "SELECT <1>", "ms": 3}])
    app.panels.add("Text", lambda request: SCRIPT)
    app.panels.add("Markup", lambda request: html("<b id=mine>{}</b>", "<i>"))
    app.panels.add("Broken", lambda request: 1 / 0)
    app.panels.add("Nothing", lambda request: None)

    async def later(request: object) -> list[tuple[str, object]]:
        return [("answer", 42)]

    app.panels.add("Later", later)
    text = Pages(app).text
    for wanted in ("SELECT &lt;1&gt;", "<b id=mine>&lt;i&gt;</b>", "ZeroDivisionError", ">42<", ">/fail<"):
        assert wanted in text
    assert "t0k3n" not in text
    assert "Nothing" not in text
    assert SCRIPT not in text


def test_form_and_query_are_shown_redacted() -> None:
    """Fields of a form that was read are shown; those with the names of secrets are not."""
    app = make_app()

    @app.post("/form")
    async def post(request: object) -> str:
        await request.form()  # type: ignore[attr-defined]
        raise ValueError

    from demijohn import Request

    post.__annotations__["request"] = Request
    response = client_of(app).post(
        "/form?api_key=k3y&page=7",
        data={"name": "Ann", "password": "hunter2"},
        headers={**HTML, "authorization": "Bearer abcdefgh", "cookie": "sid=c00k1e"},
    )
    assert "Ann" in response.text
    for secret in ("hunter2", "k3y", "abcdefgh", "c00k1e"):
        assert secret not in response.text


def test_markdown_is_whole() -> None:
    """The Markdown has message, frames, the marked columns and the variables of the frame to look at."""
    try:
        values = {"a": 1}
        values["b"]
    except KeyError as error:
        text = as_markdown(make_report(describe(error)[0], None, None))
    assert text.startswith("# KeyError\n")
    assert "^^^^^^^^^^^" in text
    assert "- `values` = `{'a': 1}`" in text


@pytest.mark.parametrize(
    ("environment", "link"),
    [
        ({}, ""),
        ({"DEMIJOHN_EDITOR": "vscode"}, "vscode://file//srv/a%20b.py:7"),
        ({"DEMIJOHN_EDITOR": "x://o?f=__FILE__&l=__LINE__"}, "x://o?f=/srv/a%20b.py&l=7"),
        ({"DEMIJOHN_EDITOR": "zed", "DEMIJOHN_EDITOR_PATHS": "/srv=/home/ann"}, "zed://file//home/ann/a%20b.py:7"),
        ({"DEMIJOHN_EDITOR": "javascript:alert('{file}')"}, ""),
        ({"DEMIJOHN_EDITOR": "vim"}, ""),
    ],
)
def test_editor_links(environment: dict[str, str], link: str) -> None:
    """Names and URLs make links, folders are mapped, and a script is no editor."""
    assert Editor(environment).link("/srv/a b.py", 7) == link


def test_libraries_are_told_from_own_code() -> None:
    """Python, installed packages, the framework and generated code are libraries; the project is not."""
    assert is_library(json.__file__)
    assert is_library(pytest.__file__)
    assert is_library("<demijohn GET />")
    assert not is_library(__file__)


def test_failing_500_handler_is_shown_in_debug() -> None:
    """What the app's own handler of 500 raises is shown as well as what made it run."""
    app = make_app()

    @app.errorhandler(500)
    async def oops(error: Exception) -> str:
        raise RuntimeError("the handler is broken")

    text = client_of(app).get("/fail", headers=HTML).text
    assert "the handler is broken" in text
    assert "pear" in text


def test_page_is_quick() -> None:
    """The page of an ordinary failure takes less than 150 ms."""
    pages = Pages(make_app())
    times = []
    for _ in range(5):
        started = time.perf_counter()
        pages.client.get("/fail", headers=HTML)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.15


def test_page_survives_the_worst_objects() -> None:
    """Variables whose repr fails, lies or never ends do not harm the page."""

    class Broken:
        def __repr__(self) -> str:
            raise ValueError("no")

    class Endless:
        def __repr__(self) -> str:
            return repr(self)

    class NoText:
        def __repr__(self) -> str:
            return 7  # type: ignore[return-value]

    app = App(settings=Settings.load({}, files=(), env="development"), debug=True)

    @app.get("/fail")
    async def fail() -> str:
        broken, endless, none, loop = Broken(), Endless(), NoText(), []
        loop.append(loop)
        big = "x" * 10_000_000
        many = list(range(1_000_000))
        raise ValueError(f"{len(big)}{len(many)}{broken is endless is none}")

    text = Pages(app).text
    assert "its repr raised ValueError" in text
    assert len(text) < 100_000
