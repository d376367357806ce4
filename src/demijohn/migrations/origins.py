"""Migrations that batteries of third parties bring: they are copied into the one history of the project.

A battery that has a folder `migrations` says so by an attribute of that name. What is copied is the project's own from
then on: it stands in the order, is reviewed and can be changed.
"""

import re
from pathlib import Path

from demijohn.migrations.history import History, Migration, slug_of

__all__ = ["bring"]


def bring(history: History, folders: dict[str, Path]) -> list[Migration]:
    """Copy the migrations that are new in the folders of batteries; returns the copies.

    Args:
        history: Where they go.
        folders: The folders by the name of the battery.
    """
    known = {one.origin for one in history if one.origin}
    made: list[Migration] = []
    for battery, folder in folders.items():
        for one in History(folder):
            origin = f"{battery}/{one.name}"
            if origin in known:
                continue
            head = history.head
            name = history.next_name(slug_of(f"{battery}_{one.name.partition('_')[2]}"))
            made.append(history.add(name, _adopted(one, name, head, origin)))
    return made


def _adopted(one: Migration, name: str, head: str | None, origin: str) -> str:
    source = one.path.read_text(encoding="utf-8")
    down = "None" if head is None else f'"{head}"'
    lines = f'revision = "{name}"\ndown_revision = {down}\norigin = "{origin}"'
    source = re.sub(r"^down_revision\b.*\n", "", source, count=1, flags=re.MULTILINE)
    return re.sub(r"^revision\b.*$", lambda _: lines, source, count=1, flags=re.MULTILINE)
