"""MySQL and Oracle, for which no server is here: the SQL that their dialects write is held by a file beside this one.

`UPDATE_SNAPSHOTS=1 pytest tests/db/test_dialects.py` writes the file anew; read the difference.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.dialects import mysql as sql_mysql
from sqlalchemy.schema import CreateIndex, CreateTable

from demijohn.db import count_of
from demijohn.db.dialects.mysql import MariaDBDialect, MySQLDialect
from demijohn.db.dialects.oracle import OracleDialect
from demijohn.db.dialects.postgresql import PostgreSQLDialect
from demijohn.db.dialects.sqlite import SQLiteDialect
from tests.db.blog import Base, Comment, Post, Tag, User
from tests.db.test_models import Everything

DIALECTS: dict[str, Any] = {
    "mysql": MySQLDialect,
    "oracle": OracleDialect,
    "mariadb": MariaDBDialect,
    "postgresql": PostgreSQLDialect,
    "sqlite": SQLiteDialect,
}
FOLDER = Path(__file__).parent / "snapshots"


def statements() -> dict[str, Any]:
    """A statement of each kind that models and queries make."""
    Base.registry.configure()
    ranked = func.rank().over(partition_by=Post.author_id, order_by=Post.stars.desc()).label("place")
    best = select(Post.id, ranked).subquery()
    return {
        "all": Post.query().statement,
        "filter": Post.where(Post.published, or_(Post.stars > 3, Post.editor_id.is_(None))).statement,
        "text": Post.where(Post.title.icontains("a_b", autoescape=True)).statement,
        "related": Post.where(Post.author.has(display_name="Ann"), Post.tags.any(name="sql")).statement,
        "page": Post.query().order_by("-created_at", "id").limit(20).offset(40).statement,
        "exclude": Post.query().exclude(stars=3).statement,
        "annotate": User.query().annotate(posts_count=count_of(User.posts, Post.published)).statement,
        "window": select(Post).join(best, best.c.id == Post.id).where(best.c.place == 1),
        "union": Post.where(stars=1).union(Post.where(stars=2)).statement,
        "lock": Post.where(id=1).for_update(skip_locked=True).statement,
        "group": Post.query()
        .select(Post.author_id, func.count())
        .group_by("author_id")
        .having(func.count() > 1)
        .statement,
        "load": Post.query().load(Post.author, join=True).statement,
        "insert": insert(Tag).values(name="a"),
        "update": update(Post).where(Post.id == 1).values(stars=Post.stars + 1),
        "json": select(Everything.id).where(Everything.anything["size"].as_integer() > 3),
    }


def written(name: str) -> str:
    """All statements and tables as one text."""
    dialect = DIALECTS[name]()
    if name in {"mysql", "mariadb"}:
        dialect.server_version_info = (8, 0, 40) if name == "mysql" else (10, 11, 6)
        dialect.is_mariadb = name == "mariadb"
    if name == "oracle":
        dialect.server_version_info = (19, 0, 0, 0, 0)
        dialect.supports_native_boolean = False
    parts = []
    for key, statement in statements().items():
        parts.append(f"-- {key}\n{' '.join(str(statement.compile(dialect=dialect)).split())}")
    for model in (User, Tag, Post, Comment, Everything):
        table: Any = model.__table__
        parts.append(f"-- table {table.name}\n{str(CreateTable(table).compile(dialect=dialect)).strip()}")
        indexes = sorted(table.indexes, key=lambda one: str(one.name))
        parts += [str(CreateIndex(index).compile(dialect=dialect)).strip() for index in indexes]
    return "\n\n".join(parts).replace("\t", "    ") + "\n"


@pytest.mark.parametrize("name", DIALECTS)
def test_the_sql_is_known(name: str) -> None:
    """What a dialect writes for tables, queries and changes is what somebody has read."""
    path = FOLDER / f"{name}.sql"
    text = "\n".join(line.rstrip() for line in written(name).splitlines()) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_upserts_of_mysql() -> None:
    """MySQL and MariaDB update by ON DUPLICATE KEY; the other servers have conflicts by name."""
    made = sql_mysql.insert(Tag).values(name="a")
    dialect = MySQLDialect()
    dialect.server_version_info = (8, 0, 40)
    text = str(made.on_duplicate_key_update(name=made.inserted.name).compile(dialect=dialect))
    assert "ON DUPLICATE KEY UPDATE name = " in text
