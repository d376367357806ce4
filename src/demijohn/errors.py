"""Every exception of the kernel.

```
Exception
├── DemijohnError                 a mistake in code or set-up; told to the developer in three beats
│   ├── ConfigurationError        wiring: found at start-up, before the first request
│   ├── OutsideContext            `current`, `wait` or a query where no request, command or script is running
│   └── ...                       each room adds its own below one of these
└── HTTPError                     an answer to a client, with a status
    ├── BadRequest (400)          ├── Unauthorized (401)     ├── Forbidden (403)          ├── NotFound (404)
    ├── MethodNotAllowed (405)    ├── NotAcceptable (406)    ├── RequestTimeout (408)     ├── Conflict (409)
    ├── Gone (410)                ├── PreconditionFailed     ├── ContentTooLarge (413)    ├── UnsupportedMediaType (415)
    ├── RangeNotSatisfiable (416) ├── ValidationFailed (422) ├── TooManyRequests (429)    ├── HeadersTooLarge (431)
    └── InternalServerError, NotImplementedOnServer, ServiceUnavailable (503), GatewayTimeout
```
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple, NoReturn

from demijohn._lib.translation import ngettext

__all__ = [
    "BadRequest",
    "ConfigurationError",
    "Conflict",
    "ContentTooLarge",
    "DemijohnError",
    "FieldError",
    "Forbidden",
    "GatewayTimeout",
    "Gone",
    "HTTPError",
    "HeadersTooLarge",
    "InternalServerError",
    "MalformedBody",
    "MethodNotAllowed",
    "NameElsewhere",
    "NotAcceptable",
    "NotFound",
    "NotImplementedOnServer",
    "OutsideContext",
    "PreconditionFailed",
    "RangeNotSatisfiable",
    "RequestTimeout",
    "ServiceUnavailable",
    "TooManyRequests",
    "Unauthorized",
    "UnsupportedMediaType",
    "ValidationFailed",
    "abort",
]


class DemijohnError(Exception):
    """A mistake in code or set-up, told in three beats and with a stable code.

    Args:
        seen: What was seen, with the value.
        why: Why it cannot be.
        fix: The line to write.
        code: The stable code; `demijohn explain CODE` prints its page.

    Example:
        >>> error = DemijohnError("The route '/x' was added twice.", why="Only one can answer.", fix="Remove one.")
        >>> print(error)
        The route '/x' was added twice.
        Only one can answer.
        Remove one.  [DJN-000]
    """

    code: str = "DJN-000"

    def __init__(self, seen: str, *, why: str = "", fix: str = "", code: str | None = None) -> None:
        if code is not None:
            self.code = code
        self.seen = seen
        self.why = why
        self.fix = fix
        super().__init__(seen)

    def __str__(self) -> str:
        beats = [beat for beat in (self.seen, self.why, self.fix) if beat]
        return "\n".join(beats) + f"  [{self.code}]"


class ConfigurationError(DemijohnError):
    """Wiring that cannot work; raised at start-up, never at the first request."""

    code = "DJN-400"


class OutsideContext(DemijohnError):
    """Something that belongs to a request, command or script was used outside of one."""

    code = "DJN-401"


class FieldError(NamedTuple):
    """One thing wrong with the input: its place, a stable word for it, and a sentence.

    `place` begins with where the value came from (`"body"`, `"query"`, `"path"`, `"header"`, `"cookie"`, `"form"`)
    and goes on with names and indexes: `("body", "items", 3, "price")`.
    """

    place: tuple[str | int, ...]
    code: str
    message: str


class NameElsewhere(DemijohnError, AttributeError):
    """An attribute was asked for by the name that it has in another framework."""

    code = "DJN-016"

    @classmethod
    def of(cls, owner: str, name: str, written: str) -> "NameElsewhere":
        """Make the error for an attribute of a class, with the line to write here."""
        return cls(
            f"`{owner}.{name}` was asked for, and there is no such attribute.",
            why="That is its name in another framework.",
            fix=f"Here:  {written}",
        )


class HTTPError(Exception):
    """An answer with an error status, raised from anywhere below a handler.

    Args:
        status: The status, 400 to 599.
        detail: A sentence for the client; the standard phrase of the status otherwise.
        title: A short title (RFC 9457); the standard phrase otherwise.
        type: A URI that names the kind of problem (RFC 9457).
        headers: Headers of the answer, as pairs or a mapping.
        extensions: More members of the problem document.

    Raises:
        ValueError: The status is not an error status.
    """

    status: int = 500
    kind: ClassVar[str] = "about:blank"

    def __init__(
        self,
        detail: str | None = None,
        *,
        status: int | None = None,
        title: str | None = None,
        type: str | None = None,  # noqa: A002 - the name in RFC 9457
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        if status is not None:
            self.status = status
        if not 400 <= self.status <= 599:
            raise ValueError(f"{self.status} is not an error status. Errors are 400 to 599; return a Response instead.")
        self.title = title or phrase_of(self.status)
        self.detail = detail
        self.type = type or self.kind
        # pyright takes a mapping for an iterable of its keys too
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        self.headers: list[tuple[str, str]] = list(pairs)  # pyright: ignore[reportAttributeAccessIssue]
        self.extensions: dict[str, Any] = dict(extensions or {})
        super().__init__(detail or self.title)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.status}, {self.detail!r})"

    def problem(self) -> dict[str, Any]:
        """Return the problem document of RFC 9457 as a dict."""
        document: dict[str, Any] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail is not None:
            document["detail"] = self.detail
        return document | self.extensions


def phrase_of(status: int) -> str:
    """Return the standard phrase of a status, or `Unknown` for one that has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


