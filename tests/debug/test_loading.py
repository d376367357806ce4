"""An app that cannot be loaded is shown by the same page, which notices the mend."""

import asyncio

import pytest

from demijohn.debug import broken_app
from demijohn.errors import ConfigurationError
from demijohn.http import Request, Response


def ask(error: BaseException, accept: str) -> Response:
    """The answer of the app that stands in for the broken one."""
    sent: list[Response] = []
    request = Request("GET", "/", b"/", b"", [(b"accept", accept.encode())])
    asyncio.run(broken_app(error).handle(request, sent.append))  # type: ignore[arg-type]
    return sent[0]


def failed(source: str) -> BaseException:
    """What loading a module of this source raises."""
    try:
        exec(compile(source, "shop.py", "exec"), {"__name__": "shop"})
    except BaseException as error:
        return error
    raise AssertionError("it did not fail")


@pytest.mark.parametrize(
    ("source", "text"),
    [("import nothing_of_that_name", "nothing_of_that_name"), ("x = (", "was never closed"), ("1 / 0", "division")],
)
def test_browsers_get_a_page(source: str, text: str) -> None:
    """The page says what failed, has its strict policy, and watches for the mend."""
    response = ask(failed(source), "text/html")
    page = response.body.decode()
    assert response.status == 500
    assert text in page
    assert "The app cannot be loaded" in page
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert f'data-watch="{response.headers["x-demijohn-failure"]}"' in page


def test_text_is_escaped() -> None:
    """Tags in the message are text."""
    page = ask(ValueError("<script>alert(1)</script>"), "text/html").body.decode()
    assert page.count("<script") == 1


def test_others_get_text_or_json() -> None:
    """Terminals get Markdown, API clients a problem document; each names the failure by its mark."""
    error = ConfigurationError("Seen.", why="Because.", fix="Write: x", code="DJN-413")
    text, document = ask(error, "*/*"), ask(error, "application/json")
    assert "demijohn explain DJN-413" in text.body.decode()
    assert document.content_type == "application/problem+json"
    assert text.headers["x-demijohn-failure"] == document.headers["x-demijohn-failure"]


def test_another_failure_has_another_mark() -> None:
    """The page that waits sees that the mistake is another one."""
    first, second = ask(ValueError("a"), "text/html"), ask(ValueError("b"), "text/html")
    assert first.headers["x-demijohn-failure"] != second.headers["x-demijohn-failure"]
