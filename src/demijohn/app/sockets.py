"""WebSockets: from an ASGI scope to the handler of a route."""

import logging
from typing import Any

from demijohn.types import Receive, Scope, Send

__all__ = ["serve_websocket"]

logger = logging.getLogger("demijohn.app")


async def serve_websocket(app: Any, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one WebSocket (Any: the app lives above)."""
    raise NotImplementedError
