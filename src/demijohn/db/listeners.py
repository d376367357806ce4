"""Who listens to sessions: seen without making what SQLAlchemy makes for each session to find out.

To make the `dispatch` of a session costs as much as the session itself; that of its class does where nobody asked for
the other.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy.orm import Session
from sqlalchemy.orm.identity import _WeakInstanceDict

__all__ = ["STEADY", "close_unheard", "heard_by"]

STEADY: set[Callable[..., object]] = set()
"""Listeners to `do_orm_execute` that do the same to all statements of a shape, so that what came of it may be kept."""


@cache
def _of_class(cls: Any) -> Any:
    return cls.__new__(cls).dispatch


def heard_by(session: Session) -> Any:
    """Return SQLAlchemy's `dispatch` of a session, to be looked at only (Any: its type is made at run time)."""
    cls: Any = type(session)
    return session.__dict__.get("dispatch") or _of_class(cls)


def close_unheard(session: Session) -> bool:
    """Close a session as SQLAlchemy does, where there is nothing to undo and nobody to tell; else return False."""
    heard = heard_by(session)
    if session._transaction is not None or session._new:
        return False
    if heard.persistent_to_detached or heard.deleted_to_detached:
        return False
    states = session.identity_map.all_states()
    session.identity_map._kill()
    session.identity_map = _WeakInstanceDict()
    session._deleted = {}
    for state in states:
        state.session_id = state._strong_obj = None
    return True
