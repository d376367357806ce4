"""Pages of a site's own, errors in the layout, and what the list costs beside Django's."""

import inspect
import json
import re
import subprocess
import sys
from datetime import time

import pytest
from benchmarks.admin import LIMIT

from demijohn import App, Page, html
from demijohn.admin import Admin, LogEntry, ModelAdmin
from demijohn.db import Database
from demijohn.errors import ConfigurationError
from demijohn.templating import Templates
from demijohn.testing import AsyncClient
from tests.admin.conftest import Open
from tests.admin.shop import Base, Door, Person, Post, Tag, Writer
from tests.house.repository import ROOT

Caplog = pytest.LogCaptureFixture


async def test_pages_of_ones_own(sqlite: Database, door: Door, caplog: Caplog, tmp_path: object) -> None:
    """A handler stands in the sidebar and the layout; without its permission it is neither shown nor answered."""
    app = App()
    app.use(Templates(options={}))
    app.use(sqlite)
    admin = app.use(Admin(models=[Base, LogEntry], access=door, title="The cellar"))

    @admin.page("/reports", title="Reports", permission="report.view", section="More")
    async def reports() -> object:
        return Page("admin/index.html", recent=[], posts=await Post.query().count())

    @admin.page("/plain")
    def plain(name: str = "you") -> object:
        return html("<p>{}</p>", name)

    async with AsyncClient(app) as client:
        page = (await client.get("/admin/reports")).text
        assert 'href="/admin/reports" aria-current="page">Reports</a>' in page
        assert "The cellar" in page
        assert "<h2>More</h2>" in page
        assert (await client.get("/admin/plain?name=<b>")).text == "<p>&lt;b&gt;</p>"
        door.person = Person("eve", may={"post.view"})
        assert "Reports" not in (await client.get("/admin/")).text
        assert (await client.get("/admin/reports")).status_code == 403
        assert "Refused 'Reports' to eve" in caplog.text
        door.person = None
        assert (await client.get("/admin/plain")).status_code == 303


async def test_errors_stand_in_the_layout(sqlite: Database, open_site: Open, door: Door) -> None:
    """A browser gets a page with a way back, a program a problem document; who may not enter gets no menu."""
    client = await open_site(sqlite)
    browser = {"accept": "text/html"}
    missing = await client.get("/admin/post/999/", headers=browser)
    assert missing.status_code == 404
    assert 'id="menu"' in missing.text
    assert "it may have been deleted" in missing.text
    assert (await client.get("/admin/post/999/")).json()["status"] == 404
    assert 'id="menu"' in (await client.get("/admin/post/?nothing=1", headers=browser)).text
    door.person = Person("eve", staff=False)
    refused = await client.get("/admin/", headers=browser)
    assert refused.status_code == 403
    assert 'id="menu"' not in refused.text


async def test_a_model_is_registered_once(sqlite: Database) -> None:
    """A second class of options for one model is told, unless the first is taken away."""
    admin = Admin(models=[Base], access=Door())
    admin.register(Tag)(ModelAdmin)
    with pytest.raises(ConfigurationError, match="DJN-952"):
        admin.register(Tag)(ModelAdmin)
    admin.unregister(Tag)
    admin.register(Tag)(ModelAdmin)
    assert "tag" in admin.admins


async def test_nothing_is_inline(sqlite: Database, open_site: Open) -> None:
    """No page has a style or a handler in its markup; scripts and styles are files of the site."""
    client = await open_site(sqlite)
    for path in ("", "post/", "post/1/", "post/add/", "post/1/history/", "post/1/delete/"):
        page = (await client.get(f"/admin/{path}")).text
        assert re.findall(r"<[^>]*\s(?:style|on\w+)=", page) == [], path
        assert re.findall(r"<script(?![^>]* src=)", page) == [], path
        assert "<style" not in page


@pytest.mark.slow
def test_the_list_takes_half_of_djangos_at_most() -> None:
    """A hundred rows with three relations: at most five statements, at most half of the CPU of Django's admin."""
    # In a process of its own: Django's settings can be made once in each.
    program = "import json; from benchmarks.admin import compare; print(json.dumps(compare(count=20, rounds=2)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["ours"]["rows"], result["django"]["rows"]) == (100, 100)
    assert result["ours"]["queries"] <= 5
    assert result["ratio"] <= LIMIT


