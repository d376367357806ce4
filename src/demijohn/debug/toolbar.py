"""The development toolbar: what each of the last fifty requests did, and pages that notice a change by themselves."""

import asyncio
import contextvars
import inspect
import os
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from time import monotonic, time
from typing import Any, Final
from weakref import WeakKeyDictionary

from demijohn.app.debug_door import DEBUG_PATH
from demijohn.debug.inspection import Told, request_page
from demijohn.debug.live import LIVE_SCRIPT
from demijohn.debug.redaction import text_of
from demijohn.http import EventStreamResponse, Request, Response, ServerSentEvent
from demijohn.middleware import csp_nonce
from demijohn.schema import to_json

__all__ = ["Entry", "Toolbar", "toolbar_of"]

_MOST: Final = 50
_MOST_FILES: Final = 3000
_PAUSE: Final = 0.4


class Entry:
    """One request that was answered; what panels tell of it is asked for when somebody looks."""

    __slots__ = ("at", "context", "head", "kind", "name", "notes", "request", "seconds", "size", "status")

    def __init__(
        self, request: Request, response: Response, seconds: float, notes: list[tuple[str, Any]], name: str
    ) -> None:
        self.name = name
        self.at = time()
        self.request = request
        self.seconds = seconds
        self.notes = notes
        self.status = response.status
        self.kind = response.content_type or ""
        self.size = len(response.body)
        self.head = list(response._headers or ())
        self.context = contextvars.copy_context()

    def of_kind(self, kind: str) -> list[Any]:
        """Return what was noted under a title (Any: whatever it is)."""
        return [value for noted, value in self.notes if noted == kind]

    @property
    def is_partial(self) -> bool:
        """Whether a page asked for a part of itself."""
        return self.request.is_htmx

    def summary(self) -> dict[str, Any]:
        """Return what the bar shows (Any: JSON)."""
        route = self.request.route
        return {
            "id": self.name,
            "method": self.request.method,
            "path": self.request.path[:200],
            "route": "" if route is None else route.pattern,
            "status": self.status,
            "ms": round(self.seconds * 1000, 1),
            "kind": self.kind.partition(";")[0],
            "htmx": self.is_partial,
            "logs": len(self.of_kind("Log")),
        }


