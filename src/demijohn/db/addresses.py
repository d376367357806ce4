"""The page of an object: the route that shows it, said once, for links, redirects and the canonical address."""

from collections.abc import Iterator
from typing import Any

from demijohn.app import CheckMessage, current, url_for
from demijohn.db.converters import ModelConverter
from demijohn.db.declarative import Declarative
from demijohn.db.faults import ModelError, unknown
from demijohn.http import Markup, html
from demijohn.routing import Route

__all__ = ["canonical_link", "check_pages", "page_of"]


def page_of(instance: Declarative, *, external: bool = False) -> str:
    """Return the URL of the page of an object.

    Raises:
        ModelError: No route shows it, or several do and the model names none of them.
    """
    model = type(instance)
    app = current.app
    route = _find(model, app)
    values: dict[str, Any] = {}
    for parameter in route.parameters:
        inner = route.converters.get(parameter.name)
        own = isinstance(inner, ModelConverter) and issubclass(model, inner.model)
        values[parameter.name] = instance if own else getattr(instance, parameter.name)
    if external:
        values["_external"] = True
    return url_for(route.name, **values)


def canonical_link(instance: Declarative) -> Markup:
    """Return `<link rel="canonical">` for the page of an object, for the head of a template.

    Example:
        {{ canonical_link(post) }}
    """
    return html('<link rel="canonical" href="{}">', page_of(instance, external=True))


def _find(model: type[Declarative], app: Any) -> Route:
    app.freeze()
    routes: list[Route] = [route for route in app.router.routes if "GET" in route.methods or "*" in route.methods]
    name = model.__name__
    if model.__page__:
        named = [route for route in routes if route.name == model.__page__]
        if not named:
            raise ModelError(
                f"{name}.__page__ is {model.__page__!r}, and no route has that name."
                + unknown(model.__page__, {route.name for route in routes}),
                why="It names the route that shows an object.",
                fix=f'@app.get("/.../{{id}}", name="{model.__page__}")',
            )
        return named[0]
    found = [route for route in routes if _shows(route, model)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise ModelError(
            f"{name} has no page.",
            why=f"No route ends in a parameter that is a {name}, and the model names none.",
            fix=f'@app.get("/{name.lower()}/{{{name.lower()}}}")  above  def show({name.lower()}: {name}):',
        )
    raise ModelError(
        f"{len(found)} routes show a {name}: {', '.join(f'{one.name} ({one.pattern})' for one in found)}.",
        why="Nobody has said which of them is its page.",
        fix=f'In {name}:  __page__ = "{found[0].name}"',
    )


def _shows(route: Route, model: type[Declarative]) -> bool:
    """Return whether a route ends in the object, and has no other parameter."""
    if len(route.parameters) != 1 or not route.pattern.rstrip("/").endswith("}"):
        return False
    inner = route.converters.get(route.parameters[0].name)
    return isinstance(inner, ModelConverter) and issubclass(model, inner.model)


def check_pages(app: Any) -> Iterator[CheckMessage]:
    """Yield the models that name a route which is not there (Any: the app)."""
    models = [mapper.class_ for mapper in Declarative.registry.mappers if mapper.class_.__page__]
    if not models:
        return
    app.freeze()
    names = {route.name for route in app.router.routes}
    for model in models:
        if model.__page__ not in names:
            yield CheckMessage(
                level="error",
                id="DJN-805",
                text=f"{model.__name__}.__page__ is {model.__page__!r}, and no route has that name."
                + unknown(model.__page__, names),
                hint="Name the route that shows an object.",
            )
