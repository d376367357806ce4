"""The pytest plugin, run on projects of its own."""

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

APP = """
    import asyncio
    from contextvars import ContextVar
    from demijohn import App

    log = []
    app = App()

    @app.on_startup
    async def begin():
        log.append("start")
        app.loop = asyncio.get_running_loop()

    @app.on_shutdown
    async def end():
        log.append("stop")
        print("the app has stopped")

    @app.get("/")
    def home():
        return "Hello, World!"

    @app.get("/loop")
    async def loop():
        return {"same": asyncio.get_running_loop() is app.loop}

    @app.command()
    def greet(name: str):
        return f"Hello, {name}!"
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(app=APP)
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    return pytester


def run(project: pytest.Pytester, *arguments: str, **outcomes: int) -> pytest.RunResult:
    alone = () if "asyncio_mode" in project.path.joinpath("tox.ini").read_text() else ("-p", "no:asyncio")
    result = project.runpytest_subprocess("-p", "no:cacheprovider", *alone, *arguments)
    result.assert_outcomes(**outcomes)
    return result


def test_fixtures_find_the_app(project: pytest.Pytester) -> None:
    """`client`, `async_client`, `cli` and `live_server` work on the app that the command line finds, started once."""
    project.makepyfile(
        """
        import asyncio
        import httpx2

        def test_home(client):
            assert client.get("/").text == "Hello, World!"

        async def test_async_home(async_client, app):
            assert (await async_client.get("/")).text == "Hello, World!"
            assert (await async_client.get("/loop")).json() == {"same": True}
            assert asyncio.get_running_loop() is app.loop

        def test_both(client, app):
            assert client.get("/loop").json() == {"same": True}

        def test_live(live_server):
            assert httpx2.get(live_server.url + "/").text == "Hello, World!"

        def test_commands(cli):
            assert "home" in cli("routes").output
            assert cli("greet", "Ann").output == "Hello, Ann!\\n"
            result = cli("gret", "Ann", check=False)
            assert result.exit_code == 2 and "greet" in result.output

        def test_commands_of_a_running_app(client, cli):
            assert client.get("/").status_code == 200
            assert cli("greet", "Bob").output == "Hello, Bob!\\n"

        async def test_a_command_in_a_thread(async_client, cli):
            result = await asyncio.to_thread(cli, "greet", "Cid")
            assert result.output == "Hello, Cid!\\n"

        def test_started_once():
            from app import log
            assert log == ["start"]
        """
    )
    result = run(project, "-s", passed=8)
    assert result.stdout.str().count("the app has stopped") == 1


def test_async_tests_share_one_loop_and_context(project: pytest.Pytester) -> None:
    """Plain `async def` tests and fixtures run on one loop; a test is one task with its fixtures, and one context."""
    project.makepyfile(
        """
        import asyncio
        from contextvars import ContextVar
        import pytest
        from hypothesis import given, settings, strategies as st

        variable = ContextVar("variable", default="unset")
        loops, order = set(), []

        @pytest.fixture(scope="session")
        async def wide():
            loops.add(asyncio.get_running_loop())
            yield "wide"
            loops.add(asyncio.get_running_loop())

        @pytest.fixture
        async def value(wide):
            variable.set("of the fixture")
            task = asyncio.current_task()
            loops.add(asyncio.get_running_loop())
            yield task
            assert asyncio.current_task() is task
            order.append("fixture ended")

        @pytest.fixture
        async def plain():
            return "plain"

        async def test_one(value, plain, wide):
            loops.add(asyncio.get_running_loop())
            assert asyncio.current_task() is value
            assert variable.get() == "of the fixture"
            assert (plain, wide) == ("plain", "wide")
            async with asyncio.timeout(5), asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(0))

        async def test_two():
            assert variable.get() == "unset"
            assert order == ["fixture ended"]
            loops.add(asyncio.get_running_loop())

        def test_sync_with_async_fixture(plain, value):
            assert plain == "plain"

        @pytest.mark.parametrize("number", [1, 2])
        async def test_parametrized(number):
            assert number in (1, 2)

        @settings(max_examples=5, deadline=None)
        @given(st.integers())
        async def test_hypothesis(number):
            loops.add(asyncio.get_running_loop())
            await asyncio.sleep(0)

        class TestMethods:
            @pytest.fixture
            async def own(self):
                self.here = True
                yield self

            async def test_method(self, own):
                assert own is self and self.here

        def test_loops():
            assert len(loops) == 1
        """
    )
    run(project, passed=8)


def test_outcomes_of_async_tests(project: pytest.Pytester) -> None:
    """Failures, skips and expected failures are told as those of sync tests; a cancelled test harms no other."""
    project.makepyfile(
        """
        import asyncio
        import pytest

        async def test_fails():
            left = 1
            assert left == 2

        async def test_skips():
            pytest.skip("not now")

        @pytest.mark.xfail(strict=True)
        async def test_expected():
            raise KeyError

        async def test_cancelled():
            raise asyncio.CancelledError

        @pytest.fixture
        async def broken():
            raise LookupError("in the fixture")

        async def test_with_broken(broken):
            pass

        @pytest.fixture
        async def twice():
            yield 1
            yield 2

        async def test_twice(twice):
            assert twice == 1

        async def test_goes_on():
            await asyncio.sleep(0)
        """
    )
    result = run(project, passed=2, failed=2, skipped=1, xfailed=1, errors=2)
    result.stdout.fnmatch_lines(["*LookupError: in the fixture*", "*yielded more than once*", "*assert 1 == 2*"])


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_pytest_asyncio_keeps_its_tests(project: pytest.Pytester, mode: str) -> None:
    """What is marked for pytest-asyncio or anyio stays theirs, and so does everything in pytest-asyncio's auto mode."""
    project.makeini(
        f"[pytest]\nfilterwarnings = error\nasyncio_mode = {mode}\nasyncio_default_fixture_loop_scope = function\n"
    )
    project.makepyfile(
        f"""
        import asyncio
        import threading
        import pytest
        import pytest_asyncio

        MODE = {mode!r}
        theirs = []

        def in_main_thread():
            return threading.current_thread() is threading.main_thread()

        @pytest_asyncio.fixture
        async def marked():
            assert in_main_thread()
            yield 1

        @pytest.mark.asyncio
        async def test_marked(marked, async_client):
            assert in_main_thread()
            assert (await async_client.get("/loop")).json() == {{"same": True}}

        @pytest.mark.anyio
        async def test_anyio(async_client, app):
            assert in_main_thread()
            assert (await async_client.get("/")).text == "Hello, World!"
            if MODE == "strict":
                assert asyncio.get_running_loop() is app.loop

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        async def test_plain(async_client, app):
            assert in_main_thread() == (MODE == "auto")
            assert (await async_client.get("/")).text == "Hello, World!"
            assert asyncio.get_running_loop() is app.loop

        def test_sync(client):
            assert client.get("/").text == "Hello, World!"

        async def test_again(async_client):
            assert (await async_client.get("/loop")).json() == {{"same": True}}
        """
    )
    run(project, passed=5)


