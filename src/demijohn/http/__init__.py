"""Requests, responses and what they are made of: values, without I/O of their own.

What few apps use, feeds and archives, is loaded at its first use.
"""

import typing

from demijohn.http.authorization import Authorization
from demijohn.http.caching import CacheControl, CacheDirectives
from demijohn.http.connection import Connection, NoSuchAttribute
from demijohn.http.cookies import BadCookie, Cookies
from demijohn.http.dates import format_http_date, parse_http_date
from demijohn.http.etag import ETag, ETags
from demijohn.http.events import BadEvent, EventStreamResponse, ServerSentEvent
from demijohn.http.file_types import content_disposition, guess_content_type
from demijohn.http.files import FileResponse, send_file, send_from_directory
from demijohn.http.forms import FormData
from demijohn.http.headers import BadHeader, Headers, MutableHeaders
from demijohn.http.htmx import HTMX
from demijohn.http.limits import DEFAULT_LIMITS, Limits
from demijohn.http.markup import BadMarkup, Markup, escape, html
from demijohn.http.media_type import MediaType
from demijohn.http.multidict import MultiDict
from demijohn.http.negotiation import Accept, AcceptEncodings, AcceptLanguages
from demijohn.http.preconditions import check_preconditions, conditional, is_current
from demijohn.http.query import QueryParams
from demijohn.http.ranges import Range
from demijohn.http.redirects import HasPage, RedirectResponse, UnsafeRedirect, is_safe_path, redirect
from demijohn.http.request import BodyConsumed, ClientDisconnected, Request
from demijohn.http.response import BadStatus, HTMLResponse, JSONResponse, PlainTextResponse, Response
from demijohn.http.scratch import MissingScratch, Scratch
from demijohn.http.state import MissingState, StateKey
from demijohn.http.streams import StreamResponse
from demijohn.http.upload import UploadFile, safe_filename
from demijohn.http.url import URL
from demijohn.http.websocket import SocketState, WebSocket, WebSocketDisconnect

if typing.TYPE_CHECKING:
    from demijohn.http.archives import ArchiveContent, BadArchive, ZipResponse
    from demijohn.http.feeds import BadFeed, Enclosure, Feed, FeedItem, Sitemap, SitemapEntry

__all__ = [
    "DEFAULT_LIMITS",
    "HTMX",
    "URL",
    "Accept",
    "AcceptEncodings",
    "AcceptLanguages",
    "ArchiveContent",
    "Authorization",
    "BadArchive",
    "BadCookie",
    "BadEvent",
    "BadFeed",
    "BadHeader",
    "BadMarkup",
    "BadStatus",
    "BodyConsumed",
    "CacheControl",
    "CacheDirectives",
    "ClientDisconnected",
    "Connection",
    "Cookies",
    "ETag",
    "ETags",
    "Enclosure",
    "EventStreamResponse",
    "Feed",
    "FeedItem",
    "FileResponse",
    "FormData",
    "HTMLResponse",
    "HasPage",
    "Headers",
    "JSONResponse",
    "Limits",
    "Markup",
    "MediaType",
    "MissingScratch",
    "MissingState",
    "MultiDict",
    "MutableHeaders",
    "NoSuchAttribute",
    "PlainTextResponse",
    "QueryParams",
    "Range",
    "RedirectResponse",
    "Request",
    "Response",
    "Scratch",
    "ServerSentEvent",
    "Sitemap",
    "SitemapEntry",
    "SocketState",
    "StateKey",
    "StreamResponse",
    "UnsafeRedirect",
    "UploadFile",
    "WebSocket",
    "WebSocketDisconnect",
    "ZipResponse",
    "check_preconditions",
    "conditional",
    "content_disposition",
    "escape",
    "format_http_date",
    "guess_content_type",
    "html",
    "is_current",
    "is_safe_path",
    "parse_http_date",
    "redirect",
    "safe_filename",
    "send_file",
    "send_from_directory",
]


def __getattr__(name: str) -> object:
    # Spelled out: modules are not imported by string.
    if name in ("ArchiveContent", "BadArchive", "ZipResponse"):
        from demijohn.http import archives as module
    elif name in ("BadFeed", "Enclosure", "Feed", "FeedItem", "Sitemap", "SitemapEntry"):
        from demijohn.http import feeds as module  # type: ignore[no-redef]
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
