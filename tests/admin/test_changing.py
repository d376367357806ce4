"""Adding and changing: what a form has, what it refuses, what is kept of it."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import pytest

from demijohn.admin import LogEntry, ModelAdmin, StackedInline, TabularInline, display
from demijohn.db import Database
from demijohn.errors import ConfigurationError
from demijohn.forms import ModelForm
from tests.admin.conftest import Open
from tests.admin.shop import Comment, Door, Membership, Person, Post, Tag, Writer

Caplog = pytest.LogCaptureFixture


def fields_of(page: str) -> dict[str, Any]:
    """The values of the form of a page, as a browser would send them."""
    form = page[page.index('<form method="post" id=') :]
    found: dict[str, Any] = {}
    for tag in re.findall(r"<input [^>]*>", form):
        about = {**dict(re.findall(r'([\w-]+)="([^"]*)"', tag))}
        if about.get("type") == "checkbox" and " checked" not in tag:
            continue
        if "name" in about and about.get("type") != "search":
            found.setdefault(about["name"], []).append(about.get("value", "on").replace("&#39;", "'"))
    for name, text in re.findall(r'<textarea name="([^"]*)"[^>]*>\n?([^<]*)</textarea>', form):
        found[name] = [text]
    for name, inner in re.findall(r'<select name="([^"]*)".*?>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', inner)
        found[name] = [chosen[1] if chosen else ""]
    return found


class CommentInline(TabularInline):
    model = Comment
    fields = ["text"]


class PostAdmin(ModelAdmin):
    fieldsets = [
        (None, {"fields": ["title", ("slug", "kind"), "body"]}),
        ("More", {"fields": ["author", "editor", "published", "price", "tags", "words"], "collapse": True}),
    ]
    readonly_fields = ["words"]
    inlines = [CommentInline]
    prepopulated_fields = {"slug": ["title"]}

    @display(label="Words")
    def words(self, post: Post) -> int:
        return len(post.body.split())


async def entries(database: Database) -> list[LogEntry]:
    """What was noted, oldest first."""
    async with database.unit():
        return await LogEntry.query().order_by("id").all()


async def test_a_form_comes_from_the_model(database: Database, open_site: Open) -> None:
    """Nothing but the model: its fields can be set, constraints are told beside the field, and it is saved."""
    client = await open_site(database)
    page = (await client.get("/admin/writer/add/")).text
    sent = fields_of(page)
    assert {"display_name", "email", "born"} <= set(sent)
    assert "secret" not in page
    answer = await client.post("/admin/writer/add/", data={**sent, "display_name": "", "email": "nobody"})
    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 2
    answer = await client.post("/admin/writer/add/", data={**sent, "display_name": "Cid", "email": "ann@example.org"})
    assert answer.status_code == 422
    assert "taken already" in answer.text
    data = {**sent, "display_name": "Cid", "email": "cid@example.org", "born": "1970-02-03", "_continue": ""}
    answer = await client.post("/admin/writer/add/", data=data)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/admin/writer/3/"
    (entry,) = await entries(database)
    assert (entry.action, entry.model, entry.object_key, entry.user_label) == ("add", "writer", "3", "ann")
    assert entry.changes["born"] == ["Born", "", "1970-02-03"]
    assert entry.changes["secret"][2] == "••••••"


async def test_a_change_is_saved_with_its_difference(database: Database, open_site: Open) -> None:
    """Values, relations and rows are written together; the history tells what each was before."""
    client = await open_site(database, (Post, PostAdmin))
    page = (await client.get("/admin/post/4/")).text
    assert "Words" in page
    sent = fields_of(page)
    assert sent["author"] == ["1"]
    assert sorted(sent["tags"]) == ["1", "2", "3"]
    sent |= {"title": ["Better"], "author": ["2"], "tags": ["2"], "comments-0-text": ["New words"],
             "comments-1-text": ["One more"], "_save": [""]}  # fmt: skip
    answer = await client.post("/admin/post/4/", data=sent)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/admin/post/"
    (entry,) = await entries(database)
    assert entry.changes["title"] == ["Title", "Post 03", "Better"]
    assert entry.changes["author"] == ["Author", "Ann", "Bob"]
    assert entry.changes["tags"] == ["Tags", "python, web, wine", "web"]
    assert "One more" in entry.changes["comments"][2]
    assert "On 3" in entry.changes["comments"][1]
    history = (await client.get("/admin/post/4/history/")).text
    assert "<del>Ann</del>" in history
    assert "<ins>Bob</ins>" in history
    assert "Better" in (await client.get("/admin/")).text


async def test_nothing_changed_is_no_entry(sqlite: Database, open_site: Open) -> None:
    """A form that is sent as it was leaves no trace."""
    client = await open_site(sqlite, (Post, PostAdmin))
    sent = fields_of((await client.get("/admin/post/4/")).text)
    answer = await client.post("/admin/post/4/", data=sent)
    assert answer.status_code == 303
    assert await entries(sqlite) == []


async def test_an_edit_of_a_stale_page_is_told(database: Database, open_site: Open) -> None:
    """What somebody else saved meanwhile is not overwritten unseen; saving once more does it."""
    client = await open_site(database, (Post, PostAdmin))
    mine = fields_of((await client.get("/admin/post/4/")).text)
    theirs = dict(mine)
    await client.post("/admin/post/4/", data={**theirs, "title": "Theirs"})
    answer = await client.post("/admin/post/4/", data={**mine, "title": "Mine"})
    assert answer.status_code == 409
    assert "Somebody changed this" in answer.text
    assert "Theirs" in answer.text
    again = fields_of(answer.text)
    assert again["title"] == ["Mine"]
    assert (await client.post("/admin/post/4/", data=again)).status_code == 303
    async with database.unit():
        post = await Post.get(4)
        assert post is not None
        assert post.title == "Mine"


async def test_a_form_sent_twice_writes_once(database: Database, open_site: Open) -> None:
    """A double click, one after the other or at the same moment, adds one object."""
    client = await open_site(database)
    sent = fields_of((await client.get("/admin/comment/add/")).text) | {"text": "twice", "post": "1"}
    answers = await asyncio.gather(*(client.post("/admin/comment/add/", data=sent) for _ in range(2)))
    answers.append(await client.post("/admin/comment/add/", data=sent))
    assert [answer.status_code for answer in answers] == [303, 303, 303]
    async with database.unit():
        assert await Comment.where(text="twice").count() == 1


@pytest.mark.parametrize(
    "more",
    [
        {"secret": "known"}, {"id": "99"}, {"author_id": "2"}, {"created_at": "2020-01-01"}, {"words": "1"},
        {"comments-0-post": "3"}, {"comments-0-_key": "9"}, {"author": "999"}, {"author": "x"}, {"tags": ["99"]},
        {"kind": "poem"}, {"price": "much"}, {"title": "x" * 201}, {"slug": "Not A Slug"}, {"price": "1e999"},
    ],
)  # fmt: skip
async def test_crafted_fields_are_refused(
    sqlite: Database, open_site: Open, more: Mapping[str, Any], caplog: Caplog
) -> None:
    """Fields that the form does not have, keys of others and wrong values change nothing."""
    client = await open_site(sqlite, (Post, PostAdmin))
    sent = {**fields_of((await client.get("/admin/post/4/")).text), "title": "Crafted", **more}
    answer = await client.post("/admin/post/4/", data=sent)
    assert answer.status_code == 422, answer.status_code
    async with sqlite.unit():
        post = await Post.get(4)
        assert post is not None
        assert (post.title, post.author_id) == ("Post 03", 1)
        assert [comment.text for comment in await Comment.where(post_id=4).all()] == ["On 3"]
    if next(iter(more)) in {"secret", "id", "author_id", "words"}:
        assert "does not have" in caplog.text


async def test_other_sites_cannot_send_forms(sqlite: Database, open_site: Open) -> None:
    """A cross-site post is 403 before anything is read."""
    client = await open_site(sqlite)
    headers = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    for path in ("tag/add/", "tag/1/", "tag/1/delete/", "tag/", "-/theme"):
        assert (await client.post(f"/admin/{path}", data={"name": "x"}, headers=headers)).status_code == 403
    async with sqlite.unit():
        assert await Tag.query().count() == 3


async def test_who_may_see_may_not_change(sqlite: Database, open_site: Open, door: Door, caplog: Caplog) -> None:
    """Without the right to change, the page shows and takes nothing; adding and deleting are refused as well."""
    client = await open_site(sqlite, (Post, PostAdmin))
    sent = fields_of((await client.get("/admin/post/4/")).text) | {"title": "Crafted"}
    door.person = Person("eve", may={"post.view", "comment.view"})
    page = (await client.get("/admin/post/4/")).text
    assert "<textarea" not in page
    assert 'name="title"' not in page
    for path in ("post/4/", "post/add/", "post/4/delete/"):
        assert (await client.post(f"/admin/{path}", data=sent)).status_code == 403
        assert f"/admin/{path}" in caplog.text
    door.person = Person("eve", may={"post.edit", "comment.view"})
    page = (await client.get("/admin/post/4/")).text
    assert 'name="title"' in page
    assert 'name="comments-0-text"' not in page  # shown, and no control
    answer = await client.post("/admin/post/4/", data=sent)
    assert answer.status_code == 422


async def test_rights_to_one_object(sqlite: Database, open_site: Open) -> None:
    """`has_change_permission(user, obj)` decides for each object, whatever stands in the list."""

    class Own(ModelAdmin):
        def has_change_permission(self, user: Any, obj: Any = None) -> bool:
            return obj is None or obj.author_id == 1

        def has_delete_permission(self, user: Any, obj: Any = None) -> bool:
            return obj is None or obj.author_id == 1

    client = await open_site(sqlite, (Post, Own))
    assert 'name="title"' in (await client.get("/admin/post/1/")).text
    assert 'name="title"' not in (await client.get("/admin/post/12/")).text
    assert (await client.post("/admin/post/12/", data={"title": "Crafted"})).status_code == 403
    data = {"action": "delete_selected", "selected": ["1", "12"], "confirmed": "1"}
    assert (await client.post("/admin/post/", data=data)).status_code == 403
    async with sqlite.unit():
        assert await Post.query().count() == 12


async def test_choices_are_those_that_exist_for_the_user(sqlite: Database, open_site: Open) -> None:
    """A relation offers and takes what the target's `query` has; the others do not exist."""

    class Few(ModelAdmin):
        def query(self, user: Any) -> Any:
            return super().query(user).where(Writer.id == 1)

    client = await open_site(sqlite, (Writer, Few))
    page = (await client.get("/admin/post/1/")).text
    assert "Ann" in page
    assert "Bob" not in page.replace("Bob</", "")
    sent = fields_of(page) | {"author": "2", "editor": ""}
    assert (await client.post("/admin/post/1/", data=sent)).status_code == 422


