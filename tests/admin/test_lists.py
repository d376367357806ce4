"""Lists: what they show, how they are searched, filtered, sorted and paged, and what is refused."""

import csv
import io
import re
from typing import Any

import pytest

from demijohn.admin import Choice, Filter, ModelAdmin, NullFilter, display
from demijohn.db import Database, max_queries
from demijohn.errors import ConfigurationError
from tests.admin.conftest import Open
from tests.admin.shop import Comment, Door, Membership, Person, Post, Writer

Caplog = pytest.LogCaptureFixture


def titles(text: str) -> list[str]:
    """The labels of the rows of a list."""
    return re.findall(r'<th scope="row"[^>]*><a [^>]*>([^<]*)</a>', text)


class PostAdmin(ModelAdmin):
    list_display = ["title", "author", "editor__email", "kind", "published", "words", "tags"]
    list_filter = ["published", "kind", "author", "created_at", "tags", ("editor", NullFilter)]
    search_fields = ["title", "author__email", "=slug"]
    date_hierarchy = "created_at"
    ordering = ["title"]
    list_per_page = 5

    @display(label="Words", ordering="-body")
    def words(self, post: Post) -> int:
        return len(post.body.split())


async def test_a_model_without_options_has_a_list(database: Database, open_site: Open) -> None:
    """`Admin()` and nothing else lists every model: what names its objects, short fields, search and filters."""
    client = await open_site(database)
    index = (await client.get("/admin/")).text
    assert all(f'href="/admin/{slug}/"' in index for slug in ("post", "writer", "tag", "comment", "membership"))
    page = await client.get("/admin/post/")
    assert page.status_code == 200
    assert len(titles(page.text)) == 12
    assert titles(page.text)[0] == "Post 11"
    assert 'name="q"' in page.text
    assert "Published" in page.text
    assert "words of" not in page.text  # long texts have no column


async def test_private_fields_are_nowhere(database: Database, open_site: Open) -> None:
    """Hashes are neither shown, exported, nor among the choices."""
    client = await open_site(database)
    for path in ("/admin/writer/", "/admin/writer/export/", "/admin/writer/1/", "/admin/writer/choices/?q=a"):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert "hash" not in answer.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=bob@example.org", ["Post 08", "Post 09", "Post 10", "Post 11"]),
        ("q=post+03", ["Post 03"]),
        ('q="Post+03"', ["Post 03"]),
        ("q=post-3", ["Post 03"]),
        ("q=100%25", []),
        ("published=true&kind=essay", ["Post 00", "Post 06"]),
        ("kind=news,essay&author=2", ["Post 08", "Post 09", "Post 10", "Post 11"]),
        ("editor=filled", ["Post 00"]),
        ("created_at=2025-02-01..2025-02-28", ["Post 01", "Post 04", "Post 07", "Post 10"]),
        ("created_at.from=2025-03-01&created_at.to=", ["Post 02", "Post 05", "Post 08", "Post 11"]),
        ("when=2025-02-10", ["Post 01", "Post 04", "Post 07", "Post 10"]),
        ("when=2024", []),
        ("tags=3", ["Post 03", "Post 07", "Post 11"]),
        ("tags=null", ["Post 00", "Post 04", "Post 08"]),
        ("sort=-author,-title", ["Post 11", "Post 10", "Post 09", "Post 08", "Post 07"]),
        ("sort=editor__email,title&author=1&published=true&page=1", ["Post 00", "Post 02", "Post 04", "Post 06"]),
        ("page=3", ["Post 10", "Post 11"]),
    ],
)
async def test_search_filters_and_order(database: Database, open_site: Open, query: str, found: list[str]) -> None:
    """Words have to be found in any field each; filters and dates narrow; several columns sort, over relations too."""
    client = await open_site(database, (Post, PostAdmin))
    page = await client.get(f"/admin/post/?{query}")
    assert page.status_code == 200
    expected = sorted(found) if "editor__email" in query else found
    shown = sorted(titles(page.text)) if "editor__email" in query else titles(page.text)
    assert shown == expected


