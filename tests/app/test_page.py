"""`Page` is a plain value; what it tells htmx becomes headers."""

import json
from typing import Any

import pytest

from demijohn.app import Htmx, Page
from demijohn.http import BadHeader, MutableHeaders, Response


def test_template_and_block() -> None:
    """The name behind `#` is the block; context may use any name that Python can."""
    page = Page("a.html#rows", rows=[1], template=2, self_=3)
    assert (page.template, page.block, page.context) == ("a.html", "rows", {"rows": [1], "template": 2, "self_": 3})
    assert Page("a.html").block is None
    assert repr(page) == "Page('a.html#rows', rows, template, self_)"
    assert page.with_context({"rows": [], "more": 1}).context["rows"] == [1]
    assert page.context["more"] == 1


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"trigger": "saved"}, {"hx-trigger": "saved"}),
        ({"trigger": ["a", "b"]}, {"hx-trigger": "a, b"}),
        ({"push_url": "/x"}, {"hx-push-url": "/x"}),
        ({"push_url": False, "replace_url": False}, {"hx-push-url": "false", "hx-replace-url": "false"}),
        ({"refresh": True}, {"hx-refresh": "true"}),
        ({"refresh": False}, {}),
        ({"redirect": "/login", "retarget": "#x", "reswap": "outerHTML", "reselect": "#y"}, None),
        ({"location": {"path": "/x", "target": "#main"}}, {"hx-location": '{"path":"/x","target":"#main"}'}),
    ],
)
def test_fields_for_htmx(fields: Any, headers: dict[str, str] | None) -> None:
    """Each field becomes its header, for a page and for any other response."""
    expected = headers if headers is not None else {f"hx-{name}": value for name, value in fields.items()}
    assert dict(Htmx(**fields)) == expected
    assert dict(Page("a.html").with_htmx(**fields).headers) == expected
    assert dict(Response(b"", headers=Htmx(**fields)).headers) == expected


def test_details_of_events_are_ascii() -> None:
    """Text beyond ASCII in the detail of an event survives the header."""
    detail = {"said": {"text": "grüß 😀 \"'", "n": 1}}
    value = Htmx(trigger=detail)["hx-trigger"]
    assert value.isascii()
    assert json.loads(value) == detail


def test_no_header_breaks_out() -> None:
    """A value with a line break is refused."""
    with pytest.raises(BadHeader):
        Page("a.html").with_htmx(retarget="#x\r\nset-cookie: a=b")


def test_headers_of_a_page() -> None:
    """Headers of the page replace those of the response, cookies and links are added."""
    headers = MutableHeaders([("vary", "Accept"), ("set-cookie", "a=1")])
    Page("a.html", headers=[("Vary", "Cookie"), ("Set-Cookie", "b=2"), ("Set-Cookie", "c=3")]).dress(headers)
    assert headers["vary"] == "Cookie"
    assert headers.getlist("set-cookie") == ["a=1", "b=2", "c=3"]
    Page("a.html").dress(headers)


async def test_awaitable_values() -> None:
    """Values that can be awaited are, one after the other, and replaced by what they give."""
    order = []

    async def load(name: str) -> str:
        order.append(name)
        return name

    class Query:
        def __await__(self) -> Any:
            return load("query").__await__()

    page = Page("a.html", one=load("one"), two=2, three=Query())
    assert page.is_pending
    await page.settle()
    assert page.context == {"one": "one", "two": 2, "three": "query"}
    assert order == ["one", "query"]
    assert not page.is_pending
