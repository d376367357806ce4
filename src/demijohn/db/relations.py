"""`belongs_to`, `has_many`, `has_one`, `many_to_many`: relations whose other half is made for you."""

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias, cast

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, Table, and_
from sqlalchemy.orm import Mapped, MappedColumn, Relationship, relationship

from demijohn.db.annotations import Target, annotations_of, target_of
from demijohn.db.columns import SPEC, Spec, spec_of
from demijohn.db.faults import ModelError
from demijohn.db.ordering import order_of_list
from demijohn.schema import Field

__all__ = ["Link", "OnDelete", "belongs_to", "has_many", "has_one", "many_to_many"]

OnDelete: TypeAlias = Literal["restrict", "cascade", "set null", "set default", "no action"]
Class: TypeAlias = type[Any]
"""A model; Any, since models are made above this module."""
Lazy: TypeAlias = Literal["batch", "raise", "select", "selectin", "joined", "write_only"]
Kind: TypeAlias = Literal["belongs_to", "has_many", "has_one", "many_to_many"]


class Link:
    """One relation as it was declared.

    It becomes a SQLAlchemy `relationship` when its class is made.
    """

    kind: Kind

    def __init__(self, kind: Kind, field: Field, lazy: str, back: str | None, **options: Any) -> None:
        self.kind: Kind = kind
        self.field = field
        self.lazy = lazy
        self.back = back
        self.options = options
        self.name = ""
        self.owner: Class = cast("Class", None)
        self.target = Target("", False, False)
        self.keys: list[str] = []
        """The attributes of the key columns of a `belongs_to`, in the order of the target's primary key."""
        self.table: Table | None = None
        """The join table of a `many_to_many`."""
        self.property: Relationship[Any] | None = None

    def __repr__(self) -> str:
        return f"<{self.kind} {self.owner.__name__}.{self.name} -> {self.target.name}>"

    def copy_for(self, owner: Class, name: str) -> "Link":
        """Return the link of one class.

        A mixin or an abstract base gives one to each of its models.
        """
        link = Link(self.kind, self.field, self.lazy, self.back, **self.options)
        link.owner, link.name = owner, name
        return link

    @property
    def cls(self) -> Class:
        """Return the class that the relation points to.

        Raises:
            ModelError: There is no such model.
        """
        found = find_model(self.owner, self.target)
        if found is None:
            known = sorted({mapper.class_.__name__ for mapper in self.owner.registry.mappers})
            from demijohn.db.faults import unknown

            raise ModelError(
                f"{self.owner.__name__}.{self.name} points to a model {self.target.name!r} that does not exist."
                + unknown(self.target.name, known),
                why="Its module was not imported, or its name is another.",
                fix=f"Import the module of {self.target.name} where the app is made.",
            )
        return found

    def key_columns(self) -> list[Any]:
        """Return the columns of a `belongs_to` in its own table."""
        if not self.keys:
            attach_keys(self, self.cls)
        return [self.owner.__table__.c[self.column_name(key)] for key in self.keys]

    def column_name(self, key: str) -> str:
        """Return the name in the table of a key attribute."""
        return str(self.owner.__mapper__.columns[key].name)


def belongs_to(
    *,
    back: str | None = None,
    on_delete: OnDelete | None = None,
    unique: bool = False,
    index: bool = True,
    init: bool = True,
    default: None = None,
    lazy: Lazy = "batch",
    label: str | None = None,
    help: str | None = None,  # noqa: A002 - the name in forms and in Django
    readonly: bool = False,
    private: bool = False,
) -> Mapped[Any]:
    """Point to one row of another model.

    The key column, foreign key and index come with it.

    Args:
        back: The name of the other half at the target, which is made unless it is declared there.
        on_delete: What the database does when the target is deleted: by default `"set null"` where the annotation
            allows None, else `"restrict"`: the delete is refused.
        unique: At most one row per target (one to one); the other half is a `has_one` then.
        index: Index the key column.
        init, default: For type checkers: whether the constructor takes it, and whether it may be left out.
        lazy: How it loads when it is read; see `docs/explanation/units-of-work.md`.
        label, help, readonly, private: See `demijohn.schema.Field`.

    Example:
        author: Mapped["User"] = belongs_to(back="posts")
        parent: Mapped["Category | None"] = belongs_to(back="children", on_delete="cascade")
    """
    field = Field(label=label, help=help, readonly=readonly, private=private)
    return cast("Mapped[Any]", Link("belongs_to", field, lazy, back, on_delete=on_delete, unique=unique, index=index))


