"""The database in an app: one unit of work per request, from the handler to the first byte."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from demijohn import App, Body, Response, ServerSentEvent, StreamResponse, abort, current, wait
from demijohn.db import Database, Mapped, Model, NoDatabase, QueryError, column
from demijohn.errors import ConfigurationError
from demijohn.testing import AsyncClient
from tests.app.calling import call
from tests.db.blog import Comment, Post, Tag, User, fill


@pytest.fixture
async def app(blog: Database) -> AsyncIterator[App]:
    """An app with the tables of the blog and some rows in them."""
    await blog.run(fill())
    app = App()
    app.use(blog)
    yield app
    await app.shutdown()


def data(response: Response) -> Any:
    """What a JSON answer holds."""
    return msgspec.json.decode(response.body)


async def posts(app: App) -> int:
    """How many posts are committed."""
    async with app.batteries["db"].unit():  # type: ignore[attr-defined]
        return await Post.query().count()


JSON = {"content-type": "application/json"}


async def test_a_model_is_json(app: App) -> None:
    """A returned object becomes its public columns; a page of a query its items and numbers."""

    @app.get("/post")
    async def post() -> Any:
        return await Post.where(slug="post-1").one()

    @app.get("/posts")
    async def page() -> Any:
        return await Post.query().order_by("id").paginate(2, per_page=4)

    answer = data(await call(app, "GET", "/post"))
    assert answer["title"] == "Post 1"
    assert "secret" not in answer
    assert set(answer) == {"id", "title", "slug", "body", "published", "stars", "author_id", "editor_id", "created_at"}
    answer = data(await call(app, "GET", "/posts"))
    assert [item["title"] for item in answer.pop("items")] == ["Post 4", "Post 5", "Post 6", "Post 7"]
    assert answer == {"page": 2, "per_page": 4, "total": 10, "pages": 3, "next_page": 3, "previous_page": 1}


async def test_a_query_that_was_not_awaited_is_told(app: App) -> None:
    """A handler that returns a query instead of its rows learns which word is missing."""

    @app.get("/")
    async def home() -> Any:
        return Post.query()

    with pytest.raises(QueryError, match="return await query"):
        from demijohn.schema import to_json

        to_json(Post.query())
    assert (await call(app, "GET", "/")).status == 500


async def test_relations_load_in_handlers_and_in_the_encoder(app: App) -> None:
    """What the encoder reads is loaded for all rows at once."""

    class Shown(msgspec.Struct):
        title: str
        author: str

    @app.get("/list")
    async def listed() -> Any:
        return [Shown(post.title, post.author.display_name) for post in await Post.query().all()]

    assert len(data(await call(app, "GET", "/list"))) == 10


async def test_a_write_is_committed_before_the_answer(app: App) -> None:
    """A returned response commits, whatever its status."""

    @app.post("/{status:int}")
    async def make(status: int) -> Any:
        await Tag.create(name=f"tag-{status}")
        return Response(b"made", status)

    for status in (200, 404, 500):
        assert (await call(app, "POST", f"/{status}")).status == status
    async with app.batteries["db"].unit():  # type: ignore[attr-defined]
        assert await Tag.where(Tag.name.startswith("tag-")).count() == 3


async def test_an_exception_rolls_back(app: App) -> None:
    """An exception that leaves the handler undoes its work, `abort` included; error handlers may ask the database."""

    @app.post("/abort")
    async def aborted() -> None:
        await Tag.create(name="gone")
        abort(409)

    @app.post("/fail")
    async def failed() -> None:
        await Tag.create(name="gone")
        raise RuntimeError

    @app.errorhandler(RuntimeError)
    async def told(error: RuntimeError) -> Any:
        return {"tags": await Tag.query().count()}, 500

    assert (await call(app, "POST", "/abort")).status == 409
    answer = await call(app, "POST", "/fail")
    assert answer.status == 500
    assert data(answer) == {"tags": 3}
    async with app.batteries["db"].unit():  # type: ignore[attr-defined]
        assert not await Tag.where(name="gone").exists()


async def test_a_failed_commit_becomes_an_error(app: App) -> None:
    """A response is discarded when its commit fails, and the error is answered instead."""

    @app.post("/")
    async def make() -> str:
        Post.query()
        post = Post(title="New", slug="post-1", author=await User.query().first())
        app.batteries["db"].session.add(post)  # type: ignore[attr-defined]
        return "made"

    answer = await call(app, "POST", "/")
    assert answer.status == 409
    assert data(answer)["errors"] == [
        {"place": ["body", "slug"], "code": "unique", "message": "This value is taken already."}
    ]
    assert await posts(app) == 10


async def test_hooks_of_the_response_may_write(app: App) -> None:
    """The response half of hooks comes before the commit."""

    @app.get("/")
    async def home() -> str:
        return "home"

    @app.after_request
    async def note(response: Response) -> None:
        await Tag.create(name="visited")

    await call(app, "GET", "/")
    async with app.batteries["db"].unit():  # type: ignore[attr-defined]
        assert await Tag.where(name="visited").exists()


async def test_on_commit_runs_once_the_work_is_safe(app: App, blog: Database) -> None:
    """A mail is sent for what was committed, not for what was rolled back."""
    sent: list[str] = []

    @app.post("/{word}")
    async def make(word: str) -> str:
        await Tag.create(name=word)
        blog.on_commit(lambda: sent.append(word))
        if word == "bad":
            raise RuntimeError
        return word

    await call(app, "POST", "/good")
    await call(app, "POST", "/bad")
    assert sent == ["good"]


async def test_sync_handlers_share_everything(app: App) -> None:
    """A `def` handler iterates queries, waits, reads relations and uses a plain session, in one unit of work."""

    @app.post("/")
    def work(session: Session) -> Any:
        names = sorted({post.author.display_name for post in Post.where(Post.published)})
        made = wait(Tag.create(name="sync"))
        counted = session.execute(select(Tag).where(Tag.name == "sync")).scalars().all()
        session.add(Tag(name="plain"))
        return {"names": names, "made": made.id, "same": counted[0] is made, "posts": len(made.posts)}

    answer = data(await call(app, "POST", "/"))
    assert answer["names"] == ["Ann"]
    assert answer["same"] is True
    assert answer["posts"] == 0
    async with app.batteries["db"].unit():  # type: ignore[attr-defined]
        assert await Tag.where(Tag.name.in_(["sync", "plain"])).count() == 2


async def test_a_sync_handler_that_fails_rolls_back(app: App) -> None:
    """An exception in the thread undoes what it wrote."""

    @app.post("/")
    def work() -> None:
        wait(Tag.create(name="gone"))
        raise RuntimeError

    assert (await call(app, "POST", "/")).status == 500
    async with app.batteries["db"].unit():  # type: ignore[attr-defined]
        assert not await Tag.where(name="gone").exists()


async def test_streams_may_ask_and_write(app: App, blog: Database) -> None:
    """A stream goes on with the database after the response was committed, and its writes are committed at its end."""

    @app.get("/")
    async def stream() -> Any:
        async def lines() -> AsyncIterator[bytes]:
            async for post in Post.query().order_by("id").stream(chunk=3):
                yield f"{post.slug} {post.author.display_name}\n".encode()
            await Tag.create(name="streamed")

        return StreamResponse(lines())

    answer = await call(app, "GET", "/", read=True)
    assert answer.body.splitlines()[:2] == [b"post-0 Ann", b"post-1 Bob"]
    assert len(answer.body.splitlines()) == 10
    async with blog.unit():
        assert await Tag.where(name="streamed").exists()


async def test_generators_may_ask(app: App, blog: Database) -> None:
    """A handler that yields asks while it is sent: with comments between its events, and in a thread with relations."""

    @app.get("/events")
    async def events() -> AsyncIterator[ServerSentEvent]:
        async for post in Post.query().order_by("id").stream(chunk=3):
            await asyncio.sleep(0.001)
            yield ServerSentEvent(f"{post.slug} of {await Post.query().count()}")

    @app.get("/rows", formats=["csv"])
    def rows() -> Iterator[dict[str, str]]:
        for post in Post.query().order_by("id"):
            yield {"slug": post.slug, "author": post.author.display_name}

    answer = await call(app, "GET", "/events", read=True)
    assert answer.body.startswith(b"data: post-0 of 10\n\ndata: post-1 of 10\n\n")
    answer = await call(app, "GET", "/rows", read=True)
    assert answer.body.splitlines()[:2] == [b"slug,author", b"post-0,Ann"]


async def test_scripts_have_a_unit_of_work(app: App, blog: Database) -> None:
    """`async with app.context()` opens one, commits it at the end, and rolls back after an exception."""
    async with app.context():
        await Tag.create(name="script")
    with pytest.raises(ZeroDivisionError):
        async with app.context():
            await Tag.create(name="broken")
            raise ZeroDivisionError
    async with app.context():
        assert [tag.name for tag in await Tag.where(Tag.name.in_(["script", "broken"]))] == ["script"]


async def test_plain_scripts_iterate_and_wait(app: App, blog: Database) -> None:
    """`with app.context()` in a thread without a loop: queries are iterated, and `wait` does the rest."""

    def script() -> list[object]:
        with app.context():
            names = [post.author.display_name for post in Post.where(Post.stars > 3).order_by("id")]
            wait(Tag.create(name="plain script"))
            return [names, wait(Post.query().count())]

    names, count = await asyncio.to_thread(script)
    assert names == ["Ann", "Bob"]
    assert count == 10
    async with blog.unit():
        assert await Tag.where(name="plain script").exists()


async def test_relations_load_themselves_in_plain_scripts(app: App, blog: Database) -> None:
    """Whether the script waited for the object or iterated it, and in coroutines that it waits for."""

    async def names() -> list[str]:
        return [post.author.display_name for post in await Post.where(Post.stars > 3).order_by("id")]

    def script() -> list[object]:
        with app.context():
            user = wait(User.where(display_name="Ann").one())
            count = len(user.posts)
            return [count, wait(names()), {post.author.display_name for post in user.posts}]

    def another() -> list[str]:
        with app.context():
            return wait(names())

    count, found, own = await asyncio.to_thread(script)
    assert count == 5
    assert found == ["Ann", "Bob"]
    assert own == {"Ann"}
    assert await asyncio.to_thread(another) == ["Ann", "Bob"]


async def test_children_of_a_handler_are_refused_by_name(app: App) -> None:
    """A task that a handler starts may not use the handler's unit, and the message names the request."""
    seen: list[str] = []

    @app.get("/gather")
    async def gathered() -> str:
        await Post.query().count()
        results = await asyncio.gather(Post.query().count(), User.query().count(), return_exceptions=True)
        seen.extend(str(result) for result in results)
        return "done"

    await call(app, "GET", "/gather")
    assert len(seen) == 2
    assert all("GET /gather" in text and "db.unit()" in text for text in seen)


