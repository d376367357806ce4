"""Static files: the same in development and production, with no step that collects them.

A file has two URLs. `/static/app.css` may always be asked for and is checked by its ETag;
`/static/app.1f3a9c0b7d2e.css`, which
`static("app.css")` returns, holds a hash of the content and is kept by browsers for a year.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from demijohn._lib.later import asyncio, hashlib, json
from demijohn._lib.text import did_you_mean
from demijohn.errors import DemijohnError, NotFound
from demijohn.http import FileResponse, Markup, Request, Response, conditional, guess_content_type
from demijohn.middleware.compression import available_codings, compress

__all__ = ["Asset", "AssetMissing", "Assets", "Fallback", "ViteManifest", "get_assets", "import_map"]

KiB = 1024
IN_MEMORY = 1024 * KiB
WORTH_PACKING = 512
CACHE_SIZE = 64 * 1024 * KiB
YEAR = 31_536_000
SIBLINGS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
LEVELS = {"br": 9, "zstd": 15, "gzip": 9}
PACKABLE = re.compile(
    r"text/|application/(javascript|json|manifest\+json|xml|wasm|.+\+(json|xml))|image/(svg\+xml|bmp|vnd.microsoft.icon)|font/(ttf|otf)"
)
HASHED = re.compile(r"^(?P<stem>.+)\.(?P<hash>[0-9a-f]{12})(?P<suffix>\.[^./]+)$")


class AssetMissing(DemijohnError):
    """A page names a static file that is not there."""

    code = "DJN-330"


class Asset:
    """One file as it was last seen: its hash, its type, and its bodies where they are small enough to be kept."""

    __slots__ = ("bodies", "content_type", "digest", "mtime", "path", "size", "unpackable")

    def __init__(self, path: str, about: os.stat_result, digest: str, body: bytes | None) -> None:
        self.path = path
        self.size = about.st_size
        self.mtime = about.st_mtime_ns
        self.digest = digest
        self.content_type = guess_content_type(path)
        self.bodies: dict[str, bytes] = {} if body is None else {"identity": body}
        self.unpackable = self.size < WORTH_PACKING or PACKABLE.match(self.content_type) is None

    def is_current(self, about: os.stat_result) -> bool:
        """Return whether the file is as it was."""
        return about.st_mtime_ns == self.mtime and about.st_size == self.size

    def memory(self) -> int:
        """Return how many bytes are kept."""
        return sum(map(len, self.bodies.values()))


class Assets:
    """The static files of one folder.

    Served are regular files inside the folder; never a dot file, never through a symbolic link that leads out of it,
    never a
    listing.

    Args:
        folder: The folder.
        prefix: The path that its URLs begin with, without a slash at the end.

    Example:
        ```python notest
        assets = Assets(Path("static"), prefix="/static")
        assets.url("app.css")  # '/static/app.1f3a9c0b7d2e.css'
        ```
    """

    def __init__(self, folder: Path, *, prefix: str = "/static") -> None:
        self.folder = folder
        self.prefix = prefix.rstrip("/")
        self._root = os.path.realpath(folder)
        self._known: dict[str, Asset] = {}
        self._kept = 0

    def url(self, name: str) -> str:
        """Return the URL of a file that may be kept for ever.

        Raises:
            AssetMissing: There is no such file.
        """
        name = name.lstrip("/")
        asset = self._known.get(name)
        if asset is None or not self._is_fresh(asset):
            asset = self._find(name)
        if asset is None:
            raise AssetMissing(
                f"The static file {name!r} was asked for, and {self.folder.name!r} has none of that name."
                f"{did_you_mean(name, self.names())}",
                why="A page that names it would show a hole.",
                fix="Put the file there, or mend its name.",
            )
        stem, dot, suffix = name.rpartition(".")
        hashed = f"{stem}.{asset.digest}.{suffix}" if dot and "/" not in suffix else name
        return f"{self.prefix}/{quote(hashed)}"

    def names(self) -> Iterator[str]:
        """Yield the names of all files that may be served."""
        for root, folders, files in os.walk(self._root):
            folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
            for file in sorted(files):
                if not file.startswith("."):
                    yield os.path.relpath(os.path.join(root, file), self._root).replace(os.sep, "/")

    def has(self, name: str) -> bool:
        """Return whether there is such a file."""
        name = name.lstrip("/")
        known = self._known.get(name)
        return (known is not None and self._is_fresh(known)) or self._find(name) is not None

    async def respond(self, request: Request, name: str) -> Response:
        """Return the response for a file.

        Raises:
            NotFound: There is none, or none that may be served.
        """
        asset = self._known.get(name)
        fresh = asset is not None and self._is_fresh(asset)
        if not fresh:
            asset = await asyncio.to_thread(self._find, name)
        is_hashed = False
        if asset is None:
            match = HASHED.match(name)
            if match is None:
                raise NotFound
            name = match["stem"] + match["suffix"]
            asset = self._known.get(name)
            if asset is None or not self._is_fresh(asset):
                asset = await asyncio.to_thread(self._find, name)
            if asset is None:
                raise NotFound
            # A page of the version before may ask for the file of that version: it gets this one, and does not keep it.
            is_hashed = asset.digest == match["hash"]
        return await self._response(request, asset, is_hashed=is_hashed)

    async def _response(self, request: Request, asset: Asset, *, is_hashed: bool) -> Response:
        cache = f"public, max-age={YEAR}, immutable" if is_hashed else "no-cache"
        body = asset.bodies.get("identity")
        if body is None or "range" in request.headers:
            file = FileResponse(asset.path, content_type=asset.content_type)
            file.headers["cache-control"] = cache
            return file.for_request(request)
        coding = "identity"
        if not asset.unpackable:
            coding = request.accept_encodings.best_match([*available_codings(), "identity"]) or "identity"
            if coding != "identity":
                packed = asset.bodies.get(coding)
                if packed is None:
                    packed = asset.bodies[coding] = await asyncio.to_thread(self._pack, asset, coding, body)
                    self._kept += len(packed)
                body = packed
        response = Response(body, content_type=asset.content_type)
        tag = asset.digest if coding == "identity" else f"{asset.digest}-{coding}"
        response._headers = [
            (b"cache-control", cache.encode()),
            (b"etag", f'"{tag}"'.encode()),
            (b"x-content-type-options", b"nosniff"),
        ]
        if not asset.unpackable:
            response._headers.append((b"vary", b"accept-encoding"))
        if coding != "identity":
            response._headers.append((b"content-encoding", coding.encode()))
        else:
            response._headers.append((b"accept-ranges", b"bytes"))
        if "if-none-match" in request.headers or "if-match" in request.headers:
            return conditional(request, response)
        return response

    def _pack(self, asset: Asset, coding: str, body: bytes) -> bytes:
        sibling = asset.path + SIBLINGS[coding]
        try:
            if os.stat(sibling).st_mtime_ns >= asset.mtime:
                return Path(sibling).read_bytes()
        except OSError:
            pass
        return compress(coding, body, level=LEVELS[coding])

    def _is_fresh(self, asset: Asset) -> bool:
        try:
            return asset.is_current(os.stat(asset.path))
        except OSError:
            return False

    def _find(self, name: str) -> Asset | None:
        path = self._path_of(name)
        if path is None:
            return None
        try:
            about = os.stat(path)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(about.st_mode):
            return None
        known = self._known.get(name)
        if known is not None and known.is_current(about):
            return known
        return self._read(name, path, about)

    def _path_of(self, name: str) -> str | None:
        """Return the real path of a name, or None for one that leads out of the folder or to a dot file."""
        if "\0" in name or "\\" in name:
            return None
        parts = name.split("/")
        if any(not part or part.startswith(".") for part in parts):
            return None
        path = os.path.realpath(os.path.join(self._root, *parts))
        if not path.startswith(self._root + os.sep) or f"{os.sep}." in path[len(self._root) :]:
            return None
        return path

    def _read(self, name: str, path: str, about: os.stat_result) -> Asset | None:
        body: bytes | None = None
        digest = hashlib.sha256()
        try:
            with open(path, "rb") as file:
                if about.st_size <= IN_MEMORY:
                    body = file.read()
                    digest.update(body)
                else:
                    while piece := file.read(256 * KiB):
                        digest.update(piece)
        except OSError:
            return None
        if self._kept > CACHE_SIZE:
            self._known.clear()
            self._kept = 0
        old = self._known.get(name)
        if old is not None:
            self._kept -= old.memory()
        asset = self._known[name] = Asset(path, about, digest.hexdigest()[:12], body)
        self._kept += asset.memory()
        return asset


class Fallback:
    """A single-page application: its files, and its first page for whatever it routes itself."""

    def __init__(self, folder: Path, prefix: str, index: str) -> None:
        self.assets = Assets(folder, prefix=prefix)
        self.prefix = prefix.rstrip("/")
        self.index = index

    async def respond(self, request: Request) -> Response | None:
        """Return the file, or the first page for a browser that navigates, or None."""
        path = request.path
        if request.method not in ("GET", "HEAD") or not (path + "/").startswith(self.prefix + "/"):
            return None
        name = path[len(self.prefix) :].strip("/")
        if name:
            try:
                return await self.assets.respond(request, name)
            except NotFound:
                pass
        accept = request.accept
        # A missing script must not come as a page, or the browser would try to run it.
        if "." in name.rpartition("/")[2] or not accept.names_html or accept.prefers_data:
            return None
        return await self.assets.respond(request, self.index)


def get_assets(folders: Mapping[str, Assets], name: str, namespace: str) -> Assets:
    """Return the folder that has a file: that of the blueprint or of those around it, or the app's.

    Raises:
        AssetMissing: None has it.
    """
    while True:
        assets = folders.get(namespace)
        if assets is not None and (assets.has(name) or not namespace):
            return assets
        if not namespace:
            raise AssetMissing(
                f"The static file {name!r} was asked for, and the app has no static folder.",
                why="Static files live in a folder called `static` beside the module of the app.",
                fix='Make the folder, or name it:  App(static="assets")',
            )
        namespace = namespace.rpartition(".")[0]


def import_map(assets: Assets, *, nonce: str, named: Mapping[str, str] | None = None) -> Markup:
    """Return a `<script type="importmap">` that leads each module of a folder to its hashed URL.

    Modules may then import each other by their plain URLs, and pages by the names given.

    Args:
        assets: The folder.
        nonce: The nonce of the response.
        named: Names for pages to import by, and the file of each: `{"app": "js/app.js"}`.
    """
    imports = {f"{assets.prefix}/{name}": assets.url(name) for name in assets.names() if name.endswith((".js", ".mjs"))}
    for name, file in (named or {}).items():
        imports[name] = assets.url(file)
    text = json.dumps({"imports": imports}).replace("<", "\\u003c")
    return Markup(f'<script type="importmap" nonce="{nonce}">{text}</script>')


class ViteManifest:
    """The entry points of a front end that Vite built, as tags for a page.

    Args:
        assets: The static folder that the build went to.
        folder: The folder within it, Vite's `outDir`; it holds `.vite/manifest.json`.
        dev_server: The URL of Vite's server, while it runs; nothing is read from the folder then.
    """

    def __init__(self, assets: Assets, *, folder: str = "dist", dev_server: str | None = None) -> None:
        self._assets = assets
        self._folder = folder.strip("/")
        self._dev_server = dev_server.rstrip("/") if dev_server else None
        self._read: tuple[int, dict[str, dict[str, object]]] | None = None

    def tags(self, entry: str, *, nonce: str = "") -> Markup:
        """Return the tags of an entry point: its styles, the modules to load ahead, its script.

        Raises:
            AssetMissing: The build has no such entry point, or there was no build.
        """
        mark = f' nonce="{nonce}"' if nonce else ""
        if self._dev_server is not None:
            scripts = ("@vite/client", entry)
            return Markup(
                "".join(f'<script type="module" src="{self._dev_server}/{name}"{mark}></script>' for name in scripts)
            )
        chunks = self._manifest()
        if entry not in chunks:
            raise AssetMissing(
                f"The entry point {entry!r} was asked for, and the build has none of that name."
                f"{did_you_mean(entry, [name for name, chunk in chunks.items() if chunk.get('isEntry')])}",
                why="Pages can begin with the inputs of the build alone.",
                fix="Add it to `build.rollupOptions.input` in vite.config.js, and build.",
                code="DJN-331",
            )
        styles: dict[str, None] = {}
        ahead: dict[str, None] = {}
        self._follow(entry, chunks, styles, ahead)
        own = str(chunks[entry]["file"])
        ahead.pop(own, None)
        parts = [f'<link rel="stylesheet" href="{self._url(name)}"{mark}>' for name in styles]
        parts += [f'<link rel="modulepreload" href="{self._url(name)}">' for name in ahead]
        parts.append(f'<script type="module" src="{self._url(own)}"{mark}></script>')
        return Markup("".join(parts))

    def _follow(
        self, name: str, chunks: dict[str, dict[str, object]], styles: dict[str, None], ahead: dict[str, None]
    ) -> None:
        chunk = chunks[name]
        file = str(chunk["file"])
        if file in ahead:
            return
        ahead[file] = None
        css, imports = chunk.get("css", ()), chunk.get("imports", ())
        if isinstance(imports, list):
            for other in imports:
                self._follow(str(other), chunks, styles, ahead)
        if isinstance(css, list):
            styles.update(dict.fromkeys(map(str, css)))

    def _url(self, name: str) -> str:
        # Vite has put a hash of its own into the names.
        return f"{self._assets.prefix}/{quote(self._folder)}/{quote(name)}"

    def _manifest(self) -> dict[str, dict[str, object]]:
        path = self._assets.folder / self._folder / ".vite" / "manifest.json"
        try:
            mtime = path.stat().st_mtime_ns
            if self._read is None or self._read[0] != mtime:
                self._read = (mtime, json.loads(path.read_text(encoding="utf-8")))
        except OSError:
            raise AssetMissing(
                f"There is no build of the front end in {self._folder!r}.",
                why="`.vite/manifest.json` says which files belong to an entry point.",
                fix="Set `build.manifest: true` in vite.config.js and run `vite build`.",
                code="DJN-331",
            ) from None
        return self._read[1]