class BadRequest(HTTPError):
    """400: the request cannot be read."""

    status = 400


class MalformedBody(BadRequest):
    """400: the body is broken, truncated, nested too deeply, or of another format."""


class Unauthorized(HTTPError):
    """401: the client has to say who it is."""

    status = 401


class Forbidden(HTTPError):
    """403: understood, and refused."""

    status = 403


class NotFound(HTTPError):
    """404: nothing is here."""

    status = 404


class MethodNotAllowed(HTTPError):
    """405: the path exists, not for this method; `Allow` lists those it has."""

    status = 405

    def __init__(self, allowed: Sequence[str], detail: str | None = None) -> None:
        self.allowed = sorted(allowed)
        super().__init__(detail, headers=[("allow", ", ".join(self.allowed))])


class NotAcceptable(HTTPError):
    """406: no format that the client accepts can be made here."""

    status = 406


class RequestTimeout(HTTPError):
    """408: the request did not arrive in time."""

    status = 408


class Conflict(HTTPError):
    """409: the request does not fit the present state."""

    status = 409


class Gone(HTTPError):
    """410: it was here, and will not come back."""

    status = 410


class PreconditionFailed(HTTPError):
    """412: a condition in the request's headers does not hold."""

    status = 412


class ContentTooLarge(HTTPError):
    """413: the body, a part or a field is over its limit."""

    status = 413


class UnsupportedMediaType(HTTPError):
    """415: the body is in a format that is not read here."""

    status = 415


class RangeNotSatisfiable(HTTPError):
    """416: no byte of the asked ranges exists."""

    status = 416


class TooManyRequests(HTTPError):
    """429: a rate limit was reached."""

    status = 429


class HeadersTooLarge(HTTPError):
    """431: the headers are over their limit."""

    status = 431


class InternalServerError(HTTPError):
    """500: something broke here."""

    status = 500


class NotImplementedOnServer(HTTPError):
    """501: this server cannot do that."""

    status = 501


class ServiceUnavailable(HTTPError):
    """503: not now; `Retry-After` says when."""

    status = 503


class GatewayTimeout(HTTPError):
    """504: what this server asked did not answer in time."""

    status = 504


def error_lines(errors: Sequence["FieldError"]) -> list[str]:
    """Return a line for each error: a traceback, a log and a shell show them, and nobody can mend "1 error"."""
    lines = [f"  {_dotted(error.place)}: {error.message}  [{error.code}]" for error in errors[:_SHOWN]]
    return [*lines, "  ..."] if len(errors) > _SHOWN else lines


class ValidationFailed(HTTPError):
    """422: the input was read and is wrong; all errors are reported together."""

    status = 422

    def __init__(self, errors: Iterable[FieldError], detail: str | None = None) -> None:
        self.errors = list(errors)
        count = len(self.errors)
        super().__init__(detail or ngettext("%(num)s error in the input.", "%(num)s errors in the input.", count))

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *error_lines(self.errors)])

    def problem(self) -> dict[str, Any]:
        """Return the problem document, with `errors` as a list of place, code and message."""
        document = super().problem()
        document["errors"] = [
            {"place": list(error.place), "code": error.code, "message": error.message} for error in self.errors
        ]
        return document


_SHOWN = 10


def _dotted(place: tuple[str | int, ...]) -> str:
    parts = place[1:] if place[:1] == ("body",) else place
    return ".".join(map(str, parts)) or "the whole"


_BY_STATUS: dict[int, type[HTTPError]] = {
    cls.status: cls for cls in HTTPError.__subclasses__() if cls not in (MethodNotAllowed, ValidationFailed)
}


def abort(
    status: int,
    detail: str | None = None,
    *,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    extensions: Mapping[str, Any] | None = None,
) -> NoReturn:
    """Stop the request here and answer with `status`.

    Raises:
        HTTPError: Always; the subclass for the status where there is one.
        ValueError: The status is not an error status.

    Example:
        >>> abort(404, "No such post.")
        Traceback (most recent call last):
        ...
        demijohn.errors.NotFound: No such post.
    """
    cls = _BY_STATUS.get(status, HTTPError)
    raise cls(detail, status=status, headers=headers, extensions=extensions)
