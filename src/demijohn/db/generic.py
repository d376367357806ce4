"""`belongs_to_any`: a relation to one row of several models: a comment on a post or on a photo.

Two columns hold it, the table's name and the key. There is no foreign key, since a database has none for several
tables; deleting an object deletes what points to it. Reading it loads one query for each model, for all siblings.
"""

import re
from typing import Any, cast

from sqlalchemy import BigInteger, Index, String, and_, delete, event, inspect
from sqlalchemy.ext.hybrid import Comparator, hybrid_property
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship
from sqlalchemy.orm.attributes import set_committed_value

from demijohn.db.annotations import Target, annotations_of
from demijohn.db.columns import SPEC, Spec
from demijohn.db.faults import ModelError, QueryError
from demijohn.db.relations import Class, find_model
from demijohn.schema import Field

__all__ = ["AnyLink", "belongs_to_any", "prepare_any", "settle_any"]

_BATCH: Any = "batch"
"""The loader strategy of this room, which the types of SQLAlchemy do not know."""
_MAPPED = re.compile(r"^\s*(?:\w+\.)*Mapped\s*\[(.*)\]\s*$", re.DOTALL)


class AnyLink:
    """One relation to several models, as it was declared."""

    def __init__(self, back: str | None) -> None:
        self.back = back
        self.name = ""
        self.owner: Class = cast("Class", None)
        self.targets: list[str] = []
        self.nullable = False
        self.known: dict[str, Class] = {}
        """The models by the text that stands for them: the name of their table."""

    def slot(self, kind: str) -> str:
        """Return the name of the hidden relation to one of the models."""
        return f"_{self.name}_{kind}"


def belongs_to_any(*, back: str | None = None, init: bool = True, default: None = None) -> Mapped[Any]:
    """Point to one row of one of several models, which the annotation lists.

    The columns `..._type` and `..._id` come with it, and an index. The models have integer keys.

    Args:
        back: The name of the list at each of the models.
        init, default: For type checkers: whether the constructor takes it, and whether it may be left out.

    Example:
        target: Mapped["Post | Photo"] = belongs_to_any(back="comments")
    """
    return cast("Mapped[Any]", AnyLink(back))


def prepare_any(cls: Class) -> None:
    """Put columns and a hybrid property in the place of each `belongs_to_any`, before the class is mapped."""
    links: dict[str, AnyLink] = {}
    for name, declared in list(cls.__dict__.items()):
        if not isinstance(declared, AnyLink):
            continue
        link = AnyLink(declared.back)
        link.owner, link.name = cls, name
        _read(link, annotations_of(cls).get(name))
        cls.__annotations__.pop(name, None)
        kind = mapped_column(String(60), nullable=link.nullable, info={SPEC: Spec(Field(readonly=True))})
        key = mapped_column(BigInteger(), nullable=link.nullable, info={SPEC: Spec(Field(readonly=True))})
        type.__setattr__(cls, f"{name}_type", kind)
        type.__setattr__(cls, f"{name}_id", key)
        type.__setattr__(cls, name, _property(link))
        links[name] = link
    cls.__any_links__ = links


def _read(link: AnyLink, annotation: Any) -> None:
    text = annotation if isinstance(annotation, str) else str(annotation)
    match = _MAPPED.match(text)
    inner = (match[1] if match else text).replace("ForwardRef(", "").replace(")", "")
    names = [part.strip().strip("\"'").rpartition(".")[2] for part in inner.split("|")]
    names = [name.strip("\"'") for name in names if name]
    link.nullable = "None" in names
    link.targets = [name for name in names if name != "None"]
    if len(link.targets) < 2:
        raise ModelError(
            f"{link.owner.__name__}.{link.name} = belongs_to_any(...) names {len(link.targets)} model.",
            why="It is for one of several; its annotation lists them.",
            fix=f'{link.name}: Mapped["Post | Photo"] = belongs_to_any(...)',
        )


