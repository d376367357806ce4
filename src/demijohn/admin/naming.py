"""How models and objects are named: in URLs, in headings, in lists."""

import re
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from demijohn.db import Model
from demijohn.db.declarative import table_name
from demijohn.db.descriptions import describe
from demijohn.schema import convert

__all__ = [
    "NoSuchKey",
    "bare_label",
    "battery_of",
    "capitalize",
    "humanize",
    "key_names",
    "key_of",
    "label_field",
    "label_of",
    "pluralize",
    "read_key",
    "section_of",
    "text_key",
    "words_of",
]

_LABELS = ("name", "title", "label", "display_name", "username", "email", "slug")  # as records are called
_RESERVED = frozenset(("add", "choices", "export"))
_UNSAFE = re.compile(r"[^A-Za-z0-9.~-]")
_ESCAPED = re.compile(r"_([0-9a-f]{2})")


class NoSuchKey(Exception):
    """A text that is no key of the model."""


def words_of(name: str) -> str:
    """Return the words of a class or field in lower case: `BlogPost` and `blog_post` become `blog post`."""
    return table_name(name).replace("_", " ").strip()


def humanize(name: str) -> str:
    """Return the words of a name with a capital."""
    return capitalize(words_of(name))


def capitalize(words: str) -> str:
    """Return words with a capital at their beginning, and the rest as it is."""
    return words[:1].upper() + words[1:]


def pluralize(words: str) -> str:
    """Return the English plural of a noun."""
    if re.search(r"[^aeiou]y$", words):
        return f"{words[:-1]}ies"
    if re.search(r"(s|x|z|ch|sh)$", words):
        return f"{words}es"
    return f"{words}s"


def section_of(model: type[Model]) -> str:
    """Return the part of the site that a model belongs to, by its module: `shop.orders.models` is `Orders`."""
    parts = [part for part in model.__module__.split(".") if part not in {"models", "model", "database", "tables"}]
    last = parts[-1] if parts else "site"
    return "" if last in {"__main__", "app", "main", "site"} else humanize(last)


# -- objects --------------------------------------------------------------------------------------------------------

_labelers: WeakKeyDictionary[type, Callable[[Any], str]] = WeakKeyDictionary()


def label_of(obj: Any) -> str:
    """Return what people call an object: its `__str__`, else its title or name, else model and key.

    Any: an instance of any model.
    """
    cls = type(obj)
    labeler = _labelers.get(cls)
    if labeler is None:
        labeler = _labelers[cls] = _labeler(cls)
    return labeler(obj)


def bare_label(cls: type[Any], key: str) -> str:
    """Return what stands in place of the label of an object that may not be seen: its model and its key."""
    return f"{humanize(cls.__name__)} {key}"


def label_field(cls: type[Any]) -> str | None:
    """Return the field that names the objects of a model, or None."""
    if _speaks(cls):
        return None
    fields = describe(cls)
    for name in _LABELS:
        field = fields.get(name)
        if field is not None and not field.private and field.type is str:
            return name
    return None


def _speaks(cls: type[Any]) -> bool:
    """Return whether somebody wrote a `__str__` for a model."""
    return any("__str__" in base.__dict__ for base in cls.__mro__[:-1])


def _labeler(cls: type[Any]) -> Callable[[Any], str]:
    noun = humanize(cls.__name__)
    if _speaks(cls):
        return lambda obj: str(obj) or f"{noun} {text_key(obj)}"
    name = label_field(cls)
    if name is None:
        return lambda obj: f"{noun} {text_key(obj)}"
    return lambda obj: str(getattr(obj, name) or f"{noun} {text_key(obj)}")


def key_of(obj: Any) -> tuple[Any, ...]:
    """Return the values of an object's primary key."""
    return tuple(type(obj).__mapper__.primary_key_from_instance(obj))


def key_names(model: type[Any]) -> list[str]:
    """Return the fields of a model's primary key."""
    mapper = model.__mapper__
    return [mapper.get_property_by_column(column).key for column in mapper.primary_key]


def battery_of(model: type[Any]) -> str:
    """Return the name of the battery that holds the rows of a model."""
    alias = model.__database__
    return "db" if alias == "default" else f"db:{alias}"


def _escape(text: str) -> str:
    return _UNSAFE.sub(lambda match: "".join(f"_{byte:02x}" for byte in match[0].encode()), text)


def text_key(obj: Any) -> str:
    """Return an object's key as one part of a path, whatever it holds."""
    parts = [_escape(_plain(value)) for value in key_of(obj)]
    text = ",".join(parts)
    if text in _RESERVED or not text:
        return f"_{ord(text[0]):02x}{text[1:]}" if text else "_"
    return text


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else str(msgspec.to_builtins(value))


def read_key(model: type[Model], text: str) -> tuple[Any, ...]:
    """Return the key that `text_key` wrote.

    Raises:
        NoSuchKey: It is none of this model.
    """
    keys = model.__mapper__.primary_key
    parts = text.split(",")
    if len(parts) != len(keys) or len(text) > 1000:
        raise NoSuchKey(text)
    fields = describe(model)
    found = []
    for part, column in zip(parts, keys, strict=True):
        try:
            plain = b"".join(
                bytes([int(piece, 16)]) if index % 2 else piece.encode()
                for index, piece in enumerate(_ESCAPED.split(part.removesuffix("_") if part == "_" else part))
            ).decode()
            field = fields[model.__mapper__.get_property_by_column(column).key]
            value = convert(plain, field.type, text=True)
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                raise NoSuchKey(text)  # no database holds it
            found.append(value)
        except Exception as error:
            raise NoSuchKey(text) from error
    return tuple(found)
