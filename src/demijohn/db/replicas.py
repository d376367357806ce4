"""Reads from replicas: a client reads its own writes, although a replica learns of them a moment later."""

from collections.abc import Callable
from typing import Any

from demijohn.app.context import find_unit
from demijohn.db.units import Scope, _scope
from demijohn.http import Request, Response

__all__ = ["remember_writes", "wrote_lately"]

COOKIE = "demijohn_wrote"
"""A client that has it reads from the primary. It holds nothing, and forging it only costs the forger speed."""


def wrote_lately() -> bool:
    """Return whether the client of the running request has written a moment ago."""
    unit = find_unit()
    return isinstance(unit, Request) and COOKIE in unit.cookies


def remember_writes(database: Any, seconds: float) -> Callable[[Request, Response], None]:
    """Return a hook that marks the client of a request which writes (Any: `Database`, made above this module)."""

    def remember(request: Request, response: Response) -> None:
        scope: Scope | None = _scope.get()
        unit = None if scope is None or scope.units is None else scope.units.get(database)
        if unit is not None and (unit.wrote or unit.is_begun() or unit.session.new or unit.session.dirty):
            response.set_cookie(COOKIE, "1", max_age=max(1, round(seconds)), httponly=True, samesite="lax")

    return remember
