"""What a mistake of Python's comes from, and the line to write: for those who show a failure to its developer.

Nothing here is loaded before something has failed.
"""

import os
import re
from collections.abc import Iterator
from types import CodeType, CoroutineType, FrameType
from typing import NamedTuple

from demijohn._lib.elsewhere import KEYWORDS

__all__ = ["Advice", "add_advice", "advice_for"]

_PARTLY = re.compile(r"partially initialized module '([^']+)'")
_WANTED = re.compile(r"cannot import name '([^']+)'|has no attribute '([^']+)'")
_KEYWORD = re.compile(r"([A-Z]\w*(?:\.\w+)?)\(\) got an unexpected keyword argument '(\w+)'")
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_ASYNC = 0x80  # inspect.CO_COROUTINE


class Advice(NamedTuple):
    """The second and the third beat of an error that knows neither, and where there is more."""

    why: str
    fix: str
    code: str

    def __str__(self) -> str:
        return f"{self.why}\n{self.fix}  [{self.code}]"


def advice_for(error: BaseException) -> Advice | None:
    """Return what helps with an exception of Python's, or None."""
    if type(error) not in (TypeError, AttributeError, ImportError):
        return None
    told = str(error)
    if "coroutine" in told:
        return _not_awaited(error)
    if _PARTLY.search(told):
        return _circular(error, told)
    if "unexpected keyword" in told:
        return _keyword(told)
    return None


def add_advice(error: BaseException) -> None:
    """Add what helps as a note, which a traceback in a terminal ends with."""
    advice = advice_for(error)
    if advice is not None and str(advice) not in getattr(error, "__notes__", ()):
        error.add_note(str(advice))


# -- a coroutine that was not awaited ----------------------------------------------------------------------------------


def _not_awaited(error: BaseException) -> Advice | None:
    frames = [frame for frame in _frames(error) if not _is_library(frame)]
    for frame in reversed(frames):
        for name, value in frame.f_locals.items():
            if isinstance(value, CoroutineType):
                call = f"{_called(value)}(...)"
                why = f"`{name}` is the coroutine of `{call}`: the promise of a value, which nobody awaited."
                if frame.f_code.co_flags & _ASYNC:
                    return Advice(why, f"Write:  {name} = await {call}", "DJN-313")
                return Advice(why, f"Write:  {name} = wait({call})   with  from demijohn import wait", "DJN-313")
    why = "What an `async def` returns when it is called is a coroutine: the promise of a value, which nobody awaited."
    found = getattr(error, "obj", None)
    call = f"{_called(found)}(...)" if isinstance(found, CoroutineType) else "load(...)"
    if frames and not frames[-1].f_code.co_flags & _ASYNC:
        return Advice(why, f"Write:  wait({call})   with  from demijohn import wait", "DJN-313")
    return Advice(why, f"Write:  (await {call})", "DJN-313")


def _is_library(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return file.startswith((_ROOT, "<")) or "site-packages" in file


def _called(coroutine: "CoroutineType[object, object, object]") -> str:
    """Return the name that a coroutine's function is called by."""
    code: CodeType = coroutine.cr_code
    owner = "self." if code.co_varnames[:1] in (("self",), ("cls",)) else ""
    return f"{owner}{coroutine.__name__}"


# -- modules that import each other ------------------------------------------------------------------------------------


def _circular(error: BaseException, told: str) -> Advice | None:
    module = _PARTLY.findall(told)[0]
    names = _WANTED.findall(told)
    wanted = next(filter(None, names[0]), "") if names else ""
    who = next((str(name) for frame in reversed(list(_frames(error))) if (name := _module(frame))), "the module")
    why = (
        f"{module} imports {who}, and {who} imports {module}, which has not got to the line of {wanted!r} yet."
        if who != module
        else f"{module} is used before it was imported to its end."
    )
    feature = who.rpartition(".")[2]
    if wanted in ("app", "application"):
        fix = (
            "A module of routes needs no app. Write in it:\n"
            f'    from demijohn import Blueprint\n    {feature} = Blueprint("{feature}")   and  @{feature}.get(...)\n'
            f"and in {module}:\n    app.include({who}.{feature})"
        )
    elif wanted == "db":
        fix = "Models need no `db`. Write in theirs:  from demijohn.db import Model, Mapped, column"
    else:
        fix = f"Move {wanted or 'what both need'} into a module that imports neither of them."
    return Advice(why, fix, "DJN-425")


def _module(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__")
    hidden = frame.f_code.co_filename.startswith("<frozen ")
    return name if isinstance(name, str) and not hidden else ""


# -- keywords of other frameworks --------------------------------------------------------------------------------------


def _keyword(told: str) -> Advice | None:
    for called, keyword in _KEYWORD.findall(told):
        written = KEYWORDS.get(called.removesuffix(".__init__"), {}).get(keyword)
        if written is not None:
            return Advice("That is its name in another framework.", f"Here:  {written}", "DJN-016")
    return None


def _frames(error: BaseException) -> Iterator[FrameType]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next
