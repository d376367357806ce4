"""Components: a Python function that declares the arguments, and a template for the markup."""

import inspect
import types
from collections.abc import Callable, Iterable, Mapping
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)
from weakref import WeakSet

from jinja2 import pass_context
from jinja2.runtime import Context

from demijohn._lib.source import place_of
from demijohn._lib.text import did_you_mean, listing
from demijohn.errors import ConfigurationError, OutsideContext
from demijohn.templating.attributes import Attributes
from demijohn.templating.failures import ComponentError
from demijohn.templating.undefined import Undefined

__all__ = ["Component", "ComponentMistake", "Registry", "ScopedSlot", "Slot", "component"]

P = ParamSpec("P")


class _SlotMark(NamedTuple):
    is_scoped: bool


Slot: TypeAlias = Annotated[str, _SlotMark(is_scoped=False)]
"""A parameter that takes markup: what stands between the tags (`content`), or in `{% slot name %}`."""
ScopedSlot: TypeAlias = Annotated[Callable[..., str], _SlotMark(is_scoped=True)]
"""A slot that takes values from the component: `{% slot row(item) %}` is called there as `{{ row(item) }}`."""

_KEYWORDS = frozenset(
    (
        *(
            "for",
            "if",
            "elif",
            "else",
            "block",
            "extends",
            "print",
            "macro",
            "include",
            "from",
            "import",
            "set",
            "with",
        ),
        *("autoescape", "call", "filter", "do", "break", "continue", "slot", "raw", "trans", "pluralize", "debug"),
    )
)


class ComponentMistake(ConfigurationError):
    """A component is declared in a way that cannot work."""

    code = "DJN-706"


class Parameter(NamedTuple):
    """One parameter of a component: what it takes, and how that is told to people."""

    name: str
    is_required: bool
    default: Any
    wanted: str
    choices: tuple[str, ...]
    accepts: Callable[[Any], bool] | None
    is_slot: bool
    is_scoped: bool
    is_positional: bool


class Rendering(Protocol):
    """What renders a component that Python code calls."""

    def render_component(self, component: "Component[...]", values: Mapping[str, Any]) -> str:
        """Return the markup."""
        ...


_rendering: Callable[[], Rendering] | None = None


def render_with(find: Callable[[], Rendering]) -> None:
    """Say how the templates of the running app are found; the battery does."""
    global _rendering
    _rendering = find


def _find_rendering() -> Rendering:
    if _rendering is None:
        raise OutsideContext(
            "A component was called in Python, and no app uses templates.",
            why="A component is rendered by the templates of the running app.",
            fix="app.use(Templates())",
        )
    return _rendering()


