"""Paths from a model to a field: `author__email`, `Post.title`, compiled once and checked while they are."""

from collections.abc import Callable
from typing import Any

from demijohn._lib.text import did_you_mean
from demijohn.admin.naming import label_field
from demijohn.db import Model
from demijohn.db.descriptions import describe
from demijohn.errors import ConfigurationError
from demijohn.schema import Field

__all__ = ["Path", "read_path"]


class Path:
    """A way from a model over relations to one field or relation.

    Attributes:
        model: Where it begins.
        links: The relations that it goes over (Any: `Link`s), the last one included where it ends at a relation.
        field: What it ends at.
    """

    __slots__ = ("field", "links", "model", "name", "names", "owner")

    def __init__(
        self, model: type[Model], names: list[str], links: list[Any], field: Field, owner: type[Model]
    ) -> None:
        self.model = model
        self.names = names
        self.name = "__".join(names)
        self.links = links
        self.field = field
        self.owner = owner

    @property
    def link(self) -> Any:
        """The relation that the path ends at, or None (Any: a `Link`)."""
        return self.field.extra.get("relation")

    @property
    def is_many(self) -> bool:
        """Whether it goes over a relation to many."""
        return any(link.kind in {"has_many", "many_to_many"} for link in self.links)

    @property
    def attribute(self) -> Any:
        """The attribute of the model that it ends at (Any: SQLAlchemy's)."""
        return getattr(self.owner, self.names[-1])

    @property
    def label(self) -> str:
        """The heading of a column: that of the field, with what it belongs to where it is of a related object."""
        if len(self.names) == 1:
            return self.field.title
        return f"{describe(self.model)[self.names[0]].title} {self.field.title.lower()}"

    def relations(self) -> list[Any]:
        """The attributes of the relations on the way, for `load` (Any: SQLAlchemy's)."""
        return [getattr(link.owner, link.name) for link in self.links]

    def criterion(self, make: Callable[[Any], Any]) -> Any:
        """Return a condition on the model from one on the attribute at the end (Any: SQL expressions)."""
        ends_at_relation = self.link is not None
        made = make(self.attribute)
        steps = self.links[:-1] if ends_at_relation else self.links
        for link in reversed(steps):
            relation = getattr(link.owner, link.name)
            made = relation.any(made) if link.kind in {"has_many", "many_to_many"} else relation.has(made)
        return made

    def value(self, obj: Any) -> Any:
        """Return what stands at the end for an object, None where the way breaks off (Any: of the field's type)."""
        for name in self.names:
            if obj is None:
                return None
            obj = getattr(obj, name)
        return obj

    def to_link(self, index: int) -> "Path":
        """Return the path to one of the relations on the way."""
        owner = self.links[index - 1].cls if index else self.model
        names = self.names[: index + 1]
        return Path(self.model, names, self.links[: index + 1], describe(owner)[names[-1]], owner)

    def sortable(self) -> "Path | None":
        """Return the path to sort by: a relation is sorted by what names its objects, or by its key."""
        if self.is_many:
            return None
        if self.link is None:
            return None if self.field.type in {dict, list} else self
        name = label_field(self.link.cls)
        if name is None:
            return self
        return Path(self.model, [*self.names, name], self.links, describe(self.link.cls)[name], self.link.cls)


def read_path(model: type[Model], given: Any, *, private: bool = False) -> Path:
    """Return the path that a name or an attribute stands for (Any: either).

    Args:
        model: Where it begins.
        given: `"author__email"`, `Post.title`.
        private: Whether it may end at a private field.

    Raises:
        ConfigurationError: There is no such field, or it is private.
    """
    text = given if isinstance(given, str) else getattr(given, "key", None)
    if not isinstance(text, str):
        raise ConfigurationError(
            f"{given!r} was given where a field of {model.__name__} belongs.",
            why="Lists, filters and searches look at fields.",
            fix=f'Write its name, "title", or the attribute, {model.__name__}.title.',
            code="DJN-951",
        )
    owner = getattr(given, "class_", model) if not isinstance(given, str) else model
    if not issubclass(model, owner):
        raise ConfigurationError(
            f"{given} was given for {model.__name__}.",
            why="It is a field of another model.",
            fix=f'Go there over a relation of {model.__name__}: "relation__{text}"',
            code="DJN-951",
        )
    names = [text] if not isinstance(given, str) else text.split("__")
    at, links = model, list[Any]()
    for index, name in enumerate(names):
        fields = describe(at)
        field = fields.get(name)
        link = None if field is None else field.extra.get("relation")
        if field is None or (index + 1 < len(names) and link is None):
            raise ConfigurationError(
                f"{at.__name__} has no {'relation' if field is not None else 'field'} {name!r}."
                f"{did_you_mean(name, fields)}",
                why=f"Its fields are {', '.join(name for name, one in fields.items() if not one.private)}.",
                fix="Name one of them, or a method of the `ModelAdmin`.",
                code="DJN-951",
            )
        if field.private and not private:
            raise ConfigurationError(
                f"{at.__name__}.{name} is private.",
                why="Private fields are never shown, searched or sorted by: they hold hashes and keys.",
                fix="Leave it out, or take `private=True` from the column.",
                code="DJN-951",
            )
        if link is not None:
            links.append(link)
        if index + 1 == len(names):
            return Path(model, names, links, field, at)
        at = links[-1].cls
    raise AssertionError("a path has at least one name")
