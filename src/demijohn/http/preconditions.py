"""Answers that depend on what the client already has (RFC 9110, section 13)."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from demijohn.errors import PreconditionFailed
from demijohn.http.dates import parse_http_date
from demijohn.http.etag import ETag

if TYPE_CHECKING:
    from demijohn.http.request import Request
    from demijohn.http.response import Response

__all__ = ["check_preconditions", "conditional", "is_current"]


def _whole(moment: datetime) -> datetime:
    """In UTC and without what a header cannot say."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.replace(microsecond=0)


def check_preconditions(
    request: "Request", *, etag: ETag | str | None = None, last_modified: datetime | None = None
) -> None:
    """Refuse to change what has changed since the client read it.

    To be called by a handler of PUT, PATCH or DELETE with the present version, before it writes: two people who edit
    the same thing do not overwrite each other. Without conditions in the request it does nothing.

    Args:
        request: With `If-Match`, `If-None-Match` or `If-Unmodified-Since`.
        etag: The present tag; `None` where the thing does not exist or has none.
        last_modified: When it was last changed.

    Raises:
        PreconditionFailed: A condition does not hold.
    """
    if _evaluate(request, ETag(etag) if isinstance(etag, str) else etag, last_modified) == 412:
        raise PreconditionFailed("It has changed since you read it.")


def is_current(request: "Request", *, etag: ETag | str | None = None, last_modified: datetime | None = None) -> bool:
    """Whether the client has this version already, so that 304 is the answer.

    Worth asking before a page is rendered; `conditional` asks by itself.
    """
    return _evaluate(request, ETag(etag) if isinstance(etag, str) else etag, last_modified) == 304


def conditional(request: "Request", response: "Response") -> "Response":
    """Turn a response into 304 where the client has it already.

    It looks at the `ETag` and `Last-Modified` of a response with status 200 to GET or HEAD; any other is
    returned as it is.

    Raises:
        PreconditionFailed: `If-Match` or `If-Unmodified-Since` does not hold.

    Example:
        response = Page("post.html", post=post)
        response.set_etag(str(post.version))
        return conditional(request, response)
    """
    if response.status != 200 or request.method not in ("GET", "HEAD"):
        return response
    verdict = _evaluate(request, response.etag, response.last_modified)
    if verdict == 412:
        raise PreconditionFailed
    if verdict == 304:
        make_not_modified(response)
    return response


def make_not_modified(response: "Response") -> None:
    """Make a response a 304: without a body and what describes it."""
    response.status = 304
    response.body = b""
    response.content_type = None
    if response._headers is not None:
        # Content-Location stays (RFC 9110, 15.4.5).
        response._headers = [
            line
            for line in response._headers
            if not line[0].startswith(b"content-") or line[0] in (b"content-location", b"content-security-policy")
        ]


def _evaluate(request: "Request", etag: ETag | None, last_modified: datetime | None) -> int | None:
    """Return 304, 412 or None in the order of RFC 9110, section 13.2.2."""
    headers = request.headers
    safe = request.method in ("GET", "HEAD")
    modified = None if last_modified is None else _whole(last_modified)
    if "if-match" in headers:
        wanted = request.if_match
        if wanted is None or etag is None or not wanted.has_same(etag):
            return 412
    elif "if-unmodified-since" in headers:
        since = parse_http_date(headers["if-unmodified-since"])
        if since is not None and modified is not None and modified > since:
            return 412
    if "if-none-match" in headers:
        known = request.if_none_match
        if known is not None and etag is not None and known.has_like(etag):
            return 304 if safe else 412
    elif safe and "if-modified-since" in headers:
        since = parse_http_date(headers["if-modified-since"])
        if since is not None and modified is not None and modified <= since:
            return 304
    return None


def range_applies(request: "Request", etag: ETag | None, last_modified: datetime | None) -> bool:
    """Whether `If-Range` (or its absence) lets a part be sent (RFC 9110, section 13.1.5)."""
    text = request.headers.get("if-range")
    if text is None:
        return True
    tag = ETag.find(text)
    if tag is not None:
        return etag is not None and tag.is_same(etag)
    moment = parse_http_date(text)
    return moment is not None and last_modified is not None and _whole(last_modified) == moment
