"""The language of a request: where it is read from, in which order, and what the response says about it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from demijohn import App, Request, WebSocket, wait
from demijohn.errors import ConfigurationError, OutsideContext
from demijohn.i18n import (
    Translations,
    activate,
    get_language,
    get_locale,
    get_timezone,
    gettext_lazy,
    language,
    ngettext,
    timezone,
)
from demijohn.i18n import gettext as _
from demijohn.testing import TestClient

Make = Callable[..., tuple[App, Translations]]


def greeting(app: App) -> None:
    @app.get("/")
    async def hello() -> str:
        return _("Hello, World!")

    @app.get("/sync")
    def hello_sync() -> str:
        return _("Hello, World!")

    @app.get("/plain")
    async def plain() -> str:
        return "nothing to translate"


@pytest.mark.parametrize(
    ("accept", "tag", "text"),
    [
        ("de-CH, en;q=0.5", "de", "Hallo, Welt!"),
        ("ar", "ar", "مرحبا بالعالم"),
        ("fr, it", "en", "Hello, World!"),
        ("de;q=0, en", "en", "Hello, World!"),
        ("*", "en", "Hello, World!"),
        ("en-GB, de;q=0.9", "en", "Hello, World!"),
        ("\x7f;;q=x,,", "en", "Hello, World!"),
        ("", "en", "Hello, World!"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/sync"])
def test_the_browser_says_its_languages(make_app: Make, path: str, accept: str, tag: str, text: str) -> None:
    """The best of the offered languages answers, the default where none fits; caches are told what it depends on."""
    app, _battery = make_app()
    greeting(app)
    with TestClient(app) as client:
        response = client.get(path, headers={"accept-language": accept})
    assert response.text == text
    assert response.headers["content-language"] == tag
    assert response.headers["vary"] == "Cookie, Accept-Language"


def test_a_response_without_translated_texts_says_nothing(make_app: Make) -> None:
    """What was not looked up does not vary, so that caches keep it for everybody."""
    app, _battery = make_app()
    greeting(app)
    with TestClient(app) as client:
        response = client.get("/plain", headers={"accept-language": "de"})
    assert "content-language" not in response.headers
    assert "vary" not in response.headers


def test_the_choice_of_a_visitor_goes_before_the_browser(make_app: Make) -> None:
    """`set_language` keeps a choice in a cookie; what is not offered, or leads to another site, is not taken."""
    app, battery = make_app()
    greeting(app)
    app.post("/language", name="set_language")(battery.set_language)
    with TestClient(app) as client:
        response = client.post("/language", data={"language": "de", "next": "/sync"}, follow_redirects=False)
        assert (response.status_code, response.headers["location"]) == (303, "/sync")
        assert "HttpOnly" in response.headers["set-cookie"]
        assert client.get("/", headers={"accept-language": "ar"}).text == "Hallo, Welt!"
        for tag, following in [("xx", "https://evil.example/"), ("", "//evil.example"), ("../de", "\\evil")]:
            response = client.post("/language", data={"language": tag, "next": following}, follow_redirects=False)
            assert response.headers["location"] == "/"
            assert "set-cookie" not in response.headers
        assert client.post("/language", follow_redirects=False).status_code == 303


def test_the_order_is_configurable(make_app: Make) -> None:
    """The places are asked in the given order, and no other ones are."""
    app, _battery = make_app(order=["query", "header"])
    greeting(app)
    with TestClient(app) as client:
        client.cookies.set("language", "ar")
        assert client.get("/?language=de").text == "Hallo, Welt!"
        assert client.get("/?language=zz").text == "Hello, World!"


def test_the_session_can_hold_the_language(make_app: Make) -> None:
    """With `session` in the order, its value `language` is taken, whatever kind of thing it is."""
    from demijohn.sessions import Session

    app, _battery = make_app(order=["session"])
    greeting(app)

    @app.post("/choose")
    async def choose(session: Session, request: Request) -> str:
        session["language"] = (await request.json())["language"]
        return "ok"

    with TestClient(app) as client:
        assert client.get("/").text == "Hello, World!"
        client.post("/choose", json={"language": "de"})
        assert client.get("/").text == "Hallo, Welt!"
        client.post("/choose", json={"language": 7})
        assert client.get("/").text == "Hello, World!"


@dataclass
class User:
    """Somebody with settings."""

    language: str | None
    zone: str | None


@pytest.mark.parametrize("is_async", [True, False])
def test_selectors_ask_for_the_user_by_annotation(make_app: Make, is_async: bool) -> None:
    """A selector is bound as a handler is, may be async, and goes before the cookie; unknown answers do not count."""
    app, battery = make_app()
    greeting(app)
    settings = {"ann": User("de", "Asia/Tokyo"), "bob": User("xx", "No/Where"), "eve": User(None, "../../etc/passwd")}

    async def user_of(request: Request) -> User:
        return settings[request.query["user"]]

    app.provide(User, user_of)
    if is_async:

        @battery.locale_selector
        async def of_user(user: User) -> str | None:
            await asyncio.sleep(0)
            return user.language
    else:

        @battery.locale_selector
        def of_user_sync(user: User) -> str | None:
            return user.language

    @battery.timezone_selector
    def zone_of_user(user: User) -> str | None:
        return user.zone

    @app.get("/zone")
    async def zone() -> str:
        return str(get_timezone())

    with TestClient(app) as client:
        client.cookies.set("language", "ar")
        assert client.get("/?user=ann").text == "Hallo, Welt!"
        assert client.get("/?user=bob").text == "مرحبا بالعالم"
        assert client.get("/?user=eve").text == "مرحبا بالعالم"
        assert [client.get(f"/zone?user={name}").text for name in settings] == ["Asia/Tokyo", "UTC", "UTC"]


def test_a_text_before_the_selector_freezes_nothing(make_app: Make) -> None:
    """A hook that looks up a text before the selector was asked gets what was known; the page gets the user's."""
    app, battery = make_app()
    greeting(app)
    early: list[str] = []

    @app.before_request
    def look_up() -> None:
        early.append(_("Hello, World!"))

    @battery.locale_selector
    def of_user(request: Request) -> str | None:
        return request.query.get("speaks")

    with TestClient(app) as client:
        client.cookies.set("language", "ar")
        answer = client.get("/?speaks=de")
    assert (early, answer.text) == (["مرحبا بالعالم"], "Hallo, Welt!")
    assert answer.headers["content-language"] == "de"
    assert "Cookie" in answer.headers["vary"]


