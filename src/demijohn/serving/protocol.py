"""Our protocol for a server that is not ours: what uvicorn takes for `http=`."""

import asyncio
from typing import Any

from demijohn.serving.config import Capacity, ServerConfig, Timeouts
from demijohn.serving.connection import Connection
from demijohn.serving.hub import Hub

__all__ = ["HTTPProtocol"]


class HTTPProtocol(Connection):
    """The HTTP protocol of Demijohn under uvicorn's own server.

    Example::

        uvicorn.run(app, http=HTTPProtocol)
    """

    __slots__ = ()

    def __init__(
        self, *, config: Any, server_state: Any, app_state: Any = None, _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """Take uvicorn's configuration and state (Any: uvicorn is loaded only where it is used)."""
        hub = getattr(server_state, "demijohn", None)
        if hub is None:
            hub = server_state.demijohn = _make_hub(config, server_state, _loop or asyncio.get_running_loop())
        super().__init__(hub)


def _make_hub(config: Any, server_state: Any, loop: asyncio.AbstractEventLoop) -> Hub:
    from demijohn.serving.websockets import install_upgrade

    if not config.loaded:
        config.load()
    app = config.loaded_app
    while not hasattr(app, "handle") and hasattr(app, "app"):
        app = app.app  # uvicorn's middleware for proxies and messages
    freeze = getattr(app, "freeze", None)
    if freeze is not None:
        # Without a lifespan nobody built it yet, and the hub reads its default headers once.
        freeze()
    ours = ServerConfig(
        root_path=config.root_path,
        access_log=bool(config.access_log),
        capacity=Capacity(requests=config.limit_concurrency or Capacity().requests),
        timeouts=Timeouts(keep_alive=float(config.timeout_keep_alive)),
    )
    hub = Hub(app, ours, loop)
    hub.connections = server_state.connections
    hub.tasks = server_state.tasks
    install_upgrade(hub, config=config, server_state=server_state)

    def tick() -> None:
        server_state.total_requests = hub.served

    hub.on_tick = tick
    hub.start()
    return hub
