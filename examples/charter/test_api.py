"""Program 2.4 of the charter, its API and its page."""

import re

import pytest

from demijohn import App

from . import api as api  # its routes
from . import models
from .models import Post, Tag, User


@pytest.fixture
def app() -> App:
    return models.app


@pytest.fixture
async def tags(db):
    return [await Tag.create(name=name) for name in ("python", "web")]


async def test_a_client_makes_a_post(async_client, tags):
    body = {"title": "Hello", "slug": "hello", "body": "...", "tags": [tag.id for tag in tags]}
    response = await async_client.post("/api/posts", json=body)
    assert response.status_code == 201
    told = response.json()
    assert (told["title"], told["slug"], told["published"]) == ("Hello", "hello", False)
    post = await Post.where(slug="hello").load(Post.author, Post.tags).one()
    assert post.author.display_name == "Ann"
    assert post.tags == tags


async def test_all_errors_at_once(async_client, tags):
    body = {"title": "H", "slug": "No Slug", "body": "...", "tags": [99], "published": True}
    response = await async_client.post("/api/posts", json=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    places = {tuple(error["place"]) for error in response.json()["errors"]}
    assert {("body", "title"), ("body", "slug"), ("body", "published")} <= places


async def test_what_is_taken_and_what_is_not_there(async_client, tags):
    body = {"title": "Hello", "slug": "hello", "body": "...", "tags": []}
    assert (await async_client.post("/api/posts", json=body)).status_code == 201
    taken = await async_client.post("/api/posts", json=body)
    assert taken.status_code == 409
    assert taken.json()["errors"][0]["place"] == ["body", "slug"]
    nowhere = await async_client.post("/api/posts", json={**body, "slug": "other", "tags": [12345]})
    assert nowhere.status_code == 422
    assert nowhere.json()["errors"][0]["place"] == ["body", "tags", 0]
    assert await Post.where(slug="other").count() == 0


async def test_patch_sets_what_was_sent(async_client, tags):
    author = await User.create(display_name="Bob")
    post = await Post.create(title="Hello", slug="hello", body="old", author=author)
    response = await async_client.patch(f"/api/posts/{post.id}", json={"body": "new", "tags": [tags[1].id]})
    assert response.status_code == 200
    post = await Post.where(slug="hello").load(Post.author, Post.tags).one()
    assert (post.title, post.body, post.tags, post.author) == ("Hello", "new", [tags[1]], author)
    refused = await async_client.patch(f"/api/posts/{post.id}", json={"author": 1})
    assert refused.status_code == 422


async def test_the_page_of_a_post(async_client, db):
    author = await User.create(display_name="Cleo")
    await Post.create(title="Glass & cork", slug="glass", body="...", author=author)
    page = await async_client.get("/posts/glass")
    assert "<h1>Glass &amp; cork</h1>" in page.text
    assert "by Cleo" in page.text
    assert re.search('<link rel="canonical" href="http://[^/]+/posts/glass">', page.text)
    assert (await async_client.get("/posts/none")).status_code == 404
    answer = await async_client.post("/posts/glass/publish", headers={"sec-fetch-site": "same-origin"})
    assert (answer.status_code, answer.headers["location"]) == (302, "/posts/glass")
