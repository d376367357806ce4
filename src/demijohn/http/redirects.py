"""Redirects that cannot be turned into a door to somewhere else."""

import re
from collections.abc import Collection
from typing import Any, Protocol, runtime_checkable
from urllib.parse import quote, urlsplit

from demijohn.errors import DemijohnError
from demijohn.http.response import BadStatus, Response
from demijohn.http.url import URL
from demijohn.types import HeadersLike

__all__ = ["HasPage", "RedirectResponse", "UnsafeRedirect", "is_safe_path", "redirect"]

# As the WHATWG URL Standard writes paths and queries; the percent sign stays, so that escapes stay.
_SAFE = "/%:?#@!$&'()*+,;=~-._[]"
_CONTROL = re.compile(r"^\s|[\x00-\x1f\x7f-\x9f]")


class UnsafeRedirect(DemijohnError, ValueError):
    """A redirect that would lead to another site without being asked to.

    Left alone it answers 400 outside of debug mode: the address was most likely the client's.
    """

    code = "DJN-307"


@runtime_checkable
class HasPage(Protocol):
    """Anything that has a page of its own, such as a model."""

    def page_url(self) -> str:
        """Return the path of its page."""
        raise NotImplementedError


class RedirectResponse(Response):
    """A response that sends the browser to another URL, which is not checked.

    `redirect()` checks it.

    Args:
        location: A URL or a path.
        status: 301, 302, 303, 307 or 308.
    """

    __slots__ = ()

    def __init__(self, location: str | URL, status: int = 302, headers: HeadersLike | None = None) -> None:
        if status not in (301, 302, 303, 307, 308):
            raise BadStatus(
                f"A redirect was given the status {status!r}.",
                why="Browsers follow 301, 302, 303, 307 and 308.",
                fix="Write one of them:  return redirect(to, status=303)",
            )
        super().__init__(b"", status, headers)
        self._set_header(b"location", quote(str(location), safe=_SAFE), "location")


def is_safe_path(location: str) -> bool:
    """Whether a location stays on this site.

    It does if it is a path, a query or a fragment, and there is no trick in it.

    Browsers take backslashes for slashes and drop control characters: such a location leads away, and is refused.
    """
    if not location or "\\" in location or _CONTROL.search(location):
        return False
    if location.startswith("//"):
        return False
    try:
        parts = urlsplit(location)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and ":" not in parts.path.partition("/")[0]


def redirect(
    to: Any,
    *,
    status: int = 302,
    external: bool = False,
    allowed_hosts: Collection[str] = (),
    headers: HeadersLike | None = None,
) -> RedirectResponse:
    """Send the browser to a path of this site, or to the page of an object.

    Args:
        to: A path, a URL, or anything with `page_url()` (Any: that is, `str | URL | HasPage`).
        status: 302; 303 to be read with GET; 307 or 308 to keep method and body; 301 or 308 for ever.
        external: Whether it may lead to another site. Never set it for a location that a client sent.
        allowed_hosts: Hosts (with their port where it is not the usual one) that it may lead to over http or https.

    Raises:
        UnsafeRedirect: It leads to another site, or would be read so by a browser.
        BadStatus: The status is none of a redirect.

    Example:
        >>> redirect("/posts?page=2").headers["location"]
        '/posts?page=2'
    """
    if isinstance(to, str | URL):
        location = str(to)
    elif isinstance(to, HasPage):
        location = to.page_url()
    else:
        raise DemijohnError(
            f"redirect() was given {type(to).__name__}.",
            why="It takes a path, a URL, or an object with a method page_url().",
            fix='Write:  redirect("/posts")   or   redirect(url_for(show_post, id=3))',
            code="DJN-307",
        )
    if (
        not is_safe_path(location)
        and not (external and _is_web_url(location))
        and not _leads_to(location, allowed_hosts)
    ):
        raise UnsafeRedirect(
            f"redirect() was given {location[:200]!r}, which leads away from this site.",
            why="A link to your site that forwards to another one is what phishers look for.",
            fix="Give a path that begins with one slash (of a URL: `url.path_and_query`); to another site on purpose:  "
            'redirect(url, external=True)  or  redirect(url, allowed_hosts=["example.org"])',
        )
    return RedirectResponse(location, status, headers)


def _is_web_url(location: str) -> bool:
    """Whether it is an absolute URL without tricks, and no scheme that runs code."""
    if "\\" in location or _CONTROL.search(location):
        return False
    try:
        parts = urlsplit(location)
    except ValueError:
        return False
    return bool(parts.scheme) and parts.scheme.lower() not in ("javascript", "data", "vbscript", "blob", "file")


def _leads_to(location: str, hosts: Collection[str]) -> bool:
    if not hosts or not _is_web_url(location):
        return False
    parts = urlsplit(location)
    if parts.scheme not in ("http", "https") or "@" in parts.netloc:
        return False
    return parts.netloc.lower() in {host.lower() for host in hosts}