def has_many(
    *,
    back: str | None = None,
    order_by: Any = None,
    delete_orphans: bool = False,
    init: Literal[False] = False,
    lazy: Lazy = "batch",
    label: str | None = None,
    help: str | None = None,  # noqa: A002 - the name in forms and in Django
    private: bool = False,
) -> Mapped[Any]:
    """Declare the other half of a `belongs_to`, so that checkers know it.

    It would exist without.

    Args:
        back: The name of the `belongs_to` at the target; may be left out where there is only one.
        order_by: The order of the list: `"-created_at"`, a tuple of such, or what SQLAlchemy takes (Any: all of
            these); that of the target, `__order_by__`, where nothing is said.
        delete_orphans: Delete a row that is taken out of the list.
        init: For type checkers: collections are not constructor arguments.
        lazy, label, help, private: As in `belongs_to`.

    Example:
        posts: Mapped[list["Post"]] = has_many(back="author")
    """
    field = Field(label=label, help=help, private=private)
    return cast("Mapped[Any]", Link("has_many", field, lazy, back, order_by=order_by, orphans=delete_orphans))


def has_one(
    *,
    back: str | None = None,
    delete_orphans: bool = False,
    init: Literal[False] = False,
    lazy: Lazy = "batch",
    label: str | None = None,
    help: str | None = None,  # noqa: A002 - the name in forms and in Django
    private: bool = False,
) -> Mapped[Any]:
    """Declare the other half of a `belongs_to(unique=True)`.

    Example:
        profile: Mapped["Profile | None"] = has_one(back="user")
    """
    field = Field(label=label, help=help, private=private)
    return cast("Mapped[Any]", Link("has_one", field, lazy, back, order_by=None, orphans=delete_orphans))


def many_to_many(
    *,
    back: str | None = None,
    table: str | None = None,
    through: Class | str | Callable[[], Class] | None = None,
    order_by: Any = None,
    init: Literal[False] = False,
    lazy: Lazy = "batch",
    label: str | None = None,
    help: str | None = None,  # noqa: A002 - the name in forms and in Django
    readonly: bool = False,
    private: bool = False,
) -> Mapped[Any]:
    """Point to many rows of another model, and be pointed to by many.

    The join table comes with it.

    Args:
        back: The name of the other half at the target, which is made unless it is declared there.
        table: The name of the join table; `post_tags` for `Post.tags` otherwise.
        through: A model of your own that joins the two (with two `belongs_to`); the relation is for reading then.
        order_by: The order of the list: `"-created_at"`, a tuple of such, or what SQLAlchemy takes (Any: all of
            these); that of the target, `__order_by__`, where nothing is said.
        init: For type checkers: collections are not constructor arguments.
        lazy, label, help, readonly, private: As in `belongs_to`.

    Example:
        tags: Mapped[list["Tag"]] = many_to_many(back="posts")
    """
    field = Field(label=label, help=help, readonly=readonly, private=private)
    return cast("Mapped[Any]", Link("many_to_many", field, lazy, back, table=table, through=through, order_by=order_by))


# -- from links to relationships ------------------------------------------------------------------------------------


def find_model(owner: Class, target: Target) -> Class | None:
    """Find the class that a target names.

    That is the owner itself, one of its module, or the only one of that name.
    """
    if not isinstance(target.cls, str):
        return cast("Class", target.cls)
    if target.cls == owner.__name__:
        return owner
    found = [mapper.class_ for mapper in owner.registry.mappers if mapper.class_.__name__ == target.name]
    path = target.cls.rpartition(".")[0]
    near = [cls for cls in found if cls.__module__ == owner.__module__]
    if path:
        found = [cls for cls in found if cls.__module__.endswith(path)] or found
    elif near:
        found = near
    if len(found) > 1:
        places = ", ".join(f"{cls.__module__}.{cls.__qualname__}" for cls in found)
        raise ModelError(
            f"{owner.__name__} points to {target.cls!r}, and there are {len(found)} of that name: {places}.",
            why="One of them has to be meant.",
            fix=f'Name the module too: Mapped["{found[0].__module__}.{found[0].__name__}"]',
        )
    return found[0] if found else None


