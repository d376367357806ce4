"""unittest, assertions, and what the clients' helpers say when something is wrong."""

import unittest
from pathlib import Path

import httpx2
import pytest

from demijohn import App, Settings, redirect
from demijohn.errors import FieldError, ValidationFailed
from demijohn.http import RedirectResponse
from demijohn.middleware import Security
from demijohn.testing import (
    AsyncTestCase,
    Harness,
    TestCase,
    TestClient,
    assert_errors,
    assert_redirects,
    assert_status,
)


def make_app() -> App:
    app = App()
    app.log = []
    app.on_startup(lambda: app.log.append("start"))
    app.on_shutdown(lambda: app.log.append("stop"))

    @app.get("/")
    def home() -> str:
        return "Hello, World!"

    @app.get("/old")
    def old() -> RedirectResponse:
        return redirect("/?a=1#there")

    @app.get("/wrong")
    def wrong() -> None:
        raise ValidationFailed([FieldError(("query", "page"), "int", "Not a number.")])

    return app


def run(case: type[unittest.TestCase]) -> unittest.TestResult:
    return unittest.defaultTestLoader.loadTestsFromTestCase(case).run(unittest.TestResult())


def test_cases_of_unittest() -> None:
    """Each test has a client of its own; the app starts and stops with it."""

    class Home(TestCase):
        app = make_app()

        def test_home(self) -> None:
            assert self.client.get("/").text == "Hello, World!"
            assert self.client is self.client

        def test_assertions(self) -> None:
            self.assertStatus(self.client.get("/"), 200)
            self.assertRedirects(self.client.get("/old"), "/?a=1#there")
            self.assertErrors(self.client.get("/wrong"), ["query.page"])

        def test_no_client(self) -> None:
            assert self.app.log.count("start") == self.app.log.count("stop")

    result = run(Home)
    assert (result.testsRun, result.failures, result.errors) == (3, [], [])
    assert Home.app.log == ["start", "stop"] * 2


def test_async_cases_of_unittest() -> None:
    """Async tests have an async client, and the app starts on their loop."""

    class Home(AsyncTestCase):
        app = make_app()

        async def test_home(self) -> None:
            assert (await self.client.get("/")).text == "Hello, World!"

        async def test_again(self) -> None:
            self.assertStatus(await self.client.get("/"), 200)

    result = run(Home)
    assert (result.testsRun, result.failures, result.errors) == (2, [], [])
    assert Home.app.log == ["start", "stop"] * 2


def test_the_app_of_a_case_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an `app` of its own, a case takes the one that the command line finds."""
    (tmp_path / "site_for_unittest.py").write_text("from demijohn import App\napp = App()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("DEMIJOHN_APP", "site_for_unittest.py")

    class Found(TestCase):
        def test_missing(self) -> None:
            self.assertStatus(self.client.get("/"), 404)

    result = run(Found)
    assert (result.testsRun, result.failures, result.errors) == (1, [], [])


def test_assertions_say_what_came() -> None:
    """A failed assertion shows the request, the status and the body."""
    with TestClient(make_app()) as client:
        with pytest.raises(AssertionError, match=r"expected 201 or 204 from GET /, got 200:\nHello, World!"):
            assert_status(client.get("/"), 201, 204)
        with pytest.raises(AssertionError, match=r"expected a redirect to '/x' from GET /, got 200"):
            assert_redirects(client.get("/"), "/x")
        with pytest.raises(AssertionError, match=r"got one to '/\?a=1#there'"):
            assert_redirects(client.get("/old"), "/x")
        with pytest.raises(AssertionError, match="expected a redirect with 308"):
            assert_redirects(client.get("/old"), "/?a=1#there", status=308)
        assert_redirects(client.get("/old"), "http://localhost/?a=1#there")
        with pytest.raises(AssertionError, match=r"expected errors at query.size, got:\n  query.page: Not a number."):
            assert_errors(client.get("/wrong"), ["query.size"])
        with pytest.raises(AssertionError, match="expected 422"):
            assert_errors(client.get("/"), [])
        with pytest.raises(AssertionError, match="expected errors from GET /"):
            assert_errors(client.get("/"), [], status=200)
        assert_errors(client.get("/wrong"), ["query.page"])


def test_a_long_body_is_cut() -> None:
    """A page of many lines does not drown the message."""
    response = httpx2.Response(500, text="x" * 5000, request=httpx2.Request("GET", "http://localhost/"))
    with pytest.raises(AssertionError) as caught:
        assert_status(response, 200)
    assert len(str(caught.value)) < 2200


@pytest.mark.parametrize(
    ("hosts", "url"),
    [
        ((), "http://localhost"),
        (("example.com", "localhost"), "http://localhost"),
        (("example.com", "www.example.com"), "https://example.com"),
        ((".example.com",), "https://example.com"),
        (("*",), "http://localhost"),
    ],
)
def test_the_host_is_one_that_the_app_allows(hosts: tuple[str, ...], url: str) -> None:
    """Tests go to localhost, or to a host of the app where it allows others only, by https where it insists on it."""
    assert Harness(App(settings=Settings(allowed_hosts=hosts))).base_url == url
    in_code = Security(allowed_hosts=hosts, https=False)
    assert Harness(App(settings=Settings(), security=in_code)).base_url == url.replace("https:", "http:")


def test_cookies_of_a_harness() -> None:
    """A cookie that a helper sets is sent to the app, and one that the app sets takes its place."""
    harness = Harness(object(), base_url="http://localhost")
    assert harness.cookie("a") is None
    harness.set_cookie("a", "1")
    harness.set_cookie("a", "2")
    assert harness.cookie("a") == "2"
    assert len(harness.jar) == 1
    assert harness.is_async