async def test_hooks_add_values_and_checks(sqlite: Database, open_site: Open) -> None:
    """`form` checks, `values` sets what the form does not ask for, `saved` does more, all in one transaction."""
    told: list[tuple[str, bool]] = []

    class TagForm(ModelForm[Tag]):
        def clean_name(self, value: str) -> str:
            if value == "bad":
                raise ValueError("Not this one.")
            return value.lower()

    class TagAdmin(ModelAdmin):
        form = TagForm

        async def saved(self, obj: Any, user: Any, *, is_new: bool) -> None:
            told.append((obj.name, is_new))

    class CommentAdmin(ModelAdmin):
        fields = ["text"]

        def values(self, user: Any, obj: Any = None) -> Any:
            return {} if obj else {"post_id": 1}

    client = await open_site(sqlite, (Tag, TagAdmin), (Comment, CommentAdmin))
    answer = await client.post("/admin/tag/add/", data={"name": "bad"})
    assert answer.status_code == 422
    assert "Not this one." in answer.text
    assert (await client.post("/admin/tag/add/", data={"name": "GOOD"})).status_code == 303
    assert told == [("good", True)]
    assert (await client.post("/admin/comment/add/", data={"text": "mine"})).status_code == 303
    async with sqlite.unit():
        comment = await Comment.where(text="mine").one()
        assert comment.post_id == 1


