"""Queries in plain code: `for post in Post.where(...)`."""

from collections.abc import Callable
from threading import get_ident
from typing import TypeVar

from demijohn.db.driver import is_inside, run_in_greenlet
from demijohn.db.faults import NotInside
from demijohn.db.units import Unit

__all__ = ["run_now"]

T = TypeVar("T")


def run_now(unit: Unit, function: Callable[[Unit], T]) -> T:
    """Run a query in plain code.

    In a worker thread or script, or inside of a driven task (a template, an encoder).

    Raises:
        NotInside: Nothing here can wait.
    """
    if is_inside():
        return function(unit)
    if unit.scope.frame.thread == get_ident():
        return run_in_greenlet(lambda: function(unit))
    raise NotInside
