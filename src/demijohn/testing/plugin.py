"""The pytest plugin: fixtures for an app and its clients, and `async def` tests on one loop.

pytest imports this file in every project where the package is installed, so it imports nothing that is not loaded then.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator

    from demijohn.app import App
    from demijohn.testing.client import AsyncClient, TestClient
    from demijohn.testing.commands import CommandRunner
    from demijohn.testing.harness import Harness
    from demijohn.testing.live import LiveServer
    from demijohn.testing.suite import Suite

_OTHER_LOOPS = ("trio", "twisted", "tornado")
_OTHERS = ("asyncio", "anyio", *_OTHER_LOOPS)
_suite_key: pytest.StashKey[Suite] = pytest.StashKey()


def _suite(config: pytest.Config) -> Suite:
    """Return what this run of pytest holds: the loop, and the apps that were started on it."""
    suite = config.stash.get(_suite_key, None)
    if suite is None:
        from demijohn.testing.suite import Suite

        suite = config.stash[_suite_key] = Suite()
    return suite


def pytest_unconfigure(config: pytest.Config) -> None:
    suite = config.stash.get(_suite_key, None)
    if suite is not None:
        suite.close()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "allow_blocking: the app may block its event loop in this test")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let the app block its loop where a test says so."""
    if item.get_closest_marker("allow_blocking") is None:
        return (yield)
    from demijohn.app.blocking import allow_blocking

    with allow_blocking():
        return (yield)


# -- async tests ------------------------------------------------------------------------------------------------------


def _is_ours(item: pytest.Item) -> bool:
    """Return whether no other plugin runs the async parts of this test."""
    if any(item.get_closest_marker(name) for name in _OTHERS):
        return False
    if "anyio_backend" in getattr(item, "fixturenames", ()):
        return False
    return not type(item).__module__.startswith("pytest_asyncio")


def _asyncio_takes_all(config: pytest.Config) -> bool:
    """Return whether pytest-asyncio was told to take every async fixture."""
    if not config.pluginmanager.hasplugin("asyncio"):
        return False
    mode = config.getoption("asyncio_mode", None) or config.getini("asyncio_mode")
    return str(getattr(mode, "value", mode)) == "auto"


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an `async def` test on the loop of this run."""
    if not _is_ours(pyfuncitem):
        return None
    function = pyfuncitem.obj
    hypothesis = getattr(function, "hypothesis", None)
    if hypothesis is not None and inspect.iscoroutinefunction(getattr(hypothesis, "inner_test", None)):
        hypothesis.inner_test = _sync(hypothesis.inner_test, _suite(pyfuncitem.config).runner(pyfuncitem).run)
        return None
    if not inspect.iscoroutinefunction(inspect.unwrap(function)):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    _suite(pyfuncitem.config).runner(pyfuncitem).run(_in_suite(function(**arguments)))
    return True


def _sync(
    function: Callable[..., Awaitable[object]], run: Callable[[Awaitable[object]], object]
) -> Callable[..., object]:
    @functools.wraps(function)
    def call(*args: object, **kwargs: object) -> object:
        __tracebackhide__ = True
        return run(_in_suite(function(*args, **kwargs)))

    return call


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Run async fixtures on the loop of this run; let an app run until its fixture ends."""
    function = fixturedef.func
    if (
        (inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function))
        and not getattr(function, "_force_asyncio_fixture", False)
        and not _asyncio_takes_all(request.config)
        and "anyio_backend" not in request.fixturenames
        and not any(request.node.get_closest_marker(name) for name in _OTHER_LOOPS)
    ):
        suite = _suite(request.config)
        bound = _bound(function, request.instance)
        run = (suite.runner(request.node) if request.scope == "function" else suite.wide_runner).run
        replaced = _generator(bound, run) if inspect.isasyncgenfunction(function) else _sync(bound, run)
        fixturedef.func = replaced  # type: ignore[misc]  # final, and the way that pytest's own plugins go
        try:
            return (yield)
        finally:
            fixturedef.func = function  # type: ignore[misc]
    value = yield
    if fixturedef.argname == "app" and callable(value):
        fixturedef.addfinalizer(functools.partial(_suite(request.config).release, value))
    return value


def _bound(function: Callable[..., Any], instance: object) -> Callable[..., Any]:
    """Return a fixture that is a method as one of the instance that the test belongs to."""
    owner = getattr(function, "__self__", None)
    if owner is not None and instance is not None and isinstance(instance, type(owner)):
        return function.__func__.__get__(instance)  # type: ignore[no-any-return, attr-defined]
    return function


