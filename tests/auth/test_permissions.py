"""Permissions by name, held by users and groups, and policies that decide about one object."""

import pytest

from demijohn import App
from demijohn.auth import (
    Auth,
    Group,
    UnknownPermission,
    all_permissions,
    normalize_email,
    permission_for,
    policy,
    requires,
)
from demijohn.auth import User as BaseUser
from demijohn.db import Database, UniqueViolation, max_queries
from demijohn.errors import ConfigurationError, ValidationFailed
from tests.auth.site import Article, User, make_app


class Member(BaseUser):
    """A user of another app."""

    __tablename__ = "club_member"


@policy("article.publish")
def members_publish(user: Member, article: Article) -> bool:
    """Every member, and nobody of the site."""
    return True


def test_every_model_has_its_names() -> None:
    """Four actions for each model, and those that it names itself."""
    names = [name for name in all_permissions() if name.startswith("article.")]
    assert names == ["article.add", "article.delete", "article.edit", "article.publish", "article.view"]
    assert permission_for(Article, "edit") == "article.edit"


async def test_can(database: Database) -> None:
    """What a user and their groups hold; all for a superuser, nothing for one who is not active."""

    async def ask() -> None:
        group = await Group.create(name="Editors", permissions=["article.add"])
        ann = await User.create(email="ann@example.org", display_name="Ann", permissions=["article.view"])
        ann.groups.append(group)
        await ann.save()
        assert [ann.can(f"article.{action}") for action in ("view", "add", "delete")] == [True, True, False]
        ann.is_superuser = True
        assert ann.can("article.delete")
        ann.is_active = False
        assert not ann.can("article.view")

    await database.run(ask())


async def test_a_misspelt_name_is_no_quiet_refusal(database: Database) -> None:
    """Asking for, and granting, a permission that nothing has raises, for superusers too."""

    async def ask() -> None:
        ann = User(email="ann@example.org", display_name="Ann", is_superuser=True)
        with pytest.raises(UnknownPermission, match=r"Did you mean 'article\.edit'"):
            ann.can("article.edti")
        with pytest.raises(UnknownPermission):
            ann.grant("nothing.view")

    await database.run(ask())


async def test_grant_and_revoke_are_written(database: Database) -> None:
    """Granted permissions are there after a reload, revoked ones are not; twice is once."""

    async def ask() -> None:
        group = await Group.create(name="Editors")
        group.grant("article.edit", "article.add")
        group.grant("article.edit")
        await group.save()
        await group.reload()
        assert group.permissions == ["article.add", "article.edit"]
        group.revoke("article.add", "article.view")
        await group.save()
        await group.reload()
        assert group.permissions == ["article.edit"]

    await database.run(ask())


async def test_groups_of_many_users_are_one_query(database: Database) -> None:
    """Asking each of ten users loads the groups of all of them at once."""

    async def fill() -> None:
        group = await Group.create(name="Editors", permissions=["article.edit"])
        for number in range(10):
            user = await User.create(email=f"u{number}@example.org", display_name="U")
            user.groups.append(group)
            await user.save()

    async def ask() -> None:
        with max_queries(2):
            users = await User.query().all()
            assert all(user.can("article.edit") for user in users)

    await database.run(fill())
    await database.run(ask())


async def test_a_policy_decides_about_an_object(database: Database) -> None:
    """The author may edit their own article, others only with the permission; in general it is the permission."""

    async def ask() -> None:
        ann = await User.create(email="ann@example.org", display_name="Ann")
        ben = await User.create(email="ben@example.org", display_name="Ben")
        article = await Article.create(title="A", author=ann)
        assert ann.can("article.edit", article)
        assert not ben.can("article.edit", article)
        assert not ann.can("article.edit")
        ben.grant("article.edit")
        assert ben.can("article.edit", article)
        assert not ann.can("article.delete", article)  # no policy: what they hold

    await database.run(ask())


def test_policies_that_cannot_be_asked() -> None:
    """A coroutine function, another signature, and a second policy are refused, with the line to write."""

    async def waits(user: User, article: Article) -> bool:
        return True

    def lonely(user: User) -> bool:
        return True

    def second(user: User, article: Article) -> bool:
        return True

    for function in (waits, lonely, second):
        with pytest.raises(ConfigurationError) as caught:
            policy("article.edit")(function)  # type: ignore[type-var]
        assert caught.value.code == "DJN-923"


async def test_two_apps_of_a_process_keep_apart(database: Database) -> None:
    """Permissions of their own, policies and guards of one app are not those of another beside it."""

    first, second = make_app(database, permissions=["site.export"]), App()
    second.use(database)
    other = second.use(Auth(Member, permissions=["club.close"]))

    @other.policy("article.delete")
    def nobody_deletes(user: Member, article: Article) -> bool:
        return False

    @second.get("/close")
    @requires("club.close")
    def close() -> str:
        return "closed"

    second.freeze()
    first.freeze()
    assert "site.export" in first.batteries["auth"].permissions
    assert "site.export" not in other.permissions
    assert "club.close" not in first.batteries["auth"].permissions
    # Guards that other tests left behind may be told as unused: they belong to no app.
    for app in (first, second):
        found = [one for one in app.run_checks() if one.id.startswith("auth.")]
        assert [one.text for one in found if one.id == "auth.unknown_permission" or "club.close" in one.text] == []

    async def ask() -> None:
        ann = User(email="ann@example.org", display_name="Ann", permissions=["article.delete"])
        mia = Member(email="mia@example.org", permissions=["article.delete"])
        article = Article(title="A")
        assert mia.can("article.publish", article)
        assert not ann.can("article.publish", article)
        assert not mia.can("article.delete", article)
        assert ann.can("article.delete", article)
        assert mia.can("club.close") is False
        with pytest.raises(UnknownPermission):
            ann.can("club.close")
        with pytest.raises(UnknownPermission):
            mia.grant("site.export")

    await database.run(ask())


@pytest.mark.parametrize(
    ("written", "kept"),
    [(" Ann@Example.ORG\n", "ann@example.org"), ("ＡＮＮ@example.org", "ann@example.org"), ("É@x.org", "é@x.org")],
)
def test_an_address_has_one_form(written: str, kept: str) -> None:
    """Case, space around and compatible forms make no other address."""
    assert normalize_email(written) == kept
    assert User(email=written, display_name="A").email == kept


async def test_an_address_is_there_once(database: Database) -> None:
    """The same address in another case is taken, and is found in any case; what is no address is refused."""

    async def ask() -> None:
        ann = await User.create(email="Ann@Example.org", display_name="Ann")
        assert await User.find_by_email("ANN@EXAMPLE.ORG") is ann
        assert await User.find_by_email("ben@example.org") is None
        with pytest.raises(ValidationFailed):
            await User.create(email="no address", display_name="N")
        with pytest.raises(UniqueViolation):
            async with database.transaction():
                await User.create(email="ann@example.ORG", display_name="Other")

    await database.run(ask())


async def test_an_address_with_accents_is_another_one(database: Database) -> None:
    """Where the server compares without accents, the address of somebody else is not found."""

    async def ask() -> None:
        await User.create(email="jose@example.org", display_name="Jose")
        assert await User.find_by_email("josé@example.org") is None

    await database.run(ask())
