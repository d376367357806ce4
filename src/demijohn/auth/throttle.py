"""Attempts that are counted: by account, and by the network that they come from."""

import inspect
import logging
import math
from typing import Any

from demijohn._lib.later import hashlib
from demijohn._lib.translation import ngettext
from demijohn.errors import TooManyRequests
from demijohn.http import Request
from demijohn.middleware import MemoryRateLimitStore
from demijohn.middleware.rates import client_network, parse_rates
from demijohn.types import RateLimitStore, RateVerdict

__all__ = ["Throttle"]

logger = logging.getLogger("demijohn.security")


class Throttle:
    """How often a password may be tried, a link asked for, an account made.

    Args:
        account: Attempts against one account.
        network: Failed attempts of one network against whatever account.
        mails: Mails that one address gets.
        signups: Accounts that one network asks for.

    Raises:
        ConfigurationError: One of them is no limit.

    Example:
        >>> throttle = Throttle(account="5/15 minutes")
    """

    def __init__(
        self,
        *,
        account: str = "5/15 minutes",
        network: str = "50/15 minutes",
        mails: str = "3/15 minutes",
        signups: str = "20/hour",
    ) -> None:
        self._rates = {
            "account": parse_rates(account),
            "network": parse_rates(network),
            "mails": parse_rates(mails),
            "signups": parse_rates(signups),
        }
        self._local = MemoryRateLimitStore()

    async def attempt(self, request: Request, account: str, *, life: str = "") -> None:
        """Count an attempt against an account, before anything is looked at.

        Args:
            request: The request that makes it.
            account: The account by name, whether there is one or not.
            life: What changes when they succeed, so that the count begins anew.

        Raises:
            TooManyRequests: There were too many, against the account or from this network.
        """
        network = client_network(request)
        if network is not None:
            verdict = await self._hit(request, "network", network, cost=0)
            if verdict.remaining < 1:
                self._refuse("network", network, verdict.reset)
        verdict = await self._hit(request, "account", f"{account}\x00{life}")
        if not verdict.allowed:
            await self.fail(request)
            self._refuse("account", account, verdict.retry_after)

    async def fail(self, request: Request) -> None:
        """Count a failed attempt for the network that it comes from."""
        network = client_network(request)
        if network is not None:
            await self._hit(request, "network", network)

    async def may_mail(self, request: Request, address: str) -> bool:
        """Count a mail to an address, and tell whether it may get one more."""
        return (await self._hit(request, "mails", address)).allowed

    async def ask(self, request: Request) -> None:
        """Count a request for an account or a mail.

        Raises:
            TooManyRequests: This network asked for too many.
        """
        network = client_network(request)
        if network is not None:
            verdict = await self._hit(request, "signups", network)
            if not verdict.allowed:
                self._refuse("signups", network, verdict.retry_after)

    async def _hit(self, request: Request, kind: str, who: str, *, cost: int = 1) -> RateVerdict:
        # Who it is stays here: a store may be shared, and its keys may be seen.
        name = hashlib.sha256(who.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        verdicts = []
        for number, rate in enumerate(self._rates[kind]):
            counted: dict[str, Any] = {"quota": rate.quota, "window": rate.window, "cost": cost}
            key = f"auth:{kind}:{name}:{number}"
            store: RateLimitStore = request.app.rate_limits or self._local
            try:
                verdict = store.hit(key, **counted)
                verdicts.append(await verdict if inspect.isawaitable(verdict) else verdict)
            except Exception:
                # Without a count there would be no limit: this process counts for itself meanwhile.
                logger.exception("The store of rate limits failed; attempts are counted in this process")
                verdicts.append(self._local.hit(key, **counted))
        return min(verdicts, key=lambda verdict: (verdict.allowed, verdict.remaining, -verdict.retry_after))

    def _refuse(self, kind: str, who: str, wait: float) -> None:
        seconds = 86_400 if wait == math.inf else max(1, math.ceil(wait))
        logger.warning("Too many attempts (%s): refused for %d seconds", kind, seconds)
        minutes = math.ceil(seconds / 60)
        raise TooManyRequests(
            ngettext(
                "Too many attempts. Try again in %(num)s minute.",
                "Too many attempts. Try again in %(num)s minutes.",
                minutes,
            ),
            headers=[("retry-after", str(seconds))],
        )
