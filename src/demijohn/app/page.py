"""`Page`: a template and its context, as a plain value that a renderer turns into a response."""

from collections.abc import Mapping
from typing import Any, Literal, Self, TypedDict, Unpack

from demijohn.http import MutableHeaders
from demijohn.schema import to_json
from demijohn.types import HeadersLike

__all__ = ["Htmx", "HtmxFields", "Page"]


class HtmxFields(TypedDict, total=False):
    """What a response tells htmx to do, besides swapping the content (the headers of htmx 4)."""

    trigger: str | list[str] | Mapping[str, Any]
    """Events for the browser, by name, or as a mapping of name to detail (Any: plain data)."""
    push_url: str | Literal[False]
    """Put this URL into the history; `False` for none."""
    replace_url: str | Literal[False]
    """Show this URL in place of the present one; `False` for none."""
    redirect: str
    """Go there with a whole page load."""
    location: str | Mapping[str, Any]
    """Go there without a page load; a mapping has `path` and options (Any: plain data)."""
    refresh: bool
    """Load the whole page again."""
    retarget: str
    """A CSS selector: put the content there."""
    reswap: str
    """How the content is swapped, as in `hx-swap`."""
    reselect: str
    """A CSS selector: take this part of the content."""


class Htmx(Mapping[str, str]):
    """The response headers of htmx that some fields mean.

    Give it to any response as its headers.

    Example:
        >>> dict(Htmx(trigger={"saved": {"id": 3}}, push_url=False))
        {'hx-trigger': '{"saved":{"id":3}}', 'hx-push-url': 'false'}
    """

    __slots__ = ("_headers",)

    def __init__(self, **fields: Unpack[HtmxFields]) -> None:
        self._headers: dict[str, str] = {}
        for name, value in fields.items():
            if value is None or (name == "refresh" and not value):
                continue
            self._headers[f"hx-{name.replace('_', '-')}"] = _written(value)

    def __getitem__(self, name: str) -> str:
        return self._headers[name]

    def __iter__(self) -> Any:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)

    def __repr__(self) -> str:
        return f"Htmx({self._headers!r})"


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(value)
    # A header is ASCII: what JSON may also write as \\uXXXX is written so.
    return "".join(char if char < "\x7f" else _escaped(char) for char in to_json(value).decode())


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


class Page:
    """A page to be rendered: a template's name and the names that it sees.

    For a browser the template is rendered; for another format that the route lists, the same context is the data.
    `template#block` names the block that an htmx request gets alone. Values that have to be awaited are awaited first.

    Args:
        template: The template's name, with `#block` at the end where a block may be asked for alone.
        status: The status of the answer.
        headers: Headers of the answer.
        context: The names that the template sees (Any: templates print anything).

    Example:
        >>> page = Page("posts/list.html#rows", posts=[]).with_htmx(trigger="listed")
        >>> page.template, page.block, page.context, page.headers["hx-trigger"]
        ('posts/list.html', 'rows', {'posts': []}, 'listed')
    """

    __slots__ = ("_headers", "block", "context", "status", "template")

    def __init__(
        self, template: str, /, *, status: int = 200, headers: HeadersLike | None = None, **context: Any
    ) -> None:
        name, hash_, block = template.partition("#")
        self.template = name
        self.block = block if hash_ else None
        self.status = status
        self.context: dict[str, Any] = context
        self._headers = None if headers is None else MutableHeaders(headers)

    def __repr__(self) -> str:
        block = f"#{self.block}" if self.block else ""
        return f"Page({self.template + block!r}, {', '.join(self.context)})"

    @property
    def headers(self) -> MutableHeaders:
        """The headers of the answer."""
        if self._headers is None:
            self._headers = MutableHeaders()
        return self._headers

    def with_context(self, more: Mapping[str, Any]) -> Self:
        """Add names that the page does not have yet, and return it.

        Any: templates print anything.
        """
        for name, value in more.items():
            self.context.setdefault(name, value)
        return self

    def with_htmx(self, **fields: Unpack[HtmxFields]) -> Self:
        """Tell htmx what to do besides swapping the content, and return the page.

        Example:
            >>> Page("row.html", post=1).with_htmx(retarget="#posts", reswap="beforeend").headers["hx-retarget"]
            '#posts'
        """
        for name, value in Htmx(**fields).items():
            self.headers[name] = value
        return self

    @property
    def is_pending(self) -> bool:
        """Whether a value has to be awaited before the page can be rendered."""
        for value in self.context.values():  # noqa: SIM110 - a generator would cost more than the answer
            if hasattr(value.__class__, "__await__"):
                return True
        return False

    async def settle(self) -> None:
        """Await the values that have to be, in turn: they share one unit of work."""
        for name, value in self.context.items():
            if hasattr(value.__class__, "__await__"):
                self.context[name] = await value

    def dress(self, response_headers: MutableHeaders) -> None:
        """Put the headers of the page on a response."""
        if self._headers is not None:
            for name, value in self._headers.multi_items():
                if name in ("set-cookie", "link"):
                    response_headers.add(name, value)
                else:
                    response_headers[name] = value
