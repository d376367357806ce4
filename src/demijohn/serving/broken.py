"""What is served in development while the app cannot be loaded: its traceback."""

import linecache
import logging
import os
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, Final

from demijohn._lib.later import html
from demijohn.errors import DemijohnError
from demijohn.http import Request, Response

__all__ = ["BrokenApp", "describe_error"]

logger = logging.getLogger("demijohn.server")

_OWN: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><meta http-equiv="refresh" content="2">
<title>{title}</title>
<h1>The app cannot be loaded</h1>
<p>This page comes back to life as soon as the mistake is mended and the file is saved.</p>
<pre>{text}</pre>
</html>
"""


def describe_error(error: BaseException) -> str:
    """Return an exception as text: three beats for a mistake of ours, the traceback from the first user's line else."""
    if isinstance(error, DemijohnError):
        return f"{type(error).__name__}: {error}"
    linecache.checkcache()
    stack = traceback.TracebackException.from_exception(error)
    each: traceback.TracebackException | None = stack
    while each is not None:
        frames = _from_the_user(list(each.stack))
        if frames or isinstance(error, SyntaxError):
            each.stack[:] = frames
        each = each.__cause__ or each.__context__
    return "".join(stack.format()).rstrip()


def _from_the_user(frames: list[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    """Leave out how the framework came to import the module, which stands before the first line of the user's file."""
    importing = [index for index, frame in enumerate(frames) if frame.filename.startswith("<frozen importlib")]
    if importing:
        last = importing[0]
        while last + 1 in importing:
            last += 1
        frames = frames[last + 1 :]
    while frames and frames[0].filename.startswith(_OWN):
        frames = frames[1:]
    return frames


class BrokenApp:
    """An app that answers every request with the reason why the real one is not there. For development only.

    Args:
        error: What was raised while the app was loaded or started.
        answer: Makes a better page than this room can: the debugger's.
    """

    default_headers: Final = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]

    def __init__(self, error: BaseException, *, answer: Callable[[Request], Response] | None = None) -> None:
        self.answer = answer
        self.text = describe_error(error)
        page = _PAGE.format(title=html.escape(type(error).__name__), text=html.escape(self.text))
        self._page = page.encode("utf-8", "backslashreplace")

    def handle(self, request: Request, send: Any) -> Coroutine[Any, Any, None]:
        """Answer with the traceback, as a page for browsers and as text for others (Any: the server's `send`)."""
        return self._answer(request, send)

    async def _answer(self, request: Request, send: Any) -> None:
        done = send(self._response(request))
        if done is not None:
            await done

    def _response(self, request: Request) -> Response:
        if self.answer is not None:
            try:
                return self.answer(request)
            except Exception:
                logger.exception("The page of the debugger failed")
        if "text/html" in request.headers.get("accept", ""):
            return Response(self._page, 500, content_type="text/html; charset=utf-8")
        text = self.text.encode("utf-8", "backslashreplace") + b"\n"
        return Response(text, 500, content_type="text/plain; charset=utf-8")
