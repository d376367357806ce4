"""Services are found by type, made once in their scope, and cleaned up after the response."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, NewType, Protocol

import pytest

from demijohn import App, Depends, Form, Header, Query, Request, Response, current
from demijohn.app import Services, Unit, UnitCall
from demijohn.errors import ConfigurationError, OutsideContext, Unauthorized
from tests.app.calling import call
from tests.app.test_binding import answer


class Engine:
    def __init__(self) -> None:
        self.closed = False


class Session:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine


class User:
    def __init__(self, name: str) -> None:
        self.name = name


class Greeter(Protocol):
    def greet(self) -> str: ...


Token = NewType("Token", str)


@pytest.mark.parametrize("sync", [False, True])
async def test_services_by_type_in_both_scopes(sync: bool) -> None:
    """One engine for the app, one session for each request, whichever kind the handler is."""
    app = App()
    app.provide(Engine, scope="app")
    app.provide(Session)
    seen: list[Session] = []

    def show(session: Session, again: Session, engine: Engine) -> dict[str, bool]:
        seen.append(session)
        return {"once": session is again, "engine": session.engine is engine}

    async def show_async(session: Session, again: Session, engine: Engine) -> dict[str, bool]:
        return show(session, again, engine)

    app.get("/")(show if sync else show_async)
    assert await answer(app, "GET", "/") == {"once": True, "engine": True}
    assert await answer(app, "GET", "/") == {"once": True, "engine": True}
    assert seen[0] is not seen[1]
    assert seen[0].engine is seen[1].engine


async def test_every_kind_of_factory() -> None:
    """Sync, async, generators of both kinds, classes, values, protocols, new types."""
    app = App()
    log: list[str] = []

    async def make_engine() -> Engine:
        await asyncio.sleep(0)
        return Engine()

    def session(engine: Engine) -> Iterator[Session]:
        yield Session(engine)
        log.append("session closed")

    async def user(session: Session) -> AsyncIterator[User]:
        yield User("ann")
        await asyncio.sleep(0)
        log.append("user closed")

    class English:
        def greet(self) -> str:
            return "Hello"

    app.provide(Engine, make_engine)
    app.provide(session)
    app.provide(user)
    app.provide(Greeter, English)
    app.provide(Token, value=Token("secret"))

    @app.get("/")
    async def home(user: User, greeter: Greeter, token: Token) -> str:
        return f"{greeter.greet()} {user.name} {token}"

    @app.get("/sync")
    def sync(user: User, greeter: Greeter, token: Token) -> str:
        return f"{greeter.greet()} {user.name} {token}"

    for path in ("/", "/sync"):
        assert (await call(app, "GET", path)).body == b"Hello ann secret"
        assert log == ["user closed", "session closed"]
        log.clear()


async def test_cleaning_up_comes_after_the_first_byte_the_youngest_first() -> None:
    """The response is out before anything is cleaned up."""
    app = App()
    log: list[str] = []

    def make(name: str, needs: Any = None) -> Any:
        async def dependency(before: Annotated[Any, Depends(needs or (lambda: None))]) -> AsyncIterator[str]:
            log.append(f"open {name}")
            yield name
            log.append(f"close {name}")

        return dependency

    first = make("first")
    second = make("second", first)

    @app.get("/")
    async def home(a: Annotated[str, Depends(first)], b: Annotated[str, Depends(second)]) -> str:
        log.append("handler")
        return a + b

    request = Request("GET", "/", b"/", b"", [(b"host", b"localhost")])
    request.app = app
    await app.handle(request, lambda response: log.append("sent"))
    assert log == ["open first", "open second", "handler", "sent", "close second", "close first"]


async def test_generators_see_what_went_wrong() -> None:
    """An exception that leaves the handler is raised at the `yield`; one in the cleaning up is logged."""
    app = App()
    seen: list[str] = []

    async def watched() -> AsyncIterator[str]:
        try:
            yield "w"
        except LookupError as error:
            seen.append(f"async {error!r}")
            raise

    def watched_sync() -> Iterator[int]:
        try:
            yield 1
        except LookupError as error:
            seen.append(f"sync {error!r}")

    @app.get("/")
    async def home(a: Annotated[str, Depends(watched)], b: Annotated[int, Depends(watched_sync)]) -> str:
        raise LookupError("x")

    assert (await call(app, "GET", "/")).status == 500
    assert seen == ["sync LookupError('x')", "async LookupError('x')"]


async def test_a_clean_up_that_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """Each failure is logged by name, the response stands."""
    app = App()
    closed: list[str] = []

    def good() -> Iterator[str]:
        yield "g"
        closed.append("good")

    def bad(before: Annotated[str, Depends(good)]) -> Iterator[str]:
        yield "b"
        raise RuntimeError("broken")

    def twice() -> Iterator[str]:
        yield "t"
        yield "u"

    @app.get("/")
    async def home(a: Annotated[str, Depends(bad)], b: Annotated[str, Depends(twice)]) -> str:
        return a + b

    with caplog.at_level(logging.ERROR, logger="demijohn.app"):
        assert (await call(app, "GET", "/")).body == b"bt"
    assert closed == ["good"]
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        "Cleaning up twice",
        "Cleaning up bad",
    ]
    assert "The factory twice" in caplog.text


async def test_depends_as_in_fastapi() -> None:
    """Nested, cached per request unless told otherwise, by annotation or as a default, classes and callables."""
    app = App()
    calls: list[str] = []

    def paging(page: int = 1, size: Annotated[int, Query(le=50)] = 20) -> tuple[int, int]:
        calls.append("paging")
        return page, size

    async def auth(x_token: Annotated[str, Header()], paging: Annotated[tuple[int, int], Depends(paging)]) -> User:
        calls.append("auth")
        return User(x_token)

    class Filters:
        def __init__(self, q: str = "", paging: tuple[int, int] = Depends(paging)) -> None:
            self.q = q
            self.paging = paging

    class Adder:
        def __init__(self, by: int) -> None:
            self.by = by

        def __call__(self, n: int) -> int:
            calls.append("adder")
            return n + self.by

    adder = Adder(10)

    @app.get("/{n:int}")
    async def show(
        n: int,
        filters: Annotated[Filters, Depends()],
        more: Annotated[int, Depends(adder)],
        again: Annotated[int, Depends(adder, cached=False)],
        user: User = Depends(auth),  # noqa: B008
    ) -> Any:
        return [n, filters.q, filters.paging, more, again, user.name]

    assert await answer(app, "GET", "/7?q=a&page=2", headers={"X-Token": "t"}) == [7, "a", [2, 20], 17, 17, "t"]
    assert calls == ["paging", "adder", "adder", "auth"]
    assert await answer(app, "GET", "/7?page=x&size=51") == (
        422,
        [(("query", "page"), "type"), (("query", "size"), "le"), (("header", "x-token"), "missing")],
    )


async def test_dependencies_speak_before_the_input_is_judged() -> None:
    """Who may not come in hears 401, not what is wrong with the rest."""
    app = App()

    async def auth() -> User:
        raise Unauthorized("Who are you?")

    @app.post("/")
    async def show(user: Annotated[User, Depends(auth)], n: int) -> None: ...

    @app.post("/sync")
    def show_sync(user: Annotated[User, Depends(auth)], n: int) -> None: ...

    assert (await call(app, "POST", "/")).status == 401
    assert (await call(app, "POST", "/sync")).status == 401


async def test_sync_dependencies_of_a_sync_handler_share_its_hop() -> None:
    """All of them run in the handler's thread, one hop, and are cleaned up in a thread too; async ones on the loop."""
    app = App()
    threads: dict[str, int] = {}

    def blocking() -> Iterator[str]:
        threads["dependency"] = threading.get_ident()
        yield "b"
        threads["clean-up"] = threading.get_ident()

    async def awaited() -> str:
        threads["async"] = threading.get_ident()
        return "a"

    @app.get("/")
    def show(a: Annotated[str, Depends(blocking)], b: Annotated[str, Depends(awaited)]) -> str:
        threads["handler"] = threading.get_ident()
        return a + b

    assert (await call(app, "GET", "/")).body == b"ba"
    loop = threading.get_ident()
    assert threads["async"] == loop
    assert threads["handler"] == threads["dependency"] != loop
    assert threads["clean-up"] != loop


