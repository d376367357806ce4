"""Who may talk to the debugger: every rule must hold, each fails closed and says why, in the terminal too."""

import hmac
import logging
from typing import Any, Final

from demijohn.app.debug_door import find_objection, is_this_machine
from demijohn.debug.grant import Grant
from demijohn.http import Request

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
    objection = find_objection(request, app, is_near=is_this_machine if grant is None else grant.allows)
    if objection is not None:
        raise Refused(objection.reason, fix=objection.fix)


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
