"""Every rule that stands before the console, each alone: what breaks it is refused, and the terminal says why."""

import logging

import pytest

from demijohn.debug import ConsoleRefused, Grant, debugger_of, find_grant, grant_console, revoke_console
from demijohn.debug import grant as grant_module
from demijohn.debug.rules import Refused, check_call
from demijohn.http import Request

from .conftest import HTML, ORIGIN, PREFIX, Pages, make_app


def refused(pages: Pages, caplog: pytest.LogCaptureFixture, why: str, status: int = 403, **options: object) -> None:
    """A console call is refused with that status, and both the answer and the terminal say why."""
    caplog.clear()
    caplog.set_level(logging.WARNING, "demijohn.debug")
    data: dict[str, object] = {"frame": pages.frame("inner"), "code": "1 + 1", **options}
    response = pages.call("console", **data)
    assert response.status_code == status
    assert why in response.json()["error"]
    assert any(why in record.getMessage() for record in caplog.records)


def test_right_call_is_answered(unlocked: Pages) -> None:
    """A call that breaks no rule is answered: otherwise the tests below would prove nothing."""
    response = unlocked.call("console", frame=unlocked.frame("inner"), code="item")
    assert response.status_code == 200
    assert response.json()["result"] == "'pear'"


@pytest.mark.parametrize("peer", ["192.168.1.7", "10.0.0.1", "8.8.8.8", "2001:db8::1", "testclient", ""])
def test_peer_is_this_machine(unlocked: Pages, caplog: pytest.LogCaptureFixture, peer: str, monkeypatch) -> None:
    """Rule: the peer of the socket is on the loopback address."""
    move(monkeypatch, peer)
    refused(unlocked, caplog, "is not this machine")


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_peers(unlocked: Pages, peer: str, monkeypatch) -> None:
    """Each form of the loopback address is this machine."""
    move(monkeypatch, peer)
    assert unlocked.call("console", frame=unlocked.frame("inner"), code="1").status_code == 200


def move(monkeypatch: pytest.MonkeyPatch, peer: str) -> None:
    """Have every request come from another address."""
    from demijohn.app import asgi

    made = asgi.request_from

    def request_from(*given: object):
        request = made(*given)  # type: ignore[arg-type]
        request.client = (peer, 1) if peer else None
        return request

    monkeypatch.setattr(asgi, "request_from", request_from)


@pytest.mark.parametrize(
    "header",
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "cf-connecting-ip", "via"],
)
def test_no_proxy_in_between(unlocked: Pages, caplog: pytest.LogCaptureFixture, header: str) -> None:
    """Rule: a request with a header that proxies set is refused, whatever it says."""
    refused(unlocked, caplog, f"the header {header}", headers={**ORIGIN, header: "127.0.0.1"})


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "[::2]"]
)
def test_host_is_ours(unlocked: Pages, caplog: pytest.LogCaptureFixture, host: str) -> None:
    """Rule: the host is localhost or listed, so that a rebound name is refused; the answer says what to list."""
    headers = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    refused(unlocked, caplog, "neither localhost nor listed", headers=headers)


@pytest.mark.parametrize("host", ["localhost:9", "shop.localhost", "127.0.0.1:8000", "[::1]"])
def test_own_hosts(unlocked: Pages, host: str) -> None:
    """The names of this machine are its hosts; what lacks then is the cookie, which belongs to another host."""
    headers = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    assert unlocked.call("console", frame=0, code="1", headers=headers).status_code in (200, 401)


def test_listed_host(grant: Grant) -> None:
    """A host of ALLOWED_HOSTS is ours; `*` lists nothing here."""
    headers = {"host": "shop.test", "origin": "http://shop.test", "sec-fetch-site": "same-origin"}
    assert (
        Pages(make_app(allowed_hosts=("shop.test", "localhost")))
        .call("unlock", pin=grant.pin, headers=headers)
        .status_code
        == 200
    )
    assert Pages(make_app(allowed_hosts=("*",))).call("unlock", pin=grant.pin, headers=headers).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "https://localhost", "http://localhost:81", "null", None])
def test_origin_is_the_page(unlocked: Pages, caplog: pytest.LogCaptureFixture, origin: str | None) -> None:
    """Rule: the origin is the page's own, and is there."""
    headers = {"sec-fetch-site": "same-origin"} | ({"origin": origin} if origin else {})
    refused(unlocked, caplog, "the origin", headers=headers)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", ""])
