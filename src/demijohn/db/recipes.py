"""Recipes: how the rows of a query of one shape are asked for, and put into objects.

A recipe is learnt from a result of SQLAlchemy's own path: its SQL, where each value goes and how it is converted, which
column becomes which attribute. Whatever is not plain about the result (loader options, polymorphism, joined loads,
parameters that nobody gave) makes the shape unfit, and it stays on SQLAlchemy's path.
"""

from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any
from weakref import ref

from sqlalchemy.engine import CursorResult, Result
from sqlalchemy.orm.context import _ORMColumnEntity
from sqlalchemy.orm.loading import _new_runid
from sqlalchemy.orm.state import InstanceState
from sqlalchemy.orm.strategies import _LazyLoader, _SelectInLoader
from sqlalchemy.sql.elements import BinaryExpression, BindParameter

from demijohn.db.dialects.deferral import is_write
from demijohn.db.loading import Asking, make_siblings
from demijohn.db.shapes import Equal, Sink

__all__ = ["Recipe", "learn"]

_BACKENDS = {"sqlite", "postgresql", "mysql", "mariadb"}
Load = Callable[[Sequence[Any], Any], "list[Any] | None"]


class Recipe:
    """How a query of one shape is asked and its rows put into objects.

    Attributes:
        sql: The statement, as the driver takes it.
        load: Puts rows into objects of a session; None where SQLAlchemy has to do it (Any: rows and sessions are those
            of any driver and of SQLAlchemy).
        ahead: Loads the relations that the query names, for the objects that `load` returned; it runs inside of a
            greenlet. None where there are none.
        keeps: What the shape knows by `id`, and so has to live as long as the shape (Any: parts of a query).
    """

    __slots__ = ("_places", "_told", "ahead", "keeps", "load", "sql")

    def __init__(
        self, told: Any, sql: str, places: list[Any], load: Load, ahead: Callable[[Any, Any], None] | None = None
    ) -> None:
        self.sql = sql
        self.load = load
        self.ahead = ahead
        self.keeps: Any = None
        self._places = places
        self._told = told

    def is_unheard(self) -> bool:
        """Return whether nobody listens to the loading of objects of the model."""
        return self._told is None or (not self._told.load and not self._told.refresh)

    def parameters(self, values: list[Any]) -> tuple[Any, ...]:
        """Return the parameters of the statement for the values of a query (Any: of any type)."""
        return tuple([place(values) for place in self._places])


class _Unfit(Exception):
    """SQLAlchemy does more for this result than a recipe could."""


def learn(statement: Any, result: Result[Any], sink: Sink, *, kind: str = "") -> Recipe | None:
    """Return the recipe of a statement from its result, which was not read yet, or None where it is unfit.

    `kind` is for statements that return no objects: `"dicts"`, `"scalars"`, or one row of one value. Any: statements
    are SQLAlchemy's, and results have rows of any type.
    """
    try:
        if not kind:
            return _learn(statement, result, sink)
        if kind in {"dicts", "scalars"}:
            return _learn_rows(statement, result, sink, kind)
        return _learn_scalar(statement, result, sink)
    except (_Unfit, AttributeError, KeyError, IndexError):  # what is private to SQLAlchemy may look otherwise tomorrow
        return None


def _need(*facts: Any) -> None:
    if not all(facts):
        raise _Unfit


