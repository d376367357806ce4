"""From a signature to a plan: where the value of each parameter comes from.

In this order: an explicit marker; a name in the path; a type that is registered as a service; what a battery binds;
body types; scalars and lists of scalars, from the query; anything else is an error at start-up with the line to write.
"""

import collections.abc
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Protocol, get_args, get_origin
from uuid import UUID

from demijohn._lib.later import inspect
from demijohn._lib.sentinels import MISSING
from demijohn._lib.source import place_of
from demijohn._lib.text import listing
from demijohn.app.binders import Binder, Binders
from demijohn.app.parameters import (
    Body,
    Cookie,
    Dependency,
    File,
    Form,
    HandlerParameter,
    Header,
    Path,
    Query,
)
from demijohn.app.plans import Kind, Plan, Slot
from demijohn.app.settings import Settings
from demijohn.app.signatures import name_of, optional, parts_of, read_parameters, stripped
from demijohn.errors import ConfigurationError
from demijohn.http import URL, Connection, Cookies, FormData, Headers, QueryParams, Scratch, UploadFile
from demijohn.schema import field_of, has_fields, shape_of

__all__ = ["ServiceRegistry", "WiringErrors", "plan"]

# What a request offers by itself, and how it is reached.
OFFERED: dict[Any, str] = {
    Headers: "request.headers",
    QueryParams: "request.query",
    Cookies: "request.cookies",
    URL: "request.url",
    Scratch: "request.g",
}
# The types of values that the converters of a path make; others are taken as they come.
CONVERTED: dict[str | None, Any] = {
    None: str,
    "str": str,
    "path": str,
    "slug": str,
    "any": str,
    "regex": str,
    "int": int,
    "float": float,
    "uuid": UUID,
    "date": date,
    "datetime": datetime,
    "time": time,
    "decimal": Decimal,
}
MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


_SILENT = frozenset({"GET", "HEAD", "OPTIONS"})


class WiringErrors(ConfigurationError):
    """Several mistakes in the wiring of one function, told together; `problems` lists them."""

    def __init__(self, problems: list[ConfigurationError]) -> None:
        self.problems = problems
        super().__init__(
            "\n\n".join(map(str, problems)),
            why="",
            fix=f"({len(problems)} mistakes in one function.)",
            code=problems[0].code,
        )


class ServiceRegistry(Protocol):
    """What a plan wants to know of the services."""

    def find(self, annotation: Any, /) -> Any:
        """Return the key of the service of a type, or `MISSING` (Any: any annotation may be a key)."""

    def dependency(self, function: Callable[..., Any], /, *, cached: bool) -> Any:
        """Return the key of a function that is depended on (Any: keys are of many types)."""


def plan(
    function: Callable[..., Any],
    *,
    services: ServiceRegistry,
    binders: Binders | None = None,
    path_names: Mapping[str, Any] | None = None,
    methods: Iterable[str] = ("GET",),
    together: Iterable[str] = (),
    kind: Kind = "request",
) -> Plan:
    """Decide where the value of each parameter comes from.

    Args:
        function: A function, method, partial or callable object.
        services: Where types are looked up.
        binders: What batteries bind.
        path_names: The names in the path, each with a type or routing's `Parameter` (Any: either).
        methods: The HTTP methods that it answers.
        together: All that the same function answers on the same path, by other plans too.
        kind: `request`, `websocket`; or `unit` for a command or task, and `hook`, where what is no service is left
            to the caller.

    Raises:
        ConfigurationError: DJN-200 to DJN-208; all mistakes of the function at once (`WiringErrors` if several).
    """
    planner = _Planner(function, services, binders or Binders(), dict(path_names or {}), frozenset(methods), kind)
    planner.together = frozenset(together)
    return planner.make()


