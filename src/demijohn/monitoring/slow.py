"""Requests that take too long, told in the log."""

import logging

from demijohn.app import App
from demijohn.errors import ConfigurationError
from demijohn.http import Request, Response, StreamResponse

__all__ = ["SlowRequests"]

logger = logging.getLogger("demijohn.slow")


class SlowRequests:
    """Logs a warning for each request that takes longer than a threshold.

    Streams are left out.

    What blocks the loop is told by the server's watchdog, with the line that does it.

    Args:
        threshold: Seconds.

    Raises:
        ConfigurationError: The threshold is not above zero (DJN-774).
    """

    name = "slow"
    requires: tuple[str, ...] = ()

    def __init__(self, threshold: float = 1.0) -> None:
        if threshold <= 0:
            raise ConfigurationError(
                f"SlowRequests got a threshold of {threshold!r} seconds.",
                why="Every request takes longer than that.",
                fix="Write  SlowRequests(0.5)  for half a second.",
                code="DJN-774",
            )
        self.threshold = threshold

    def install(self, app: App) -> None:
        """Listen to what was answered."""
        app.observers.append(self._observe)

    def _observe(self, request: Request, response: Response, seconds: float) -> None:
        if seconds >= self.threshold and not isinstance(response, StreamResponse):
            logger.warning(
                "%s %s took %.2f s",
                request.method,
                request.path,
                seconds,
                extra={"duration_ms": round(seconds * 1000, 1), "status": response.status},
            )
