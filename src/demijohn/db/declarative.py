"""The declarative class under `Model`: it fills in what people repeat when a class is made."""

import hashlib
import re
from collections.abc import Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy import CheckConstraint, ForeignKey, MetaData, Table, event, inspect
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column, registry
from sqlalchemy.orm.decl_api import DeclarativeAttributeIntercept

from demijohn._lib.elsewhere import translation
from demijohn._lib.sentinels import MISSING
from demijohn.db import loading as _loading  # noqa: F401 - it adds the loader strategies
from demijohn.db.annotations import annotations_of
from demijohn.db.columns import SPEC, Spec, resolve_type, spec_of
from demijohn.db.faults import ModelError, unknown
from demijohn.db.generic import AnyLink, prepare_any, settle_any
from demijohn.db.relations import Link, prepare_links, settle
from demijohn.db.storage import BIG_KEY, uuid7
from demijohn.errors import NameElsewhere
from demijohn.schema import Field

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Declarative", "column_types", "defaults_of", "table_name"]

_HERE = __name__.rpartition(".")[0]

column_types: WeakKeyDictionary[type, dict[str, Any]] = WeakKeyDictionary()
"""The Python type of each column, as its annotation says it."""


def _check_name(constraint: Any, table: Table) -> str:
    """Name a CHECK by its column where it belongs to a type, else by its text: the same text, the same name."""
    if isinstance(constraint, CheckConstraint):
        columns = list(constraint.columns)
        if constraint._type_bound and columns:
            return str(columns[0].name)
        text = re.sub(r"\s+", " ", str(constraint.sqltext)).strip()
        return hashlib.sha256(text.encode()).hexdigest()[:8]
    return "check"


