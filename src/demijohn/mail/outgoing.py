"""The page of mails that were sent in development; it is not there in production."""

import logging
import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from demijohn.app.debug_door import find_objection, is_open
from demijohn.errors import NotFound
from demijohn.http import HTMLResponse, Markup, Request, html
from demijohn.mail.message import Message

__all__ = ["PATH", "Outgoing"]

logger = logging.getLogger("demijohn.mail")

PATH = "/__demijohn__/mail"
_LINK = re.compile(r"(https?://[^\s<>\"]+)")


class Outgoing:
    """Keeps the last messages of a development server, and shows them to this machine.

    Args:
        most: How many are kept.
    """

    def __init__(self, *, most: int = 50) -> None:
        self._kept: deque[tuple[int, Message]] = deque(maxlen=most)
        self._count = 0

    def add(self, message: Message) -> None:
        """Keep a message."""
        self._count += 1
        self._kept.append((self._count, message))

    def install(self, app: Any) -> None:
        """Add the routes (Any: the app)."""
        app.add_route(PATH, self.index, name="demijohn.mail", place="demijohn.mail")
        app.add_route(f"{PATH}/{{number:int}}", self.show, name="demijohn.mail.show", place="demijohn.mail")

    async def index(self, request: Request) -> HTMLResponse:
        """List the messages, the newest first."""
        _refuse_others(request)
        rows = [
            html(
                '<tr><td><a href="mail/{}">{}</a></td><td>{}</td></tr>',
                number,
                message.subject or "(no subject)",
                ", ".join(message.recipients),
            )
            for number, message in reversed(self._kept)
        ]
        table = html("<table><tr><th>Subject</th><th>To</th></tr>{}</table>", Markup("").join(rows))
        return _page("Sent mail", table if rows else html("<p>Nothing was sent yet.</p>"))

    async def show(self, request: Request, number: int) -> HTMLResponse:
        """Show one message: its text with the links to follow, and the source of its HTML."""
        _refuse_others(request)
        message = dict(self._kept).get(number)
        if message is None:
            raise NotFound
        source = html("<h2>HTML</h2><pre>{}</pre>", message.html) if message.html else Markup("")
        body = html(
            '<p>From {}<br>To {}</p><pre>{}</pre>{}<p><a href="../mail">All mail</a></p>',
            message.sender,
            ", ".join(message.recipients),
            Markup("").join(_linked(message.text)),
            source,
        )
        return _page(message.subject, body)


def _linked(text: str) -> Iterator[Markup]:
    for number, part in enumerate(_LINK.split(text)):
        yield html('<a href="{}">{}</a>', part, part) if number % 2 else html("{}", part)


def _refuse_others(request: Request) -> None:
    """Show nothing to others than the developer: a mail may hold a link that lets somebody in.

    Raises:
        NotFound: A rule of the debug door does not hold; the log says which.
    """
    if not is_open(request.app):
        raise NotFound
    objection = find_objection(request, request.app)
    if objection is not None:
        logger.warning("The page of sent mail was not shown: %s.", objection.reason)
        raise NotFound


def _page(title: str, body: Markup) -> HTMLResponse:
    page = html(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>{}</title>'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        "<h1>{}</h1>{}</html>",
        title,
        title,
        body,
    )
    return HTMLResponse(page, headers={"cache-control": "no-store"})
