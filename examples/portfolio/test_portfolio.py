"""The portfolio, as its owner would test it."""

import pytest

from demijohn import App

from .app import POSTS, WORKS
from .app import app as portfolio


@pytest.fixture
def app() -> App:
    return portfolio


def test_works_are_filtered_by_tag(client):
    """With a script only the list is exchanged; without one the whole page comes."""
    page = client.get("/?tag=map").text
    assert "<html" in page
    assert "Atlas of small rivers" in page
    assert "Herbarium" not in page
    part = client.get("/?tag=print", headers={"HX-Request": "true"}).text
    assert "<html" not in part
    assert "A calendar of winds" in part


def test_every_page_is_there_in_both_languages(client):
    paths = ["/", "/blog", "/about", "/contact"]
    paths += [f"/works/{work.slug}" for work in WORKS] + [f"/blog/{post.slug}" for post in POSTS]
    for path in paths:
        assert client.get(path).status_code == 200, path
        assert 'lang="de"' in client.get(f"/de{path}").text, path
    assert client.get("/works/nothing").status_code == 404


def test_the_about_page_is_translated(client):
    assert "with a window to the harbour" in client.get("/about").text
    german = client.get("/de/about").text
    assert "mit einem Fenster zum Hafen" in german
    assert "Über mich" in german


def test_posts_are_markdown_and_bring_no_markup_of_their_own(client):
    page = client.get("/blog/paper").text
    assert "<strong>every fold</strong>" in page
    assert "Ink &amp; oak" in client.get("/blog").text


def test_a_letter_is_sent(client, mailbox):
    letter = {"name": "Ann", "email": "ann@example.org", "text": "Do you bind diaries?"}
    answer = client.post("/contact", data=letter, follow_redirects=True)
    assert "your letter is on its way" in answer.text
    assert mailbox[-1].subject == "A letter from Ann"
    assert mailbox[-1].reply_to == "ann@example.org"
    assert "Do you bind diaries?" in mailbox[-1].text


def test_a_letter_without_an_address_is_not_sent(client, mailbox):
    answer = client.post("/de/contact", data={"name": "Ann", "email": "nowhere", "text": "Hi"})
    assert answer.status_code == 422
    assert "Nachricht" in answer.text
    assert len(mailbox) == 0


def test_feed_sitemap_and_robots(client):
    assert "<title>Ink &amp; oak</title>" in client.get("/feed.xml").text
    assert "http://localhost/works/atlas" in client.get("/sitemap.xml", headers={"host": "localhost"}).text
    assert "Sitemap: http" in client.get("/robots.txt").text


def test_health(client):
    assert client.get("/readyz").json()["status"] == "ok"


def test_a_stranger_does_not_choose_the_scheme_of_links(client):
    """Only a proxy that the settings name is believed."""
    assert "Sitemap: http://" in client.get("/robots.txt", headers={"x-forwarded-proto": "https"}).text
