"""HTML attributes as one value: `<button {{ attributes }}>`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import escape

__all__ = ["Attributes"]

_FORBIDDEN = re.compile(r"[\s\"'>/=\x00-\x1f\x7f]")


class Attributes(Mapping[str, Any]):
    """HTML attributes for an element; printed, they are escaped and quoted.

    `True` prints the bare name; `False` and `None` leave the attribute out; a list or a dict of booleans as `class` is
    joined by spaces. A name with an underscore is written with a hyphen (`hx_get`), one that ends with an underscore
    loses it (`for_`). Values are `Any`: whatever prints.

    Raises:
        ValueError: On printing, for a name that HTML does not allow (HTML Standard, 13.1.2.3).

    Example:
        >>> str(Attributes({"hx_get": "/x?a=1&b=2", "disabled": True, "title": None}))
        'hx-get="/x?a=1&amp;b=2" disabled'
        >>> str(Attributes({"class": "wide"}).merge({"class": "button", "type": "submit"}))
        'class="button wide" type="submit"'
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any] | None = None, /) -> None:
        self._values = {_spelled(name): value for name, value in (values or {}).items()}

    def __getitem__(self, name: str) -> Any:
        return self._values[_spelled(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Attributes({self._values!r})"

    def merge(self, defaults: Mapping[str, Any] | None = None, /, **more: Any) -> "Attributes":
        """Return these over defaults; `class` and `style` keep both, the default first."""
        merged = Attributes({**(defaults or {}), **more})
        for name, value in self._values.items():
            if name == "class" and merged._values.get(name):
                value = f"{_classes(merged._values[name])} {_classes(value)}".strip()
            elif name == "style" and merged._values.get(name):
                value = f"{str(merged._values[name]).rstrip('; ')}; {value}"
            merged._values[name] = value
        return merged

    def without(self, *names: str) -> "Attributes":
        """Return these attributes without some."""
        left_out = {_spelled(name) for name in names}
        return Attributes({name: value for name, value in self._values.items() if name not in left_out})

    def __html__(self) -> str:
        parts = []
        for name, value in self._values.items():
            if value is None or value is False:
                continue
            if _FORBIDDEN.search(name) or not name:
                raise ValueError(f"{name!r} cannot be the name of an attribute.")
            if value is True:
                parts.append(name)
            else:
                parts.append(f'{name}="{escape(_classes(value) if name == "class" else value)}"')
        return " ".join(parts)

    def __str__(self) -> str:
        return self.__html__()


def _spelled(name: str) -> str:
    return name.removesuffix("_").replace("_", "-")


def _classes(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(str(name) for name, wanted in value.items() if wanted)
    if isinstance(value, list | tuple | set | frozenset):
        return " ".join(str(name) for name in value if name)
    return "" if value is None or value is False else str(value)
