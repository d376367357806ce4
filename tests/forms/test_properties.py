"""Whatever is sent to a form, the answer is a page, a redirect or a refusal, and what was typed comes back escaped."""

import re
from html import escape, unescape
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demijohn import App, Secret, Settings
from demijohn.forms.battery import _cut_out
from demijohn.forms.widgets import CheckBox, DateTimeInput, FileInput, html_pattern
from demijohn.http import UploadFile
from demijohn.schema import Field
from demijohn.testing import TestClient
from tests.forms.test_form import Contact, Everything

NAMES = st.sampled_from(
    [*Contact.__dataclass_fields__, *Everything.__dataclass_fields__, "x", "_action", "_form", "csrf_token"]
)
TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["", " ", "1", "-1", "1e9", "true", "s", "x", "2026-01-31T12:00", "\0", "￿", "<b>", '"', "add:x", "search:name"]
    ),
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A client of an app with two forms."""
    from demijohn import Page
    from demijohn.forms import Form

    folder = tmp_path_factory.mktemp("templates")
    (folder / "form.html").write_text("<title>Form</title>{{ form }}")
    app = App(settings=Settings(secret_key=Secret("a7c1f09e5b2d48836e4f0c9b1d75a2e8")), templates=folder)

    @app.route("/contact", methods=["GET", "POST"])
    async def contact(form: Form[Contact]) -> Any:
        return "ok" if form.is_valid else Page("form.html", form=form)

    @app.route("/everything", methods=["GET", "POST"])
    async def everything(form: Form[Everything]) -> Any:
        return "ok" if form.is_valid else Page("form.html", form=form)

    with TestClient(app) as client:
        yield client


@settings(max_examples=150)
@given(path=st.sampled_from(["/contact", "/everything"]), pairs=st.lists(st.tuples(NAMES, TEXTS), max_size=12))
def test_anything_may_be_sent(client: TestClient, path: str, pairs: list[tuple[str, str]]) -> None:
    """No combination of names and texts is a failure, and no typed tag is one in the page."""
    sent: dict[str, list[str]] = {}
    for name, text in pairs:
        sent.setdefault(name, []).append(text.encode("utf-8", "replace").decode())
    response = client.post(path, data=sent)
    assert response.status_code in (200, 422)
    if response.text != "ok":
        assert "<b>" not in response.text


@settings(max_examples=100)
@given(text=st.text(max_size=60).filter(lambda text: "\r" not in text))
def test_what_was_typed_comes_back(client: TestClient, text: str) -> None:
    """The text of a field in error is shown as it was typed, spaces at its ends aside."""
    text = text.encode("utf-8", "replace").decode()
    page = client.post("/contact", data={"name": text, "message": text, "age": "x"}).text
    name = re.search(r'name="name"[^>]* value="([^"]*)"', page)
    message = re.search(r'<textarea name="message"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert name is not None
    assert message is not None
    assert unescape(name[1]) == unescape(text.strip().replace("&", "&amp;"))
    assert unescape(message[1]) == unescape(text.replace("&", "&amp;")) or not text


@pytest.mark.parametrize(
    ("pattern", "html"),
    [
        (r"[a-z0-9-]+", r"[a-z0-9\-]+"),
        (r"[-\w.]+", r"[\-\w.]+"),
        (r"[a-z0-9-_]+", r"[a-z0-9\-_]+"),
        (r"[^/(){}|]+", r"[^\/\(\)\{\}\|]+"),
        (r"\d{4}|x", r"\d{4}|x"),
        (r"(?i)abc", None),
        (r"(?P<year>\d+)", None),
        (r"\Aabc\Z", None),
        (r"[[:alpha:]]", None),
        (r"a++", None),
        (r"[a&&b]", None),
    ],
)
def test_patterns_for_browsers(pattern: str, html: str | None) -> None:
    """A pattern is written as browsers want it, or left out where they would read another one."""
    assert html_pattern(pattern) == html


def test_widgets_read_what_is_odd() -> None:
    """What is no date stays as it was typed, a box without a tick is no, and files are told by name and type."""
    assert DateTimeInput().read(["soon"]) == "soon"
    assert DateTimeInput().read(["2026-01-31T12:00"]) == "2026-01-31T12:00:00+00:00"
    assert DateTimeInput().read([]) is None
    assert CheckBox().read([]) == "false"
    widget = FileInput(accept="image/*, .pdf")
    upload = UploadFile.from_bytes(b"", filename="a.PDF", content_type="application/x")
    assert widget.allows(upload)
    assert not widget.allows(UploadFile.from_bytes(b"", filename="a.txt", content_type="text/plain"))
    assert widget.attributes(Field())["accept"] == "image/*, .pdf"


IDS = st.sampled_from(["form", "form-1", "form.1", "Form", "a&b"]) | st.text("form-1<>&\"' ", min_size=1, max_size=6)
ATTRIBUTES = st.sampled_from(
    ["class", "data-id", "hx-on:click", "title", "hx-target", "idle", "aria-owns", "novalidate"]
)
SPEECH = st.text(max_size=12) | st.sampled_from(
    ["</form>", '<form id="form">', "a > b", "'", '"', ' id="form" ', "-->", "--", "<!--", "</script", "<p>"]
)


@st.composite
def start_tags(draw: st.DrawFn) -> tuple[str, str | None]:
    """A start tag of a form as somebody may write it, and its id."""
    names = draw(st.lists(ATTRIBUTES, max_size=3))
    form_id = draw(st.none() | IDS)
    written = [(name, draw(SPEECH)) for name in names]
    if form_id is not None:
        written.insert(draw(st.integers(0, len(written))), (draw(st.sampled_from(["id", "id", "ID"])), form_id))
    parts = []
    for name, value in written:
        quote = draw(st.sampled_from(['"', '"', "'"]))
        # Only what has to be escaped is: a template of the user's may leave the rest.
        escaped = value.replace("&", "&amp;").replace(quote, "&quot;" if quote == '"' else "&#39;")
        parts.append(name if name == "novalidate" else f"{name}={quote}{escaped}{quote}")
    space = draw(st.sampled_from([" ", "\n    "]))
    return space.join([draw(st.sampled_from(["<form", "<form", "<FORM"])), *parts]) + ">", form_id


@st.composite
def fillings(draw: st.DrawFn) -> str:
    """What stands in and around forms: nothing of it is one, whatever it looks like."""
    word = draw(SPEECH)
    match draw(st.integers(0, 5)):
        case 0:
            return f"<!-- {word.replace('-', '')} </form> -->"
        case 1:
            return f"<script>let x = '{word.replace('</', '')}</form>'</script>"
        case 2:
            return '<input value="' + word.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;") + '">'
        case 3:
            return f"<textarea name=x>{escape(word)}</textarea>"
        case 4:
            return "<formula></formula>"
        case _:
            return f"<p>{escape(word)}</p>"


@given(st.lists(st.tuples(fillings(), start_tags(), fillings()), max_size=4), IDS)
@settings(max_examples=300)
def test_a_form_is_cut_out_of_its_page(forms: list[tuple[str, tuple[str, str | None], str]], wanted: str) -> None:
    """htmx gets the form that it sent, from its start tag to its end tag, whatever else the page holds."""
    page, expected = "", None
    for before, (tag, form_id), inside in forms:
        whole = f"{tag}{inside}</form>"
        page += before + whole
        if form_id == wanted and expected is None:
            expected = whole
    found = _cut_out(page.encode("utf-8", "surrogatepass"), wanted)
    assert found == (None if expected is None else expected.encode("utf-8", "surrogatepass"))