def test_an_app_of_ones_own(project: pytest.Pytester) -> None:
    """An `app` fixture in conftest takes the place of the found one; it runs as long as its fixture."""
    project.makeconftest(
        """
        import pytest
        from demijohn import App

        log = []

        def create_app():
            app = App()
            number = len(log)
            app.on_startup(lambda: log.append(f"start {number}"))
            app.on_shutdown(lambda: log.append(f"stop {number}"))

            @app.get("/")
            def home():
                return "mine"

            return app

        @pytest.fixture
        def app():
            app = create_app()
            yield app
            log.append("fixture over")

        @pytest.fixture
        def seen():
            return log
        """
    )
    project.makepyfile(
        """
        def test_one(client):
            assert client.get("/").text == "mine"

        async def test_two(async_client, seen):
            assert (await async_client.get("/")).text == "mine"
            assert seen == ["start 0", "stop 0", "fixture over", "start 3"]

        def test_three(seen):
            assert seen[3:] == ["start 3", "stop 3", "fixture over"]
        """
    )
    run(project, passed=3)


def test_an_app_that_is_wired_wrongly(pytester: pytest.Pytester) -> None:
    """It fails the test with what is wrong and the line to write, and none of the framework's own lines."""
    pytester.makepyfile(
        app="""
        from demijohn import App

        app = App()


        @app.get("/")
        def home(data: dict):
            return data
        """
    )
    pytester.makepyfile("def test_home(client): ...\nasync def test_too(async_client): ...")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:asyncio")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["The app cannot start. The parameter `data: dict` of home*", "*Annotated*Query*"])
    result.stdout.no_fnmatch_line("*binding.py*")


