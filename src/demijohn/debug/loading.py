"""The page for an app that cannot be loaded or started, in the place of the app itself."""

import hashlib

from demijohn.debug.documents import as_markdown, as_problem
from demijohn.debug.editor import Editor
from demijohn.debug.page import Link, Page
from demijohn.debug.report import describe, make_report
from demijohn.http import Request, Response
from demijohn.schema import to_json
from demijohn.serving.broken import BrokenApp

__all__ = ["broken_app"]

_MARK = "x-demijohn-failure"


def broken_app(error: BaseException) -> BrokenApp:
    """Return an app that answers with the reason why the real one cannot be loaded.

    The development server serves it until a file changes. A page that is open in a browser notices the mend by itself.
    """
    failure, _ = describe(error)
    _from_the_user(failure.frames)
    report = make_report(failure, None, None)
    markdown = as_markdown(report)
    name = hashlib.sha256(markdown.encode("utf-8", "replace")).hexdigest()[:16]

    def answer(request: Request) -> Response:
        accept = request.accept
        if accept.prefers_page:
            page = Page(report, editor=Editor(), link=Link(watch=name, safe=request.method in ("GET", "HEAD")))
            headers = {**page.headers, _MARK: name}
            body = page.render().encode("utf-8", "replace")
            return Response(body, 500, headers, content_type="text/html; charset=utf-8")
        headers = {"cache-control": "no-store", _MARK: name}
        if accept.names_json:
            return Response(to_json(as_problem(report)), 500, headers, content_type="application/problem+json")
        body = markdown.encode("utf-8", "replace")
        return Response(body, 500, headers, content_type="text/plain; charset=utf-8")

    return BrokenApp(error, answer=answer)


def _from_the_user(frames: list) -> None:  # type: ignore[type-arg]
    """Leave out how the framework came to import the module, where that led to a line of the user's."""
    for index, frame in enumerate(frames):
        if not frame.is_library:
            del frames[:index]
            return
