"""The forms of the pages of accounts, filled in by a browser or by a document of JSON."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, make_dataclass
from dataclasses import field as member
from typing import Annotated, Any, cast

from demijohn._lib.sentinels import MISSING
from demijohn._lib.translation import LazyString, gettext_lazy
from demijohn._lib.translation import gettext as _
from demijohn.auth.rules import PasswordRules
from demijohn.errors import FieldError, ValidationFailed
from demijohn.forms import BaseForm, Form, Hidden, PasswordInput, TextInput, receive
from demijohn.http import Request
from demijohn.schema import Field, field_error

__all__ = [
    "ConfirmForm",
    "EmailForm",
    "LoginForm",
    "NewEmailForm",
    "PasswordForm",
    "blank_maker",
    "failure_of",
    "fill_in",
    "new_password_form",
    "password_change_form",
    "signup_form",
]

_BARE: dict[str, Any] = {"autocapitalize": "none", "spellcheck": "false"}


@dataclass
class _Login:
    email: Annotated[str, Field(label=gettext_lazy("E-mail address"), max_length=254)]
    password: Annotated[str, Field(label=gettext_lazy("Password"))]
    remember: Annotated[bool, Field(label=gettext_lazy("Stay logged in on this device"))] = False
    next: str = ""


class LoginForm(
    Form[_Login],
    widgets={
        "email": TextInput("email", autocomplete="username", **_BARE),
        "password": PasswordInput(**_BARE),
        "next": Hidden(),
    },
):
    """Who one is, and where to go then."""


@dataclass
class _Address:
    email: Annotated[str, Field(label=gettext_lazy("E-mail address"), format="email", max_length=254)]


class EmailForm(Form[_Address], widgets={"email": TextInput("email", autocomplete="email", **_BARE)}):
    """An address, to which a mail goes."""


@dataclass
class _NewAddress:
    email: Annotated[str, Field(label=gettext_lazy("New e-mail address"), format="email", max_length=254)]


class NewEmailForm(Form[_NewAddress], widgets={"email": TextInput("email", autocomplete="email", **_BARE)}):
    """The address that an account is to have."""


@dataclass
class _Password:
    password: Annotated[str, Field(label=gettext_lazy("Password"))]
    next: str = ""


class PasswordForm(Form[_Password], widgets={"password": PasswordInput(**_BARE), "next": Hidden()}):
    """The password once more, and where to go then."""


@dataclass
class _Nothing:
    """What a button alone sends."""


class ConfirmForm(Form[_Nothing]):
    """A button."""


def _new_password(name: str, rules: PasswordRules, label: str) -> tuple[str, Any]:
    sentence = cast("str", LazyString(lambda: rules.help, (), {}))  # looked up in the language of the visitor
    return name, Annotated[str, Field(label=label, help=sentence)]


def new_password_form(rules: PasswordRules) -> type[Form[Any]]:
    """Return the form that asks for a new password."""
    made = make_dataclass("NewPassword", [_new_password("password", rules, gettext_lazy("New password"))])

    class NewPasswordForm(Form[made], widgets={"password": PasswordInput(new=True, **_BARE)}):  # type: ignore[valid-type]
        """A new password."""

    return NewPasswordForm


def password_change_form(rules: PasswordRules) -> type[Form[Any]]:
    """Return the form that asks for the password, and for a new one."""
    current = Annotated[str, Field(label=gettext_lazy("Current password"))]
    made = make_dataclass(
        "PasswordChange", [("current", current), _new_password("password", rules, gettext_lazy("New password"))]
    )
    widgets = {"current": PasswordInput(**_BARE), "password": PasswordInput(new=True, **_BARE)}

    class PasswordChangeForm(Form[made], widgets=widgets):  # type: ignore[valid-type]
        """The password, and a new one."""

    return PasswordChangeForm


def signup_form(rules: PasswordRules, email: Field, questions: Mapping[str, Field]) -> type[Form[Any]]:
    """Return the form that asks for what an account needs: its fields are those of the user model."""
    members = [_question(name, field) for name, field in {"email": email, **questions}.items()]
    made = make_dataclass(
        "NewAccount", [*members, _new_password("password", rules, gettext_lazy("Password"))], kw_only=True
    )
    widgets = {
        "email": TextInput("email", autocomplete="email", **_BARE),
        "password": PasswordInput(new=True, **_BARE),
    }

    class SignupForm(Form[made], widgets=widgets):  # type: ignore[valid-type]
        """What an account needs."""

    return SignupForm


def _question(name: str, field: Field) -> tuple[Any, ...]:
    described: Any = Annotated[field.type, field]
    if field.required:
        return name, described
    if field.default_factory is not None:
        return name, described, member(default_factory=field.default_factory)
    return name, described, member(default=None if field.default is MISSING else field.default)


def blank_maker(cls: type[Form[Any]]) -> Callable[[], Form[Any]]:
    """Return a function that makes empty forms of a class, which is planned once."""
    plan = cls.plan()
    return lambda: cls(plan)


async def fill_in(form: BaseForm, request: Request) -> None:
    """Read a form as a browser sends it, or a document of JSON with its fields.

    Raises:
        ValidationFailed: A document is no object of these fields; or a client that prefers data sent a form that is
            not right.
    """
    if request.content_type is None or request.content_type.essence != "application/json":
        await receive(form, request)
        return
    document = await request.json()
    if not isinstance(document, dict):
        raise ValidationFailed([FieldError(("body",), "type", _("Expected an object."))])
    wrong = [field_error(("body", name), "unknown") for name in document if name not in form]
    sent: dict[str, list[str]] = {}
    for bound in form:
        value = document.get(bound.name)
        if value is None or isinstance(value, bool) is bound.widget.is_check:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if value is None or isinstance(value, str | bool) or bound.spec.field.type is not str:
                sent[bound.name] = [] if value is None else [text]
                continue
        wrong.append(FieldError(("body", bound.name), "type", _("Expected another type.")))
    if wrong:
        raise ValidationFailed(wrong)
    form.take(sent)
    form.is_submitted = True
    await form.check()


def failure_of(form: BaseForm) -> ValidationFailed:
    """Return what is wrong as the answer for a client of JSON."""
    return ValidationFailed(
        [error._replace(place=("body", *error.place[1:])) for error in form.field_errors()],
    )
