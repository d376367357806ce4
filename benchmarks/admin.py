"""The admin's list beside Django's: CPU per request and statements, on the very same rows.

`python -m benchmarks.admin [requests] [rounds]` makes one SQLite file and lets each side answer its list of a hundred
rows with three relations, logged in as a superuser, all middleware of a usual project around it and no server in
front. The sides take turns in processes of their own; the ratio of the medians is what counts.
"""

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["compare"]

ROWS = 5000
LIMIT = 0.5
_COLUMNS = ["title", "author", "editor", "category", "published", "price", "created_at"]


# -- our side -------------------------------------------------------------------------------------------------------


def _app(path: str) -> Any:
    from datetime import datetime
    from decimal import Decimal

    from demijohn import App, Secret, Settings
    from demijohn.admin import Admin, ModelAdmin
    from demijohn.auth import Auth
    from demijohn.auth import User as BaseUser
    from demijohn.db import Database, Mapped, Model, belongs_to, column

    class User(BaseUser):
        __tablename__ = "account"

    class Writer(Model):
        name: Mapped[str] = column(max_length=60)

        def __str__(self) -> str:
            return self.name

    class Category(Model):
        name: Mapped[str] = column(max_length=60)

        def __str__(self) -> str:
            return self.name

    class Post(Model):
        title: Mapped[str] = column(max_length=200)
        published: Mapped[bool] = column()
        price: Mapped[Decimal] = column()
        created_at: Mapped[datetime] = column()
        author: Mapped[Writer] = belongs_to()
        editor: Mapped[Writer | None] = belongs_to()
        category: Mapped[Category] = belongs_to()

    app = App(settings=Settings(secret_key=Secret("a-secret-of-the-benchmark-that-is-long-enough")))
    app.use(Database(f"sqlite:///{path}"))
    app.use(Auth(User))
    admin = app.use(Admin())

    @admin.register(Post)
    class PostAdmin(ModelAdmin):
        list_display = _COLUMNS
        list_filter = ("published", "created_at")
        search_fields = ("title",)
        list_per_page = 100

    return app, {"User": User, "Writer": Writer, "Category": Category, "Post": Post}


async def _fill(path: str) -> None:
    from datetime import timedelta
    from decimal import Decimal

    from demijohn.db import now

    app, models = _app(path)
    database = app.batteries["db"]
    begin = now()
    async with app.context(), database.unit():
        await database.create_all()
        await models["User"](email="root@example.org", is_superuser=True, is_staff=True).save()
        await models["Writer"].bulk_create([{"name": f"Writer {number}"} for number in range(50)])
        await models["Category"].bulk_create([{"name": f"Category {number}"} for number in range(10)])
        rows = [
            {
                "title": f"A post about the number {number}",
                "published": number % 2 == 0,
                "price": Decimal(number % 900) / 10,
                "created_at": begin - timedelta(minutes=number),
                "author_id": number % 50 + 1,
                "editor_id": None if number % 5 == 0 else number % 49 + 1,
                "category_id": number % 10 + 1,
            }
            for number in range(ROWS)
        ]
        await models["Post"].bulk_create(rows)


async def _ours(path: str, count: int) -> dict[str, Any]:
    from demijohn import Request
    from demijohn.db import max_queries
    from demijohn.testing import AsyncClient

    app, models = _app(path)
    async with AsyncClient(app, base_url="https://localhost") as client:
        async with app.batteries["db"].unit():
            user = await models["User"].get(1)
        async with client.helper("login") as login:
            await login(user)
        first = await client.get("/admin/post/")
        assert first.status_code == 200, first.status_code
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items()).encode()
        headers = [(b"host", b"localhost"), (b"accept", b"text/html"), (b"cookie", cookies)]
        answers: list[Any] = []

        async def ask() -> Any:
            request = Request("GET", "/admin/post/", b"/admin/post/", b"", headers)
            request.app, request.scheme, request._body = app, "https", b""
            answers.clear()
            await app.handle(request, answers.append)
            return answers[0]

        for _warm in range(10):
            response = await ask()
        assert response.status == 200
        queries = _least(max_queries, ask)
        statements = await queries
        begin = time.process_time()
        for _turn in range(count):
            await ask()
        spent = time.process_time() - begin
    text = response.body.decode()
    return {"cpu": spent / count * 1e3, "queries": statements, "rows": text.count("<tr") - 1, "bytes": len(text)}


async def _least(max_queries: Any, ask: Any) -> int:
    """Return the fewest statements that a request may be allowed without being refused."""
    for limit in range(30):
        try:
            with max_queries(limit):
                response = await ask()
            if response.status == 200:
                return limit
        except Exception:  # noqa: S112, BLE001, RUF100 - one more is tried
            continue
    return -1


# -- Django's side --------------------------------------------------------------------------------------------------


