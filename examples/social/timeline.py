"""The timeline, and what one can do with a post."""

from dataclasses import dataclass
from typing import Annotated

from demijohn import Blueprint, Page, UploadFile, abort, flash, redirect, url_for
from demijohn.db import QuerySet, count_of, exists_of
from demijohn.forms import FileInput, Form, ModelForm
from demijohn.schema import Field

from .models import Comment, Happening, Like, Post, Report, User, followed_by
from .news import tell
from .pictures import Pictures, checked

timeline = Blueprint("posts")


@dataclass
class NewPost:
    """A post as it is typed."""

    text: Annotated[str, Field(min_length=1, max_length=500, format="textarea", placeholder="What is new?")]
    picture: Annotated[UploadFile | None, Field(extra={"widget": FileInput(accept="image/*", max_size=2_000_000)})] = (
        None
    )


class PostForm(Form[NewPost]):
    """The form of a new post."""

    async def clean_picture(self, value: UploadFile | None) -> UploadFile | None:
        return value and await checked(value)


class CommentForm(ModelForm[Comment], fields=("text",)):
    """The form of an answer."""


class ReportForm(ModelForm[Report], fields=("reason", "note")):
    """The form that calls a moderator."""


def cards(posts: QuerySet[Post], user: User | None) -> QuerySet[Post]:
    """Add what the card of a post shows: counted by the database, in the same statement."""
    return posts.annotate(
        likes_count=count_of(Post.likes),
        comments_count=count_of(Post.comments),
        liked=exists_of(Post.likes, Like.user_id == (user.id if user else 0)),
    ).load(Post.author)


@timeline.route("/", methods=["GET", "POST"])
async def home(form: PostForm, user: User, pictures: Pictures, after: str | None = None):
    """Show what the people write whom one follows; post something."""
    if form.is_valid:
        image = await pictures.keep(form.data.picture) if form.data.picture else None
        await Post.create(author=user, text=form.data.text, image=image)
        flash("Posted.", "success")
        return redirect(url_for(".home"))
    posts = Post.visible_to(user).where((Post.author_id == user.id) | Post.author_id.in_(followed_by(user)))
    page = await cards(posts, user).order_by("-created_at").paginate_by_key(after, per_page=20)
    return Page("home.html#posts", posts=page, form=form)


async def detail(post: Post, form: CommentForm, user: User | None):
    shown = await cards(Post.where(id=post.id), user).one()
    comments = await Comment.where(post=post).load(Comment.author)
    return Page("posts/show.html", post=shown, comments=comments, form=form)


@timeline.get("/posts/{id:int}")
async def show(id: int, form: CommentForm, user: User | None):
    """Show a post with its answers. One that the visitor may not see does not exist for them."""
    return await detail(await Post.visible_to(user).get_or_404(id), form, user)


@timeline.post("/posts/{id:int}/comments")
async def comment(id: int, form: CommentForm, user: User):
    """Answer a post."""
    post = await Post.visible_to(user).get_or_404(id)
    if await form.save_if_valid(post=post, author=user):
        await tell(post.author, user, Happening.COMMENT, post)
        return redirect(post)
    return await detail(post, form, user)


@timeline.post("/posts/{id:int}/like")
async def like(id: int, user: User):
    """Like a post, or no longer."""
    post = await Post.visible_to(user).get_or_404(id)
    if not await Like.where(user=user, post=post).delete():
        _, made = await Like.get_or_create(user_id=user.id, post_id=post.id)
        if made:
            await tell(post.author, user, Happening.LIKE, post)
    return Page("posts/like.html", post=await cards(Post.where(id=id), user).one())


@timeline.post("/posts/{id:int}/delete")
async def delete(id: int, user: User):
    """Delete a post of one's own."""
    post = await Post.visible_to(user).get_or_404(id)
    if not user.can("post.delete", post):
        abort(403, "This post is somebody else's.")
    await post.delete()
    flash("Deleted.")
    return redirect(url_for(".home"))


@timeline.route("/posts/{id:int}/report", methods=["GET", "POST"])
async def report(id: int, form: ReportForm, user: User):
    """Call a moderator."""
    post = await Post.visible_to(user).get_or_404(id)
    if await Report.where(post=post, reporter=user).exists():
        flash("You reported this post already.", "warning")
        return redirect(post)
    if await form.save_if_valid(post=post, reporter=user):
        flash("Thank you. A moderator will look at it.", "success")
        return redirect(url_for(".home"))
    return Page("posts/report.html", form=form, post=post)


@timeline.get("/pictures/{name}")
def picture(name: str, pictures: Pictures):
    """Answer with a picture."""
    return pictures.send(name)
