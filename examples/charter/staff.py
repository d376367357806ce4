"""People, admin, and the rest: program 2.5 of the charter, with the model of 2.3."""

from datetime import datetime

from demijohn import App
from demijohn.admin import Admin, ModelAdmin
from demijohn.auth import Auth, requires
from demijohn.auth import User as BaseUser
from demijohn.db import Database, Mapped, Model, belongs_to, column, now

app = App()
db = app.use(Database("sqlite:///blog.db"))


class User(BaseUser):
    display_name: Mapped[str] = column(max_length=60)


class Post(Model):
    title: Mapped[str] = column(max_length=200, min_length=3, help="Shown in lists")
    slug: Mapped[str] = column(max_length=200, unique=True, pattern=r"[a-z0-9-]+")
    body: Mapped[str] = column(text=True)
    published: Mapped[bool] = column(default=False)
    author: Mapped[User] = belongs_to(back="posts")
    created_at: Mapped[datetime] = column(default=now, readonly=True)


auth = app.use(Auth(User))
admin = app.use(Admin())


@admin.register(Post)
class PostAdmin(ModelAdmin):
    list_display = ["title", "author", "published", "created_at"]
    search_fields = ["title", "body"]
    list_filter = ["published", "author"]


@app.get("/drafts")
@requires("post.edit")
async def drafts(user: User):
    return await Post.where(~Post.published, author=user).all()
