"""`Page`: a template and its context, as a plain value that a renderer turns into a response."""

from collections.abc import Mapping
from typing import Any, cast

from demijohn.types import HeadersLike

__all__ = ["Page"]


class Page:
    """A page to be rendered: a template's name and the names that it sees.

    For a browser the template is rendered; for another format that the route lists, the same context is the data.
    `template#block` names the block that an htmx request gets alone.

    Args:
        template: The template's name, with `#block` at the end where a block may be asked for alone.
        status: The status of the answer.
        headers: Headers of the answer.
        context: The names that the template sees (Any: templates print anything).

    Example:
        >>> page = Page("posts/list.html#rows", posts=[])
        >>> page.template, page.block, page.context
        ('posts/list.html', 'rows', {'posts': []})
    """

    __slots__ = ("block", "context", "headers", "htmx", "status", "template")

    def __init__(
        self, template: str, /, *, status: int = 200, headers: HeadersLike | None = None, **context: Any
    ) -> None:
        name, _, block = template.partition("#")
        self.template = name
        self.block = block or None
        self.status = status
        self.headers: dict[str, str] = dict(cast("Mapping[str, str]", headers or {}))
        self.context: dict[str, Any] = context
        self.htmx: dict[str, str] = {}

    def __repr__(self) -> str:
        block = f"#{self.block}" if self.block else ""
        return f"Page({self.template + block!r}, {', '.join(self.context)})"

    def with_context(self, more: Mapping[str, Any]) -> "Page":
        """Add names that the page does not have yet, and return it.

        Any: templates print anything.
        """
        for name, value in more.items():
            self.context.setdefault(name, value)
        return self