class _Planner:
    def __init__(
        self,
        function: Callable[..., Any],
        services: ServiceRegistry,
        binders: Binders,
        paths: dict[str, Any],
        methods: frozenset[str],
        kind: Kind,
    ) -> None:
        self.function = function
        self.services = services
        self.binders = binders
        self.paths = paths
        self.methods = methods
        self.kind: Kind = kind
        self.together: frozenset[str] = frozenset()

    def make(self) -> Plan:
        problems: list[ConfigurationError] = []
        slots: list[Slot] = []
        for parameter in read_parameters(self.function):
            parameter.methods = self.methods
            parameter.path = self.paths.get(self._path_name(parameter))
            try:
                slot = self._place(parameter)
            except ConfigurationError as problem:
                problems.append(problem)
            else:
                if slot is not None:
                    slots.append(slot)
        problems += self._conflicts(slots)
        if len(problems) == 1:
            raise problems[0]
        if problems:
            raise WiringErrors(problems)
        return Plan(self.function, slots, self.kind, self.methods)

    def _path_name(self, parameter: HandlerParameter) -> str:
        if isinstance(parameter.marker, Path) and parameter.marker.alias:
            return parameter.marker.alias
        return parameter.name

    def _place(self, parameter: HandlerParameter) -> Slot | None:
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            return None
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            return Slot(parameter, "others") if self.paths else None
        if parameter.annotation is MISSING:
            return self._unannotated(parameter)
        if parameter.marker is not None:
            return self._marked(parameter)
        if parameter.path is not None:
            return self._in_path(parameter)
        slot = self._by_type(parameter)
        if slot is not None:
            return slot
        binder = self.binders.find(parameter)
        if binder is not None:
            return self._custom(parameter, binder)
        self._refuse_settings(parameter)
        if self.kind in ("unit", "hook"):
            return Slot(parameter, "given", tp=parameter.annotation)
        return self._from_client(parameter)

    # -- explicit ------------------------------------------------------------------------------------------------

    def _marked(self, parameter: HandlerParameter) -> Slot:
        marker = parameter.marker
        if isinstance(marker, Dependency):
            function = marker.function or stripped(parameter.type)
            if not callable(function):
                raise self._problem(
                    parameter,
                    "DJN-206",
                    "depends on something that cannot be called",
                    why=f"`Depends` got {marker.function!r}.",
                    fix=f"Give it a function:  {parameter.name}: Annotated[..., Depends(make_{parameter.name})]",
                )
            return Slot(parameter, "service", key=self.services.dependency(function, cached=marker.cached))
        if hasattr(parameter.type, "__battery__"):
            self.services.find(parameter.type)  # its battery is set up, which may bring the binder
        binder = self.binders.find(parameter)
        if binder is not None:
            return self._custom(parameter, binder)
        if self.kind == "unit":
            raise self._problem(
                parameter,
                "DJN-208",
                f"has {marker!r}",
                why="A command, task or app-wide service runs without a request to read from.",
                fix=f"Remove the marker:  {parameter.name}: {name_of(parameter.type)}",
            )
        if isinstance(marker, Path):
            if parameter.path is None:
                known = f"The names in it: {listing(self.paths, last='and')}." if self.paths else "It has no names."
                raise self._problem(
                    parameter,
                    "DJN-205",
                    "is said to be in the path, and is not",
                    why=known,
                    fix=f'Write the name into the path:  "/.../{{{self._path_name(parameter)}}}"',
                )
            return self._in_path(parameter)
        if isinstance(marker, Body):
            return self._body(parameter, marker)
        if isinstance(marker, File) or (isinstance(marker, Form) and _is_upload(parameter.type)):
            return self._file(parameter)
        if isinstance(marker, Query | Header | Cookie | Form):
            return self._text(parameter, marker.source)
        raise self._problem(
            parameter,
            "DJN-200",
            f"has {marker!r}, which nothing binds",
            why="The battery that knows this marker, or this type with it, was not added to the app.",
            fix="Add it:  app.use(...)",
        )

    def _custom(self, parameter: HandlerParameter, binder: Binder) -> Slot:
        if self.kind in ("unit", "hook") and (binder.inputs or binder.reads_body):
            return Slot(parameter, "given", tp=parameter.annotation)
        return Slot(parameter, "custom", binder=binder)

    # -- by type -------------------------------------------------------------------------------------------------

    def _unannotated(self, parameter: HandlerParameter) -> Slot:
        name, default = parameter.name, parameter.default
        if parameter.marker is not None and isinstance(parameter.marker, Dependency):
            return self._marked(parameter)
        if parameter.path is not None:
            return Slot(parameter, "path", tp=Any)
        if name in ("request", "websocket"):
            return Slot(parameter, "unit")
        if self.kind in ("unit", "hook"):
            return Slot(parameter, "given", tp=Any)
        if isinstance(default, str | int | float) and parameter.marker is None:
            parameter.annotation = parameter.type = type(default)
            return self._place_again(parameter)
        fix = f"Annotate it:  {name}: str"
        if self.kind == "request" and not self.methods & _SILENT:
            fix = (
                f"For what stands in the body:  {name}: dict   or a class with its fields:  "
                f"class {name.title().replace('_', '')}(msgspec.Struct): ...\n"
                f"For what stands in the query:  {name}: str"
            )
        raise self._problem(
            parameter, "DJN-202", "has no type", why="A value is bound by the type of its parameter.", fix=fix
        )

    def _place_again(self, parameter: HandlerParameter) -> Slot:
        slot = self._place(parameter)
        assert slot is not None  # noqa: S101 - only variadic parameters have none
        return slot

    def _by_type(self, parameter: HandlerParameter) -> Slot | None:
        tp = stripped(parameter.type)
        for annotation in dict.fromkeys(_hashable(parameter.annotation, parameter.type, tp)):
            key = self.services.find(annotation)
            if key is not MISSING:
                return Slot(parameter, "service", key=key)
        if not isinstance(tp, type):
            return None
        if issubclass(tp, Connection):
            wanted = "websocket" if "websocket" in tp.__name__.lower() else "request"
            if self.kind != wanted and tp is not Connection and self.kind not in ("unit", "hook"):
                raise self._problem(
                    parameter,
                    "DJN-208",
                    f"asks for a {tp.__name__}",
                    why=f"This route answers a {self.kind}.",
                    fix=f"Ask for what is there:  {parameter.name}: "
                    + ("WebSocket" if self.kind == "websocket" else "Request"),
                )
            return Slot(parameter, "unit", tp=tp)
        if tp in OFFERED:
            return Slot(parameter, "offered", key=OFFERED[tp], tp=tp)
        if tp is FormData and self.kind == "request":
            return Slot(parameter, "form", wire="*", tp=FormData)
        return None

    # -- from the client -----------------------------------------------------------------------------------------

    def _in_path(self, parameter: HandlerParameter) -> Slot:
        binder = self.binders.find(parameter) if parameter.marker is None else None
        if binder is not None:
            return self._custom(parameter, binder)
        slot = Slot(parameter, "path", wire=self._path_name(parameter), tp=self._annotation(parameter))
        self._describe(slot)
        return slot

    def _from_client(self, parameter: HandlerParameter) -> Slot:
        tp = parameter.type
        if _is_upload(tp):
            return self._file(parameter)
        if _is_body(tp):
            return self._body(parameter, None)
        if _reads_text(tp):
            return self._text(parameter, "query")
        name = name_of(stripped(tp))
        raise self._problem(
            parameter,
            "DJN-200",
            "cannot be bound",
            why=f"{name} is not in the path, no service, and no type that is read from JSON or text.",
            fix=f"Provide it:  app.provide({name}, make_{name.lower()})\n"
            f"or say how it is read:  register_decoder({name}, ...)",
        )

    def _text(self, parameter: HandlerParameter, source: str) -> Slot:
        marker = parameter.marker
        wire = marker.alias if marker is not None and marker.alias else parameter.name
        if source == "header" and not (marker is not None and marker.alias):
            wire = parameter.name.rstrip("_").replace("_", "-").lower()
        slot = Slot(parameter, source, wire=wire, tp=self._annotation(parameter))
        whole = _is_body(parameter.type)
        if whole:
            slot.wire = "*"
        if source == "form":
            if self._is_absent(parameter):
                return Slot(parameter, "default")
            self._refuse_bodies(parameter)
        self._describe(slot)
        return slot

    def _is_absent(self, parameter: HandlerParameter) -> bool:
        """Return whether a form or body that may be left out belongs to another method than this one."""
        if not self.methods & _SILENT or self.together <= _SILENT or self.kind != "request":
            return False
        return parameter.has_default or optional(parameter.type)

    def _file(self, parameter: HandlerParameter) -> Slot:
        if self._is_absent(parameter):
            return Slot(parameter, "default")
        self._refuse_bodies(parameter)
        wire = parameter.marker.alias if parameter.marker is not None and parameter.marker.alias else parameter.name
        bare = stripped(parameter.type)
        if bare is not UploadFile and not (get_origin(bare) is list and get_args(bare) == (UploadFile,)):
            raise self._problem(
                parameter,
                "DJN-200",
                "is a file of a form",
                why=f"A file comes as UploadFile, not as {name_of(bare)}.",
                fix=f"Write:  {parameter.name}: UploadFile",
            )
        return Slot(parameter, "file", wire=wire, tp=parameter.type)

    def _body(self, parameter: HandlerParameter, marker: Body | None) -> Slot:
        if self._is_absent(parameter):
            return Slot(parameter, "default")
        self._refuse_bodies(parameter)
        slot = Slot(parameter, "body", tp=self._annotation(parameter))
        if marker is not None:
            slot.wire = marker.alias or parameter.name
            if marker.partial:
                raise self._problem(
                    parameter,
                    "DJN-200",
                    "is a partial body",
                    why=f"Nothing knows how to change only a part of {name_of(parameter.type)}; models do.",
                    fix="Give its fields the default `msgspec.UNSET`, and leave `partial` out.",
                )
            names = [*(marker.include or ()), *(marker.exclude or ())]
            fields = field_names(parameter.type)
            unknown = [name for name in names if name not in fields]
            if unknown:
                raise self._problem(
                    parameter,
                    "DJN-200",
                    f"lists {listing(unknown, last='and')}",
                    why=f"{name_of(parameter.type)} has {listing(fields, last='and') or 'no fields'}.",
                    fix="Mend the list of `Body(...)`.",
                )
        if parameter.type not in (bytes, UploadFile):
            self._describe(slot)
        return slot

    def _refuse_settings(self, parameter: HandlerParameter) -> None:
        tp = stripped(parameter.type)
        if isinstance(tp, type) and issubclass(tp, Settings):
            raise self._problem(
                parameter,
                "DJN-200",
                "asks for settings that the app was not given",
                why=f"An app has the settings that it was made with, and {name_of(tp)} is of another class.",
                fix=f"Make the app with them:  App(settings={name_of(tp)}.load())",
            )

    def _refuse_bodies(self, parameter: HandlerParameter) -> None:
        if self.kind == "websocket":
            raise self._problem(
                parameter,
                "DJN-201",
                "is a body, and a WebSocket has none",
                why="It carries messages instead.",
                fix=f"Read a message:  {parameter.name} = await websocket.receive_json({name_of(parameter.type)})",
            )
        if self.kind == "hook":
            raise self._problem(
                parameter,
                "DJN-201",
                "is a body, and hooks run for requests that have none",
                why="A handler reads the body; a hook has the request.",
                fix="Read it where it is there:  await request.body()",
            )
        silent = self.methods & _SILENT
        if silent and parameter.type is not FormData:
            name = name_of(parameter.type)
            raise self._problem(
                parameter,
                "DJN-201",
                f"is a body, and the route answers {listing(sorted(silent), last='and')}",
                why="A GET has no body that servers and caches would keep.",
                fix=f"Read it from the query:  {parameter.name}: Annotated[{name}, Query()]\n"
                'or answer another method:  methods=["POST"]',
            )

    def _annotation(self, parameter: HandlerParameter) -> Any:
        """Return the annotation with what the marker says of the field."""
        marker = parameter.marker
        tp = parameter.annotation
        if marker is not None and marker.field is not None:
            from typing import Annotated

            return Annotated[tp, marker.field]
        return tp

    def _describe(self, slot: Slot) -> None:
        """Note the description of a slot; a type that cannot be read is a mistake of the wiring."""
        parameter = slot.parameter
        try:
            shape_of(slot.tp)
            slot.field = field_of(slot.tp, name=slot.wire if slot.wire != "*" else "", default=parameter.default)
        except ConfigurationError as problem:
            place = f"{name_of(self.function)} ({place_of(self.function)})"
            raise ConfigurationError(
                f"The parameter `{parameter.name}` of {place}: {problem.seen}",
                why=problem.why,
                fix=problem.fix,
                code=problem.code,
            ) from None
        if slot.field.default is not MISSING and slot.default is MISSING:
            slot.default = slot.field.default

    def _conflicts(self, slots: list[Slot]) -> list[ConfigurationError]:
        bodies = [slot for slot in slots if slot.source == "body"]
        forms = [slot for slot in slots if slot.source in ("form", "file")]
        if not bodies or not forms:
            return []
        names = listing([bodies[0].name, forms[0].name], last="and")
        return [
            ConfigurationError(
                f"{name_of(self.function)} ({place_of(self.function)}) reads a body and a form: {names}.",
                why="A request has one body, which is JSON or a form.",
                fix=f"Read both from the form:  {bodies[0].name}: "
                f"Annotated[{name_of(bodies[0].parameter.type)}, Form()]",
                code="DJN-204",
            )
        ]

    def _problem(self, parameter: HandlerParameter, code: str, seen: str, *, why: str, fix: str) -> ConfigurationError:
        annotation = "" if parameter.annotation is MISSING else f": {name_of(parameter.type)}"
        return ConfigurationError(
            f"The parameter `{parameter.name}{annotation}` of {name_of(self.function)} "
            f"({place_of(self.function)}) {seen}.",
            why=why,
            fix=fix,
            code=code,
        )


def field_names(tp: Any) -> list[str]:
    """Return the names of the fields of a type, `None` and lists left aside."""
    from demijohn.schema import fields_of

    for part in parts_of(stripped(tp)):
        if has_fields(part):
            return list(fields_of(part))
    return []


def _hashable(*annotations: Any) -> Iterable[Any]:
    for annotation in annotations:
        try:
            hash(annotation)
        except TypeError:
            continue
        yield annotation


def _is_upload(tp: Any) -> bool:
    return any(part is UploadFile for part in parts_of(tp))


def _is_body(tp: Any) -> bool:
    return any(has_fields(part) or (get_origin(part) or part) in MAPPINGS for part in parts_of(tp))


def _reads_text(tp: Any) -> bool:
    if stripped(tp) in (Any, object):
        return False
    try:
        return not shape_of(tp).nested
    except ConfigurationError as problem:
        if problem.code == "DJN-012":
            return False
        raise
