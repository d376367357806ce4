"""Who may talk to the debugger: every rule must hold, each fails closed and says why, in the terminal too."""

import hmac
import logging
from typing import Any, Final

from demijohn.debug.grant import Grant
from demijohn.http import Request
from demijohn.middleware.hosts import HostPatterns, is_loopback, parse_host

__all__ = ["COOKIE", "Refused", "check_call", "check_peer", "check_token", "log_refusal"]

logger = logging.getLogger("demijohn.debug")

COOKIE: Final = "__demijohn_debug"
_JSON: Final = "application/json"


class Refused(Exception):
    """A call of the debugger that a rule forbids.

    Args:
        reason: Which rule, with the value that broke it.
        status: The status of the answer.
        fix: What the developer can do.
    """

    def __init__(self, reason: str, *, status: int = 403, fix: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.fix = fix


def check_peer(request: Request, app: Any, grant: Grant | None) -> None:
    """Hold the connection to the rules: its peer, no proxy in between, a host that is ours (Any: the app).

    Raises:
        Refused: One of them does not hold.
    """
    for name, _ in request.raw_headers:
        if name == b"forwarded" or name.startswith((b"x-forwarded-", b"x-real-ip", b"x-original-")) or name == b"via":
            raise Refused(
                f"the request has the header {name.decode('latin-1')}, so that it came through a proxy",
                fix="Open the app without the proxy.",
            )
    peer = request.client[0] if request.client is not None else ""
    if not _is_near(peer, grant):
        raise Refused(
            f"the peer {peer or '(none)'} is not this machine",
            fix=f"Open the page on this machine, or start with  --console-allow-ip {peer or 'ADDRESS'}",
        )
    written = request.headers.get("host") or ""
    host = parse_host(written)
    settings = app.settings
    listed = HostPatterns([one for one in (*settings.allowed_hosts, *app.security.allowed_hosts) if one != "*"])
    if host is None or not (is_loopback(host.name) or listed.matches(host)):
        raise Refused(
            f"the host {written!r} is neither localhost nor listed",
            fix=f"If it is yours, list it:  ALLOWED_HOSTS={host.name if host else 'example.org'}",
        )


def _is_near(peer: str, grant: Grant | None) -> bool:
    if grant is not None:
        return grant.allows(peer)
    return is_loopback("[::1]" if peer in ("::1", "[::1]") else peer.removeprefix("::ffff:"))


def check_call(request: Request) -> None:
    """Hold a call to the rules: from the page itself, by POST, with JSON.

    Raises:
        Refused: One of them does not hold.
    """
    if request.method != "POST":
        raise Refused("only POST is answered here", status=405)
    kind = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if kind != _JSON:
        raise Refused(f"the content type is {kind or 'missing'}, not {_JSON}", status=415)
    own = f"{request.scheme}://{request.headers.get('host', '')}".lower()
    origin = (request.origin or "").lower()
    if origin != own:
        raise Refused(f"the origin {origin or '(none)'} is not {own}")
    site = request.headers.get("sec-fetch-site")
    if site != "same-origin":
        raise Refused(f"Sec-Fetch-Site is {site or 'missing'}, not same-origin")


def check_token(given: object, token: str) -> None:
    """Hold a call to the token of the page.

    Raises:
        Refused: It is another one: the page is older than the last reload, or not ours.
    """
    if not isinstance(given, str) or not hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()):
        raise Refused("the code was reloaded since this page was made", status=410, fix="Reload the page.")


def log_refusal(request: Request, refused: Refused) -> None:
    """Say in the terminal which rule refused, and what can be done."""
    fix = f" {refused.fix}" if refused.fix else ""
    path = request.path[:200].encode("ascii", "backslashreplace").decode()
    logger.warning("The debugger refused %s %s: %s.%s", request.method, path, _line(refused.reason), _line(fix))


def _line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)[:300]
