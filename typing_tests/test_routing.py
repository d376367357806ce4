"""What a checker knows of routing."""

from collections.abc import Mapping
from typing import Any, assert_type

from demijohn.routing import Converter, Match, PathEntry, PathGroup, Route, Router, include, path


class Hex(Converter[int]):
    """A converter has the type that it makes."""

    def convert(self, text: str) -> int:
        return int(text, 16)

    def format(self, value: int) -> str:
        return f"{value:x}"


def view(number: int) -> str:
    """A view."""
    return str(number)


def routing(router: Router) -> None:
    """Routes are found with their parameters, and URLs are text."""
    router.add(Route("/posts/{number:int}", view, methods=["GET"], name="post"))
    router.add_converter("hex", Hex)
    match = router.match("GET", "/posts/3")
    assert_type(match, Match)
    assert_type(match.route, Route | None)
    assert_type(match.params, Mapping[str, Any])
    assert_type(match.allowed, tuple[str, ...])
    assert_type(match.redirect, str | None)
    assert_type(router.find("GET", "/"), tuple[Any, dict[str, Any]] | None)
    assert_type(router.url_for(view, number=3), str)
    assert_type(Hex().convert("ff"), int)
    assert_type(path("/", view), PathEntry)
    assert_type(include("/blog", [path("/", view)]), PathGroup)
