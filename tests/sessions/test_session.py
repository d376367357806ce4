"""Sessions through an app: what is kept, when a cookie is set, and what counts as none."""

import datetime as dt
import json
import sys
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest

from demijohn import App, Request, Response, StreamResponse, WebSocket, abort, current
from demijohn.errors import ConfigurationError
from demijohn.sessions import (
    MemorySessionStore,
    Session,
    SessionData,
    SessionDataMistake,
    SessionError,
    Sessions,
    SessionTooLarge,
    SessionTooLate,
)
from demijohn.sessions import sealing as sealing_module
from demijohn.sessions import session as session_module
from demijohn.testing import TestClient

from .conftest import OTHER_SECRET, SECRET, Browser, settings


def counting(app: App) -> None:
    """Add `/count`, which counts visits, `/look`, which reads, and `/none`, which does neither."""

    @app.get("/count")
    async def count(session: Session) -> str:
        session["n"] = session.get("n", 0) + 1
        return str(session["n"])

    @app.get("/look")
    async def look(session: Session) -> str:
        return str(session.get("n", "nothing"))

    @app.get("/none")
    async def none() -> str:
        return "none"


async def test_a_visitor_is_remembered(app: App, browser: Browser) -> None:
    """What one request puts in, the next one finds; `app.use` is not needed."""
    counting(app)
    assert [await browser.text("/count") for _ in range(3)] == ["1", "2", "3"]
    assert await Browser(app).text("/count") == "1"


async def test_cookie_over_http(app: App, browser: Browser) -> None:
    """Over http the cookie is `HttpOnly` and `SameSite=Lax`, on https also `Secure` and bound to the host."""
    counting(app)
    await browser.get("/count")
    parts = [part.strip().lower() for part in browser.cookie.split(";")]
    assert parts[0].startswith("session=")
    assert {"httponly", "samesite=lax", "path=/", "max-age=1209600"} <= set(parts)
    assert "secure" not in parts
    secure = Browser(app, "https")
    await secure.get("/count")
    parts = [part.strip().lower() for part in secure.cookie.split(";")]
    assert parts[0].startswith("__host-session=")
    assert {"secure", "httponly", "path=/"} <= set(parts)
    assert not any(part.startswith("domain") for part in parts)
    assert "demijohn" not in secure.cookie.lower()
    assert await secure.text("/count") == "2"


async def test_http_cookie_is_not_taken_on_https(app: App, browser: Browser) -> None:
    """On https only the cookie with the prefix counts, which no subdomain and no http page can plant."""
    counting(app)
    await browser.get("/count")
    other = Browser(app, "https")
    other.cookies = browser.cookies
    assert await other.text("/count") == "1"


async def test_no_value_can_be_read_from_the_cookie(app: App, browser: Browser) -> None:
    """Neither keys nor values nor the id stand in the cookie, in any encoding that is easily undone."""
    import base64

    @app.get("/")
    async def put(session: Session) -> str:
        session["username"] = "ann@example.com"
        session["roles"] = ["administrator"]
        return session.id

    session_id = await browser.text("/")
    cookie = browser.cookies["session"]
    raw = base64.urlsafe_b64decode(cookie + "==")
    for word in ("username", "ann@example.com", "roles", "administrator", session_id):
        assert word not in cookie
        assert word.encode() not in raw
    assert bytes.fromhex(session_id) not in raw


async def test_forged_cut_doubled_and_foreign_cookies_are_no_session(app: App, browser: Browser) -> None:
    """Whatever is not exactly one cookie of ours is as good as none, and never an error."""
    counting(app)
    await browser.get("/count")
    good = browser.cookies["session"]
    foreign = Browser(App(settings=settings(OTHER_SECRET)))
    counting(foreign.app)
    await foreign.get("/count")
    flipped = ("A" if good[30] != "A" else "B").join((good[:30], good[31:]))
    bad = [good[:-5], good + "x", flipped, good[5:], "", "x", "x" * 100_000, good.upper(), foreign.cookies["session"]]
    for value in bad:
        response = await browser.get("/look", {"cookie": f"session={value}"})
        assert (response.status, response.body) == (200, b"nothing"), value[:40]
    for line in (f"session={good}; session={good}", f"session={good}; a=b; session=x", f"session=x; session={good}"):
        assert (await browser.get("/look", {"cookie": line})).body == b"nothing", line[:40]
    for line in (
        f"a=b; session={good}",
        f"session={good};xsession=1",
        f'session="{good}"',
        f"mysession=1;  session={good}",
    ):
        assert (await browser.get("/look", {"cookie": line})).body == b"1", line[:40]


