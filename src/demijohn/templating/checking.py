"""What `demijohn check` finds in templates, and in the handlers that render them, before anything is rendered."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints, is_typeddict

from demijohn._lib.source import relative
from demijohn._lib.text import did_you_mean, listing
from demijohn.app import CheckMessage, Page
from demijohn.templating.analysis import Facts, Part, facts_of
from demijohn.templating.environment import Environment
from demijohn.templating.failures import TemplateError, raise_explained

if TYPE_CHECKING:
    from demijohn.app import App

__all__ = ["check_templates"]

# What Jinja2 itself gives to a template or a block.
_GIVEN = frozenset(("loop", "self", "super", "caller", "varargs", "kwargs", "true", "false", "none", "True", "False"))
_FRAMEWORK = Path(__file__).parents[1]
_RENDERERS = frozenset(("Page", "render_template", "stream_template"))


def check_templates(app: "App", environment: Environment) -> Iterator[CheckMessage]:
    """Yield what is wrong with the templates of an app.

    Found are templates that cannot be read; templates, blocks and URL names that are not there; names that a template
    needs and a handler does not pass; templates that hide one another; and attributes without quotes.
    """
    checker = _Checker(app, environment)
    yield from checker.files()
    yield from checker.uses()


@dataclass(frozen=True, slots=True)
class _Rendering:
    """A call in Python that renders a template."""

    template: str
    names: frozenset[str] | None
    place: str


class _Checker:
    def __init__(self, app: "App", environment: Environment) -> None:
        self.app = app
        self.environment = environment
        self.known: dict[str, Facts | None] = {}
        routes = getattr(app.router, "routes", ())
        self.routes = {route.name: route for route in routes}
        self.given = self._names_given()

    # -- the files ------------------------------------------------------------------------------------------------

    def files(self) -> Iterator[CheckMessage]:
        seen: dict[str, tuple[str, Path]] = {}
        read: set[Path] = set()
        for folder, name, path in self.environment.folders.files():
            if path in read:  # the folder of an app and of the blueprints beside it
                continue
            read.add(path)
            first = seen.setdefault(name, (folder.owner, path))
            if first[1] != path:
                if first[0]:
                    yield CheckMessage(
                        level="warning",
                        id="templates.hidden",
                        text=f"{name!r} of {folder.owner!r} is hidden by that of {first[0]!r}.",
                        hint=f"Put each below a folder of its own: templates/{folder.owner}/{name}",
                        place=relative(str(path)),
                    )
                name = f"{folder.owner}:{name}"
            try:
                facts = self._read(name)
            except UnicodeDecodeError:
                continue  # no template: an image that lies among them
            except TemplateError as error:
                yield CheckMessage(
                    level="error", id=error.code, text=error.seen, hint=error.why, place=_place(path, error.line)
                )
                continue
            if facts is not None:
                yield from self._check(facts, path)

    def _check(self, facts: Facts, path: Path) -> Iterator[CheckMessage]:
        for use in facts.references:
            if self.environment.folders.find(use.name) is None:
                near = did_you_mean(use.name, self.environment.folders.names())
                yield CheckMessage(
                    level="error",
                    id="DJN-701",
                    text=f"There is no template {use.name!r}.{near}",
                    place=_place(path, use.line),
                )
        for use in facts.urls:
            if use.name.startswith("."):
                continue
            route = self.routes.get(use.name)
            if route is None and path.is_relative_to(_FRAMEWORK):
                continue  # a page of ours leads to another only where that is there: a sign-up may be closed
            if route is None:
                yield CheckMessage(
                    level="error",
                    id="templates.url",
                    text=f"No route is named {use.name!r}.{did_you_mean(use.name, self.routes)}",
                    hint="`demijohn routes` lists the names.",
                    place=_place(path, use.line),
                )
            elif use.arguments is not None:
                lacking = {parameter.name for parameter in route.parameters} - use.arguments - route.defaults.keys()
                if lacking:
                    yield CheckMessage(
                        level="error",
                        id="templates.url",
                        text=f"The route {use.name!r} needs {listing(sorted(lacking), last='and')}.",
                        hint=f"{{{{ url_for({use.name!r}, {', '.join(f'{name}=...' for name in sorted(lacking))}) }}}}",
                        place=_place(path, use.line),
                    )
        for line in facts.unquoted:
            yield CheckMessage(
                level="warning",
                id="templates.unquoted",
                text="An attribute has no quotes around its value.",
                hint='A space in the value begins another attribute. Write  name="{{ ... }}"',
                place=_place(path, line),
            )

    # -- the handlers -----------------------------------------------------------------------------------------------

    def uses(self) -> Iterator[CheckMessage]:
        for rendering in self._renderings():
            name, hash_, block = rendering.template.partition("#")
            try:
                facts = self._read(name)
            except (TemplateError, UnicodeDecodeError):
                continue  # told with the file
            if facts is None:
                if self.environment.folders.find(name) is not None:
                    continue  # it cannot be read, which was told with the file
                near = did_you_mean(name, self.environment.folders.names())
                yield CheckMessage(
                    level="error",
                    id="DJN-701",
                    text=f"There is no template {name!r}.{near}",
                    hint=f"Searched: {', '.join(self.environment.folders.described())}.",
                    place=rendering.place,
                )
                continue
            chain = self._chain(name)
            blocks = {known for link in chain for known in link.blocks}
            is_open = any(link.is_open for link in chain)
            if hash_ and block not in blocks and not is_open:
                yield CheckMessage(
                    level="error",
                    id="DJN-702",
                    text=f"{name!r} has no block {block!r}.{did_you_mean(block, blocks)}",
                    place=rendering.place,
                )
            yield from self._lacking(rendering, name, chain)

    def _lacking(self, rendering: _Rendering, name: str, chain: list[Facts]) -> Iterator[CheckMessage]:
        if rendering.names is None or self.given is None:
            return
        defined = {known for link in chain for known in link.defined}
        needed = self._needed(chain, set())
        lacking = {
            known: line
            for known, line in needed.items()
            if known not in rendering.names and known not in self.given and known not in defined
        }
        for known, line in sorted(lacking.items()):
            yield CheckMessage(
                level="warning",  # a name may be given in a way that nobody can read off the source
                id="DJN-704",
                text=f"{name!r} needs {known!r} (line {line}), which is not passed."
                f"{did_you_mean(known, rendering.names | self.given)}",
                hint=f"Page({rendering.template!r}, {known}=...)   or test it in the template:  {{% if {known} %}}",
                place=rendering.place,
            )

    def _needed(self, chain: list[Facts], visited: set[str]) -> dict[str, int]:
        """Return the names that rendering a chain of templates needs, children first."""
        parts: list[Part] = [link.top for link in chain]
        for block in {known for link in chain for known in link.blocks}:
            versions = [link.blocks[block] for link in chain if block in link.blocks]
            for version in versions:
                parts.append(version)
                if not version.calls_super:
                    break
        needed: dict[str, int] = {}
        tested: set[str] = set()
        for part in parts:
            tested |= part.tested
            for known, line in part.needed.items():
                needed.setdefault(known, line)
        for link in chain:
            for use in link.parts:
                if use.name not in visited:
                    visited.add(use.name)
                    inner = self._needed(self._chain(use.name), visited)
                    own = {known for found in self._chain(use.name) for known in found.defined}
                    for known, line in inner.items():
                        if known not in own and known not in (use.arguments or ()):
                            needed.setdefault(known, line)
        return {known: line for known, line in needed.items() if known not in tested}

    def _chain(self, name: str) -> list[Facts]:
        chain: list[Facts] = []
        above: str | None = name
        visited: set[str] = set()
        while above is not None and above not in visited:
            visited.add(above)
            try:
                facts = self._read(above)
            except (TemplateError, UnicodeDecodeError):
                facts = None
            if facts is None:
                break
            chain.append(facts)
            above = facts.extends
        return chain

    def _read(self, name: str) -> Facts | None:
        if name not in self.known:
            self.known[name] = None
            environment = self.environment
            if environment.folders.find(name) is not None:
                source, filename, _ = environment.folders.get_source(environment, name)
                try:
                    tree = environment.parse(source, name, filename)
                    environment.compile(source, name, filename)  # finds unknown filters and tests as well
                except Exception as error:
                    raise_explained(error, environment)
                self.known[name] = facts_of(tree)
        return self.known[name]

    # -- what is passed ---------------------------------------------------------------------------------------------

    def _names_given(self) -> frozenset[str] | None:
        """Return the names that every page has, or None where a context processor does not tell."""
        names = set(self.environment.globals) | _GIVEN
        for processor in (*self.app.templates.context_processors, *self._processors()):
            found = _names_returned(processor)
            if found is None:
                return None
            names |= found
        return frozenset(names)

    def _processors(self) -> Iterable[Callable[..., Any]]:
        for scaffold in self.app.scaffolds():
            yield from scaffold.context_processors

    def _renderings(self) -> Iterator[_Rendering]:
        modules: dict[str, Any] = {}
        for scaffold in self.app.scaffolds():
            for record in scaffold.records:
                module = inspect.getmodule(inspect.unwrap(record.endpoint))
                if module is not None and getattr(module, "__file__", None):
                    modules[module.__name__] = module
        for module in modules.values():
            yield from _renderings_in(module)


def _renderings_in(module: Any) -> Iterator[_Rendering]:
    """Yield each `Page("...")`, `render_template("...")` and `stream_template("...")` in the source of a module."""
    try:
        source = Path(module.__file__).read_text(encoding="utf-8")
        tree = ast.parse(source)
    except (OSError, SyntaxError, UnicodeDecodeError):
        return
    extended = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "with_context" and isinstance(node.value, ast.Call)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0]
        if called not in _RENDERERS or not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
            continue
        if called == "Page" and isinstance(node.func, ast.Name) and getattr(module, "Page", Page) is not Page:
            continue
        names = {keyword.arg for keyword in node.keywords if keyword.arg is not None}
        is_whole = node not in extended and len(names) == len(node.keywords)
        place = f"{relative(module.__file__)}:{node.lineno}"
        yield _Rendering(first.value, frozenset(names - {"status", "headers"}) if is_whole else None, place)


def _names_returned(function: Callable[..., Any]) -> set[str] | None:
    """Return the keys of the dicts that a function returns, by its annotation or its source; None where unknown."""
    function = inspect.unwrap(function)
    try:
        returned = get_type_hints(function).get("return")
    except Exception:
        returned = None
    if is_typeddict(returned):
        return set(returned.__annotations__)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    names: set[str] = set()
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Return)]
    values = [node.value for node in found] or [node.body for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
    for value in values:
        if isinstance(value, ast.Dict) and all(isinstance(key, ast.Constant) for key in value.keys):
            names |= {str(key.value) for key in value.keys if isinstance(key, ast.Constant)}
        elif isinstance(value, ast.Call) and getattr(value.func, "id", "") == "dict" and not value.args:
            if any(keyword.arg is None for keyword in value.keywords):
                return None
            names |= {str(keyword.arg) for keyword in value.keywords}
        else:
            return None
    return names


def _place(path: Path, line: int | None) -> str:
    return f"{relative(str(path))}:{line}" if line else relative(str(path))
