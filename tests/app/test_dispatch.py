"""What happens between the first guard and the last clean-up, and in which order."""

import asyncio
import threading
from typing import Any

import pytest

from demijohn import (
    App,
    Blueprint,
    Request,
    Response,
    View,
    abort,
    after_response,
    after_this_request,
    current,
    path,
    redirect,
    wait,
)
from demijohn.app.calls import make_call
from demijohn.app.encoding import WrongReturn
from demijohn.errors import ConfigurationError, HTTPError, OutsideContext, ValidationFailed
from demijohn.testing import TestClient
from tests.app.calling import call


async def test_sync_and_async_handlers_answer() -> None:
    """A `def` handler runs in a thread, an `async def` one in the request's task."""
    app = App()
    seen: dict[str, Any] = {}

    @app.get("/sync")
    def sync() -> str:
        seen["thread"] = threading.get_ident()
        return "sync"

    @app.get("/async")
    async def asynchronous() -> str:
        seen["task"] = asyncio.current_task()
        return "async"

    assert (await call(app, "GET", "/sync")).body == b"sync"
    assert seen["thread"] != threading.get_ident()
    assert (await call(app, "GET", "/async")).body == b"async"
    assert seen["task"] is asyncio.current_task()


async def test_inline_handler_runs_on_the_loop() -> None:
    """`inline=True` runs a trivial `def` handler in the loop's own thread."""
    app = App()

    @app.get("/", inline=True)
    def home() -> dict[str, int]:
        return {"thread": threading.get_ident()}

    assert (await call(app, "GET", "/")).body == b'{"thread":%d}' % threading.get_ident()


async def test_wait_runs_in_the_task_of_the_request() -> None:
    """What a sync handler waits for is awaited in the request's own task."""
    app = App()
    tasks: list[Any] = []

    async def load() -> int:
        tasks.append(asyncio.current_task())
        await asyncio.sleep(0)
        return 42

    @app.get("/")
    def home() -> dict[str, int]:
        return {"answer": wait(load())}

    assert (await call(app, "GET", "/")).body == b'{"answer":42}'
    assert tasks == [asyncio.current_task()]


async def test_wait_on_the_loop_refuses() -> None:
    """`wait` in a coroutine would stop the loop, so it says `await`."""

    async def nothing() -> None: ...

    with pytest.raises(OutsideContext, match="Write `await") as caught:
        wait(nothing())
    assert caught.value.code == "DJN-402"


async def test_order_of_hooks() -> None:
    """App hooks surround blueprint hooks, and these the handler; after-hooks run in reverse."""
    app, blog = App(), Blueprint("blog")
    order: list[str] = []

    @app.before_request
    async def app_before() -> None:
        order.append("app before")

    @blog.before_request
    def blog_before(request: Request) -> None:
        order.append(f"blog before {request.path}")

    @blog.after_request
    async def blog_after(response: Response) -> None:
        order.append(f"blog after {response.status}")

    @app.after_request
    def app_after(request: Request, response: Response) -> None:
        order.append("app after")

    @app.teardown_request
    def ended(error: BaseException | None) -> None:
        order.append(f"teardown {error!r}")

    @app.middleware
    async def around(request: Request, following: Any) -> Response:
        order.append("middleware in")
        response: Response = await following(request)
        order.append("middleware out")
        return response

    @blog.get("/")
    def home() -> str:
        order.append("handler")
        after_this_request(lambda response: order.append("after this"))
        after_response(lambda: order.append("later"))
        return "x"

    app.include(blog, prefix="/blog")
    await call(app, "GET", "/blog/")
    assert order == [
        "middleware in",
        "app before",
        "blog before /blog/",
        "handler",
        "after this",
        "blog after 200",
        "app after",
        "middleware out",
        "later",
        "teardown None",
    ]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_before_request_may_answer(kind: str) -> None:
    """What a before-hook returns is the answer, and the handler is not called."""
    app = App()

    if kind == "sync":

        @app.before_request
        def stop() -> tuple[str, int]:
            return "stopped", 403
    else:

        @app.before_request
        async def stop_too() -> tuple[str, int]:
            return "stopped", 403

    @app.get("/")
    def home() -> str:
        raise AssertionError("not reached")

    response = await call(app, "GET", "/")
    assert (response.status, response.body) == (403, b"stopped")


async def test_context_variables_travel_both_ways() -> None:
    """A sync before-hook, the handler and an async after-hook see what the others set."""
    app = App()

    @app.before_request
    def before() -> None:
        current.g.user = "ann"

    @app.get("/")
    def home() -> str:
        return f"{current.g.user} {current.request.path} {current.app is app}"

    assert (await call(app, "GET", "/")).body == b"ann / True"


