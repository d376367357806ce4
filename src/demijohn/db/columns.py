"""`column(...)`: a SQLAlchemy column with what SQLAlchemy cannot know: labels, validation, who may write it."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, overload

from sqlalchemy import Computed, FetchedValue, Identity
from sqlalchemy.orm import MappedColumn, mapped_column
from sqlalchemy.types import NullType, TypeEngine

from demijohn._lib.sentinels import MISSING
from demijohn.db.faults import ModelError
from demijohn.db.storage import type_for
from demijohn.schema import Field

__all__ = ["Spec", "column", "foreign_key", "resolve_type", "spec_of"]

SPEC = "demijohn"


class Spec:
    """What `column()` was told beyond SQLAlchemy, kept in `Column.info["demijohn"]`."""

    __slots__ = ("big", "digits", "discriminator", "field", "relation", "text")

    def __init__(
        self,
        field: Field,
        *,
        text: bool = False,
        big: bool = False,
        digits: tuple[int, int] | None = None,
        discriminator: bool = False,
        relation: str = "",
    ) -> None:
        self.field = field
        self.text = text
        self.big = big
        self.digits = digits
        self.discriminator = discriminator
        self.relation = relation


def spec_of(thing: Any) -> Spec:
    """Return the spec of a column or mapped column.

    A plain SQLAlchemy column gets an empty one.
    """
    info = getattr(getattr(thing, "column", thing), "info", {})
    found = info.get(SPEC)
    return found if isinstance(found, Spec) else Spec(Field())


@overload
def column(
    type_: TypeEngine[Any] | type[TypeEngine[Any]] | None = None,
    /,
    *,
    primary_key: Literal[True],
    init: Literal[False] = False,
    default: Any = ...,
    unique: bool = False,
    index: bool = False,
    server_default: Any = None,
    big: bool = False,
    max_length: int | None = None,
    name: str | None = None,
    comment: str | None = None,
    label: str | None = None,
    help: str | None = None,
    pattern: str | None = None,
    format: str | None = None,
    readonly: bool = False,
    private: bool = False,
    examples: tuple[Any, ...] = (),
) -> MappedColumn[Any]: ...
@overload
def column(
    type_: TypeEngine[Any] | type[TypeEngine[Any]] | None = None,
    /,
    *,
    generated: Any,
    init: Literal[False] = False,
    unique: bool = False,
    index: bool = False,
    nullable: bool | None = None,
    text: bool = False,
    big: bool = False,
    max_length: int | None = None,
    max_digits: int | None = None,
    decimal_places: int | None = None,
    deferred: bool = False,
    name: str | None = None,
    comment: str | None = None,
    label: str | None = None,
    help: str | None = None,
    format: str | None = None,
    private: bool = False,
) -> MappedColumn[Any]: ...
@overload
def column(
    type_: TypeEngine[Any] | type[TypeEngine[Any]] | None = None,
    /,
    *,
    init: bool = True,
    default: Any = ...,
    unique: bool = False,
    index: bool = False,
    nullable: bool | None = None,
    primary_key: bool = False,
    onupdate: Any = None,
    server_default: Any = None,
    text: bool = False,
    big: bool = False,
    max_digits: int | None = None,
    decimal_places: int | None = None,
    discriminator: bool = False,
    deferred: bool = False,
    name: str | None = None,
    comment: str | None = None,
    label: str | None = None,
    help: str | None = None,
    placeholder: str | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    pattern: str | None = None,
    gt: Any = None,
    ge: Any = None,
    lt: Any = None,
    le: Any = None,
    multiple_of: Any = None,
    choices: Any = None,
    format: str | None = None,
    check: Callable[[Any], bool] | None = None,
    readonly: bool = False,
    private: bool = False,
    examples: tuple[Any, ...] = (),
    deprecated: bool = False,
    extra: Mapping[str, Any] = ...,
    renamed_from: str | None = None,
) -> MappedColumn[Any]: ...
def column(
    type_: TypeEngine[Any] | type[TypeEngine[Any]] | None = None,
    /,
    *,
    init: bool | None = None,
    default: Any = MISSING,
    unique: bool = False,
    index: bool = False,
    nullable: bool | None = None,
    primary_key: bool = False,
    onupdate: Any = None,
    server_default: Any = None,
    generated: Any = None,
    text: bool = False,
    big: bool = False,
    max_digits: int | None = None,
    decimal_places: int | None = None,
    discriminator: bool = False,
    deferred: bool = False,
    name: str | None = None,
    comment: str | None = None,
    label: str | None = None,
    help: str | None = None,  # noqa: A002 - the name in forms and in Django
    placeholder: str | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    pattern: str | None = None,
    gt: Any = None,
    ge: Any = None,
    lt: Any = None,
    le: Any = None,
    multiple_of: Any = None,
    choices: Any = None,
    format: str | None = None,  # noqa: A002 - the name in JSON Schema
    check: Callable[[Any], bool] | None = None,
    readonly: bool = False,
    private: bool = False,
    examples: tuple[Any, ...] = (),
    deprecated: bool = False,
    extra: Mapping[str, Any] | None = None,
    renamed_from: str | None = None,
) -> MappedColumn[Any]:
    """Describe a column once.

    Tables, validation, JSON, forms, the admin and OpenAPI read it.

    The type comes from the annotation (`Mapped[str]`); a SQLAlchemy type as the first argument overrides it. What is
    not named here is written as in SQLAlchemy, by `mapped_column()`, which works beside it. Values and bounds are
    `Any`: those of the column's type.

    Args:
        type_: A SQLAlchemy type, where the annotation does not say enough (`ARRAY(String)`).
        init: For type checkers only: whether the constructor takes it. Keys are left out unless it is True.
        default: A value, a function without arguments, or a SQL expression. Set when the object is made.
        unique, index, nullable, primary_key, name, comment: As in SQLAlchemy; `nullable` follows the annotation.
        onupdate: A value or function for each UPDATE of the row.
        server_default: What the server fills in, as SQL text.
        generated: The SQL of a column that the server computes and stores; or `Computed`/`Identity`.
        text: Long text, for `str`.
        big: 64 bits, for `int`.
        max_digits, decimal_places: The size of a `Decimal`; 15 and 2 otherwise. A value with more places is refused.
        discriminator: The column that tells the classes of an inheritance tree apart.
        deferred: Load it only when it is read.
        label, help, placeholder, min_length, max_length, pattern, gt, ge, lt, le, multiple_of: See
            `demijohn.schema.Field`, as for the next ones.
        choices, format, check, readonly, private, examples, deprecated, extra: See `demijohn.schema.Field`.
        renamed_from: The name that the column had, for the next migration.

    Raises:
        ModelError: Arguments that exclude each other.

    Example:
        slug: Mapped[str] = column(max_length=200, unique=True, pattern=r"[a-z0-9-]+")
    """
    has_default = default is not MISSING
    sql_default = has_default and _is_sql(default)
    if generated is not None and (has_default or server_default is not None):
        raise ModelError(
            "A generated column has a default.",
            why="The server computes its value from the others, and nobody may set it.",
            fix="Remove `default=` or `generated=`.",
        )
    field = Field(
        label=label, help=help, placeholder=placeholder, min_length=min_length, max_length=max_length, pattern=pattern,
        gt=gt, ge=ge, lt=lt, le=le, multiple_of=multiple_of, choices=choices, format=format, check=check,
        readonly=readonly or generated is not None, private=private, examples=examples, deprecated=deprecated,
        extra=extra or {},
        default=default if has_default and not sql_default and not callable(default) else MISSING,
        default_factory=default if has_default and callable(default) and not sql_default else None,
    )  # fmt: skip
    digits = None
    if max_digits is not None or decimal_places is not None:
        digits = (max_digits or 15, 2 if decimal_places is None else decimal_places)
    spec = Spec(field, text=text, big=big, digits=digits, discriminator=discriminator)
    arguments: list[Any] = [] if type_ is None else [type_]
    if isinstance(generated, Computed | Identity | FetchedValue):
        arguments.append(generated)
    elif generated is not None:
        arguments.append(Computed(generated, persisted=True))
    options: dict[str, Any] = {"info": {SPEC: spec}}
    if renamed_from is not None:
        options["info"]["renamed_from"] = renamed_from
    if has_default:
        options["insert_default"] = default
    if nullable is not None:
        options["nullable"] = nullable
    if name is not None:
        arguments.insert(0, name)
    return mapped_column(
        *arguments, primary_key=primary_key, unique=unique or None, index=index or None, onupdate=onupdate,
        server_default=server_default, deferred=deferred, comment=comment, **options,
    )  # fmt: skip


def foreign_key(
    relation: str,
    /,
    *,
    init: Literal[False] = False,
    name: str | None = None,
    label: str | None = None,
    help: str | None = None,  # noqa: A002 - the name in forms and in Django
    readonly: bool = False,
    private: bool = False,
) -> MappedColumn[Any]:
    """Declare the key column of a `belongs_to`, so that checkers know it.

    It would exist without.

    Args:
        relation: The name of the relation in the same class.
        init: For type checkers only: the constructor takes the relation, not the key.
        name: The name of the column in the table.
        label, help, readonly, private: See `demijohn.schema.Field`.

    Example:
        author: Mapped["User"] = belongs_to(back="posts")
        author_id: Mapped[int] = foreign_key("author")
    """
    spec = Spec(Field(label=label, help=help, readonly=readonly, private=private), relation=relation)
    arguments: tuple[Any, ...] = () if name is None else (name,)
    return mapped_column(*arguments, info={SPEC: spec})


def _is_sql(value: Any) -> bool:
    return hasattr(value, "__clause_element__") or (
        hasattr(value, "compile") and hasattr(value, "_execute_on_connection")
    )


def resolve_type(resolving: Any) -> TypeEngine[Any] | None:
    """Choose the type of a column from its annotation and its `column()`.

    Any: SQLAlchemy's `TypeResolve`.
    """
    declared: Any = None
    for base in resolving.cls.__mro__:
        if resolving.key in base.__dict__:
            declared = base.__dict__[resolving.key]
            break
    spec = spec_of(declared)
    if spec.relation:
        return NullType()  # the type of the key that it points to, once that is known
    field = spec.field
    tp = resolving.resolved_type
    inner = resolving.raw_pep_593_type
    if inner is not None and field.max_length is None:
        field = Field.read(getattr(inner, "__metadata__", ())).merge(field)
    return type_for(tp, max_length=field.max_length, text=spec.text, big=spec.big, digits=spec.digits)
