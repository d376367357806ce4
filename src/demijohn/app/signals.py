"""Signals: things that happen, told to whoever listens (blinker)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blinker import NamedSignal

__all__ = ["Signals"]


class Signals:
    """The signals of one app. Listeners get the app as sender; where none listens nothing is spent.

    `request_started(request)`, `request_finished(request, response)`, `got_request_exception(request, exception)`,
    `template_rendered(template, context)`, `message_flashed(message, category)`. `signal(name)` makes one of your own.
    """

    def __init__(self) -> None:
        from blinker import Namespace

        self._namespace: Namespace = Namespace()
        self.request_started = self.signal("request-started")
        self.request_finished = self.signal("request-finished")
        self.got_request_exception = self.signal("got-request-exception")
        self.template_rendered = self.signal("template-rendered")
        self.message_flashed = self.signal("message-flashed")

    def signal(self, name: str) -> "NamedSignal":
        """Return the signal called `name`, made at the first call."""
        return self._namespace.signal(name)

    def __iter__(self) -> "Iterator[NamedSignal]":
        yield from self._namespace.values()
