"""`lazy="batch"`: a relation that is read and was not loaded is loaded for all siblings of the same result at once.

Siblings are the objects of a class that the same statement brought (SQLAlchemy marks them with one `runid`), are
still alive, and have not got the relation yet. They are loaded as `selectinload` would have done, so composite keys,
self references and many-to-many relations work alike. The module extends two private strategies of SQLAlchemy 2.1;
`tests/db/test_loading.py` holds what it relies on.
"""

from collections.abc import Sequence
from typing import Any, NoReturn, cast

from sqlalchemy.orm import RelationshipProperty, attributes
from sqlalchemy.orm.base import LoaderCallableStatus, PassiveFlag
from sqlalchemy.orm.strategies import _LazyLoader, _SelectInLoader
from sqlalchemy.util import EMPTY_DICT

from demijohn.db.faults import NotInside, NotLoaded, OtherTask
from demijohn.db.watching import place

__all__ = ["Asking", "load_for", "make_siblings", "siblings_of"]


class Asking:
    """What a selectin loader wants to know about the query that brought the objects."""

    __slots__ = ("_options", "populate_existing", "session")

    def __init__(self, session: Any, options: Sequence[Any]) -> None:
        self.session = session
        self.populate_existing = False
        self._options = options

    def _loader_strategy_options(self) -> tuple[Any, ...]:
        return tuple(self._options)


def siblings_of(state: Any, key: str, session: Any) -> list[Any]:
    """Return the states of the same result that lack the attribute.

    The asking one comes first.

    States are SQLAlchemy's `InstanceState` (Any: they are internal to it).
    """
    runid, mapper, options = state.runid, state.mapper, state.load_options
    if runid is None:
        return [state]
    return [
        state,
        *(
            other
            for other in session.identity_map.all_states()
            if other.runid == runid
            and other is not state
            and other.mapper is mapper
            and key not in other.dict
            and not other.expired
            and other.load_options == options
        ),
    ]


def make_siblings(instances: Sequence[Any]) -> None:
    """Mark the objects of one result as siblings.

    So are those that an earlier statement had brought into the session.

    Instances are models (Any: models are made above this module).
    """
    states = [instance._sa_instance_state for instance in instances]
    newest = max(state.runid or 0 for state in states)
    for state in states:
        state.runid = newest


@RelationshipProperty.strategy_for(lazy="batch")
class _BatchLoader(_LazyLoader):
    """Loads a relation for all siblings when one of them is asked."""

    __slots__ = ()

    def _load_for_state(self, state: Any, passive: Any, loadopt: Any = None, *more: Any, **options: Any) -> Any:
        try:
            return super()._load_for_state(state, passive, loadopt, *more, **options)  # type: ignore[no-untyped-call]
        except (NotInside, OtherTask) as error:
            raise _not_loaded(state, self.key, error) from None

    def _emit_lazyload(
        self,
        session: Any,
        state: Any,
        primary_key_identity: Any,
        passive: Any,
        loadopt: Any,
        extra_criteria: Any,
        extra_options: Any,
        alternate_effective_path: Any,
        execution_options: Any,
    ) -> Any:
        unit = getattr(session, "unit", None)
        if unit is not None and unit.database.is_strict:
            raise NotLoaded(
                f"{state.class_.__name__}.{self.key} was not loaded, and was read at {place()} in a strict app.",
                why="With `App(strict=True)` no relation loads by itself: each query says what it brings.",
                fix=f"Load it with the query: `.load({state.class_.__name__}.{self.key})`, or `await "
                f"obj.load({self.key!r})`.",
            )
        plain = (
            state.key is None
            or passive & PassiveFlag.LOAD_AGAINST_COMMITTED
            or passive & PassiveFlag.DEFERRED_HISTORY_LOAD
            or extra_criteria
            or alternate_effective_path is not None
            or state.dict.get(self.key, _ABSENT) is not _ABSENT
            or (state.modified and self.parent_property.direction.name == "MANYTOONE")
        )
        siblings = [] if plain else siblings_of(state, self.key, session)
        if len(siblings) < 2:
            return super()._emit_lazyload(  # type: ignore[no-untyped-call]
                session, state, primary_key_identity, passive, loadopt, extra_criteria, extra_options,
                alternate_effective_path, execution_options,
            )  # fmt: skip
        states = [state] + [other for other in siblings[1:] if not self._is_at_hand(session, other)]
        self._load_batch(session, states, loadopt)
        if self.key in state.dict:
            return LoaderCallableStatus.ATTR_WAS_SET
        return [] if self.uselist else None

    def _is_at_hand(self, session: Any, other: Any) -> bool:
        """Return whether the relation of a sibling needs no statement: its target is at hand, or there is none."""
        if other.modified:
            return True
        if not self.use_get:
            return False
        identity = self._get_ident_for_use_get(  # type: ignore[no-untyped-call]
            session, other, PassiveFlag.PASSIVE_NO_FETCH
        )
        if LoaderCallableStatus.PASSIVE_NO_RESULT in identity or LoaderCallableStatus.NEVER_SET in identity:
            return True
        if None in identity:
            return True
        return session.identity_map.get(self.mapper.identity_key_from_primary_key(identity)) is not None

    def _load_batch(self, session: Any, states: list[Any], loadopt: Any) -> None:
        selectin = cast("_SelectInLoader", self.parent_property._get_strategy((("lazy", "selectin"),)))
        state = states[0]
        path = state.load_path if state.load_options else state.mapper._path_registry
        holders = [one.obj() for one in states]  # alive until their relation is set
        with session.no_autoflush if not session._new and not session.dirty else _NOTHING:
            selectin._load_for_path(  # type: ignore[no-untyped-call]
                Asking(session, state.load_options),
                path,
                [(one, False) for one, holder in zip(states, holders, strict=True) if holder is not None],
                None,
                self.entity,
                loadopt,
                None,
                EMPTY_DICT,
            )


