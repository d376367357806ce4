"""Signed cookies: readable by their owner, and proof against change."""

import builtins
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from demijohn._lib.signing import BadSignature, Signer
from demijohn.errors import ValidationFailed
from demijohn.http import Request, Response
from demijohn.middleware import keep_private
from demijohn.schema import convert, to_builtins

if TYPE_CHECKING:
    from demijohn.app import App

__all__ = ["SignedCookie"]

T = TypeVar("T")
D = TypeVar("D")


class SignedCookie(Generic[T]):
    """A cookie of one typed value that the browser can read and nobody can change.

    For what scripts may see and the server has to trust: a chosen language, a consent, the variant of an experiment.
    What must stay unread goes into the session.

    Args:
        name: The name of the cookie.
        type: What its value is; anything that can be written as JSON.
        max_age: How long it is kept and accepted.
        httponly: Whether scripts are kept from reading it.
        samesite: What other sites may send it with.

    Example:
        >>> theme = SignedCookie("theme", str, max_age=timedelta(days=365))
    """

    __slots__ = ("_signers", "httponly", "max_age", "name", "samesite", "value_type")

    samesite: Literal["strict", "lax", "none"]

    def __init__(
        self,
        name: str,
        type: builtins.type[T],  # noqa: A002 - the word for it
        *,
        max_age: timedelta = timedelta(days=365),
        httponly: bool = True,
        samesite: Literal["strict", "lax", "none"] = "lax",
    ) -> None:
        self.name = name
        self.value_type = type
        self.max_age = max_age
        self.httponly = httponly
        self.samesite = samesite
        self._signers: dict[int, tuple[Any, Signer]] = {}

    def __repr__(self) -> str:
        return f"SignedCookie({self.name!r}, {self.value_type!r})"

    def set(self, request: Request, response: Response, *, value: T) -> None:
        """Set the cookie on a response."""
        response.set_cookie(
            self.name,
            self._signer(request.app).dumps(to_builtins(value)),
            max_age=self.max_age,
            secure=request.scheme == "https",
            httponly=self.httponly,
            samesite=self.samesite,
        )

    def delete(self, request: Request, response: Response) -> None:
        """Tell the browser to forget it."""
        response.delete_cookie(
            self.name, secure=request.scheme == "https", httponly=self.httponly, samesite=self.samesite
        )

    @overload
    def find(self, request: Request) -> T | None: ...
    @overload
    def find(self, request: Request, default: D) -> T | D: ...
    def find(self, request: Request, default: Any = None) -> Any:
        """Return the value, or `default` where none is good."""
        keep_private(request)
        signed = request.cookies.get(self.name)
        if signed is None:
            return default
        try:
            value = self._signer(request.app).loads(signed, max_age=self.max_age.total_seconds())
            return convert(value, self.value_type)
        except (BadSignature, ValidationFailed):
            return default

    def _signer(self, app: "App") -> Signer:
        found = self._signers.get(id(app))
        if found is None or found[0] is not app:
            found = self._signers[id(app)] = (app, Signer(app.keys, f"cookie:{self.name}"))
        return found[1]
