"""What checkers see of pages, components and sessions."""

from typing import Literal, assert_type

from demijohn import Page, Request
from demijohn.app import Htmx
from demijohn.http import Response, StreamResponse
from demijohn.sessions import Session, SessionData, SignedCookie, flash, get_flashed_messages
from demijohn.templating import Slot, component, render_template, stream_template


class Cart(SessionData):
    items: list[int] = []  # noqa: RUF012 - a Struct copies it


@component("card.html")
def card(title: str, content: Slot = "", tone: Literal["info", "danger"] = "info") -> None: ...


def pages() -> None:
    assert_type(Page("a.html#rows", rows=[], status=201).with_htmx(trigger="x", push_url=False), Page)
    Page("a.html").with_htmx(triger="x")  # type: ignore[call-arg]
    Htmx(push_url=True)  # type: ignore[arg-type]
    assert_type(render_template("a.html", x=1), str)
    assert_type(stream_template("a.html", x=1), StreamResponse)


def components() -> None:
    assert_type(card("x", tone="danger"), str)
    card(titel="x")  # type: ignore[call-arg]
    card("x", tone="dangr")  # type: ignore[arg-type]


def sessions(session: Session, request: Request, response: Response) -> None:
    assert_type(session.typed(Cart), Cart)
    assert_type(session.typed(Cart).items, list[int])
    session.typed(int)  # type: ignore[type-var]
    theme = SignedCookie("theme", str)
    assert_type(theme.find(request), str | None)
    assert_type(theme.find(request, "light"), str)
    theme.set(request, response, value=5)  # type: ignore[arg-type]
    flash("Saved", "success")
    assert_type(get_flashed_messages(), list[str])
    assert_type(get_flashed_messages(with_categories=True), list[tuple[str, str]])