def test_a_block_and_activate_win_over_the_request(make_app: Make) -> None:
    """`language(...)` holds inside of its block, `activate` to the end of the request and no longer."""
    app, _battery = make_app()

    @app.get("/")
    async def texts() -> list[str]:
        found = [_("Hello, World!")]
        with language("de"):
            found.append(_("Hello, World!"))
        found.append(_("Hello, World!"))
        activate("ar")
        return [*found, _("Hello, World!")]

    @app.get("/sync")
    def texts_sync() -> list[str]:
        activate("de")

        async def inside() -> str:
            return _("Hello, World!")

        return [_("Hello, World!"), wait(inside())]

    with TestClient(app) as client:
        for _time in range(2):
            assert client.get("/").json() == ["Hello, World!", "Hallo, Welt!", "Hello, World!", "مرحبا بالعالم"]
        assert client.get("/sync").json() == ["Hallo, Welt!", "Hallo, Welt!"]
        assert client.get("/").json()[0] == "Hello, World!"


async def test_requests_at_the_same_time_keep_their_languages(make_app: Make) -> None:
    """Two requests that wait for one another each answer in their own language."""
    from demijohn.testing import AsyncClient

    app, _battery = make_app()
    both = asyncio.Barrier(2)

    @app.get("/")
    async def hello() -> str:
        first = _("Hello, World!")
        await both.wait()
        return f"{first}|{_('Hello, World!')}"

    async with AsyncClient(app) as client:
        answers = await asyncio.gather(
            client.get("/", headers={"accept-language": "de"}), client.get("/", headers={"accept-language": "ar"})
        )
    assert [answer.text for answer in answers] == ["Hallo, Welt!|Hallo, Welt!", "مرحبا بالعالم|مرحبا بالعالم"]