async def test_errors_meet_their_handlers() -> None:
    """A handler for a status or class answers, the blueprint's before the app's, with the status of the error."""
    app, blog = App(), Blueprint("blog")

    @app.errorhandler(404)
    def missing(error: HTTPError) -> str:
        return "app: missing"

    @blog.errorhandler(404)
    async def blog_missing(request: Request, error: HTTPError) -> str:
        return f"blog: {error.detail}"

    @blog.errorhandler(LookupError)
    def lookup(error: LookupError) -> tuple[str, int]:
        return "no such key", 410

    @blog.get("/post")
    async def post() -> None:
        abort(404, "no post")

    @blog.get("/key")
    async def key() -> None:
        raise KeyError("x")

    app.include(blog)
    assert (await call(app, "GET", "/nothing")).body == b"app: missing"
    response = await call(app, "GET", "/post")
    assert (response.status, response.body) == (404, b"blog: no post")
    assert (await call(app, "GET", "/key")).status == 410


@pytest.mark.parametrize("sync", [False, True])
async def test_an_error_handler_may_pass_an_answer_on(sync: bool, caplog: pytest.LogCaptureFixture) -> None:
    """One that raises the error it was given leaves it to the framework's own answer: no failure, and no 500."""
    app = App()

    def missing(request: Request, error: HTTPError) -> str:
        if request.path.startswith("/api/"):
            raise error
        return "page"

    async def missing_async(request: Request, error: HTTPError) -> str:
        return missing(request, error)

    app.errorhandler(404)(missing if sync else missing_async)

    @app.get("/api/post")
    async def post() -> None:
        abort(404, "no post")

    for target in ("/api/post", "/api/nothing"):
        response = await call(app, "GET", target)
        assert (response.status, response.content_type) == (404, "application/problem+json")
    assert b"no post" in (await call(app, "GET", "/api/post")).body
    assert (await call(app, "GET", "/nothing")).body == b"page"
    assert caplog.text == ""


async def test_a_failing_error_handler_is_a_plain_500(caplog: pytest.LogCaptureFixture) -> None:
    """What an error handler raises never shows; it becomes a plain 500 and a line in the log."""
    app = App()

    @app.errorhandler(ValueError)
    def broken(error: ValueError) -> str:
        raise RuntimeError("secret")

    @app.get("/")
    async def home() -> None:
        raise ValueError

    response = await call(app, "GET", "/")
    assert response.status == 500
    assert b"secret" not in response.body
    assert "error handler" in caplog.text


