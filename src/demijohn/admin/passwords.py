"""The page that gives a user a new password."""

from dataclasses import dataclass
from typing import Annotated, Any

from demijohn import Page, Request, Response, flash, redirect
from demijohn._lib.translation import gettext as _
from demijohn._lib.translation import gettext_lazy
from demijohn.admin.finding import get_object, visit_of
from demijohn.admin.history import HIDDEN, record
from demijohn.admin.naming import label_of, text_key
from demijohn.admin.options import Site
from demijohn.admin.people import UserAdmin
from demijohn.errors import NotFound
from demijohn.forms import Form, receive
from demijohn.schema import Field

__all__ = ["Passwords"]


@dataclass
class NewPassword:
    """What the form asks for."""

    password: Annotated[str, Field(label=gettext_lazy("New password"), format="password", max_length=1000)]
    again: Annotated[str, Field(label=gettext_lazy("New password, once more"), format="password", max_length=1000)]


_plan = Form[NewPassword].plan()


class Passwords:
    """The handler of that page."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def change(self, request: Request) -> Page | Response:
        """Show the form, or set the password: all sessions of the user end."""
        visit, admin = visit_of(request), self.site.get(request.path_params["model"])
        if not isinstance(admin, UserAdmin):
            raise NotFound
        user = await get_object(visit, admin, request.path_params["key"], lock=request.method == "POST")
        visit.require(admin, "change", user)
        if not admin.may_take_over(visit.user, user):
            visit.refuse(f"set the password of {admin.name}", user)
        auth: Any = request.app.batteries["auth"]
        form: Any = Form[NewPassword](_plan)
        url = visit.url(admin.slug, text_key(user))
        if request.method == "POST":
            await receive(form, request)
            if form.is_valid:
                known = [value for value in vars(user).values() if isinstance(value, str)]
                for problem in auth.passwords.rules.problems(form.data.password, known):
                    form.add_error("password", problem)
            if form.is_valid and form.data.password != form.data.again:
                form.add_error("again", _("This is not the same."))
            if form.is_valid:
                await user.set_password(form.data.password)
                await user.save()
                await record(
                    visit, admin, user, action="change", changes={"password": [str(_("Password")), HIDDEN, HIDDEN]}
                )
                flash(_("The password of %(who)s was changed.", who=label_of(user)), "success")
                return redirect(url, status=303)
        return Page(
            "admin/password.html",
            admin=admin,
            obj=user,
            form=form,
            label=label_of(user),
            object_url=url,
            help=auth.passwords.rules.help,
        )
