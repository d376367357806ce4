"""People: program 2.5 of the charter."""

from demijohn import App
from demijohn.auth import Auth, login_required, requires
from demijohn.auth import User as BaseUser
from demijohn.db import Database, Mapped, column

app = App()
db = app.use(Database("sqlite:///people.db"))


class User(BaseUser):
    __tablename__ = "person"  # the other programs of this folder have a table `user` already
    display_name: Mapped[str] = column(max_length=60)


auth = app.use(Auth(User, permissions=["post.edit"]))


@app.get("/drafts")
@requires("post.edit")
async def drafts(user: User):
    return {"drafts_of": user.display_name}


@app.get("/account")
@login_required
def account():
    return "Yours"