async def test_keys_are_set_once(sqlite: Database, open_site: Open) -> None:
    """A key that people choose stands in the form of a new object, and cannot be changed later."""
    client = await open_site(sqlite)
    assert 'name="club"' in (await client.get("/admin/membership/add/")).text
    answer = await client.post("/admin/membership/add/", data={"club": "x/y", "number": "4", "_continue": ""})
    assert answer.status_code == 303, answer.text
    page = await client.get(answer.headers["location"])
    assert 'name="club"' not in page.text
    sent = fields_of(page.text) | {"note": "kept", "club": "other"}
    assert (await client.post(answer.headers["location"], data=sent)).status_code == 422
    async with sqlite.unit():
        assert await Membership.get(("x/y", 4)) is not None


async def test_rows_are_added_and_deleted(database: Database, open_site: Open) -> None:
    """A button adds a row without saving; rows are removed and written with their parent."""
    client = await open_site(database, (Post, PostAdmin))
    sent = fields_of((await client.get("/admin/post/4/")).text)
    more = await client.post("/admin/post/4/", data={**sent, "title": "typed", "_action": "add:comments"})
    assert more.status_code == 200
    assert 'name="comments-2-text"' in more.text
    assert fields_of(more.text)["title"] == ["typed"]
    gone = await client.post("/admin/post/4/", data={**fields_of(more.text), "_action": "remove:comments:0"})
    assert (await client.post("/admin/post/4/", data=fields_of(gone.text))).status_code == 303
    async with database.unit():
        assert await Comment.where(post_id=4).count() == 0


