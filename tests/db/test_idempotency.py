"""R22: a request that is sent twice is done once, whoever dies in between, and both get the same answer."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from sqlalchemy import insert, select, update

from demijohn import App, Blueprint, Form, Request, Response, StreamResponse, abort, redirect
from demijohn.db import Database, DatabaseTimeouts, Idempotency, Mapped, Model, column, idempotent
from demijohn.db.declarative import Declarative
from demijohn.errors import ConfigurationError, Forbidden
from demijohn.middleware import mark
from demijohn.migrations.origins import bring
from demijohn.migrations.project import Project
from demijohn.testing import TestClient
from tests.app.calling import call
from tests.db.conftest import url_of


class Base(Model, isolated=True):
    """Keeps these tables apart from those of other tests."""


class Order(Base):
    __tablename__ = "idempotent_order"

    what: Mapped[str] = column(max_length=40)


KEY = {"idempotency-key": '"8e03978e-40d5-43e8-bc93-6894a57f9324"'}


@pytest.fixture
async def orders(database: Database) -> AsyncIterator[Database]:
    """A database with the empty tables of orders and of keys."""
    keys = Idempotency().table

    async def anew(create: bool) -> None:
        async with database.unit():
            await database.drop_all(Base)
            await database.run_sync(lambda session: keys.drop(session.connection(), checkfirst=True))
            if create:
                await database.create_all(Base)
                await database.run_sync(lambda session: keys.create(session.connection()))

    await anew(True)
    yield database
    await anew(False)


def make_app(database: Database, **options: Any) -> App:
    """An app that takes orders, each once."""
    app = App()
    app.use(database)
    app.use(Idempotency(**options))

    @app.post("/orders", status=201)
    @idempotent
    async def order(request: Request) -> Any:
        made = await Order.create(what=(await request.text()) or "nothing")
        await asyncio.sleep(0)
        if made.what == "refused":
            abort(409, "Sold out.")
        return {"id": made.id, "what": made.what}

    @app.post("/others")
    @idempotent(required=True)
    async def other() -> str:
        return "other"

    return app


async def count(database: Database) -> int:
    """How many orders are committed."""
    async with database.unit():
        return await Order.query().count()


async def test_doubles_are_done_once(orders: Database) -> None:
    """Of a hundred equal requests at once one works, and all others get its answer, headers and status included."""
    app = make_app(orders, wait=30)
    answers = await asyncio.gather(*(call(app, "POST", "/orders", body=b"a demijohn", headers=KEY) for _ in range(100)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert sum(answer.headers.get("idempotent-replayed") is None for answer in answers) == 1
    assert {answer.content_type for answer in answers} == {"application/json"}
    assert await count(orders) == 1
    late = await call(app, "POST", "/orders", body=b"a demijohn", headers=KEY)
    assert (late.status, late.body, late.headers["idempotent-replayed"]) == (201, answers[0].body, "true")
    without = [await call(app, "POST", "/orders", body=b"a demijohn") for _ in range(2)]
    assert without[0].body != without[1].body
    assert await count(orders) == 3


async def test_doubles_in_several_processes_are_done_once(orders: Database, tmp_path: Path) -> None:
    """Where the doubles reach different processes, which know nothing of each other, the database decides."""
    timeouts = DatabaseTimeouts(lock=30)
    databases = [Database(url_of(orders.backend, tmp_path), connections=5, timeouts=timeouts) for _ in range(3)]
    apps = [make_app(database, wait=30) for database in databases]
    for number in range(10):
        headers = {"idempotency-key": f"key-{number}"}
        answers = await asyncio.gather(
            *(call(app, "POST", "/orders", body=b"x", headers=headers) for app in apps for _ in range(3))
        )
        assert {answer.status for answer in answers} == {201}
        assert len({answer.body for answer in answers}) == 1
    assert await count(orders) == 10
    for database in databases:
        await database.dispose()


async def test_the_same_key_for_something_else(orders: Database) -> None:
    """Another body, or another page, under a key that was used is 422; of another client it is another key."""
    app = make_app(orders)
    first = await call(app, "POST", "/orders", body=b"one", headers=KEY)
    assert (await call(app, "POST", "/orders", body=b"two", headers=KEY)).status == 422
    assert (await call(app, "POST", "/others", body=b"one", headers=KEY)).status == 422
    assert (await call(app, "POST", "/orders?a=1", body=b"one", headers=KEY)).status == 422
    mine = await call(app, "POST", "/orders", body=b"one", headers={**KEY, "authorization": "Bearer mine"})
    assert mine.status == 201
    assert mine.body != first.body
    assert await count(orders) == 2


async def test_what_was_rolled_back_may_be_sent_again(orders: Database) -> None:
    """A request that failed kept nothing under its key."""
    app = make_app(orders)
    for _ in range(2):
        refused = await call(app, "POST", "/orders", body=b"refused", headers=KEY)
        assert (refused.status, refused.headers.get("idempotent-replayed")) == (409, None)
    assert await count(orders) == 0
    assert (await call(app, "POST", "/orders", body=b"kept", headers=KEY)).status == 201


async def test_a_double_does_not_wait_for_ever(orders: Database, tmp_path: Path) -> None:
    """While the first is at work a double gets 409 with Retry-After, in the same process and in another."""
    second = Database(url_of(orders.backend, tmp_path), timeouts=DatabaseTimeouts(lock=1))
    begun, release = asyncio.Event(), asyncio.Event()

    def slow(database: Database) -> App:
        app = make_app(database, wait=1)

        @app.post("/slow")
        @idempotent
        async def work() -> str:
            await Order.create(what="slow")
            begun.set()
            await release.wait()
            return "done"

        return app

    app, other = slow(orders), slow(second)
    first = asyncio.create_task(call(app, "POST", "/slow", headers=KEY))
    await begun.wait()
    for each in (app, other):
        double = await call(each, "POST", "/slow", headers=KEY)
        assert (double.status, double.headers["retry-after"]) == (409, "1")
    release.set()
    assert (await first).status == 200
    for each in (app, other):
        assert (await call(each, "POST", "/slow", headers=KEY)).headers["idempotent-replayed"] == "true"
    assert await count(orders) == 1
    await second.dispose()


KILLED = """
    import asyncio, sys
    from demijohn import App
    from demijohn.db import Database, Idempotency, idempotent
    from tests.app.calling import call
    from tests.db.test_idempotency import KEY, Order

    async def stop():
        print("here", flush=True)
        await asyncio.sleep(600)

    async def main():
        database = Database(sys.argv[1])
        app = App()
        app.use(database)
        app.use(Idempotency())

        @app.post("/orders", status=201)
        @idempotent
        async def order() -> str:
            await Order.create(what="killed")
            if sys.argv[2] == "working":
                await stop()
            database.on_commit(stop)
            return "done"

        await call(app, "POST", "/orders", headers=KEY)

    asyncio.run(main())