def _generator(
    function: Callable[..., AsyncIterator[object]], run: Callable[[Awaitable[object]], object]
) -> Callable[..., Iterator[object]]:
    @functools.wraps(function)
    def call(*args: object, **kwargs: object) -> Iterator[object]:
        __tracebackhide__ = True
        steps: Any = function(*args, **kwargs)

        async def step() -> object:
            return await anext(steps, _END)

        value = run(_in_suite(step()))
        if value is _END:
            pytest.fail(f"the fixture {function.__name__!r} yielded nothing")
        yield value
        if run(_in_suite(step())) is not _END:
            run(steps.aclose())
            pytest.fail(f"the fixture {function.__name__!r} yielded more than once")

    return call


async def _in_suite(awaitable: Awaitable[object]) -> object:
    from demijohn.testing.suite import driven

    return await driven(awaitable)


_END = object()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """End the task of an async test when its fixtures have ended."""
    try:
        return (yield)
    finally:
        suite = item.config.stash.get(_suite_key, None)
        if suite is not None:
            suite.forget(item)


# -- fixtures ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def app(pytestconfig: pytest.Config) -> App:
    """The app under test, found as the command line finds it; override it to make your own."""
    from demijohn.cli.target import TargetError
    from demijohn.testing.finding import get_app

    try:
        return get_app(pytestconfig.rootpath)
    except TargetError as error:
        pytest.fail(
            f"{error}\n\nThe fixture `app` looks where `demijohn run` does. To make the app in another way, write in "
            "conftest.py:\n\n    @pytest.fixture\n    def app():\n        return create_app()",
            pytrace=False,
        )


@pytest.fixture
def demijohn_harness(app: App, request: pytest.FixtureRequest) -> Iterator[Harness]:
    """What the clients and helpers of one test share."""
    with _suite(request.config).harness(app, request) as harness:
        yield harness


@pytest.fixture
def client(app: App, demijohn_harness: Harness, request: pytest.FixtureRequest) -> Iterator[TestClient]:
    """A sync client of the app, with the cookies of one visitor."""
    from demijohn.testing.client import TestClient

    _suite(request.config).hold(app)
    with TestClient(app, harness=demijohn_harness) as client:
        yield client


@pytest.fixture
def async_client(app: App, demijohn_harness: Harness, request: pytest.FixtureRequest) -> Iterator[AsyncClient]:
    """An async client of the app, with the cookies of one visitor."""
    from demijohn.testing.client import AsyncClient

    # No async fixture: other plugins would each want it made in their own way.
    client = AsyncClient(app, harness=demijohn_harness)
    suite = _suite(request.config)
    if _is_ours(request.node):
        suite.hold(app)
        runner = suite.runner(request.node)
        runner.run(client.__aenter__())
        yield client
        runner.run(client.__aexit__())
    else:
        suite.release(app)  # it starts on the loop of the test, so that what both await belongs together
        yield client
        suite.close_client(client)


@pytest.fixture
def live_server(app: App, request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    """The app on a free port of this machine, for browsers and other clients: `live_server.url`."""
    from demijohn.testing.live import LiveServer

    suite = _suite(request.config)
    suite.hold(app)
    with suite.portal.enter(LiveServer(app)) as server:
        yield server


@pytest.fixture
def cli(app: App) -> CommandRunner:
    """Runs commands as the command line does: `cli("routes").output`."""
    from demijohn.testing.commands import CommandRunner

    return CommandRunner(app)


@pytest.fixture
def test_helper(app: App, demijohn_harness: Harness, request: pytest.FixtureRequest) -> Callable[[str], Any]:
    """Enters a test helper of a battery by its name, until the test ends: `test_helper("tasks")`."""
    suite = _suite(request.config)
    return lambda name: suite.enter(name, demijohn_harness, request)


@pytest.fixture
def db(test_helper: Callable[[str], Any]) -> Any:
    """The database of the app, rolled back when the test ends (Any: what the battery offers)."""
    return test_helper("db")


@pytest.fixture
def login(test_helper: Callable[[str], Any]) -> Any:
    """Logs a user in for the clients of this test (Any: what the battery offers)."""
    return test_helper("login")


@pytest.fixture
def session_transaction(test_helper: Callable[[str], Any]) -> Any:
    """Opens the session of the visitor of this test, to look into and to change (Any: what the battery offers)."""
    return test_helper("session_transaction")


@pytest.fixture
def mailbox(test_helper: Callable[[str], Any]) -> Any:
    """The mail that the app has sent in this test (Any: what the battery offers)."""
    return test_helper("mailbox")
