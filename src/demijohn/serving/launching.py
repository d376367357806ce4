"""Starting a server from a program or the command line."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from demijohn.app.logs import set_up_logging
from demijohn.errors import ConfigurationError
from demijohn.serving.config import ServerConfig, Timeouts
from demijohn.serving.worker import run_server

__all__ = ["run_development", "serve"]


def serve(target: Any, config: ServerConfig | None = None) -> int:
    """Serve an app in production until a signal ends it; return the exit code.

    Args:
        target: A `demijohn.App`, or a function that imports and returns one (Any: either). Workers that shall be
            reloaded by SIGHUP need the function.
        config: Where to listen, how many workers, and within which limits.

    Raises:
        CannotListen: An address cannot be listened on.
        ConfigurationError: The configuration cannot be.

    Example::

        def load():
            from shop.app import app
            return app

        sys.exit(serve(load, ServerConfig(bind="0.0.0.0:8000", workers=4)))
    """
    config = ServerConfig() if config is None else config
    set_up_logging()
    if config.is_supervised:
        from demijohn.serving.supervisor import Supervisor

        return Supervisor(target, config).run()
    return run_server(target, config)


def run_development(
    loader: Callable[[], Any],
    config: ServerConfig | None = None,
    *,
    watch: Sequence[str | Path] = (),
    suffixes: Sequence[str] = (".py",),
    reload: bool = True,
    show_error: Callable[[BaseException], Any] | None = None,
    warm: Callable[[list[str]], None] | None = None,
) -> int:
    """Serve an app for its developer, and load it anew when a file changes.

    It runs until Ctrl-C and returns the exit code.

    The listening socket is kept while the app is loaded, so that no connection is refused. A mistake that keeps the app
    from loading is printed, shown in the browser, and waited for to be mended.

    Args:
        loader: Imports and returns the app (Any: the app).
        config: Where to listen; the access log is on, and the grace at the end is short.
        watch: Folders and files to watch; the working directory by default.
        suffixes: Files with these endings count.
        reload: Watch files at all.
        show_error: Makes the app that is served while the real one cannot be loaded (Any: anything with `handle`).
        warm: Called, in the process that lasts, with the names of the modules that the app has loaded; what it loads
            of them is there already at the next reload.

    Raises:
        CannotListen: An address cannot be listened on.
    """
    config = development_config(ServerConfig() if config is None else config)
    set_up_logging()
    if not reload or not hasattr(os, "fork"):
        return run_server(loader, config)
    from demijohn.serving.reload import DevelopmentServer

    if hasattr(loader, "handle"):
        raise ConfigurationError(
            "The development server was given an app object.",
            why="It has to import the app again and again; an object cannot be loaded anew.",
            fix="Pass a function that imports and returns the app; or write  run_development(app, reload=False)",
            code="DJN-508",
        )
    return DevelopmentServer(loader, config, watch=watch, suffixes=suffixes, show_error=show_error, warm=warm).run()


def development_config(config: ServerConfig) -> ServerConfig:
    """Return a configuration as a developer wants it: each request is told, blocking too, and the end is quick."""
    timeouts: Timeouts = msgspec.structs.replace(config.timeouts, grace=1.0, stream_grace=0.1, hang=None)
    return msgspec.structs.replace(
        config,
        workers=1,
        supervised=False,
        access_log=True,
        timeouts=timeouts,
        block_warning=0.1 if config.block_warning is not None else None,
    )
