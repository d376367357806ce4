"""The app behind a real socket, while tests talk to it or a browser does."""

from types import TracebackType
from typing import Any, Self

from demijohn.app import App
from demijohn.serving import Server, ServerConfig
from demijohn.testing.home import home_of

__all__ = ["LiveServer"]


class LiveServer:
    """An app on a free port of this machine, served by the framework's own server.

    `async with` starts it on the running loop. The app is started first, unless a client did that already.

    Args:
        app: The app, or any other ASGI app (Any: it is only called).
        bind: Where to listen; a free port by default.

    Example::

        async with LiveServer(app) as server:
            print(server.url)
    """

    def __init__(self, app: Any, *, bind: str = "127.0.0.1:0") -> None:
        self.app = app
        self._home = home_of(app)
        if not hasattr(app, "handle"):  # the server serves apps of ours
            app, foreign = App(), app
            app.mount("", foreign)
        self._server = Server(app, ServerConfig(bind=bind))

    @property
    def url(self) -> str:
        """The URL of the server, without a slash at the end: `http://127.0.0.1:54321`."""
        return self._server.url.rstrip("/")

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.port

    async def __aenter__(self) -> Self:
        await self._home.hold()
        try:
            await self._home.call(lambda: self._server.start(lifespan=False))
        except BaseException:
            await self._home.let_go()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._home.call(lambda: self._server.stop(grace=1.0))
            if hasattr(self.app, "draining"):
                self.app.draining = False  # the app may go on without this server
        finally:
            await self._home.let_go()