async def test_many_requests_on_few_connections(app: App) -> None:
    """Five hundred concurrent requests on a pool of five finish, each with its own answer."""

    @app.get("/{number:int}")
    async def show(number: int) -> Any:
        post = await Post.where(slug=f"post-{number}").one()
        return {"slug": post.slug, "by": post.author.display_name}

    answers = await asyncio.gather(*(call(app, "GET", f"/{number % 10}") for number in range(500)))
    statuses = [answer.status for answer in answers]
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) >= 50  # how many come through in the two seconds that they wait is the machine's affair
    assert all(data(answer)["slug"] == f"post-{n % 10}" for n, answer in enumerate(answers) if answer.status == 200)


# -- models as parameters --------------------------------------------------------------------------------------------


async def test_a_model_in_the_path(app: App) -> None:
    """`{post}` loads by key, `{post:slug}` by that column; what is missing or no key at all is 404."""

    @app.get("/posts/{post}", name="by_key")
    async def by_key(post: Post) -> Any:
        return {"title": post.title}

    @app.get("/read/{post:slug}", name="by_slug")
    async def by_slug(post: Post) -> Any:
        return {"title": post.title}

    @app.get("/maybe/{post}")
    async def maybe(post: Post | None) -> Any:
        return {"found": post is not None}

    async with app.batteries["db"].unit():  # type: ignore[attr-defined]
        post = await Post.where(slug="post-3").one()
    assert data(await call(app, "GET", f"/posts/{post.id}")) == {"title": "Post 3"}
    assert data(await call(app, "GET", "/read/post-3")) == {"title": "Post 3"}
    assert data(await call(app, "GET", "/maybe/999999")) == {"found": False}
    for path in ("/posts/999999", "/posts/abc", "/posts/1%20or%201=1", "/read/nothing", "/read/'--"):
        assert (await call(app, "GET", path)).status == 404
    assert app.url_for("by_key", post=post) == f"/posts/{post.id}"
    assert app.url_for("by_slug", post=post) == "/read/post-3"
    assert app.url_for("by_slug", post="post-9") == "/read/post-9"