def test_relations_load_in_tests_as_in_handlers(pytester: pytest.Pytester) -> None:
    """Code that a handler calls works in an async test and its fixtures too; a child task is still refused."""
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    pytester.makepyfile(
        app="""
        from demijohn import App
        from demijohn.db import Database, Mapped, Model, belongs_to, column

        app = App()
        app.use(Database("sqlite://"))

        class Author(Model):
            name: Mapped[str] = column(max_length=20)

        class Post(Model):
            author: Mapped[Author] = belongs_to(back="posts")

        async def names():
            return [post.author.name for post in await Post.query()]
        """,
        test_it="""
        import pytest
        from app import Author, Post, names

        @pytest.fixture
        async def ann(db):
            ann = await Author.create(name="Ann")
            await Post.create(author=ann)
            return len(ann.posts)

        @pytest.fixture
        async def bob(db):
            bob = await Author.create(name="Bob")
            await Post.create(author=bob)
            yield bob.posts
            assert await names()

        async def test_names(ann, bob, async_client):
            assert ann == 1 and len(bob) == 1
            assert await names() == ["Ann", "Bob"]
            assert (await async_client.get("/nothing")).status_code == 404
            assert await names() == ["Ann", "Bob"]
        """,
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:asyncio")
    result.assert_outcomes(passed=1)


def test_a_command_in_an_async_test_says_how(project: pytest.Pytester) -> None:
    """On the loop of the app a command would wait for ever; it raises, and runs in a thread."""
    project.makepyfile(
        """
        import asyncio
        import pytest

        async def test_greet(async_client, cli):
            await async_client.get("/")
            with pytest.raises(Exception, match=r"asyncio.to_thread\\(cli, 'greet', 'Ann'\\)"):
                cli("greet", "Ann")
            assert (await asyncio.to_thread(cli, "greet", "Ann")).output == "Hello, Ann!\\n"
        """
    )
    run(project, passed=1)


def test_no_app(pytester: pytest.Pytester) -> None:
    """Where there is no app, the fixture says where it looked and how to give one."""
    pytester.makepyfile("def test_home(client): ...")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*DJN-600*", "*def app():*"])


def test_an_app_below_the_root(pytester: pytest.Pytester) -> None:
    """`[tool.demijohn] app` of the project is found from any of its folders."""
    pytester.makepyprojecttoml('[tool.demijohn]\napp = "site_of_mine:make_app"\n[tool.pytest.ini_options]\n')
    pytester.makepyfile(
        site_of_mine="""
        from demijohn import App

        def make_app():
            app = App()

            @app.get("/")
            def home():
                return "from a factory"

            return app
        """
    )
    folder = pytester.mkdir("tests")
    (folder / "test_it.py").write_text("def test_home(client):\n    assert client.get('/').text == 'from a factory'\n")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(pytester.path), "test_it.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in result.stdout, result.stdout


def test_helpers_of_batteries(project: pytest.Pytester) -> None:
    """`db`, `login` and `mailbox` come from the registry of test helpers; around them a unit of work is open."""
    project.makepyfile(
        battery="""
        from contextlib import contextmanager

        class Pretend:
            name = "pretend"
            requires = ()

            def __init__(self):
                self.log = []

            def install(self, app):
                async def db(test):
                    self.log.append("begin")
                    yield "the database"
                    self.log.append("roll back")

                def login(test):
                    async def log_in(user):
                        test.set_cookie("user", user)
                        return user
                    return test.adapt(log_in)

                @contextmanager
                def mailbox(test):
                    yield []

                app.test_helpers.add("db", db)
                app.test_helpers.add("login", login)
                app.test_helpers.add("mailbox", mailbox)
        """,
        app="""
        from battery import Pretend
        from demijohn import App, Request

        app = App()
        pretend = app.use(Pretend())

        @app.get("/me")
        def me(request: Request):
            return request.cookies.get("user", "nobody")
        """,
        test_it="""
        import asyncio
        import pytest
        from app import pretend
        from demijohn import current, wait

        def test_sync(client, db, login, mailbox, app):
            assert db == "the database" and mailbox == []
            assert client.get("/me").text == "nobody"
            assert login("ann") == "ann"
            assert client.get("/me").text == "ann"
            assert current.app is app
            assert wait(asyncio.sleep(0, "waited")) == "waited"
            assert pretend.log == ["begin"]

        async def test_async(async_client, login, db, client, app):
            assert pretend.log == ["begin", "roll back", "begin"]
            assert await login("bob") == "bob"
            assert (await async_client.get("/me")).text == "bob"
            assert current.app is app

        def test_by_name(test_helper, app):
            assert test_helper("mailbox") is test_helper("mailbox")
            assert test_helper("db") == "the database"

        @pytest.fixture
        async def user(db, app):
            assert current.app is app
            return "made in a fixture"

        async def test_async_fixture(user):
            assert user == "made in a fixture"

        def test_nothing_is_open():
            from demijohn.errors import OutsideContext
            with pytest.raises(OutsideContext):
                current.app
            assert pretend.log == ["begin", "roll back"] * 4
        """,
    )
    run(project, passed=5)


def test_no_battery_offers_the_helper(project: pytest.Pytester) -> None:
    """A helper that no battery offers is told with the line to write."""
    project.makepyfile(
        """
        def test_db(db): ...
        def test_mailbox(mailbox): ...
        """
    )
    result = run(project, errors=2)
    result.stdout.fnmatch_lines(["*'db'*", "*app.use(Database(*DJN-621*", "*app.use(Mail())*DJN-621*"])


def test_the_sync_client_in_an_async_test(project: pytest.Pytester) -> None:
    """It is refused with the line to write, and does not hang."""
    project.makepyfile(
        """
        async def test_wrong(client, app):
            client.get("/")
        """
    )
    result = run(project, failed=1)
    result.stdout.fnmatch_lines(["*async_client*DJN-620*"])


def test_the_plugin_is_cheap() -> None:
    """Loading the plugin into a pytest that does not use it imports no client, no asyncio test machinery, no Click."""
    code = (
        "import sys, pytest, demijohn\n"
        "before = set(sys.modules)\n"
        "import demijohn.testing.plugin\n"
        "print(sorted(set(sys.modules) - before))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "['demijohn.testing', 'demijohn.testing.plugin']"
