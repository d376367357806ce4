"""Routes as a list, for those who like them apart from the functions: `path` and `include`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from demijohn._lib import source
from demijohn.errors import ConfigurationError

__all__ = ["PathEntry", "PathGroup", "flatten", "include", "path"]


class PathEntry(Struct, frozen=True, kw_only=True):
    """One line of a list of routes: a pattern, its view and the options."""

    pattern: str
    view: Any  # a function, or a class-based view
    methods: tuple[str, ...] | None = None
    name: str | None = None
    namespace: str = ""
    options: Mapping[str, Any] = MappingProxyType({})
    place: str = ""


class PathGroup(Struct, frozen=True, kw_only=True):
    """Entries below one prefix, and in one namespace where it has one."""

    prefix: str
    entries: tuple[PathEntry | PathGroup, ...]
    namespace: str = ""
    place: str = ""


PathItem: TypeAlias = PathEntry | PathGroup


def path(
    pattern: str,
    view: Any,
    *,
    methods: Sequence[str] | None = None,
    name: str | None = None,
    **options: Any,
) -> PathEntry:
    """Describe a route: `path("/posts/{id:int}", views.show, name="post")`.

    Args:
        pattern: The path, as in a decorator.
        view: The function or class-based view (Any: whatever the app can call).
        methods: The methods; those of a class-based view, or `GET`, where none are given.
        name: The name for `url_for`; the view's own otherwise.
        options: What `app.route` takes beside them (Any: the app checks it).

    Raises:
        ConfigurationError: `methods` is a single string, or the view is not callable (DJN-116).
    """
    place = source.caller()
    if isinstance(methods, str):
        raise ConfigurationError(
            f"path({pattern!r}, ...) ({place}) has methods={methods!r}.",
            why="Methods are a list, also where there is one.",
            fix=f"Write methods=[{methods!r}].",
            code="DJN-116",
        )
    if not callable(view):
        raise ConfigurationError(
            f"path({pattern!r}, ...) ({place}) was given {view!r}.",
            why="A view is a function or a class.",
            fix=f"Pass the function itself: path({pattern!r}, views.show). For a list of paths write include(...).",
            code="DJN-116",
        )
    return PathEntry(
        pattern=pattern,
        view=view,
        methods=None if methods is None else tuple(methods),
        name=name,
        options=MappingProxyType(dict(options)),
        place=place,
    )


def include(prefix: str, entries: Iterable[PathItem], *, namespace: str = "") -> PathGroup:
    """Put entries below a prefix: `include("/blog", blog.urls, namespace="blog")`.

    Raises:
        ConfigurationError: The prefix has no slash in front or has one at the end, or an entry is none (DJN-116).
    """
    place = source.caller()
    if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
        raise ConfigurationError(
            f"include({prefix!r}, ...) ({place}) has a prefix without a slash in front or with one at the end.",
            why="The patterns below it begin with a slash, and are put right behind it.",
            fix=f"Write include({'/' + prefix.strip('/')!r}, [...]).",
            code="DJN-116",
        )
    listed = tuple(entries)
    for entry in listed:
        if not isinstance(entry, (PathEntry, PathGroup)):
            raise ConfigurationError(
                f"include({prefix!r}, ...) ({place}) contains {entry!r}.",
                why="A list of routes holds what path() and include() return.",
                fix='Write path("/...", view).',
                code="DJN-116",
            )
    return PathGroup(prefix=prefix, entries=listed, namespace=namespace, place=place)


def flatten(items: Iterable[PathItem], *, prefix: str = "", namespace: str = "") -> Iterator[PathEntry]:
    """Yield the entries one by one, with the prefixes and namespaces put together.

    Example:
        >>> [entry.pattern for entry in flatten([include("/blog", [path("/", print), path("/{slug}", print)])])]
        ['/blog/', '/blog/{slug}']
    """
    for item in items:
        inner = ".".join(name for name in (namespace, item.namespace) if name)
        if isinstance(item, PathGroup):
            yield from flatten(item.entries, prefix=prefix + item.prefix, namespace=inner)
        else:
            yield replace(item, pattern=prefix + item.pattern, namespace=inner)
