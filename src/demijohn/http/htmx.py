"""What htmx says about the requests that it sends (versions 2 and 4)."""

from urllib.parse import unquote

from demijohn.http.headers import Headers

__all__ = ["HTMX"]


class HTMX:
    """The `HX-` headers of a request by name.

    It is false for a request that htmx did not send.

    Example:
        >>> htmx = HTMX(Headers({"HX-Request": "true", "HX-Target": "table#rows"}))
        >>> bool(htmx), htmx.target, htmx.target_id, htmx.wants_page
        (True, 'table#rows', 'rows', False)
    """

    __slots__ = ("_headers",)

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def __bool__(self) -> bool:
        return self._headers.get("hx-request") == "true"

    def _text(self, name: str) -> str | None:
        value = self._headers.get(name)
        if value is not None and self._headers.get(name + "-uri-autoencoded") == "true":
            return unquote(value)
        return value

    @property
    def boosted(self) -> bool:
        """Whether an ordinary link or form was taken over (`hx-boost`)."""
        return self._headers.get("hx-boosted") == "true"

    @property
    def history_restore(self) -> bool:
        """Whether a page is fetched again for the back button: send all of it."""
        return self._headers.get("hx-history-restore-request") == "true"

    @property
    def wants_page(self) -> bool:
        """Whether the whole page is wanted, not a part.

        So it is for a browser, a boosted link and the history.
        """
        return not self or self.boosted or self.history_restore or self._headers.get("hx-request-type") == "full"

    @property
    def current_url(self) -> str | None:
        """What the browser's address bar shows."""
        return self._text("hx-current-url")

    @property
    def target(self) -> str | None:
        """The element that the answer goes to.

        Its id, and in version 4 its tag before it: `table#rows`.
        """
        return self._text("hx-target")

    @property
    def target_id(self) -> str | None:
        """The id of that element, or `None`."""
        target = self.target
        return None if target is None else target.rpartition("#")[2] or None

    @property
    def source(self) -> str | None:
        """The element that sent the request.

        Its id, and in version 4 its tag before it: `button#save`.
        """
        return self._text("hx-source") or self._text("hx-trigger")

    @property
    def source_name(self) -> str | None:
        """The name of that element, where it has one (version 2)."""
        return self._text("hx-trigger-name")

    @property
    def prompt(self) -> str | None:
        """What a person typed into a prompt (version 2)."""
        return self._text("hx-prompt")

    def __repr__(self) -> str:
        return f"HTMX(target={self.target!r}, source={self.source!r})" if self else "HTMX()"
