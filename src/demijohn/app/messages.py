"""Messages for the next page: said by one request, shown by another."""

from typing import Any, Literal, overload

from demijohn.app.context import current
from demijohn.http import Markup, StateKey

__all__ = ["flash", "get_flashed_messages"]

_KEY = "_flashes"
_shown_key = StateKey[list[tuple[str, str]]]("flashed messages")


def flash(message: str, category: str = "message") -> None:
    """Keep a message for the next page that shows messages.

    It is kept in the session, which is set up with its defaults where the app does not use it. Markup stays markup.

    Raises:
        OutsideContext: No request is running.

    Example:
        ```python notest
        @app.post("/posts")
        def create():
            flash("Saved", "success")
            return redirect("/posts")
        ```
    """
    session = current.session
    waiting = [*session.get(_KEY, ()), [category, str(message), hasattr(message, "__html__")]]
    session[_KEY] = waiting
    app = current.app
    if app.sends_signals:
        app.signals.message_flashed.send(app, message=message, category=category)


@overload
def get_flashed_messages(
    *, with_categories: Literal[False] = False, category_filter: tuple[str, ...] | list[str] = ()
) -> list[str]: ...
@overload
def get_flashed_messages(
    *, with_categories: Literal[True], category_filter: tuple[str, ...] | list[str] = ()
) -> list[tuple[str, str]]: ...
def get_flashed_messages(
    *, with_categories: bool = False, category_filter: tuple[str, ...] | list[str] = ()
) -> list[str] | list[tuple[str, str]]:
    """Return the messages that wait, and take them out of the session.

    A second call in the same request returns the same ones. Templates call it by this name.

    Args:
        with_categories: Return pairs of category and message.
        category_filter: Only messages of these categories; the others are gone as well.
    """
    request = current.request
    found: list[tuple[str, str]] | None = _shown_key.find(request)
    if found is None:
        found = []
        if "sessions" in request.app.batteries:
            session: Any = current.session
            if _KEY in session:
                kept: list[tuple[str, str, bool]] = session.pop(_KEY)
                found = [(category, Markup(text) if is_markup else text) for category, text, is_markup in kept]
        _shown_key.set(request, found)
    shown = [pair for pair in found if pair[0] in category_filter] if category_filter else found
    return list(shown) if with_categories else [message for _, message in shown]
