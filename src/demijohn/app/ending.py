"""How a request ends: what leaves its task, and what comes behind its answer."""

from collections.abc import Sequence
from typing import Any

from demijohn._lib.later import inspect, logger_of
from demijohn.app.context import is_ending
from demijohn.app.hooks import HookCall
from demijohn.http import Request

__all__ = ["as_failure", "end_unit"]

logger = logger_of("demijohn.app")


def as_failure(error: BaseException, request: Request) -> BaseException:
    """Return what leaves the task of a request: an exception that ends it from outside, or an ordinary one.

    What is neither would end the loop, or the worker of a WSGI server.
    """
    if isinstance(error, Exception) or is_ending(error, request):
        return error
    failure = RuntimeError(f"The code of a request raised {type(error).__name__}.")
    failure.__cause__ = error
    return failure


async def end_unit(torn_down: Sequence[HookCall], request: Any, error: BaseException | None) -> None:
    """Clean up after the response: the youngest service first, then tear-down hooks, then what those asked for.

    Nothing here can change the answer. What fails is logged and told, and keeps nothing else from its turn; nor does a
    cancellation, which goes on upwards once all is done.
    """
    if error is not None and request.services is not None:
        request.services.error = error
    ended = await _clean_up(request)
    for hook in reversed(torn_down):
        try:
            await hook.run(request, error)
        except BaseException as failure:
            ended = _tell("The tear-down of", request, failure) or ended
    if request.ending is not None:
        ended = await _clean_up(request) or ended
    if ended is not None:
        raise ended


async def _clean_up(request: Any) -> BaseException | None:
    endings, request.ending = request.ending, None
    ended: BaseException | None = None
    for ending in reversed(endings or ()):
        try:
            result: Any = ending()
            if inspect.isawaitable(result):
                await result
        except BaseException as failure:
            ended = _tell("Cleaning up after", request, failure) or ended
    return ended


def _tell(what: str, request: Any, failure: BaseException) -> BaseException | None:
    """Log what failed behind the answer and tell those who listen; return it where it ends the task from outside."""
    if is_ending(failure, request):
        return failure
    logger.error("%s %s %s failed", what, request.method, request.path, exc_info=failure)
    if request.app is not None:
        request.app.note_failure(request, failure)
    return None