def test_fetch_site(unlocked: Pages, caplog: pytest.LogCaptureFixture, site: str) -> None:
    """Rule: the browser says that the call comes from the same origin."""
    headers = {"origin": "http://localhost", "sec-fetch-site": site}
    refused(unlocked, caplog, "Sec-Fetch-Site", headers=headers)


def test_fetch_site_is_there() -> None:
    """A client that says nothing of where its call comes from is refused: every browser of today does."""
    fields = {b"host": b"localhost", b"origin": b"http://localhost", b"content-type": b"application/json"}
    with pytest.raises(Refused, match="Sec-Fetch-Site is missing"):
        check_call(Request("POST", "/", b"/", b"", list(fields.items())))
    check_call(Request("POST", "/", b"/", b"", [*fields.items(), (b"sec-fetch-site", b"same-origin")]))


@pytest.mark.parametrize("name", ["console", "unlock", "action"])
def test_post_only(unlocked: Pages, name: str) -> None:
    """Rule: nothing is done by GET, so that neither a link nor an image can."""
    response = unlocked.client.get(f"{PREFIX}/{name}", headers=ORIGIN)
    assert response.status_code == 405


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_json_only(unlocked: Pages, kind: str) -> None:
    """Rule: the body is JSON and says so, which no form of another site can."""
    response = unlocked.client.post(f"{PREFIX}/console", content=b"{}", headers={**ORIGIN, "content-type": kind})
    assert response.status_code == 415


@pytest.mark.parametrize("token", ["", "x", "é" * 43, None])
def test_token_of_the_page(unlocked: Pages, token: str | None) -> None:
    """Rule: the token of the page is there; after a reload it is another one, and the answer is 410."""
    response = unlocked.call("console", token=token, frame=0, code="1")
    assert response.status_code in (400, 410)


def test_reload_makes_pages_old(unlocked: Pages, caplog: pytest.LogCaptureFixture) -> None:
    """A page of the process before the reload is told so, with 410."""
    debugger_of(unlocked.app).token = "another process has another one"
    refused(unlocked, caplog, "the code was reloaded", status=410)


def test_token_is_random(grant: Grant) -> None:
    """The token has 256 bits and is another one for each app and process; it is in no URL."""
    first, second = Pages(make_app()), Pages(make_app())
    assert first.token != second.token
    assert len(first.token) == 43
    assert first.token not in str(first.client.get("/fail", headers={"accept": "application/json"}).json()["debug_url"])


def test_pin_is_wanted(pages: Pages) -> None:
    """Rule: without the cookie that the PIN gives, nothing is run."""
    response = pages.call("console", frame=pages.frame("inner"), code="1 + 1")
    assert response.status_code == 401
    assert "result" not in response.json()


def test_cookie_of_another_is_refused(pages: Pages) -> None:
    """A cookie that was made up is worth nothing."""
    pages.client.cookies.set("__demijohn_debug", "x" * 43)
    assert pages.call("console", frame=0, code="1").status_code == 401


def test_cookie_is_strict(pages: Pages, grant: Grant) -> None:
    """The cookie is for this path, this site and this session of the browser, and no script sees it."""
    cookie = pages.call("unlock", pin=grant.pin).headers["set-cookie"].lower()
    for part in ("httponly", "samesite=strict", f"path={PREFIX}"):
        assert part in cookie
    assert "max-age" not in cookie
    assert "expires" not in cookie
    assert grant.pin not in cookie


def test_pin_may_be_written_with_spaces(pages: Pages, grant: Grant) -> None:
    """People may leave out the dashes."""
    assert pages.call("unlock", pin=grant.pin.replace("-", " ")).status_code == 200


def test_five_failures_lock(pages: Pages, grant: Grant, caplog: pytest.LogCaptureFixture) -> None:
    """Rule: after five wrong PINs nobody gets in until the server starts anew, not even with the right one."""
    debugger_of(pages.app).delay = 0
    wrong = "111-111-111" if grant.pin != "111-111-111" else "222-222-222"
    for _ in range(5):
        assert pages.call("unlock", pin=wrong).status_code == 403
    response = pages.call("unlock", pin=grant.pin)
    assert response.status_code == 403
    assert "locked" in response.json()["error"]
    assert any("locked" in record.getMessage() for record in caplog.records)


