"""Whatever is sent to a form, the answer is a page, a redirect or a refusal, and what was typed comes back escaped."""

import re
from html import unescape
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demijohn import App, Secret, Settings
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
