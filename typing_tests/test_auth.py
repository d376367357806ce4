"""What a checker knows of accounts and mail: the project's own user, decorators that keep types, messages."""

from collections.abc import Callable
from typing import assert_type

from demijohn import App, current
from demijohn.auth import Auth, Group, authenticate, login_required, policy, public, requires
from demijohn.auth import User as BaseUser
from demijohn.db import Mapped, column
from demijohn.mail import Mail, Message


class User(BaseUser):
    display_name: Mapped[str] = column(max_length=60)


app = App()
auth = app.use(Auth(User))
mail = app.use(Mail())
assert_type(auth, Auth[User])
assert_type(auth.model, type[User])
assert_type(mail, Mail)


@app.get("/me")
@login_required
async def me(user: User, maybe: User | None) -> str:
    assert_type(user.display_name, str)
    assert_type(user.email, str)
    assert_type(user.groups, list[Group])
    assert_type(user.can("user.edit", user), bool)
    assert_type(maybe, User | None)
    return user.display_name


@requires("user.edit")
def drafts(page: int = 1) -> list[str]:
    return []


@public
def home() -> str:
    return ""


assert_type(drafts(page=2), list[str])
kept: Callable[[], str] = home


@policy("user.edit")
def may_edit(user: User, other: User) -> bool:
    return user is other


assert_type(may_edit(User(email="a@x.org", display_name="A"), User(email="b@x.org", display_name="B")), bool)


async def use() -> None:
    assert_type(current.get(User), User)
    assert_type(await User.find_by_email("a@x.org"), User | None)
    assert_type(await User.create_user(email="a@x.org", password="x", display_name="A"), User)
    assert_type(await authenticate("a@x.org", "x"), BaseUser | None)
    assert_type(Message(to="a@x.org", subject="s", text="t").recipients, list[str])
    User(display_name="A")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    User(email="a@x.org", display_name="A", groups=[])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
