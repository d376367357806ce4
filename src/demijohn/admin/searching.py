"""Search: words that all have to be found, each in any of the fields."""

import re
from functools import reduce
from operator import or_
from typing import Any

from demijohn.admin.access import Visit
from demijohn.admin.database import NEVER
from demijohn.admin.options import ModelAdmin
from demijohn.admin.paths import Path, read_path
from demijohn.db import QuerySet
from demijohn.db.descriptions import describe

__all__ = ["Search"]

_WORDS = re.compile(r'"([^"]*)"|(\S+)')
_MOST_WORDS = 8
_MOST_FIELDS = 4
LONGEST = 200


class Search:
    """The fields that are looked at, with how: anywhere in them, from the beginning (`^`), as a whole (`=`)."""

    def __init__(self, admin: ModelAdmin) -> None:
        given = default_fields(admin) if admin.search_fields is None else admin.search_fields
        self.admin = admin
        self.fields: list[tuple[str, Path]] = []
        for one in given:
            how = ""
            if isinstance(one, str) and one[:1] in {"^", "="}:
                how, one = one[0], one[1:]  # noqa: PLW2901, RUF100
            path = read_path(admin.model, one)
            if path.link is not None or path.field.type not in {str, int}:
                raise admin.wrong(
                    "search_fields",
                    path.name,
                    why="A search compares text, or whole numbers.",
                    fix=f'Name a text of it: "{path.name}__name"' if path.link is not None else "Name a text field.",
                )
            self.fields.append((how, path))

    def __bool__(self) -> bool:
        return bool(self.fields)

    def fields_for(self, visit: Visit) -> list[tuple[str, Path]]:
        """Return the fields that a user may see: what others hold could be guessed from what is found."""
        return [(how, path) for how, path in self.fields if visit.sees_path(self.admin, path)]

    def apply(self, query: QuerySet[Any], text: str, *, visit: Visit) -> QuerySet[Any]:
        """Return the query for objects in which all words are found (Any: objects of any model)."""
        fields = self.fields_for(visit)
        words = [quoted or word for quoted, word in _WORDS.findall(text.replace("\x00", "")[:LONGEST])][:_MOST_WORDS]
        for word in filter(None, words):
            criteria = [made for how, path in fields if (made := _criterion(how, path, word)) is not None]
            if not criteria:
                return query.where(NEVER)
            query = query.where(reduce(or_, criteria))
        return query


def _criterion(how: str, path: Path, word: str) -> Any:
    if path.field.type is int:
        if not re.fullmatch(r"-?\d{1,18}", word):
            return None
        return path.criterion(lambda attribute: attribute == int(word))
    if how == "=":
        return path.criterion(lambda attribute: attribute == word)
    if how == "^":
        return path.criterion(lambda attribute: attribute.istartswith(word, autoescape=True))
    return path.criterion(lambda attribute: attribute.icontains(word, autoescape=True))


def default_fields(admin: ModelAdmin) -> list[str]:
    """Return the fields that are searched where the options name none: the short texts."""
    return [
        name
        for name, field in describe(admin.model).items()
        if field.type is str and not field.private and "key_of" not in field.extra and not field.choices
    ][:_MOST_FIELDS]
