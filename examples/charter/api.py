"""An API and pages from the same model: program 2.4 of the charter; its form is in `forms.py`."""

from typing import Annotated

from demijohn import Body, Page, redirect

from .models import Post, User, app


async def current_user() -> User:  # until there are accounts: the first user there is
    user, _ = await User.get_or_create(display_name="Ann")
    return user


app.provide(User, current_user)


@app.post("/api/posts", status=201)
async def create(post: Annotated[Post, Body(include=["title", "slug", "body", "tags"])], user: User):
    post.author = user
    return await post.save()


@app.patch("/api/posts/{post}")
async def change(post: Annotated[Post, Body(include=["title", "body", "published", "tags"])]):
    return await post.save()


@app.get("/posts/{post:slug}")
async def show(post: Post):
    return Page("posts/show.html", post=post)


@app.post("/posts/{post:slug}/publish")
async def publish(post: Post):
    await post.assign(published=True).save()
    return redirect(post)