async def test_a_model_in_the_body(app: App) -> None:
    """A body makes an object of the listed fields; relations come by key."""

    @app.post("/posts", status=201)
    async def create(post: Annotated[Post, Body(include=["title", "slug", "body", "tags", "author"])]) -> Any:
        return await post.save()

    async with app.batteries["db"].unit():  # type: ignore[attr-defined]
        user = await User.query().first()
        tags = await Tag.query().all()
    assert user is not None
    body = {"title": "New", "slug": "new", "author": user.id, "tags": [tag.id for tag in tags[:2]]}
    answer = await call(app, "POST", "/posts", body=msgspec.json.encode(body), headers=JSON)
    assert answer.status == 201
    assert data(answer)["author_id"] == user.id
    assert data(answer)["published"] is False
    async with app.batteries["db"].unit():  # type: ignore[attr-defined]
        made = await Post.where(slug="new").load(Post.tags).one()
        assert {tag.name for tag in made.tags} == {tags[0].name, tags[1].name}


async def test_a_body_reports_every_error(app: App) -> None:
    """Wrong values, unknown and forbidden fields and keys that point nowhere are told, each with its place."""

    @app.post("/posts")
    async def create(post: Annotated[Post, Body(include=["title", "slug", "tags", "author"])]) -> Any:
        return await post.save()

    async def errors(body: Any) -> dict[str, str]:
        answer = await call(app, "POST", "/posts", body=msgspec.json.encode(body), headers=JSON)
        assert answer.status in {409, 422}, answer.body
        return {".".join(map(str, error["place"])): error["code"] for error in data(answer)["errors"]}

    found = await errors({"title": "x", "slug": "NO", "stars": 5, "secret": "mine", "author": "me"})
    assert found == {
        "body.title": "min_length",
        "body.slug": "pattern",
        "body.stars": "unknown",
        "body.secret": "unknown",
        "body.author": "type",
    }
    assert await errors({"title": "Good", "slug": "good", "author": 999999, "tags": [999998]}) == {
        "body.author": "foreign_key",
        "body.tags.0": "foreign_key",
    }
    assert await errors({}) == {"body.title": "missing", "body.slug": "missing", "body.author": "missing"}
    async with app.batteries["db"].unit():  # type: ignore[attr-defined]
        user = await User.query().first()
    assert user is not None
    assert await errors({"title": "Twice", "slug": "post-1", "author": user.id}) == {"body.slug": "unique"}