class Component(Generic[P]):
    """A component: call it in Python or in a template, or use its name as a tag.

    Made by `component`. What it returns is markup, so a handler may return it as the answer to an htmx request.
    """

    def __init__(
        self, function: Callable[P, Mapping[str, Any] | None], *, template: str, source: str | None = None
    ) -> None:
        self.function = function
        self.name = function.__name__
        self.template = template
        self.source = source
        self.place = place_of(function)
        self.parameters: dict[str, Parameter] = {}
        self.attributes: str | None = None
        self.__doc__ = function.__doc__
        self.__name__ = self.name
        self.__module__ = function.__module__
        self.__wrapped__ = function
        self._read_signature()
        self.required = frozenset(parameter.name for parameter in self.parameters.values() if parameter.is_required)
        self._defaults = {
            parameter.name: parameter.default for parameter in self.parameters.values() if not parameter.is_required
        }

    def __repr__(self) -> str:
        return f"<component {self.name} at {self.place}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Render the component in the running app and return its markup.

        Raises:
            ComponentError: The arguments are not those that it takes.
            OutsideContext: No app is running.
        """
        values = self.values(self.named(args, kwargs))
        return _find_rendering().render_component(self, values)

    def named(self, positional: Iterable[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call by name (Any: checked by `values`).

        Raises:
            ComponentError: There are more positional arguments than parameters, or one is given twice.
        """
        given: dict[str, Any] = {}
        names = [parameter.name for parameter in self.parameters.values() if parameter.is_positional]
        values = list(positional)
        if len(values) > len(names):
            raise self.misuse(
                f"takes {len(names)} positional arguments and was given {len(values)}",
                fix=f"Name them:  {self.usage()}",
            )
        given.update(zip(names, values, strict=False))
        for name, value in keywords.items():
            if name in given:
                raise self.misuse(f"was given {name!r} twice", fix=f"Give it once:  {self.usage()}")
            given[name] = value
        return given

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check the arguments and return what the template sees (Any: as declared).

        Raises:
            ComponentError: An argument is unknown, missing or of another type.
        """
        parameters = self.parameters
        values = self._defaults.copy()
        extra: dict[str, Any] | None = None
        for name, value in given.items():
            parameter = parameters.get(name)
            if parameter is None:
                if self.attributes is None:
                    raise self.unknown(name)
                if extra is None:
                    extra = {}
                extra[name] = value
                continue
            accepts = parameter.accepts
            if accepts is not None and not accepts(value):
                raise self.wrong(parameter, value)
            values[name] = value
        if len(values) < len(parameters):
            raise self.lacking(self.required - given.keys())
        if self.attributes is not None:
            values[self.attributes] = Attributes(extra)
            made = self.function(**{**{name: values[name] for name in parameters}, **(extra or {})})  # type: ignore[call-arg]
        else:
            made = self.function(**values)  # type: ignore[call-arg]
        if made is None:
            return values
        if not isinstance(made, Mapping):
            raise ComponentError(
                f"The component {self.name!r} ({self.place}) returned {type(made).__name__}.",
                why="A component's function returns more names for its template, or nothing.",
                fix='return {"css": "wide"}',
            )
        return {**values, **made}

    def usage(self) -> str:
        """Return how the component is called, for messages."""
        arguments = [parameter for parameter in self.parameters.values() if not parameter.is_slot]
        slots = [parameter for parameter in self.parameters.values() if parameter.is_slot and parameter.is_required]
        if slots:
            filled = "".join(
                "..."
                if slot.name == "content"
                else f"{{% slot {slot.name}{'(item)' * slot.is_scoped} %}}...{{% endslot %}}"
                for slot in slots
            )
            given = "".join(f" {parameter.name}=..." for parameter in arguments if parameter.is_required)
            return f"{{% {self.name}{given} %}}{filled}{{% end{self.name} %}}"
        shown = [
            f"{parameter.name}=..." if parameter.is_required else f"[{parameter.name}=...]" for parameter in arguments
        ]
        return f"{{{{ {self.name}({', '.join(shown)}) }}}}"

    def misuse(self, what: str, *, fix: str = "", why: str = "") -> ComponentError:
        """Return the error for a wrong use."""
        return ComponentError(
            f"The component {self.name!r} {what}.", why=why or f"It is declared at {self.place}.", fix=fix
        )

    def unknown(self, name: str) -> ComponentError:
        """Return the error for an argument that it does not have."""
        slots = [parameter.name for parameter in self.parameters.values() if parameter.is_slot]
        arguments = [parameter.name for parameter in self.parameters.values() if not parameter.is_slot]
        takes = f"It takes {listing(arguments, last='and')}" if arguments else "It takes no arguments"
        takes += f", and the slots {listing(slots, last='and')}" if slots else ""
        return self.misuse(
            f"has no argument {name!r}",
            fix=did_you_mean(name, self.parameters).strip()
            or f"To take any HTML attribute, declare  **attributes: str  in {self.place}.",
            why=f"{takes} ({self.place}).",
        )

    def lacking(self, names: Iterable[str]) -> ComponentError:
        """Return the error for arguments that have to be given."""
        return self.misuse(f"needs {listing(sorted(names), last='and')}", fix=f"Write  {self.usage()}")

    def wrong(self, parameter: Parameter, value: Any) -> ComponentError:
        """Return the error for a wrong value, or raise that of an undefined one."""
        if isinstance(value, Undefined):
            str(value)
        shown = repr(value) if isinstance(value, str | int | float | bool | None) else f"a {type(value).__name__}"
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        near = did_you_mean(value, parameter.choices) if isinstance(value, str) else ""
        return self.misuse(f"takes {parameter.wanted} as {parameter.name!r} and was given {shown}", fix=near.strip())

    def _read_signature(self) -> None:
        function = self.function
        if not self.name.isidentifier() or self.name in _KEYWORDS or self.name.startswith("end"):
            raise ComponentMistake(
                f"A component is called {self.name!r} ({self.place}).",
                why="That name is a tag of the template language, or none at all.",
                fix="Give the function another name.",
            )
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise ComponentMistake(
                f"The component {self.name!r} ({self.place}) is an async function or a generator.",
                why="Components are rendered inside a template, where nothing can be awaited.",
                fix=f"Write  def {self.name}(...)  and pass it what it needs.",
            )
        hints = get_type_hints(function, include_extras=True)
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                self.attributes = parameter.name
                continue
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
                raise ComponentMistake(
                    f"The component {self.name!r} ({self.place}) has the parameter {parameter}.",
                    why="Arguments of a component are given by name.",
                    fix=f"Write  {parameter.name}: ...  without a star or slash.",
                )
            annotation = hints.get(parameter.name, Any)
            mark = _find_mark(annotation)
            required = parameter.default is parameter.empty
            self.parameters[parameter.name] = Parameter(
                name=parameter.name,
                is_required=required,
                default=None if required else parameter.default,
                wanted=_described(annotation),
                choices=tuple(item for item in get_args(annotation) if isinstance(item, str)),
                accepts=None if mark is not None else _checker(annotation),
                is_slot=mark is not None,
                is_scoped=mark is not None and mark.is_scoped,
                is_positional=parameter.kind is parameter.POSITIONAL_OR_KEYWORD and mark is None,
            )


class Registry:
    """The components that one environment knows: those it was given, then those that the program declares.

    A name that is declared in two places is nobody's until it is given.
    """

    def __init__(self) -> None:
        self._given: dict[str, Component[...]] = {}
        self._learn: Callable[[Component[...]], None] | None = None
        _registries.add(self)

    def on_new(self, learn: Callable[[Component[...]], None]) -> None:
        """Call a function for every component, those that are declared later included."""
        self._learn = learn
        for name in self.names():
            known = self.find(name)
            if known is not None:
                learn(known)

    def add(self, component: Component[...]) -> None:
        """Give a component to this registry.

        Raises:
            ComponentMistake: Another one of that name was given before.
        """
        known = self._given.get(component.name)
        if known is not None and known is not component and not _is_same(known, component):
            raise ComponentMistake(
                f"Two components are called {component.name!r}: {known.place} and {component.place}.",
                why="In a template the name is all there is.",
                fix="Give one of the functions another name.",
            )
        self._given[component.name] = component
        if self._learn is not None:
            self._learn(component)

    def names(self) -> set[str]:
        """Return the names of all components."""
        return {*self._given, *_declared}

    def find(self, name: str) -> Component[...] | None:
        """Return the component of that name, or None."""
        given = self._given.get(name)
        if given is not None:
            return given
        declared = _declared.get(name)
        return declared[0] if declared and len(declared) == 1 else None

    def get(self, name: str) -> Component[...]:
        """Return the component of that name.

        Raises:
            ComponentError: There is none, or there are two.
        """
        found = self.find(name)
        if found is not None:
            return found
        declared = _declared.get(name, [])
        if len(declared) > 1:
            places = " and ".join(known.place for known in declared)
            raise ComponentError(
                f"The component {name!r} is declared twice: {places}.",
                why="In a template the name is all there is.",
                fix=f"Say which:  Templates(components=[{name}])",
            )
        raise ComponentError(f"There is no component {name!r}.{did_you_mean(name, self.names())}")

    def fingerprint(self) -> str:
        """Return a text that changes with the signature of any component."""
        parts = []
        for name in sorted(self.names()):
            known = self.find(name)
            if known is not None:
                signature = ", ".join(
                    f"{parameter.name}:{parameter.wanted}:{parameter.is_required}:{parameter.is_scoped}"
                    for parameter in known.parameters.values()
                )
                parts.append(f"{name}({signature})*{known.attributes}")
        return ";".join(parts)


_declared: dict[str, list[Component[...]]] = {}
_registries: "WeakSet[Registry]" = WeakSet()


def component(
    template: str | None = None, /, *, source: str | None = None
) -> Callable[[Callable[P, Mapping[str, Any] | None]], Component[P]]:
    """Declare a component: the parameters are its arguments, the template its markup.

    The function returns more names for the template, or nothing. Parameters annotated `Slot` take markup; `content` is
    what stands between the tags. `**attributes` takes any HTML attribute.

    Args:
        template: The name of its template.
        source: Its markup, instead of a template.

    Raises:
        ComponentMistake: Neither or both were given, or the signature cannot be that of a component.

    Example:
        >>> from typing import Literal
        >>> @component(source="<p class='{{ tone }}'>{{ content }}</p>")
        ... def alert(content: Slot, tone: Literal["info", "danger"] = "info"): ...

        In a template: `{% alert tone="danger" %}No <b>disk</b>.{% endalert %}`
    """

    def declare(function: Callable[P, Mapping[str, Any] | None]) -> Component[P]:
        made = make_component(function, template, source)
        same_name = [known for known in _declared.get(made.name, []) if not _is_same(known, made)]
        _declared[made.name] = [*same_name, made]
        for registry in list(_registries):
            if registry._learn is not None and registry.find(made.name) is made:
                registry._learn(made)
        return made

    return declare


def make_component(
    function: Callable[P, Mapping[str, Any] | None], template: str | None, source: str | None
) -> Component[P]:
    """Return the component of a function, known to nobody yet."""
    if (template is None) == (source is None):
        has = "no template" if template is None else "a template and a source"
        raise ComponentMistake(
            f"The component {function.__name__!r} has {has}.",
            why="Its markup is in one place.",
            fix=f'@component("components/{function.__name__}.html")',
        )
    name = template or f"<component {function.__module__}.{function.__qualname__}>"
    return Component(function, template=name, source=source)


def caller_of(made: Component[...], render: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that a template calls for a component (Any: markup, or an awaitable of it in a stream)."""

    @pass_context
    def call(context: Context, /, *args: Any, **kwargs: Any) -> Any:
        return render(context, made, given=made.named(args, kwargs))

    call.__name__ = made.name
    call.__doc__ = made.__doc__
    call.is_component = True  # type: ignore[attr-defined]
    return call