def _property(link: AnyLink) -> Any:
    def read(self: Any) -> Any:
        kind = getattr(self, f"{link.name}_type")
        return None if kind is None else getattr(self, link.slot(kind))

    def write(self: Any, value: Any) -> None:
        kind, key = _identity(link, value)
        setattr(self, f"{link.name}_type", kind)
        setattr(self, f"{link.name}_id", key)
        if kind is not None:
            set_committed_value(self, link.slot(kind), value)

    class Comparing(Comparator[Any]):
        def __init__(self, cls: Any) -> None:
            super().__init__(getattr(cls, f"{link.name}_id"))
            self._columns = getattr(cls, f"{link.name}_type"), getattr(cls, f"{link.name}_id")

        def __eq__(self, other: object) -> Any:
            kind, key = _identity(link, other)
            own_kind, own_key = self._columns
            return own_kind.is_(None) if kind is None else and_(own_kind == kind, own_key == key)

        def __ne__(self, other: object) -> Any:
            return ~self.__eq__(other)

        __hash__ = None  # type: ignore[assignment]

    return hybrid_property(read, write).comparator(Comparing)


def _identity(link: AnyLink, value: Any) -> tuple[str | None, Any]:
    if value is None:
        return None, None
    for kind, cls in link.known.items():
        if isinstance(value, cls):
            identity = inspect(value).mapper.primary_key_from_instance(value)
            if identity[0] is None:
                raise QueryError(
                    f"{link.owner.__name__}.{link.name} was given {value!r}, which was never written.",
                    why="Its key is not known yet, and this relation holds nothing else.",
                    fix="Save it first: `await value.save()`.",
                )
            return kind, identity[0]
    raise QueryError(
        f"{link.owner.__name__}.{link.name} was given {type(value).__name__}.",
        why=f"It points to one of: {', '.join(link.targets)}.",
        fix=f'Add it to the annotation: Mapped["{" | ".join([*link.targets, type(value).__name__])}"]',
    )


def settle_any(cls: Class) -> None:
    """Connect every `belongs_to_any` with the models that exist by now."""
    for mapper in list(cls.registry.mappers):
        for link in mapper.class_.__dict__.get("__any_links__", {}).values():
            for name in link.targets:
                target = find_model(link.owner, Target(name, False, False))
                if target is not None and "__mapper__" in target.__dict__:
                    _connect(link, target)


def _connect(link: AnyLink, target: Class) -> None:
    owner = link.owner
    if "__mapper__" not in owner.__dict__:
        return
    kind = str(target.__table__.name)
    if not link.known:
        columns = owner.__table__.c
        Index(None, columns[f"{link.name}_type"], columns[f"{link.name}_id"])
    if kind in link.known:
        return
    link.known[kind] = target
    own_kind, own_key = getattr(owner, f"{link.name}_type"), getattr(owner, f"{link.name}_id")
    key = target.__mapper__.primary_key[0]
    setattr(
        owner,
        link.slot(kind),
        relationship(target, primaryjoin=and_(foreign(own_key) == key, own_kind == kind), viewonly=True, lazy=_BATCH),
    )
    if link.back is not None:
        if hasattr(target, link.back):
            raise ModelError(
                f'{owner.__name__}.{link.name} has back="{link.back}", which {target.__name__} has already.',
                why="The other half of the relation would hide it.",
                fix='Choose another name: belongs_to_any(back="...")',
            )
        join = and_(foreign(own_key) == key, own_kind == kind)
        setattr(target, link.back, relationship(owner, primaryjoin=join, viewonly=True, uselist=True, lazy=_BATCH))

    @event.listens_for(target, "after_delete", propagate=True)
    def _cascade(mapper: Any, connection: Any, instance: Any) -> None:
        columns = owner.__table__.c
        gone = mapper.primary_key_from_instance(instance)[0]
        mine = columns[f"{link.name}_type"] == kind, columns[f"{link.name}_id"] == gone
        connection.execute(delete(owner.__table__).where(*mine))
