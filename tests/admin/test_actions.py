"""Actions and deletes: what is asked first, what stands in the way, who may, what is kept."""

import asyncio
from typing import Any

import pytest

from demijohn import JSONResponse
from demijohn.admin import LogEntry, ModelAdmin, action
from demijohn.db import Database
from demijohn.errors import Conflict
from tests.admin.conftest import Open
from tests.admin.shop import Comment, Door, Membership, Person, Post, Tag, Writer

Caplog = pytest.LogCaptureFixture


class PostAdmin(ModelAdmin):
    actions = ["publish", "count", "titles", "secretly"]

    @action(label="Publish", confirm="Everybody will see them.")
    async def publish(self, posts: Any) -> str:
        return f"{await posts.update(published=True)} published."

    @action
    def count(self, posts: Any) -> str:
        return f"{len(list(posts))} counted."

    @action(permission="view")
    async def titles(self, posts: Any, request: Any) -> Any:
        return JSONResponse([post.title for post in await posts.order_by("id").all()])

    @action(permission="post.secret")
    async def secretly(self, posts: Any) -> None:
        raise AssertionError("nobody may")


async def test_an_action_asks_and_is_kept(database: Database, open_site: Open) -> None:
    """A question comes first; then it is done, told, and noted for each object that it changed."""
    client = await open_site(database, (Post, PostAdmin))
    data = {"action": "publish", "selected": ["2", "3", "4"]}
    asked = await client.post("/admin/post/", data=data)
    assert asked.status_code == 200
    assert "Everybody will see them." in asked.text
    assert asked.text.count('name="selected"') == 3
    done = await client.post("/admin/post/", data={**data, "confirmed": "1"}, follow_redirects=True)
    assert "3 published." in done.text
    async with database.unit():
        assert await Post.where(Post.published).count() == 8
        noted = await LogEntry.where(action="publish").order_by("id").all()
    assert [entry.object_key for entry in noted] == ["2", "3", "4"]
    assert noted[0].changes == {"published": ["Published", "No", "Yes"]}


async def test_sync_actions_and_answers_of_their_own(sqlite: Database, open_site: Open) -> None:
    """A plain function may iterate the objects; a response is sent as it is."""
    client = await open_site(sqlite, (Post, PostAdmin))
    told = await client.post("/admin/post/", data={"action": "count", "selected": ["1", "2"]}, follow_redirects=True)
    assert "2 counted." in told.text
    answer = await client.post("/admin/post/", data={"action": "titles", "selected": ["1", "2"]})
    assert answer.json() == ["Post 00", "Post 01"]


async def test_everything_that_matches(sqlite: Database, open_site: Open) -> None:
    """`everything` means what the list is about, on all pages, and nothing else."""
    client = await open_site(sqlite, (Post, PostAdmin))
    answer = await client.post("/admin/post/?kind=essay&q=Post", data={"action": "titles", "everything": "1"})
    assert answer.json() == ["Post 00", "Post 03", "Post 06", "Post 09"]


async def test_actions_that_are_not_allowed(sqlite: Database, open_site: Open, door: Door, caplog: Caplog) -> None:
    """An action that there is not is 400, one that the user may not ask for 403; the log tells, neither is offered."""
    client = await open_site(sqlite, (Post, PostAdmin))
    door.person = Person("eve", may={"post.view"})
    page = (await client.get("/admin/post/")).text
    assert 'value="titles"' in page
    assert 'value="publish"' not in page
    assert 'value="delete_selected"' not in page
    for name in ("publish", "secretly", "delete_selected"):
        data = {"action": name, "selected": ["1"], "confirmed": "1"}
        assert (await client.post("/admin/post/", data=data)).status_code == 403
        assert f"Refused '{name} post' to eve" in caplog.text
    for name in ("__init__", "query", "save", ""):
        assert (await client.post("/admin/post/", data={"action": name, "selected": ["1"]})).status_code == 400
    assert (await client.post("/admin/post/", data={"action": "titles", "selected": ["x"]})).status_code == 400
    nothing = await client.post("/admin/post/", data={"action": "titles"}, follow_redirects=True)
    assert "Nothing was chosen." in nothing.text
    many = [str(number) for number in range(501)]
    assert (await client.post("/admin/post/", data={"action": "titles", "selected": many})).status_code == 400


async def test_a_delete_shows_what_goes(database: Database, open_site: Open) -> None:
    """Cascades, emptied links and what stands in the way are shown before anything is done."""
    client = await open_site(database)
    page = (await client.get("/admin/post/1/delete/")).text
    assert "Deleted along" in page
    assert "1 comment" in page
    assert "Yes, delete" in page
    held = (await client.get("/admin/writer/2/delete/")).text
    assert "Stands in the way" in held
    assert "4 posts" in held
    assert "Post 11" in held
    assert "Stays, and loses the link" in held
    assert "Yes, delete" not in held
    assert (await client.post("/admin/writer/2/delete/")).status_code == 409
    done = await client.post("/admin/post/1/delete/", follow_redirects=True)
    assert "was deleted" in done.text
    async with database.unit():
        assert await Post.get(1) is None
        assert await Comment.where(post_id=1).count() == 0
        assert await Writer.get(2) is not None
        entry = await LogEntry.where(action="delete").one()
    assert entry.object_label == "Post 00"
    assert entry.changes["title"] == ["Title", "Post 00", ""]
    assert (await client.get("/admin/post/1/")).status_code == 404


