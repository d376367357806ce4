"""Sessions at little cost: who listens is seen without making what SQLAlchemy makes for each session to find out.

To make the `dispatch` of a session costs as much as the session itself; that of its class does where nobody asked for
the other.
"""

from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Any
from weakref import ref

from sqlalchemy.orm import Session
from sqlalchemy.orm.identity import _WeakInstanceDict
from sqlalchemy.orm.session import _new_sessionid, _sessions
from sqlalchemy.util import immutabledict

__all__ = ["STEADY", "Identities", "close_unheard", "heard_by", "make_session"]

STEADY: set[Callable[..., object]] = set()
"""Listeners to `do_orm_execute` that do the same to all statements of a shape, so that what came of it may be kept."""


class Identities(_WeakInstanceDict):
    """The objects of a session by their keys."""

    def _manage_incoming_state(self, state: Any) -> None:
        instance = state.obj()
        if instance is not None and getattr(state.obj, "__callback__", None) is None:  # see `close_unheard`
            state.obj = ref(instance, state._cleanup)
        super()._manage_incoming_state(state)


@cache
def _of_class(cls: Any) -> Any:
    return cls.__new__(cls).dispatch


def heard_by(session: Session) -> Any:
    """Return SQLAlchemy's `dispatch` of a session, to be looked at only (Any: its type is made at run time)."""
    cls: Any = type(session)
    return session.__dict__.get("dispatch") or _of_class(cls)


_blank: dict[str, Any] | None = None
_OWN = {"_new", "_deleted", "hash_key", "identity_map"}
_SHARED = (str, bool, type(None), type, Enum, immutabledict)


def make_session(session: Session, **options: Any) -> None:
    """Do what `Session.__init__` does, with the same options each time: all but the first session are copied.

    Any: the options of SQLAlchemy.
    """
    global _blank
    if _blank is None:
        Session.__init__(session, **options)
        blank = {name: value for name, value in vars(session).items() if name not in _OWN}
        # Nothing is copied where there is something that two sessions may not share.
        if vars(session).keys() >= _OWN and all(isinstance(value, _SHARED) for value in blank.values()):
            _blank = blank
    else:
        made = _blank.copy()
        made["_new"], made["_deleted"] = {}, {}
        made["hash_key"] = key = _new_sessionid()
        session.__dict__ = made
        _sessions[key] = session
    session.identity_map = Identities()


def close_unheard(session: Session) -> bool:
    """Close a session as SQLAlchemy does, where there is nothing to undo and nobody to tell; else return False."""
    heard = heard_by(session)
    if session._transaction is not None or session._new:
        return False
    if heard.persistent_to_detached or heard.deleted_to_detached:
        return False
    states = session.identity_map.all_states()
    session.identity_map._kill()
    session.identity_map = Identities()
    session._deleted = {}
    for state in states:
        state.session_id = None
        if state._strong_obj is not None:
            state._strong_obj = None
        instance = state.obj()
        if instance is not None:
            state.obj = ref(instance)  # no identity map has to hear of its end any more, and a call for each costs
    return True