class _Nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


_NOTHING: Any = _Nothing()
_ABSENT: Any = object()


def _not_loaded(state: Any, key: str, error: BaseException) -> BaseException:
    if isinstance(error, OtherTask):
        return NotLoaded(
            f"{state.class_.__name__}.{key} was not loaded, and was read at {place()} by another task than the one "
            "that loaded the object.",
            why="A relation loads itself in the task that owns the unit of work; a child task has to be given what "
            "it needs.",
            fix=f"Load it ahead: `.load({state.class_.__name__}.{key})`, or `await obj.load({key!r})` before the "
            "child starts.",
        )
    return NotLoaded(
        f"{state.class_.__name__}.{key} was not loaded, and was read at {place()} where nothing can wait for the "
        "database.",
        why="Relations load themselves in handlers, commands, tasks and under `db.run(...)`, which drive the code; "
        "this code is not driven.",
        fix=f"Load it ahead: `.load({state.class_.__name__}.{key})`, or `await obj.load({key!r})`.",
    )


def load_for(instances: Sequence[Any], keys: Sequence[str]) -> None:
    """Load relations (or deferred columns) of objects of one class at once.

    Runs inside of a greenlet.

    Instances are models (Any: models are made above this module).
    """
    for key in keys:
        states = [attributes.instance_state(one) for one in instances]
        missing = [state for state in states if key not in state.dict]
        if not missing:
            continue
        first = missing[0]
        attribute = first.mapper.attrs[key]
        if not isinstance(attribute, RelationshipProperty):
            for state in missing:
                getattr(state.obj(), key)
            continue
        if first.session is None:
            raise NotLoaded(
                f"{first.class_.__name__}.{key} cannot be loaded: the object belongs to no unit of work any more.",
                why="Its request, task or block has ended.",
                fix=f"Read it again: `await {first.class_.__name__}.get(...)`.",
            )
        strategy = cast("_BatchLoader", attribute._get_strategy((("lazy", "batch"),)))
        group = {id(state): state for one in missing for state in siblings_of(one, key, first.session)}
        strategy._load_batch(first.session, list(group.values()), None)


@RelationshipProperty.strategy_for(lazy="raise_by_name")
class _RaisingLoader(_LazyLoader):
    """Refuses to load a relation that the query did not bring, and says which line to add."""

    __slots__ = ()

    def __init__(self, parent: Any, strategy_key: Any) -> None:
        super().__init__(parent, strategy_key)
        self._raise_always = True

    def _invoke_raise_load(self, state: Any, passive: Any, lazy: str) -> NoReturn:
        raise NotLoaded(
            f'{state.class_.__name__}.{self.key} was not loaded, was read at {place()}, and has lazy="raise".',
            why="This relation never loads by itself.",
            fix=f"Load it with the query: `.load({state.class_.__name__}.{self.key})`, or `await "
            f"obj.load({self.key!r})`.",
        )
