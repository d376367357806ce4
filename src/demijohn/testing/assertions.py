"""Assertions that say what came instead."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

__all__ = ["assert_errors", "assert_redirects", "assert_status"]


def assert_status(response: "httpx2.Response", *expected: int) -> None:
    """Assert that a response has one of the statuses; show its body where it has not.

    Raises:
        AssertionError: It has another.
    """
    if response.status_code not in expected:
        wanted = " or ".join(map(str, expected))
        raise AssertionError(
            f"expected {wanted} from {_name(response)}, got {response.status_code}:\n{_body(response)}"
        )


def assert_redirects(response: "httpx2.Response", to: str, *, status: int | None = None) -> None:
    """Assert that a response leads to a path or URL.

    A path is compared with the path and query of the `Location`, a URL with the whole.

    Raises:
        AssertionError: It does not.
    """
    __tracebackhide__ = True
    if not 300 <= response.status_code < 400 or "location" not in response.headers:
        raise AssertionError(
            f"expected a redirect to {to!r} from {_name(response)}, got {response.status_code}:\n{_body(response)}"
        )
    if status is not None and response.status_code != status:
        raise AssertionError(f"expected a redirect with {status} from {_name(response)}, got {response.status_code}")
    target = response.request.url.join(response.headers["location"])
    found = (
        str(target)
        if "://" in to
        else target.raw_path.decode("ascii") + (f"#{target.fragment}" * bool(target.fragment))
    )
    if found != to:
        raise AssertionError(f"expected a redirect to {to!r} from {_name(response)}, got one to {found!r}")


def assert_errors(response: "httpx2.Response", places: Iterable[str], *, status: int = 422) -> None:
    """Assert that an answer names errors at these places and no others.

    The answer is a problem document (RFC 9457), a place is written `"body.title"` or `"query.page"`.

    Raises:
        AssertionError: It has another status, is no such document, or names other places.
    """
    assert_status(response, status)
    try:
        document: Any = response.json()
        found = {".".join(map(str, error["place"])): error["message"] for error in document["errors"]}
    except (ValueError, KeyError, TypeError):
        raise AssertionError(f"expected errors from {_name(response)}, got:\n{_body(response)}") from None
    wanted = set(places)
    if set(found) != wanted:
        told = "\n".join(f"  {place}: {message}" for place, message in sorted(found.items()))
        raise AssertionError(f"expected errors at {', '.join(sorted(wanted)) or 'no place'}, got:\n{told}")


def _name(response: "httpx2.Response") -> str:
    return f"{response.request.method} {response.request.url.raw_path.decode('ascii')}"


def _body(response: "httpx2.Response") -> str:
    try:
        text = response.text
    except Exception:
        return "(the body was not read)"
    return text if len(text) <= 2000 else text[:2000] + " ..."
