"""Tracebacks without what led to the code of the app: the server, the command line, the machinery of imports."""

import os
import re
import site
import sysconfig
import traceback
from types import TracebackType
from typing import Final

__all__ = ["LIBRARIES", "OWN", "PACKAGES", "from_own_code", "is_library", "told"]

OWN: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
"""The folder of the framework."""
PACKAGES: Final = re.compile(r"[\\/](?:site|dist)-packages[\\/]")


def _libraries() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    found = {paths.get(name, "") for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found.update(site.getsitepackages() if hasattr(site, "getsitepackages") else ())
    found.add(site.getusersitepackages() if site.ENABLE_USER_SITE else "")
    found.add(os.path.dirname(os.__file__))
    real = {os.path.realpath(path) for path in found if path}
    return tuple({os.path.abspath(path) + os.sep for path in (found | real) if path} | {OWN})


LIBRARIES: Final = _libraries()


def is_library(file: str) -> bool:
    """Return whether a file belongs to Python, a library or the framework, or was generated.

    Example:
        >>> is_library(os.__file__), is_library("<demijohn GET />"), is_library("/srv/shop/views.py")
        (True, True, False)
    """
    if file.startswith("<"):
        return file != "<template>"
    path = os.path.abspath(file)
    return path.startswith(LIBRARIES) or PACKAGES.search(path) is not None


def from_own_code(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback from its first step in the app's own code on; all of it where there is none."""
    step = trace
    while step is not None and is_library(step.tb_frame.f_code.co_filename):
        step = step.tb_next
    return trace if step is None else step


def told(error: BaseException) -> str:
    """Return an exception as Python prints it, with what the author of the app can do something about.

    Each traceback begins in the app's own code. A cause that no line of the app has to do with is its message alone.
    """
    whole = traceback.TracebackException.from_exception(error)
    link: traceback.TracebackException | None = whole
    while link is not None:
        own = next((index for index, frame in enumerate(link.stack) if not is_library(frame.filename)), None)
        if own is not None:
            link.stack = traceback.StackSummary.from_list(list(link.stack)[own:])
        elif link is not whole:
            link.stack = None  # type: ignore[assignment]  # the way of Python itself to leave out a traceback
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "".join(whole.format())
