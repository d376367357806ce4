"""One test of one app: what the clients of the test share, and what the helpers of batteries work on."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from http.cookiejar import Cookie, CookieJar
from typing import Any, Protocol, TypeVar

from demijohn._lib.text import did_you_mean
from demijohn.errors import DemijohnError

__all__ = ["Harness", "NoHelper", "Runs"]

T = TypeVar("T")

_BATTERIES = {
    "db": 'app.use(Database("sqlite:///..."))',
    "login": "app.use(Auth(User))",
    "mailbox": "app.use(Mail())",
    "session_transaction": "app.use(Sessions())",
}


class NoHelper(DemijohnError):
    """A test asked for a helper that no battery of the app offers."""

    code = "DJN-621"


class Runs(Protocol):
    """What awaits on the loop for sync code: a portal, or one of its tasks."""

    def run(self, awaitable: Awaitable[T], /) -> T: ...


class Harness:
    """What a test helper gets: the app, the cookies, and a way to the loop.

    A battery offers a helper by `app.test_helpers.add(name, helper)`. The helper takes the harness and returns a value,
    a context manager, or is a generator function with one `yield`; each of them sync or async. It runs on the loop of
    the app, and what stands behind its `yield` runs when the test is over.

    Args:
        app: The app under test (Any: an `App`, or whatever the clients take).
        runs: Awaits on the loop for sync tests; None in an async test.
        base_url: The URL that paths are relative to.

    Example::

        async def mailbox(test: Harness):
            with record(test.app) as sent:
                yield sent

        app.test_helpers.add("mailbox", mailbox)
    """

    def __init__(self, app: Any, *, runs: Runs | None = None, base_url: str = "") -> None:
        self.app = app
        self.base_url = base_url or base_url_of(app)
        self.jar = CookieJar()
        if hasattr(app, "use_test_keys"):
            app.use_test_keys()
        self._runs = runs

    @property
    def is_async(self) -> bool:
        """Return whether the test awaits.

        Then helpers hand out coroutine functions as they are.
        """
        return self._runs is None

    def adapt(self, function: Callable[..., Awaitable[T]]) -> Callable[..., Any]:
        """Return an async function as the test can call it: as it is, or as a sync one.

        Any: an awaitable, or its result.
        """
        runs = self._runs
        if runs is None:
            return function

        def call(*args: Any, **kwargs: Any) -> T:
            return runs.run(function(*args, **kwargs))

        return call

    def set_cookie(self, name: str, value: str, *, path: str = "/") -> None:
        """Give the visitor of the test a cookie, as a response of the app would."""
        host = self.base_url.partition("://")[2].partition("/")[0].partition(":")[0]
        self.jar.set_cookie(
            Cookie(
                version=0,
                name=name,
                value=value,
                port=None,
                port_specified=False,
                # http.cookiejar keeps cookies of names without a dot below ".local"
                domain=host if "." in host else f"{host}.local",
                domain_specified=False,
                domain_initial_dot=False,
                path=path,
                path_specified=True,
                secure=False,
                expires=None,
                discard=True,
                comment=None,
                comment_url=None,
                rest={},
            )
        )

    def cookie(self, name: str) -> str | None:
        """Return the value of a cookie that the visitor has, or None."""
        for cookie in self.jar:
            if cookie.name == name:
                return cookie.value
        return None

    def open(self, name: str) -> AbstractAsyncContextManager[Any]:
        """Return what enters the helper of that name, on the loop of the app.

        Any: the helper's value.

        Raises:
            NoHelper: No battery of the app offers it.
        """
        registry = getattr(self.app, "test_helpers", {})
        if hasattr(self.app, "freeze"):
            self.app.freeze()
        if name not in registry:
            line = _BATTERIES.get(name)
            raise NoHelper(
                f"The test helper {name!r} was asked for.{did_you_mean(name, registry)}",
                why="No battery that this app uses offers it.",
                fix=f"Add the battery to the app:  {line}" if line else "Check the name, or add the battery.",
            )
        return _entered(registry[name], self)


@asynccontextmanager
async def _entered(helper: Callable[[Harness], Any], harness: Harness) -> AsyncIterator[Any]:
    if inspect.isasyncgenfunction(helper):
        made: Any = asynccontextmanager(helper)(harness)
    elif inspect.isgeneratorfunction(helper):
        made = contextmanager(helper)(harness)
    else:
        made = helper(harness)
        if inspect.isawaitable(made):
            made = await made
    if isinstance(made, AbstractAsyncContextManager):
        async with made as value:
            yield value
    elif isinstance(made, AbstractContextManager):
        with made as value:
            yield value
    else:
        yield made


def base_url_of(app: Any) -> str:
    """Return the URL that a test uses: localhost, or the first host where an app allows others only.

    An app that insists on https is asked by https.
    """
    protect = getattr(app, "protect", None)
    protection = None if protect is None else protect()
    allowed: Iterable[str] = () if protection is None else protection.hosts
    hosts = [host.lstrip("*").lstrip(".") for host in allowed]
    if not hosts or "" in hosts or any(host in ("localhost", "127.0.0.1") for host in hosts):
        return "http://localhost"
    scheme = "http" if protection is None or protection.redirect is None else "https"
    return f"{scheme}://{hosts[0]}"