async def test_many_are_deleted_at_once(database: Database, open_site: Open) -> None:
    """The bulk delete shows the same, and deletes all or nothing."""
    client = await open_site(database)
    data = {"action": "delete_selected", "selected": ["1", "2", "3"]}
    asked = await client.post("/admin/post/", data=data)
    assert "3 comments" in asked.text
    done = await client.post("/admin/post/", data={**data, "confirmed": "1"}, follow_redirects=True)
    assert "3 posts deleted." in done.text
    async with database.unit():
        assert await Post.query().count() == 9
        assert await LogEntry.where(action="delete").count() == 3
    held = await client.post("/admin/writer/", data={"action": "delete_selected", "selected": ["1"], "confirmed": "1"})
    assert held.status_code == 403
    async with database.unit():
        assert await Writer.query().count() == 2
        assert await Tag.query().count() == 3


async def test_what_goes_along_needs_the_right_too(sqlite: Database, open_site: Open, door: Door) -> None:
    """Who may delete posts and no comments cannot delete a post with comments."""
    client = await open_site(sqlite)
    door.person = Person("eve", may={"post.view", "post.delete"})
    page = (await client.get("/admin/post/1/delete/")).text
    assert "may not delete what goes along: comment" in page
    assert "On 0" not in page  # may not even be seen
    assert (await client.post("/admin/post/1/delete/")).status_code == 409
    async with sqlite.unit():
        assert await Post.get(1) is not None


async def test_what_goes_along_is_held_by_its_own_rules(sqlite: Database, open_site: Open, door: Door) -> None:
    """A delete takes no object along that the user may not delete, or that does not exist for them; nor is it named."""

    class Own(ModelAdmin):
        def query(self, user: Person) -> Any:
            return super().query(user).where(Comment.text != "On 1")

        def has_delete_permission(self, user: Person, obj: Any = None) -> bool:
            return obj is None or obj.text != "On 2"

    client = await open_site(sqlite, (Comment, Own))
    async with sqlite.unit():
        posts = {post.slug: post.id for post in await Post.query().all()}
        hidden = await Comment.where(text="On 1").one()
    for slug in ("post-1", "post-2"):
        page = await client.post(f"/admin/post/{posts[slug]}/delete/")
        assert page.status_code == 409, slug
        assert "may not delete what goes along: comment" in page.text
        assert f"Comment {hidden.id}" not in page.text
        chosen = {"action": "delete_selected", "selected": str(posts[slug]), "confirmed": "1"}
        assert (await client.post("/admin/post/", data=chosen)).status_code == 403
    assert (await client.post(f"/admin/post/{posts['post-3']}/delete/")).status_code == 303
    async with sqlite.unit():
        assert await Post.query().count() == len(posts) - 1


async def test_a_delete_that_keeps_its_rows_ends(sqlite: Database, open_site: Open) -> None:
    """Each object is deleted once, also where a hook only marks it and the list goes on showing it."""
    seen: list[int] = []

    class Archive(ModelAdmin):
        async def delete(self, obj: Any, user: Any) -> None:
            seen.append(obj.id)
            await obj.assign(published=False).save()

    client = await open_site(sqlite, (Post, Archive))
    chosen = {"action": "delete_selected", "everything": "1", "confirmed": "1"}
    async with asyncio.timeout(20):
        done = await client.post("/admin/post/", data=chosen, follow_redirects=True)
    assert "12 posts deleted." in done.text
    assert len(seen) == len(set(seen)) == 12


async def test_many_rows_are_gone_through_in_parts(database: Database, open_site: Open) -> None:
    """More than one part of objects, whose keys have two columns, are done to and deleted, each once."""

    class Noted(ModelAdmin):
        actions = ["mark"]

        @action
        async def mark(self, chosen: Any) -> str:
            return f"{await chosen.update(note='marked')} marked."

    async with database.unit(), database.transaction():
        for number in range(10, 1210):
            await Membership.create(club="c", number=number)
    client = await open_site(database, (Membership, Noted))
    everything = {"everything": "1", "confirmed": "1"}
    done = await client.post("/admin/membership/", data={**everything, "action": "mark"}, follow_redirects=True)
    assert "1201 marked." in done.text
    chosen = {**everything, "action": "delete_selected"}
    done = await client.post("/admin/membership/", data=chosen, follow_redirects=True)
    assert "1201 memberships deleted." in done.text
    async with database.unit():
        assert await Membership.query().count() == 0


async def test_an_action_gets_what_was_asked_for(database: Database, open_site: Open) -> None:
    """An action has the objects that its user was asked for, whatever the list would find by now, and all or nothing
    of what it does is kept.
    """

    class Publishing(ModelAdmin):
        list_filter = ["published"]
        actions = ["publish", "fail"]

        @action
        async def publish(self, posts: Any) -> str:
            author = await Writer.query().limit(1).one()
            await Post.create(title="A late one", slug="late", author=author)  # which nobody was asked for
            before = await posts.count()
            await posts.update(published=True)
            return f"{before} found, {await posts.count()} published."

        @action
        async def fail(self, posts: Any) -> str:
            await posts.update(published=True)
            raise Conflict("Half of it is done.")

    client = await open_site(database, (Post, Publishing))
    everything = {"everything": "1"}
    failed = await client.post("/admin/post/?published=false", data={**everything, "action": "fail"})
    assert failed.status_code == 409
    async with database.unit():
        assert await Post.where(published=False).count() == 6
    done = await client.post(
        "/admin/post/?published=false", data={**everything, "action": "publish"}, follow_redirects=True
    )
    assert "6 found, 6 published." in done.text
    async with database.unit():
        assert await Post.where(published=False).count() == 1
        assert await LogEntry.where(action="publish").count() == 6