async def test_an_optional_service() -> None:
    """`X | None` may have a factory of its own; without any, it is None or the default."""
    app = App()
    app.provide(User, lambda: User("ann"))

    async def maybe() -> User | None:
        return None

    @app.get("/")
    async def show(user: User | None, engine: Annotated[Engine | None, Depends(lambda: None)]) -> Any:
        return [user and user.name, engine]

    assert await answer(app, "GET", "/") == ["ann", None]
    app.services.provide(User | None, maybe)  # type: ignore[arg-type]  # a union is no type to a checker
    app = App()
    app.services.provide(User | None, maybe)  # type: ignore[arg-type]
    app.get("/")(show)
    assert await answer(app, "GET", "/") == [None, None]


async def test_services_are_overridden_in_tests() -> None:
    """A factory or value stands in for a service, an app's service or a dependency, within a block."""
    app = App()
    app.provide(Engine, scope="app")
    app.provide(Session)

    def who() -> User:
        return User("real")

    @app.get("/")
    async def show(session: Session, user: Annotated[User, Depends(who)]) -> Any:
        return [type(session.engine).__name__, user.name]

    @app.get("/sync")
    def show_sync(session: Session, user: Annotated[User, Depends(who)]) -> Any:
        return [type(session.engine).__name__, user.name]

    class FakeEngine(Engine):
        pass

    async def fake_user() -> User:
        await asyncio.sleep(0)
        return User("fake")

    assert await answer(app, "GET", "/") == ["Engine", "real"]
    with app.override(Engine, value=FakeEngine()), app.override(who, fake_user):
        assert await answer(app, "GET", "/") == ["FakeEngine", "fake"]
        assert await answer(app, "GET", "/sync") == ["FakeEngine", "fake"]
    assert await answer(app, "GET", "/") == ["Engine", "real"]
    assert await answer(app, "GET", "/sync") == ["Engine", "real"]