@pytest.mark.parametrize(
    "query",
    [
        "secret=1", "author__secret=hash", "author__email__startswith=a", "published=maybe", "kind=poem", "author=x",
        "author=99999999999999999999", "created_at=yesterday", "created_at=9999-12-31..9999-12-31", "when=2025-13",
        "when=0", "sort=secret", "sort=author__secret", "sort=--title", "tags=1;drop", "editor=1",
    ],
)  # fmt: skip
async def test_what_is_no_filter_is_refused_and_logged(
    sqlite: Database, open_site: Open, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing that comes from a client names a field: what was not declared is 400, with a line in the log."""
    client = await open_site(sqlite, (Post, PostAdmin))
    answer = await client.get(f"/admin/post/?{query}")
    assert answer.status_code == 400
    if "when" not in query:
        assert "Refused" in caplog.text


@pytest.mark.parametrize("query", ["page=0", "page=-1", "page=x", "page=4", "page=99999999999"])
async def test_pages_that_are_not_there(sqlite: Database, open_site: Open, query: str) -> None:
    """A page beyond the last one is 404."""
    client = await open_site(sqlite, (Post, PostAdmin))
    assert (await client.get(f"/admin/post/?{query}")).status_code == 404


async def test_pages_stay_fast_beyond_the_bound(database: Database, open_site: Open) -> None:
    """Rows are counted up to a bound; beyond it pages go on by key, and show every row once."""
    client = await open_site(database, (Post, PostAdmin), count_limit=4)
    url: str | None = "/admin/post/?sort=title"
    seen: list[str] = []
    while url:
        page = (await client.get(url)).text
        seen += titles(page)
        following = re.search(r'<a href="([^"]*)" rel="next">', page)
        url = following[1].replace("&amp;", "&") if following else None
        if url:
            assert "after=" in url
    assert seen == [f"Post {number:02}" for number in range(12)]
    assert "4+" in page


async def test_a_list_of_relations_takes_few_queries(sqlite: Database, open_site: Open) -> None:
    """Rows with two relations to one, tags, bounds of the dates; counting only where it must."""
    client = await open_site(sqlite, (Post, PostAdmin))
    with max_queries(4):
        await client.get("/admin/post/")
    with max_queries(3):
        await client.get("/admin/post/?author=2&when=2025-01")


async def test_choices_of_a_relation_come_when_they_are_asked_for(database: Database, open_site: Open) -> None:
    """A filter by relation loads nothing until somebody opens it; then it can be searched, without a script."""
    client = await open_site(database, (Post, PostAdmin))
    closed = (await client.get("/admin/post/")).text
    assert "choose=author" in closed
    assert "author=1" not in closed
    opened = (await client.get("/admin/post/?choose=author")).text
    assert 'href="/admin/post/?author=1"' in opened
    found = (await client.get("/admin/post/?choose=author&find=bo")).text
    assert "author=2" in found
    assert "author=1" not in found


async def test_markup_is_text(database: Database, open_site: Open) -> None:
    """Markup in any field is shown as it was typed: in cells, headings, choices, histories."""
    bad = "<script>alert(1)</script>"
    async with database.unit():
        writer = await Writer.create(display_name=bad, email="x@example.org")
        post = await Post.create(title=f"{bad}{bad}", slug="bad", body=bad, author=writer)
    client = await open_site(database, (Post, PostAdmin))
    for path in (
        "/admin/post/?q=script", "/admin/post/?choose=author", f"/admin/post/{post.id}/", f"/admin/writer/{writer.id}/",
        f"/admin/post/{post.id}/history/", f"/admin/post/{post.id}/delete/", f"/admin/post/?q={bad}",
        f"/admin/writer/{writer.id}/delete/", "/admin/writer/",
    ):  # fmt: skip
        answer = await client.get(path)
        assert answer.status_code == 200, path
        assert bad not in answer.text, path
        assert "&lt;script&gt;" in answer.text, path


async def test_export_streams_what_the_list_is_about(database: Database, open_site: Open) -> None:
    """The file has all rows of the search in its order, not those of one page; formulas are text."""
    async with database.unit():
        ann = await Writer.where(display_name="Ann").one()
        await Post.create(title="=cmd|' /C calc'!A0", slug="formula", author=ann)
    client = await open_site(database, (Post, PostAdmin))
    answer = await client.get("/admin/post/export/?author=1&sort=-title")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))
    assert [row["title"] for row in rows] == [f"Post {number:02}" for number in range(7, -1, -1)] + [
        "'=cmd|' /C calc'!A0"
    ]
    assert rows[-2]["editor__email"] == "bob@example.org"
    assert rows[-2]["author"] == "Ann"
    assert rows[4]["tags"] == "python, web, wine"


async def test_odd_keys_have_addresses(database: Database, open_site: Open) -> None:
    """A key of several columns, with slashes and commas in it, is one part of a path and comes back as it was."""
    client = await open_site(database)
    page = (await client.get("/admin/membership/")).text
    url = re.search(r'<th scope="row"[^>]*><a href="([^"]*)"', page)
    assert url is not None
    assert (await client.get(url[1])).status_code == 200
    for path in (
        "/admin/membership/x/",
        "/admin/membership/a,b/",
        "/admin/post/x/",
        "/admin/post/_f/",
        "/admin/nothing/",
    ):
        assert (await client.get(path)).status_code == 404
    assert Membership.__tablename__ == "membership"


async def test_only_staff_come_in(
    sqlite: Database, open_site: Open, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is sent to log in and back again; who is no staff hears 403, and the log tells."""
    client = await open_site(sqlite)
    door.person = None
    answer = await client.get("/admin/post/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/admin/post/")
    told = await client.get("/admin/post/choices/", headers={"accept": "application/json"})
    assert (told.status_code, told.headers["content-type"]) == (401, "application/problem+json")
    assert (await client.post("/admin/post/")).status_code == 401
    door.person = Person("eve", staff=False)
    assert (await client.get("/admin/")).status_code == 403
    assert "Refused 'enter' to eve" in caplog.text


async def test_permissions_by_model(
    sqlite: Database, open_site: Open, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    """Models that a user may not see are not in the menu, and every address of theirs is refused and logged."""
    client = await open_site(sqlite)
    door.person = Person("eve", may={"post.view"})
    index = (await client.get("/admin/")).text
    assert "/admin/post/" in index
    assert "/admin/writer/" not in index
    assert "/admin/post/add/" not in index
    for path in ("/admin/writer/", "/admin/writer/1/", "/admin/writer/export/", "/admin/writer/choices/",
                 "/admin/writer/1/history/", "/admin/post/1/delete/"):  # fmt: skip
        assert (await client.get(path)).status_code == 403, path
        assert path in caplog.text
    assert (await client.get("/admin/post/1/")).status_code == 200


async def test_objects_that_a_query_leaves_out_do_not_exist(sqlite: Database, open_site: Open) -> None:
    """`query(user)` narrows lists, counts, exports, pages, choices and actions alike."""

    class Own(ModelAdmin):
        list_filter = ["author"]

        def query(self, user: Any) -> Any:
            return super().query(user).where(Post.author_id == 1) if self.model is Post else super().query(user)  # type: ignore[attr-defined]

    client = await open_site(sqlite, (Post, Own))
    assert len(titles((await client.get("/admin/post/")).text)) == 8
    assert (await client.get("/admin/post/12/")).status_code == 404
    assert (await client.get("/admin/post/12/delete/")).status_code == 404
    assert "Post 11" not in (await client.get("/admin/post/export/")).text
    assert (await client.get("/admin/post/choices/?q=Post+11")).json() == {"items": [], "has_more": False}
    answer = await client.post("/admin/post/", data={"action": "delete_selected", "selected": ["12"], "confirmed": "1"})
    assert answer.status_code == 303
    async with sqlite.unit():
        assert await Post.get(12) is not None


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("list_display", ["titel"], "did you mean"),
        ("list_display", ["author__secret"], "private"),
        ("search_fields", ["author"], "author__name"),
        ("search_fields", ["price"], "compares text"),
        ("list_filter", ["body"], "any value"),
        ("ordering", ["nothing"], "no field"),
        ("list_display_links", ["body"], "no column"),
        ("date_hierarchy", "nothing", "no field"),
        ("actions", ["nothing"], "name of a method"),
        ("fields", ["title", ("sluk", "kind")], "did you mean"),
        ("fieldsets", [("Text", {"fields": ["titel"]})], "did you mean"),
        ("readonly_fields", ["nothing"], "no field"),
        ("exclude", ["nothing"], "no field"),
        ("autocomplete_fields", ["title"], "no relation"),
        ("prepopulated_fields", {"slug": ["titel"]}, "no field"),
    ],
)
async def test_options_are_checked_at_the_start(
    sqlite: Database, open_site: Open, option: str, value: Any, said: str
) -> None:
    """A name that is no field stops the app at start-up, with the line to write."""
    wrong = type("Wrong", (ModelAdmin,), {option: value})
    with pytest.raises(ConfigurationError, match=r"(?is)" + said):
        await open_site(sqlite, (Post, wrong))


