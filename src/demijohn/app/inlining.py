"""Says, in development alone, which `def` handlers are not worth a thread, and which should not do without one.

It is judged from measured times, each handler is spoken of once, and no more than a few in the life of a process.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

from demijohn._lib.concurrency import find_servant
from demijohn._lib.later import logger_of
from demijohn.app.dispatch import Call

__all__ = ["Inlining", "Trial"]

logger = logger_of("demijohn.threads")

_ENOUGH: Final = 50
"""So many quick calls in a row say that a handler is trivial."""
_QUICK: Final = 0.0002
"""What a thread costs, about: who needs less gains nothing from it."""
_BLOCKS: Final = 0.01
"""What no other request should have to wait for."""
_TOLERATED: Final = 3
"""So many long calls may be the machine's fault, or the first that load something."""
_MOST: Final = 3


class Trial:
    """What is known of one handler: `note` takes the time of a call, and returns what there is to say."""

    __slots__ = ("decorator", "inline", "is_settled", "long", "quick", "spent", "what")

    def __init__(self, what: str, decorator: str, *, inline: bool) -> None:
        self.what = what
        self.decorator = decorator
        self.inline = inline
        self.is_settled = False
        self.quick = 0
        self.long = 0
        self.spent = 0.0

    def note(self, seconds: float, *, has_waited: bool = False) -> str | None:
        """Take the time of one call. What waits or was slow once is never called trivial: a cache may hide it."""
        if self.is_settled:
            return None
        if seconds > _BLOCKS:
            self.long += 1
            if not self.inline:
                self.is_settled = True
            elif self.long > _TOLERATED:
                self.is_settled = True
                return (
                    f"{self.what} runs on the event loop, and {self.long} of its calls took over "
                    f"{_BLOCKS * 1000:.0f} ms (this one {seconds * 1000:.0f} ms), in which nothing else was answered. "
                    f"Let it have a thread:  {self.decorator})"
                )
            return None
        if self.inline:
            return None
        if has_waited:
            self.is_settled = True
        elif seconds > _QUICK:
            self.quick, self.spent = 0, 0.0
        else:
            self.quick += 1
            self.spent += seconds
            if self.quick >= _ENOUGH:
                self.is_settled = True
                return (
                    f"{self.what} took {self.spent / self.quick * 1_000_000:.0f} us in each of its last {self.quick} "
                    f"calls and never waited; the way to its thread and back costs more. If it never blocks, write:  "
                    f"{self.decorator}, inline=True)"
                )
        return None


class Inlining:
    """Watches the `def` handlers of an app in development.

    Args:
        tell: Takes what there is to say; the log otherwise.
    """

    def __init__(self, tell: Callable[[str], object] | None = None) -> None:
        self._tell = logger.info if tell is None else tell
        self._told = 0

    def watch(self, call: Call, *, what: str, decorator: str) -> None:
        """Measure the calls of a handler.

        One that asks for services is left in peace: what they do, and where they are cleaned up, is not measured here.
        """
        whole = call.whole
        if call.is_async or whole is None or (call.plan is not None and call.plan.of("service")):
            return
        trial = Trial(what, decorator, inline=call.inline)

        def measured(request: Any) -> Any:
            if trial.is_settled:
                return whole(request)
            began = perf_counter()
            result = whole(request)
            spent = perf_counter() - began
            servant = find_servant()
            said = trial.note(spent, has_waited=servant is not None and servant.has_waited)
            if said is not None and self._told < _MOST:
                self._told += 1
                self._tell(said)
            return result

        call.whole, call.direct = measured, None
