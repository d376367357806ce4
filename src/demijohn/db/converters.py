"""A model in the path of a route."""

from collections.abc import Callable
from typing import Any

from demijohn.db.declarative import Declarative
from demijohn.routing import Converter

__all__ = ["ModelConverter"]


class ModelConverter(Converter[Any]):
    """The text of a key or of another column, for a parameter whose type is a model.

    The value in the path is that of the column; the binder loads the row. `url_for` takes the object as well.
    """

    def __init__(self, model: type[Declarative], key: str, inner: Converter[Any]) -> None:
        self.model = model
        self.column_key = key
        self.inner = inner
        self.weight = inner.weight  # type: ignore[misc]  # each has that of its column's type
        self.spans_segments = inner.spans_segments  # type: ignore[misc]

    @property
    def key(self) -> Any:
        return (ModelConverter, self.model, self.column_key)

    def convert(self, text: str) -> Any:
        return self.inner.convert(text)

    def format(self, value: Any) -> str:
        if isinstance(value, self.model):
            value = getattr(value, self.column_key)
        return self.inner.format(value)

    def matcher(self) -> Callable[[str], Any]:
        return self.inner.matcher()
