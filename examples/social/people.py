"""Profiles, and what people are to one another."""

from dataclasses import dataclass
from typing import Annotated

from sqlalchemy import and_, or_

from demijohn import Blueprint, Form, Page, Query, UploadFile, abort, flash, redirect, url_for
from demijohn.db import count_of
from demijohn.forms import FileInput, ModelForm
from demijohn.forms import Form as FormOf
from demijohn.schema import Field

from .models import Block, Follow, Happening, Post, User
from .news import tell
from .pictures import Pictures, checked
from .timeline import cards

people = Blueprint("people")


class ProfileForm(ModelForm[User], fields=("display_name", "bio", "is_private")):
    """The profile of the visitor."""


@dataclass
class Avatar:
    """The picture of a profile."""

    picture: Annotated[UploadFile, Field(extra={"widget": FileInput(accept="image/*", max_size=2_000_000)})]


class AvatarForm(FormOf[Avatar]):
    """The form of a picture."""

    async def clean_picture(self, value: UploadFile) -> UploadFile:
        return await checked(value)


async def person(handle: str, visitor: User | None) -> User:
    """Return somebody, unless they blocked the visitor: then there is nobody of that name."""
    found = await User.where(handle=handle, is_active=True).get_or_404()
    if visitor and await Block.where(blocker=found, blocked=visitor).exists():
        abort(404)
    return found


@people.get("/@{handle}")
async def profile(handle: str, user: User | None, after: str | None = None):
    """Show somebody with the posts that the visitor may see."""
    somebody = await person(handle, user)
    counted = User.where(id=somebody.id).annotate(
        followers_count=count_of(User.followers, Follow.accepted),
        following_count=count_of(User.following, Follow.accepted),
        posts_count=count_of(User.posts, ~Post.hidden),
    )
    posts = cards(Post.visible_to(user).where(author=somebody), user).order_by("-created_at")
    return Page(
        "people/profile.html#posts",
        person=await counted.one(),
        follow=await Follow.where(follower=user, followed=somebody).first() if user else None,
        blocked=await Block.where(blocker=user, blocked=somebody).exists() if user else False,
        posts=await posts.paginate_by_key(after),
    )


@people.post("/@{handle}/follow")
async def follow(handle: str, user: User):
    """Follow somebody, or ask a private person to; or stop it."""
    somebody = await person(handle, user)
    if somebody.id == user.id or await Block.where(blocker=user, blocked=somebody).exists():
        abort(409, "You cannot follow them.")
    if not await Follow.where(follower=user, followed=somebody).delete():
        await Follow.create(follower=user, followed=somebody, accepted=not somebody.is_private)
        await tell(somebody, user, Happening.REQUEST if somebody.is_private else Happening.FOLLOW)
    return redirect(somebody)


@people.post("/@{handle}/block")
async def block(handle: str, user: User):
    """Block somebody, which ends both followings; or stop it."""
    somebody = await User.where(handle=handle).get_or_404()
    if somebody.id == user.id:
        abort(409, "You cannot block yourself.")
    if await Block.where(blocker=user, blocked=somebody).delete():
        flash(f"{somebody} is not blocked any more.")
    else:
        await Block.create(blocker=user, blocked=somebody)
        both = [user.id, somebody.id]
        await Follow.where(and_(Follow.follower_id.in_(both), Follow.followed_id.in_(both))).delete()
        flash(f"{somebody} is blocked.")
    return redirect(somebody)


@people.get("/people")
async def search(user: User | None, q: Annotated[str, Query(max_length=60)] = ""):
    """Find people by their names."""
    found = User.where(User.is_active)
    if q:
        found = found.where(
            or_(User.handle.icontains(q, autoescape=True), User.display_name.icontains(q, autoescape=True))
        )
    if user:
        found = found.where(User.id.not_in(Block.where(blocked=user).scalars(Block.blocker_id).statement))
    return Page("people/search.html#people", people=await found.order_by("handle").limit(30), q=q)


@people.get("/requests")
async def requests(user: User):
    """Show who wants to follow."""
    waiting = Follow.where(followed=user, accepted=False).order_by("id").load(Follow.follower)
    return Page("people/requests.html", waiting=await waiting)


@people.post("/requests/{handle}")
async def answer(handle: str, user: User, accept: Annotated[bool, Form()]):
    """Let somebody follow, or not."""
    asked = await Follow.where(Follow.follower.has(handle=handle), followed=user, accepted=False).get_or_404()
    if accept:
        await asked.assign(accepted=True).save()
    else:
        await asked.delete()
    return redirect(url_for(".requests"))


@people.route("/profile", methods=["GET", "POST"])
async def edit(form: ProfileForm, user: User):
    """Change one's profile."""
    if await form.save_if_valid(user):
        if not user.is_private:
            await Follow.where(followed=user, accepted=False).update(accepted=True)
        flash("Saved.", "success")
        return redirect(user)
    return Page("people/edit.html", form=form)


@people.route("/profile/picture", methods=["GET", "POST"])
async def avatar(form: AvatarForm, user: User, pictures: Pictures):
    """Change the picture of one's profile."""
    if form.is_valid:
        await user.assign(avatar=await pictures.keep(form.data.picture)).save()
        return redirect(user)
    return Page("people/avatar.html", form=form)