def test_lock_holds_for_those_inside(unlocked: Pages, grant: Grant) -> None:
    """Whoever was inside is locked out too: it cannot be told who tried."""
    debugger_of(unlocked.app).delay = 0
    for _ in range(5):
        unlocked.call("unlock", pin="0")
    assert unlocked.call("console", frame=0, code="1").status_code == 403


def test_wrong_pins_are_counted_across_processes() -> None:
    """The count lies in memory that forked processes share: a reload does not give new tries."""
    import os

    grant = Grant()
    for _ in range(5):
        pid = os.fork()
        if not pid:
            grant.try_pin("0")
            os._exit(0)
        os.waitpid(pid, 0)
    assert grant.is_locked


def test_pins_are_random() -> None:
    """A PIN is another one at each start, and has nine digits."""
    pins = {Grant().pin for _ in range(20)}
    assert len(pins) == 20
    assert all(len(pin) == 11 for pin in pins)


def test_five_failures_are_kept(grant: Grant) -> None:
    """At most five tracebacks are kept; the oldest answers 410."""
    pages = Pages(make_app())
    assert pages.call("unlock", pin=grant.pin).status_code == 200
    for _ in range(5):
        pages.client.get("/fail", headers=HTML)
    assert len(debugger_of(pages.app).shelf) == 5
    assert pages.call("console", frame=0, code="1").status_code == 410


