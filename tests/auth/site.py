"""A site with accounts: its user model, a model with an owner, and an app for each test."""

from demijohn import App, Secret, Settings, current
from demijohn.auth import Auth, PasswordHasher, Passwords, policy
from demijohn.auth import User as BaseUser
from demijohn.db import Database, Mapped, Model, belongs_to, column

SECRET = "a7c1f09e5b2d48836e4f0c9b1d75a2e8"


class User(BaseUser):
    """A person of the site."""

    __tablename__ = "site_user"
    display_name: Mapped[str] = column(max_length=60)


class Article(Model):
    """What people write."""

    __tablename__ = "site_article"
    __permissions__ = ("publish",)
    title: Mapped[str] = column(max_length=200)
    author: Mapped[User] = belongs_to()


@policy("article.edit")
def may_edit(user: User, article: Article) -> bool:
    """Their own, or all with the permission."""
    return article.author_id == user.id or user.can("article.edit")  # type: ignore[attr-defined]


TABLES = ["site_user_groups", "site_article", "site_user", "auth_group"]


PASSWORD = "a bottle in the cellar"
WEAK = PasswordHasher(time_cost=1, memory_cost=64)
"""Quick hashes: what they cost is the business of other tests."""


async def make_tables(database: Database) -> None:
    """Make the tables of the site anew, and no others."""
    tables = [Model.metadata.tables[name] for name in TABLES]

    def make(session: object) -> None:
        connection = session.connection()  # type: ignore[attr-defined]
        Model.metadata.drop_all(connection, tables=tables)
        Model.metadata.create_all(connection, tables=tables)

    async with database.unit():
        await database.run_sync(make)


def make_app(database: Database, **options: object) -> App:
    """An app with accounts, and handlers that ask for the user in every way."""
    app = App(settings=Settings(env="test", secret_key=Secret(SECRET)))
    app.use(database)
    options.setdefault("passwords", Passwords(hasher=WEAK))
    app.use(Auth(User, **options))  # type: ignore[arg-type]

    @app.get("/me")
    async def me(user: User) -> dict[str, str]:
        return {"email": user.email}

    @app.get("/base")
    def base(user: BaseUser) -> dict[str, object]:
        return {"email": user.email, "same": current.get(User) is user}

    @app.get("/maybe")
    async def maybe(user: User | None) -> dict[str, str | None]:
        return {"email": user.email if user else None}

    return app
