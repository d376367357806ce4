"""The places where batteries add to an app: small lists and maps, filled by `install`, read at the start."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any, Protocol, TypeAlias, TypeVar

from demijohn._lib.text import did_you_mean
from demijohn.errors import ConfigurationError
from demijohn.http import Request, Response

__all__ = ["BeforeSend", "Commands", "Driver", "Named", "Observer", "TemplateRegistry"]

T = TypeVar("T")

BeforeSend: TypeAlias = Callable[[Any, BaseException | None], Awaitable[None]]
"""`(unit, error)`: called with the exception when one left the handler (roll back), and with `None` before the
first byte (commit).
"""


Observer: TypeAlias = Callable[[Request, Response, float], None]
"""`(request, response, seconds)`: called once the response is sent; it must be quick and must not fail."""


class Driver(Protocol):
    """How a battery drives a request, a call in a thread, and what a script awaits."""

    def drive(self, coroutine: Coroutine[Any, Any, T], /) -> Coroutine[Any, Any, T]: ...

    def call(self, function: Callable[[], T], /) -> T: ...

    def resume(self, coroutine: Coroutine[Any, Any, T], /) -> Coroutine[Any, Any, T]: ...


class Named(dict[str, T]):
    """Things by name, where a second one of the same name is a mistake."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def add(self, name: str, thing: T) -> T:
        """Add a thing and return it.

        Raises:
            ConfigurationError: The name is taken.
        """
        if name in self:
            raise ConfigurationError(
                f"The {self.kind} {name!r} was added twice.",
                why="A name stands for one thing.",
                fix="Remove one of them, or give it another name.",
                code="DJN-413",
            )
        self[name] = thing
        return thing

    def required(self, name: str) -> T:
        """Return the thing of that name.

        Raises:
            ConfigurationError: There is none.
        """
        try:
            return self[name]
        except KeyError:
            raise ConfigurationError(
                f"The {self.kind} {name!r} is not known.{did_you_mean(name, self)}",
                why="Nothing that this app uses offers it.",
                fix="Check the name, or `app.use(...)` the battery that brings it.",
                code="DJN-414",
            ) from None


class Commands:
    """The commands that batteries and the app add to `demijohn`."""

    def __init__(self) -> None:
        self._commands: list[tuple[str | None, Any]] = []
        self._sources: list[Callable[[], Iterable[tuple[str | None, Any]]]] = []

    def add(self, function: Any, *, name: str | None = None) -> None:
        """Add a function with annotated parameters, or a Click command (Any: either)."""
        self._commands.append((name, function))

    def add_source(self, source: Callable[[], Iterable[tuple[str | None, Any]]]) -> None:
        """Add commands that are made when somebody asks for them (Any: functions, or Click commands).

        What they import is not loaded by a server.
        """
        self._sources.append(source)

    def __iter__(self) -> Iterator[tuple[str | None, Any]]:
        yield from self._commands
        for source in self._sources:
            yield from source()


class TemplateRegistry:
    """What batteries and the app give to templates, whichever engine renders them (Any throughout: templates print
    anything).
    """

    def __init__(self) -> None:
        self.globals: dict[str, Any] = {}
        self.filters: dict[str, Callable[..., Any]] = {}
        self.tests: dict[str, Callable[..., Any]] = {}
        self.extensions: list[Any] = []
        self.context_processors: list[Callable[..., Any]] = []
        self.folders: list[Any] = []