def _is_same(one: Component[...], other: Component[...]) -> bool:
    """Whether two are the same function of a module that was loaded again."""
    return (
        one.__module__ == other.__module__
        and one.function.__qualname__ == other.function.__qualname__
        and "<locals>" not in one.function.__qualname__
    )


def _find_mark(annotation: Any) -> _SlotMark | None:
    if get_origin(annotation) is Annotated:
        return next((item for item in annotation.__metadata__ if isinstance(item, _SlotMark)), None)
    if get_origin(annotation) in (Union, types.UnionType):
        return next((mark for inner in get_args(annotation) if (mark := _find_mark(inner)) is not None), None)
    return None


def _described(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return f"one of {listing(map(str, get_args(annotation)))}"
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _checker(annotation: Any) -> Callable[[Any], bool] | None:
    """Return what says whether a value is of a type, or None where any is; containers are not looked into."""
    origin = get_origin(annotation)
    if annotation is Any or annotation is object or isinstance(annotation, TypeVar):
        return None
    if annotation is None or annotation is type(None):
        return lambda value: value is None
    if origin is Annotated:
        return _checker(get_args(annotation)[0])
    if origin is Literal:
        allowed = get_args(annotation)
        return lambda value: any(value is item or (type(value) is type(item) and value == item) for item in allowed)
    if origin in (Union, types.UnionType):
        checks = [_checker(inner) for inner in get_args(annotation)]
        if any(check is None for check in checks):
            return None
        return lambda value: any(check is not None and check(value) for check in checks)
    if annotation is str:
        # Lazy translations and markup of other libraries print as text as well.
        return lambda value: isinstance(value, str) or (hasattr(value, "__html__") and not isinstance(value, Undefined))
    if annotation is int:
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    if annotation is float:
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool)
    supertype = getattr(annotation, "__supertype__", None)
    if supertype is not None:
        return _checker(supertype)
    cls = origin or annotation
    if not isinstance(cls, type) or (
        getattr(cls, "_is_protocol", False) and not getattr(cls, "_is_runtime_protocol", False)
    ):
        return None
    return lambda value: isinstance(value, cls)
