"""Program 2.4 of the charter, its form."""

import pytest

from demijohn import App

from . import forms as forms  # its routes
from . import models
from .models import Post, Tag


@pytest.fixture
def app() -> App:
    return models.app


@pytest.fixture
async def tag(db):
    return await Tag.create(name="python")


async def test_the_form_is_shown(async_client, tag):
    page = (await async_client.get("/posts/new")).text
    assert '<label for="id_title">Title</label>' in page
    assert "Shown in lists" in page
    assert 'maxlength="200"' in page
    assert "python" in page
    assert 'name="csrf_token"' in page


async def test_a_post_is_made(async_client, tag):
    typed = {"title": "Hello", "slug": "hello", "body": "...", "tags": str(tag.id)}
    response = await async_client.post("/posts/new", data=typed)
    assert response.headers["location"] == "/posts/hello"
    post = await Post.where(slug="hello").load(Post.author, Post.tags).one()
    assert (post.author.display_name, post.tags) == ("Ann", [tag])
    assert "Saved" in (await async_client.get("/posts/hello")).text


async def test_all_errors_at_once(async_client, tag):
    typed = {"title": "H", "slug": "No Slug", "body": "", "tags": "99", "published": "true"}
    response = await async_client.post("/posts/new", data=typed)
    assert response.status_code == 422
    for message in (
        "Title: At least 3 characters needed.",
        "Slug: This does not have the expected form.",
        "Body: This field is required.",
        "Tags: There is no such tag.",
        "“published”: This field is not known here.",
    ):
        assert message in response.text
    assert 'value="No Slug"' in response.text
    data = await async_client.post("/posts/new", data=typed, headers={"accept": "application/json"})
    assert data.headers["content-type"] == "application/problem+json"
    assert len(data.json()["errors"]) == 5
