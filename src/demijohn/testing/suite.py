"""What one run of pytest holds: its loop, the tasks of its async tests, and the apps that run on it."""

import inspect
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from demijohn._lib.tracebacks import from_own_code
from demijohn.app.context import find_unit
from demijohn.errors import ConfigurationError
from demijohn.testing.harness import Harness
from demijohn.testing.home import home_of
from demijohn.testing.portal import TaskRunner, shared_portal

if TYPE_CHECKING:
    from demijohn.testing.client import AsyncClient

__all__ = ["Suite", "driven"]

T = TypeVar("T")


class Suite:
    """Made at the first fixture or async test that needs it, closed at the end of the run."""

    def __init__(self) -> None:
        self.portal = shared_portal()
        self.wide_runner = TaskRunner(self.portal)
        self._runners: dict[pytest.Item, TaskRunner] = {}
        self._entered: dict[tuple[pytest.Item, str], Any] = {}
        self._held: list[Any] = []

    def runner(self, item: pytest.Item) -> TaskRunner:
        """Return the task that the async fixtures and the body of one test run in."""
        runner = self._runners.get(item)
        if runner is None:
            runner = self._runners[item] = TaskRunner(self.portal)
        return runner

    def forget(self, item: pytest.Item) -> None:
        """End what belongs to one test."""
        runner = self._runners.pop(item, None)
        if runner is not None:
            runner.close()
        for key in [key for key in self._entered if key[0] is item]:
            del self._entered[key]

    def hold(self, app: Any) -> None:
        """Start an app on the loop of this run; it runs until its fixture ends, so not once for each test.

        An app that is wired wrongly fails the test with what is wrong: no line of the test has to do with it, and
        the steps in between are the framework's. Any: an app.
        """
        if any(held is app for held in self._held):
            return
        try:
            self.portal.run(home_of(app).hold())
        except ConfigurationError as error:
            if from_own_code(error.__traceback__) is not error.__traceback__:
                raise
            pytest.fail(f"The app cannot start. {error}", pytrace=False)
        self._held.append(app)

    def release(self, app: Any) -> None:
        """Let an app stop that was held (Any: an app)."""
        for index, held in enumerate(self._held):
            if held is app:
                del self._held[index]
                self.portal.run(home_of(app).let_go())
                return

    def close_client(self, client: "AsyncClient") -> None:
        """Close an async client on the loop that another plugin ran its test on."""
        loop = home_of(client.app).loop
        if loop is None or loop.is_running() or loop.is_closed():
            self.portal.run(client.aclose())
        else:
            loop.run_until_complete(client.aclose())

    @contextmanager
    def harness(self, app: Any, request: pytest.FixtureRequest) -> Iterator[Harness]:
        """Make what the clients and helpers of one test share (Any: an app)."""
        is_async = _is_async(request.node)
        yield Harness(app, runs=None if is_async else self.portal)

    def enter(self, name: str, harness: Harness, request: pytest.FixtureRequest) -> Any:
        """Enter a test helper until the test ends, once for each test (Any: the helper's value).

        Around it there is a unit of work, so that `current` and `wait` work in the test as in a script.
        """
        item = request.node
        key = (item, name)
        if key not in self._entered:
            if name != "db" and "db" in request.fixturenames:
                self.enter("db", harness, request)  # the unit below belongs inside of its transaction
            self.hold(harness.app)
            manager = harness.open(name)
            runner = self.runner(item)
            self._entered[key] = runner.run(manager.__aenter__())
            request._pyfuncitem.addfinalizer(lambda: runner.run(manager.__aexit__(None, None, None)))
            self._enter_unit(harness, request)
        return self._entered[key]

    def _enter_unit(self, harness: Harness, request: pytest.FixtureRequest) -> None:
        item = request.node
        key = (item, "")
        if key in self._entered or not hasattr(harness.app, "context"):
            return
        context = harness.app.context()
        if harness.is_async:
            runner = self.runner(item)
            self._entered[key] = runner.run(context.__aenter__())
            request._pyfuncitem.addfinalizer(lambda: runner.run(context.__aexit__(None, None, None)))
        else:
            self._entered[key] = context.__enter__()
            request._pyfuncitem.addfinalizer(lambda: context.__exit__(None, None, None))

    def close(self) -> None:
        """Stop every app and the loop."""
        for app in list(self._held):
            self.release(app)
        self.wide_runner.close()
        self.portal.close()


def _is_async(item: Any) -> bool:
    function = getattr(item, "obj", None)
    if callable(function):
        function = inspect.unwrap(function)
    hypothesis = getattr(function, "hypothesis", None)
    return inspect.iscoroutinefunction(getattr(hypothesis, "inner_test", function))


async def driven(awaitable: Awaitable[T]) -> T:
    """Await the code of a test or fixture as that of a handler is: where a unit of work is open, relations load."""
    unit = find_unit()
    if unit is not None and isinstance(awaitable, CoroutineType):
        for driver in unit.app.drivers:
            awaitable = driver.resume(awaitable)
    return await awaitable
