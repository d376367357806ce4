"""Guards, security headers and middleware: the checks and changes between the wire and a handler."""

from demijohn.middleware.caching import CacheControl, cache_control, never_cache
from demijohn.middleware.compression import Compression, uncompressed
from demijohn.middleware.cors import CORS
from demijohn.middleware.csrf import CSRFGuard, csrf_exempt, csrf_token, rotate_csrf_token
from demijohn.middleware.exchange import Exchange, TooLate, after_this_request, exchange_of, keep_private
from demijohn.middleware.hosts import HostGuard, is_loopback, parse_host
from demijohn.middleware.https import HTTPSRedirect
from demijohn.middleware.limits import BodyLimitGuard, Timeout, body_limit, parse_size
from demijohn.middleware.marks import Guard, Marks, Middleware, Next, ResponseHook, guards_for, mark, marks_of
from demijohn.middleware.origins import parse_origin
from demijohn.middleware.policy import DEFAULT_POLICY, NONCE, ContentSecurityPolicy
from demijohn.middleware.proxies import TrustedProxies, parse_forwarded
from demijohn.middleware.rates import (
    MemoryRateLimitStore,
    RateLimit,
    RateLimitGuard,
    client_network,
    parse_rates,
    rate_limit,
)
from demijohn.middleware.requestid import RequestID, request_id
from demijohn.middleware.secret import find_keys, make_secret
from demijohn.middleware.security import (
    CLOSED_FEATURES,
    SecurityHeaders,
    StrictTransport,
    csp_nonce,
    security_headers,
)
from demijohn.middleware.violations import REPORT_PATH, Violation, ViolationReports

__all__ = [
    "CLOSED_FEATURES",
    "CORS",
    "DEFAULT_POLICY",
    "NONCE",
    "REPORT_PATH",
    "BodyLimitGuard",
    "CSRFGuard",
    "CacheControl",
    "Compression",
    "ContentSecurityPolicy",
    "Exchange",
    "Guard",
    "HTTPSRedirect",
    "HostGuard",
    "Marks",
    "MemoryRateLimitStore",
    "Middleware",
    "Next",
    "RateLimit",
    "RateLimitGuard",
    "RequestID",
    "ResponseHook",
    "SecurityHeaders",
    "StrictTransport",
    "Timeout",
    "TooLate",
    "TrustedProxies",
    "Violation",
    "ViolationReports",
    "after_this_request",
    "body_limit",
    "cache_control",
    "client_network",
    "csp_nonce",
    "csrf_exempt",
    "csrf_token",
    "exchange_of",
    "find_keys",
    "guards_for",
    "is_loopback",
    "keep_private",
    "make_secret",
    "mark",
    "marks_of",
    "never_cache",
    "parse_forwarded",
    "parse_host",
    "parse_origin",
    "parse_rates",
    "parse_size",
    "rate_limit",
    "request_id",
    "rotate_csrf_token",
    "security_headers",
    "uncompressed",
]
