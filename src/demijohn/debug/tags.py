"""A `str` with tags, which a browser shows as text: the mistake is told where it shows, and in the terminal once."""

import logging
import re
from weakref import WeakSet

from demijohn._lib.source import place_of
from demijohn.http import Request, Response

__all__ = ["tell_of_tags"]

logger = logging.getLogger("demijohn.debug")

_TAGS = re.compile(
    r"\s*<(!doctype\s+html|html|head|body|[a-z][a-z0-9]*(\s[^<>]*)?>.*</[a-z])", re.IGNORECASE | re.DOTALL
)
_told: WeakSet[object] = WeakSet()


def tell_of_tags(value: str, request: Request, *, response: Response) -> None:
    """Add to an answer why its tags are shown as text, and what to write."""
    if _TAGS.match(value[:2000]) is None:
        return
    endpoint = getattr(request.route, "endpoint", None)
    name = getattr(endpoint, "__qualname__", "The handler")
    told = (
        f"`{name}` ({place_of(endpoint)}) returned a `str` with tags, and a browser is shown them as text.\n"
        "A plain `str` is never HTML: what somebody typed would become part of the page.\n"
        'Write:  return html("<h1>{}</h1>", title)   with  from demijohn import html;   or a template and Page(...)'
        "  [DJN-426]"
    )
    response.body += f"\n\n--\nIn development only: {told}\n".encode()
    try:
        if endpoint in _told:
            return
        _told.add(endpoint)
    except TypeError:  # a callable that takes no weak reference is told of each time
        pass
    logger.warning("%s", told)
