"""Parts that many models share: times, deletion that can be undone, an order by hand."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import and_, event, func, select, update
from sqlalchemy.orm import Mapped, ORMExecuteState, with_loader_criteria

from demijohn.db.columns import column
from demijohn.db.listeners import STEADY
from demijohn.db.naming import attribute_of
from demijohn.db.storage import now
from demijohn.db.units import UnitSession, current_scope, work

if TYPE_CHECKING:
    from typing import Self

__all__ = ["WITH_DELETED", "Ordered", "SoftDelete", "Timestamps"]


class Timestamps:
    """When a row was made and last changed.

    Both are filled in, and no client may set them.

    Example:
        class Post(Timestamps, Model): ...
    """

    created_at: Mapped[datetime] = column(default=now, readonly=True)
    updated_at: Mapped[datetime] = column(default=now, onupdate=now, readonly=True)


WITH_DELETED = "demijohn_with_deleted"


class SoftDelete:
    """`delete()` marks a row as deleted.

    Queries pass over it, those of relations too.

    `with_deleted()` of a query brings them back; `restore()` and `purge()` settle it. It stands before `Model`.

    Example:
        class Post(SoftDelete, Model): ...
    """

    deleted_at: Mapped[datetime | None] = column(readonly=True, index=True, private=True)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not event.contains(UnitSession, "do_orm_execute", _pass_over_deleted):
            event.listen(UnitSession, "do_orm_execute", _pass_over_deleted)
            STEADY.add(_pass_over_deleted)

    @property
    def is_deleted(self) -> bool:
        """Return whether the row is marked as deleted."""
        return self.deleted_at is not None

    async def delete(self) -> None:
        """Mark the row as deleted."""
        self.deleted_at = now()
        await self.save()  # type: ignore[attr-defined]  # of the model that this is mixed into

    async def restore(self) -> "Self":
        """Take the mark away."""
        self.deleted_at = None
        return await self.save()  # type: ignore[attr-defined, no-any-return]

    async def purge(self) -> None:
        """Delete the row for good."""
        await super().delete()  # type: ignore[misc]


def _pass_over_deleted(state: ORMExecuteState) -> None:
    if (
        state.is_select
        and not state.is_column_load
        and not state.is_relationship_load
        and not state.execution_options.get(WITH_DELETED)
    ):
        state.statement = state.statement.options(_NOT_DELETED)


# One object for all statements: siblings are known by having the same options.
_NOT_DELETED = with_loader_criteria(SoftDelete, lambda cls: cls.deleted_at.is_(None), include_aliases=True)


class Ordered:
    """Rows in an order that people make.

    `position` counts from 0, and queries are in that order.

    Class attributes:
        __order_within__: Fields that tell the lists apart, each of which has an order of its own: `("playlist",)`.

    Example:
        class Song(Ordered, Model):
            __order_within__ = ("playlist",)
    """

    __order_by__: ClassVar[str | tuple[str, ...]] = "position"
    __order_within__: ClassVar[Sequence[str]] = ()
    position: Mapped[int] = column(default=0, readonly=True)

    def _list(self) -> Any:
        cls: Any = type(self)
        return and_(*(attribute_of(cls, name) == getattr(self, name) for name in self.__order_within__))

    async def append_to_list(self) -> "Self":
        """Write the object as the last one of its list."""
        cls: Any = type(self)
        unit = current_scope().unit_for(cls)

        def last() -> int:
            unit.begin()
            with unit.session.no_autoflush:
                statement = select(func.coalesce(func.max(cls.position), -1)).where(self._list())
                return int(unit.session.execute(statement).scalar_one())

        self.position = await work(unit.scope, last) + 1
        return await self.save()  # type: ignore[attr-defined, no-any-return]

    async def move_to(self, position: int) -> "Self":
        """Move the object to a position of its list; the others make room."""
        cls: Any = type(self)
        unit = current_scope().unit_for(cls)
        old = self.position
        position = max(0, position)

        def shift() -> None:
            unit.begin()
            down = position > old
            between = cls.position.between(old + 1, position) if down else cls.position.between(position, old - 1)
            statement = update(cls).where(self._list(), between).values(position=cls.position + (-1 if down else 1))
            unit.session.execute(statement)

        if position != old:
            await work(unit.scope, shift)
            self.position = position
        return await self.save()  # type: ignore[attr-defined, no-any-return]
