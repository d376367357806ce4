"""Sessions: what a site remembers of a visitor, sealed in a cookie or kept in a store."""

from demijohn.app import flash, get_flashed_messages
from demijohn.sessions.battery import Sessions
from demijohn.sessions.data import SessionData
from demijohn.sessions.failures import (
    SessionDataMistake,
    SessionError,
    SessionTooLarge,
    SessionTooLate,
)
from demijohn.sessions.session import Session
from demijohn.sessions.signed import SignedCookie
from demijohn.sessions.stores import MemorySessionStore, SessionStore

__all__ = [
    "MemorySessionStore",
    "Session",
    "SessionData",
    "SessionDataMistake",
    "SessionError",
    "SessionStore",
    "SessionTooLarge",
    "SessionTooLate",
    "Sessions",
    "SignedCookie",
    "flash",
    "get_flashed_messages",
]