async def test_old_keys(browser: Browser) -> None:
    """After a rotation old cookies are read and written anew under the new secret; without the old one they are none."""
    old = Browser(App(settings=settings(SECRET)))
    counting(old.app)
    await old.get("/count")
    both = App(settings=settings(OTHER_SECRET, SECRET))
    counting(both)
    rotated = Browser(both)
    rotated.cookies = dict(old.cookies)
    assert await rotated.text("/count") == "2"
    new = App(settings=settings(OTHER_SECRET))
    counting(new)
    late = Browser(new)
    late.cookies = dict(old.cookies)
    assert await late.text("/look") == "nothing"
    late.cookies = dict(rotated.cookies)
    assert await late.text("/look") == "2"


async def test_a_cookie_is_set_only_if_something_changed(app: App, browser: Browser) -> None:
    """Reading sets none, setting the same value sets none, an empty new session sets none."""
    counting(app)

    @app.get("/same")
    async def same(session: Session) -> str:
        session["n"] = 1
        return ""

    @app.get("/touch")
    async def touch(session: Session) -> str:
        session.pop("nothing", None)
        return str(len(session))

    await browser.get("/touch")
    assert browser.cookie == ""
    await browser.get("/count")
    assert browser.cookie
    for target in ("/look", "/same", "/touch", "/none"):
        await browser.get(target)
        assert browser.cookie == "", target


async def test_changes_inside_of_values_count(app: App, browser: Browser) -> None:
    """A list that is appended to, and a dict inside of it, are kept without saying so."""

    @app.get("/")
    async def add(session: Session) -> str:
        session.setdefault("items", []).append({"n": len(session["items"])})
        session["items"][0]["seen"] = len(session["items"])
        return json.dumps(session["items"])

    assert await browser.text("/") == '[{"n": 0, "seen": 1}]'
    assert json.loads(await browser.text("/")) == [{"n": 0, "seen": 2}, {"n": 1}]


async def test_kinds_of_values(app: App, browser: Browser) -> None:
    """Plain data comes back as it was; other things as they are written."""
    now = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)

    @app.get("/put")
    async def put(session: Session) -> str:
        session.update(
            text="ä😀",
            number=2**60,
            real=1.5,
            yes=True,
            none=None,
            raw=b"\x00\xff",
            when=now,
            nested={"a": [1, {"b": None}]},
        )
        session.update(unique=UUID(int=5), pair=(1, 2), day=dt.date(2026, 1, 2))
        return ""

    @app.get("/get")
    async def get(session: Session) -> str:
        found = dict(session)
        assert found == {
            "text": "ä😀", "number": 2**60, "real": 1.5, "yes": True, "none": None, "raw": b"\x00\xff", "when": now,
            "nested": {"a": [1, {"b": None}]},
            "unique": str(UUID(int=5)), "pair": [1, 2], "day": "2026-01-02",
        }  # fmt: skip
        return "good"

    await browser.get("/put")
    assert await browser.text("/get") == "good"


async def test_nothing_is_done_where_it_is_not_used(app: App, browser: Browser) -> None:
    """A request that does not use its session opens no cookie, and its answer may be kept by shared caches."""
    counting(app)
    await browser.get("/count")
    opened = []
    original = sealing_module.Box.open

    def spy(self: Any, sealed: Any, *, max_age: float) -> Any:
        opened.append(sealed)
        return original(self, sealed, max_age=max_age)

    sealing_module.Box.open = spy  # type: ignore[method-assign]
    try:
        response = await browser.get("/none")
        assert opened == []
        assert "cache-control" not in response.headers
        assert "cookie" not in response.headers.get("vary", "").lower()
        await browser.get("/look")
        assert len(opened) == 1
    finally:
        sealing_module.Box.open = original  # type: ignore[method-assign]


async def test_asking_for_it_without_using_it_costs_nothing(app: App, browser: Browser) -> None:
    """A handler that takes the session and does not touch it leaves the answer public."""

    @app.get("/")
    async def take(session: Session) -> str:
        return repr(session)

    response = await browser.get("/")
    assert response.body == b"<Session, not opened>"
    assert "vary" not in response.headers


