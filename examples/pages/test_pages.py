"""The site of a cellar, as those who run it would test it."""

import pytest

from demijohn import App
from demijohn.db import now

from .app import app as pages
from .models import Document, Revision, User
from .seeds import seed

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


@pytest.fixture
def app() -> App:
    return pages


@pytest.fixture
async def seeded(db):
    await seed()


@pytest.fixture
async def ann(seeded, login) -> User:
    user = await User.where(email="ann@example.org").one()
    await login(user)
    return user


def typed(**changes: str) -> dict[str, str]:
    return {"title": "Wines", "slug": "wines", "body": "*Red* ones.", "position": "0", **changes}


async def test_visitors_see_what_is_published(async_client, seeded):
    page = (await async_client.get("/about/history")).text
    assert "<h1>History</h1>" in page
    assert 'href="/visit"' in page  # the menu
    assert (await async_client.get("/harvest")).status_code == 404  # a draft
    assert (await async_client.get("/history")).status_code == 404  # it stands below another


async def test_what_will_be_published_is_not_there_yet(async_client, seeded):
    tomorrow = now().replace(year=now().year + 1)
    await Document.create(title="Later", slug="later", body="...", published_at=tomorrow)
    assert (await async_client.get("/later")).status_code == 404
    assert "later" not in (await async_client.get("/sitemap.xml")).text


async def test_markdown_brings_no_scripts(async_client, seeded):
    await Document.create(title="Bad", slug="bad", body="<script>x</script> **b**", published_at=now())
    page = (await async_client.get("/bad")).text
    assert "<script>x" not in page
    assert "<strong>b</strong>" in page


async def test_only_editors_edit(async_client, seeded, login):
    assert (await async_client.get("/edit/", headers={"accept": "text/html"})).status_code == 303
    ben = await User.create_user(email="ben@example.org", password="a bottle in the cellar")
    await login(ben)
    assert (await async_client.get("/edit/")).status_code == 403
    assert (await async_client.post("/edit/new", data=typed())).status_code == 403


async def test_an_editor_writes_a_page_below_another(async_client, ann):
    about = await Document.where(slug="about").one()
    answer = await async_client.post("/edit/new", data=typed(parent=str(about.id)))
    assert answer.headers["location"] == "/about/wines"
    assert "Draft" in (await async_client.get("/about/wines")).text
    assert await Revision.where(author=ann, title="Wines").count() == 1


async def test_an_address_is_taken_once_and_nothing_stands_below_itself(async_client, ann):
    taken = await async_client.post("/edit/new", data=typed(slug="about"))
    assert taken.status_code == 422
    assert "There is such a page already." in taken.text
    about, history = await Document.where(slug="about").one(), await Document.where(slug="history").one()
    loop = await async_client.post(f"/edit/{about.id}", data=typed(slug="about", parent=str(history.id)))
    assert "A page cannot stand below itself." in loop.text


async def test_an_older_text_comes_back(async_client, ann):
    home = await Document.where(slug="home").one()
    first = await Revision.where(document_id=home.id).one()
    await async_client.post(f"/edit/{home.id}", data=typed(title="Welcome", slug="home", body="Something else."))
    assert (await Document.where(slug="home").one()).body == "Something else."
    await async_client.post(f"/edit/revisions/{first.id}/restore")
    assert (await Document.where(slug="home").one()).body == first.body
    assert await Revision.where(document_id=home.id).count() == 3


async def test_pictures(async_client, ann, tmp_path):
    with pages.override_settings(uploads=str(tmp_path / "uploads")):
        await async_client.post("/edit/pictures", data={"title": "Bottle"}, files={"file": ("b.png", PNG, "image/png")})
        [path] = (tmp_path / "uploads").iterdir()
        answer = await async_client.get(f"/pictures/{path.name}")
        assert (answer.headers["content-type"], answer.content) == ("image/png", PNG)
        fake = {"file": ("b.png", b"<script>", "image/png")}
        assert "no picture" in (await async_client.post("/edit/pictures", data={"title": "Bad"}, files=fake)).text


async def test_the_api_gives_the_same_pages(async_client, ann):
    listed = (await async_client.get("/api/documents")).json()
    assert "about/history" in [document["path"] for document in listed]
    assert (await async_client.get("/api/documents/harvest")).status_code == 404
    body = {"title": "Wines", "slug": "wines", "body": "Red ones.", "published_at": "2026-01-01T00:00:00Z"}
    made = await async_client.post("/api/documents", json=body)
    assert (made.status_code, made.json()["path"]) == (201, "wines")
    again = await async_client.post("/api/documents", json=body)
    assert again.status_code == 409


async def test_the_old_site_is_still_there(async_client, seeded):
    """One of its pages has moved over: the route goes before the mount."""
    assert "By the bottle." in (await async_client.get("/old/prices")).text
    moved = await async_client.get("/old/history", follow_redirects=True)
    assert moved.url.path == "/about/history"
