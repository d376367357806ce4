"""`Model`: a SQLAlchemy declarative class that one can ask and write by."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, dataclass_transform, overload
from uuid import UUID

from sqlalchemy import ColumnExpressionArgument, Executable
from sqlalchemy.orm import Mapped, mapped_column, relationship

from demijohn.db import bulk, writing
from demijohn.db.addresses import page_of
from demijohn.db.columns import column, foreign_key
from demijohn.db.declarative import Declarative
from demijohn.db.generic import belongs_to_any
from demijohn.db.querysets import QuerySet
from demijohn.db.relations import belongs_to, has_many, has_one, many_to_many
from demijohn.db.storage import uuid7

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Model", "UUIDModel"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass_transform(
    kw_only_default=True,
    field_specifiers=(
        column,
        foreign_key,
        belongs_to,
        belongs_to_any,
        has_many,
        has_one,
        many_to_many,
        mapped_column,
        relationship,
    ),
)
class Model(Declarative):
    """The base of all models: a SQLAlchemy 2.1 declarative class.

    Everything that SQLAlchemy offers works unchanged (`mapped_column`, `relationship`, `__table_args__`, hybrids,
    `select`). What is made for you, unless you write it: the table's name, an integer key `id`, key columns and other
    halves of relations, names of constraints, defaults at construction, `None` for what may be null.

    Names that a field may not have, because they are methods here: `where query get get_or_404 create get_or_create
    update_or_create upsert bulk_create bulk_update save delete reload load assign page_url`.

    Class attributes:
        __order_by__: The order of queries and relations that name none: `"-created_at"`, or a tuple of such.
        __database__: The alias of the `Database` that the model lives in.
        __page__: The name of the route that shows an object, where several could be meant.

    Example:
        class Tag(Model):
            name: Mapped[str] = column(max_length=40, unique=True)
    """

    __abstract__ = True

    if TYPE_CHECKING:
        id: Mapped[int] = column(primary_key=True)

    # -- asking ------------------------------------------------------------------------------------------------------

    @classmethod
    def query(cls, statement: Executable | None = None) -> "QuerySet[Self]":
        """Start a query over all rows.

        Or takes a SQLAlchemy `select` (or `text`) that returns rows of this model.

        Example:
            await Post.query(select(Post).join(Post.author)).all()
        """
        return QuerySet(cls, statement)

    @classmethod
    def where(cls, *criteria: "ColumnExpressionArgument[bool]", **equal: Any) -> "QuerySet[Self]":
        """Start a query over the rows that meet all criteria.

        Keywords compare a field with a value.

        Example:
            await Post.where(Post.published, author=me).order_by(Post.created_at.desc()).all()
        """
        return cls.query().where(*criteria, **equal)

    @classmethod
    async def get(cls, key: Any) -> "Self | None":
        """Return the row with this primary key, or None.

        Args:
            key: The key; a tuple for a composite one (Any: keys have any type).

        Example:
            post = await Post.get(7)
        """
        return await cls.query().get(key)

    @classmethod
    async def get_or_404(cls, key: Any) -> "Self":
        """Return the row with this primary key (Any: of any type).

        Raises:
            NotFound: There is none; the client gets 404.
        """
        return await cls.query().get_or_404(key)

    # -- writing -----------------------------------------------------------------------------------------------------

    if TYPE_CHECKING:

        @classmethod
        async def create(cls: Callable[P, T], *args: P.args, **values: P.kwargs) -> T:
            """Make a row and write it: `Post(...)` and `save()` in one."""
            ...

    else:

        @classmethod
        async def create(cls, **values: Any) -> "Self":
            """Make a row and write it: `Post(...)` and `save()` in one.

            Raises:
                ValidationFailed: A constraint of a field does not hold.
                UniqueViolation: A value that has to be unique is taken.
            """
            return await cls(**values).save()

    async def save(self) -> "Self":
        """Write this object now.

        Whatever else waits in the unit of work is written too; returns the object.

        Raises:
            ValidationFailed: A constraint of a field does not hold.
            UniqueViolation: A value that has to be unique is taken.
        """
        return await writing.save(self)

    async def delete(self) -> None:
        """Delete the row now; what points to it goes by its `on_delete`."""
        await writing.delete(self)

    async def reload(self, *fields: str) -> "Self":
        """Read the row again.

        Or only some of its fields and relations; returns the object.
        """
        return await writing.reload(self, fields)

    async def load(self, *relations: Any) -> "Self":
        """Load relations that were not loaded.

        They are loaded for all siblings of the same result at once.

        Only needed where they cannot load themselves (child tasks, `lazy="raise"`). Relations are attributes or
        names (Any: attributes of relations have a type of their own).

        Example:
            await post.load(Post.author, "tags")
        """
        return await writing.load(self, relations)

    @classmethod
    async def get_or_create(cls, defaults: Mapping[str, Any] | None = None, /, **lookup: Any) -> "tuple[Self, bool]":
        """Return the row with these values and False.

        Or makes it, with `defaults` too, and returns it and True.

        Two that try at once get the same row: the database decides, by a unique constraint on the lookup.
        """
        return await writing.get_or_create(cls, defaults or {}, lookup)

    @classmethod
    async def update_or_create(cls, defaults: Mapping[str, Any] | None = None, /, **lookup: Any) -> "tuple[Self, bool]":
        """Set `defaults` on the row with these values, or make it.

        Returns it and whether it was made.
        """
        return await writing.update_or_create(cls, defaults or {}, lookup)

    @classmethod
    async def upsert(
        cls,
        rows: Sequence[Mapping[str, Any]] | Mapping[str, Any],
        *,
        on: Sequence[str],
        update: Sequence[str] | None = None,
    ) -> int:
        """Insert rows, or update those that are there, in one statement.

        Returns how many rows were written.

        Args:
            rows: Values by field.
            on: The fields that tell whether a row is there; they need a unique constraint.
            update: The fields to change in a row that is there; all others of `rows` by default, none: leave it.

        Example:
            await Tag.upsert([{"name": "python", "uses": 3}], on=["name"])
        """
        return await bulk.upsert(cls, rows, on, update)

    @overload
    @classmethod
    async def bulk_create(
        cls, rows: "Sequence[Self]", *, ignore_conflicts: bool = False, validate: bool = False
    ) -> "list[Self]": ...
    @overload
    @classmethod
    async def bulk_create(
        cls, rows: Sequence[Mapping[str, Any]], *, ignore_conflicts: bool = False, validate: bool = False
    ) -> int: ...
    @classmethod
    async def bulk_create(cls, rows: Sequence[Any], *, ignore_conflicts: bool = False, validate: bool = False) -> Any:
        """Insert many rows in few statements.

        Args:
            rows: Objects, which get their keys and are returned; or mappings, which are faster, and whose number is
                returned.
            ignore_conflicts: Leave out rows that are there already.
            validate: Check the constraints of the fields; otherwise only types.
        """
        return await bulk.bulk_create(cls, rows, ignore_conflicts, validate)

    @classmethod
    async def bulk_update(cls, rows: "Sequence[Self] | Sequence[Mapping[str, Any]]", *, validate: bool = False) -> int:
        """Update many rows by their keys in few statements.

        Returns how many were given.

        Args:
            rows: Objects that were changed, or mappings with the key and the values to set.
            validate: Check the constraints of the fields; otherwise only types.
        """
        return await bulk.bulk_update(cls, rows, validate)

    def page_url(self) -> str:
        """Return the URL of the page of this object.

        That is the route which ends in a parameter of this model: `/posts/{post:slug}` for `def show(post: Post)`.
        Where several do, `__page__` names one.

        Raises:
            ModelError: No route shows such an object, or several do.
        """
        return page_of(self)


class UUIDModel(Model):
    """A model whose key is a UUID of version 7.

    Keys are in the order of creation, and known before the row is written.
    """

    __abstract__ = True
    id: Mapped[UUID] = column(primary_key=True, default=uuid7)  # type: ignore[assignment]