def prepare_links(cls: Class) -> dict[str, Link]:
    """Make relationships of the links of a class, and their key columns.

    It runs before SQLAlchemy maps the class.
    """
    links: dict[str, Link] = {}
    for base in cls.__mro__:
        if base is not cls and "__mapper__" in base.__dict__:
            break  # a mapped class has its relations already
        annotations = annotations_of(base)
        for name, declared in list(base.__dict__.items()):
            if not isinstance(declared, Link) or name in links or (base is not cls and name in cls.__dict__):
                continue
            target = target_of(annotations.get(name))
            if target is None:
                raise ModelError(
                    f"{cls.__name__}.{name} = {declared.kind}(...) has no annotation that says what it points to.",
                    why="The target of a relation is read from `Mapped[...]`.",
                    fix=f'{name}: Mapped["User"] = {declared.kind}(...)',
                )
            links[name] = link = declared.copy_for(cls, name)
            link.target = target
    for link in links.values():
        _refuse_taken(link)
        if link.kind == "belongs_to":
            _prepare_key(link)
        link.property = _relationship(link)
        type.__setattr__(cls, link.name, link.property)
    return links


def _refuse_taken(link: Link) -> None:
    """Refuse a name for the other half that means something else at the target."""
    target = find_model(link.owner, link.target)
    if link.back is None or target is None or link.back in links_of(target) or target is link.owner:
        return
    if hasattr(target, link.back):
        raise ModelError(
            f'{link.owner.__name__}.{link.name} has back="{link.back}", which {target.__name__} has already.',
            why="The other half of the relation would hide it.",
            fix=f'Choose another name: {link.kind}(back="...")',
        )


def _relationship(link: Link) -> Relationship[Any]:
    lazy = "raise_by_name" if link.lazy == "raise" else link.lazy
    options: dict[str, Any] = {"lazy": lazy, "info": {SPEC: link}}
    if link.kind == "belongs_to":
        options |= {
            "foreign_keys": link.key_columns,
            "remote_side": lambda: list(link.cls.__mapper__.primary_key),
            "uselist": False,
        }
    elif link.kind in {"has_many", "has_one"}:
        options |= {
            "foreign_keys": lambda: _other_half(link).key_columns(),
            "remote_side": lambda: _other_half(link).key_columns(),
            "uselist": link.kind == "has_many",
            **_deleting(link.options["orphans"]),
        }
    elif link.options["through"] is not None:
        options |= {"secondary": lambda: _through(link).__table__, "viewonly": True, "uselist": True}
    else:
        options |= {
            "secondary": lambda: join_table(link),
            "uselist": True,
            "primaryjoin": lambda: _join(link, own=True),
            "secondaryjoin": lambda: _join(link, own=False),
        }
    if link.kind in {"has_many", "many_to_many"}:
        title = f"{link.owner.__name__}.{link.name}"
        options["order_by"] = order_of_list(title, link.options.get("order_by"), lambda: link.cls)
    if link.back is not None and link.kind in {"belongs_to", "many_to_many"} and not options.get("viewonly"):
        options["back_populates"] = link.back
    return cast("Relationship[Any]", relationship(lambda: link.cls, **options))


def _deleting(orphans: bool) -> dict[str, Any]:
    # The database keeps what `on_delete` says; the session neither loads nor empties the children first.
    if orphans:
        return {"cascade": "all, delete-orphan", "passive_deletes": True}
    return {"passive_deletes": "all"}


def _through(link: Link) -> Class:
    through = link.options["through"]
    if isinstance(through, str):
        found = find_model(link.owner, Target(through, False, False))
        if found is None:
            raise ModelError(
                f"{link.owner.__name__}.{link.name} goes through {through!r}, which does not exist.",
                why="The join model has to be imported too.",
                fix=f"Import the module of {through}.",
            )
        return found
    if isinstance(through, type):
        return cast("Class", through)
    return cast("Class", through())


def _other_half(link: Link) -> Link:
    """Return the `belongs_to` that a `has_many` is the other half of."""
    target = link.cls
    candidates = [
        other for other in links_of(target).values() if other.kind == "belongs_to" and issubclass(link.owner, other.cls)
    ]
    if link.back is not None:
        for other in candidates:
            if other.name == link.back:
                return other
    elif len(candidates) == 1:
        return candidates[0]
    names = ", ".join(other.name for other in candidates) or "none"
    raise ModelError(
        f"{link.owner.__name__}.{link.name} is the other half of no single belongs_to at {target.__name__}.",
        why=f"{target.__name__} points to {link.owner.__name__} by: {names}.",
        fix=f'{link.name}: Mapped[list["{target.__name__}"]] = {link.kind}(back="...")',
    )


def key_of(model: Class) -> list[Column[Any]]:
    """Return the columns of a model's primary key."""
    return cast("list[Column[Any]]", list(model.__mapper__.primary_key))


def links_of(cls: Class) -> dict[str, Link]:
    """Return all links of a class, its mapped bases included."""
    found: dict[str, Link] = {}
    for base in reversed(cls.__mro__):
        found.update(base.__dict__.get("__links__", {}))
    return found


