"""`demijohn run` and `demijohn serve`."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from demijohn._lib.later import tempfile
from demijohn.app import App
from demijohn.app.debug_door import load_debugger
from demijohn.cli.target import get_target, load_ahead, load_app
from demijohn.errors import DemijohnError
from demijohn.serving import TLS, Recycling, ServerConfig, Timeouts, run_development, serve

__all__ = ["run", "serve_command"]


def _loader(target: str | None) -> Callable[[], App]:
    wanted = get_target(target)

    def load() -> App:
        return load_app(wanted)

    return load


def _bind(host: str, port: int, bind: tuple[str, ...]) -> str | tuple[str, ...]:
    if bind:
        return bind
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@click.command()
@click.argument("target", required=False)
@click.option("--host", "-h", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    "-p",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    envvar="PORT",
    help="The port; 0 takes a free one.",
)
@click.option("--bind", "-b", multiple=True, metavar="ADDRESS", help="host:port, unix:PATH or fd:N; instead of both.")
@click.option("--reload/--no-reload", default=True, show_default=True, help="Load the app anew when a file changes.")
@click.option("--watch", multiple=True, type=click.Path(path_type=Path), help="Watch this folder or file too.")
@click.option("--debug/--no-debug", default=True, show_default=True, help="Show errors in the browser.")
@click.option("--console", is_flag=True, help="Put a Python prompt into every frame of the error page.")
@click.option("--console-allow-ip", multiple=True, metavar="ADDRESS", help="Who may use it beside this machine.")
def run(
    target: str | None,
    host: str,
    port: int,
    bind: tuple[str, ...],
    reload: bool,
    watch: tuple[Path, ...],
    debug: bool,
    console: bool,
    console_allow_ip: tuple[str, ...],
) -> None:
    """Serve the app for development, with reload and debugger.

    TARGET is `hello.py`, `hello.py:app` or `package.module:factory`; without one the app of this folder is found.
    """
    os.environ.setdefault("DEMIJOHN_ENV", "development")
    if debug:
        os.environ.setdefault("DEMIJOHN_DEBUG", "true")
    paths = [Path.cwd(), *watch]
    config = ServerConfig(bind=_bind(host, port, bind))
    if console:
        _allow_console(config, console_allow_ip, debug=debug)
    show = _show_broken if debug else None
    load = _loader(target)
    sys.exit(run_development(load, config, watch=paths, reload=reload, show_error=show, warm=load_ahead))


def _show_broken(error: BaseException) -> Any:
    """Return the app that shows why the real one cannot be loaded (Any: an app for the server)."""
    return load_debugger().broken_app(error)


def _allow_console(config: ServerConfig, networks: tuple[str, ...], *, debug: bool) -> None:
    """Let the error pages of this server have a prompt, and print its PIN."""
    if not debug or os.environ.get("DEMIJOHN_DEBUG", "").lower() in ("0", "false", "no", "off"):
        raise DemijohnError(
            "The console was asked for while debug is off.",
            why="It stands in the error page, and there is none.",
            fix="Leave out --no-debug, and unset DEMIJOHN_DEBUG.",
            code="DJN-772",
        )
    hosts = [address if address.startswith("unix:") else address.rpartition(":")[0] for address in config.binds]
    grant = load_debugger().grant_console(hosts=hosts, workers=config.workers, allow=networks)
    click.echo(f"The console is on. Its PIN: {click.style(grant.pin, bold=True)}", err=True)


@click.command(name="serve")
@click.argument("target", required=False)
@click.option("--host", "-h", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    "-p",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    envvar="PORT",
    help="The port; 0 takes a free one.",
)
@click.option("--bind", "-b", multiple=True, metavar="ADDRESS", help="host:port, unix:PATH, fd:N or systemd.")
@click.option("--workers", "-w", default=1, show_default=True, envvar="WEB_CONCURRENCY", help="Processes.")
@click.option("--root-path", default="", help="The prefix under which a proxy shows the app.")
@click.option("--request-timeout", type=float, default=30.0, show_default=True, help="Seconds for a handler; 0: none.")
@click.option("--graceful-timeout", type=float, default=30.0, show_default=True, help="Seconds to finish at the end.")
@click.option("--max-requests", type=int, help="Replace a worker after so many requests.")
@click.option("--max-memory", type=int, metavar="MIB", help="Replace a worker that holds more memory than this.")
@click.option("--access-log/--no-access-log", default=False, show_default=True, help="Log one line for each response.")
@click.option("--certificate", type=click.Path(exists=True), help="Certificate chain for https, PEM.")
@click.option("--key", type=click.Path(exists=True), help="Private key for https, PEM.")
@click.option("--ignore-checks", is_flag=True, help="Serve although checks of the deployment fail.")
@click.pass_context
def serve_command(
    context: click.Context,
    /,
    target: str | None,
    host: str,
    port: int,
    bind: tuple[str, ...],
    workers: int,
    **options: object,
) -> None:
    """Serve the app in production.

    SIGTERM ends it without losing a request, SIGHUP loads the app anew, worker by worker.
    """
    given = context.params
    os.environ.setdefault("DEMIJOHN_ENV", "production")
    load = _checked(_loader(target), ignore=given["ignore_checks"])
    tls = TLS(certificate=given["certificate"], key=given["key"]) if given["certificate"] else None
    config = ServerConfig(
        bind=_bind(host, port, bind),
        workers=workers,
        root_path=given["root_path"],
        access_log=given["access_log"],
        recycling=Recycling(
            max_requests=given["max_requests"],
            max_rss=given["max_memory"] * 1024 * 1024 if given["max_memory"] else None,
        ),
        timeouts=Timeouts(request=given["request_timeout"] or None, grace=given["graceful_timeout"]),
        tls=tls,
    )
    with _shared_counts(workers):
        status = serve(load, config)
    sys.exit(status)


@contextmanager
def _shared_counts(workers: int) -> Iterator[None]:
    """Give several workers a folder in which `prometheus_client` adds up what each counts.

    It has to be there before the library is imported, and nobody here knows whether an app will.
    """
    if workers < 2 or os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="demijohn-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def _checked(load: Callable[[], App], *, ignore: bool) -> Callable[[], App]:
    """Return a loader that refuses an app that fails a check of the deployment.

    Each worker loads and checks by itself: a supervisor that had imported the app could never load it anew.
    """

    def load_checked() -> App:
        app = load()
        app.freeze()
        failed = [message for message in app.run_checks(deploy=True) if message.is_at_least("error")]
        for message in failed:
            click.secho(str(message), fg="red", err=True)
        if failed and not ignore:
            raise DemijohnError(
                f"{len(failed)} checks of the deployment fail.",
                why="Serving like this would be unsafe or would not work.",
                fix="Mend them, or start with --ignore-checks.",
                code="DJN-610",
            )
        return app

    return load_checked