def test_ten_minutes(unlocked: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback is dropped after ten minutes."""
    import time

    now = time.monotonic()
    monkeypatch.setattr("demijohn.debug.shelf.time.monotonic", lambda: now + 601)
    assert unlocked.call("console", frame=0, code="1").status_code == 410


def test_frames_are_not_held_without_a_console() -> None:
    """Where there is no console, neither the exception nor a frame is kept: they hold what their variables hold."""
    pages = Pages(make_app())
    kept = debugger_of(pages.app).shelf.find(pages.trace)
    assert kept is not None
    assert (kept.error, kept.steps, kept.context) == (None, [], None)


def test_no_console_without_a_grant() -> None:
    """Rule: a setting alone gives no console; the page has none, and calls are refused."""
    pages = Pages(make_app())
    assert 'class="console"' not in pages.text
    response = pages.call("console", frame=0, code="1")
    assert response.status_code == 403
    assert "demijohn run --console" in response.json()["error"]


def test_no_console_by_itself(unlocked: Pages) -> None:
    """There is no console without a failure."""
    assert unlocked.call("console", trace="", frame=0, code="1").status_code == 410
    assert unlocked.client.get(f"{PREFIX}/console", headers=HTML).status_code == 405
    assert unlocked.client.get("/console", headers=HTML).status_code == 404


def test_one_worker() -> None:
    """Rule: more than one worker has no console."""
    with pytest.raises(ConsoleRefused, match="4 workers"):
        grant_console(hosts=["127.0.0.1"], workers=4)
    assert find_grant() is None


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "", "192.168.1.7", "example.org"])
def test_own_address_only(host: str) -> None:
    """Rule: an address that others can reach has no console, unless it says who may use it."""
    with pytest.raises(ConsoleRefused, match="--console-allow-ip"):
        grant_console(hosts=[host])
    assert find_grant() is None


def test_named_peers() -> None:
    """A peer that was named may use the console; another one may not."""
    try:
        grant = grant_console(hosts=["0.0.0.0"], allow=["192.168.1.0/28"])
        assert grant.allows("192.168.1.7")
        assert grant.allows("127.0.0.1")
        assert not grant.allows("192.168.1.77")
    finally:
        revoke_console()


def test_named_peers_are_addresses() -> None:
    """What names no address is a mistake, told at the start."""
    with pytest.raises(ConsoleRefused, match="is not an address"):
        grant_console(hosts=["0.0.0.0"], allow=["everybody"])


def test_production_has_no_grant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule: there is no console where the environment is production."""
    monkeypatch.setenv("DEMIJOHN_ENV", "production")
    with pytest.raises(ConsoleRefused, match="production"):
        grant_console(hosts=["127.0.0.1"])


def test_other_processes_have_no_grant(monkeypatch: pytest.MonkeyPatch, grant: Grant) -> None:
    """A process that the development server did not fork by itself has no console."""
    monkeypatch.setattr(grant_module.os, "getpid", lambda: 1)
    monkeypatch.setattr(grant_module.os, "getppid", lambda: 2)
    assert find_grant() is None
    monkeypatch.undo()
    assert find_grant() is grant


def test_pages_are_not_read_by_other_sites(pages: Pages) -> None:
    """A page that is shown again is neither for other sites nor for other machines."""
    url = f"{PREFIX}/{pages.trace}"
    assert pages.client.get(url, headers=HTML).status_code == 200
    assert pages.client.get(url, headers={**HTML, "sec-fetch-site": "cross-site"}).status_code == 403
    assert pages.client.get(url, headers={**HTML, "x-forwarded-for": "1.2.3.4"}).status_code == 403
    assert pages.client.get(f"{PREFIX}/nothing", headers=HTML).status_code == 404


def test_hooks_of_the_app_do_not_stand_in_the_way(grant: Grant) -> None:
    """A hook that asks everybody to log in does not hide the debugger."""
    app = make_app()

    @app.before_request
    async def log_in(request: object) -> str | None:
        return "log in" if getattr(request, "method", "") == "POST" else None

    assert Pages(app).call("unlock", pin=grant.pin).status_code == 200


# -- actions ----------------------------------------------------------------------------------------------------------


def app_with_actions():
    """An app with an action that always helps, one that helps against KeyError, and one against another mistake."""
    app = make_app()
    app.done = []

    def migrate(app: object) -> str:
        """Apply the pending migrations."""
        app.done.append("migrated")  # type: ignore[attr-defined]
        return "Two migrations were applied."

    async def stock() -> None:
        """Add the fruit."""
        app.done.append("stocked")

    stock.applies_to = KeyError
    migrate.applies_to = lambda error: isinstance(error, LookupError)

    def other() -> None:
        """Never offered."""

    other.applies_to = (OSError,)

    def fails() -> None:
        raise RuntimeError("password=hunter2")

    for name, function in {"migrate": migrate, "stock": stock, "other": other, "fails": fails}.items():
        app.actions.add(name, function)
    return app


def signature(pages: Pages, name: str) -> str:
    """The signature of an action in the page."""
    import re

    found = re.search(rf'data-name="{name}" data-signature="(\w+)"', pages.text)
    assert found is not None
    return found[1]


def test_action_runs() -> None:
    """An action that the page offers runs by its signature; its text is shown."""
    pages = Pages(app_with_actions())
    assert "Apply the pending migrations" in pages.text
    answer = pages.call("action", name="migrate", signature=signature(pages, "migrate"))
    assert answer.json() == {"message": "Two migrations were applied."}
    assert pages.call("action", name="stock", signature=signature(pages, "stock")).status_code == 200
    assert pages.app.done == ["migrated", "stocked"]


def test_actions_fit_the_failure() -> None:
    """An action for other exceptions is not offered, and cannot be run with another one's signature."""
    pages = Pages(app_with_actions())
    assert "Never offered" not in pages.text
    for given in ("", "0" * 64, signature(pages, "migrate")):
        assert pages.call("action", name="other", signature=given).status_code == 403
    assert pages.call("action", name="os.system", signature=signature(pages, "migrate")).status_code == 403
    assert pages.app.done == []


def test_action_of_another_page_is_refused() -> None:
    """A signature holds for one failure alone."""
    app = app_with_actions()
    first, second = Pages(app), Pages(app)
    assert second.call("action", name="migrate", signature=signature(first, "migrate")).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}, {**ORIGIN, "x-forwarded-for": "127.0.0.1"}],
)
def test_actions_have_the_rules_too(headers: dict[str, str]) -> None:
    """What is refused to the console is refused to actions."""
    pages = Pages(app_with_actions())
    given = signature(pages, "migrate")
    assert pages.call("action", name="migrate", signature=given, headers=headers).status_code == 403
    assert pages.app.done == []


def test_failing_action_says_so() -> None:
    """An action that fails is told without its secrets."""
    pages = Pages(app_with_actions())
    answer = pages.call("action", name="fails", signature=signature(pages, "fails"))
    assert answer.status_code == 500
    assert "RuntimeError" in answer.json()["error"]
    assert "hunter2" not in answer.json()["error"]
