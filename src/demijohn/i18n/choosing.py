"""The language of a request: what is read for it, and what the response says about that."""

from datetime import tzinfo
from typing import Any

from demijohn.http import Request, Response, StateKey
from demijohn.i18n.catalogs import Messages
from demijohn.i18n.locales import find_offered
from demijohn.i18n.offer import Offer
from demijohn.middleware.exchange import before_sending

__all__ = ["Presence", "choose", "presence_key"]


class Presence:
    """What is known about the language and the time zone of one request or socket."""

    __slots__ = ("messages", "prefix", "selected", "told", "zone")

    def __init__(self) -> None:
        self.messages: Messages | None = None
        self.prefix: str | None = None
        """The language that the path named."""
        self.selected: str | None = None
        """The language that the selector of the app returned."""
        self.told: tuple[str, tuple[str, ...]] | None = None
        """What the response says: the language, and the headers that it depends on."""
        self.zone: tzinfo | None = None


presence_key = StateKey("i18n", factory=Presence)


def choose(battery: Offer, connection: Any, presence: Presence) -> str:
    """Return the tag of the language to answer in, and note what it depends on (Any: a request or socket)."""
    tag, varied = _read(battery, connection, presence)
    is_first = presence.told is None
    # Chosen again, once the selectors were asked, it depends on what was read before as well.
    presence.told = (tag, tuple(dict.fromkeys((*(presence.told or ("", ()))[1], *varied))))
    is_sent = isinstance(connection, Request) and connection._exchange is not None and connection._exchange.sent
    if is_first and isinstance(connection, Request) and not is_sent:
        before_sending(connection, lambda response: _tell(response, presence))
    return tag


def _read(battery: Offer, connection: Any, presence: Presence) -> tuple[str, tuple[str, ...]]:
    paths = battery.paths
    if presence.prefix is not None:
        return presence.prefix, ()
    if paths is not None and not paths.prefix.default and not paths.prefix.is_exempt(connection.path):
        return battery.default, ()
    varied: list[str] = []
    for origin in battery.order:
        wanted: str | None = None
        if origin == "selector":
            wanted = presence.selected
        elif origin == "query":
            wanted = connection.query.get("language")
        elif origin == "session":
            wanted = connection.app.current_value("session", connection).get("language")
        elif origin == "cookie":
            varied.append("Cookie")
            wanted = connection.cookies.get(battery.cookie)
        else:
            varied.append("Accept-Language")
            accepted = connection.accept_languages
            if accepted.preferences:
                wanted = accepted.best_match([battery.default, *battery.locales])
        tag = find_offered(wanted, battery.locales) if isinstance(wanted, str) else None
        if tag is not None:
            return tag, tuple(varied)
    return battery.default, tuple(varied)


def _tell(response: Response, presence: Presence) -> None:
    tag, varied = presence.told or ("", ())
    headers = response.headers
    if response.content_type is not None and "content-language" not in headers:
        headers["content-language"] = tag
    if varied:
        headers.add_vary(*varied)
