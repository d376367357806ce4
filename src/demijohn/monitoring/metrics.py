"""Metrics in the text format of Prometheus, by its own client library."""

import asyncio
import hmac
import ipaddress
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from demijohn._lib.extras import need
from demijohn.app import App, CheckMessage, Secret
from demijohn.errors import Forbidden, Unauthorized
from demijohn.http import Request, Response
from demijohn.middleware.hosts import HostPatterns, is_loopback, parse_host
from demijohn.middleware.proxies import find_proxy_header

__all__ = ["Metrics"]

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PRIVATE: Final = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
_SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"


class _Instruments:
    """The metrics of this process; the library wants each name once, however many apps there are."""

    def __init__(self, library: Any, buckets: Sequence[float]) -> None:
        self.requests = library.Counter(
            "http_requests_total", "Requests that were answered.", ["method", "route", "status"]
        )
        self.seconds = library.Histogram(
            "http_request_duration_seconds",
            "Seconds from the first guard to the last byte.",
            ["method", "route"],
            buckets=buckets,
        )
        live = {"multiprocess_mode": "livesum"}
        self.lag = library.Gauge("event_loop_lag_seconds", "How late the loop turns.", multiprocess_mode="livemax")
        self.threads = library.Gauge("handler_threads", "Threads that run sync handlers.", **live)
        self.waiting = library.Gauge("handler_threads_waiting", "Sync handlers that wait for a thread.", **live)
        self.sockets = library.Gauge("websockets_open", "WebSockets that are open.", **live)


_instruments: _Instruments | None = None


class Metrics:
    """Answers `/metrics`: requests by route, the loop, threads, sockets, the process.

    Metrics of your own are those of the library `prometheus_client`: whatever is made with it is told too. With
    several workers the counts of all are added up, whichever of them is asked.

    Who may ask: with a `token`, whoever sends it as a bearer; without, peers in private networks that came straight
    here. A route is told by its pattern, so that there are never more series than routes.

    Args:
        path: Where they are.
        token: What the asking Prometheus has to send.
        allow: The networks that may ask where there is no token.
        buckets: Upper bounds of the histogram of times, in seconds.

    Raises:
        MissingExtra: `prometheus_client` is not installed; it comes with the extra `metrics`.
    """

    name = "metrics"
    requires: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        path: str = "/metrics",
        token: Secret | str | None = None,
        allow: Sequence[str] = _PRIVATE,
        buckets: Sequence[float] = _BUCKETS,
    ) -> None:
        global _instruments
        self._library = need("prometheus_client", extra="metrics", wanted_for="Metrics")
        if _instruments is None:
            _instruments = _Instruments(self._library, buckets)
        self._instruments = _instruments
        self.path = path
        self._token = token.reveal() if isinstance(token, Secret) else token
        self._networks = [ipaddress.ip_network(network) for network in allow]
        # The children of each metric, found once for each kind of answer: `labels()` takes longer than counting.
        self._counts: dict[tuple[str, Any, int], tuple[Any, Any]] = {}

    def install(self, app: App) -> None:
        """Add the route, listen to what was answered, and watch the loop."""
        app.add_route(self.path, self._tell, name="demijohn.metrics", bare=True)
        app.observers.append(self._observe)
        app.lifespan.add(self._life)
        app.checks.add(_check, deploy=True)

    def _observe(self, request: Request, response: Response, seconds: float) -> None:
        # A made-up method must make neither a series nor an entry of its own.
        method = request.method if request.method in _METHODS else "other"
        key = (method, request.route, response.status)
        found = self._counts.get(key)
        if found is None:
            found = self._counts[key] = self._children(*key)
        found[0].inc()
        found[1].observe(seconds)

    def _children(self, method: str, route: Any, status: int) -> tuple[Any, Any]:
        pattern = "" if route is None else route.pattern
        return (
            self._instruments.requests.labels(method, pattern, str(status)),
            self._instruments.seconds.labels(method, pattern),
        )

    @asynccontextmanager
    async def _life(self, app: App) -> AsyncIterator[None]:
        watching = asyncio.get_running_loop().create_task(self._watch(app))
        try:
            yield
        finally:
            watching.cancel()

    async def _watch(self, app: App) -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(1.0)
            self._instruments.lag.set(max(0.0, loop.time() - before - 1.0))
            self._measure(app)

    def _measure(self, app: App) -> None:
        self._instruments.threads.set(app.pool.running)
        self._instruments.waiting.set(app.pool.waiting)
        self._instruments.sockets.set(len(app.sockets))

    async def _tell(self, request: Request) -> Response:
        self._admit(request)
        self._measure(request.app)
        # Files of other workers may have to be read.
        body: bytes = await request.app.run_sync(self._collect)
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return Response(body, headers={"cache-control": "no-store"}, content_type=kind)

    def _admit(self, request: Request) -> None:
        if self._token is not None:
            given = request.headers.get("authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
                raise Unauthorized("The metrics want a token.", headers=[("www-authenticate", "Bearer")])
            return
        client = request.client
        if find_proxy_header(request.raw_headers) or (client is not None and not self._is_near(client[0])):
            raise Forbidden("The metrics are told to the private network alone.")
        if not _is_own_host(request):
            raise Forbidden("The metrics are told under an address, localhost or an allowed host; or take a token.")

    def _is_near(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return address in ("testclient", "")
        mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
        return any((mapped or found) in network for network in self._networks)

    def _collect(self) -> bytes:
        library = self._library
        registry = library.REGISTRY
        folder = os.environ.get(_SHARED)
        if folder:
            registry = self._of_all_workers(folder)
        told: bytes = library.generate_latest(registry)
        return told

    def _of_all_workers(self, folder: str) -> Any:
        from prometheus_client import multiprocess

        for pid in _ended(Path(folder)):
            multiprocess.mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
        registry = self._library.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
        return registry


def _is_own_host(request: Request) -> bool:
    """Return whether the host that was asked for is ours: a page of a stranger may name one that leads here."""
    host = parse_host(request.headers.get("host") or "")
    if host is None:
        return False
    if is_loopback(host.name):
        return True
    try:
        ipaddress.ip_address(host.name.strip("[]"))
    except ValueError:
        app: App = request.app
        hosts = (*app.settings.allowed_hosts, *app.security.allowed_hosts)
        return HostPatterns([each for each in hosts if each != "*"]).matches(host)
    return True


def _ended(folder: Path) -> Iterator[int]:
    """Yield the processes that left gauges behind and are no more."""
    for file in folder.glob("gauge_live*_*.db"):
        number = file.stem.rpartition("_")[2]
        if number.isdigit() and not Path(f"/proc/{number}").exists() and Path("/proc/self").exists():
            yield int(number)


def _check(app: App) -> Iterator[CheckMessage]:
    if int(os.environ.get("WEB_CONCURRENCY", "1") or 1) > 1 and not os.environ.get(_SHARED):
        yield CheckMessage(
            level="warning",
            id="monitoring.metrics_of_one_worker",
            text="Several workers count for themselves, and /metrics tells what one of them counted.",
            hint=f"Set {_SHARED} to an empty folder; `demijohn serve` does so by itself.",
        )
