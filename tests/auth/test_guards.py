"""Who may come: the user as a service, the decorators, and the checks that find a guard that guards nothing."""

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from demijohn import App, Blueprint, Page, View, WebSocket
from demijohn.auth import Auth, Group, current_user, log_in, log_out, login_required, public, requires
from demijohn.auth import User as BaseUser
from demijohn.auth.checking import policy_of
from demijohn.db import Database
from demijohn.errors import ConfigurationError
from demijohn.testing import AsyncClient
from demijohn.testing.sockets import SocketRefused
from tests.auth.site import Article, User

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def add_doors(app: App) -> None:
    """Routes that log a visitor in and out without a password."""

    @app.post("/enter/{email}")
    async def enter(email: str) -> str:
        user = await User.find_by_email(email)
        assert user is not None
        await log_in(user)
        return "in"

    @app.post("/leave")
    async def leave() -> str:
        await log_out()
        return "out"


async def test_a_handler_asks_for_the_user(app: App, visitor: AsyncClient, ann: User) -> None:
    """`user: User` is 401 without a login, `User | None` is None; the base class stands for the project's."""
    add_doors(app)
    for path in ("/me", "/base"):
        assert (await visitor.get(path)).status_code == 401
    assert (await visitor.get("/maybe")).json() == {"email": None}
    await visitor.post("/enter/ann@example.org")
    assert (await visitor.get("/me")).json() == {"email": "ann@example.org"}
    assert (await visitor.get("/base")).json() == {"email": "ann@example.org", "same": True}
    assert (await visitor.get("/maybe")).json() == {"email": "ann@example.org"}
    await visitor.post("/leave")
    assert (await visitor.get("/me")).status_code == 401


async def test_a_browser_is_sent_to_the_login_page(app: App, visitor: AsyncClient) -> None:
    """A page redirects with the way back, a post without one; an API client hears 401 as problem+json."""

    @app.post("/change")
    async def change(user: User) -> str:
        return "changed"

    page = await visitor.get("/me?a=1&b=2", headers=HTML)
    assert page.status_code == 303
    assert page.headers["location"] == "/login?next=%2Fme%3Fa%3D1%26b%3D2"
    assert (await visitor.post("/change", headers=HTML)).headers["location"] == "/login"
    answer = await visitor.get("/me")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


