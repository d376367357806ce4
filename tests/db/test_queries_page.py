"""Every row of docs/reference/queries.md: the Demijohn column runs, and SQLite sees the SQL of the right column."""

import ast
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

import demijohn.db
from demijohn.db import Database
from demijohn.db.building import Building
from demijohn.db.watching import watching
from tests.db import blog as models

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "queries.md"
SQL_NAMES = ("func", "select", "case", "or_", "extract", "text", "false")
ROW = re.compile(r"^\| (?P<django>.*?) \| `(?P<code>.*)` \| `(?P<sql>.*)` \|$")


def rows() -> list[Any]:
    """The rows of the page that have code and SQL."""
    found = []
    for number, line in enumerate(PAGE.read_text().splitlines(), 1):
        match = ROW.match(line)
        if match is not None:
            code, sql = (match[name].replace("\\|", "|") for name in ("code", "sql"))
            found.append(pytest.param(code, sql, id=f"line {number}"))
    return found


@pytest.fixture
async def filled(sqlite: Database) -> AsyncIterator[Database]:
    """A SQLite database with ten posts."""
    async with sqlite.unit():
        await sqlite.create_all(models.Base)
    await sqlite.run(models.fill())
    return sqlite


def compiled(code: str, names: dict[str, Any]) -> Any:
    """The code as a coroutine function that returns what its last expression gives."""
    tree = ast.parse(code, mode="exec", type_comments=False) if "async with" not in code else ast.parse(code)
    last = tree.body[-1]
    if isinstance(last, ast.Expr):
        tree.body[-1] = ast.Return(last.value)
    function = ast.parse("async def row(): pass").body[0]
    assert isinstance(function, ast.AsyncFunctionDef)
    function.body = tree.body
    module = ast.fix_missing_locations(ast.Module([function], []))
    exec(compile(module, "<row>", "exec"), names)
    return names["row"]


def pattern(sql: str) -> re.Pattern[str]:
    """A regular expression of the abbreviated SQL: `…` stands for anything."""
    return re.compile(".*".join(re.escape(part.strip()) for part in re.split("…", sql)), re.DOTALL)


@pytest.mark.parametrize(("code", "sql"), rows())
async def test_row(filled: Database, code: str, sql: str) -> None:
    """The query of a row runs and sends the statement that the row shows."""

    async def main() -> None:
        posts = await models.Post.query().order_by("id").all()
        names: dict[str, Any] = {
            **{
                name: getattr(sqlalchemy, name)
                for name in ("func", "select", "case", "or_", "extract", "text", "false")
            },
            **{name: getattr(demijohn.db, name) for name in demijohn.db.__all__},
            **{name: getattr(models, name) for name in ("User", "Post", "Tag", "Comment")},
            "db": filled,
            "me": await models.User.query().first(),
            "p": posts[1],
            "ids": [post.id for post in posts],
        }
        filled.session.expunge_all()
        for name in ("p", "me"):
            filled.session.add(names[name])
        with watching() as watch:
            result = await compiled(code, names)()
            if isinstance(result, Building):
                await result
        shown = [" ".join(statement.text.split()) for statement in watch.statements]
        assert any(pattern(sql).search(text) for text in shown), "\n".join(shown)

    await filled.run(main())


def test_the_page_has_rows() -> None:
    """The rows are found: a change of the table's form must not leave them untested."""
    assert len(rows()) > 90
