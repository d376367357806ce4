"""From a plan to straight code: one function that binds and calls, written and compiled once at start-up."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol, get_origin

from demijohn._lib.sentinels import MISSING
from demijohn.app.binding import CONVERTED
from demijohn.app.formats import Formats
from demijohn.app.parameters import Body, File
from demijohn.app.plans import Plan, Slot
from demijohn.app.reading import (
    BodyReader,
    TextReader,
    WholeReader,
    allowed_fields,
    default_of,
    join,
    missing,
    read_file,
    read_files,
    together,
)
from demijohn.app.signatures import name_of, stripped
from demijohn.errors import ValidationFailed
from demijohn.http.request import refuse_packed
from demijohn.schema import shape_of
from demijohn.schema.shapes import ScalarShape, Shape

__all__ = ["Compiled", "Container", "compile_call"]


class Container(Protocol):
    """What compiled code wants of the services."""

    formats: Formats

    def scope_of(self, unit: Any, /) -> Any:
        """Return the scope of a request or unit, opened at first use (Any: either; a `ServiceScope`)."""

    def is_sync(self, key: Any, /) -> bool:
        """Return whether a service is made without awaiting (Any: a type or function)."""
        ...

    def may_fail(self, key: Any, /) -> bool:
        """Return whether making a service reads input of the client (Any: a type or function)."""
        ...


class Compiled(NamedTuple):
    """How a function is called.

    `whole(request)` binds and calls: the result, or an awaitable of it where `is_async`. Where a sync function needs
    something awaited first, `gather(request)` is awaited on the loop, and `finish(*what it returned)` binds the rest
    and calls, in a thread.
    """

    is_async: bool
    whole: Callable[..., Any] | None
    gather: Callable[..., Awaitable[tuple[Any, ...]]] | None
    finish: Callable[..., Any] | None
    source: str


def compile_call(plan: Plan, container: Container, *, factory: bool = False) -> Compiled:
    """Write and compile how the function of a plan is called.

    With `factory`, the code takes the scope of services as a second argument, and awaits what it needs whatever the
    function is: a factory of a service is always called where it can.
    """
    return _Compiler(plan, container, factory=factory).make()


# Rules that cannot raise on a value of the right type may be tested in line.
_SAFE = {"min_length", "max_length", "gt", "ge", "lt", "le", "pattern"}


class _Compiler:
    def __init__(self, plan: Plan, container: Container, *, factory: bool) -> None:
        self.plan = plan
        self.container = container
        self.factory = factory
        self.names: dict[str, Any] = {
            "MISSING": MISSING,
            "NOTHING": {},
            "ValidationFailed": ValidationFailed,
            "function": plan.function,
            "join": join,
            "missing": missing,
            "refuse_packed": refuse_packed,
            "scope_of": container.scope_of,
        }
        self.first: list[str] = []
        self.second: list[str] = []
        self.kept: list[str] = []  # what the second stage needs of the first
        self.short: list[str] = []  # in place of `first`, where the body is all that is awaited and has come already
        self.awaits = False
        self.fails = False
        self.count = 0

    def make(self) -> Compiled:
        plan = self.plan
        variables = {slot.name: f"v_{index}" for index, slot in enumerate(plan.slots)}
        services = plan.of("service")
        staged = not plan.is_async and not self.factory
        if services:
            self._scope(services, staged=staged)
        for slot in services:
            self._service(slot, variables[slot.name], staged=staged)
        self._forms(plan)
        self._bodies(plan, variables)
        for slot in plan.slots:
            if slot.source == "custom":
                self._custom(slot, variables[slot.name], staged=staged)
            elif slot.source not in ("service", "body"):
                self._plain(slot, variables[slot.name])
        return self._assemble(variables)

    # -- pieces --------------------------------------------------------------------------------------------------

    def name(self, stem: str, value: Any) -> str:
        self.count += 1
        name = f"{stem}_{self.count}"
        self.names[name] = value
        return name

    def _scope(self, services: list[Slot], *, staged: bool) -> None:
        if self.factory:
            return
        lines = ["scope = request.services", "if scope is None: scope = scope_of(request)"]
        is_sync = [self.container.is_sync(slot.key) for slot in services]
        if not staged or not all(is_sync):
            self.first += lines
            if staged and any(is_sync):
                self.kept.append("scope")
        else:
            self.second += lines

    def _service(self, slot: Slot, variable: str, *, staged: bool) -> None:
        key = self.name("key", slot.key)
        sync = self.container.is_sync(slot.key)
        if sync and (staged or self.factory):
            lines = [f"{variable} = scope.get_now({key})"]
            target = self.second
        else:
            # A service that another one has asked for, or that was made before, is there already.
            lines = [
                f"{variable} = scope.made.get({key}, MISSING)",
                f"if {variable} is MISSING: {variable} = await scope.get({key})",
            ]
            target = self.first
            self.awaits = True
            if staged:
                self.kept.append(variable)
        if self.container.may_fail(slot.key):
            self._guard(target, lines, variable)
        else:
            target += lines

    def _guard(self, target: list[str], lines: list[str], variable: str) -> None:
        """Write lines whose validation errors join those of the other parameters."""
        self.fails = True
        target += [
            "try:",
            *[f"    {line}" for line in lines],
            "except ValidationFailed as failed:",
            f"    {variable} = None",
            "    errors = join(errors, failed)",
        ]

    def _forms(self, plan: Plan) -> None:
        if plan.of("form", "file"):
            self.first.append("form = await request.form()")
            self.awaits = True
            self.kept.append("form")

    def _bodies(self, plan: Plan, variables: dict[str, str]) -> None:
        slots = plan.of("body")
        if not slots:
            return
        self.awaits = True
        if len(slots) > 1 or (isinstance(slots[0].parameter.marker, Body) and slots[0].parameter.marker.embed):
            parts = [(slot.name, slot.wire, slot.tp, default_of(slot.default, slot.parameter.type)) for slot in slots]
            reader = BodyReader(together(parts), formats=self.container.formats)
            self._body(reader, "whole", form=any(_takes_form(slot) for slot in slots))
            self.second.append("if whole is not None:")
            for slot in slots:
                self.second.append(f"    {variables[slot.name]} = whole.{slot.name}")
            if all(part[3] is not MISSING for part in parts):
                reader.default = reader.tp()
            return
        slot = slots[0]
        variable = variables[slot.name]
        if stripped(slot.parameter.type) is bytes:
            self.first.append(f"{variable} = await request.body()")
            self.kept.append(variable)
            return
        marker = slot.parameter.marker
        allowed = None
        if isinstance(marker, Body):
            allowed = allowed_fields(slot.parameter.type, marker.include, marker.exclude)
        default = default_of(slot.default, slot.parameter.type)
        reader = BodyReader(slot.tp, default=default, allowed=allowed, formats=self.container.formats)
        reader.is_text = stripped(slot.parameter.type) is str
        self._body(reader, variable, form=_takes_form(slot))

    def _body(self, reader: BodyReader, variable: str, *, form: bool) -> None:
        self.fails = True
        read = self.name("reader", reader)
        if form:
            reader.takes_form = True
            self.first.append(f"{variable}, errors = await {read}.read_any(request, errors)")
            self.kept += [variable, "errors"]
            return
        known = self.name("known", reader.known)
        json = self.name("decode", reader.known[None])
        self.names["JSON_LINE"] = (b"content-type", b"application/json")
        if not self.first:
            self.short = [
                # The fields that the guards have looked into, if they were there.
                "headers = request._headers",
                "if headers is None: headers = request.headers",
                "fields = headers._index",
                "if fields is None: fields = headers._by_name()",
                f'decode = {known}.get(fields.get(b"content-type"))',
                "body = request._body",
                (
                    f"if decode is not {json} or body is None or len(body) > request.limits.body"
                    ' or b"content-encoding" in fields:'
                ),
            ]
        self.first += [
            "refuse_packed(request)",
            # Most bodies are plain JSON, and this is the quickest way to see it.
            f"if JSON_LINE in request.raw_headers: decode = {json}",
            "else:",
            '    kind = request.headers.line(b"content-type")',
            f"    decode = {known}.get(kind)",
            f"    if decode is None: decode = {read}.choose(kind)",
            f"    if decode is not {json}: decode = await {read}.ahead(request, decode)",
            "body = request._body",
            "if body is None or len(body) > request.limits.body: body = await request.body()",
        ]
        self.kept += ["decode", "body"]
        self.second += [
            "if body:",
            "    try:",
            f"        {variable} = decode(body)",
            *([f"        {read}.bound({variable}, body, decode, request.limits.json_depth)"] if reader.is_open else []),
            "    except ValidationFailed as failed:",
            f"        {variable} = None",
            "        errors = join(errors, failed)",
            f"else: {variable}, errors = {read}(body, decode, errors)",
        ]

    def _custom(self, slot: Slot, variable: str, *, staged: bool) -> None:
        binder = slot.binder
        assert binder is not None  # noqa: S101 - custom slots have one
        get = self.name("get", binder.get)
        if binder.is_async:
            self.awaits = True
            self.short = []
            self._guard(self.first, [f"{variable} = await {get}(request)"], variable)
            self.kept += [variable] + (["errors"] if staged else [])
        else:
            self._guard(self.second, [f"{variable} = {get}(request)"], variable)

    def _plain(self, slot: Slot, variable: str) -> None:
        out = self.second
        match slot.source:
            case "unit":
                out.append(f"{variable} = request")
            case "offered":
                out.append(f"{variable} = {slot.key}")
            case "default":
                out.append(f"{variable} = {self._default(default_of(slot.default, slot.parameter.type))}")
            case "given":
                out.append(f"{variable} = given[{slot.name!r}]")
            case "others":
                taken = [other.wire for other in self.plan.of("path")] + [other.name for other in self.plan.slots]
                names = self.name("taken", frozenset(taken))
                out.append(f"{variable} = {{k: v for k, v in request.path_params.items() if k not in {names}}}")
            case "path":
                self._path(slot, variable)
            case "file":
                self._file(slot, variable)
            case _ if slot.wire == "*":
                self._whole(slot, variable)
            case _:
                self._text(slot, variable)

    def _path(self, slot: Slot, variable: str) -> None:
        out = self.second
        if "params = request.path_params" not in out:
            out.append("params = request.path_params")
        out.append(f"{variable} = params[{slot.wire!r}]")
        given = _path_type(slot.parameter.path)
        if slot.tp is Any or given is Any:
            return
        shape = shape_of(slot.tp)
        same = isinstance(shape, ScalarShape) and shape.scalar.tp is given
        if same and not shape.rules:
            return
        self.fails = True
        read = self.name("read", TextReader(slot.tp, ("path", slot.wire), MISSING))
        slow = f"{variable}, errors = {read}({variable}, errors)"
        safe = all(rule.code in _SAFE for rule in shape.rules)
        if same and safe:
            self._rules(shape, variable, slow, "")
        elif given is str and safe and isinstance(shape, ScalarShape) and shape.scalar.tp is int:
            out.append(f"if {variable}.isdecimal() and {variable}.isascii() and len({variable}) < 19:")
            out.append(f"    {variable} = int({variable})")
            self._rules(shape, variable, slow, "    ")
            out.append(f"else: {slow}")
        else:
            out.append(slow)

    def _rules(self, shape: Shape, variable: str, slow: str, pad: str) -> None:
        tests = []
        for rule in shape.rules:
            constant = self.name("k", rule.constant)
            tests.append(f"({rule.test_of(variable, constant)})")
        if tests:
            self.second.append(f"{pad}if not ({' and '.join(tests)}): {slow}")

    def _file(self, slot: Slot, variable: str) -> None:
        self.fails = True
        many = get_origin(stripped(slot.parameter.type)) is list
        read = self.name("read", read_files if many else read_file)
        marker = slot.parameter.marker
        size = marker.max_size if isinstance(marker, File) else None
        default = self.name("default", default_of(slot.default, slot.parameter.type))
        self.second.append(f"{variable}, errors = {read}(form, {slot.wire!r}, {default}, {size}, errors)")

    def _whole(self, slot: Slot, variable: str) -> None:
        out = self.second
        source = {"query": "request.query", "header": "request.headers", "cookie": "request.cookies", "form": "form"}[
            slot.source
        ]
        if slot.source == "form" and slot.field is None:
            out.append(f"{variable} = form")
            return
        self.fails = True
        read = self.name("read", WholeReader(slot.parameter.type, slot.source))
        slow = f"{variable}, errors = {read}({source}, errors)"
        default = default_of(slot.default, slot.parameter.type)
        if default is MISSING:
            out.append(slow)
        else:
            out += [f"if {source}: {slow}", f"else: {variable} = {self._default(default)}"]

    def _default(self, default: Any) -> str:
        if default is None or default is True or default is False or type(default) in (int, str):
            return repr(default)
        name = self.name("default", default)
        # A mutable default would be shared by all requests.
        return f"{name}.copy()" if isinstance(default, list | dict | set | bytearray) else name

    def _text(self, slot: Slot, variable: str) -> None:
        out = self.second
        shape = shape_of(slot.tp)
        default = default_of(slot.default, slot.parameter.type)
        if default is MISSING and slot.source == "form" and shape.family == "flag":
            default = False  # a check box that was not ticked is not sent
        raw = self._raw(slot, many=shape.many)
        if self.factory and slot.source == "query" and slot.parameter.marker is None:
            self._text_of_path_or_query(slot, shape, variable, default)
            return
        read = self.name("read", TextReader(slot.tp, (slot.source, slot.wire), default))
        slow = f"{variable}, errors = {read}(raw, errors)"
        absent = "not raw" if shape.many else "raw is None"
        out.append(f"raw = {raw}")
        if default is MISSING:
            self.fails = True
            out.append(f"if {absent}: {variable} = None; errors = missing(errors, {slot.source!r}, {slot.wire!r})")
        else:
            out.append(f"if {absent}: {variable} = {self._default(default)}")
        self._quick(shape, slot, variable, slow)

    def _text_of_path_or_query(self, slot: Slot, shape: Shape, variable: str, default: Any) -> None:
        """Write for a factory, which serves many routes: its name may be in the path of the one that runs."""
        self.fails = True
        in_path = self.name("read", TextReader(slot.tp, ("path", slot.wire), MISSING))
        in_query = self.name("read", TextReader(slot.tp, ("query", slot.wire), default))
        slow = f"{variable}, errors = {in_query}(raw, errors)"
        absent = (
            f"{variable} = None; errors = missing(errors, 'query', {slot.wire!r})"
            if default is MISSING
            else f"{variable} = {self._default(default)}"
        )
        get = f"getlist({slot.wire!r}) or None" if shape.many else f"last.get({slot.wire!r})"
        self.second += [
            f"raw = request.path_params.get({slot.wire!r}, MISSING)",
            f"if raw is not MISSING: {variable}, errors = {in_path}(raw, errors)",
            "else:",
            f"    raw = request.query.{get}",
            f"    if raw is None: {absent}",
        ]
        self._quick(shape, slot, variable, slow, "    ")

    def _quick(self, shape: Shape, slot: Slot, variable: str, slow: str, pad: str = "") -> None:
        """Write how the plainest text of a type is read in line, and what is called for any other."""
        out = self.second
        inner = _only(shape)
        kind = inner.scalar.tp if isinstance(inner, ScalarShape) else None
        safe = all(rule.code in _SAFE for rule in (*shape.rules, *inner.rules)) and inner.family != "choice"
        test = {
            str: "raw.__class__ is str" if slot.source == "form" else "True",
            int: "raw.isdecimal() and raw.isascii() and len(raw) < 19",
        }.get(kind)  # type: ignore[arg-type]
        if slot.source == "form" and kind is int:
            test = f"raw.__class__ is str and {test}"
        if test is None or not safe:
            self.fails = True
            out.append(f"{pad}else: {slow}")
            return
        out.append(f"{pad}{'else' if test == 'True' else f'elif {test}'}:")
        out.append(f"{pad}    {variable} = {'raw' if kind is str else 'int(raw)'}")
        if inner.rules or shape.rules:
            self.fails = True
            self._rules(inner if inner.rules else shape, variable, slow, f"{pad}    ")
        if test != "True":
            self.fails = True
            out.append(f"{pad}else: {slow}")

    def _raw(self, slot: Slot, *, many: bool) -> str:
        out = self.second
        match slot.source:
            case "query":
                if not any(line.startswith("query = ") for line in out):
                    out.append("query = request.query.last if request.query_string else NOTHING")
                if many:
                    return f"request.query.getlist({slot.wire!r}) if {slot.wire!r} in query else None"
                return f"query.get({slot.wire!r})"
            case "header":
                return f"request.headers.{'getlist' if many else 'get'}({slot.wire!r})"
            case "cookie":
                return f"request.cookies.get({slot.wire!r})"
            case _:
                return f"form.{'getlist' if many else 'last.get'}({slot.wire!r})"

    # -- putting together ----------------------------------------------------------------------------------------

    def _arguments(self, variables: dict[str, str]) -> str:
        written, by_name = [], False
        for slot in self.plan.slots:
            parameter = slot.parameter
            variable = variables[slot.name]
            if parameter.kind is parameter.kind.VAR_KEYWORD:
                written.append(f"**{variable}")
            elif parameter.kind is parameter.kind.KEYWORD_ONLY or by_name:
                written.append(f"{parameter.name}={variable}")
                by_name = True
            else:
                written.append(variable)
        return ", ".join(written)

    def _assemble(self, variables: dict[str, str]) -> Compiled:
        plan = self.plan
        parameters = "request, scope" if self.factory else "request"
        if plan.kind in ("unit", "hook") and not self.factory:
            parameters = "request, given"
        start = ["errors = None"] if self.fails else []
        end = ["if errors is not None: raise ValidationFailed(errors)"] if self.fails else []
        call = f"function({self._arguments(variables)})"
        if not self.awaits:
            lines = [f"def call({parameters}):", *_indent([*start, *self.second, *end, f"return {call}"])]
            return Compiled(plan.is_async, self._run(lines, "call"), None, None, "\n".join(lines))
        if plan.is_async or self.factory:
            called = f"await {call}" if plan.is_async else call
            body = [*start, *self.first, *self.second, *end, f"return {called}"]
            if self.short and not self.factory:
                # A small body is there before the handler begins, and then no coroutine stands around that of the
                # handler.
                short = [*self.short, f"    return slowly({parameters})", *start, *self.second, *end, f"return {call}"]
                lines = [f"async def slowly({parameters}):", *_indent(body), ""]
                lines += [f"def call({parameters}):", *_indent(short)]
            else:
                lines = [f"async def call({parameters}):", *_indent(body)]
            return Compiled(True, self._run(lines, "call"), None, None, "\n".join(lines))
        kept = ["request", *dict.fromkeys(self.kept)]
        if self.fails and "errors" not in kept:
            kept.append("errors")
        if plan.given:
            kept.append("given")
        gather = [f"async def gather({parameters}):", *_indent([*start, *self.first, f"return ({', '.join(kept)},)"])]
        finish = [f"def finish({', '.join(kept)}):", *_indent([*self.second, *end, f"return {call}"])]
        lines = [*gather, "", *finish]
        self._run(lines, "gather")
        return Compiled(False, None, self.names["gather"], self.names["finish"], "\n".join(lines))

    def _run(self, lines: list[str], name: str) -> Callable[..., Any]:
        label = f"<demijohn binding of {name_of(self.plan.function)}>"
        exec(compile("\n".join(lines) + "\n", label, "exec"), self.names)  # noqa: S102 - written above
        found: Callable[..., Any] = self.names[name]
        return found


def _indent(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _takes_form(slot: Slot) -> bool:
    marker = slot.parameter.marker
    return isinstance(marker, Body) and marker.form


def _path_type(path: Any) -> Any:
    """Return the type of what a path's converter makes, or `Any` (Any: a type, or routing's `Parameter`)."""
    if isinstance(path, type):
        return path
    return CONVERTED.get(getattr(path, "converter", path), Any)


def _only(shape: Shape) -> Shape:
    """Return the one shape inside of `X | None`."""
    members = list(shape.parts())
    if shape.nullable and len(members) == 1 and not shape.many:
        return members[0]
    return shape
