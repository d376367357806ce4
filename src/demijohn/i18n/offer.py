"""What the parts of this room ask the battery for."""

from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from demijohn.i18n.catalogs import Messages, Source
from demijohn.i18n.prefixes import Paths

__all__ = ["Offer", "Origin"]

Origin: TypeAlias = Literal["selector", "query", "session", "cookie", "header"]
"""Where the language of a request may be read from."""


class Offer(Protocol):
    """The languages of an app, and where they come from."""

    locales: tuple[str, ...]
    default: str
    folder: Path
    domain: str
    order: tuple[Origin, ...]
    cookie: str
    paths: Paths | None

    @property
    def is_reloading(self) -> bool: ...
    def messages(self, tag: str) -> Messages: ...
    def messages_of(self, unit: Any) -> Messages: ...
    def zone_of(self, unit: Any) -> tzinfo: ...
    def sources(self) -> Sequence[Source]: ...
