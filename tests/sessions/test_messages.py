"""Flashed messages: said by one request, shown once by another."""

import json

import pytest

from demijohn import App, Response, current, flash, redirect
from demijohn.app import get_flashed_messages
from demijohn.errors import OutsideContext
from demijohn.http import Markup

from .conftest import Browser


def messaging(app: App) -> None:
    """Add `/say`, which redirects with two messages, and `/show`, which shows them."""

    @app.get("/say")
    async def say() -> Response:
        flash("Saved <1>", "success")
        flash(Markup("<b>Look</b>"))
        return redirect("/show")

    @app.get("/show")
    def show() -> str:
        return json.dumps([get_flashed_messages(with_categories=True), get_flashed_messages()])


async def test_shown_once_by_the_next_page(app: App, browser: Browser) -> None:
    """Messages wait over the redirect, are the same however often one request asks, and are gone then."""
    messaging(app)
    await browser.get("/say")
    pairs, texts = json.loads(await browser.text("/show"))
    assert pairs == [["success", "Saved <1>"], ["message", "<b>Look</b>"]]
    assert texts == ["Saved <1>", "<b>Look</b>"]
    assert json.loads(await browser.text("/show")) == [[], []]


async def test_markup_stays_markup(app: App, browser: Browser) -> None:
    """A message that was markup is markup again, one that was text is text."""
    messaging(app)

    @app.get("/kinds")
    def kinds() -> str:
        return json.dumps([hasattr(message, "__html__") for message in get_flashed_messages()])

    await browser.get("/say")
    assert await browser.text("/kinds") == "[false, true]"


async def test_said_and_shown_in_the_same_request(app: App, browser: Browser) -> None:
    """A page that says and shows at once shows it, and leaves no cookie behind."""

    @app.get("/")
    def both() -> str:
        flash("now")
        return str(get_flashed_messages())

    assert await browser.text("/") == "['now']"
    assert browser.cookies == {}


async def test_categories(app: App, browser: Browser) -> None:
    """A filter shows some categories; the others are gone with them."""
    messaging(app)

    @app.get("/success")
    def success() -> str:
        return str(get_flashed_messages(category_filter=["success"]))

    await browser.get("/say")
    assert await browser.text("/success") == "['Saved <1>']"
    assert json.loads(await browser.text("/show")) == [[], []]


async def test_asking_costs_nothing_where_nobody_says_anything(app: App, browser: Browser) -> None:
    """A layout that shows messages sets up no sessions, and leaves its pages public."""
    messaging(app)
    response = await browser.get("/show")
    assert json.loads(response.body) == [[], []]
    assert "sessions" not in app.batteries
    assert "vary" not in response.headers


async def test_messages_survive_an_abort(app: App, browser: Browser) -> None:
    """A message said before a 404 is shown by the next page."""
    messaging(app)

    @app.get("/gone")
    def gone() -> str:
        from demijohn import abort

        flash("It is gone.")
        abort(410)

    assert (await browser.get("/gone")).status == 410
    assert json.loads(await browser.text("/show"))[1] == ["It is gone."]


def test_outside_of_a_request() -> None:
    """Without a request there is nobody to tell."""
    with pytest.raises(OutsideContext):
        flash("nobody")
    with pytest.raises(OutsideContext):
        get_flashed_messages()


async def test_other_sessions_of_the_room_are_untouched(app: App, browser: Browser) -> None:
    """Messages live beside what the app keeps."""

    @app.get("/")
    def home() -> str:
        current.session["n"] = current.session.get("n", 0) + 1
        flash("x")
        return str(len(get_flashed_messages()))

    assert await browser.text("/") == "1"
    assert await browser.text("/") == "1"


async def test_the_signal_of_a_message(app: App, browser: Browser) -> None:
    """Who listens to `message_flashed` hears each message with its category."""
    messaging(app)
    heard = []

    def hear(sender: object, message: str, category: str) -> None:
        heard.append((message, category))

    app.signals.message_flashed.connect(hear)
    await browser.get("/say")
    assert heard == [("Saved <1>", "success"), ("<b>Look</b>", "message")]