NAMING: dict[str, Any] = {
    "check_name": _check_name,
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(check_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""How constraints are named. It is always on: a constraint without a name cannot be changed later."""


def table_name(name: str) -> str:
    """Return the table of a class.

    `BlogPost` becomes `blog_post`, `HTTPLog` becomes `http_log`.
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _registry(metadata: MetaData) -> registry:
    made = registry(metadata=metadata)

    @event.listens_for(made, "resolve_type_annotation", retval=True)
    def resolve(resolving: Any) -> Any:
        column_types.setdefault(resolving.cls, {})[resolving.key] = resolving.raw_type
        return resolve_type(resolving) or resolving.resolve(resolving.resolved_type)

    return made


class _Naming(DeclarativeAttributeIntercept):
    """Answers the names that other frameworks have for what is asked of a model."""

    if not TYPE_CHECKING:

        def __getattr__(cls, name):  # noqa: N805 - of a class
            written = translation("Model", name)
            if not written:
                raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}", name=name, obj=cls)
            raise NameElsewhere.of(cls.__name__, name, written.replace("Post", cls.__name__))


class Declarative(DeclarativeBase, metaclass=_Naming):
    """A declarative base that completes its classes.

    They get a table name, a key, key columns and the other halves of relations.
    """

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMING)
    __abstract__ = True
    __order_by__: ClassVar[str | tuple[str, ...]] = ()
    __database__: ClassVar[str] = "default"
    __page__: ClassVar[str] = ""
    __links__: ClassVar[dict[str, Link]] = {}
    __any_links__: ClassVar[dict[str, AnyLink]] = {}
    __pending__: ClassVar[list[Link]] = []
    __made__: ClassVar[set[str]] = set()

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            written = translation("object", name)
            if written:
                raise NameElsewhere.of(type(self).__name__, name, written)
            # A property that failed comes here too, and has its own error to tell.
            return object.__getattribute__(self, name)

    def __init_subclass__(cls, *, isolated: bool = False, **options: Any) -> None:
        if isolated:
            cls.__abstract__ = True
            cls.metadata = MetaData(naming_convention=NAMING)
            cls.registry = cls._sa_registry = _registry(cls.metadata)
            cls.__pending__ = []
        if cls.__dict__.get("__abstract__"):
            super().__init_subclass__(**options)
            return
        cls.__made__ = set()
        _refuse_hidden_names(cls)
        _name_table(cls)
        _add_key(cls)
        cls.__links__ = prepare_links(cls)
        prepare_any(cls)
        _set_mapper_arguments(cls)
        super().__init_subclass__(**options)
        if cls.__dict__.get("__table__") is not None:
            cast("Table", cls.__table__).info.setdefault("database", cls.__database__)
        settle(cls)
        settle_any(cls)

    if not TYPE_CHECKING:  # a checker makes the constructor of each model from its fields

        def __init__(self, **values: Any) -> None:
            cls = type(self)
            mapper = cls.__mapper__
            for name, value in values.items():
                if name not in mapper.attrs and not hasattr(cls, name):
                    raise TypeError(f"{cls.__name__} has no field {name!r}.{unknown(name, mapper.attrs.keys())}")
                setattr(self, name, value)
            for name, value, is_function in defaults_of(cls):
                if name not in values:
                    setattr(self, name, value() if is_function else value)

    def assign(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> "Self":
        """Set several fields and return the object; unknown names are an error.

        Example:
            await post.assign(title="New", published=True).save()
        """
        attributes = type(self).__mapper__.attrs
        for name, value in {**(values or {}), **more}.items():
            if name not in attributes:
                raise TypeError(f"{type(self).__name__} has no field {name!r}.{unknown(name, attributes.keys())}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        state = inspect(self)
        key = state.identity
        shown = "new" if key is None else " ".join(map(repr, key))
        return f"<{type(self).__name__} {shown}>"


Declarative.registry = Declarative._sa_registry = _registry(Declarative.metadata)


# -- making a class -------------------------------------------------------------------------------------------------


def _refuse_hidden_names(cls: type[Declarative]) -> None:
    taken = {
        name
        for base in cls.__mro__
        if base.__module__.startswith(_HERE) and "__mapper__" not in base.__dict__
        for name, value in base.__dict__.items()
        if not name.startswith("_") and isinstance(value, FunctionType | classmethod | property)
    }
    for name in annotations_of(cls):
        if name in taken or name in {"metadata", "registry"}:
            raise ModelError(
                f"{cls.__name__} has a field {name!r}, which is a name of Model.",
                why=f"`{cls.__name__}.{name}` would be the column and the method is hidden.",
                fix=f'Name the attribute otherwise, and keep the column: {name}_: Mapped[...] = column(name="{name}")',
            )


def _mapped_base(cls: type[Declarative]) -> type[Declarative] | None:
    for base in cls.__mro__[1:]:
        if "__mapper__" in base.__dict__:
            return cast("type[Declarative]", base)
    return None


def _name_table(cls: type[Declarative]) -> None:
    if "__tablename__" in cls.__dict__ or "__table__" in cls.__dict__:
        return
    if _mapped_base(cls) is None and not isinstance(getattr(cls, "__tablename__", None), str):
        cls.__tablename__ = table_name(cls.__name__)


def _add_key(cls: type[Declarative]) -> None:
    if "__table__" in cls.__dict__:
        return
    base = _mapped_base(cls)
    if base is not None:
        if "__tablename__" in cls.__dict__ and "id" not in cls.__dict__:  # joined to the table of its base
            key = base.__mapper__.primary_key
            for one in key:
                made = mapped_column(one.type, _key_of_base(one), primary_key=True, sort_order=-1)
                type.__setattr__(cls, str(one.key), made)
        return
    for owner in cls.__mro__:
        for name, value in owner.__dict__.items():
            if (
                isinstance(value, MappedColumn)
                and value.column.primary_key
                and not isinstance(cls.__dict__.get(name, value), Link)
            ):
                if value._sort_order is not int and name == "id":
                    value._sort_order = -1
                return
    for owner in cls.__mro__:
        own = owner.__module__.startswith((_HERE, "sqlalchemy."))
        annotation = None if own else annotations_of(owner).get("id")
        if annotation is not None and "UUID" in str(annotation):
            type.__setattr__(cls, "id", mapped_column(primary_key=True, insert_default=uuid7, sort_order=-1))
            return
    type.__setattr__(cls, "id", mapped_column(BIG_KEY, primary_key=True, sort_order=-1, info={SPEC: _KEY}))


def _key_of_base(key: Any) -> Any:
    return ForeignKey(f"{key.table.fullname}.{key.name}", ondelete="CASCADE")


_KEY = Spec(Field(label="ID", readonly=True))


def _set_mapper_arguments(cls: type[Declarative]) -> None:
    own = [
        name for name, value in cls.__dict__.items() if isinstance(value, MappedColumn) and spec_of(value).discriminator
    ]
    base = _mapped_base(cls)
    arguments = dict(cls.__dict__.get("__mapper_args__", {}))
    # What the server fills in is read back at once, not when it is first looked at, where nothing may wait.
    arguments.setdefault("eager_defaults", True)
    if own:
        arguments.setdefault("polymorphic_on", own[0])
    if own or (base is not None and base.__mapper__.polymorphic_on is not None):
        arguments.setdefault("polymorphic_identity", table_name(cls.__name__))
    cls.__mapper_args__ = arguments


_defaults: WeakKeyDictionary[type, list[tuple[str, Any, bool]]] = WeakKeyDictionary()


def defaults_of(cls: type[Declarative]) -> list[tuple[str, Any, bool]]:
    """Return what the constructor fills in.

    Name, value or function, and which of the two it is.
    """
    known = _defaults.get(cls)
    if known is None:
        known = _defaults[cls] = []
        for attribute in cls.__mapper__.column_attrs:
            first = attribute.columns[0]
            field = spec_of(first).field
            if field.default_factory is not None:
                known.append((attribute.key, field.default_factory, True))
            elif field.default is not MISSING:
                value = field.default
                if isinstance(value, list | dict | set):  # one of its own for each object
                    known.append((attribute.key, value.copy, True))
                else:
                    known.append((attribute.key, value, False))
    return known
