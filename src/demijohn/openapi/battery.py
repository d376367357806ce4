"""`OpenAPI`: the battery that describes an app to programs and to the people who write them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from demijohn._lib.translation import get_language
from demijohn.app import CheckMessage
from demijohn.errors import ConfigurationError
from demijohn.http import Request, Response
from demijohn.openapi.document import Document, build_document
from demijohn.openapi.page import render_page
from demijohn.openapi.writing import to_yaml_text
from demijohn.schema import to_json

if TYPE_CHECKING:
    from demijohn.app import App

__all__ = ["OpenAPI"]

STATIC = Path(__file__).with_name("static")
_TITLE = "API"


class OpenAPI:
    """Describes the routes of an app: an OpenAPI 3.1 document, and a page.

    The page is for reading them and trying them. Handlers that answer people (a `Page`, HTML, a redirect) are left
    out; `describe(hidden=...)` says otherwise.

    Args:
        title: The name of the API; that of the app's folder otherwise.
        version: The version of the API.
        description: What it is for, in Markdown.
        path: Where the document is, without `.json` or `.yaml`.
        docs: Where the page is; `None` for none.
        only: Beginnings of paths: `["/api"]` leaves all others out.
        servers: URLs that the API is reached at, where that is not the site itself.
        tags: Descriptions of the groups, by the names of blueprints.

    Raises:
        ConfigurationError: DJN-980, a path does not begin with a slash.

    Example:
        >>> from demijohn import App
        >>> app = App()
        >>> @app.get("/add")
        ... def add(a: int, b: int) -> dict[str, int]:
        ...     return {"sum": a + b}
        >>> api = app.use(OpenAPI(title="Sums"))
        >>> list(api.document(app)["paths"])
        ['/add']
    """

    name = "openapi"
    requires: tuple[str, ...] = ()

    def __init__(
        self,
        title: str | None = None,
        *,
        version: str = "1.0.0",
        description: str = "",
        path: str = "/openapi",
        docs: str | None = "/docs",
        only: Sequence[str] = (),
        servers: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        for written in (path, *([] if docs is None else [docs]), *([only] if isinstance(only, str) else only)):
            if not written.startswith("/"):
                raise ConfigurationError(
                    f"OpenAPI(...) was given the path {written!r}.",
                    why="Paths begin with a slash.",
                    fix='Write:  OpenAPI(path="/openapi", docs="/docs", only=["/api"])',
                    code="DJN-980",
                )
        self.title = title
        self.version = version
        self.description = description
        self.path = path.removesuffix(".json")
        self.docs = docs
        self.only = (only,) if isinstance(only, str) else tuple(only)
        self.servers = tuple(servers)
        self.tags = dict(tags or {})
        self._built: dict[str, Document] = {}
        self._written: dict[tuple[str, str], bytes] = {}

    def install(self, app: "App") -> None:
        """Plug into the app: the routes, the command, the check."""
        app.add_route(f"{self.path}.json", self._json, name="demijohn.openapi")
        app.add_route(f"{self.path}.yaml", self._yaml, name="demijohn.openapi_yaml")
        if self.docs is not None:
            app.add_assets("openapi", STATIC)
            app.add_route(self.docs, self._page, name="demijohn.docs")

        def openapi(format: Literal["json", "yaml"] = "json") -> str:  # noqa: A002 - the name of the option
            """Print the OpenAPI document of the app."""
            data = self.document(app)
            return to_json(data, indent=2).decode() if format == "json" else to_yaml_text(data).rstrip("\n")

        app.commands.add(openapi)
        app.checks.add(self._check)

    def document(self, app: "App") -> dict[str, Any]:
        """Return the document as plain data, built once for each language.

        Any: as JSON has it.
        """
        return self._document(app).data

    def _document(self, app: "App") -> Document:
        language = get_language()  # labels and help texts may be lazy
        built = self._built.get(language)
        if built is None:
            app.freeze()
            info: dict[str, Any] = {"title": self.title or _name_of(app), "version": self.version}
            if self.description:
                info["description"] = self.description
            built = build_document(app, info=info, only=self.only, servers=self.servers, tags=self.tags)
            self._built[language] = built
        return built

    # -- routes -------------------------------------------------------------------------------------------------------

    async def _json(self, request: Request) -> Response:
        return Response(self._text("json", request.app), content_type="application/json")

    async def _yaml(self, request: Request) -> Response:
        return Response(self._text("yaml", request.app), content_type="application/yaml")

    def _text(self, kind: Literal["json", "yaml"], app: "App") -> bytes:
        """Return the document as it is sent; it is written once for all who ask in a language."""
        key = kind, get_language()
        text = self._written.get(key)
        if text is None:
            data = self.document(app)
            text = self._written[key] = to_json(data) if kind == "json" else to_yaml_text(data).encode()
        return text

    async def _page(self, request: Request) -> Response:
        page = render_page(
            self.document(request.app), app=request.app, path=f"{request.root_path}{self.path}", docs=request.path
        )
        return Response(page.encode(), content_type="text/html; charset=utf-8")

    # -- checks -------------------------------------------------------------------------------------------------------

    def _check(self, app: "App") -> Iterator[CheckMessage]:
        document = self._document(app)
        for operation, tp in document.undescribed:
            yield CheckMessage(
                level="warning",
                id="openapi.type",
                text=f"{operation.method} {operation.route.pattern} has a type without a schema: {tp!r}.",
                hint="The document says that it may be anything. Use a class with fields in its place.",
                place=operation.route.place,
            )
        unsaid = [f"{operation.method} {operation.route.pattern}" for operation in document.unsaid]
        if unsaid:
            yield CheckMessage(
                level="info",
                id="openapi.unsaid",
                text=f"{len(unsaid)} handlers do not say what they return: {', '.join(unsaid[:3])}"
                f"{', ...' if len(unsaid) > 3 else ''}.",
                hint="Annotate what comes back:  async def items() -> list[Item]: ...",
                place=document.unsaid[0].route.place,
            )
        for operation in document.guessed:
            yield CheckMessage(
                level="info",
                id="openapi.page",
                text=f"{operation.method} {operation.route.pattern} is left out of the document: its handler says not"
                " what it returns, and builds a page.",
                hint="Annotate what comes back, or write  @describe(hidden=False)  or  @describe(hidden=True).",
                place=operation.route.place,
            )


def _name_of(app: "App") -> str:
    words = (app.name or app.root_path.name).replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:] or _TITLE