async def test_a_filter_of_ones_own(sqlite: Database, open_site: Open) -> None:
    """A `Filter` names its choices and applies them; its parameter is its own."""

    class PriceFilter(Filter):
        parameter, label = "cost", "Cost"

        def choices(self, user: Any) -> list[Choice]:
            return [Choice("high", "High"), Choice("low", "Low")]

        def apply(self, query: Any, value: str) -> Any:
            if value not in {"high", "low"}:
                raise ValueError(value)
            return query.where(Post.price >= 10 if value == "high" else Post.price < 10)

    own = type("Own", (ModelAdmin,), {"list_filter": [PriceFilter], "ordering": ["id"]})
    client = await open_site(sqlite, (Post, own))
    assert titles((await client.get("/admin/post/?cost=high")).text) == ["Post 10", "Post 11"]
    assert (await client.get("/admin/post/?cost=free")).status_code == 400


async def test_a_filter_tells_nothing_of_hidden_fields(sqlite: Database, open_site: Open, door: Door) -> None:
    """Who may not see writers finds them by their keys, and by nothing that they hold."""
    client = await open_site(sqlite, (Post, type("PostAdmin", (ModelAdmin,), {"list_filter": ["author"]})))
    found = 'href="/admin/post/?author=2"'
    for text in ("bob@", "bob"):
        assert found in (await client.get(f"/admin/post/?choose=author&find={text}")).text
    door.person = Person("eve", may={"post.view"})
    assert found in (await client.get("/admin/post/?choose=author")).text
    assert found in (await client.get("/admin/post/?choose=author&find=writer 2")).text
    assert found not in (await client.get("/admin/post/?choose=author&find=bob")).text
    assert found not in (await client.get("/admin/post/?choose=author&find=bob@")).text


