"""How the databases of an app take part in its requests, commands, tasks and sockets."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from threading import get_ident
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from demijohn.app.context import find_unit, wait
from demijohn.db.driver import current_task, drive, run_in_greenlet
from demijohn.db.units import Home, Scope, _scope, set_finder
from demijohn.db.watching import Watch, current_watch, everywhere
from demijohn.http import Connection, WebSocket

__all__ = ["Driving"]

T = TypeVar("T")
_log = logging.getLogger("demijohn.db")


class Driving:
    """The driver of an app that uses databases.

    It opens a scope for each coroutine, and ends it.

    Attributes:
        databases: By alias; batteries add to it when they are installed.
        watches: Whether statements are counted, and repeats reported (in development).
    """

    def __init__(self) -> None:
        self.databases: dict[str, Home] = {}
        # Made for each request: what all of them share stands in the class.
        self._scope: type[Scope] = type("RequestScope", (Scope,), {"databases": self.databases, "driven": True})
        self.watches = False

    async def drive(self, coroutine: Coroutine[Any, Any, T], /) -> T:
        """Run a request, command, task or socket handler with a scope of its own."""
        scope = self._scope()
        token = _scope.set(scope)
        watch = None
        if self.watches or everywhere:
            watch = current_watch.set(Watch(everywhere[-1] if everywhere else None))
        try:
            result = await drive(coroutine, scope)
            if scope.units:  # what was written after the response: by a stream, or in the clean-up
                scope.driven = False
                await scope.commit()
            return result
        finally:
            if scope.units is not None:
                scope.driven = False
                await scope.close()
            _scope.reset(token)
            if watch is not None:
                if self.watches:
                    self._report(scope)
                current_watch.reset(watch)

    def call(self, function: Callable[[], T], /) -> T:
        """Run a plain function in a worker thread.

        Relations and a plain session may wait there.
        """
        scope = _scope.get() or _of_unit(create=False)
        if scope is None:
            return function()
        before, scope.frame.thread = scope.frame.thread, get_ident()
        try:
            return run_in_greenlet(function)
        finally:
            scope.frame.thread = before

    async def resume(self, coroutine: Coroutine[Any, Any, T], /) -> T:
        """Run a coroutine that a plain script waits for, in the unit of work that is open."""
        scope = _of_unit()
        if scope is None:
            return await coroutine
        scope.resumed = True
        try:
            return await drive(coroutine, scope)
        finally:
            scope.driven = False

    async def finish(self, unit: Any, error: BaseException | None) -> None:
        """Commit, or roll back after an error (Any: the request or unit that ends)."""
        scope = _scope.get()
        driven = scope is not None
        if scope is None:
            scope = _scopes.get(unit)
            if scope is None:
                return
            scope.frame.task = current_task()
        if not scope.units:
            return
        try:
            if error is None:
                await scope.commit()
            else:
                await scope.rollback()
        finally:
            # A socket goes on with its next message, in a new unit of work; a script is at its end.
            if not driven or isinstance(unit, WebSocket):
                await scope.close()

    def _report(self, scope: Scope) -> None:
        watch = current_watch.get()
        if watch is None:
            return
        answers = isinstance(find_unit(), Connection)
        for statement, count in watch.repeats():
            # What is not a request may write row by row, as seeds do; it is read queries that were not meant.
            if count > 2 and (answers or statement.text.lstrip()[:6].upper() == "SELECT"):
                where, text = scope.label or "outside of a request", " ".join(statement.text.split())[:200]
                _log.warning("%s: the same statement ran %d times from %s: %s", where, count, statement.place, text)


# -- units that no driver has opened: scripts, and commands before they are driven ------------------------------------

_scopes: "WeakKeyDictionary[Any, Scope]" = WeakKeyDictionary()


def _of_unit(*, create: bool = True) -> Scope | None:
    """Return the scope of the running unit of the kernel, made at its first query."""
    unit = find_unit()
    if unit is None:
        return None
    known = _scopes.get(unit)
    if known is not None or not create:
        return known
    driving = next((driver for driver in unit.app.drivers if isinstance(driver, Driving)), None)
    if driving is None:
        return None
    scope = Scope.of(driving.databases)
    try:
        scope.task = current_task()
        scope.thread = getattr(unit, "thread", 0)  # of a script that waits for what runs here
    except RuntimeError:  # plain code of a script: its loop runs in another thread
        scope.task = wait(_task())
        scope.thread = get_ident()
    return _scopes.setdefault(unit, scope)


async def _task() -> asyncio.Task[Any] | None:
    return asyncio.current_task()


set_finder(_of_unit)
