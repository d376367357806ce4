"""The clients: httpx2's, with the app behind them instead of a network."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Self

import httpx2

from demijohn.errors import DemijohnError
from demijohn.testing.harness import Harness
from demijohn.testing.home import stop_all
from demijohn.testing.live import LiveServer
from demijohn.testing.portal import Portal, TaskRunner, shared_portal
from demijohn.testing.sockets import AppWire, AsyncSocketSession, LiveWire, SocketSession, Wire
from demijohn.testing.transport import AppTransport, AsyncAppTransport

__all__ = ["AsyncClient", "TestClient"]

_CLIENT = ("127.0.0.1", 50000)
# A test plays the browser of the site's own visitor; whoever tests an attack from elsewhere overrides it.
_HEADERS = {"user-agent": "demijohn-test", "sec-fetch-site": "same-origin"}


class TestClient(httpx2.Client):
    """A client of an app for sync tests, without a socket or a server.

    It is an `httpx2.Client`: `get`, `post(data=..., json=..., files=...)`, `stream`, `cookies`, `headers` and all the
    rest are its own. The app runs on a loop in a background thread. It is started by `with`, or at the first request,
    and stopped by `close`, if no other client needs it. Redirects are not followed unless `follow_redirects=True`.

    Args:
        app: An `App`, or any other ASGI app (Any: the clients only call it).
        live: Serve the app on a free port, and go there over a socket.
        base_url: What paths are relative to; `http://localhost`, or a host that the app allows.
        follow_redirects: Follow redirects by default.
        raise_server_exceptions: Raise here what a handler raised and no error handler knows, instead of answering 500.
        headers: Headers of every request.
        cookies: Cookies to begin with.
        harness: The test that the client belongs to; clients of one test share their cookies.

    Example:
        >>> from demijohn import App
        >>> app = App()
        >>> @app.get("/")
        ... def home():
        ...     return "Hello, World!"
        >>> with TestClient(app) as client:
        ...     client.get("/").text
        'Hello, World!'
    """

    __test__ = False  # pytest takes a class of such a name for a test

    def __init__(
        self,
        app: Any,
        *,
        live: bool = False,
        base_url: str = "",
        follow_redirects: bool = False,
        raise_server_exceptions: bool = True,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        harness: Harness | None = None,
    ) -> None:
        self.app = app
        self.portal: Portal = shared_portal()
        if stop_all not in self.portal.at_close:
            self.portal.at_close.append(stop_all)
        self.harness = harness or Harness(app, runs=self.portal, base_url=base_url)
        self._raises = raise_server_exceptions
        self._live: LiveServer | None = None
        self._failures = _Failures(app if live and raise_server_exceptions else None)
        transport: httpx2.BaseTransport
        if live:
            self._live = LiveServer(app)
            self.portal.run(self._live.__aenter__())
            transport = httpx2.HTTPTransport()
            base_url = base_url or self._live.url
        else:
            transport = AppTransport(
                app, portal=self.portal, client=_CLIENT, raise_server_exceptions=raise_server_exceptions
            )
        super().__init__(
            transport=transport,
            base_url=base_url or self.harness.base_url,
            headers=_HEADERS | dict(headers or {}),
            cookies=self.harness.jar,
            follow_redirects=follow_redirects,
            timeout=None,
            trust_env=False,
        )
        for name, value in (cookies or {}).items():
            self.harness.set_cookie(name, value)

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request (Any: the options of `httpx2.Client.send`)."""
        self._failures.forget()
        response = super().send(request, **options)
        self._failures.raise_first()
        return response

    def websocket(  # type: ignore[override]  # httpx2's own wants a network and another package
        self,
        url: str,
        *,
        subprotocols: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> SocketSession:
        """Open a WebSocket, for a `with` block.

        Raises:
            SocketRefused: The app answered with an ordinary response; when the block is entered.
        """
        wire = _wire(self, url, subprotocols, headers, live=self._live is not None, raises=self._raises)
        return SocketSession(AsyncSocketSession(wire), runner=TaskRunner(self.portal))

    @contextmanager
    def helper(self, name: str) -> Iterator[Any]:
        """Enter a test helper of a battery, for a `with` block.

        Any: the helper's value.

        Raises:
            NoHelper: No battery of the app offers it.
        """
        with self.portal.enter(self.harness.open(name)) as value:
            yield value

    @contextmanager
    def session_transaction(self) -> Iterator[Any]:
        """Read and change the session of the client's visitor between requests.

        Any: the session, whose class is a battery's.

        Example::

            with client.session_transaction() as session:
                session["cart"] = [1, 2]
        """
        with self.helper("session_transaction") as transaction, transaction() as session:
            yield session

    def close(self) -> None:
        """Close the client, and stop the app unless another client needs it."""
        super().close()
        self._end()

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        super().__exit__(exc_type, exc_value, traceback)
        self._end()

    def _end(self) -> None:
        live, self._live = self._live, None
        self._failures.close()
        if live is not None:
            self.portal.run(live.__aexit__(None, None, None))


class AsyncClient(httpx2.AsyncClient):
    """A client of an app for async tests; arguments as those of `TestClient`.

    The app is started on the loop that runs when the client is entered or first used, and stopped by `aclose`, if no
    other client needs it. If it runs on another loop already, requests go there.

    Example::

        async with AsyncClient(app) as client:
            response = await client.get("/")
    """

    def __init__(
        self,
        app: Any,
        *,
        live: bool = False,
        base_url: str = "",
        follow_redirects: bool = False,
        raise_server_exceptions: bool = True,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        harness: Harness | None = None,
    ) -> None:
        self.app = app
        self.harness = harness or Harness(app, base_url=base_url)
        self._raises = raise_server_exceptions
        self._live = LiveServer(app) if live else None
        self._has_base_url = bool(base_url)
        self._failures = _Failures(app if live and raise_server_exceptions else None)
        super().__init__(
            transport=httpx2.AsyncHTTPTransport()
            if live
            else AsyncAppTransport(app, client=_CLIENT, raise_server_exceptions=raise_server_exceptions),
            base_url=base_url or self.harness.base_url,
            headers=_HEADERS | dict(headers or {}),
            cookies=self.harness.jar,
            follow_redirects=follow_redirects,
            timeout=None,
            trust_env=False,
        )
        for name, value in (cookies or {}).items():
            self.harness.set_cookie(name, value)

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request (Any: the options of `httpx2.AsyncClient.send`)."""
        if self._live is not None and not self._has_base_url:
            raise DemijohnError(
                "A live AsyncClient was used before it was entered.",
                why="Its server starts with the `async with` block.",
                fix="Write:  async with AsyncClient(app, live=True) as client: ...",
                code="DJN-622",
            )
        self._failures.forget()
        response = await super().send(request, **options)
        self._failures.raise_first()
        return response

    def websocket(  # type: ignore[override]  # httpx2's own wants a network and another package
        self,
        url: str,
        *,
        subprotocols: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> AsyncSocketSession:
        """Open a WebSocket, for an `async with` block.

        Raises:
            SocketRefused: The app answered with an ordinary response; when the block is entered.
        """
        return AsyncSocketSession(
            _wire(self, url, subprotocols, headers, live=self._live is not None, raises=self._raises)
        )

    def helper(self, name: str) -> AbstractAsyncContextManager[Any]:
        """Enter a test helper of a battery, for an `async with` block.

        Any: the helper's value.

        Raises:
            NoHelper: No battery of the app offers it.
        """
        return self.harness.open(name)

    @asynccontextmanager
    async def session_transaction(self) -> AsyncIterator[Any]:
        """Read and change the session of the client's visitor between requests.

        Any: the session, whose class is a battery's.

        Example::

            async with client.session_transaction() as session:
                session["cart"] = [1, 2]
        """
        async with self.helper("session_transaction") as transaction, transaction() as session:
            yield session

    async def __aenter__(self) -> Self:
        if self._live is not None and not self._has_base_url:
            await self._live.__aenter__()
            self.base_url = httpx2.URL(self._live.url)
            self._has_base_url = True
        await super().__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await super().__aexit__(exc_type, exc_value, traceback)
        await self._end()

    async def aclose(self) -> None:
        """Close the client, and stop the app unless another client needs it."""
        await super().aclose()
        await self._end()

    async def _end(self) -> None:
        live, self._live = self._live, None
        self._failures.close()
        if live is not None and self._has_base_url:
            await live.__aexit__(None, None, None)


class _Failures:
    """What handlers of a live app raised: there is no other way than the app itself to hear of it (Any: the app)."""

    def __init__(self, app: Any) -> None:
        self._listeners: list[Any] = [] if app is None else getattr(app, "failure_listeners", [])
        self._seen: list[BaseException] = []
        self._listeners.append(self._note)

    def _note(self, _: object, error: BaseException) -> None:
        self._seen.append(error)

    def forget(self) -> None:
        self._seen.clear()

    def raise_first(self) -> None:
        if self._seen:
            raise self._seen[0]

    def close(self) -> None:
        if self._note in self._listeners:
            self._listeners.remove(self._note)


def _wire(
    client: TestClient | AsyncClient,
    url: str,
    subprotocols: Sequence[str],
    headers: Mapping[str, str] | None,
    *,
    live: bool,
    raises: bool,
) -> Wire:
    request = client.build_request("GET", url, headers=headers)
    base = request.url
    if "origin" not in request.headers:
        scheme = {"ws": "http", "wss": "https"}.get(base.scheme, base.scheme)
        request.headers["origin"] = f"{scheme}://{base.netloc.decode('ascii')}"
    if live:
        return LiveWire(base, headers=request.headers.raw, subprotocols=subprotocols)
    return AppWire(
        client.app,
        base,
        headers=request.headers.raw,
        subprotocols=subprotocols,
        client=_CLIENT,
        raise_server_exceptions=raises,
    )
