"""`demijohn createsuperuser` and `changepassword`, as Click commands."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import click

from demijohn.auth.models import User, normalize_email
from demijohn.db import now
from demijohn.errors import ValidationFailed
from demijohn.schema import Field, converter, records_of

__all__ = ["commands_for"]

PASSWORD = "SUPERUSER_PASSWORD"  # noqa: S105 - the name of a variable
_NO_INPUT = click.option("--no-input", is_flag=True, help=f"Ask nothing; the password is in {PASSWORD}.")


def commands_for(auth: Any, app: Any) -> list[click.Command]:
    """Return the commands of the accounts of an app (Any: the battery, whose module imports this one, and the app)."""
    return [_createsuperuser(auth, app), _changepassword(auth, app)]


def _createsuperuser(auth: Any, app: Any) -> click.Command:
    @click.command()
    @click.option("--email", help="The e-mail address, which is asked for otherwise.")
    @click.option("--field", "fields", multiple=True, metavar="NAME=VALUE", help="Another field of the user.")
    @_NO_INPUT
    def createsuperuser(email: str | None, fields: tuple[str, ...], no_input: bool) -> None:
        """Make a user who may do everything."""
        given = {name: value for name, _, value in (field.partition("=") for field in fields)}
        records = records_of(auth.model)
        unknown = [name for name in given if name not in records.fields]
        if unknown:
            raise click.ClickException(f"{auth.model.__name__} has no field {', '.join(unknown)}.")
        address: str = _asked("E-mail address", records.fields["email"], email, no_input=no_input)
        values: dict[str, Any] = {}
        for name in dict.fromkeys([*auth.signup_questions(), *given]):
            field = records.fields[name]
            label = str(field.label or name.replace("_", " ").capitalize())
            values[name] = _asked(label, field, given.get(name), no_input=no_input)
        about = [address, *(value for value in values.values() if isinstance(value, str))]
        password = _password(auth, about, no_input=no_input)

        async def make() -> None:
            hashed = await auth.passwords.hasher.hash(password)
            flags = {"is_superuser": True, "is_staff": True, "email_verified_at": now()}
            user, errors = await records.write(
                {**values, **flags, "email": normalize_email(address), "password_hash": hashed}
            )
            if user is None:
                raise click.ClickException("\n".join(f"{error.place[-1]}: {error.message}" for error in errors))

        _run(app, make)
        click.echo(f"{address} may do everything.")

    return createsuperuser


def _changepassword(auth: Any, app: Any) -> click.Command:
    @click.command()
    @click.argument("email")
    @_NO_INPUT
    def changepassword(email: str, no_input: bool) -> None:
        """Set the password of a user, which ends all their sessions."""

        async def about() -> list[str]:
            known: list[str] = auth.about(await _find(auth, email))
            return known

        password = _password(auth, _run(app, about), no_input=no_input)

        async def change() -> None:
            user = await _find(auth, email)
            await user.set_password(password)
            await user.save()

        _run(app, change)
        click.echo(f"The password of {normalize_email(email)} is changed.")

    return changepassword


async def _find(auth: Any, email: str) -> User:
    user: User | None = await auth.model.find_by_email(email)
    if user is None:
        raise click.ClickException(f"There is no user {email}.")
    return user


def _run(app: Any, function: Callable[[], Awaitable[Any]]) -> Any:
    """Run a function in a unit of work of the app (Any: the app; what the function returns)."""

    async def run() -> Any:
        async with app.context():
            try:
                return await function()
            except Exception as error:
                if _is_missing_table(error):
                    raise click.ClickException(
                        "The table of the users is missing. Run:  demijohn makemigrations && demijohn migrate"
                    ) from None
                raise

    loop = app.lifespan.loop
    if loop is not None:  # it runs already, in another thread
        return asyncio.run_coroutine_threadsafe(run(), loop).result()
    return asyncio.run(run())


def _is_missing_table(error: Exception) -> bool:
    told = str(getattr(error, "orig", "")).lower()
    return any(text in told for text in ("no such table", "does not exist", "doesn't exist"))


def _asked(label: str, field: Field, given: str | None, *, no_input: bool) -> Any:
    """Return the value of a field, given or asked for until it is right (Any: of the field's type)."""
    read = converter(Annotated[field.type, field], text=True)
    while True:
        if given is None and no_input:
            raise click.ClickException(f"{label} is missing: --email, or --field NAME=VALUE.")
        text = click.prompt(label, type=str) if given is None else given
        try:
            return read(text)
        except ValidationFailed as failed:
            message = " ".join(error.message for error in failed.errors)
            if given is not None:
                raise click.ClickException(f"{label}: {message}") from None
            click.secho(message, fg="red", err=True)


def _password(auth: Any, about: list[str], *, no_input: bool) -> str:
    """Return a password: from the variable, from a line of the input, or asked for twice."""
    rules = auth.passwords.rules
    asks = not no_input and sys.stdin.isatty()
    while True:
        if PASSWORD in os.environ:
            password = os.environ[PASSWORD]
        elif no_input:
            raise click.ClickException(f"{PASSWORD} is not set.")
        elif asks:
            password = click.prompt("Password", hide_input=True, confirmation_prompt="Once more")
        else:
            password = sys.stdin.readline().rstrip("\r\n")
        problems = rules.problems(password, about)
        if not problems:
            return password
        for problem in problems:
            click.secho(problem, fg="yellow", err=True)
        if not asks or PASSWORD in os.environ:
            raise click.ClickException("The password is not good enough.")
        if password and click.confirm("Use it anyway?", default=False):
            return str(password)
