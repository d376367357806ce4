"""The pages of accounts, which answer clients of JSON as well."""

from collections.abc import Iterable
from typing import Any

from demijohn._lib.sentinels import MISSING
from demijohn._lib.translation import gettext as _
from demijohn.app import Blueprint, Page, current, flash, url_for
from demijohn.auth import logins
from demijohn.auth.forms import (
    ConfirmForm,
    EmailForm,
    LoginForm,
    NewEmailForm,
    PasswordForm,
    blank_maker,
    failure_of,
    fill_in,
    new_password_form,
    password_change_form,
    signup_form,
)
from demijohn.auth.links import MailLinks, Purpose
from demijohn.auth.models import User, new_stamp, normalize_email
from demijohn.db import now
from demijohn.errors import FieldError, Forbidden, HTTPError, NotFound, TooManyRequests, Unauthorized
from demijohn.forms import Form
from demijohn.http import Request, Response, redirect
from demijohn.http.redirects import is_safe_path
from demijohn.mail import Mail, Message
from demijohn.schema import records_of

__all__ = ["Pages"]

_SECRET = {"cache-control": "no-store"}
_AUTOMATIC = {"Auto-Submitted": "auto-generated"}


class Pages:
    """The handlers of one `Auth` (Any: the battery, whose module imports this one, and the app)."""

    def __init__(self, auth: Any, app: Any) -> None:
        self.auth = auth
        self.links = MailLinks(app)
        rules = auth.passwords.rules
        self._login = blank_maker(LoginForm)
        self._address = blank_maker(EmailForm)
        self._button = blank_maker(ConfirmForm)
        self._new_address = blank_maker(NewEmailForm)
        self._password = blank_maker(PasswordForm)
        self._new_password = blank_maker(new_password_form(rules))
        self._password_change = blank_maker(password_change_form(rules))
        email = records_of(auth.model).fields["email"]
        self._signup = blank_maker(signup_form(rules, email, auth.signup_questions()))

    def blueprint(self, prefix: str) -> Blueprint:
        """Return the routes, named `auth.login` and so on."""
        made = Blueprint("auth", prefix=prefix, templates="templates", import_name="demijohn.auth")
        routes = {
            "login": ("/login", self.login),
            "logout": ("/logout", self.logout),
            "password_change": ("/password-change", self.password_change),
            "password_confirm": ("/password-confirm", self.password_confirm),
            "password_reset": ("/password-reset", self.password_reset),
            "email_change": ("/email-change", self.email_change),
            "email_new": ("/email-change/{token}", self.email_new),
            "password_new": ("/password-reset/{token}", self.password_new),
            "verify_again": ("/verify", self.verify_again),
            "verify": ("/verify/{token}", self.verify),
        }
        if self.auth.signup != "closed":
            routes["signup"] = ("/signup", self.signup)
        for name, (pattern, handler) in routes.items():
            made.add_route(pattern, handler, methods=["GET", "POST"], name=name, place="demijohn.auth")
        return made

    # -- in and out ----------------------------------------------------------------------------------------------------

    async def login(self, request: Request) -> Any:
        """Ask for e-mail and password, and let in (Any: a page, a redirect, or the user as data)."""
        form = self._login()
        if request.method != "POST":
            if await logins.current_user() is not None:
                return redirect(self._next(request, request.query.get("next")), status=303)
            return self._page("login", form.fill({"next": self._next(request, request.query.get("next"), default="")}))
        await fill_in(form, request)
        if not form.is_valid:
            return self._refuse(request, "login", form)
        told = form.data
        goes_to = self._next(request, told.next, default="")
        try:
            user = await logins.authenticate(told.email, told.password)
        except TooManyRequests as refusal:
            return self._refuse(request, "login", form, refusal)
        if user is None:
            wrong = Unauthorized(_("This e-mail address and password do not go together."))
            return self._refuse(request, "login", form, wrong)
        if self.auth.signup == "verify" and not user.is_verified:
            # Who knows the password may know that the address was never confirmed.
            await logins.note_password(user.password_hash)
            await self._send_link(request, "verify", user)
            early = Forbidden(_("Confirm your e-mail address first. We have sent you the link again."))
            return self._refuse(request, "login", form, early)
        await logins.log_in(user, remember=told.remember)
        return self._done(request, goes_to or self._home(request), user)

    async def logout(self, request: Request) -> Any:
        """Log out; a GET asks first, since any page could hold a link here (Any: as above)."""
        if request.method != "POST":
            return self._page("logout", self._button())
        await logins.log_out()
        if not request.accept.prefers_page:
            return Response(b"", 204)
        flash(_("You are logged out."), "success")
        return redirect(self._next(request, request.query.get("next")), status=303)

    # -- a new account -------------------------------------------------------------------------------------------------

    async def signup(self, request: Request) -> Any:
        """Make an account; whether there is one already is told by mail alone (Any: as above)."""
        form = self._signup()
        if request.method != "POST":
            return self._page("signup", form)
        await fill_in(form, request)
        values = await self._signup_values(form)
        if not form.is_valid:
            return self._refuse(request, "signup", form)
        try:
            await self.auth.throttle.ask(request)
        except TooManyRequests as refusal:
            return self._refuse(request, "signup", form, refusal)
        hashed = await self.auth.passwords.hasher.hash(form.data.password)
        await logins.note_password(hashed)
        known = await self.auth.model.find_by_email(values["email"])
        user = None
        if known is None:
            user, errors = await records_of(self.auth.model).write({**values, "password_hash": hashed})
            if user is None:  # somebody was quicker, or the model refused it
                known = await self.auth.model.find_by_email(values["email"])
                if known is None:
                    _tell(form, errors)
                    return self._refuse(request, "signup", form)
        elif self.auth.signup == "verify":
            # As much is written for an address that is known, so that the time does not tell.
            model = self.auth.model
            await model.where(email=known.email).update(session_stamp=model.session_stamp)
        if self.auth.signup == "open":
            if user is None:
                form.add_error("email", _("There is an account with this e-mail address."))
                return self._refuse(request, "signup", form)
            logins.send("user-signed-up", user)
            await self._send_link(request, "verify", user)
            await logins.log_in(user)
            return self._done(request, self._home(request), user)
        if user is not None:
            logins.send("user-signed-up", user)
            await self._send_link(request, "verify", user)
        else:
            await self._send(request, "account-exists", known, link=_url("auth.login"))
        return self._told(
            request, "signup_done", _("We have sent you a mail. Follow the link in it."), email=values["email"]
        )

    async def _signup_values(self, form: Form[Any]) -> dict[str, Any]:
        """Return the values of a new user; what is wrong with them is noted, whoever has the address."""
        values = {bound.name: bound.value for bound in form if bound.value is not MISSING and not bound.errors}
        values.pop("password", None)
        email = values.pop("email", None)
        if form.is_valid and values:
            _tell(form, await records_of(self.auth.model).taken(values))
        about = [value for value in (email, *values.values()) if isinstance(value, str)]
        self._judge(form, about)
        return {**values, "email": normalize_email(email) if email else ""}

    async def verify_again(self, request: Request) -> Any:
        """Send the link that confirms an address once more (Any: as above)."""
        return await self._by_mail(request, "verify_again", "verify")

    async def verify(self, request: Request, token: str) -> Any:
        """Confirm an address; a GET asks first, since programs follow links in mails (Any: as above).

        Whoever made the account need not have been who has the address: where this browser has not shown that it
        knows the password, it chooses a new one, and what a stranger prepared is worth nothing.
        """
        posts = request.method == "POST"
        user, _texts = await self.links.find("verify", token, self.auth.model)
        if user is None:
            return self._bad_link(request, _url("auth.verify_again"))
        knows = await logins.knows_password(user)
        form = self._button() if knows else self._new_password()
        if not posts:
            return self._page("verify", form, email=user.email, asks=not knows)
        await fill_in(form, request)
        hashed = ""
        if not knows:
            self._judge(form, self.auth.about(user))
        if not form.is_valid:
            return self._refuse(request, "verify", form, email=user.email, asks=not knows)
        if not knows:
            hashed = await self.auth.passwords.hasher.hash(form.data.password)
        user, _texts = await self.links.find("verify", token, self.auth.model, lock=True)
        if user is None:
            return self._bad_link(request, _url("auth.verify_again"))
        user.email_verified_at = now()
        if hashed:
            user.set_password_hash(hashed)
        await user.save()
        logins.send("email-verified", user)
        if not request.accept.prefers_page:
            return Response(b"", 204)
        flash(_("Your e-mail address is confirmed."), "success")
        return redirect(self._home(request) if await logins.current_user() else url_for("auth.login"), status=303)

    # -- passwords -----------------------------------------------------------------------------------------------------

    async def password_change(self, request: Request) -> Any:
        """Change the password of who is logged in; all their other sessions end (Any: as above).

        It asks for the old password, so it is a fresh login by itself. Who has none yet sets one by a link in a mail.
        """
        user: User = await current.resolve(self.auth.model)
        if not user.has_password:
            return await self._first_password(request, user)
        form = self._password_change()
        if request.method != "POST":
            return self._page("password_change", form, email=user.email)
        await fill_in(form, request)
        self._judge(form, self.auth.about(user))
        try:
            await self._check_own(request, user, form, "current")
        except TooManyRequests as refusal:
            return self._refuse(request, "password_change", form, refusal, email=user.email)
        if not form.is_valid:
            return self._refuse(request, "password_change", form, email=user.email)
        await user.set_password(form.data.password)
        await user.save()
        await logins.renew_login(user)
        logins.send("password-changed", user)
        await self._send(request, "password-changed", user, link=_url("auth.password_reset"))
        if not request.accept.prefers_page:
            return Response(b"", 204)
        flash(_("Your password is changed. All other sessions have ended."), "success")
        return redirect(self._home(request), status=303)

    async def _first_password(self, request: Request, user: User) -> Any:
        """Send a link to a first password: who holds a session alone must not choose it."""
        form = self._button()
        if request.method != "POST":
            return self._page("password_first", form, email=user.email)
        await fill_in(form, request)
        if not form.is_valid:
            return self._refuse(request, "password_first", form, email=user.email)
        try:
            await self.auth.throttle.ask(request)
        except TooManyRequests as refusal:
            return self._refuse(request, "password_first", form, refusal, email=user.email)
        await self._send_link(request, "reset", user)
        return self._told(
            request, "password_first_done", _("We have sent you a mail. Follow the link in it."), email=user.email
        )

    async def password_confirm(self, request: Request) -> Any:
        """Ask who is logged in for the password again, before what wants a fresh login (Any: as above)."""
        user: User = await current.resolve(self.auth.model)
        if not user.has_password:
            text = _("Your account has no password.")
            if not request.accept.prefers_page:
                raise Forbidden(text)
            goes_to = self._next(request, request.query.get("next"), default="")
            return self._page("password_none", text=text, goes_to=goes_to)
        form = self._password()
        if request.method != "POST":
            goes_to = self._next(request, request.query.get("next"), default="")
            return self._page("password_confirm", form.fill({"next": goes_to}), email=user.email)
        await fill_in(form, request)
        try:
            await self._check_own(request, user, form, "password")
        except TooManyRequests as refusal:
            return self._refuse(request, "password_confirm", form, refusal, email=user.email)
        if not form.is_valid:
            return self._refuse(request, "password_confirm", form, email=user.email)
        await logins.renew_login(user)
        if not request.accept.prefers_page:
            return Response(b"", 204)
        return redirect(self._next(request, form.data.next), status=303)

    async def password_reset(self, request: Request) -> Any:
        """Send a link to a new password; the answer is the same for whatever address (Any: as above)."""
        return await self._by_mail(request, "password_reset", "reset")

    async def password_new(self, request: Request, token: str) -> Any:
        """Set a new password by a link, once; all sessions end (Any: as above)."""
        form = self._new_password()
        user, _texts = await self.links.find("reset", token, self.auth.model)
        if user is None:
            return self._bad_link(request, _url("auth.password_reset"))
        if request.method != "POST":
            return self._page("password_new", form, email=user.email)
        await fill_in(form, request)
        self._judge(form, self.auth.about(user))
        if not form.is_valid:
            return self._refuse(request, "password_new", form, email=user.email)
        hashed = await self.auth.passwords.hasher.hash(form.data.password)
        # Of two that use the link at once, the second finds the row changed.
        user, _texts = await self.links.find("reset", token, self.auth.model, lock=True)
        if user is None:
            return self._bad_link(request, _url("auth.password_reset"))
        user.set_password_hash(hashed)
        if not user.is_verified:
            user.email_verified_at = now()  # the link came by mail
        await user.save()
        logins.send("password-reset", user)
        await self._send(request, "password-changed", user, link=_url("auth.password_reset"))
        if not request.accept.prefers_page:
            return Response(b"", 204)
        flash(_("Your password is set. Log in with it."), "success")
        return redirect(url_for("auth.login"), status=303)

    # -- another address -----------------------------------------------------------------------------------------------

    async def email_change(self, request: Request) -> Any:
        """Ask for another address and send it a link; whether somebody has it is told by mail alone (Any: as above)."""
        user: User = await current.resolve(self.auth.model)
        await logins.require_fresh_login()
        form = self._new_address()
        if request.method != "POST":
            return self._page("email_change", form, email=user.email)
        await fill_in(form, request)
        if form.is_valid and normalize_email(form.data.email) == user.email:
            form.add_error("email", _("This is your address already."))
        if not form.is_valid:
            return self._refuse(request, "email_change", form, email=user.email)
        try:
            await self.auth.throttle.ask(request)
        except TooManyRequests as refusal:
            return self._refuse(request, "email_change", form, refusal, email=user.email)
        wanted = normalize_email(form.data.email)
        link = _url("auth.email_new", token=self.links.make("email", user, wanted))
        taken = await self.auth.model.find_by_email(wanted)
        if taken is None:
            await self._send(request, "email-change", user, link=link, to=wanted)
        else:
            await self._send(request, "account-exists", taken, link=_url("auth.login"))
        await self._send(request, "email-change-notice", user, link=_url("auth.password_reset"), new=wanted)
        return self._told(
            request,
            "email_change_done",
            _("We have sent a mail to the new address. Follow the link in it."),
            email=wanted,
        )

    async def email_new(self, request: Request, token: str) -> Any:
        """Give an account the address that the link went to; a GET asks first (Any: as above).

        Who gets the mail of somebody else's account must not be led into that account: only its user confirms.
        """
        user, texts = await self.links.find("email", token, self.auth.model, lock=request.method == "POST")
        if user is None:
            return self._bad_link(request, _url("auth.email_change"))
        present = await logins.current_user()
        if present is None:
            raise logins.LoginRequired(_("Log in to the account that is to have the new e-mail address."))
        if logins.key_of(present) != logins.key_of(user):
            return self._of_another(request)
        (wanted,) = texts
        form = self._button()
        if request.method != "POST":
            return self._page("email_new", form, email=wanted)
        await fill_in(form, request)
        if not form.is_valid:
            return self._refuse(request, "email_new", form, email=wanted)
        before = user.email
        records = records_of(self.auth.model)
        _user, errors = await records.write({"email": wanted, "email_verified_at": now()}, record=user)
        if errors:  # somebody else has it by now
            return self._bad_link(request, _url("auth.email_change"))
        user.session_stamp = new_stamp()  # the link stays used, even where the old address comes back
        await logins.keep_session(user)
        logins.send("email-changed", user, before=before)
        await self._send(request, "email-changed", user, link=_url("auth.login"), to=before, new=wanted)
        if not request.accept.prefers_page:
            return Response(b"", 204)
        flash(_("Your e-mail address is changed."), "success")
        return redirect(self._home(request), status=303)

    # -- what they share -----------------------------------------------------------------------------------------------

    async def _by_mail(self, request: Request, name: str, purpose: Purpose) -> Any:
        form = self._address()
        if request.method != "POST":
            return self._page(name, form)
        await fill_in(form, request)
        if not form.is_valid:
            return self._refuse(request, name, form)
        email = form.data.email
        try:
            await self.auth.throttle.ask(request)
        except TooManyRequests as refusal:
            return self._refuse(request, name, form, refusal)
        user = await self.auth.model.find_by_email(email)
        wanted = user is not None and user.is_active and not (purpose == "verify" and user.is_verified)
        await self._send_link(request, purpose, user if wanted else None)
        return self._told(
            request, f"{name}_done", _("If there is an account with this address, a mail is on its way."), email=email
        )

    async def _send_link(self, request: Request, purpose: Purpose, user: User | None) -> None:
        """Send a user a link; for nobody the same is done, and thrown away."""
        somebody = user or self.auth.stand_in
        route = "auth.password_new" if purpose == "reset" else "auth.verify"
        link = _url(route, token=self.links.make(purpose, somebody))
        await self._send(request, f"password-{purpose}" if purpose == "reset" else purpose, user, link=link)

    async def _send(
        self, request: Request, template: str, user: User | None, *, link: str, to: str = "", **more: str
    ) -> None:
        somebody = user or self.auth.stand_in
        mail = await current.resolve(Mail)
        message: Message = mail.render(
            f"auth/mail/{template}",
            {"user": somebody, "link": link, "site": request.host, **more},
            to=to or somebody.email,
            headers=_AUTOMATIC,
        )
        allowed = await self.auth.throttle.may_mail(request, f"{template}:{to or somebody.email}")
        if user is not None and allowed:
            await mail.send(message)
        else:  # what sending costs before the mail leaves in the background
            message.with_sender(mail.sender).as_email()

    async def _check_own(self, request: Request, user: User, form: Form[Any], name: str) -> None:
        """Note in a form that is right so far where it holds another password than the user's.

        Raises:
            TooManyRequests: There were too many attempts.
        """
        if not form.is_valid:
            return
        await self.auth.throttle.attempt(request, f"change:{user.email}", life=user.session_stamp)
        if not await user.check_password(getattr(form.data, name)):
            await self.auth.throttle.fail(request)
            form.add_error(name, _("This is not your password."))

    def _judge(self, form: Form[Any], about: list[str]) -> None:
        password = form["password"].value
        if not form["password"].errors and isinstance(password, str):
            for problem in self.auth.passwords.rules.problems(password, about):
                form.add_error("password", problem)

    def _home(self, request: Request) -> str:
        """Return where people go who came from nowhere; a path is one of this app, wherever that lives."""
        home = str(self.auth.home)
        return request.root_path + home if home.startswith("/") else home

    def _next(self, request: Request, wanted: str | None, default: str | None = None) -> str:
        if wanted is not None and wanted.startswith("/") and is_safe_path(wanted) and len(wanted) < 2000:
            return wanted
        return self._home(request) if default is None else default

    def _page(self, name: str, form: Form[Any] | None = None, *, status: int = 200, **context: Any) -> Page:
        context["can_sign_up"] = self.auth.signup != "closed"
        return Page(f"auth/{name}.html", status=status, headers=_SECRET, form=form, **context)

    def _refuse(
        self, request: Request, name: str, form: Form[Any], refusal: HTTPError | None = None, **context: Any
    ) -> Page:
        """Show the form again with what is wrong; a client of JSON gets it as a problem."""
        if not request.accept.prefers_page:
            raise refusal or failure_of(form)
        status = 422
        if refusal is not None:
            form.add_error(None, refusal.detail or "")
            status = refusal.status if isinstance(refusal, TooManyRequests) else 422
        page = self._page(name, form, status=status, **context)
        for header, value in refusal.headers if refusal is not None else ():
            page.headers[header] = value
        return page

    def _told(self, request: Request, name: str, text: str, **context: Any) -> Any:
        if not request.accept.prefers_page:
            return Response(_json({"detail": text}), 202, _SECRET, content_type="application/json")
        return self._page(name, text=text, **context)

    def _done(self, request: Request, goes_to: str, user: User) -> Any:
        if not request.accept.prefers_page:
            return user
        return redirect(goes_to, status=303)

    def _bad_link(self, request: Request, again: str) -> Any:
        text = _("This link has been used, is too old, or is not complete.")
        if not request.accept.prefers_page:
            raise NotFound(text)
        return self._page("bad_link", status=404, text=text, again=again)

    def _of_another(self, request: Request) -> Any:
        """Refuse a good link to who is logged in as another user, and do not say whose it is."""
        text = _("It belongs to another account than the one you are logged in with.")
        if not request.accept.prefers_page:
            raise Forbidden(text)
        here = f"{request.root_path}{request.path}"
        return self._page("wrong_account", self._button(), status=403, text=text, here=here)


def _json(value: Any) -> bytes:
    from demijohn.schema import to_json

    return to_json(value)


def _url(name: str, **params: Any) -> str:
    return url_for(name, _external=True, **params)


def _tell(form: Form[Any], errors: Iterable[FieldError]) -> None:
    """Put what the model or the database refused beside its field, or above all."""
    for error in errors:
        name = str(error.place[-1]) if error.place else ""
        form.add_error(name if name in form else None, error.message, code=error.code)
