"""Records: rows of a model, known to forms, views, the admin and docs without the room that keeps them.

A room that keeps models registers how they are handled (`register_records`); everybody else asks `records_of(Model)`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, NamedTuple, Protocol, TypeVar
from weakref import WeakKeyDictionary

from demijohn.errors import ConfigurationError, FieldError
from demijohn.schema.field import Field

__all__ = ["Choice", "Choices", "Records", "Relation", "has_records", "records_of", "register_records"]

T = TypeVar("T")
RelationKind = Literal["belongs_to", "has_one", "has_many", "many_to_many"]


class Relation(NamedTuple):
    """How the records of one model point to those of another."""

    name: str
    kind: RelationKind
    target: type
    back: str | None = None
    """The relation of the target that leads back, where there is one."""
    required: bool = False
    writable: bool = False
    """Whether it is set on this side: a key column or a join table."""

    @property
    def is_many(self) -> bool:
        """Whether it leads to a list."""
        return self.kind in ("has_many", "many_to_many")


class Choice(NamedTuple):
    """One record to choose: its key as text, and what people call it."""

    key: str
    label: str


class Choices(NamedTuple):
    """Some of the records that may be chosen, and whether there are more."""

    items: tuple[Choice, ...]
    has_more: bool = False


class Records(Protocol[T]):
    """What may be asked of the records of one model, and done with them.

    Keys are texts, as forms and URLs send them; one that cannot be read is a key that nobody has. A `query` is one of
    the room that keeps the model (`Post.where(...)`), and narrows what is found (Any: of its class). Every error of a
    field has a place that begins with `body`.
    """

    @property
    def model(self) -> type[T]:
        """The class."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """What one of them is called, in lower case: `blog post`."""
        raise NotImplementedError

    @property
    def plural(self) -> str:
        """What many of them are called: `blog posts`."""
        raise NotImplementedError

    @property
    def fields(self) -> Mapping[str, Field]:
        """Columns and relations by name, as `fields_of` has them."""
        raise NotImplementedError

    @property
    def relations(self) -> Mapping[str, Relation]:
        """The relations by name."""
        raise NotImplementedError

    @property
    def search_fields(self) -> Sequence[str]:
        """The text columns that a search looks at, where nobody names any."""
        raise NotImplementedError

    def key_of(self, record: T, /) -> str:
        """Return the key of a record as text, empty for one that was never written."""
        raise NotImplementedError

    def label_of(self, record: T, /) -> str:
        """Return what people call a record: its `__str__`, or the first text of it."""
        raise NotImplementedError

    async def find(self, key: str, /, *, query: Any = None) -> T | None:
        """Return the record with this key, or None."""
        raise NotImplementedError

    async def find_many(self, keys: Sequence[str], /, *, query: Any = None) -> dict[str, T]:
        """Return those of the records with these keys that exist, by key."""
        raise NotImplementedError

    async def choices(self, *, search: str = "", limit: int = 100, query: Any = None) -> Choices:
        """Return the first records that a search finds, all where it is empty."""
        raise NotImplementedError

    async def page(
        self,
        number: int,
        /,
        *,
        size: int = 20,
        search: str = "",
        search_fields: Sequence[str] = (),
        order: Sequence[str] = (),
        query: Any = None,
    ) -> Any:
        """Return one page of records.

        Returned is what the room's own paging gives: to be iterated, with `page`, `per_page`, `total`, `pages`,
        `has_next`, `has_previous`, `next_page`, `previous_page` and `numbers()` (Any: of the room's class).
        """
        raise NotImplementedError

    async def load(self, record: T, relation: str, /) -> Any:
        """Return what a relation of a record leads to: a record, a list of them, or None (Any: of the target)."""
        raise NotImplementedError

    def build(self, values: Mapping[str, Any], /) -> T:
        """Make a record that is not written yet (Any: values of the fields' types, records for relations)."""
        raise NotImplementedError

    async def assign(self, record: T, values: Mapping[str, Any], /) -> None:
        """Set values of a record, which is not written yet (Any: as for `build`)."""
        raise NotImplementedError

    async def taken(self, values: Mapping[str, Any], /, *, record: T | None = None) -> list[FieldError]:
        """Return an error for each unique value that another record has (Any: as for `build`)."""
        raise NotImplementedError

    async def write(
        self, values: Mapping[str, Any], /, *, record: T | None = None
    ) -> tuple[T | None, list[FieldError]]:
        """Make a record of values, or change one, and write it now; return it and what was refused.

        What is refused, by the model or by the database, comes as errors of fields; a new record is None then, one that
        was there is as it was before, and nothing else is undone (Any: as for `build`).
        """
        raise NotImplementedError

    async def delete(self, record: T, /) -> str | None:
        """Delete a record now; return a sentence where others still point to it, nothing else being undone."""
        raise NotImplementedError

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        """Begin a transaction that an exception undoes, a savepoint within another."""
        raise NotImplementedError


_makers: list[tuple[type, Callable[[Any], Records[Any]]]] = []
_known: WeakKeyDictionary[type, Records[Any]] = WeakKeyDictionary()


def register_records(base: type[T], make: Callable[[type[T]], Records[T]]) -> None:
    """Say how the records of a family of models are handled.

    The last one registered for a class wins.
    """
    _makers.insert(0, (base, make))
    _known.clear()


def has_records(cls: object) -> bool:
    """Return whether a class is a model whose records can be handled."""
    return isinstance(cls, type) and any(issubclass(cls, base) for base, _ in _makers)


def records_of(model: type[T], /) -> Records[T]:
    """Return how the records of a model are handled.

    Raises:
        ConfigurationError: DJN-016, nobody keeps records of that class.
    """
    known = _known.get(model)
    if known is not None:
        return known
    for base, make in _makers:
        if issubclass(model, base):
            made: Records[T] = make(model)
            _known[model] = made
            return made
    raise ConfigurationError(
        f"{model.__qualname__} is no model whose records can be read and written.",
        why="Models are classes of a room that keeps them, such as `demijohn.db`.",
        fix=f"from demijohn.db import Model\nclass {model.__name__}(Model): ...",
        code="DJN-016",
    )
