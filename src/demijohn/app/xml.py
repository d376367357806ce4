"""Data as XML and back: a small mapping that any client can read without a schema.

A mapping becomes child elements named by its keys; a key that is no plain XML name becomes `<entry name="the key">`.
A list becomes `<item>` elements in an element with `type="list"`. `None` is an empty element with `nil="true"`, an
empty mapping one with `type="map"`; everything else is text. There are no namespaces, and a document type is refused:
no entity is ever expanded.
"""

from collections.abc import Mapping
from typing import Any
from xml.parsers import expat

from demijohn._lib.xml import is_xml_name, xml_attribute, xml_text
from demijohn.errors import MalformedBody
from demijohn.schema import to_builtins

__all__ = ["from_xml", "to_xml"]

_DEPTH = 100


def to_xml(value: object, *, root: str = "response") -> bytes:
    """Write a value as XML 1.0, in UTF-8.

    Characters that XML cannot carry are replaced by U+FFFD.

    Raises:
        NotEncodable: Nobody knows to write a type in it.

    Example:
        >>> to_xml({"tags": ["a & b"], "first name": None}).decode().partition("?>")[2].strip()
        '<response><tags type="list"><item>a &amp; b</item></tags><entry name="first name" nil="true"/></response>'
    """
    parts = ['<?xml version="1.0" encoding="utf-8"?>\n']
    _write(parts, root if is_xml_name(root) else "response", "", to_builtins(value))
    parts.append("\n")
    return "".join(parts).encode()


def _write(parts: list[str], name: str, attributes: str, value: Any) -> None:
    if value is None:
        parts.append(f'<{name}{attributes} nil="true"/>')
    elif isinstance(value, Mapping):
        if not value:
            parts.append(f'<{name}{attributes} type="map"/>')
            return
        parts.append(f"<{name}{attributes}>")
        for key, item in value.items():
            text = str(key)
            if is_xml_name(text):
                _write(parts, text, "", item)
            else:
                _write(parts, "entry", f' name="{xml_attribute(text)}"', item)
        parts.append(f"</{name}>")
    elif isinstance(value, list | tuple):
        parts.append(f'<{name}{attributes} type="list">')
        for item in value:
            _write(parts, "item", "", item)
        parts.append(f"</{name}>")
    else:
        text = ("true" if value else "false") if isinstance(value, bool) else str(value)
        parts.append(f"<{name}{attributes}>{xml_text(text)}</{name}>")


class _Element:
    __slots__ = ("children", "key", "kind", "nil", "text")

    def __init__(self, key: str, kind: str, nil: bool) -> None:
        self.key = key
        self.kind = kind
        self.nil = nil
        self.children: list[tuple[str, Any]] = []
        self.text: list[str] = []

    def value(self) -> Any:
        if self.nil:
            return None
        if self.kind in ("list", "array"):
            return [value for _, value in self.children]
        if self.children:
            names = [name for name, _ in self.children]
            if len(set(names)) < len(names):
                if len(set(names)) == 1:
                    return [value for _, value in self.children]
                raise MalformedBody(f"The body is not acceptable XML: <{self.key}> has an element twice.")
            return dict(self.children)
        return {} if self.kind == "map" else "".join(self.text)


def from_xml(data: bytes) -> Any:
    """Read XML as `to_xml` writes it; leaves are strings, since XML has no other (Any: dicts, lists and strings).

    An element that repeats one name is a list, with or without `type="list"`.

    Raises:
        MalformedBody: It is no XML, has a document type, is nested too deeply, or says a name twice.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    root = _Element("", "", nil=False)
    stack = [root]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > _DEPTH:
            raise MalformedBody("The body is not acceptable XML: it is nested too deeply.")
        key = attributes.get("name", name) if name == "entry" else name
        stack.append(_Element(key, attributes.get("type", ""), nil=attributes.get("nil") == "true"))

    def end(name: str) -> None:
        element = stack.pop()
        stack[-1].children.append((element.key, element.value()))

    def doctype(*_: object) -> None:
        raise MalformedBody("The body is not acceptable XML: it has a document type, which is not read here.")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: stack[-1].text.append(text)
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise MalformedBody(f"The body is not valid XML: {error}.") from None
    except (LookupError, ValueError) as error:
        raise MalformedBody(f"The body is not valid XML: {error}.") from None
    return root.children[0][1]