async def test_a_service_of_the_app_is_made_once_and_ends_with_it() -> None:
    """Many requests at once get one; it is cleaned up at shutdown, and made again after a new start."""
    app = App()
    made: list[Engine] = []

    async def engine() -> AsyncIterator[Engine]:
        await asyncio.sleep(0)
        made.append(Engine())
        yield made[-1]
        made[-1].closed = True

    app.provide(Engine, engine, scope="app")

    @app.get("/")
    async def show(engine: Engine) -> Any:
        return [engine is made[-1]]

    await app.startup()
    assert await asyncio.gather(*(answer(app, "GET", "/") for _ in range(5))) == [[True]] * 5
    assert len(made) == 1
    await app.shutdown()
    assert made[0].closed
    await app.startup()
    assert await answer(app, "GET", "/") == [True]
    assert len(made) == 2
    await app.shutdown()


async def test_tasks_of_one_request_get_one_service() -> None:
    """Whoever asks while it is being made waits for it; where making fails, or is cancelled, the next one tries."""
    app = App()
    made: list[str] = []
    closed: list[str] = []
    breaks = [False]

    async def engine() -> AsyncIterator[Engine]:
        made.append("made")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if breaks.pop() if breaks else False:
            raise LookupError("not yet")
        yield Engine()
        closed.append("closed")

    app.provide(Engine, engine)

    @app.get("/")
    async def home() -> Any:
        breaks[:] = [False]
        found = await asyncio.gather(*(current.resolve(Engine) for _ in range(5)))
        return [len({id(each) for each in found})]

    @app.get("/breaks")
    async def broken() -> Any:
        breaks[:] = [True]
        found = await asyncio.gather(*(current.resolve(Engine) for _ in range(3)), return_exceptions=True)
        return sorted(type(each).__name__ for each in found)

    @app.get("/cancels")
    async def cancels() -> Any:
        breaks[:] = []
        first = asyncio.create_task(current.resolve(Engine))
        await asyncio.sleep(0)
        second = asyncio.create_task(current.resolve(Engine))
        await asyncio.sleep(0)
        first.cancel()
        return [type(await second).__name__, first.cancelled()]

    for path, answered, times in (
        ("/", [1], 1),
        ("/breaks", ["Engine", "Engine", "LookupError"], 2),
        ("/cancels", ["Engine", True], 2),
    ):
        made.clear()
        closed.clear()
        assert await answer(app, "GET", path) == answered
        assert (len(made), len(closed)) == (times, 1)


