"""From http to https, in production."""

from collections.abc import Iterable

from demijohn._lib.later import logger_of
from demijohn.errors import Forbidden
from demijohn.http import RedirectResponse, Request, Response
from demijohn.middleware.hosts import is_loopback, parse_host
from demijohn.middleware.marks import Next

__all__ = ["HTTPSRedirect"]

logger = logger_of("demijohn.security")


class HTTPSRedirect:
    """Sends browsers from http to https, and refuses to take data by http.

    A page that is asked for is redirected with 308; a request that carries data is refused with 403, because its
    secrets have been on the wire already and must not go unnoticed (ASVS 4.1.2). Names of this machine are left alone,
    and so are the paths of health probes.

    Args:
        port: The port of https where it is not 443.
        exempt: Paths that answer by http too.
    """

    __slots__ = ("_exempt", "_port", "_warned")

    def __init__(self, *, port: int | None = None, exempt: Iterable[str] = ("/livez", "/readyz")) -> None:
        self._port = port
        self._exempt = frozenset(exempt)
        self._warned = False

    def redirect(self, request: Request) -> Response | None:
        """Return the redirect, or `None` where the request may go on.

        Raises:
            Forbidden: It carries data.
        """
        if request.scheme in ("https", "wss") or request.path in self._exempt:
            return None
        host = parse_host(request.host)
        if host is None or is_loopback(host.name):
            return None
        if request.headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower() == "https":
            # A proxy ended the TLS and is not named as trusted: a redirect would go round for ever.
            self._warn()
            return None
        if request.scheme == "ws" or request.method not in ("GET", "HEAD"):
            raise Forbidden("This is answered by https alone.", extensions={"code": "https_required"})
        target = request.url.replace(scheme="https", hostname=host.name, port=self._port)
        return RedirectResponse(target, 308)

    async def __call__(self, request: Request, next: Next) -> Response:  # noqa: A002 - the field's term
        """Answer with the redirect, or go on."""
        if request.scheme == "https":
            return await next(request)
        return self.redirect(request) or await next(request)

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "A peer says that the client came by https (X-Forwarded-Proto), and it is not a trusted proxy.\n"
                "Until it is, links are made for http and cookies are sent without `Secure`.\n"
                "If it is yours, write:  TRUSTED_PROXIES=<its address>  [DJN-745]"
            )
