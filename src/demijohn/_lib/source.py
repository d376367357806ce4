"""Where a function, class or call stands in the source, for messages that name the line."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from demijohn._lib.later import inspect

__all__ = ["caller", "place_of", "relative", "told_from"]

_told: ContextVar[str] = ContextVar("demijohn_told_from", default="")

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def relative(path: str) -> str:
    """Shorten a path to be relative to the working directory where it lies inside it."""
    try:
        short = os.path.relpath(path)
    except ValueError:  # another drive
        return path
    return path if short.startswith("..") else short


def caller() -> str:
    """Return `file:line` of the nearest frame outside of the framework."""
    told = _told.get()
    if told:
        return told
    frame = sys._getframe(1)
    while frame.f_back is not None and os.path.abspath(frame.f_code.co_filename).startswith(_ROOT):
        frame = frame.f_back
    return f"{relative(frame.f_code.co_filename)}:{frame.f_lineno}"


@contextmanager
def told_from(place: str) -> Iterator[None]:
    """Have `caller` answer with `place`: for what was declared there and is made later."""
    token = _told.set(place)
    try:
        yield
    finally:
        _told.reset(token)


def place_of(thing: Any) -> str:
    """Return `file:line` where a function or class is defined, or its repr.

    Takes `Any`: whatever a user registered may be shown in a message.
    """
    thing = inspect.unwrap(thing) if callable(thing) else thing
    code = getattr(thing, "__code__", None)
    if code is None and not isinstance(thing, type):
        thing = type(thing)
    if code is not None:
        return f"{relative(code.co_filename)}:{code.co_firstlineno}"
    try:
        file = inspect.getsourcefile(thing)
        line = inspect.getsourcelines(thing)[1]
    except (OSError, TypeError):
        return repr(thing)
    return f"{relative(file or '?')}:{line}"