async def test_unhandled_errors_tell_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Without debug, the client learns the status and nothing else; the log has the traceback."""
    app = App()

    @app.get("/")
    async def home() -> None:
        raise ValueError("the password is hunter2")

    response = await call(app, "GET", "/")
    assert response.body == b'{"type":"about:blank","title":"Internal Server Error","status":500}'
    assert "hunter2" in caplog.text


async def test_none_is_an_error_unless_meant() -> None:
    """A forgotten `return` names the handler; `-> None` and `status=204` mean it."""
    app = App(debug=False)

    @app.get("/forgotten")
    async def forgotten():  # type: ignore[no-untyped-def]
        pass

    @app.get("/annotated")
    async def annotated() -> None:
        pass

    @app.delete("/said", status=204)
    async def said():  # type: ignore[no-untyped-def]
        pass

    @app.errorhandler(Exception)
    def show(error: Exception) -> tuple[str, int]:
        return str(error), 500

    response = await call(app, "GET", "/forgotten")
    assert b"forgotten" in response.body
    assert b"DJN-310" in response.body
    assert (await call(app, "GET", "/annotated")).status == 204
    assert (await call(app, "DELETE", "/said")).status == 204


async def test_statuses_of_plain_values() -> None:
    """`status=201` is the status of a plain value; a tuple and a response keep their own."""
    app = App()

    @app.post("/plain", status=201)
    async def plain() -> dict[str, int]:
        return {"id": 1}

    @app.post("/tuple", status=201)
    async def pair() -> tuple[dict[str, int], int, dict[str, str]]:
        return {"id": 1}, 202, {"X-Queue": "7"}

    @app.post("/response", status=201)
    async def response() -> Response:
        return Response("x", 200)

    assert (await call(app, "POST", "/plain")).status == 201
    answered = await call(app, "POST", "/tuple")
    assert (answered.status, answered.headers["x-queue"]) == (202, "7")
    assert (await call(app, "POST", "/response")).status == 200


@pytest.mark.parametrize("value", [("x", "201"), ("x", "201 Created"), ("x", "201", {"X-A": "1"}), ("x", b"201")])
def test_a_status_is_a_number(value: tuple[object, ...]) -> None:
    """Text in the place of the status is told as such, with the line to write."""
    app = App()

    @app.get("/")
    async def home() -> object:
        return value

    with (
        pytest.raises(WrongReturn, match=r"returned a tuple with b?'201.*(.|\n)*return body, 201") as caught,
        TestClient(app) as client,
    ):
        client.get("/")
    assert caught.value.code == "DJN-312"


async def test_missing_routes() -> None:
    """404, 405 with Allow, OPTIONS, HEAD and the other form of a slash are automatic."""
    app = App()

    @app.get("/posts")
    @app.post("/posts")
    async def posts() -> str:
        return "posts"

    assert (await call(app, "GET", "/nothing")).status == 404
    refused = await call(app, "DELETE", "/posts")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    assert (await call(app, "HEAD", "/posts")).status == 200
    options = await call(app, "OPTIONS", "/posts")
    assert (options.status, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    slash = await call(app, "GET", "/posts/?page=2")
    assert (slash.status, slash.headers["location"]) == (301, "/posts?page=2")
    assert (await call(app, "POST", "/posts/")).status == 308


async def test_class_based_views() -> None:
    """A view is made anew for each request, and answers the methods that it has."""
    app = App()

    class Posts(View):
        seen = 0

        async def get(self, page: int = 1) -> dict[str, int]:
            self.seen += 1
            return {"page": page, "seen": self.seen}

        def post(self) -> tuple[str, int]:
            return "made", 201

    app.add_routes([path("/posts", Posts, name="posts")])
    for _ in range(2):
        assert (await call(app, "GET", "/posts?page=3")).body == b'{"page":3,"seen":1}'
    assert (await call(app, "POST", "/posts")).status == 201
    assert (await call(app, "PUT", "/posts")).status == 405
    assert app.url_for("posts") == "/posts"


async def test_the_app_is_closed_after_its_first_request() -> None:
    """A route that comes too late is refused, and the message names both places."""
    app = App()

    @app.get("/")
    async def home() -> str:
        return "x"

    await call(app, "GET", "/")
    with pytest.raises(ConfigurationError, match="was built already") as caught:
        app.get("/late")(home)
    assert caught.value.code == "DJN-418"
    assert "test_dispatch.py" in caught.value.seen


async def test_commit_comes_before_the_first_byte_and_its_failure_is_an_answer() -> None:
    """`before_send` runs once with None before the response; when it fails, the error handlers answer instead."""
    app = App()
    order: list[str] = []

    async def finish(unit: Any, error: BaseException | None) -> None:
        order.append(f"finish {error!r}")
        if error is None and unit.path == "/bad" and order.count("finish None") == 1:
            raise OSError("the disk is full")

    app.before_send.append(finish)

    @app.errorhandler(OSError)
    def full(error: OSError) -> tuple[str, int]:
        order.append("handler")
        return "full", 507

    @app.get("/good")
    async def good() -> str:
        return "good"

    @app.get("/bad")
    async def bad() -> str:
        return "bad"

    assert (await call(app, "GET", "/good")).body == b"good"
    assert order == ["finish None"]
    order.clear()
    assert (await call(app, "GET", "/bad")).status == 507
    assert order == ["finish None", "finish OSError('the disk is full')", "handler", "finish None"]


async def test_signals_are_sent_where_somebody_listens() -> None:
    """Listeners hear of each request and of what went wrong."""
    app = App()
    heard: list[str] = []
    signals = app.signals

    def started(sender: Any, request: Request) -> None:
        heard.append(f"started {request.path}")

    def finished(sender: Any, request: Request, response: Response) -> None:
        heard.append(f"finished {response.status}")

    def failed(sender: Any, request: Request, exception: BaseException) -> None:
        heard.append(f"failed {exception!r}")

    signals.request_started.connect(started)
    signals.request_finished.connect(finished)
    signals.got_request_exception.connect(failed)

    @app.get("/")
    async def home() -> str:
        raise ValueError

    await call(app, "GET", "/")
    assert heard == ["started /", "failed ValueError()", "finished 500"]


async def test_no_coroutine_stands_around_that_of_a_handler() -> None:
    """A small JSON body that has come is bound without awaiting; one that is on its way is awaited."""
    app = App()

    @app.post("/")
    async def handler(numbers: dict[str, int]) -> dict[str, int]:
        return numbers

    async def receive() -> bytes:
        return pieces.pop(0)

    app.freeze()
    whole = make_call(handler, path_names={}, services=app.services, methods=frozenset({"POST"})).whole
    assert whole is not None
    request = Request("POST", "/", b"/", b"", [(b"content-type", b"application/json")])
    request._body = b'{"a": 1}'
    coroutine = whole(request)
    assert coroutine.cr_code is handler.__code__
    assert await coroutine == {"a": 1}
    request._body = b'{"a": "b"}'
    with pytest.raises(ValidationFailed):
        await whole(request)
    pieces = [b'{"a":', b" 2}", b""]
    late = Request("POST", "/", b"/", b"", [(b"content-type", b"application/json")])
    late._receiver = receive
    assert await whole(late) == {"a": 2}


@pytest.mark.parametrize(("debug", "status"), [(False, 400), (True, 500)])
async def test_a_redirect_that_the_client_led_astray(debug: bool, status: int) -> None:
    """`redirect(next)` with another site's address is the client's fault; the developer is shown what to write."""
    app = App(debug=debug)

    @app.get("/leave")
    async def leave(next: str) -> Response:
        return redirect(next)

    assert (await call(app, "GET", "/leave?next=/home")).status == 302
    answer = await call(app, "GET", "/leave?next=//evil.example")
    assert answer.status == status
    assert "location" not in answer.headers