"""


@pytest.mark.parametrize("moment", ["working", "committed"])
async def test_a_server_that_is_killed(orders: Database, tmp_path: Path, moment: str) -> None:
    """After kill -9 in mid-work the next request does it; after the commit it is answered, and not done again."""
    url = url_of(orders.backend, tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), url, moment], stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": "."},
    )  # fmt: skip
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == b"here\n"
    process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(process.communicate)
    app = App()
    app.use(orders)
    app.use(Idempotency(wait=30))

    @app.post("/orders", status=201)
    @idempotent
    async def order() -> str:
        await Order.create(what="again")
        return "done"

    answer = await call(app, "POST", "/orders", headers=KEY)
    assert (answer.status, answer.body) == (201, b"done")
    assert (answer.headers.get("idempotent-replayed") == "true") == (moment == "committed")
    async with orders.unit():
        expected = {"working": "again", "committed": "killed"}[moment]
        assert await Order.query().scalars(Order.what).all() == [expected]


def quoted(value: str) -> dict[str, str]:
    """A header with that line."""
    return {"idempotency-key": value}


async def test_keys_that_cannot_be_read(orders: Database) -> None:
    """A key is a string of the draft, or a bare word; anything else is 400, as is none where one is required."""
    app = make_app(orders)
    bad = ['""', '"a', "two words", "ä", "x" * 256, f'"{"x" * 256}"', '"a"b"', "", "a\tb"]
    for line in bad:
        assert (await call(app, "POST", "/others", headers=quoted(line))).status == 400, line
    both = {"Idempotency-Key": "a", "idempotency-key": "a"}
    assert (await call(app, "POST", "/others", headers=both)).status == 400
    assert (await call(app, "POST", "/others")).status == 400
    for line, replayed in (("abc", None), ('"abc"', "true"), ('"a\\"b"', None), ("x" * 255, None)):
        answer = await call(app, "POST", "/others", headers=quoted(line))
        assert (answer.status, answer.headers.get("idempotent-replayed")) == (200, replayed), line


async def test_forms_count_once(orders: Database) -> None:
    """The hidden field does for a form what the header does for a client, whatever its boundary and CSRF token are."""
    app = make_app(orders)

    @app.get("/form")
    async def form() -> Response:
        return Response(app.templates.globals["idempotency_field"](), content_type="text/html")

    @app.post("/form")
    @idempotent
    async def save(what: Annotated[str, Form()]) -> Response:
        await Order.create(what=what)
        return redirect("/orders", status=303)

    page = (await call(app, "GET", "/form")).body.decode()
    assert (await call(app, "GET", "/form")).body.decode() != page
    assert page.startswith('<input type="hidden" name="idempotency_key" value="')
    key = page.split('"')[5]
    kind = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
    answers = [
        await call(app, "POST", "/form", body=f"what=a&csrf_token={n}&idempotency_key={key}".encode(), headers=kind)
        for n in range(2)
    ]
    assert [answer.status for answer in answers] == [303, 303]
    assert answers[1].headers["location"] == "/orders"
    for boundary in ("one", "two"):
        fields = {"what": "b", "idempotency_key": "another"}
        parts = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        file = f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="f.txt"\r\n\r\nhello\r\n'
        body = f"{parts}{file}--{boundary}--\r\n".encode()
        headers = {**kind, "content-type": f"multipart/form-data; boundary={boundary}"}
        assert (await call(app, "POST", "/form", body=body, headers=headers)).status == 303
    assert await count(orders) == 2
    changed = f"what=c&idempotency_key={key}".encode()
    assert (await call(app, "POST", "/form", body=changed, headers=kind)).status == 422


async def test_keys_do_not_stay(orders: Database) -> None:
    """A key whose time is over is new again, and `sweep` deletes it."""
    app = make_app(orders)
    keys: Any = app.batteries["idempotency"]
    assert (await call(app, "POST", "/orders", body=b"one", headers=KEY)).status == 201
    async with orders.unit():
        await orders.execute(update(keys.table).values(expires_at=1))
    again = await call(app, "POST", "/orders", body=b"two", headers=KEY)
    assert (again.status, again.headers.get("idempotent-replayed")) == (201, None)
    assert await count(orders) == 2
    async with orders.unit():
        assert await keys.sweep() == 0
        await orders.execute(update(keys.table).values(expires_at=1))
    async with orders.unit():
        assert await keys.sweep() == 1
        assert (await orders.execute(select(keys.table))).all() == []


async def test_secrets_are_not_kept(orders: Database) -> None:
    """Neither the key nor a cookie is in the table."""
    app = make_app(orders)

    @app.post("/cookie")
    @idempotent
    async def cookie() -> Response:
        response = Response("x", headers={"x-kept": "yes"})
        response.set_cookie("secret", "geheim")
        return response

    assert "geheim" in (await call(app, "POST", "/cookie", headers=KEY)).headers["set-cookie"]
    again = await call(app, "POST", "/cookie", headers=KEY)
    assert ("set-cookie" in again.headers, again.headers["x-kept"]) == (False, "yes")
    keys: Any = app.batteries["idempotency"]
    async with orders.unit():
        row = repr((await orders.execute(select(keys.table))).one())
    assert "8e03978e" not in row
    assert "geheim" not in row


async def test_answers_that_cannot_be_kept(orders: Database, caplog: pytest.LogCaptureFixture) -> None:
    """A stream, or an answer over the limit, is an error that says what to write, and nothing was done."""
    app = make_app(orders, max_body=10)

    @app.post("/stream")
    @idempotent
    async def stream() -> StreamResponse:
        await Order.create(what="stream")
        return StreamResponse(iter([b"a"]))

    @app.post("/long")
    @idempotent
    async def long() -> str:
        await Order.create(what="long")
        return "x" * 11

    for path in ("/stream", "/long"):
        assert (await call(app, "POST", path, headers=KEY)).status == 500
        assert "DJN-859" in caplog.text
        caplog.clear()
    assert await count(orders) == 0


async def test_other_guards_come_first(orders: Database) -> None:
    """Who may not do it does not get the answer of a time when they might."""
    app = make_app(orders)
    allowed = True

    class Gate:
        name = "gate"

        def applies(self, methods: frozenset[str]) -> bool:
            return True

        def __call__(self, request: Request) -> None:
            if not allowed:
                raise Forbidden("Not you.")

    def gated(function: Callable[..., Any]) -> Callable[..., Any]:
        mark(function).guards.append(Gate())
        return function

    @app.post("/gated")
    @gated
    @idempotent
    async def gate() -> str:
        return "in"

    assert (await call(app, "POST", "/gated", headers=KEY)).status == 200
    allowed = False
    assert (await call(app, "POST", "/gated", headers=KEY)).status == 403


def test_the_battery_is_asked_for() -> None:
    """A mark without the battery is an error at the start that says the line; limits have to be something."""
    app = App()
    app.use(Database("sqlite://"))

    @app.post("/")
    @idempotent
    async def handler() -> str:
        return "x"

    with pytest.raises(ConfigurationError, match=r"app\.use\(Idempotency\(\)\)"), TestClient(app):
        pass
    with pytest.raises(ConfigurationError, match="DJN-858"):
        Idempotency(keep=timedelta(0))


def test_the_migration_makes_the_table(backend: str, tmp_path: Path) -> None:
    """What the battery brings as a migration is the table that it uses, on every server."""
    battery = Idempotency()
    database = Database(url_of(backend, tmp_path))
    project = Project(database, tmp_path / "migrations", metadata=[battery.table.metadata])
    project.call(
        lambda connection: battery.table.drop(connection, checkfirst=True) or connection.commit(), reading=False
    )
    if backend != "sqlite":
        project.call(_forget, reading=False)
    assert [one.origin for one in bring(project.history, {"idempotency": battery.migrations})]
    project.migrate(say=lambda line: None)
    found = [one for one in project.changes(allow_drop=True).operations if "idempotency" in repr(vars(one))]
    assert found == []
    project.rollback("zero", say=lambda line: None)
    if backend != "sqlite":
        project.call(_forget, reading=False)
    assert Declarative.metadata is battery.table.metadata


def _forget(connection: Any) -> None:
    from demijohn.migrations.running import VERSIONS

    VERSIONS.drop(connection, checkfirst=True)
    connection.commit()


async def test_an_error_handler_for_everything_does_not_see_a_replay(orders: Database) -> None:
    """Neither that of the app nor the nearer one of a blueprint is asked about an answer that is given again."""
    app = App()
    app.use(orders)
    app.use(Idempotency())
    shop = Blueprint("shop")
    seen: list[Exception] = []

    def everything(error: Exception) -> tuple[str, int]:
        seen.append(error)
        return "caught", 500

    app.errorhandler(Exception)(everything)
    shop.errorhandler(Exception)(everything)

    @shop.post("/orders", status=201)
    @idempotent
    async def order() -> Any:
        return {"id": (await Order.create(what="one")).id}

    app.include(shop)
    first, second = [await call(app, "POST", "/orders", headers=KEY) for _ in range(2)]
    assert (first.status, second.status, second.body) == (201, 201, first.body)
    assert seen == []


async def test_nobody_is_a_user_by_a_header(orders: Database) -> None:
    """What a client writes into `Authorization` never reads as the name of a user, and no name as such a header."""
    app = make_app(orders, who=lambda request: request.headers.get("x-user", ""))
    asks = [{"x-user": "user 1"}, {"authorization": "user 1"}, {"x-user": "authorization"}, {}]
    answers = [await call(app, "POST", "/orders", body=b"one", headers=KEY | ask) for ask in asks]
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None] * 4
    assert await count(orders) == 4


async def test_old_keys_go_faster_than_new_ones_come(orders: Database) -> None:
    """Where one sweep was not enough, each request sweeps again until all is gone."""
    app = make_app(orders)
    keys: Any = app.batteries["idempotency"]
    old = [{"digest": f"{n:064}", "fingerprint": "", "expires_at": 1} for n in range(1200)]
    async with orders.unit():
        await orders.execute(insert(keys.table), old)
    for n in range(4):
        answer = await call(app, "POST", "/orders", body=b"one", headers={"idempotency-key": f"k{n}"})
        assert answer.status == 201
    async with orders.unit():
        rows = (await orders.execute(select(keys.table.c.digest))).all()
    assert len(rows) == 4