def test_sockets_have_a_language_too(make_app: Make) -> None:
    """A WebSocket answers in the language of its handshake, or of its path."""
    app, _battery = make_app(prefix=True)

    @app.websocket("/ws")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(_("Hello, World!"))
        await socket.close()

    with TestClient(app) as client:
        for path, text in [("/de/ws", "Hallo, Welt!"), ("/ws", "Hello, World!")]:
            with client.websocket(path) as socket:
                assert socket.receive_text() == text


def test_errors_of_validation_and_error_pages_speak_the_language(make_app: Make) -> None:
    """The framework's own sentences come in the language of the visitor, in a problem document and in a page."""
    app, _battery = make_app()

    @app.get("/items")
    async def items(page: int, size: int = 1) -> str:
        return ""

    with TestClient(app) as client:
        problem = client.get("/items?page=x", headers={"accept-language": "de"}).json()
        assert problem["errors"][0]["message"] == "Erwartet: eine ganze Zahl."
        assert problem["detail"] == "1 Fehler in der Eingabe."
        page = client.get("/none", headers={"accept-language": "ar", "accept": "text/html"})
        assert '<html lang="ar" dir="rtl">' in page.text
        assert "غير موجود" in page.text
        assert page.headers["content-language"] == "ar"


def test_commands_and_scripts_speak_the_default_language(make_app: Make) -> None:
    """In a command the default language is present, and another one inside of a block."""
    app, battery = make_app(default="de", timezone="Europe/Berlin")
    with app.context():
        assert _("Hello, World!") == "Hallo, Welt!"
        assert str(get_timezone()) == "Europe/Berlin"
        assert get_locale().language == "de"
        with language("ar"), timezone("Asia/Tokyo"):
            assert get_language() == "ar"
            assert str(get_timezone()) == "Asia/Tokyo"
        assert get_language() == "de"
    assert get_language() == "en"
    with battery.language("de"):
        assert _("Hello, World!") == "Hallo, Welt!"
        assert ngettext("%(num)s post", "%(num)s posts", 2) == "2 Beiträge"


def test_a_slip_of_a_translator_breaks_nothing(make_app: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A translation with a wrong placeholder gives way to the text in the code, and is logged."""
    _app, battery = make_app()
    with battery.language("de"):
        assert _("Hello %(name)s", name="Ann") == "Hello Ann"
        assert str(gettext_lazy("Hello %(name)s", name="Ann")) == "Hello Ann"
    assert "do not fit" in caplog.text


def test_what_is_not_offered_is_refused() -> None:
    """Mistakes in the set-up are told at once, with the line to write."""
    for wrong, code in [
        (lambda: Translations("de"), "DJN-971"),
        (lambda: Translations([]), "DJN-971"),
        (lambda: Translations(["en", "zz-zz"]), "DJN-970"),
        (lambda: Translations(["en"], default="de"), "DJN-971"),
        (lambda: Translations(["en"], order=["cokie"]), "DJN-971"),  # type: ignore[list-item]
        (lambda: Translations(["en"], timezone="Berlin"), "DJN-974"),
    ]:
        with pytest.raises(ConfigurationError) as caught:
            wrong()
        assert caught.value.code == code
    with pytest.raises(OutsideContext, match="language"), language("de"):
        pass
    with pytest.raises(ConfigurationError, match="none of this app"), Translations(["en"]).language("de"):
        pass


def test_tags_are_written_in_one_way() -> None:
    """However a tag is written, it is kept as the standard has it; a region falls back to its language."""
    battery = Translations(["en", "pt_br", "zh-hant-TW"])
    assert battery.locales == ("en", "pt-BR", "zh-Hant-TW")
    with battery.language("PT-br"):
        assert get_language() == "pt-BR"


def test_an_app_without_the_battery_is_not_touched(make_app: Make) -> None:
    """Texts of an app that uses no translations stay English beside one that does."""
    make_app()
    app = App()
    greeting(app)
    with TestClient(app) as client:
        assert client.get("/", headers={"accept-language": "de"}).text == "Hello, World!"
