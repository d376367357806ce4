"""The exceptions say what was seen, why it cannot be, and the line to write."""

import pytest

from demijohn.errors import Conflict, DemijohnError, FieldError, HTTPError, MethodNotAllowed, ValidationFailed, abort


def test_three_beats_and_the_code() -> None:
    """A developer's error prints its three beats in order, and its code last."""
    error = DemijohnError("Seen.", why="Why.", fix="Fix.", code="DJN-123")
    assert str(error) == "Seen.\nWhy.\nFix.  [DJN-123]"


def test_abort_raises_the_class_of_the_status() -> None:
    """`abort(409)` can be caught as `Conflict`."""
    with pytest.raises(Conflict) as caught:
        abort(409, "taken")
    assert caught.value.problem() == {"type": "about:blank", "title": "Conflict", "status": 409, "detail": "taken"}


def test_abort_takes_any_error_status_and_no_other() -> None:
    """A status without a class of its own works; one that is no error is refused."""
    with pytest.raises(HTTPError) as caught:
        abort(418)
    assert caught.value.status == 418
    with pytest.raises(ValueError, match="200 is not an error status"):
        abort(200)


def test_method_not_allowed_says_what_is() -> None:
    """405 carries `Allow`, sorted."""
    assert MethodNotAllowed(["POST", "GET"]).headers == [("allow", "GET, POST")]


def test_validation_failed_lists_every_error() -> None:
    """The problem document holds each error with place, code and message."""
    failed = ValidationFailed([FieldError(("query", "page"), "type", "Expected an integer.")])
    assert failed.problem()["errors"] == [
        {"place": ["query", "page"], "code": "type", "message": "Expected an integer."}
    ]
    assert failed.problem()["detail"] == "1 error in the input."


def test_validation_failed_is_read_in_a_traceback() -> None:
    """Its text names each field and what is wrong with it, and no more of them than can be read."""
    failed = ValidationFailed(
        [
            FieldError(("body", "lines", 1, "price"), "ge", "Must be at least 0."),
            FieldError(("query", "page"), "type", "Expected an integer."),
            FieldError(("body",), "type", "Expected an object."),
        ]
    )
    assert str(failed).splitlines() == [
        "3 errors in the input.",
        "  lines.1.price: Must be at least 0.  [ge]",
        "  query.page: Expected an integer.  [type]",
        "  the whole: Expected an object.  [type]",
    ]
    many = ValidationFailed([FieldError(("body", str(number)), "missing", "Missing.") for number in range(100)])
    assert len(str(many).splitlines()) == 12
