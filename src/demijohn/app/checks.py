"""Checks: mistakes in wiring, found before the first request."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, TypeAlias

from msgspec import Struct

__all__ = ["CheckMessage", "Checks", "Level"]

Level: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]
CheckFunction: TypeAlias = Callable[[Any], Iterable["CheckMessage"]]

LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error", "critical")


class CheckMessage(Struct, frozen=True, kw_only=True):
    """One finding: how bad, a stable id, what was seen, and the line to write."""

    level: Level
    id: str
    text: str
    hint: str = ""
    place: str = ""

    def is_at_least(self, level: Level) -> bool:
        """Return whether this finding is as bad as `level` or worse."""
        return self.rank >= LEVELS.index(level)

    @property
    def rank(self) -> int:
        """How bad it is, as a number that grows with it."""
        return LEVELS.index(self.level)

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        hint = f"\n    {self.hint}" if self.hint else ""
        return f"{place}{self.level} [{self.id}] {self.text}{hint}"


class Checks:
    """The checks of one app; batteries and apps add theirs.

    A check is a function of the app that yields `CheckMessage`s. Deploy checks run only where a deployment is judged.
    """

    def __init__(self) -> None:
        self._functions: list[tuple[CheckFunction, bool]] = []

    def add(self, function: CheckFunction, *, deploy: bool = False) -> CheckFunction:
        """Add a check, and return it unchanged."""
        self._functions.append((function, deploy))
        return function

    def run(self, app: Any, *, deploy: bool = False) -> Iterator[CheckMessage]:
        """Run all checks (Any: the app lives above) and yield what they find."""
        for function, only_deploy in self._functions:
            if deploy or not only_deploy:
                yield from function(app)
