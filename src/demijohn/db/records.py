"""Models as records: what forms, views, the admin and docs ask through `demijohn.schema.records`."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote, unquote

from sqlalchemy import Column, String, UniqueConstraint, and_, inspect, not_, or_
from sqlalchemy import Enum as SQLEnum

from demijohn.db import writing
from demijohn.db.declarative import Declarative, table_name
from demijohn.db.descriptions import describe, python_type
from demijohn.db.models import Model
from demijohn.db.naming import order_of
from demijohn.db.querysets import QuerySet
from demijohn.db.relations import links_of
from demijohn.db.units import Unit, current_scope, work
from demijohn.errors import Conflict, FieldError, ValidationFailed
from demijohn.schema import Field, converter, field_error, register_records
from demijohn.schema.records import Choice, Choices, Relation

__all__ = ["ModelRecords"]

M = TypeVar("M", bound=Model)

# What people call a row, where the class does not say it by `__str__`: the first of these that it has.
_NAMES = ("name", "title", "label", "display_name", "username", "email", "slug")
_SEARCHED = 255
"""Text columns up to this length are searched: names and titles, not articles."""


class ModelRecords(Generic[M]):
    """The records of one model."""

    def __init__(self, model: type[M]) -> None:
        self.model = model
        self._fields: Mapping[str, Field] | None = None
        self._relations: dict[str, Relation] | None = None
        self._readers: list[Any] = []

    @property
    def name(self) -> str:
        """What people call one, in the language of now."""
        return str(getattr(self.model, "__label__", None) or table_name(self.model.__name__).replace("_", " "))

    @property
    def plural(self) -> str:
        """What people call many, in the language of now."""
        return str(getattr(self.model, "__label_plural__", None) or _plural(self.name))

    @property
    def fields(self) -> Mapping[str, Field]:
        """The columns and relations by name."""
        if self._fields is None:
            self._fields = describe(self.model)
        return self._fields

    @property
    def relations(self) -> Mapping[str, Relation]:
        """The relations by name."""
        if self._relations is None:
            self._relations = {}
            for name, link in links_of(self.model).items():
                field = self.fields[name]
                back = link.back
                if back is None and link.property is not None:
                    back = link.property.back_populates
                self._relations[name] = Relation(
                    name, link.kind, link.cls, back, required=field.required, writable=not field.readonly
                )
        return self._relations

    @property
    def search_fields(self) -> Sequence[str]:
        """The short text columns that anybody may see."""
        found = []
        for name, field in self.fields.items():
            column = self._column(name)
            if column is None or field.private or field.type is not str:
                continue
            if (
                isinstance(column.type, String)
                and not isinstance(column.type, SQLEnum)
                and (column.type.length or 0) <= _SEARCHED
            ):
                found.append(name)
        return [name for name in found if self.fields[name].max_length is not None] or found[:1]

    # -- single records ----------------------------------------------------------------------------------------------

    def key_of(self, record: M, /) -> str:
        """Return the key as text."""
        identity = inspect(record).identity
        values = identity or self.model.__mapper__.primary_key_from_instance(record)
        if any(value is None for value in values):
            return ""
        if len(values) == 1:
            return str(values[0])
        return ",".join(quote(str(value), safe="") for value in values)

    def label_of(self, record: M, /) -> str:
        """Return what people call a record."""
        if type(record).__str__ is not object.__str__:
            return str(record)
        for name in self._label_fields():
            value = record.__dict__.get(name)
            if isinstance(value, str) and value:
                return value
        return f"{self.name.capitalize()} {self.key_of(record)}"

    def _label_fields(self) -> list[str]:
        public = [
            name
            for name, field in self.fields.items()
            if field.type is str and not field.private and self._column(name) is not None
        ]
        return sorted(public, key=lambda name: _NAMES.index(name) if name in _NAMES else len(_NAMES))

    async def find(self, key: str, /, *, query: Any = None) -> M | None:
        """Return the record with this key, or None."""
        value = self._key(key)
        if value is None:
            return None
        found: M | None = await self._query(query).get(value)
        return found

    async def find_many(self, keys: Sequence[str], /, *, query: Any = None) -> dict[str, M]:
        """Return the records with these keys that exist."""
        values = [value for key in dict.fromkeys(keys) if (value := self._key(key)) is not None]
        found = await self._query(query).in_bulk(values)
        return {self.key_of(record): record for record in found.values()}

    def _key(self, text: str) -> Any:
        columns = self.model.__mapper__.primary_key
        if not self._readers:
            for column in columns:
                name = self.model.__mapper__.get_property_by_column(column).key
                tp = python_type(self.model, name, cast("Column[Any]", column))
                self._readers.append(converter(tp, text=True))
        parts = [text] if len(columns) == 1 else [unquote(part) for part in text.split(",")]
        if len(parts) != len(columns):
            return None
        try:
            values = [read(part) for read, part in zip(self._readers, parts, strict=True)]
        except ValidationFailed:
            return None
        for value in values:
            if value is None or (isinstance(value, int) and not -(2**63) <= value < 2**63):
                return None
            if isinstance(value, str) and ("\0" in value or len(value) > 1000):
                return None
        return values[0] if len(values) == 1 else tuple(values)

    # -- many records ------------------------------------------------------------------------------------------------

    async def choices(self, *, search: str = "", limit: int = 100, query: Any = None) -> Choices:
        """Return the first records that a search finds."""
        asked = self._searched(self._query(query), search, ())
        found = await self._ordered(asked, ()).limit(limit + 1).all()
        items = tuple(Choice(self.key_of(record), self.label_of(record)) for record in found[:limit])
        return Choices(items, has_more=len(found) > limit)

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
        """Return one page (a `Paginated`; Any: as the protocol has it)."""
        asked = self._searched(self._query(query), search, search_fields)
        return await self._ordered(asked, order).paginate(number, per_page=size)

    def _query(self, query: Any) -> QuerySet[M]:
        return self.model.query() if query is None else query

    def _searched(self, query: QuerySet[M], search: str, names: Sequence[str]) -> QuerySet[M]:
        """Keep the rows that have every word in one of the columns."""
        columns = [getattr(self.model, name) for name in names or self.search_fields]
        if search.strip() and not columns:
            return query.where(or_(False))
        for word in search.replace("\0", "").split()[:10]:
            query = query.where(or_(*(column.icontains(word, autoescape=True) for column in columns)))
        return query

    def _ordered(self, query: QuerySet[M], order: Sequence[str]) -> QuerySet[M]:
        """Order rows as asked, or else as the query or the model says, or by name; the key comes last."""
        keys = [order_of(self.model, column) for column in self.model.__mapper__.primary_key]
        clauses = [order_of(self.model, name) for name in order] or list(query._order())
        if not clauses:
            clauses = [order_of(self.model, name) for name in self._label_fields()[:1]]
        return query.order_by(*clauses, *keys)

    async def load(self, record: M, relation: str, /) -> Any:
        """Return what a relation leads to (Any: as the protocol has it)."""
        if relation in inspect(record).unloaded and inspect(record).persistent:
            await record.load(relation)
        return getattr(record, relation)

    # -- writing -----------------------------------------------------------------------------------------------------

    def build(self, values: Mapping[str, Any], /) -> M:
        """Make a record that is not written yet (Any: as the protocol has it)."""
        return self.model(**values)

    async def assign(self, record: M, values: Mapping[str, Any], /) -> None:
        """Set values of a record (Any: as the protocol has it)."""
        for name in values:
            relation = self.relations.get(name)
            if relation is not None and relation.is_many:
                await self.load(record, name)  # the difference is written, so what is there has to be known
        record.assign(dict(values))

    async def taken(self, values: Mapping[str, Any], /, *, record: M | None = None) -> list[FieldError]:
        """Return an error for each unique value that another record has (Any: as the protocol has it)."""
        errors: list[FieldError] = []
        for names in self._unique_sets():
            if not any(name in values or self._relation_of(name) in values for name in names):
                continue
            wanted = [self._value(name, values, record) for name in names]
            if any(value is None for value in wanted):
                continue  # NULL is equal to nothing
            criteria = [getattr(self.model, name) == value for name, value in zip(names, wanted, strict=True)]
            if record is not None and inspect(record).identity is not None:
                own = zip(self.model.__mapper__.primary_key, inspect(record).identity or (), strict=True)
                criteria.append(not_(and_(*(column == value for column, value in own))))
            with current_scope().unit_for(self.model).session.no_autoflush:
                taken = await self.model.where(*criteria).exists()
            if taken:
                shown = [self._relation_of(name) or name for name in names]
                errors += [field_error(("body", name), "unique") for name in shown if name in values or len(shown) == 1]
        return errors

    def _value(self, name: str, values: Mapping[str, Any], record: M | None) -> Any:
        if name in values:
            return values[name]
        relation = self._relation_of(name)
        if relation in values:
            target = values[relation]
            link = links_of(self.model)[relation]
            keys = [key.key for key in type(target).__mapper__.primary_key] if target is not None else []
            index = link.keys.index(name)
            return None if target is None else getattr(target, keys[index])
        return None if record is None else record.__dict__.get(name)

    def _relation_of(self, name: str) -> str:
        field = self.fields.get(name)
        return "" if field is None else str(field.extra.get("key_of", ""))

    def _unique_sets(self) -> list[tuple[str, ...]]:
        """Return the attributes of each unique constraint and index."""
        mapper = self.model.__mapper__
        table: Any = mapper.local_table
        sets: list[list[Any]] = [[column] for column in table.columns if column.unique]
        sets += [list(one.columns) for one in table.constraints if isinstance(one, UniqueConstraint)]
        for index in table.indexes:
            plain = [one for one in index.expressions if isinstance(one, Column)]
            partial = any(index.dialect_kwargs.get(f"{name}_where") is not None for name in ("postgresql", "sqlite"))
            if index.unique and len(plain) == len(index.expressions) and not partial:
                sets.append(plain)
        named = [tuple(str(mapper.get_property_by_column(column).key) for column in columns) for columns in sets]
        return list(dict.fromkeys(named))

    async def write(
        self, values: Mapping[str, Any], /, *, record: M | None = None
    ) -> tuple[M | None, list[FieldError]]:
        """Make or change a record and write it, within a savepoint; return it and what was refused.

        Any: as the protocol has it.
        """
        made = record
        try:
            # First the savepoint: what hangs on objects of the session would be flushed when it begins.
            async with self.transaction():
                if made is None:
                    made = self.build(values)
                else:
                    await self.assign(made, values)
                await made.save()
        except (ValidationFailed, Conflict) as refused:
            errors = getattr(refused, "errors", None)
            if errors is None:
                raise
            if record is not None:
                await writing.revert(record)
            return record, list(errors)
        return made, []

    async def delete(self, record: M, /) -> str | None:
        """Delete a record now, within a savepoint; return why it cannot be."""
        try:
            async with self.transaction():
                await record.delete()
        except Conflict as refused:
            return refused.detail or refused.title
        return None

    def transaction(self) -> "Savepoint":
        """Begin a savepoint, in the transaction of the unit of work: it commits with that."""
        return Savepoint(self.model)

    def _column(self, name: str) -> Column[Any] | None:
        attribute = self.model.__mapper__.column_attrs.get(name)
        column = None if attribute is None else attribute.columns[0]
        return column if isinstance(column, Column) else None


class Savepoint:
    """A part of the unit of work that is undone alone; what it wrote commits with the rest."""

    __slots__ = ("_model", "_unit")

    def __init__(self, model: type[Declarative]) -> None:
        self._model = model

    async def __aenter__(self) -> Unit:
        self._unit = unit = current_scope().unit_for(self._model)
        await work(unit.scope, _begin, unit)
        return unit

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        unit = self._unit
        if kind is None and unit.waiting:
            await unit.tell()
        await work(unit.scope, unit.end_block, kind is not None)


def _begin(unit: Unit) -> None:
    unit.begin()  # so that the block is a savepoint, never a transaction that commits by itself
    unit.begin_block(None, False, False)


def _plural(name: str) -> str:
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "z", "ch", "sh")) else f"{name}s"


register_records(Model, ModelRecords)