def _learn(statement: Any, result: Any, sink: Sink) -> Recipe:
    context, cursor = result.context, result.raw
    execution, state = cursor.context, context.compile_state
    (entity,) = state._entities
    mapper = entity.mapper
    _need_plain(statement, execution)
    # Facts about what was asked for with the statement.
    _need(
        not context.populate_existing,
        not context.yield_per,
        not context.version_check,
        context.identity_token is None,
        context.refresh_state is None,
        context.top_level_context is None,
        not context.loaders_require_uniquing,
        not context.requires_uniquing,
    )
    # Facts about the model: one table, no adapter between its columns and those of the result.
    _need(
        entity.supports_single_entity,
        not entity.is_aliased_class,
        entity._get_entity_clauses(state) is None,
        state.compound_eager_adapter is None,
        not state.current_path.path,
        mapper.inherits is None,
        not mapper.polymorphic_map,
        not mapper.always_refresh,
        not mapper.class_manager.dispatch.load,
        not mapper.class_manager.dispatch.refresh,
        mapper.class_manager._state_constructor is InstanceState,
    )
    load = _loader(mapper, entity, context, cursor)
    ahead = _ahead(entity, context) if context.post_load_paths else None
    places = _places(statement, execution, sink)
    return Recipe(mapper.class_manager.dispatch, execution.statement, places, load, ahead)


def _ahead(entity: Any, context: Any) -> Callable[[Any, Any], None]:
    """Return what loads the relations of `load()` as SQLAlchemy does after the rows: each by one statement."""
    ((path, post),) = context.post_load_paths.items()
    _need(path == entity.path.path, post.load_keys is None)
    options = tuple(context.propagated_loader_options)
    loaders = []
    for _, _, parent, loader, arguments, named in post.loaders.values():
        depth = arguments[2]
        _need(isinstance(loader.__self__, _SelectInLoader), entity.mapper.isa(parent), depth is None, not named)
        loaders.append((loader, arguments))

    def ahead(instances: Any, session: Any) -> None:
        states = [(instance._sa_instance_state, True) for instance in dict.fromkeys(instances)]
        for loader, arguments in loaders:
            loader(Asking(session, options), entity.path, states, None, *arguments)

    return ahead


def _learn_scalar(statement: Any, result: Any, sink: Sink) -> Recipe:
    cursor = result if isinstance(result, CursorResult) else result.raw
    execution = cursor.context
    _need_plain(statement, execution)
    _need(len(cursor._metadata._keys) == 1, cursor._metadata._effective_processors is None)
    places = _places(statement, execution, sink)
    return Recipe(None, execution.statement, places, lambda rows, session: [rows[0][0] if rows else None])


def _learn_rows(statement: Any, result: Any, sink: Sink, kind: str) -> Recipe:
    context, cursor = result.context, result.raw
    execution, metadata = cursor.context, cursor._metadata
    _need_plain(statement, execution)
    names = list(result.keys())
    _need(
        not context.yield_per,
        not context.loaders_require_uniquing,
        not context.requires_uniquing,
        metadata._tuplefilter is None,
        # Each column of the statement is one of the rows, in its order and under a name of its own.
        len(metadata._keys) == len(context.compile_state._entities) == len(set(names)) == len(names),
        all(type(one) is _ORMColumnEntity for one in context.compile_state._entities),
    )
    values: dict[str, Any] = {"UTC": UTC}
    processors = metadata._effective_processors or [None] * len(names)
    parts = [_value(index, processor, values) for index, processor in enumerate(processors)]
    made = (
        parts[0]
        if kind == "scalars"
        else f"{{{', '.join(f'{n!r}: {part}' for n, part in zip(names, parts, strict=True))}}}"
    )
    columns = "".join(f"v{index}, " for index in range(len(names)))
    exec(f"def load(rows, session): return [{made} for {columns} in rows]", values)  # noqa: S102 - names are quoted
    return Recipe(None, execution.statement, _places(statement, execution, sink), values["load"])


def _need_plain(statement: Any, execution: Any) -> None:
    compiled = execution.compiled
    _need(
        statement._for_update_arg is None,
        not execution.executemany,
        compiled.positional,
        not compiled.literal_execute_params,
        not compiled.schema_translate_map,
        execution.dialect.name in _BACKENDS,
        not is_write(execution.statement),
    )


# -- parameters -----------------------------------------------------------------------------------------------------