async def test_a_factory_that_asks_for_its_own_service_ends() -> None:
    """It would wait for itself; that is an error of the request, as any recursion is."""
    app = App()

    async def engine() -> Engine:
        return await current.resolve(Engine)

    app.provide(Engine, engine)

    @app.get("/")
    async def home(engine: Engine) -> str:
        return "not reached"

    async with asyncio.timeout(60):
        assert (await call(app, "GET", "/")).status == 500


async def test_services_without_a_request() -> None:
    """Commands, scripts and tasks get the same services; one that reads the request says so."""
    app = App()
    app.provide(Engine)

    def who(request: Request) -> User:
        return User(request.path)

    def paging(page: int = 1) -> Session:
        return Session(Engine())

    app.provide(who)
    app.provide(paging)
    async with app.context():
        engine = await current.resolve(Engine)
        assert current.get(Engine) is engine
        for service in (User, Session):
            with pytest.raises(OutsideContext, match="DJN-215"):
                await current.resolve(service)


async def test_current_get() -> None:
    """In a handler: what is ready or made by sync code; a sync handler waits for the rest."""
    app = App()

    async def make() -> Engine:
        await asyncio.sleep(0)
        return Engine()

    app.provide(Engine, make)
    app.provide(User, lambda: User("ann"))

    @app.get("/")
    async def show() -> Any:
        with pytest.raises(ConfigurationError, match="DJN-211"):
            current.get(Engine)
        return [current.get(User).name, (await current.resolve(Engine)) is current.get(Engine)]

    @app.get("/sync")
    def show_sync() -> Any:
        return [current.get(User).name, current.get(Engine).closed]

    assert await answer(app, "GET", "/") == ["ann", True]
    assert await answer(app, "GET", "/sync") == ["ann", False]


async def test_mistakes_are_found_at_start_up() -> None:
    """Circles, services that live too long, missing types, all with their code."""

    class A:
        def __init__(self, b: "B") -> None: ...

    class B:
        def __init__(self, a: A) -> None: ...

    A.__init__.__annotations__["b"] = B

    class Keeper:
        def __init__(self, user: User) -> None: ...

    class Reader:
        def __init__(self, request: Request) -> None: ...

    class Lost:
        def __init__(self, what: Engine) -> None: ...

    def untyped():  # type: ignore[no-untyped-def]
        return 1

    circle = Services()
    circle.provide(A)
    circle.provide(B)
    with pytest.raises(ConfigurationError, match="A needs B needs A") as caught:
        circle.check()
    assert caught.value.code == "DJN-212"

    for cls, code in ((Keeper, "DJN-213"), (Reader, "DJN-213"), (Lost, "DJN-200")):
        services = Services()
        services.provide(User, lambda: User("x"))
        services.provide(cls, scope="app")
        with pytest.raises(ConfigurationError) as caught:
            services.check()
        assert caught.value.code == code, cls

    services = Services()
    for bad in (untyped, 3, str, dict):
        with pytest.raises(ConfigurationError) as caught:
            services.provide(bad)  # type: ignore[arg-type]
        assert caught.value.code == "DJN-214"
    with pytest.raises(ConfigurationError, match="DJN-214"):
        services.provide(Engine, Engine, value=Engine())
    with pytest.raises(ConfigurationError, match="DJN-214"):
        services.provide(Engine, 3)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="DJN-210"):
        await services.open(Unit(None, "test")).get(Engine)

    app = App()
    app.provide(Lost)
    with pytest.raises(ConfigurationError, match="DJN-200"):
        await app.startup()


