"""What protects an app, as one value: given to the app where the defaults do not fit."""

from collections.abc import Iterable

from msgspec import Struct

from demijohn.http import DEFAULT_LIMITS, Limits
from demijohn.middleware.proxies import TrustedProxies
from demijohn.middleware.security import DEFAULT_HEADERS, SecurityHeaders

__all__ = ["Security"]


class Security(Struct, frozen=True, kw_only=True):
    """How an app is protected; everything is on by default.

    Attributes:
        headers: The security headers of every response.
        allowed_hosts: The hosts of the site, beside the setting `ALLOWED_HOSTS`: `"example.org"`, `".example.org"` for
            the domain and all below it. Where neither names one, only the names of this machine are answered.
        trusted_origins: Other origins that may send forms and changes, beside the setting `TRUSTED_ORIGINS`.
        trusted_proxies: Whose word is taken for scheme, host and client; the addresses in the setting
            `TRUSTED_PROXIES` where it is not given.
        csrf: Whether changes that another site made a browser ask for are refused.
        limits: How much a request may bring.
        https: Whether http is redirected to https and browsers are told to come back by it alone; in production,
            where hosts are named, if it is not said.

    Example:
        >>> security = Security(headers=SecurityHeaders().allow(img_src="https://images.example.org"))
    """

    headers: SecurityHeaders = DEFAULT_HEADERS
    allowed_hosts: Iterable[str] = ()
    trusted_origins: Iterable[str] = ()
    trusted_proxies: TrustedProxies | None = None
    csrf: bool = True
    limits: Limits = DEFAULT_LIMITS
    https: bool | None = None