async def test_answers_that_depend_on_it_are_private(app: App, browser: Browser) -> None:
    """An answer whose handler read the session varies by `Cookie` and is kept by no shared cache."""
    counting(app)

    @app.get("/public")
    async def public(session: Session) -> Any:
        session["x"] = 1
        return "x", {"Cache-Control": "public, max-age=60, s-maxage=600", "Vary": "Accept"}

    response = await browser.get("/look")
    assert "private" in response.headers["cache-control"]
    assert "cookie" in response.headers["vary"].lower()
    response = await browser.get("/public")
    assert response.headers["cache-control"] == "private, max-age=60"
    assert response.headers["vary"].lower() == "accept, cookie"


async def test_rotate_keeps_what_is_in_it(app: App, browser: Browser) -> None:
    """`rotate` gives a new id and keeps the rest; `clear` forgets all and takes the cookie away."""

    @app.get("/put")
    async def put(session: Session) -> str:
        session["user"] = 1
        return session.id

    @app.get("/rotate")
    async def rotate(session: Session) -> str:
        before = session.id
        session.rotate()
        assert session.id != before
        return session.id

    @app.get("/id")
    async def show(session: Session) -> str:
        return f"{session.id} {session.get('user')} {session.is_new}"

    @app.get("/clear")
    async def clear(session: Session) -> str:
        session.clear()
        return str(dict(session))

    first = await browser.text("/put")
    assert await browser.text("/id") == f"{first} 1 False"
    second = await browser.text("/rotate")
    assert second != first
    assert await browser.text("/id") == f"{second} 1 False"
    assert await browser.text("/clear") == "{}"
    assert browser.cookies == {}
    assert (await browser.text("/id")).endswith("None True")


async def test_permanent_and_not(app: App, browser: Browser) -> None:
    """A session outlives the browser unless it is said not to; the choice is kept."""
    counting(app)

    @app.get("/shared-computer")
    async def shared(session: Session) -> str:
        session.permanent = False
        session["n"] = 10
        return ""

    await browser.get("/count")
    assert "Max-Age=1209600" in browser.cookie
    await browser.get("/shared-computer")
    assert "Max-Age" not in browser.cookie
    assert "Expires" not in browser.cookie
    await browser.get("/count")
    assert browser.cookie
    assert "Max-Age" not in browser.cookie