class _Probe:
    """Stands for a parameter of the statement, to see where its value goes."""

    required = False

    def __init__(self, number: int) -> None:
        self.number = number

    @property
    def value(self) -> "_Probe":
        return self

    @property
    def effective_value(self) -> "_Probe":
        return self


def _places(statement: Any, execution: Any, sink: Sink) -> list[Callable[[list[Any]], Any]]:
    """Return a function for each parameter that the driver takes, in order: from the values of a query to it."""
    compiled = execution.compiled
    given = _given(statement, sink)
    extracted = execution.extracted_parameters or ()
    numbers = []
    for one in extracted:
        number = given.get(id(one))
        _need(number is not None)
        numbers.append(number)
    probes = [_Probe(number) for number in numbers]  # type: ignore[arg-type]  # checked above
    values = compiled.construct_params(extracted_parameters=probes, escape_names=False)
    processors = compiled._bind_processors
    names, expanded = list(compiled._pre_expanded_positiontup or compiled.positiontup), {}
    if compiled.post_compile_params:
        expanded = execution._expanded_parameters
    places: list[Callable[[list[Any]], Any]] = []
    late: list[Callable[[list[Any]], Any]] = []
    for name in names:
        value, processor = values[name], processors.get(name)
        if name in expanded:
            _need(isinstance(value, _Probe))
            parts = [_element(value.number, index, processor) for index in range(len(expanded[name]))]
            # Where parameters are numbered, those of IN come after all others.
            (late if compiled._numeric_binds else places).extend(parts)
        elif isinstance(value, _Probe):
            places.append(_place(value.number, processor))
        else:
            places.append(_fixed(value if processor is None else processor(value)))
    _need(len(places) + len(late) == len(execution.parameters[0]))
    return places + late


def _given(statement: Any, sink: Sink) -> dict[int, int]:
    """Return which value belongs to which parameter of the statement, by its `id`."""
    given: dict[int, int] = {}
    for number, holder in enumerate(sink.holders):
        if holder == "limit" or holder == "offset":
            clause = statement._limit_clause if holder == "limit" else statement._offset_clause
            given[id(clause)] = number  # the last one counts
            continue
        bind = holder
        if type(holder) is Equal:
            clause = holder.__clause_element__()
            _need(type(clause) is BinaryExpression)
            bind = clause.right
            _need(isinstance(bind, BindParameter), bind.callable is None, bind.type is clause.left.type)
        _need(id(bind) not in given)  # one parameter in two places would be two of another query
        given[id(bind)] = number
    return given


def _place(number: int, processor: Any) -> Callable[[list[Any]], Any]:
    if processor is None:
        return lambda values: values[number]
    return lambda values: processor(values[number])


def _element(number: int, index: int, processor: Any) -> Callable[[list[Any]], Any]:
    if processor is None:
        return lambda values: values[number][index]
    return lambda values: processor(values[number][index])


def _fixed(value: Any) -> Callable[[list[Any]], Any]:
    return lambda values: value


# -- objects ---------------------------------------------------------------------------------------------------------


def _loader(mapper: Any, entity: Any, context: Any, cursor: Any) -> Load:
    metadata = cursor._metadata
    getters = entity.path.get(context.compile_state.attributes, ("getters", mapper), None)
    populators = getters["cached_populators"]
    _need(metadata._tuplefilter is None)
    _need(not any(populators[kind] for kind in ("new", "deferred", "existing", "eager")))
    _need(not any(set_callable for _, set_callable in populators["expire"]))
    for prop in getters["todo"]:
        _need(isinstance(prop.strategy, _LazyLoader), prop.strategy.is_class_level)
    processors = metadata._effective_processors
    probe = tuple(range(len(metadata._keys)))
    keys = getters["primary_key_getter"](probe)
    columns = [(name, getter(probe)) for name, getter in populators["quick"]]
    _need(all(type(index) is int for index in (*keys, *(index for _, index in columns))))
    return _generate(
        mapper,
        keys,
        columns,
        processors or [None] * len(probe),
        tuple(context.propagated_loader_options),
        entity.path,
        known="return None" if context.post_load_paths else "mixed = True",
    )


