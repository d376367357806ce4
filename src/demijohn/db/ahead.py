"""Relations that are loaded with the query."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy.orm import RelationshipProperty, joinedload, selectinload

from demijohn.db.declarative import Declarative
from demijohn.db.faults import QueryError
from demijohn.db.naming import attribute_of

__all__ = ["Ahead", "loaded_ahead"]


class Ahead:
    """The relations of one `load()`: made once for the same relations, so that queries are told apart by it."""

    __slots__ = ("options",)

    def __init__(self, options: Sequence[Any]) -> None:
        self.options = tuple(options)


def loaded_ahead(model: type[Declarative], relations: tuple[Any, ...], join: bool) -> Ahead:
    """Return what loads these relations (Any: attributes, or their names).

    Raises:
        QueryError: One of them is no relation, or none leads to where it starts.
    """
    try:
        return _kept(model, relations, join)
    except TypeError:  # one that cannot be a key
        return Ahead(loader_options(model, relations, join))


@lru_cache(maxsize=512)
def _kept(model: type[Declarative], relations: tuple[Any, ...], join: bool) -> Ahead:
    return Ahead(loader_options(model, relations, join))


def loader_options(model: type[Declarative], relations: tuple[Any, ...], join: bool) -> list[Any]:
    """Return the options that load these relations.

    A relation that starts elsewhere goes on from the relation that leads
    there.

    Options are those of SQLAlchemy (Any: their types are internal to it).
    """
    options: list[Any] = []
    reached: list[tuple[type, Any]] = []
    load = joinedload if join else selectinload
    for given in relations:
        relation = attribute_of(model, given)
        prop = getattr(relation, "property", None)
        if not isinstance(prop, RelationshipProperty):
            raise QueryError(
                f"load({given!r}) names no relation.",
                why="Columns are loaded anyway; only relations are loaded ahead.",
                fix=f"load({model.__name__}.author)",
            )
        parent = prop.parent.class_
        if issubclass(model, parent) or issubclass(parent, model):
            option: Any = load(relation)
            options.append(option)
        else:
            via = [option for target, option in reached if issubclass(target, parent) or issubclass(parent, target)]
            if not via:
                raise QueryError(
                    f"load({parent.__name__}.{prop.key}) starts at {parent.__name__}, and nothing before it leads "
                    "there.",
                    why=f"The query is over {model.__name__}.",
                    fix=f"Name the relation from {model.__name__} to {parent.__name__} first.",
                )
            option = via[-1].joinedload(relation) if join else via[-1].selectinload(relation)
            options = [one for one in options if one is not via[-1]] + [option]
        reached.append((prop.mapper.class_, option))
    return options
