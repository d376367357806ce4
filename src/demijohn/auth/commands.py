"""`demijohn createsuperuser` and `changepassword`: functions that run as all commands of an app do."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import click

from demijohn.auth.models import User, normalize_email
from demijohn.db import now
from demijohn.db.missing import is_schema_missing
from demijohn.errors import ValidationFailed
from demijohn.schema import Field, converter, records_of

__all__ = ["commands_for"]

PASSWORD = "SUPERUSER_PASSWORD"  # noqa: S105 - the name of a variable


def commands_for(auth: Any) -> list[Callable[..., Any]]:
    """Return the commands of the accounts (Any: the battery, whose module imports this one; they print a text)."""

    async def createsuperuser(*, email: str | None = None, field: tuple[str, ...] = (), no_input: bool = False) -> str:
        """Make a user who may do everything.

        What is not given is asked for: --field NAME=VALUE is another field of the user, the password may stand in
        SUPERUSER_PASSWORD. With --no-input nothing is asked.
        """
        given = {name: value for name, _, value in (one.partition("=") for one in field)}
        records = records_of(auth.model)
        unknown = [name for name in given if name not in records.fields]
        if unknown:
            raise click.ClickException(f"{auth.model.__name__} has no field {', '.join(unknown)}.")
        address: str = _asked("E-mail address", records.fields["email"], email, no_input=no_input)
        values: dict[str, Any] = {}
        for name in dict.fromkeys([*auth.signup_questions(), *given]):
            described = records.fields[name]
            label = str(described.label or name.replace("_", " ").capitalize())
            values[name] = _asked(label, described, given.get(name), no_input=no_input)
        about = [address, *(value for value in values.values() if isinstance(value, str))]
        password = _password(auth, about, no_input=no_input)
        hashed = await auth.passwords.hasher.hash(password)
        flags = {"is_superuser": True, "is_staff": True, "email_verified_at": now()}
        values |= {**flags, "email": normalize_email(address), "password_hash": hashed}
        with _tables_wanted():
            user, errors = await records.write(values)
        if user is None:
            raise click.ClickException("\n".join(f"{error.place[-1]}: {error.message}" for error in errors))
        return f"{address} may do everything."

    async def changepassword(email: str, *, no_input: bool = False) -> str:
        """Set the password of a user, which ends all their sessions.

        It is asked for, or stands in SUPERUSER_PASSWORD. With --no-input nothing is asked.
        """
        with _tables_wanted():
            user: User | None = await auth.model.find_by_email(email)
        if user is None:
            raise click.ClickException(f"There is no user {email}.")
        await user.set_password(_password(auth, auth.about(user), no_input=no_input))
        await user.save()
        return f"The password of {normalize_email(email)} is changed."

    return [createsuperuser, changepassword]


@contextmanager
def _tables_wanted() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_schema_missing(error):
            raise
        raise click.ClickException(
            "The table of the users is missing, or older than the model.\n"
            "Run:  demijohn makemigrations && demijohn migrate"
        ) from None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a question at once: a running loop would only note it, and wait for the answer."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _asked(label: str, field: Field, given: str | None, *, no_input: bool) -> Any:
    """Return the value of a field, given or asked for until it is right (Any: of the field's type)."""
    read = converter(Annotated[field.type, field], text=True)
    while True:
        if given is None and no_input:
            raise click.ClickException(f"{label} is missing: --email, or --field NAME=VALUE.")
        if given is None:
            with _interruptible():
                text = click.prompt(label, type=str)
        else:
            text = given
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
            with _interruptible():
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
        with _interruptible():
            if password and click.confirm("Use it anyway?", default=False):
                return str(password)
