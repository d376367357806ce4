"""People, who follows whom, what they write, and what may be seen of it."""

from datetime import datetime
from enum import Enum

from sqlalchemy import CheckConstraint, UniqueConstraint, and_, or_

from demijohn.auth import User as BaseUser
from demijohn.auth import policy
from demijohn.db import Mapped, Model, QuerySet, belongs_to, column, foreign_key, has_many, now


class User(BaseUser):
    """Somebody with an account and a profile."""

    handle: Mapped[str] = column(
        max_length=20, min_length=3, unique=True, pattern=r"[a-z0-9_]+", help="Small letters, digits and _."
    )
    display_name: Mapped[str] = column(max_length=60, min_length=1)
    bio: Mapped[str] = column(max_length=300, format="textarea", default="")
    is_private: Mapped[bool] = column(default=False, label="Private", help="Only whom you let follow sees your posts.")
    avatar: Mapped[str | None] = column(max_length=100, default=None, readonly=True)
    posts: Mapped[list["Post"]] = has_many(back="author")
    following: Mapped[list["Follow"]] = has_many(back="follower")
    followers: Mapped[list["Follow"]] = has_many(back="followed")

    def __str__(self) -> str:
        return f"@{self.handle}"

    def page_url(self) -> str:
        return f"/@{self.handle}"


class Follow(Model):
    """One person follows another; a private one has to say yes first."""

    __table_args__ = (
        UniqueConstraint("follower_id", "followed_id"),
        CheckConstraint("follower_id <> followed_id", name="nobody_follows_themselves"),
    )
    follower: Mapped[User] = belongs_to(back="following", on_delete="cascade")
    follower_id: Mapped[int] = foreign_key("follower")
    followed: Mapped[User] = belongs_to(back="followers", on_delete="cascade")
    followed_id: Mapped[int] = foreign_key("followed")
    accepted: Mapped[bool] = column(default=True)


class Block(Model):
    """Two people who do not see each other, because one of them wanted it so."""

    __table_args__ = (UniqueConstraint("blocker_id", "blocked_id"),)
    blocker: Mapped[User] = belongs_to(on_delete="cascade")
    blocker_id: Mapped[int] = foreign_key("blocker")
    blocked: Mapped[User] = belongs_to(on_delete="cascade")
    blocked_id: Mapped[int] = foreign_key("blocked")


class Post(Model):
    """Some words and perhaps a picture."""

    author: Mapped[User] = belongs_to(back="posts", on_delete="cascade")
    author_id: Mapped[int] = foreign_key("author")
    text: Mapped[str] = column(max_length=500, min_length=1, format="textarea")
    image: Mapped[str | None] = column(max_length=100, default=None, readonly=True)
    hidden: Mapped[bool] = column(default=False, help="Taken down by a moderator.")
    created_at: Mapped[datetime] = column(default=now, readonly=True, index=True)
    likes: Mapped[list["Like"]] = has_many(back="post")
    comments: Mapped[list["Comment"]] = has_many(back="post")

    def __str__(self) -> str:
        return self.text[:60]

    def page_url(self) -> str:
        return f"/posts/{self.id}"

    @staticmethod
    def visible_to(user: User | None) -> "QuerySet[Post]":
        """Return the posts that a visitor may see: every page asks by this, and by nothing else."""
        posts = Post.where(~Post.hidden)
        is_public = Post.author.has(User.is_private.is_(False))
        if user is None:
            return posts.where(is_public)
        blocked = Block.where(blocker=user).scalars(Block.blocked_id).statement
        blocking = Block.where(blocked=user).scalars(Block.blocker_id).statement
        return posts.where(
            or_(
                Post.author_id == user.id,
                and_(
                    or_(is_public, Post.author_id.in_(followed_by(user))),
                    Post.author_id.not_in(blocked),
                    Post.author_id.not_in(blocking),
                ),
            )
        )


def followed_by(user: User):
    """Return the keys of whom somebody follows, as a part of another statement."""
    return Follow.where(follower=user, accepted=True).scalars(Follow.followed_id).statement


@policy("post.delete")
def may_delete(user: User, post: Post) -> bool:
    """A post is deleted by its author, and by moderators."""
    return post.author_id == user.id or user.can("post.delete")


class Like(Model):
    """Somebody liked a post."""

    __table_args__ = (UniqueConstraint("user_id", "post_id"),)
    user: Mapped[User] = belongs_to(on_delete="cascade")
    user_id: Mapped[int] = foreign_key("user")
    post: Mapped[Post] = belongs_to(back="likes", on_delete="cascade")
    post_id: Mapped[int] = foreign_key("post")


class Comment(Model):
    """An answer to a post."""

    __order_by__ = "id"
    post: Mapped[Post] = belongs_to(back="comments", on_delete="cascade")
    author: Mapped[User] = belongs_to(on_delete="cascade")
    text: Mapped[str] = column(max_length=300, min_length=1, label="Answer")
    created_at: Mapped[datetime] = column(default=now, readonly=True)


class Happening(Enum):
    """What a person is told of."""

    FOLLOW = "follow"
    REQUEST = "request"
    LIKE = "like"
    COMMENT = "comment"


class Notification(Model):
    """Something that happened to somebody's posts or profile."""

    user: Mapped[User] = belongs_to(on_delete="cascade")
    user_id: Mapped[int] = foreign_key("user")
    actor: Mapped[User] = belongs_to(on_delete="cascade")
    kind: Mapped[Happening] = column()
    post: Mapped[Post | None] = belongs_to(on_delete="cascade", default=None)
    read_at: Mapped[datetime | None] = column(default=None)
    created_at: Mapped[datetime] = column(default=now, readonly=True)


class Reason(Enum):
    """Why a post is reported."""

    SPAM = "spam"
    ABUSE = "abuse"
    OTHER = "other"


class Report(Model):
    """A post that somebody wants a moderator to look at."""

    __permissions__ = ("moderate",)
    __table_args__ = (UniqueConstraint("reporter_id", "post_id"),)
    post: Mapped[Post] = belongs_to(back="reports", on_delete="cascade")
    post_id: Mapped[int] = foreign_key("post")
    reporter: Mapped[User] = belongs_to(on_delete="cascade")
    reason: Mapped[Reason] = column(format="radio")
    note: Mapped[str] = column(max_length=500, format="textarea", default="")
    closed_at: Mapped[datetime | None] = column(default=None, readonly=True)
    created_at: Mapped[datetime] = column(default=now, readonly=True)