async def test_patch_changes_what_was_sent(app: App) -> None:
    """A model in the path and the body is loaded, and only the fields that were sent are set."""

    @app.patch("/posts/{post:slug}")
    async def edit(post: Annotated[Post, Body(include=["title", "stars", "tags"])]) -> Any:
        return await post.save()

    async def patch(slug: str, body: Any) -> Response:
        return await call(app, "PATCH", f"/posts/{slug}", body=msgspec.json.encode(body), headers=JSON)

    answer = data(await patch("post-4", {"stars": 1}))
    assert (answer["title"], answer["stars"], answer["slug"]) == ("Post 4", 1, "post-4")
    assert (await patch("post-4", {"stars": 9})).status == 422
    assert (await patch("nowhere", {"stars": 1})).status == 404
    assert (await patch("post-3", {"tags": []})).status == 200
    async with app.batteries["db"].unit():  # type: ignore[attr-defined]
        assert (await Post.where(slug="post-3").load(Post.tags).one()).tags == []
        assert (await Post.where(slug="post-4").one()).stars == 1


async def test_lists_of_models_in_the_body(app: App) -> None:
    """A list of objects is read as one, with the number of each in the place of an error."""

    @app.post("/tags")
    async def create(tags: Annotated[list[Tag], Body(include=["name"])]) -> Any:
        return await Tag.bulk_create(tags)

    body = msgspec.json.encode([{"name": "one"}, {"name": "two"}])
    assert [tag["name"] for tag in data(await call(app, "POST", "/tags", body=body, headers=JSON))] == ["one", "two"]
    answer = await call(app, "POST", "/tags", body=b'[{"name": "three"}, {"name": 4}]', headers=JSON)
    assert data(answer)["errors"][0]["place"] == ["body", 1, "name"]


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Post, 'Body\\(include=\\["title", "slug"'),
        (Annotated[Post, Body()], "include="),
        (Annotated[Post, Body(include=["title", "slgu"])], "Did you mean 'slug'"),
        (Annotated[Post, Body(include=["title", "secret"])], "private"),
        (Annotated[Post, Body(include=["created_at"])], "readonly"),
    ],
)
async def test_a_body_without_a_list_of_fields_is_refused(annotation: Any, words: str) -> None:
    """A model as a body has to say what a client may set: it is an error at start-up, with the line to write."""
    app = App()
    app.use(Database("sqlite://"))

    async def create(post: Any) -> None: ...

    create.__annotations__["post"] = annotation
    app.post("/posts")(create)
    with pytest.raises(ConfigurationError, match=words):
        app.freeze()