@pytest.mark.parametrize("given", ["author", "editor__email", "writers_mail"])
async def test_an_order_tells_nothing_of_hidden_objects(
    sqlite: Database, open_site: Open, door: Door, given: str
) -> None:
    """Who may not see writers gets lists sorted by their keys, where a label or a field of theirs would sort them."""

    async def rename() -> None:
        for key, name in ((1, "Zoe"), (2, "Ann")):  # the order of names is not that of keys
            writer = await Writer.get(key)
            writer.display_name, writer.email = name, f"{name}@example.org"
        for post in await Post.query().all():
            post.editor_id = post.author_id

    class Options(ModelAdmin):
        list_display = ["title", given]
        ordering = ["author", "title"]

        @display(label="Mail", ordering="author__email")
        def writers_mail(self, post: Post) -> str:
            return "hidden"

    await sqlite.run(rename())
    client = await open_site(sqlite, (Post, Options))
    by_ann, by_zoe = ["Post 08", "Post 09"], ["Post 00", "Post 01"]
    for query in ("", f"?sort={given},title"):
        assert titles((await client.get(f"/admin/post/{query}")).text)[:2] == by_ann, query
    door.person = Person("eve", may={"post.view"})
    for query in ("", f"?sort={given},title"):
        assert titles((await client.get(f"/admin/post/{query}")).text)[:2] == by_zoe, query
    assert titles((await client.get(f"/admin/post/?sort=-{given},title")).text)[:2] == by_ann
    exported = (await client.get(f"/admin/post/export/?sort={given},title")).text.splitlines()
    assert exported[1].startswith("1,Post 00")


