"""What a handler may ask for, and the markers that say where a value comes from."""

import builtins
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypedDict, TypeVar, Unpack

from demijohn._lib.later import inspect
from demijohn._lib.sentinels import MISSING
from demijohn.errors import ConfigurationError
from demijohn.schema import Field

__all__ = [
    "Body",
    "Constraints",
    "Cookie",
    "Depends",
    "Fields",
    "File",
    "Form",
    "HandlerParameter",
    "Header",
    "Input",
    "Marker",
    "Path",
    "Query",
]

M = TypeVar("M", bound="Marker")


class Constraints(TypedDict, total=False):
    """What a marker may say of its field; the words are those of `Field`."""

    label: str
    help: str
    min_length: int
    max_length: int
    pattern: str
    # Any: numbers, decimals, dates and times are all bounds
    gt: Any
    ge: Any
    lt: Any
    le: Any
    multiple_of: Any
    decimal_places: int
    choices: Any
    format: str
    timezone: bool
    check: Callable[[Any], bool]
    examples: tuple[Any, ...]
    deprecated: bool


class Marker:
    """Says in an `Annotated` where the value of a parameter comes from.

    Batteries make their own by subclassing it and registering a binder for the class.
    """

    source: ClassVar[str] = ""
    """The first part of the place of an error: `query`, `body`, ..."""

    def __init__(self, alias: str | None = None, **constraints: Unpack[Constraints]) -> None:
        self.alias = alias
        self.field: Field | None = Field(**constraints) if constraints else None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.alias is None else repr(self.alias)})"


class Path(Marker):
    """From the path: `Annotated[int, Path(ge=1)]`.

    The name, or the alias, has to stand in the pattern of the route.
    """

    source = "path"


class Query(Marker):
    """From the query string: `Annotated[int, Query("p", ge=1)]`.

    A class with fields (a Struct, dataclass, ...) takes all its fields from the query.
    """

    source = "query"


class Header(Marker):
    """From a header: the parameter `x_request_id` reads `X-Request-ID`.

    Underscores of the name become hyphens; an alias is taken as it is. A class with fields takes them all from headers.
    """

    source = "header"


class Cookie(Marker):
    """From a cookie of the parameter's name, or of the alias."""

    source = "cookie"


class Form(Marker):
    """From a form: a field of the parameter's name, or all fields of a class.

    A check box that was not ticked is not sent, so that a `bool` that is missing is `False`. A whole form, which is
    shown again with its errors, is `demijohn.forms.Form`.
    """

    source = "form"

    def __class_getitem__(cls, target: Any) -> Any:
        name = getattr(target, "__name__", target)
        raise ConfigurationError(
            f"`Form[{name}]` was written with the `Form` of `demijohn`.",
            why="That one is a marker: `Annotated[str, Form()]` takes one field of a form.",
            fix=f"from demijohn.forms import Form      # Form[{name}] is a whole form",
            code="DJN-906",
        )


class File(Marker):
    """A file of a form, as `UploadFile` or `list[UploadFile]`.

    Args:
        alias: The name of the input; the parameter's otherwise.
        max_size: The most bytes of one file.
    """

    source = "form"

    def __init__(self, alias: str | None = None, *, max_size: int | None = None) -> None:
        super().__init__(alias)
        self.max_size = max_size


class Body(Marker):
    """From the body of the request.

    A class with fields is read from the body without this marker. With it, `str`, numbers and lists are too, and
    `bytes` is the body as it came.

    Args:
        include: The fields that a client may set; all others are refused. A model needs them.
        exclude: The fields that it may not set.
        partial: Only the fields that were sent are set (for models: what `PATCH` wants).
        embed: The value stands below the parameter's name: `{"item": {...}}`. Two bodies always do.
        form: A form is read as well as JSON.
    """

    source = "body"

    def __init__(
        self,
        *,
        include: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        partial: bool = False,
        embed: bool = False,
        form: bool = False,
        alias: str | None = None,
    ) -> None:
        super().__init__(alias)
        self.include = None if include is None else tuple(include)
        self.exclude = None if exclude is None else tuple(exclude)
        self.partial = partial
        self.embed = embed
        self.form = form