async def test_a_subclass_does_not_stand_for_its_base_by_itself() -> None:
    """The message says which one could."""

    class Special(Engine):
        pass

    services = Services()
    services.provide(Special)
    with pytest.raises(ConfigurationError, match=r"provide\(Engine, Special\)"):
        await services.open(Unit(None, "test")).get(Engine)


async def test_a_factory_without_yield_and_a_hidden_coroutine() -> None:
    """Both are told by name."""

    def empty() -> Iterator[Engine]:
        yield from ()

    async def empty_async() -> AsyncIterator[User]:
        if Engine is None:
            yield User("x")

    services = Services()
    services.provide(empty)
    services.provide(empty_async)
    services.provide(Session, lambda: asyncio.sleep(0, Session(Engine())))
    for service in (Engine, User):
        with pytest.raises(ConfigurationError, match="DJN-216"):
            await services.open(Unit(None, "test")).get(service)
    assert isinstance(await services.open(Unit(None, "test")).get(Session), Session)
    with pytest.raises(ConfigurationError, match="DJN-216"):
        services.open(Unit(None, "test")).get_now(Session)


async def test_the_inputs_of_a_handler_include_those_of_its_dependencies() -> None:
    """What the API documentation shows is all that a client may give."""
    app = App()

    def paging(page: int = 1) -> int:
        return page

    def auth(x_token: Annotated[str, Header()], paging: Annotated[int, Depends(paging)]) -> User:
        return User(x_token)

    async def show(id: int, user: Annotated[User, Depends(auth)], name: Annotated[str, Form()] = "n") -> Response:
        return Response()

    from demijohn.app.binding import plan

    made = plan(show, services=app.services, binders=app.binders, path_names={"id": int}, methods=["POST"])
    found = [(item.source, item.name, item.required) for item in app.services.inputs(made)]
    assert found == [
        ("path", "id", True),
        ("form", "name", False),
        ("header", "x-token", True),
        ("query", "page", False),
    ]


@pytest.mark.parametrize("sync", [False, True])
async def test_commands_and_tasks_get_services_and_what_they_are_given(sync: bool) -> None:
    """A unit call fills in services and dependencies; the rest comes from the caller, with its defaults."""
    app = App()
    app.provide(Engine)

    async def token() -> str:
        return "t"

    def job(order: int, engine: Engine, token: Annotated[str, Depends(token)], app: App, note: str = "n") -> Any:
        return [order, type(engine).__name__, token, isinstance(app, App), note]

    async def job_async(
        order: int, engine: Engine, token: Annotated[str, Depends(token)], app: App, note: str = "n"
    ) -> Any:
        return job(order, engine, token, app, note)

    unit_call = UnitCall(job if sync else job_async, app.services)
    assert [(parameter.name, parameter.type) for parameter in unit_call.given] == [("order", int), ("note", str)]
    async with app.context() as unit:
        assert await unit_call(unit, {"order": 7}) == [7, "Engine", "t", True, "n"]
        assert await unit_call(unit, {"order": 7, "note": "m"}) == [7, "Engine", "t", True, "m"]
        for wrong in ({}, {"order": 1, "more": 2}):
            with pytest.raises(TypeError, match="job"):
                await unit_call(unit, wrong)


async def test_a_command_has_no_request_to_read_from() -> None:
    """Markers of a request are refused where there is none."""

    def job(name: Annotated[str, Query()]) -> None: ...

    with pytest.raises(ConfigurationError, match="DJN-208"):
        UnitCall(job, Services())
