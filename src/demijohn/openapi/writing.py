"""Plain data as YAML 1.2, without a library: strings in the quotes of JSON, which YAML reads as they are."""

from collections.abc import Iterator, Mapping
from typing import Any

from demijohn.schema import to_json

__all__ = ["to_yaml_text"]


def to_yaml_text(value: Any) -> str:
    """Return data as YAML (Any: plain data, as `to_builtins` makes it).

    Example:
        >>> print(to_yaml_text({"a": [1, "x: y"], "b": {}}), end="")
        a:
          - 1
          - "x: y"
        b: {}
    """
    return "\n".join(_lines(value, 0)) + "\n"


def _lines(value: Any, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            name = _key(str(key))
            if _is_block(item):
                yield f"{indent}{name}:"
                yield from _lines(item, depth + 1)
            else:
                yield f"{indent}{name}: {_scalar(item)}"
    elif isinstance(value, list) and value:
        for item in value:
            if _is_block(item):
                first, *rest = _lines(item, depth + 1)
                yield f"{indent}- {first.lstrip(' ')}"
                yield from rest
            else:
                yield f"{indent}- {_scalar(item)}"
    else:
        yield f"{indent}{_scalar(value)}"


def _is_block(value: Any) -> bool:
    return isinstance(value, Mapping | list) and bool(value)


def _key(key: str) -> str:
    # Words that older readers take for something else are quoted: `on`, `no`, `null`.
    if key.isidentifier() and key.isascii() and key.lower() not in _WORDS:
        return key
    return _scalar(key)


_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def _scalar(value: Any) -> str:
    return to_json(value).decode()
