"""The language in the path: `/de/posts`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Prefix"]


@dataclass(frozen=True, slots=True)
class Prefix:
    """How paths name their language.

    Args:
        default: Whether the default language has a prefix too; else `/posts` is its page, and `/de/posts` the German
            one. With it, `/posts` leads to the prefix of the visitor's language.
        exempt: Paths that have no language, with everything below them; their language is that of the visitor.
    """

    default: bool = False
    exempt: tuple[str, ...] = ("/api", "/static", "/admin")

    def is_exempt(self, path: str) -> bool:
        """Return whether a path, without any prefix, has no language."""
        return any(path == known or path.startswith(f"{known}/") for known in self.exempt)


class Paths:
    """Takes the language off the paths of requests and puts it into the URLs that are built.

    Args:
        prefix: The rules.
        tags: The languages of the app.
        default: The language that may have no prefix.
    """

    def __init__(self, prefix: Prefix, tags: Sequence[str], default: str) -> None:
        self.prefix = prefix
        self.default = default
        self._by_segment = {tag.lower(): tag for tag in tags if prefix.default or tag != default}
        self._segments = {tag: f"/{segment}" for segment, tag in self._by_segment.items()}

    def take(self, connection: Any) -> str | None:
        """Move the prefix of a request or socket (Any: either) to its root path; return the language.

        A path that is exempt keeps its prefix, and so leads nowhere.
        """
        path: str = connection.path
        segment, _, rest = path[1:].partition("/")
        tag = self._by_segment.get(segment)
        if tag is None or self.prefix.is_exempt(f"/{rest}"):
            return None
        cut = len(segment) + 1
        connection.path = path[cut:] or "/"
        raw: bytes = connection.raw_path
        if raw[:cut] == path[:cut].encode():
            connection.raw_path = raw[cut:] or b"/"
        connection.root_path = connection.root_path + path[:cut]
        return tag

    def segment(self, tag: str) -> str:
        """Return what stands before the paths of a language: `/de`, or nothing."""
        return self._segments.get(tag, "")

    def base(self, root: str) -> str:
        """Return a root path without the language that was moved to it."""
        above, slash, last = root.rpartition("/")
        return above if slash and last in self._by_segment else root

    def adjust(self, url: str, *, root: str, tag: str, files: tuple[str, ...] = ()) -> str:
        """Return a URL of the app in a language: the prefix that it was built with is replaced.

        Args:
            url: A path, or a whole URL.
            root: The root path that it was built with.
            tag: The language that it should lead to.
            files: What the paths of static files begin with. They are the same in each language, and kept by
                browsers once.
        """
        start = 0
        if not url.startswith("/"):
            start = url.find("/", url.find("//") + 2)
        if start < 0 or not url.startswith(root, start):
            return url
        rest = url[start + len(root) :]
        path = rest.partition("?")[0].partition("#")[0] or "/"
        has_none = self.prefix.is_exempt(path) or path.startswith(("/__demijohn__/", *files))
        segment = "" if has_none else self.segment(tag)
        return url[:start] + self.base(root) + segment + (rest or "")