# -- key columns ----------------------------------------------------------------------------------------------------


def _declared_keys(link: Link) -> list[tuple[str, MappedColumn[Any]]]:
    return [
        (name, value)
        for base in reversed(link.owner.__mro__)
        for name, value in base.__dict__.items()
        if isinstance(value, MappedColumn) and spec_of(value).relation == link.name
    ]


def _prepare_key(link: Link) -> None:
    """Make the key columns before the class is mapped, where the target is known already."""
    target = None if link.target.cls == link.owner.__name__ else find_model(link.owner, link.target)
    declared = _declared_keys(link)
    if target is None:
        link.keys = [name for name, _ in declared]
        link.owner.__pending__.append(link)
        return
    keys = key_of(target)
    names = [name for name, _ in declared] or [f"{link.name}_{key.key}" for key in keys]
    _check_count(link, target, names, keys)
    for name, key in zip(names, keys, strict=True):
        mapped = dict(declared).get(name)
        if mapped is None:
            spec = Spec(link.field, relation=link.name)
            mapped = MappedColumn(key.type, info={SPEC: spec}, sort_order=1)
            type.__setattr__(link.owner, name, mapped)
            link.owner.__made__.add(name)
        _settle(link, mapped.column, key)
        mapped._has_nullable = True
        if len(keys) == 1:
            mapped.column.append_foreign_key(_foreign_key(link, key))
    link.keys = names


def _settle(link: Link, column: Column[Any], key: Column[Any]) -> None:
    column.type = key.type
    column.nullable = link.target.nullable
    if link.options["unique"]:
        column.unique = True
    elif link.options["index"] and not column.primary_key:
        column.index = True


def _foreign_key(link: Link, key: Column[Any]) -> ForeignKey:
    return ForeignKey(f"{key.table.fullname}.{key.name}", ondelete=_on_delete(link))


def _on_delete(link: Link) -> str:
    chosen = link.options["on_delete"] or ("set null" if link.target.nullable else "restrict")
    if chosen == "set null" and not link.target.nullable:
        raise ModelError(
            f'{link.owner.__name__}.{link.name} has on_delete="set null" and may not be null.',
            why="The database could not empty the key.",
            fix=f'{link.name}: Mapped["{link.target.name} | None"] = belongs_to(on_delete="set null")',
        )
    return chosen.upper()


def _check_count(link: Link, target: Class, names: list[str], keys: list[Any]) -> None:
    if len(names) != len(keys):
        raise ModelError(
            f"{link.owner.__name__}.{link.name} has {len(names)} key columns, {target.__name__} has a key of "
            f"{len(keys)}.",
            why="Each column of the key needs its own.",
            fix=" ".join(f'{link.name}_{key.key}: Mapped[...] = foreign_key("{link.name}")' for key in keys),
        )


def attach_keys(link: Link, target: Class) -> None:
    """Make the key columns of a class that is mapped already, when its target appears."""
    owner = link.owner
    keys = key_of(target)
    names = link.keys or [f"{link.name}_{key.key}" for key in keys]
    _check_count(link, target, names, keys)
    for name, key in zip(names, keys, strict=True):
        if name not in owner.__mapper__.columns:
            spec = Spec(link.field, relation=link.name)
            column: Column[Any] = Column(name, key.type, info={SPEC: spec}, nullable=link.target.nullable)
            if len(keys) == 1:
                column.append_foreign_key(_foreign_key(link, key))
            column.unique = True if link.options["unique"] else None
            column.index = True if link.options["index"] and not link.options["unique"] else None
            setattr(owner, name, column)
            owner.__made__.add(name)
            continue
        column = owner.__mapper__.columns[name]
        column.type = key.type
        column.nullable = link.target.nullable or (column.nullable and not link.target.cls)
        if len(keys) == 1 and not column.foreign_keys:
            column.append_foreign_key(_foreign_key(link, key))
            if link.options["unique"]:
                Index(None, column, unique=True)
            elif link.options["index"] and not column.primary_key:
                Index(None, column)
    link.keys = names
    complete_keys(link, target)


def complete_keys(link: Link, target: Class) -> None:
    """Add the foreign key of a composite key, which belongs to the table."""
    keys = key_of(target)
    if len(keys) > 1:
        columns = [link.column_name(name) for name in link.keys]
        table = cast("Table", link.owner.__table__)
        table.append_constraint(
            ForeignKeyConstraint(
                columns, [f"{key.table.fullname}.{key.name}" for key in keys], ondelete=_on_delete(link)
            )
        )


