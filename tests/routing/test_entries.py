"""Routes as a list."""

import pytest

from demijohn.errors import ConfigurationError
from demijohn.routing import flatten, include, path


def view() -> None: ...


def test_lists_are_flattened() -> None:
    """Prefixes and namespaces of nested groups are put together, in order; options pass through."""
    items = [
        path("/", view, name="home"),
        include(
            "/blog",
            [
                path("/", view),
                include("/admin", [path("/{id:int}", view, methods=["POST"], status=201)], namespace="admin"),
            ],
            namespace="blog",
        ),
        include("", [path("/last", view)]),
    ]
    entries = list(flatten(items))
    assert [entry.pattern for entry in entries] == ["/", "/blog/", "/blog/admin/{id:int}", "/last"]
    assert [entry.namespace for entry in entries] == ["", "blog", "blog.admin", ""]
    assert [entry.methods for entry in entries] == [None, None, ("POST",), None]
    assert dict(entries[2].options) == {"status": 201}
    assert entries[0].name == "home"
    assert all("test_entries.py:" in entry.place for entry in entries)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: path("/", view, methods="GET"), "methods=['GET']"),
        (lambda: path("/", "views.home"), "'views.home'"),
        (lambda: path("/", [path("/", view)]), "include"),
        (lambda: include("blog", []), "'/blog'"),
        (lambda: include("/blog/", []), "'/blog'"),
        (lambda: include("/blog", [view]), "path("),
    ],
)
def test_mistakes_are_told(make, words: str) -> None:
    """What is no list of routes is refused where it is written, with the line to write."""
    with pytest.raises(ConfigurationError, match="DJN-116") as caught:
        make()
    assert words in str(caught.value)
    assert "test_entries.py:" in caught.value.seen