async def test_ages(monkeypatch: pytest.MonkeyPatch, browser: Browser, app: App) -> None:
    """A session ends when it was not used for long, and when it is old whatever was done; use renews it now and then."""
    app.use(Sessions(idle_timeout=timedelta(hours=10), absolute_timeout=timedelta(hours=48)))
    counting(app)
    clock = [1_800_000_000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    await browser.get("/count")
    clock[0] += 1800
    await browser.get("/look")
    assert browser.cookie == "", "not renewed within a tenth of the idle time"
    clock[0] += 3600
    await browser.get("/look")
    assert browser.cookie, "renewed by reading"
    for _ in range(4):
        clock[0] += 9 * 3600
        assert await browser.text("/look") == "1"
    clock[0] += 9 * 3600
    assert await browser.text("/look") == "1"
    clock[0] += 3 * 3600
    assert await browser.text("/look") == "nothing", "48 hours after it was made"
    await browser.get("/count")
    clock[0] += 10 * 3600 + 1
    assert await browser.text("/look") == "nothing", "unused for ten hours"


async def test_clock_that_jumps_back(monkeypatch: pytest.MonkeyPatch, browser: Browser, app: App) -> None:
    """A minute of difference between clocks is forgiven, an hour is not."""
    counting(app)
    start = time.time()
    await browser.get("/count")
    monkeypatch.setattr(time, "time", lambda: start - 30)
    assert await browser.text("/look") == "1"
    monkeypatch.setattr(time, "time", lambda: start - 3600)
    assert await browser.text("/look") == "nothing"


async def test_too_large_a_session_is_told(app: App, browser: Browser) -> None:
    """A session that no browser would keep is an error that names the largest keys, not a silent loss."""

    @app.get("/")
    async def put(session: Session) -> str:
        session["small"] = "x"
        session["history"] = "x" * 3000
        session["cart"] = ["y" * 100] * 10
        return ""

    caught: list[BaseException] = []
    app.add_error_handler(SessionTooLarge, lambda error: (caught.append(error), ("too large", 500))[1])
    assert (await browser.get("/")).status == 500
    assert browser.cookie == ""
    message = str(caught[0])
    assert "'history' takes 3003, 'cart' takes 1021" in message
    assert "DJN-720" in message


async def test_largest_cookie_fits(app: App, browser: Browser) -> None:
    """What is set is never larger than browsers keep."""

    @app.get("/{size:int}")
    async def put(session: Session, size: int) -> str:
        session["x"] = "x" * size
        return ""

    app.add_error_handler(SessionTooLarge, lambda error: ("", 500))
    sizes = [size for size in range(2950, 3050, 5) if (await browser.get(f"/{size}")).status == 200]
    assert sizes
    await browser.get(f"/{sizes[-1]}")
    assert 4080 < len("session") + len(browser.cookies["session"]) <= 4096


async def test_values_that_cannot_be_kept_are_told(app: App, browser: Browser) -> None:
    """A thing that is no data is an error that names its key; a key that is no text is refused at once."""
    caught: list[BaseException] = []
    app.add_error_handler(SessionError, lambda error: (caught.append(error), ("", 500))[1])

    @app.get("/thing")
    async def thing(session: Session) -> str:
        session["fine"] = 1
        session["user"] = object()
        return ""

    @app.get("/key")
    async def key(session: Session) -> str:
        session[5] = 1  # type: ignore[index]
        return ""

    assert (await browser.get("/thing")).status == 500
    assert "'user', an object" in str(caught[-1])
    assert (await browser.get("/key")).status == 500
    assert "the key 5" in str(caught[-1])


async def test_errors_and_sessions(app: App, browser: Browser) -> None:
    """What an aborted request put in is kept with its 404; a request that broke changes nothing."""
    counting(app)

    @app.get("/missing")
    async def missing(session: Session) -> str:
        session["n"] = 50
        abort(404)

    @app.get("/broken")
    async def broken(session: Session) -> str:
        session["n"] = 100
        raise ZeroDivisionError

    assert (await browser.get("/missing")).status == 404
    assert await browser.text("/look") == "50"
    assert (await browser.get("/broken")).status == 500
    assert browser.cookie == ""
    assert await browser.text("/look") == "50"


async def test_hooks_may_change_it_and_the_response(app: App, browser: Browser) -> None:
    """A session that a hook changes is kept, and a response that a hook puts in place carries the cookie."""
    counting(app)

    @app.after_request
    async def hook(response: Response) -> Response:
        current.session["hooked"] = True
        return Response(response.body + b"!", response.status)

    assert await browser.text("/count") == "1!"
    assert browser.cookie.count("session=") == 1
    assert await browser.text("/count") == "2!"


async def test_change_after_the_head_is_told(app: App) -> None:
    """A stream that changes the session while it is written is told, since no cookie can be set any more."""
    told: list[BaseException] = []

    @app.get("/")
    async def stream(session: Session) -> StreamResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"a"
            try:
                session["late"] = 1
            except SessionTooLate as error:
                told.append(error)
            yield b"b"

        return StreamResponse(parts())

    response = await Browser(app).get("/")
    assert isinstance(response, StreamResponse)
    async for _ in response.body_iterator:
        pass
    assert "DJN-724" in str(told[0])


async def test_current_session_and_sync_handlers(app: App, browser: Browser) -> None:
    """`current.session` is the same session, in plain functions and threads too."""

    @app.get("/")
    def home() -> str:
        current.session["n"] = current.session.get("n", 0) + 1
        return str(current.get(Session)["n"])

    assert await browser.text("/") == "1"
    assert await browser.text("/") == "2"


async def test_outside_of_a_request() -> None:
    """A command or script has no visitor, and is told so."""
    app = App(settings=settings())
    app.use(Sessions())
    async with app.context():
        with pytest.raises(Exception, match=r"no request|outside of a request"):
            _ = current.session


def test_nothing_is_loaded_before_it_is_needed() -> None:
    """Importing the room loads no cryptography; opening the first session does."""
    import subprocess

    code = (
        "import sys, demijohn.sessions; from demijohn import App; App().use(demijohn.sessions.Sessions());"
        "print(sorted({'cryptography', 'itsdangerous'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert shown == "[]\n"


@pytest.mark.parametrize(
    "ages", [(timedelta(0), timedelta(1)), (timedelta(2), timedelta(1)), (timedelta(-1), timedelta(1))]
)
def test_ages_that_contradict_each_other(ages: tuple[timedelta, timedelta]) -> None:
    """An idle time beyond the absolute one is found where it is written."""
    with pytest.raises(ConfigurationError) as caught:
        Sessions(idle_timeout=ages[0], absolute_timeout=ages[1])
    assert caught.value.code == "DJN-722"


async def test_domain_and_path(app: App) -> None:
    """A cookie for subdomains or a path cannot be bound to the host, and says no more than it holds."""
    app.use(Sessions(cookie_name="sid", domain="example.org", path="/app", samesite="strict"))
    counting(app)
    browser = Browser(app, "https")
    await browser.get("/count")
    assert browser.cookie.startswith("__Secure-sid=")
    assert "Domain=example.org" in browser.cookie
    assert "Path=/app" in browser.cookie
    assert "samesite=strict" in browser.cookie.lower()
    assert await browser.text("/count") == "2"


async def test_cookies_for_other_sites(app: App) -> None:
    """`SameSite=None` is said on https, where browsers take it; over http the default has to do."""
    app.use(Sessions(samesite="none"))
    counting(app)
    for scheme, expected in (("https", "samesite=none"), ("http", "samesite=lax")):
        browser = Browser(app, scheme)
        await browser.get("/count")
        assert expected in browser.cookie.lower()
        assert await browser.text("/count") == "2"


def test_sockets_read_the_session(app: App) -> None:
    """A WebSocket sees the session of its visitor, and is told that it cannot change it any more."""
    counting(app)

    @app.websocket("/socket")
    async def socket(socket: WebSocket, session: Session) -> None:
        await socket.accept()
        await socket.send_text(str(session.get("n")))
        try:
            session["n"] = 100
        except SessionTooLate:
            await socket.send_text("too late")

    with TestClient(app) as client:
        client.get("/count")
        with client.websocket("/socket") as connection:
            assert connection.receive_text() == "1"
            assert connection.receive_text() == "too late"
        assert client.get("/look").text == "1"


# -- typed sessions ----------------------------------------------------------------------------------------------------


class Cart(SessionData):
    """What tests keep."""

    items: list[int] = []
    coupon: str | None = None


async def test_typed_sessions(app: App, browser: Browser) -> None:
    """A class bound by its type is the visitor's own; what is changed in it is kept, what is not sets no cookie."""

    @app.get("/add/{item:int}")
    async def add(cart: Cart, item: int, session: Session) -> str:
        cart.items.append(item)
        assert session.typed(Cart) is cart
        return str(cart.items)

    @app.get("/show")
    async def show(cart: Cart) -> str:
        return f"{cart.items} {cart.coupon}"

    assert await browser.text("/show") == "[] None"
    assert browser.cookie == ""
    assert await browser.text("/add/1") == "[1]"
    assert await browser.text("/add/2") == "[1, 2]"
    assert await browser.text("/show") == "[1, 2] None"
    assert browser.cookie == ""
    assert Cart().items == []


async def test_typed_sessions_survive_a_deployment(
    app: App, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    """What does not fit the class any more begins anew, and the log says which field."""

    class Old(SessionData):
        session_key: ClassVar[str] = "cart"
        items: list[str] = []

    @app.get("/old")
    async def old(cart: Old) -> str:
        cart.items.append("x")
        return ""

    @app.get("/new")
    async def new(cart: Cart) -> str:
        return str(cart.items)

    await browser.get("/old")
    assert await browser.text("/new") == "[]"
    assert "items" in caplog.text


async def test_typed_sessions_are_checked(app: App, browser: Browser) -> None:
    """A field without a default, and two classes under one key, are told."""

    class Lacking(SessionData):
        name: str

    class Other(SessionData):
        session_key: ClassVar[str] = "cart"
        x: int = 0

    caught: list[BaseException] = []
    app.add_error_handler(SessionDataMistake, lambda error: (caught.append(error), ("", 500))[1])

    @app.get("/lacking")
    async def lacking(session: Session) -> str:
        session.typed(Lacking)
        return ""

    @app.get("/both")
    async def both(session: Session) -> str:
        session.typed(Cart)
        session.typed(Other)
        return ""

    assert (await browser.get("/lacking")).status == 500
    assert "no default for name" in str(caught[0])
    assert (await browser.get("/both")).status == 500
    assert "both kept under 'cart'" in str(caught[1])


# -- stores ------------------------------------------------------------------------------------------------------------


class SlowStore(MemorySessionStore):
    """A store that has to be awaited, as a database is."""

    is_immediate = False

    async def load(self, key: str) -> bytes | None:
        import asyncio

        await asyncio.sleep(0)
        return await super().load(key)


@pytest.mark.parametrize("make_store", [MemorySessionStore, SlowStore])
async def test_stores(app: App, browser: Browser, make_store: type[MemorySessionStore]) -> None:
    """With a store the cookie holds a sealed id; large sessions fit, logout and rotation forget the old ones."""
    store = make_store()
    app.use(Sessions(store=store))
    counting(app)

    @app.get("/big")
    async def big(session: Session) -> str:
        session["big"] = "x" * 100_000
        return ""

    @app.get("/size")
    def size() -> str:
        return str(len(current.session["big"]))

    @app.get("/rotate")
    async def rotate(session: Session) -> str:
        session.rotate()
        return ""

    @app.get("/clear")
    async def clear(session: Session) -> str:
        session.clear()
        return ""

    assert [await browser.text("/count") for _ in range(2)] == ["1", "2"]
    await browser.get("/big")
    assert len(browser.cookies["session"]) < 200
    assert await browser.text("/size") == "100000"
    before = dict(browser.cookies)
    await browser.get("/rotate")
    assert len(store) == 1
    assert await browser.text("/look") == "2"
    old = Browser(app)
    old.cookies = before
    assert await old.text("/look") == "nothing", "the id from before the rotation is worth nothing"
    await browser.get("/clear")
    assert (len(store), browser.cookies) == (0, {})


async def test_hooks_come_too_late_for_a_store(app: App, browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    """What an `after_request` hook puts into a stored session is lost, and the log says so; the answer is sent."""
    app.use(Sessions(store=MemorySessionStore()))
    counting(app)

    @app.after_request
    async def hook(response: Response) -> None:
        current.session["late"] = True

    assert await browser.text("/count") == "1"
    assert "DJN-724" in caplog.text
    assert await browser.text("/count") == "2"


async def test_hooks_that_put_nonsense_in_lose_it(app: App, browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    """A hook that puts something in that cannot be kept loses that alone, not what the handler put in."""
    counting(app)

    @app.after_request
    async def hook(response: Response) -> None:
        current.session["thing"] = object()

    assert await browser.text("/count") == "1"
    assert "DJN-721" in caplog.text or "thing" in caplog.text
    assert await browser.text("/count") == "2"


async def test_stores_see_no_id(app: App, browser: Browser) -> None:
    """Who reads the store finds no id that a cookie could be made of; ids that nobody gave out are not adopted."""
    store = MemorySessionStore()
    app.use(Sessions(store=store))

    @app.get("/")
    async def home(session: Session) -> str:
        session["a"] = 1
        return session.id

    shown = await browser.text("/")
    assert shown not in list(store._kept)
    await store.delete(next(iter(store._kept)))
    assert await browser.text("/") != shown


async def test_store_that_is_away(app: App, browser: Browser) -> None:
    """A store that fails answers 500; nobody is signed out because a server is away."""
    store = MemorySessionStore()
    app.use(Sessions(store=store))
    counting(app)
    await browser.get("/count")

    async def fail(key: str) -> bytes | None:
        raise ConnectionError("away")

    store.load = fail  # type: ignore[method-assign]
    assert (await browser.get("/count")).status == 500
    assert browser.cookies
    del store.load  # type: ignore[method-assign]
    assert await browser.text("/count") == "2"


async def test_memory_store_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go when there are too many, and what is over its time is not given out."""
    store = MemorySessionStore(most=2)
    clock = [1000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    for key in "abc":
        await store.save(key, key.encode(), expires=2000)
    assert [await store.load(key) for key in "abc"] == [None, b"b", b"c"]
    await store.save("b", b"later", expires=3000)
    clock[0] = 2500
    assert await store.clear_expired() == 1
    assert await store.load("b") == b"later"
    clock[0] = 3500
    assert await store.load("b") is None
    await store.delete("nothing")


# -- the object --------------------------------------------------------------------------------------------------------


def test_it_shows_no_values() -> None:
    """The representation has the names alone."""
    request = Request("GET", "/", b"/", b"", [])
    session = Session(
        request, load=lambda: session_module.Kept(b"x" * 16, 1, 1, True, {"password": "hunter2"}), touch=lambda: None
    )
    assert repr(session) == "<Session, not opened>"
    assert session["password"] == "hunter2"
    assert repr(session) == "<Session of password>"
    assert "hunter2" not in f"{session} {session!r}"