async def test_htmx_goes_to_the_login_page_as_a_whole(app: App, visitor: AsyncClient) -> None:
    """A fragment is not replaced by the login page: htmx is told to go there, and back to the page that it was on."""
    headers = {"hx-request": "true", "hx-current-url": "http://localhost/list?page=2", "accept": "text/html"}
    answer = await visitor.get("/me", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/login?next=%2Flist%3Fpage%3D2"
    for wrong in ("http://[", "http://a:b/", ""):
        answer = await visitor.get("/me", headers={**headers, "hx-current-url": wrong})
        assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login")


async def test_a_socket_asks_for_the_user(app: App, visitor: AsyncClient, ann: User) -> None:
    """A WebSocket whose handler takes a user, or whose guard wants one, is denied without, and accepted with."""

    @app.websocket("/live")
    async def live(socket: WebSocket, user: User) -> None:
        await socket.accept()
        await socket.send_text(user.email)

    @app.websocket("/guarded")
    @login_required
    async def guarded(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("in")

    for path in ("/live", "/guarded"):
        with pytest.raises(SocketRefused) as caught:
            async with visitor.websocket(path):
                pass
        assert caught.value.response.status_code == 401
    async with visitor.harness.open("login") as login:
        await login(ann)
    async with visitor.websocket("/live") as socket:
        assert await socket.receive_text() == "ann@example.org"
    async with visitor.websocket("/guarded") as socket:
        assert await socket.receive_text() == "in"


async def test_every_template_may_have_the_user(app: App, visitor: AsyncClient, ann: User, tmp_path: Path) -> None:
    """`current_user` in a context processor gives all pages their user, those of accounts too."""

    @app.context_processor
    async def who() -> dict[str, object]:
        return {"site_user": await current_user()}

    @app.get("/page")
    async def page() -> Page:
        return Page("page.html")

    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text("Hello {{ site_user or 'stranger' }}")
    app.template_folder = tmp_path / "templates"
    assert (await visitor.get("/page")).text == "Hello stranger"
    async with visitor.harness.open("login") as login:
        await login(ann)
    answer = await visitor.get("/page")
    assert answer.text == "Hello ann@example.org"
    assert answer.headers["cache-control"].startswith("private")


async def test_a_route_without_a_user_pays_nothing(app: App, visitor: AsyncClient) -> None:
    """Where nobody asks for the user no session is opened: the answer may be cached, and no cookie is set."""

    @app.get("/plain")
    async def plain() -> str:
        return "plain"

    answer = await visitor.get("/plain")
    assert "vary" not in answer.headers
    assert "set-cookie" not in answer.headers


async def test_who_is_gone_is_nobody(app: App, database: Database, visitor: AsyncClient, ann: User) -> None:
    """A session of a user who was deactivated, deleted, or got another stamp is no login."""
    add_doors(app)
    for change in ({"is_active": False}, {"session_stamp": "0" * 32}):
        await visitor.post("/enter/ann@example.org")
        assert (await visitor.get("/me")).status_code == 200
        async with database.unit():
            before = await User.where(id=ann.id).one()
            values = {name: getattr(before, name) for name in change}
            await User.where(id=ann.id).update(**change)
        assert (await visitor.get("/me")).status_code == 401
        async with database.unit():
            await User.where(id=ann.id).update(**values)
    assert (await visitor.get("/me")).status_code == 200
    async with database.unit():
        await User.where(id=ann.id).delete()
    assert (await visitor.get("/me")).status_code == 401


async def test_decorators_let_in_who_may(app: App, database: Database, visitor: AsyncClient, ann: User) -> None:
    """Nobody hears 401, who lacks a permission 403, who has all of them is let in; a group's count."""
    add_doors(app)

    @app.get("/account")
    @login_required
    def account() -> str:
        return "yours"

    @requires("article.edit", "article.publish")  # above the route: the function is the same
    @app.get("/drafts")
    async def drafts() -> str:
        return "drafts"

    assert (await visitor.get("/account")).status_code == 401
    assert (await visitor.get("/drafts")).status_code == 401
    await visitor.post("/enter/ann@example.org")
    assert (await visitor.get("/account")).text == "yours"
    assert (await visitor.get("/drafts")).status_code == 403

    async def permit() -> None:
        user = await User.where(id=ann.id).one()
        user.grant("article.publish")
        user.groups.append(await Group.create(name="Editors", permissions=["article.edit"]))
        await user.save()

    await database.run(permit())
    assert (await visitor.get("/drafts")).text == "drafts"


async def test_a_guard_comes_before_the_input(app: App, visitor: AsyncClient) -> None:
    """Who may not come in hears 401 before anything is said about what they sent."""

    @app.get("/numbers/{n:int}")
    @login_required
    async def numbers(n: int, more: int) -> str:
        return "n"

    assert (await visitor.get("/numbers/1?more=x")).status_code == 401


def test_decorators_return_the_function() -> None:
    """The function itself comes back, so that its type and name stay."""

    def view() -> str:
        return ""

    decorators: list[Callable[..., object]] = [login_required, public, requires("article.edit")]
    assert all(decorate(view) is view for decorate in decorators)


def test_a_guard_needs_accounts() -> None:
    """An app without `Auth` does not start with a guarded route."""
    app = App()

    @app.get("/")
    @login_required
    def home() -> str:
        return ""

    with pytest.raises(ConfigurationError, match="no accounts") as caught:
        app.freeze()
    assert caught.value.code == "DJN-922"


def test_a_mark_that_was_lost_is_found(app: App) -> None:
    """A decorator without `wraps` hides the guard: the check names the function. One with a route is silent."""
    gc.collect()

    def plain(function: Callable[..., str]) -> Callable[..., str]:
        def call() -> str:
            return function()

        return call

    @app.get("/lost")
    @plain
    @login_required
    def lost() -> str:
        return ""

    @app.get("/kept")
    @login_required
    def kept() -> str:
        return ""

    app.freeze()
    found = [message for message in app.run_checks() if message.id == "auth.unused_guard"]
    assert [message.level for message in found] == ["warning"]
    assert "test_guards.py" in found[0].place


def test_an_unknown_permission_is_found(app: App) -> None:
    """`demijohn check` tells a misspelt permission with what was meant."""

    @app.get("/drafts")
    @requires("article.edti")
    def drafts() -> str:
        return ""

    app.freeze()
    found = [message for message in app.run_checks() if message.id == "auth.unknown_permission"]
    assert "Did you mean 'article.edit'" in found[0].text
    assert found[0].level == "error"


def test_a_strict_app_says_who_may_come(database: Database) -> None:
    """In a strict app the check names each route that neither guards itself nor says that it is public."""
    app = App(strict=True)
    app.use(database)
    app.use(Auth(User))
    blueprint = Blueprint("more")

    @app.get("/")
    @public
    def home() -> str:
        return ""

    @app.get("/open")
    def forgotten() -> str:
        return ""

    @app.get("/maybe")
    def maybe(user: User | None) -> str:
        return ""

    @blueprint.get("/own")
    def own(user: BaseUser) -> str:
        return user.email

    @blueprint.get("/drafts")
    @requires("article.edit")
    def drafts() -> str:
        return ""

    def written(user: "User") -> str:
        return user.email

    def maybe_written(user: "User | None") -> str:
        return ""

    class Desk(View):
        async def get(self, user: "BaseUser") -> str:
            return user.email

        @requires("article.edit")
        async def post(self) -> str:
            return ""

        async def delete(self) -> str:
            return ""

    @app.websocket("/talk")
    async def talk(socket: WebSocket, user: "User") -> None:
        await socket.accept()

    app.add_route("/written", written)
    app.add_route("/maybe-written", maybe_written)
    app.route("/desk")(Desk)
    app.include(blueprint)
    app.freeze()
    found = [message.text for message in app.run_checks() if message.id == "strict.policy"]
    assert found == ["Nobody said who may use GET /open.", "Nobody said who may use DELETE /desk."]
    policies = {route.pattern: policy_of(route, app) for route in app.router.routes}
    assert (policies["/"], policies["/own"], policies["/drafts"]) == ("public", "login", "article.edit")
    assert (policies["/maybe"], policies["/maybe-written"]) == ("public", "public")
    assert (policies["/written"], policies["/talk"], policies["/desk"]) == ("login", "login", "login, article.edit")
    assert policies["/open"] is None


def test_the_list_of_routes_says_who_may_come(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """`demijohn routes` shows for each route what it demands."""
    from click.testing import CliRunner

    from demijohn.cli import listing

    @app.get("/drafts")
    @requires("article.edit")
    def drafts() -> str:
        return ""

    monkeypatch.setattr(listing, "load_app", lambda target: app)
    lines = CliRunner().invoke(listing.routes).output.splitlines()
    assert "Who may come" in lines[0]
    (line,) = [line for line in lines if "/drafts" in line]
    assert "article.edit" in line


async def test_a_test_logs_in(app: App, visitor: AsyncClient, ann: User) -> None:
    """The test helper `login` makes the visitor of a test a user, without a password."""
    assert Article.__permissions__ == ("publish",)
    async with visitor.harness.open("login") as login:
        await login(ann)
    assert (await visitor.get("/me")).json() == {"email": "ann@example.org"}
