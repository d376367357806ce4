"""A visitor's session in a test: looked into and changed without a request."""

from types import TracebackType
from typing import Any, Protocol

from demijohn.http import Request, Response
from demijohn.sessions.carriage import Carriage
from demijohn.sessions.session import Session

__all__ = ["SessionTransaction"]


class _Test(Protocol):
    """What is needed of the harness of a test."""

    app: Any
    base_url: str
    is_async: bool

    def cookie(self, name: str) -> str | None: ...
    def set_cookie(self, name: str, value: str, *, path: str = "/") -> None: ...
    def adapt(self, function: Any) -> Any: ...


class SessionTransaction:
    """The session of a test's visitor, for a `with` or `async with` block.

    What is changed in it is there for the next request; a sync test writes `with`, an async one `async with`.

    Example:
        ```python notest
        def test_cart(client, session_transaction):
            with session_transaction() as session:
                session["cart"] = [1, 2]
            assert client.get("/cart").json() == [1, 2]
        ```
    """

    def __init__(self, carriage: Carriage, test: _Test) -> None:
        self._carriage = carriage
        self._test = test
        self._session: Session | None = None

    def __enter__(self) -> Session:
        session: Session = self._test.adapt(self._open)()
        return session

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self._test.adapt(self._close)()

    async def __aenter__(self) -> Session:
        return await self._open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if kind is None:
            await self._close()

    async def _open(self) -> Session:
        scheme = self._test.base_url.partition(":")[0]
        name = self._carriage.options.name_for(scheme)
        value = self._test.cookie(name)
        headers = [] if value is None else [(b"cookie", f"{name}={value}".encode())]
        request = Request("GET", "/", b"/", b"", headers)
        request.scheme = scheme
        request.app = self._test.app
        carriage = self._carriage
        made = carriage.begin(request) if carriage.store is None else await carriage.begin_stored(request)
        self._session = made
        return made

    async def _close(self) -> None:
        session = self._session
        if session is None:
            return
        request = session.request
        response = Response(b"")
        for function in request.after or ():
            done = function(response)
            if done is not None:
                await done
        request._exchange.finish(response)
        for line in response.headers.getlist("set-cookie"):
            pair = line.partition(";")[0]
            name, _, value = pair.partition("=")
            self._test.set_cookie(name, value, path=self._carriage.options.path)