# -- join tables ----------------------------------------------------------------------------------------------------


def join_table(link: Link) -> Table:
    """Return the join table of a many-to-many relation.

    It is made once both models exist.
    """
    if link.table is not None:
        return link.table
    target = link.cls
    other = links_of(target).get(link.back or "")
    if other is None or other is link or other.kind != "many_to_many":
        other = None
    elif other.table is not None:
        link.table = other.table
        return link.table
    elif _table_name(other) < _table_name(link):  # both halves are declared: either way it is the same table
        link.table = join_table(other)
        return link.table
    owner_table, target_table = cast("Table", link.owner.__table__), cast("Table", target.__table__)
    own_prefix, target_prefix = owner_table.name, target_table.name
    if link.owner is target:
        own_prefix, target_prefix = f"from_{own_prefix}", f"to_{target_prefix}"
    halves = {
        side: [
            Column(f"{prefix}_{key.name}", key.type, primary_key=True, autoincrement=False)
            for key in table.primary_key.columns
        ]
        for side, prefix, table in (("own", own_prefix, owner_table), ("target", target_prefix, target_table))
    }
    info = {"database": owner_table.info.get("database", "default"), "maker": link, "halves": halves}
    made = Table(_table_name(link), owner_table.metadata, *halves["own"], *halves["target"], info=info)
    for side, table in (("own", owner_table), ("target", target_table)):
        references = [f"{table.fullname}.{key.name}" for key in table.primary_key.columns]
        made.append_constraint(ForeignKeyConstraint(halves[side], references, ondelete="CASCADE"))
    Index(None, *halves["target"])
    link.table = made
    if other is not None:
        other.table = made
    return made


def _table_name(link: Link) -> str:
    return str(link.options["table"] or f"{cast('Table', link.owner.__table__).name}_{link.name}")


def _join(link: Link, *, own: bool) -> Any:
    table = join_table(link)
    # The halves are named from the side that made the table: seen from the other they change places.
    side = "own" if own == (table.info["maker"] is link) else "target"
    keys: Iterable[Any] = (link.owner if own else link.cls).__mapper__.primary_key
    return and_(*(column == key for column, key in zip(table.info["halves"][side], keys, strict=True)))


def settle(cls: Class) -> None:
    """Complete a class that was mapped.

    Attach the keys that waited for it, and make the missing other halves.
    """
    pending = cls.__pending__
    for link in list(pending):
        target = find_model(link.owner, link.target)
        if target is not None and "__mapper__" in target.__dict__ and "__mapper__" in link.owner.__dict__:
            pending.remove(link)
            attach_keys(link, target)
    for link in cls.__links__.values():
        if link.kind == "belongs_to" and link not in pending and len(link.keys) > 1:
            complete_keys(link, link.cls)
    for mapper in list(cls.registry.mappers):
        for link in list(mapper.class_.__dict__.get("__links__", {}).values()):
            if link.kind in {"belongs_to", "many_to_many"}:
                _make_other_half(link)


def _make_other_half(link: Link) -> None:
    target = find_model(link.owner, link.target)
    if target is None or "__mapper__" not in target.__dict__:
        return
    if link.kind == "many_to_many" and link.options["through"] is None:
        join_table(link)
    declared = links_of(target)
    if link.back is None:
        for other in declared.values():
            if other.back == link.name and find_model(other.owner, other.target) is link.owner and other is not link:
                link.back = other.name
                cast("Relationship[Any]", link.property).back_populates = other.name
        if link.back is None:
            return
    other_half = declared.get(link.back)
    if other_half is not None:
        if (
            other_half.property is not None
            and not other_half.property.viewonly
            and not other_half.options.get("paired")
        ):
            other_half.back = other_half.back or link.name
            if other_half.back == link.name:
                other_half.property.back_populates = link.name
                other_half.options["paired"] = True
        return
    _refuse_taken(link)
    kind: Kind = "many_to_many" if link.kind == "many_to_many" else "has_one" if link.options["unique"] else "has_many"
    options: dict[str, Any] = {"order_by": None, "orphans": False, "paired": True}
    if kind == "many_to_many":
        options |= {"table": link.options["table"], "through": link.options["through"], "made": True}
    made = Link(kind, Field(), link.lazy, link.name, **options)
    made.owner, made.name, made.target = target, link.back, Target(link.owner, kind != "has_one", kind == "has_one")
    if kind == "many_to_many":
        made.table = link.table
    made.property = _relationship(made)
    if kind != "many_to_many":
        made.property.back_populates = link.name
    target.__links__[link.back] = made
    setattr(target, link.back, made.property)