def _theirs(path: str, count: int) -> dict[str, Any]:
    import django
    from django.conf import settings

    path = _copy(path)
    settings.configure(
        SECRET_KEY="a-secret-of-the-benchmark-that-is-long-enough",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": path}},
        STATIC_URL="/static/",
        INSTALLED_APPS=[
            "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
            "django.contrib.messages", "django.contrib.staticfiles",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware", "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        TEMPLATES=[{
            "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
            "OPTIONS": {"context_processors": [
                "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]},
        }],
    )  # fmt: skip
    django.setup()
    from django.contrib import admin
    from django.contrib.auth import get_user_model
    from django.core.handlers.wsgi import WSGIHandler
    from django.core.management import call_command
    from django.db import connection, models
    from django.test import Client
    from django.test.utils import CaptureQueriesContext
    from django.urls import path as route

    class Writer(models.Model):
        name = models.CharField(max_length=60)

        class Meta:
            app_label, db_table, managed = "auth", "writer", False

        def __str__(self) -> str:
            return self.name

    class Category(models.Model):
        name = models.CharField(max_length=60)

        class Meta:
            app_label, db_table, managed = "auth", "category", False

        def __str__(self) -> str:
            return self.name

    class Post(models.Model):
        title = models.CharField(max_length=200)
        published = models.BooleanField()
        price = models.DecimalField(max_digits=15, decimal_places=2)
        created_at = models.DateTimeField()
        author = models.ForeignKey(Writer, models.PROTECT, related_name="+")
        editor = models.ForeignKey(Writer, models.SET_NULL, null=True, related_name="+")
        category = models.ForeignKey(Category, models.PROTECT)

        class Meta:
            app_label, db_table, managed = "auth", "post", False

    class PostAdmin(admin.ModelAdmin):
        list_display = _COLUMNS
        list_filter = ("published", "created_at")
        search_fields = ("title",)
        list_per_page = 100
        list_select_related = ("author", "editor", "category")

    admin.site.register(Post, PostAdmin)
    global urlpatterns
    urlpatterns = [route("admin/", admin.site.urls)]
    call_command("migrate", verbosity=0)
    user = get_user_model().objects.create_superuser(f"root{time.time_ns()}", "root@example.org", "x")
    client = Client()
    client.force_login(user)
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    handler = WSGIHandler()

    def ask() -> tuple[str, bytes]:
        import io

        status: list[str] = []
        environ = {
            "REQUEST_METHOD": "GET", "PATH_INFO": "/admin/auth/post/", "SCRIPT_NAME": "", "QUERY_STRING": "",
            "SERVER_NAME": "localhost", "SERVER_PORT": "443", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "localhost",
            "HTTP_COOKIE": cookie, "HTTP_ACCEPT": "text/html", "wsgi.url_scheme": "https", "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr, "wsgi.version": (1, 0), "wsgi.multithread": False, "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }  # fmt: skip
        answer = handler(environ, lambda line, _headers: status.append(line))
        body = b"".join(answer)
        answer.close()
        return status[0], body

    for _warm in range(10):
        line, body = ask()
    assert line.startswith("200"), line
    with CaptureQueriesContext(connection) as captured:
        ask()
        statements = len(captured)
    connection.force_debug_cursor = False
    begin = time.process_time()
    for _turn in range(count):
        ask()
    spent = time.process_time() - begin
    text = body.decode()
    return {
        "cpu": spent / count * 1e3,
        "queries": statements,
        "rows": text.count('class="action-checkbox"'),
        "bytes": len(text),
    }


urlpatterns: list[Any] = []


def _copy(path: str) -> str:
    """Return a copy of the file for Django, without the tables of accounts, which have the same names."""
    copy = f"{path}.django"
    if not Path(copy).exists():
        with sqlite3.connect(path) as ours, sqlite3.connect(copy) as theirs:
            ours.backup(theirs)
        with sqlite3.connect(copy) as theirs:
            for table in ("account_groups", "auth_group", "account", "admin_log_entry"):
                theirs.execute(f"drop table if exists {table}")
    return copy


# -- both -----------------------------------------------------------------------------------------------------------


def _side(name: str, path: str, count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.admin", name, path, str(count)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]).stdout
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def compare(*, count: int = 60, rounds: int = 5) -> dict[str, Any]:
    """Return CPU milliseconds, statements and rows of each side, and the ratio of the medians."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/site.db"
        _side("fill", path, 0)
        found: dict[str, list[dict[str, Any]]] = {"ours": [], "theirs": []}
        for _round in range(rounds):
            for name, results in found.items():
                results.append(_side(name, path, count))
    middle = {name: median(one["cpu"] for one in results) for name, results in found.items()}
    return {
        "ours": {**found["ours"][0], "cpu": middle["ours"]},
        "django": {**found["theirs"][0], "cpu": middle["theirs"]},
        "ratio": middle["ours"] / middle["theirs"],
    }


def main() -> None:
    """Run one side, or compare both and fail where ours takes more than half."""
    if sys.argv[1:2] == ["fill"]:
        asyncio.run(_fill(sys.argv[2]))
        print("{}")
    elif sys.argv[1:2] == ["ours"]:
        print(json.dumps(asyncio.run(_ours(sys.argv[2], int(sys.argv[3])))))
    elif sys.argv[1:2] == ["theirs"]:
        print(json.dumps(_theirs(sys.argv[2], int(sys.argv[3]))))
    else:
        numbers = [int(text) for text in sys.argv[1:]]
        result = compare(count=numbers[0] if numbers else 60, rounds=numbers[1] if len(numbers) > 1 else 5)
        for name in ("ours", "django"):
            about = result[name]
            print(f"{name:8} {about['cpu']:7.2f} ms CPU  {about['queries']} statements  {about['rows']} rows  "
                  f"{about['bytes'] // 1024} KiB")  # fmt: skip
        print(f"ratio    {result['ratio']:.3f}")
        sys.exit(result["ratio"] > LIMIT)


if __name__ == "__main__":
    main()
