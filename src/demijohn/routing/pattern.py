"""Patterns: the text of a route, read into segments of literals and parameters."""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from demijohn.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Parameter", "Pattern", "Segment", "parse_host", "parse_path"]

_ANGLED = re.compile(r"<(?:(?P<converter>[A-Za-z_]\w*)(?:\([^)]*\))?:)?(?P<name>[A-Za-z_]\w*)>")
_CONVERTER = re.compile(r"(?P<name>[A-Za-z_][\w.]*)(?:\((?P<arguments>.*)\))?", re.DOTALL)
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")


class Parameter(Struct, frozen=True):
    """One `{name}` or `{name:converter(arguments)}` of a pattern.

    The converter is a bare word here. What it means is settled by `Router.compile`, which may ask the app: in
    `{post:slug}` it is the column of a model when `post` is one, and the converter `slug` otherwise.
    """

    name: str
    converter: str | None = None
    arguments: str | None = None

    def __str__(self) -> str:
        if self.converter is None:
            return f"{{{self.name}}}"
        arguments = "" if self.arguments is None else f"({self.arguments})"
        return f"{{{self.name}:{self.converter}{arguments}}}"


Segment: TypeAlias = tuple[str | Parameter, ...]
"""What stands between two slashes (or two dots of a host): literals and parameters in turn."""


class Pattern(Struct, frozen=True, kw_only=True):
    """A pattern that was read: its text, its segments and its parameters in order."""

    text: str
    segments: tuple[Segment, ...]
    parameters: tuple[Parameter, ...]

    @property
    def is_static(self) -> bool:
        """True where the pattern has no parameter, so that one look-up finds it."""
        return not self.parameters

    @property
    def literal(self) -> str:
        """The path itself of a static pattern, with doubled braces undone."""
        return "/" + "/".join("".join(str(part) for part in segment) for segment in self.segments)


def parse_path(text: str, *, place: str = "") -> Pattern:
    """Read the pattern of a path: `/posts/{post}/{rest:path}`.

    `{{` and `}}` are braces that mean themselves. Several parameters may share a segment with literals between
    them: `/{name}.{extension}`.

    Raises:
        ConfigurationError: The pattern cannot be read (DJN-100) or names a parameter twice (DJN-102).
    """
    fail = _Failure("route pattern", text, place)
    if not text.startswith("/"):
        raise fail("does not begin with a slash.", "Every path does.", f"Write {'/' + text!r}.")
    segments = _split(text[1:], "/", fail)
    literals = " ".join(_literals(segments))
    if "?" in literals or "#" in literals:
        raise fail(
            "contains '?' or '#'.",
            "They end a path; the query is not part of the pattern.",
            "Take it off: a parameter of the function that is not in the path is read from the query.",
        )
    if (encoded := _ENCODED.search(literals)) is not None:
        raise fail(
            f"contains the escape {encoded.group()!r}.",
            "Patterns are compared with the decoded path.",
            "Write the character itself.",
        )
    for segment in segments[:-1]:
        if not segment:
            raise fail("contains '//'.", "No two slashes follow each other in a path.", "Write one slash.")
    if any(segment in ((".",), ("..",)) for segment in segments):
        raise fail(
            "contains a segment '.' or '..'.", "Clients resolve those before they ask.", "Write the path they lead to."
        )
    return _finish(text, segments, fail)


def parse_host(text: str, *, place: str = "") -> Pattern:
    """Read the pattern of a host: `api.example.com`, `{tenant}.example.com`.

    Raises:
        ConfigurationError: The pattern cannot be read (DJN-100) or names a parameter twice (DJN-102).
    """
    fail = _Failure("host pattern", text, place)
    segments = _split(text, ".", fail)
    if not text or any(character in "/:@? " for literal in _literals(segments) for character in literal):
        raise fail(
            "is not a host.",
            "A host is a name like 'api.example.com', without scheme, port or path.",
            "Write host='api.example.com' or host='{tenant}.example.com'.",
        )
    if not all(segments):
        raise fail("has an empty label.", "Dots separate labels.", "Take the dot off.")
    lowered = [tuple(part.lower() if isinstance(part, str) else part for part in segment) for segment in segments]
    return _finish(text, lowered, fail)