class Toolbar:
    """Keeps the last fifty requests of an app in development (Any: the app).

    Made when the first request was answered. Nothing but references are kept of a request until somebody looks at it.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.started = secrets.token_urlsafe(8)
        self.entries: deque[Entry] = deque(maxlen=_MOST)
        self._count = 0
        self._looked_at = -1e9
        self._found: dict[str, int] = {}
        if app.sends_signals:
            for signal in app.signals:
                signal.connect(self._hear(signal.name), weak=False)
        self._names: WeakKeyDictionary[Request, str] = WeakKeyDictionary()

    # -- what is kept -------------------------------------------------------------------------------------------------

    def observe(self, request: Request, response: Response, *, seconds: float) -> None:
        """Keep a request that was answered."""
        notes = self.app.notes.pop(request, [])
        if request.route is not None and request.route.name.endswith("static"):
            return
        name = self._names.pop(request, "") or self._next()
        self.entries.append(Entry(request, response, seconds, notes, name))

    def inject(self, request: Request, response: Response) -> None:
        """Put the bar into a page."""
        before, end, after = response.body.rpartition(b"</body>")
        if not end:
            return
        name = self._next()
        self._names[request] = name
        nonce = csp_nonce(request)
        attributes = f' nonce="{nonce}"' if nonce else ""
        safe = ' data-safe="yes"' if request.method in ("GET", "HEAD") else ""
        base = f"{request.root_path}{DEBUG_PATH}"
        script = (
            f'<script src="{base}/live.js"{attributes} data-base="{base}" data-request="{name}"'
            f' data-started="{self.started}"{safe} defer></script>'
        )
        response.body = b"".join((before, script.encode(), end, after))

    def _hear(self, name: str) -> Callable[..., None]:
        def heard(sender: object, **values: object) -> None:
            told = ", ".join(f"{key}: {type(value).__name__}" for key, value in values.items())
            self.app.note("Signals", {"signal": name, "sender": type(sender).__name__, "values": told})

        return heard

    def _next(self) -> str:
        self._count += 1
        return f"{self.started}-{self._count}"

    def find(self, name: object) -> Entry | None:
        """Return a request by its name, or None where it is no longer kept."""
        return next((entry for entry in self.entries if entry.name == name), None)

    # -- what is shown ------------------------------------------------------------------------------------------------

    async def serve(self, name: str, request: Request) -> Response | None:
        """Answer a page or a stream of the toolbar; None where there is none so named."""
        if name == "live.js":
            return Response(
                LIVE_SCRIPT.encode(), 200, {"cache-control": "no-store"}, content_type="text/javascript; charset=utf-8"
            )
        if name == "events":
            return EventStreamResponse(self._events(request), ping=10.0)
        if name == "requests":
            wanted = request.query.get("id")
            entry = self.find(wanted) if wanted else (self.entries[-1] if self.entries else None)
            told = [] if entry is None else await self.told(entry)
            return request_page(entry, list(reversed(self.entries)), told, base=f"{request.root_path}{DEBUG_PATH}")
        return None

    async def told(self, entry: Entry) -> list[Told]:
        """Return what the app's panels, and the notes that were taken, tell of a request."""
        found: list[Told] = []
        for title, show in self.app.panels.items():
            try:
                told = entry.context.run(show, entry.request)
                if inspect.isawaitable(told):
                    told = await told
            except Exception as error:
                told = f"The panel failed: {type(error).__name__}: {text_of(error)}"
            if told is not None and told != []:
                found.append(Told(title, told))
        noted = dict.fromkeys(title for title, _ in entry.notes)
        return found + [Told(title, entry.of_kind(title)) for title in noted]

    async def _events(self, request: Request) -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(self.started, event="hello", retry=300)
        own = self.find(request.query.get("id"))
        if own is not None:
            yield ServerSentEvent(to_json(own.summary()).decode(), event="request")
        last = self.entries[-1].name if self.entries else ""
        stamps = await self._look()
        while not self.app.draining:
            await asyncio.sleep(_PAUSE)
            for entry in self._since(last):
                last = entry.name
                yield ServerSentEvent(to_json(entry.summary()).decode(), event="request")
            now = await self._look()
            if now != stamps:
                changed = {name for name in now.keys() | stamps.keys() if now.get(name) != stamps.get(name)}
                stamps = now
                kind = "style" if all(name.endswith(".css") for name in changed) else "page"
                yield ServerSentEvent(kind, event="changed")

    def _since(self, name: str) -> list[Entry]:
        entries = list(self.entries)
        for index, entry in enumerate(entries):
            if entry.name == name:
                return entries[index + 1 :]
        return entries

    async def _look(self) -> dict[str, int]:
        """Return the state of the files, looked at once for all open pages."""
        now = monotonic()
        if now - self._looked_at >= _PAUSE:
            self._looked_at = now
            self._found = await asyncio.to_thread(self._stamps)
        return self._found

    def _stamps(self) -> dict[str, int]:
        """Return when each template and static file was written last."""
        found: dict[str, int] = {}
        for file in self._files():
            try:
                found[str(file)] = file.stat().st_mtime_ns
            except OSError:
                continue
            if len(found) >= _MOST_FILES:
                break
        return found

    def _files(self) -> Iterator[Path]:
        for scaffold in self.app.scaffolds():
            for folder in (scaffold.template_folder, scaffold.static_folder):
                if folder is not None:
                    for root, _, names in os.walk(folder):
                        yield from (Path(root, name) for name in names)


_toolbars: "WeakKeyDictionary[Any, Toolbar]" = WeakKeyDictionary()


def toolbar_of(app: Any) -> Toolbar:
    """Return the toolbar of an app, made when it is first needed (Any: the app)."""
    found = _toolbars.get(app)
    if found is None:
        found = _toolbars[app] = Toolbar(app)
    return found