async def test_the_session_is_a_service(app: App) -> None:
    """Whoever likes SQLAlchemy's session asks for it, in async handlers too."""

    @app.get("/")
    async def home(session: Session, database: Database) -> Any:
        def count(session: Session) -> int:
            return len(session.execute(select(Comment)).scalars().all())

        return {"comments": await database.run_sync(count), "same": session is current.get(Session)}

    assert data(await call(app, "GET", "/")) == {"comments": 20, "same": True}


async def test_two_databases(tmp_path: Path) -> None:
    """A model says in which database it lives; each has its own unit of work in a request."""

    class Apart(Model, isolated=True):
        pass

    class Here(Apart):
        name: Mapped[str] = column(max_length=20)

    class There(Apart):
        __database__ = "archive"
        name: Mapped[str] = column(max_length=20)

    app = App()
    main = app.use(Database(f"sqlite:///{tmp_path}/main.db"))
    archive = app.use(Database(f"sqlite:///{tmp_path}/archive.db", alias="archive"))
    for database in (main, archive):
        async with database.unit():
            await database.create_all(Apart)

    @app.post("/{word}")
    async def make(word: str) -> Any:
        await Here.create(name=word)
        await There.create(name=word)
        if word == "bad":
            raise RuntimeError
        return {"here": await Here.query().count(), "there": await There.query().count()}

    assert data(await call(app, "POST", "/good")) == {"here": 1, "there": 1}
    assert (await call(app, "POST", "/bad")).status == 500
    async with main.unit():
        assert (await main.execute("select count(*) from here")).scalar() == 1
        with pytest.raises(NoDatabase, match="archive"):
            await There.query().count()
    async with archive.unit():
        assert (await archive.execute("select count(*) from there")).scalar() == 1
    await main.dispose()
    await archive.dispose()


async def test_readiness_asks_the_database(app: App, blog: Database) -> None:
    """The health probe of the battery runs a statement."""
    await app.health["db"]()


async def test_dicts_of_all_columns_tell_nothing_private(blog: Database) -> None:
    """`values()` gives what JSON of the objects would show; a private column has to be named."""
    await blog.run(fill(posts=1))
    async with blog.unit():
        shown = await Post.query().order_by(Post.id).values().first()
        assert shown is not None
        assert {"title", "author_id"} < shown.keys()
        assert "secret" not in shown
        named = await Post.query().order_by(Post.id).values("id", "secret").first()
        assert named == {"id": shown["id"], "secret": None}


@pytest.mark.parametrize("sync", [False, True])
async def test_a_client_that_leaves_leaves_nothing_half_done(app: App, blog: Database, sync: bool) -> None:
    """The handler goes on to its end, and all that it wrote is committed at once."""
    began, release = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        await Tag.create(name="first")
        began.set()
        await release.wait()
        await Tag.create(name="second")

    async def handler() -> str:
        await write()
        return "not heard"

    def handler_sync() -> str:
        wait(write())
        return "not heard"

    app.post("/tags")(handler_sync if sync else handler)

    async def count() -> int:
        async with blog.unit():
            return await Tag.where(Tag.name.in_(["first", "second"])).count()

    async with AsyncClient(app) as client:
        asking = asyncio.create_task(client.post("/tags"))
        await began.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await count() == 0
        release.set()
        async with asyncio.timeout(60):
            while await count() == 0:
                await asyncio.sleep(0.001)
        assert await count() == 2


async def test_a_request_that_is_cut_writes_nothing(app: App, blog: Database) -> None:
    """What had been written when its task was cancelled is rolled back, and its clean-up sees why."""
    began = asyncio.Event()
    seen: list[str] = []

    class Watch:
        pass

    def watch() -> Iterator[Watch]:
        try:
            yield Watch()
        except BaseException as error:
            seen.append(type(error).__name__)
            raise

    app.provide(Watch, watch)

    @app.post("/tags")
    async def handler(watch: Watch) -> str:
        await Tag.create(name="first")
        began.set()
        await asyncio.sleep(3600)
        return "not reached"

    task = asyncio.create_task(call(app, "POST", "/tags", headers={"sec-fetch-site": "same-origin"}))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with blog.unit():
        assert await Tag.where(name="first").count() == 0
    assert seen == ["CancelledError"]
