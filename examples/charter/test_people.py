"""Program 2.5 of the charter: who may come, and the pages that let them in."""

import pytest

from demijohn import App

from . import people
from .people import User


@pytest.fixture
def app() -> App:
    return people.app


async def test_who_may_come(async_client, db, login):
    ann = await User.create_user(email="ann@example.org", password="a bottle in the cellar", display_name="Ann")
    assert (await async_client.get("/drafts")).status_code == 401
    await login(ann)
    assert (await async_client.get("/account")).text == "Yours"
    assert (await async_client.get("/drafts")).status_code == 403
    ann.grant("post.edit")
    await ann.save()
    assert (await async_client.get("/drafts")).json() == {"drafts_of": "Ann"}


async def test_the_pages_are_there(async_client, db, mailbox):
    browser = {"accept": "text/html"}
    sent = await async_client.get("/drafts", headers=browser)
    assert sent.headers["location"] == "/login?next=%2Fdrafts"
    for path in ("/login", "/logout", "/signup", "/password-reset", "/verify"):
        assert "</form>" in (await async_client.get(path, headers=browser)).text
    answer = await async_client.post(
        "/signup", json={"email": "ben@example.org", "password": "a bottle in the cellar", "display_name": "Ben"}
    )
    assert answer.status_code == 202
    assert mailbox[-1].to == "ben@example.org"
