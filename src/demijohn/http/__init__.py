"""Requests, responses and what they are made of: values, without I/O."""

from demijohn.http.connection import Connection
from demijohn.http.cookies import BadCookie, Cookies
from demijohn.http.dates import format_http_date, parse_http_date
from demijohn.http.forms import FormData
from demijohn.http.headers import BadHeader, Headers, MutableHeaders
from demijohn.http.limits import DEFAULT_LIMITS, Limits
from demijohn.http.media_type import MediaType
from demijohn.http.multidict import MultiDict
from demijohn.http.negotiation import Accept, AcceptEncodings, AcceptLanguages
from demijohn.http.query import QueryParams
from demijohn.http.redirects import RedirectResponse, UnsafeRedirect, is_safe_path, redirect
from demijohn.http.request import BodyConsumed, ClientDisconnected, Request
from demijohn.http.response import BadStatus, HTMLResponse, JSONResponse, PlainTextResponse, Response
from demijohn.http.scratch import Scratch
from demijohn.http.streams import StreamResponse
from demijohn.http.upload import UploadFile, safe_filename
from demijohn.http.url import URL

__all__ = [
    "DEFAULT_LIMITS",
    "URL",
    "Accept",
    "AcceptEncodings",
    "AcceptLanguages",
    "BadCookie",
    "BadHeader",
    "BadStatus",
    "BodyConsumed",
    "ClientDisconnected",
    "Connection",
    "Cookies",
    "FormData",
    "HTMLResponse",
    "Headers",
    "JSONResponse",
    "Limits",
    "MediaType",
    "MultiDict",
    "MutableHeaders",
    "PlainTextResponse",
    "QueryParams",
    "RedirectResponse",
    "Request",
    "Response",
    "Scratch",
    "StreamResponse",
    "UnsafeRedirect",
    "UploadFile",
    "format_http_date",
    "is_safe_path",
    "parse_http_date",
    "redirect",
    "safe_filename",
]