async def test_an_inline_needs_a_way_back(sqlite: Database, open_site: Open) -> None:
    """An inline whose model does not point here is told at the start, with the line to write."""

    class Wrong(StackedInline):
        model = Membership

    wrong = type("Wrong", (ModelAdmin,), {"inlines": [Wrong]})
    with pytest.raises(ConfigurationError, match="belongs_to"):
        await open_site(sqlite, (Post, wrong))


async def test_colours_are_remembered(sqlite: Database, open_site: Open) -> None:
    """The switch for colours is a form; it leads back, and never away."""
    client = await open_site(sqlite)
    answer = await client.post("/admin/-/theme", data={"theme": "dark", "next": "/admin/post/"})
    assert answer.headers["location"] == "/admin/post/"
    assert 'data-theme="dark"' in (await client.get("/admin/")).text
    answer = await client.post("/admin/-/theme", data={"theme": "x", "next": "https://evil.example"})
    assert answer.headers["location"] == "/admin/"


class EditableAdmin(ModelAdmin):
    list_display = ["title", "price", "published"]
    list_editable = ["price", "published"]
    ordering = ["id"]

    def has_change_permission(self, user: Any, obj: Any = None) -> bool:
        return obj is None or obj.id != 2


async def test_fields_are_changed_in_the_list(database: Database, open_site: Open) -> None:
    """Rows that differ are saved, each with its history; those that the user may not change have no control."""
    client = await open_site(database, (Post, EditableAdmin))
    page = (await client.get("/admin/post/")).text
    sent = fields_of(page.replace('<form method="post" action="/admin/post/"', '<form method="post" id='))
    assert "edit-1-price" in sent
    assert "edit-2-price" not in sent
    sent |= {"edit-1-price": ["7.50"], "edit-3-published": ["false"], "action": "_edits"}
    done = await client.post("/admin/post/", data=sent, follow_redirects=True)
    assert "2 posts saved." in done.text
    noted = await entries(database)
    assert [(entry.object_key, list(entry.changes)) for entry in noted] == [("1", ["price"]), ("3", ["published"])]
    stale = {**sent, "edit-1-price": ["8"]}
    answer = await client.post("/admin/post/", data=stale)
    assert answer.status_code == 422
    assert "Somebody changed this meanwhile." in answer.text


async def test_crafted_rows_are_refused(sqlite: Database, open_site: Open) -> None:
    """Rows that the user may not change, wrong values and fields that are not in the list change nothing."""
    client = await open_site(sqlite, (Post, EditableAdmin))
    for key, field, value, status in (
        ("2", "price", "1", 403), ("1", "price", "much", 422), ("1", "title", "Crafted", 303), ("x", "price", "1", 400),
    ):  # fmt: skip
        sent = {"edited": [key], f"edit-{key}-{field}": [value], f"edit-{key}-_version": ["x"], "action": "_edits"}
        if field == "title":
            sent |= {"edit-1-price": ["0"], "edit-1-published": ["on"]}
        assert (await client.post("/admin/post/", data=sent)).status_code == status, field
    async with sqlite.unit():
        assert await Post.where(title="Crafted").count() == 0
        assert await Post.where(price=1).count() == 1


