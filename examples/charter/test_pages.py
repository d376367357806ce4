"""Program 2.2 of the charter: one handler answers a browser, htmx, and clients of data."""

import pytest

from demijohn import App

from . import pages


@pytest.fixture
def app() -> App:
    return pages.app


def test_a_browser_gets_the_page(client):
    response = client.get("/posts", headers={"accept": "text/html"})
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>Posts</h1>" in response.text
    assert "How large is &lt;large&gt;?" in response.text
    assert "accept" in response.headers["vary"].lower()


def test_htmx_gets_the_rows(client):
    response = client.get("/posts", headers={"hx-request": "true"})
    rows = [line.strip() for line in response.text.splitlines() if line.strip()]
    assert rows == [
        "<tr><td>1</td><td>Glass &amp; cork</td></tr>",
        "<tr><td>2</td><td>How large is &lt;large&gt;?</td></tr>",
    ]


def test_clients_get_data(client):
    data = [{"id": 1, "title": "Glass & cork"}, {"id": 2, "title": "How large is <large>?"}]
    assert client.get("/posts", headers={"accept": "application/json"}).json() == {"posts": data}
    assert client.get("/posts.json").json() == {"posts": data}
    assert client.get("/posts.csv").text == "id,title\r\n1,Glass & cork\r\n2,How large is <large>?\r\n"
    refused = client.get("/posts", headers={"accept": "image/png"})
    assert refused.status_code == 406
    assert refused.json()["available"] == ["text/html", "application/json", "text/csv"]


def test_messages_wait_for_the_next_page(client):
    response = client.post("/posts", follow_redirects=True)
    assert '<p role="status">Saved</p>' in response.text
    assert "Saved" not in client.get("/posts", headers={"accept": "text/html"}).text
    pages.POSTS.pop()


def test_markup_by_hand(client):
    assert client.get("/greeting?name=<you>").text == "<b>&lt;you&gt;</b>"


def test_the_checks_find_nothing(app):
    assert [message for message in app.run_checks() if message.id.startswith(("templates", "DJN-7"))] == []