class _Failure:
    def __init__(self, kind: str, text: str, place: str) -> None:
        self.seen = f"The {kind} {text!r}" + (f" ({place})" if place else "")

    def __call__(self, seen: str, why: str, fix: str, *, code: str = "DJN-100") -> ConfigurationError:
        return ConfigurationError(f"{self.seen} {seen}", why=why, fix=fix, code=code)


def _literals(segments: Sequence[Segment]) -> list[str]:
    return [part for segment in segments for part in segment if isinstance(part, str)]


def _split(text: str, separator: str, fail: _Failure) -> list[Segment]:
    segments: list[Segment] = []
    parts: list[str | Parameter] = []
    literal: list[str] = []
    position = 0

    def end_literal() -> None:
        if literal:
            parts.append("".join(literal))
            literal.clear()

    while position < len(text):
        character = text[position]
        if character == separator:
            end_literal()
            segments.append(tuple(parts))
            parts = []
            position += 1
        elif text.startswith(("{{", "}}"), position):
            literal.append(character)
            position += 2
        elif character == "{":
            end = _closing(text, position)
            if end is None:
                raise fail(
                    "opens a brace that is never closed.",
                    "A parameter is written {name} or {name:converter}.",
                    "Close it, or write '{{' for a brace that means itself.",
                )
            end_literal()
            if parts and isinstance(parts[-1], Parameter):
                raise fail(
                    f"has {parts[-1]} and {text[position:end]} side by side.",
                    "Nothing says where one ends and the other begins.",
                    "Put a literal between them: {year}-{month}.",
                )
            parts.append(_parameter(text[position + 1 : end - 1], fail))
            position = end
        elif character == "}":
            raise fail(
                "closes a brace that was never opened.",
                "A parameter is written {name} or {name:converter}.",
                "Open it, or write '}}' for a brace that means itself.",
            )
        elif character == "<" and (angled := _ANGLED.match(text, position)) is not None:
            name, converter = angled.group("name"), angled.group("converter")
            converter = {"string": None, "str": None}.get(converter, converter)
            raise fail(
                f"contains {angled.group()!r}.",
                "Parameters stand in braces here, the name before the converter.",
                f"Write {str(Parameter(name, converter))!r}.",
            )
        elif not character.isprintable():
            raise fail(f"contains the character {character!r}.", "It cannot be printed.", "Take it out.")
        else:
            literal.append(character)
            position += 1
    end_literal()
    segments.append(tuple(parts))
    return segments


def _closing(text: str, start: int) -> int | None:
    """Return where the brace opened at `start` is closed, one past it; nested pairs belong to arguments."""
    depth = 0
    position = start
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return position + 1
        position += 1
    return None


def _parameter(inner: str, fail: _Failure) -> Parameter:
    name, colon, rest = inner.partition(":")
    name = name.strip()
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise fail(
            f"names a parameter {name!r}.",
            "It becomes a parameter of the function, so it must be a Python name that begins with no underscore.",
            "Write something like {id} or {name:int}.",
        )
    if not colon:
        return Parameter(name)
    found = _CONVERTER.fullmatch(rest.strip())
    if found is None:
        raise fail(
            f"has the converter {rest!r}.",
            "A converter is a word, with arguments in parentheses where it takes some.",
            f"Write {{{name}:int}} or {{{name}:any(draft, public)}}.",
        )
    return Parameter(name, found.group("name"), arguments=found.group("arguments"))


def _finish(text: str, segments: Sequence[Segment], fail: _Failure) -> Pattern:
    parameters = tuple(part for segment in segments for part in segment if isinstance(part, Parameter))
    seen: set[str] = set()
    for parameter in parameters:
        if parameter.name in seen:
            raise fail(
                f"names {parameter.name!r} twice.",
                "A function takes one value by one name.",
                "Give one of them another name.",
                code="DJN-102",
            )
        seen.add(parameter.name)
    return Pattern(text=text, segments=tuple(segments), parameters=parameters)
