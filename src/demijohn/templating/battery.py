"""`Templates`: the battery that renders pages."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2.ext import Extension

from demijohn.app import Page, current, is_partial
from demijohn.app.context import find_unit
from demijohn.errors import ConfigurationError
from demijohn.http import Markup, Request, Response, StreamResponse
from demijohn.templating.checking import check_templates
from demijohn.templating.components import Component, make_component, render_with
from demijohn.templating.environment import ByteCode, Environment, is_text
from demijohn.templating.failures import AwaitableInTemplate
from demijohn.templating.names import standard_names
from demijohn.templating.streaming import stream_chunks
from demijohn.templating.undefined import StrictUndefined

if TYPE_CHECKING:
    from demijohn.app import App, Scaffold

__all__ = ["Templates", "render_template", "render_template_string", "stream_template"]

_TYPES = {
    ".txt": "text/plain; charset=utf-8",
    ".xml": "application/xml; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
}
_HTML = "text/html; charset=utf-8"

THEME = Path(__file__).parent / "theme"
"""The default look: `demijohn/base.html`, its stylesheets and htmx."""

Processor = Callable[..., Any]


class Templates:
    """Renders pages with Jinja2.

    An app that returns a `Page` has it by itself; `app.use(Templates(...))` is for its options.

    Args:
        folder: The folder of the app's templates, relative to its module; `templates` where nothing is said.
        reload: Look at each use whether a file has changed; `app.debug` where nothing is said.
        byte_code: Keep compiled templates between processes: `True` for a private folder, or a folder; where nothing is
            said, in production.
        components: Components, or modules of them, that this app means where a name is declared twice.
        extensions: More Jinja2 extensions, as classes.
        options: More options of `jinja2.Environment`, such as `{"trim_blocks": True}` (Any: they have many types).

    Example:
        >>> from demijohn import App
        >>> templates = App().use(Templates(options={"trim_blocks": True}))
    """

    name = "templating"
    requires: tuple[str, ...] = ()

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        reload: bool | None = None,
        byte_code: bool | str | Path | None = None,
        components: Iterable[Component[...] | ModuleType] = (),
        extensions: Iterable[type[Extension]] = (),
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.reload = reload
        self.byte_code = byte_code
        self.extensions = tuple(extensions)
        self.options = dict(options or {})
        self._components: list[Component[...]] = []
        for given in components:
            if isinstance(given, ModuleType):
                self._components += [thing for thing in vars(given).values() if isinstance(thing, Component)]
            elif isinstance(given, Component):
                self._components.append(given)
            else:
                raise ConfigurationError(
                    f"Templates(components=...) got {given!r}.",
                    why="It takes components, and modules of them.",
                    fix="Declare it:  @component('components/card.html')",
                    code="DJN-706",
                )
        self._app: App | None = None
        self._environment: Environment | None = None
        self._everywhere: tuple[_Processor, ...] = ()
        self._by_namespace: dict[str, tuple[_Processor, ...]] = {}

    def install(self, app: "App") -> None:
        """Plug into the app: what renders a `Page`, and the checks."""
        self._app = app
        app.encoder.add(Page, self._respond)
        app.add_assets("theme", THEME / "static")
        app.templates.folders.append((THEME / "templates", "demijohn"))
        app.checks.add(lambda app: check_templates(app, self.environment))

    @property
    def environment(self) -> Environment:
        """The Jinja2 environment, made at the first use from what the app has by then.

        Raises:
            TypeError: The battery was not added to an app.
        """
        if self._environment is None:
            self._environment = self._make()
        return self._environment

    def component(
        self, template: str | None = None, /, *, source: str | None = None
    ) -> Callable[[Callable[..., Mapping[str, Any] | None]], Component[...]]:
        """Declare a component of this app alone."""

        def declare(function: Callable[..., Mapping[str, Any] | None]) -> Component[...]:
            made = make_component(function, template, source)
            self._components.append(made)
            if self._environment is not None:
                self._environment.components.add(made)
            return made

        return declare

    def render(self, template: str, /, **context: Any) -> str:
        """Render a template, or the block that `template#block` names.

        The result is markup, unless the template is a text.

        Context processors that have to be awaited are refused here, as are such values (Any: templates print anything).

        Raises:
            TemplateError: Something is wrong with the template, or nothing can be awaited.
        """
        text = self.environment.render_name(template, self._checked(template, context), base=self._base_now())
        return text if is_text(template.partition("#")[0]) else Markup(text)

    def render_alone(self, template: str, /, context: Mapping[str, Any]) -> str:
        """Render a template with the globals and these names, without context processors.

        It is how mails and other documents are made, which belong to no page. The result is as in `render`.

        Raises:
            TemplateError: Something is wrong with the template.

        Any: templates print anything.
        """
        text = self.environment.render_name(template, self._checked(template, dict(context)))
        return text if is_text(template.partition("#")[0]) else Markup(text)

    def has_template(self, name: str, /) -> bool:
        """Return whether there is a template of that name."""
        return self.environment.folders.find(name) is not None

    def render_text(self, source: str, /, **context: Any) -> str:
        """Render a template that is given as text, escaped, to markup.

        Any: templates print anything. What a visitor wrote is never a template.
        """
        return Markup(self.environment.render_text(source, self._checked("", context), base=self._base_now()))

    def render_component(self, component: Component[...], values: Mapping[str, Any]) -> str:
        """Render a component that Python code called (Any: values of the declared types)."""
        environment = self.environment
        if component.source is not None:
            environment.folders.texts.setdefault(component.template, component.source)
        text = environment.render_name(component.template, values, base=self._base_now())
        return text if is_text(component.template) else Markup(text)

    def stream(self, template: str, /, **context: Any) -> StreamResponse:
        """Return a response that sends a page while it is rendered.

        Async iterators may be looped over.

        Any: templates print anything.
        """
        chunks = stream_chunks(self.environment, template, context, base=self._base_later)
        return StreamResponse(chunks, content_type=_type_of(template))

    # -- pages ----------------------------------------------------------------------------------------------------

    def _respond(self, page: Page, request: Request) -> Response | Any:
        processors = self._processors(request)
        if page.is_pending or (processors and _wait(processors)):
            return self._respond_later(page, request)
        return self._answer(page, request, self._base(request, processors) if processors else None)

    async def _respond_later(self, page: Page, request: Request) -> Response:
        await page.settle()
        return self._answer(page, request, await self._base_later())

    def _answer(self, page: Page, request: Request, base: Mapping[str, Any] | None) -> Response:
        name = page.template
        block = page.block
        if block is not None and is_partial(request):
            name = f"{name}#{block}"
        app = request.app
        if app.sends_signals:
            app.signals.template_rendered.send(app, template=name, context=page.context)
        began = perf_counter()
        body = self.environment.render_name(name, page.context, base=base)
        if app.notes is not None:
            app.note("Templates", _note(name, page.context, perf_counter() - began))
        response = Response(body.encode(), page.status, content_type=_type_of(page.template))
        if block is not None:
            response.headers.add_vary("HX-Request", "HX-Request-Type")
        page.dress(response.headers)
        return response

    # -- context processors -----------------------------------------------------------------------------------------

    def _processors(self, unit: Any) -> tuple["_Processor", ...]:
        if self._environment is None:
            self._environment = self._make()
        if not self._by_namespace:
            return self._everywhere
        route = getattr(unit, "route", None)
        if route is None:
            return self._everywhere
        return self._by_namespace.get(route.namespace, self._everywhere)

    def _base(self, unit: Any, processors: "tuple[_Processor, ...]") -> dict[str, Any]:
        """Return the globals with what context processors give."""
        base = dict(self.environment.globals)
        for processor in processors:
            base.update(processor(unit))
        return base

    def _base_now(self) -> dict[str, Any] | None:
        unit = find_unit()
        processors = self._processors(unit)
        if _wait(processors):
            raise AwaitableInTemplate(
                "A context processor is an `async def`, and a template is rendered where nothing can be awaited.",
                why="`render_template` and components called in Python are plain functions.",
                fix="Return a `Page(...)`, or make the context processor a plain `def`.",
            )
        return self._base(unit, processors) if processors else None

    async def _base_later(self) -> dict[str, Any] | None:
        unit = find_unit()
        processors = self._processors(unit)
        if not processors:
            return None
        base = dict(self.environment.globals)
        for processor in processors:
            found = processor(unit)
            base.update(await found if isinstance(found, Awaitable) else found)
        return base

    def _checked(self, template: str, context: dict[str, Any]) -> dict[str, Any]:
        for name, value in context.items():
            if hasattr(value.__class__, "__await__"):
                if hasattr(value, "close"):
                    value.close()
                raise AwaitableInTemplate(
                    f"{template or 'A template'} was given {name!r}, which has to be awaited.",
                    why="`render_template` is a plain function.",
                    fix=f"Write  {name}=await ...   or return a `Page`, which awaits its values.",
                )
        return context

    # -- making -----------------------------------------------------------------------------------------------------

    def _make(self) -> Environment:
        app = self._app
        if app is None:
            raise TypeError("Templates are made for an app: app.use(Templates()).")
        registry = app.templates
        byte_code = not app.debug if self.byte_code is None else self.byte_code
        reload = app.debug if self.reload is None else self.reload
        environment = Environment(
            reload=reload,
            byte_code=self._byte_code(byte_code) if byte_code else None,
            extensions=[*registry.extensions, *self.extensions],
            options={"undefined": StrictUndefined, **(self.options or {})} if app.strict else self.options,
        )
        if self.folder is not None:
            environment.folders.add(app.root_path / self.folder)
        else:
            # One that is made later is found too, and a missing template says to make the file there.
            environment.folders.add(app.template_folder or app.root_path / "templates")
        self._everywhere = tuple(map(_Processor, (*registry.context_processors, *app.context_processors)))
        for namespace, scaffold, around in _included(app, "", ()):
            if scaffold.template_folder is not None:
                environment.folders.add(scaffold.template_folder, namespace)
            if around:
                self._by_namespace[namespace] = (*self._everywhere, *map(_Processor, around))
        for added in registry.folders:
            path, owner = added if isinstance(added, tuple) else (added, "")
            environment.folders.add(Path(path), owner or "package")
        environment.globals.update(standard_names())
        environment.globals.update(registry.globals)
        environment.filters.update(registry.filters)
        environment.tests.update(registry.tests)
        for component in self._components:
            environment.components.add(component)
        return environment

    def _byte_code(self, where: bool | str | Path) -> jinja2.BytecodeCache:
        folder = None if where is True else str(where)
        if folder is not None:
            Path(folder).mkdir(parents=True, exist_ok=True)
        return ByteCode(folder, self._fingerprint)

    def _fingerprint(self) -> str:
        from importlib.metadata import version

        components = self.environment.components.fingerprint() if self._environment is not None else ""
        # A checkout changes how templates compile without a new version.
        made_by = Path(__file__).with_name("compiler.py").stat().st_mtime_ns
        return f"{version('demijohn')}|{made_by}|{version('jinja2')}|{sorted(self.options.items())!r}|{components}"


class _Processor:
    """A context processor: what it is given, and whether it has to be awaited."""

    __slots__ = ("function", "is_async", "takes_request")

    def __init__(self, function: Processor) -> None:
        self.function = function
        self.is_async = inspect.iscoroutinefunction(inspect.unwrap(function))
        try:
            self.takes_request = bool(inspect.signature(function).parameters)
        except (TypeError, ValueError):
            self.takes_request = False

    def __call__(self, unit: Any) -> Any:
        return self.function(unit) if self.takes_request else self.function()


def _note(name: str, context: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    names = ", ".join(f"{key}: {type(value).__name__}" for key, value in context.items())
    return {"template": name, "ms": round(seconds * 1000, 3), "context": names}


def _wait(processors: tuple[_Processor, ...]) -> bool:
    return any(processor.is_async for processor in processors)


def _included(
    scaffold: "Scaffold", name: str, around: tuple[Processor, ...]
) -> Iterable[tuple[str, Any, tuple[Processor, ...]]]:
    """Yield each blueprint with its full name and the context processors of it and of those around it."""
    for blueprint, _, own_name, _ in scaffold.included:
        full = f"{name}.{own_name}" if name else own_name
        inside = (*around, *blueprint.context_processors)
        yield full, blueprint, inside
        yield from _included(blueprint, full, inside)


def _type_of(template: str) -> str:
    name = template.partition("#")[0].lower().removesuffix(".j2").removesuffix(".jinja")
    _, dot, suffix = name.rpartition(".")
    return _TYPES.get(f"{dot}{suffix}", _HTML)


def _running() -> Templates:
    battery = current.app.need("templating")
    if not isinstance(battery, Templates):
        raise TypeError(f"The battery 'templating' of this app is {battery!r}.")
    return battery


render_with(_running)


def render_template(template: str, /, **context: Any) -> str:
    """Render a template of the running app, or the block that `template#block` names.

    The result is markup, which a handler may return, and plain text for a text. For most handlers `Page` is the better
    answer: it awaits values and knows htmx and other formats (Any: templates print anything).

    Raises:
        TemplateError: Something is wrong with the template, or a value has to be awaited.
        OutsideContext: No app is running.

    Example:
        ```python notest
        subject = render_template("mail/welcome.txt", name="Ann")
        ```
    """
    return _running().render(template, **context)


def render_template_string(source: str, /, **context: Any) -> str:
    """Render a template that is given as text, escaped.

    What a visitor wrote is never a template.

    Any: templates print anything.
    """
    return _running().render_text(source, **context)


def stream_template(template: str, /, **context: Any) -> StreamResponse:
    """Return a response that sends a page while it is rendered.

    For pages that are long or slow.

    Async iterators may be looped over in the template. What goes wrong on the way cuts the response off, since its
    status is sent already (Any: templates print anything).

    Example:
        ```python notest
        @app.get("/log")
        async def log():
            return stream_template("log.html", lines=read_lines())
        ```
    """
    return _running().stream(template, **context)