async def test_a_search_tells_nothing_of_hidden_fields(sqlite: Database, open_site: Open, door: Door) -> None:
    """Who may not see writers finds posts by no field of theirs, alone or beside others, and is offered no search."""
    only = type("Only", (ModelAdmin,), {"search_fields": ["editor__email"]})
    client = await open_site(sqlite, (Post, only), (Comment, type("Own", (ModelAdmin,), {"list_filter": ["post"]})))
    assert titles((await client.get("/admin/post/?q=bob@")).text) == ["Post 00"]
    assert 'role="search"' in (await client.get("/admin/post/")).text
    assert "Post 00" in (await client.get("/admin/comment/?choose=post&find=bob@")).text.split("<table")[0]
    door.person = Person("eve", may={"post.view", "comment.view"})
    for text in ("bob@", "zzz"):
        assert titles((await client.get(f"/admin/post/?q={text}")).text) == [], text
        assert "Post 0" not in (await client.get(f"/admin/post/export/?q={text}")).text, text
        assert (await client.get(f"/admin/post/choices/?q={text}")).json()["items"] == [], text
        assert "?post=1" not in (await client.get(f"/admin/comment/?choose=post&find={text}")).text, text
    assert 'role="search"' not in (await client.get("/admin/post/")).text


async def test_a_search_keeps_the_fields_that_are_seen(sqlite: Database, open_site: Open, door: Door) -> None:
    """The other fields are searched for whoever may not see writers."""
    both = type("Both", (ModelAdmin,), {"search_fields": ["title", "author__email"], "ordering": ["id"]})
    client = await open_site(sqlite, (Post, both))
    assert len(titles((await client.get("/admin/post/?q=bob@")).text)) == 4
    door.person = Person("eve", may={"post.view"})
    assert titles((await client.get("/admin/post/?q=bob@")).text) == []
    assert titles((await client.get("/admin/post/?q=post+03")).text) == ["Post 03"]
    assert 'role="search"' in (await client.get("/admin/post/")).text


async def test_a_filter_goes_through_no_hidden_object(sqlite: Database, open_site: Open, door: Door) -> None:
    """A filter by a field of writers, or their dates, is not there for who may not see them; one by their key is."""

    class Options(ModelAdmin):
        list_filter = ["author", "editor__email", "editor__born", ("editor", NullFilter)]
        date_hierarchy = "editor__born"

    client = await open_site(sqlite, (Post, Options))
    hidden = (
        "editor__email=bob@example.org", "editor__born=1950-01-01..1950-12-31", "editor__born.from=1950-01-01",
        "when=1950",
    )  # fmt: skip
    for query in hidden:
        assert titles((await client.get(f"/admin/post/?{query}")).text) == ["Post 00"], query
    door.person = Person("eve", may={"post.view"})
    for query in hidden:
        assert (await client.get(f"/admin/post/?{query}")).status_code == 400, query
        assert (await client.get(f"/admin/post/export/?{query}")).status_code == 400, query
    page = (await client.get("/admin/post/")).text
    assert "editor__" not in page
    assert "when=" not in page
    assert titles((await client.get("/admin/post/?editor=filled")).text) == ["Post 00"]
    assert len(titles((await client.get("/admin/post/?author=2")).text)) == 4


async def test_a_word_finds_no_number(sqlite: Database, open_site: Open) -> None:
    """A list that is searched by a number alone finds nothing by a word, and not everything."""
    client = await open_site(sqlite, (Post, type("ById", (ModelAdmin,), {"search_fields": ["id"]})))
    assert titles((await client.get("/admin/post/?q=3")).text) == ["Post 02"]
    assert titles((await client.get("/admin/post/?q=three")).text) == []