class Fields(Marker):
    """The fields that a form shows and a client may set.

    `Annotated[ModelForm[Post], Fields("title", "body")]`: no other field is shown or taken.
    """

    source = "form"

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names

    def __repr__(self) -> str:
        return f"Fields({', '.join(map(repr, self.names))})"


class Dependency(Marker):
    """What `Depends` makes; see there."""

    def __init__(self, function: Callable[..., Any] | None, *, cached: bool) -> None:
        super().__init__()
        self.function = function
        self.cached = cached

    def __repr__(self) -> str:
        return f"Depends({getattr(self.function, '__name__', self.function or '')})"


def Depends(  # noqa: N802 - it is written like a class, and returns Any so that it may be a default
    dependency: Callable[..., Any] | None = None, *, cached: bool = True
) -> Any:
    """Take what a function returns; its own parameters are bound as a handler's are.

    The function may be sync or async, or a generator whose part behind `yield` cleans up after the response. Within
    one request it is called once, unless `cached=False`. Without a function, the annotated class is called.

    Returns `Any`, so that `user: User = Depends(get_user)` is as good as `Annotated[User, Depends(get_user)]`.

    Example:
        >>> def page(number: int = 1, size: int = 20) -> slice:
        ...     return slice((number - 1) * size, number * size)
        >>> def posts(page: slice = Depends(page)): ...
    """
    return Dependency(dependency, cached=cached)


class HandlerParameter:
    """One parameter of a function, read and taken apart; what a binder looks at.

    Attributes:
        name: Its name in the function.
        annotation: As it was written, `Annotated` and all (Any: annotations are of many types).
        type: The same without `Annotated`.
        metadata: What stood in `Annotated`.
        marker: The marker among it, if there is one.
        default: The default, or `MISSING`.
        path: What the route says of the name in its path (routing's `Parameter`, or a type), or `None`.
        methods: The HTTP methods of the route.
        function: The function it belongs to.
    """

    __slots__ = ("annotation", "default", "function", "kind", "marker", "metadata", "methods", "name", "path", "type")

    def __init__(
        self,
        name: str,
        annotation: Any,
        *,
        type: Any,  # noqa: A002 - what it is called everywhere
        metadata: tuple[Any, ...],
        default: Any,
        kind: "inspect._ParameterKind",
        function: Callable[..., Any],
    ) -> None:
        self.name = name
        self.annotation = annotation
        self.type = type
        self.metadata = metadata
        self.default = default
        self.kind = kind
        self.function = function
        self.marker: Marker | None = None
        self.path: Any = None
        self.methods: frozenset[str] = frozenset()

    def find(self, marker: "builtins.type[M]") -> M | None:
        """Return the marker of a class among the metadata, or `None`."""
        for item in self.metadata:
            if isinstance(item, marker):
                return item
        return None

    @property
    def has_default(self) -> bool:
        """Whether the function has a default for it."""
        return self.default is not MISSING

    def __repr__(self) -> str:
        return f"<HandlerParameter {self.name}: {self.type!r}>"


class Input:
    """One value that a client gives to a handler: what the API documentation shows.

    Attributes:
        source: `path`, `query`, `header`, `cookie`, `form` or `body`.
        name: The name on the wire; empty where the whole source is one value.
        type: The annotation with its constraints (Any: annotations are of many types).
        required: Whether the client has to give it.
        default: What stands for it otherwise, or `MISSING`.
        field: Its description.
        media_types: For a body: what is read.
    """

    __slots__ = ("default", "field", "media_types", "name", "required", "source", "type")

    def __init__(
        self,
        source: str,
        name: str,
        *,
        type: Any,  # noqa: A002 - what it is called everywhere
        required: bool = True,
        default: Any = MISSING,
        field: Field | None = None,
        media_types: tuple[str, ...] = (),
    ) -> None:
        self.source = source
        self.name = name
        self.type = type
        self.required = required
        self.default = default
        self.field = field
        self.media_types = media_types

    def __repr__(self) -> str:
        return f"<Input {self.source} {self.name or '(whole)'}: {self.type!r}>"


Paths = Mapping[str, Any]
"""What stands in the path of a route: names, each with a type or routing's `Parameter` (Any: either)."""