async def test_times_in_the_language_of_the_visitor(sqlite: Database, door: Door) -> None:
    """Where the app speaks several languages, dates and the texts of the admin are in that of the visitor."""
    from demijohn.i18n import Translations

    app = App()
    app.use(sqlite)
    app.use(Translations(["en", "de"]))
    admin = app.use(Admin(models=[Base, LogEntry], access=door))

    @admin.register(Writer)
    class WriterAdmin(ModelAdmin):
        list_display = ("display_name", "born", "gets_up")

        def gets_up(self, writer: Writer) -> time:
            return time(6, 30)

    async with AsyncClient(app) as client:
        page = (await client.get("/admin/post/", headers={"accept-language": "de"})).text
        writers = (await client.get("/admin/writer/", headers={"accept-language": "de"})).text
        english = (await client.get("/admin/writer/", headers={"accept-language": "en"})).text
    assert '<html lang="de" dir="ltr"' in page
    assert ">10.01.25, " in page
    assert '<time datetime="1950-03-04">04.03.1950</time>' in writers
    assert '<time datetime="06:30:00">06:30</time>' in writers
    assert "Mar 4, 1950" in english


async def test_what_options_mean_is_found_once(sqlite: Database, door: Door) -> None:
    """Each admin compiles its options once, actions and forms too, and again when more is registered."""

    class Counted:
        __name__ = "counted"
        asked = 0

        @property
        def __signature__(self) -> inspect.Signature:
            self.asked += 1
            return inspect.signature(lambda posts: None)

        def __call__(self, posts: object) -> str:
            return "done"

    counted = Counted()

    class PostAdmin(ModelAdmin):
        actions = [counted]

    app = App()
    app.use(sqlite)
    admin = app.use(Admin(models=[Post, LogEntry], access=door))
    admin.register(Post)(PostAdmin)
    async with AsyncClient(app) as client:
        asked = counted.asked
        plan = admin.plan(admin.get("post"))
        for _again in range(2):
            assert (await client.get("/admin/post/add/")).status_code == 200
            data = {"action": "counted", "selected": ["1"]}
            assert "done" in (await client.post("/admin/post/", data=data, follow_redirects=True)).text
            assert len(plan.forms) == 1
        assert counted.asked == asked == 1
        assert admin.plan(admin.get("post")) is plan
        plain = admin.admin_for(Tag)  # which has no page
        assert admin.admin_for(Tag) is plain
        assert admin.plan(plain) is admin.plan(plain)
    admin.register(Tag)(ModelAdmin)
    assert admin.admin_for(Tag) is not plain
    assert admin.plan(admin.get("post")) is not plan


async def test_who_may_not_see_a_model_sees_keys(sqlite: Database, open_site: Open, door: Door) -> None:
    """Labels and fields of objects that somebody may not see are nowhere: cells, choices, filters, files, history."""

    class Options(ModelAdmin):
        list_display = ["title", "author", "editor__email", "tags"]
        list_filter = ["author"]
        readonly_fields = ["editor"]

    client = await open_site(sqlite, (Post, Options))
    everything = (await client.get("/admin/post/")).text
    assert "Ann" in everything
    assert "bob@example.org" in everything
    assert "python" in everything
    door.person = Person(may={"post.view", "post.edit", "post.add"})
    for path in (
        "post/", "post/?choose=author", "post/?choose=author&find=ann", "post/?author=1", "post/1/", "post/add/",
        "post/export/", "post/1/history/",
    ):  # fmt: skip
        answer = await client.get(f"/admin/{path}")
        assert answer.status_code == 200, path
        for word in ("Ann<", "Ann,", "Bob", "example.org", "python"):
            assert word not in answer.text, (path, word)
    assert "Writer 1" in (await client.get("/admin/post/")).text
    assert "Writer 1" in (await client.get("/admin/post/export/")).text
    assert "Writer 2" in (await client.get("/admin/post/1/")).text  # the editor, which is only shown
    form = (await client.get("/admin/post/add/")).text
    assert re.search(r'<option value="1"[^>]*>Writer 1<', form)
    searched = await client.post("/admin/post/add/", data={"_action": "search:author", "_search_author": "bo"})
    assert "Writer 1<" in searched.text
    door.person = Person(may={"post.view", "post.edit", "writer.view"})
    page = (await client.get("/admin/post/")).text
    assert "Ann" in page
    assert "python" not in page


async def test_routes_say_whose_they_are(sqlite: Database, open_site: Open) -> None:
    """A list of routes names the admin as the place of its pages, not whoever built the app."""
    client = await open_site(sqlite)
    routes = {route.name: route.place for route in client.app.router.routes if route.name.startswith("admin.")}
    assert {place for name, place in routes.items() if name != "admin.static"} == {"demijohn.admin"}