async def test_a_row_is_held_by_the_rules_of_its_model(sqlite: Database, open_site: Open, door: Door) -> None:
    """Rows of an inline are those that exist for the user and that they may change and, to remove them, delete."""
    async with sqlite.unit():
        post = await Post.where(slug="post-1").one()
        for text in ("free", "locked", "hidden"):
            await Comment.create(text=text, post=post)
        keys = {one.text: str(one.id) for one in await Comment.where(post=post).all()}

    class CommentAdmin(ModelAdmin):
        def query(self, user: Person) -> Any:
            return super().query(user).where(Comment.text != "hidden")

        def has_change_permission(self, user: Person, obj: Any = None) -> bool:
            return obj is None or obj.text != "locked"

        def has_delete_permission(self, user: Person, obj: Any = None) -> bool:
            return obj is None or obj.text != "free"

    client = await open_site(sqlite, (Post, PostAdmin), (Comment, CommentAdmin))
    page = (await client.get(f"/admin/post/{post.id}/")).text
    sent = fields_of(page)
    assert [sent[f"comments-{number}-text"] for number in (0, 1)] == [["On 1"], ["free"]]
    assert f"Comment {keys['locked']}<" in page  # among those that may be seen
    assert f"Comment {keys['hidden']}<" not in page
    for text in ("locked", "hidden"):
        row = {"comments-1-_key": keys[text], "comments-1-text": "changed"}
        assert (await client.post(f"/admin/post/{post.id}/", data={**sent, **row})).status_code == 422, text
        gone = {**row, "comments-1-_removed": "1"}
        assert (await client.post(f"/admin/post/{post.id}/", data={**sent, **gone})).status_code == 422, text
    kept = {**sent, "comments-1-_removed": "1"}
    assert (await client.post(f"/admin/post/{post.id}/", data=kept)).status_code == 422
    async with sqlite.unit():
        texts = [one.text for one in await Comment.where(post=post).order_by("id").all()]
    assert texts == ["On 1", "free", "locked", "hidden"]
    sent["comments-1-text"] = ["freed"]
    assert (await client.post(f"/admin/post/{post.id}/", data=sent)).status_code == 303
    assert "locked" not in "".join((await entries(sqlite))[-1].changes["comments"])


async def test_a_row_has_no_field_that_its_page_does_not_take(sqlite: Database, open_site: Open, door: Door) -> None:
    """What `readonly_for` of a model names can be set neither in an inline nor in the list."""

    class Fixed(ModelAdmin):
        list_display = ["title", "slug", "published"]
        list_editable = ["slug", "published"]

        def readonly_for(self, user: Person, obj: Any = None) -> Any:
            return ["published"] if obj is None or obj.slug != "post-2" else ["published", "slug"]

    class PostInline(StackedInline):
        model = Post
        relation = "posts"
        fields = ["title", "published"]

    writers = type("WriterAdmin", (ModelAdmin,), {"inlines": [PostInline]})
    client = await open_site(sqlite, (Post, Fixed), (Writer, writers))
    page = (await client.get("/admin/writer/1/")).text
    assert 'name="posts-0-title"' in page
    assert 'name="posts-0-published"' not in page
    answer = await client.post("/admin/writer/1/", data={**fields_of(page), "posts-1-published": "true"})
    assert answer.status_code == 422
    page = (await client.get("/admin/post/?sort=slug")).text
    assert 'name="edit-2-slug"' in page
    assert 'name="edit-3-slug"' not in page
    assert not re.search(r'name="edit-\d+-published"', page)
    version = re.findall(r'name="edit-2-_version" value="([^"]*)"', page)[0]
    row = {"edited": "2", "edit-2-_version": version, "edit-2-slug": "post-1b", "edit-2-published": "true"}
    assert (await client.post("/admin/post/", data={"action": "_edits", **row})).status_code == 303
    refused = {"edited": "3", "edit-3-_version": "", "edit-3-slug": "x"}
    assert (await client.post("/admin/post/", data={"action": "_edits", **refused})).status_code == 403
    async with sqlite.unit():
        post = await Post.get(2)
    assert post is not None
    assert (post.slug, post.published) == ("post-1b", False)


async def test_a_history_tells_what_its_page_shows(sqlite: Database, open_site: Open, door: Door) -> None:
    """Nothing is told of fields that a user does not see on the page of an object, nor of rows they may not see."""

    class Half(PostAdmin):
        fieldsets = None
        exclude = ["price"]

        def fields_for(self, user: Person, obj: Any = None) -> Any:
            return ["title", "slug", "author", *(["body"] if user.permissions is None else [])]

    client = await open_site(sqlite, (Post, Half))
    sent = fields_of((await client.get("/admin/post/2/")).text)
    sent |= {"title": ["Renamed"], "body": ["a private word"], "comments-0-text": ["a private remark"]}
    assert (await client.post("/admin/post/2/", data=sent)).status_code == 303
    page = (await client.get("/admin/post/2/history/")).text
    assert "Renamed" in page
    assert "a private word" in page
    assert "a private remark" in page
    door.person = Person("eve", may={"post.view"})
    page = (await client.get("/admin/post/2/history/")).text
    assert "Renamed" in page
    assert "private" not in page
