"""Guards, security headers and middleware: the checks and changes between the wire and a handler."""

from demijohn.middleware.caching import AutoETag, cache_control, never_cache
from demijohn.middleware.compression import Compression, uncompressed
from demijohn.middleware.cors import CORS
from demijohn.middleware.csrf import CSRFGuard, csrf_exempt, csrf_token, rotate_csrf_token
from demijohn.middleware.exchange import TooLate, keep_private
from demijohn.middleware.hosts import HostGuard
from demijohn.middleware.https import HTTPSRedirect
from demijohn.middleware.limits import BodyLimitGuard, Timeout, body_limit, message_limit
from demijohn.middleware.marks import Answered, Guard, Middleware, Next, guards_for, mark, marks_of
from demijohn.middleware.policy import DEFAULT_POLICY, ContentSecurityPolicy
from demijohn.middleware.proxies import TrustedProxies
from demijohn.middleware.rates import MemoryRateLimitStore, RateLimit, RateLimitGuard, rate_limit
from demijohn.middleware.requestid import RequestID, request_id
from demijohn.middleware.safety import Security
from demijohn.middleware.secret import get_keys
from demijohn.middleware.security import (
    CLOSED_FEATURES,
    SecurityHeaders,
    StrictTransport,
    csp_nonce,
    security_headers,
)
from demijohn.middleware.violations import ViolationReports

__all__ = [
    "CLOSED_FEATURES",
    "CORS",
    "DEFAULT_POLICY",
    "Answered",
    "AutoETag",
    "BodyLimitGuard",
    "CSRFGuard",
    "Compression",
    "ContentSecurityPolicy",
    "Guard",
    "HTTPSRedirect",
    "HostGuard",
    "MemoryRateLimitStore",
    "Middleware",
    "Next",
    "RateLimit",
    "RateLimitGuard",
    "RequestID",
    "Security",
    "SecurityHeaders",
    "StrictTransport",
    "Timeout",
    "TooLate",
    "TrustedProxies",
    "ViolationReports",
    "body_limit",
    "cache_control",
    "csp_nonce",
    "csrf_exempt",
    "csrf_token",
    "get_keys",
    "guards_for",
    "keep_private",
    "mark",
    "marks_of",
    "message_limit",
    "never_cache",
    "rate_limit",
    "request_id",
    "rotate_csrf_token",
    "security_headers",
    "uncompressed",
]