class _LoadedState(InstanceState[Any]):
    """The state of an object that a lane loaded: what is empty is made when it is asked for.

    Each recipe has a class of its own, in which stands what its objects have in common.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name == "committed_state":
            self.committed_state = {}
            return self.committed_state
        if name == "expired_attributes":
            self.expired_attributes = set()
            return self.expired_attributes
        raise AttributeError(name)

    def __reduce__(self) -> Any:
        return _plain_state, (), self.__getstate__()


def _plain_state() -> Any:
    return InstanceState.__new__(InstanceState)


def _value(index: int, processor: Any, names: dict[str, Any]) -> str:
    """Return the expression of a value of a row; what it needs is put among the names."""
    if processor is None:
        return f"v{index}"
    names[f"p{index}"] = processor
    if getattr(processor, "leaves_utc", False):
        return f"(v{index} if v{index} is None or v{index}.tzinfo is UTC else p{index}(v{index}))"
    return f"p{index}(v{index})"


def _generate(
    mapper: Any,
    keys: Sequence[int],
    columns: list[tuple[str, int]],
    processors: Sequence[Any],
    options: tuple[Any, ...],
    path: Any,
    *,
    known: str,
) -> Load:
    """Write the function that does for plain rows what `sqlalchemy.orm.loading._instance` does for all."""
    names: dict[str, Any] = {
        "IDENTITY": mapper._identity_class,
        "MODEL": mapper.class_,
        "new": mapper.class_.__new__,
        "ref": ref,
        "UTC": UTC,
        "COLUMNS": frozenset(name for name, _ in columns),
        "new_runid": _new_runid,
        "make_siblings": make_siblings,
    }

    common = {"class_": mapper.class_, "manager": mapper.class_manager, "load_options": options, "load_path": path}
    names["State"] = state = type("LoadedState", (_LoadedState,), {"__slots__": (), "identity_token": None, **common})
    names["new_state"] = state.__new__

    def value(index: int) -> str:
        return _value(index, processors[index], names)

    by_key = {index: f"k{number}" for number, index in enumerate(keys)}
    lines = [
        "def load(rows, session):",
        "    found = []",
        "    append = found.append",
        "    identities = session.identity_map",
        "    known = identities._dict",
        "    runid = new_runid()",
        "    session_id, holder = session.hash_key, identities._wr",
        "    mixed = False",
        f"    for {''.join(f'v{index}, ' for index in range(len(processors)))} in rows:",
        *(f"        {name} = {value(index)}" for index, name in by_key.items()),
        f"        if {' or '.join(f'{name} is None' for name in by_key.values())}: return None",
        f"        key = IDENTITY, ({', '.join(by_key.values())},), None",
        "        state = known.get(key)",
        "        if state is not None:",
        "            instance = state.obj()",
        "            if instance is not None:",
        "                if state.runid != runid:",
        "                    if state.expired or state.expired_attributes or state.callables: return None",
        "                    if not instance.__dict__.keys() >= COLUMNS: return None",
        f"                    {known}",
        "                append(instance)",
        "                continue",
        "        instance = new(MODEL)",
        "        known[key] = state = new_state(State)",
        "        state.__dict__ = {'key': key, 'runid': runid, 'session_id': session_id, '_instance_dict': holder}",
        "        state.obj = ref(instance, state._cleanup)",
        "        instance.__dict__ = {'_sa_instance_state': state,",
        *(f"            {name!r}: {by_key.get(index) or value(index)}," for name, index in columns),
        "        }",
        "        append(instance)",
        "    if mixed and len(found) > 1: make_siblings(found)",
        "    return found",
    ]
    exec("\n".join(lines), names)  # noqa: S102 - every name in it is that of a mapped attribute, quoted
    load: Load = names["load"]
    return load
