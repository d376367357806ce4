"""The network, as its owner would test it: who sees what, who may do what, and what a page costs."""

import pytest

from demijohn import App
from demijohn.db import max_queries

from . import seeds
from .app import app as network
from .models import Comment, Follow, Happening, Like, Notification, Post, Report, User
from .pictures import Pictures

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
def app() -> App:
    return network


@pytest.fixture
async def people(db):
    made = []
    for handle in ("ann", "ben", "dee"):
        address = f"{handle}@example.org"
        user = User(email=address, handle=handle, display_name=handle.title(), is_private=handle == "dee")
        made.append(await user.save())
    return made


async def test_the_timeline_shows_whom_one_follows(async_client, people, login):
    ann, ben, _ = people
    await Follow.create(follower=ann, followed=ben)
    for author in people:
        await Post.create(author=author, text=f"by {author.handle}")
    assert (await async_client.get("/")).status_code == 401
    await login(ann)
    page = (await async_client.get("/")).text
    assert "by ann" in page
    assert "by ben" in page
    assert "by dee" not in page


async def test_a_timeline_of_twenty_costs_what_one_of_two_does(async_client, people, login):
    ann, ben, dee = people
    await Follow.create(follower=ann, followed=ben)
    await login(ann)
    for count in (2, 20):
        for number in range(count):
            post = await Post.create(author=people[number % 2], text="Hello")
            await Like.create(user=dee, post=post)
            await Comment.create(author=dee, post=post, text="Hello")
        with max_queries(5):  # the user, their groups, the posts, the authors, the news
            page = await async_client.get("/")
    assert page.text.count('<article class="post">') == 20
    assert "Older posts" in page.text


async def test_posts_of_private_people_are_for_whom_they_let_in(async_client, people, login):
    ann, _, dee = people
    post = await Post.create(author=dee, text="hush")
    path = f"/posts/{post.id}"
    assert (await async_client.get(path)).status_code == 404
    await login(ann)
    assert (await async_client.post("/@dee/follow")).status_code == 302
    assert (await async_client.get(path)).status_code == 404
    await login(dee)
    assert "Ann" in (await async_client.get("/requests")).text
    await async_client.post("/requests/ann", data={"accept": "yes"})
    await login(ann)
    assert "hush" in (await async_client.get(path)).text
    assert "hush" in (await async_client.get("/@dee")).text


async def test_nobody_lets_themselves_in(async_client, people, login):
    ann, _, dee = people
    await login(ann)
    await async_client.post("/@dee/follow")
    assert (await async_client.post("/requests/ann", data={"accept": "yes"})).status_code == 404
    assert not await Follow.where(follower=ann, followed=dee, accepted=True).exists()
    assert (await async_client.post("/@ann/follow")).status_code == 409


async def test_people_who_block_each_other_are_not_there(async_client, people, login):
    ann, ben, _ = people
    post = await Post.create(author=ann, text="mine")
    await Follow.create(follower=ben, followed=ann)
    await login(ann)
    await async_client.post("/@ben/block")
    assert not await Follow.query().exists()
    await login(ben)
    assert (await async_client.get("/@ann")).status_code == 404
    assert "Ann" not in (await async_client.get("/people?q=ann")).text
    assert (await async_client.get(f"/posts/{post.id}")).status_code == 404
    for action in ("like", "report", "delete"):
        assert (await async_client.post(f"/posts/{post.id}/{action}")).status_code == 404
    assert (await async_client.post(f"/posts/{post.id}/comments", data={"text": "x"})).status_code == 404


async def test_a_like_is_told_and_taken_back(async_client, people, login):
    ann, ben, _ = people
    post = await Post.create(author=ann, text="mine")
    await login(ben)
    assert "♥ 1" in (await async_client.post(f"/posts/{post.id}/like")).text
    assert "♡ 0" in (await async_client.post(f"/posts/{post.id}/like")).text
    assert await Notification.where(user=ann, kind=Happening.LIKE).count() == 1
    await login(ann)
    assert "♥ 1" in (await async_client.post(f"/posts/{post.id}/like")).text
    assert await Notification.query().count() == 1  # nobody is told what they did themselves


async def test_an_answer_takes_its_text_and_nothing_else(async_client, people, login):
    ann, ben, _ = people
    post = await Post.create(author=ann, text="mine")
    path = f"/posts/{post.id}/comments"
    assert (await async_client.post(path, data={"text": "Nice"})).status_code == 401
    await login(ben)
    assert (await async_client.post(path, data={"text": ""})).status_code == 422
    assert (await async_client.post(path, data={"text": "Nice", "author": ann.id})).status_code == 422
    assert (await async_client.post(path, data={"text": "Nice <b>"})).status_code == 302
    assert "Nice &lt;b&gt;" in (await async_client.get(f"/posts/{post.id}")).text


async def test_a_post_is_deleted_by_its_author_alone(async_client, people, login):
    ann, ben, _ = people
    post = await Post.create(author=ann, text="mine")
    await login(ben)
    assert (await async_client.post(f"/posts/{post.id}/delete")).status_code == 403
    await login(ann)
    assert (await async_client.post(f"/posts/{post.id}/delete")).status_code == 302
    assert not await Post.query().exists()


async def test_a_picture(async_client, people, login, app, tmp_path):
    await login(people[0])
    with app.override(Pictures, value=Pictures(tmp_path)):
        answer = await async_client.post("/", data={"text": "Look"}, files={"picture": ("a.png", PNG)})
        assert answer.status_code == 302
        post = await Post.query().one()
        picture = await async_client.get(f"/pictures/{post.image}")
        assert (picture.content, picture.headers["content-type"]) == (PNG, "image/png")
        answer = await async_client.post("/", data={"text": "Look"}, files={"picture": ("a.png", b"<script>")})
        assert answer.status_code == 422
        assert "This is no picture" in answer.text
        assert len(list(tmp_path.iterdir())) == 1


async def test_a_moderator_takes_a_post_down(async_client, people, login):
    ann, ben, dee = people
    post = await Post.create(author=ann, text="bad words")
    await login(ben)
    answer = await async_client.post(f"/posts/{post.id}/report", data={"reason": "abuse", "note": "Look"})
    assert answer.status_code == 302
    report = await Report.query().one()
    choice = {"action": "take_down", "selected": [str(report.id)], "confirmed": "1"}
    dee.is_staff = True
    dee.grant("report.view", "post.view")
    await dee.save()
    await login(dee)
    assert "bad words" in (await async_client.get("/admin/report/")).text
    await async_client.post("/admin/report/", data=choice)
    assert not (await post.reload()).hidden
    dee.grant("report.moderate")
    await dee.save()
    await async_client.post("/admin/report/", data=choice)
    assert (await post.reload()).hidden
    assert (await report.reload()).closed_at is not None
    assert (await async_client.get(f"/posts/{post.id}")).status_code == 404


async def test_news_come_by_themselves(async_client, people, login):
    ann, ben, _ = people
    await Notification.create(user=ann, actor=ben, kind=Happening.FOLLOW)
    await login(ann)
    async with async_client.stream("GET", "/notifications/stream") as response:
        lines = response.aiter_lines()
        assert [await anext(lines) for _ in range(3)][2] == 'data: {"unread":1}'
    assert "follows you" in (await async_client.get("/notifications")).text
    assert not await Notification.where(read_at=None).exists()


async def test_the_seeds_make_something_to_look_at(async_client, db, login):
    await seeds.seed()
    await seeds.seed()
    assert await User.query().count() == 4
    await login(await User.where(handle="ann").one())
    assert (await async_client.get("/")).text.count('<article class="post">') == 20
