"""The pages of accounts, which answer clients of JSON as well."""

from collections.abc import Mapping
from typing import Any

from demijohn._lib.translation import gettext as _
from demijohn.app import Blueprint, Page, current, flash, url_for
from demijohn.auth import logins
from demijohn.auth.forms import AccountForm, Question, wants_page
from demijohn.auth.links import MailLinks, Purpose
from demijohn.auth.models import User, normalize_email
from demijohn.db import now
from demijohn.errors import Forbidden, HTTPError, NotFound, TooManyRequests, Unauthorized
from demijohn.http import Request, Response, redirect
from demijohn.http.redirects import is_safe_path
from demijohn.mail import Mail, Message
from demijohn.schema import Field, records_of

__all__ = ["Pages"]

_SECRET = {"cache-control": "no-store"}
_AUTOMATIC = {"Auto-Submitted": "auto-generated"}


class Pages:
    """The handlers of one `Auth` (Any: the battery, whose module imports this one, and the app)."""

    def __init__(self, auth: Any, app: Any) -> None:
        self.auth = auth
        self.links = MailLinks(app)

    def blueprint(self, prefix: str) -> Blueprint:
        """Return the routes, named `auth.login` and so on."""
        made = Blueprint("auth", prefix=prefix, templates="templates", import_name="demijohn.auth")
        routes = {
            "login": ("/login", self.login),
            "logout": ("/logout", self.logout),
            "password_change": ("/password-change", self.password_change),
            "password_reset": ("/password-reset", self.password_reset),
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
        form = AccountForm(_email(), _password("current-password"), _remember())
        if request.method != "POST":
            if await logins.current_user() is not None:
                return redirect(self._next(request, request.query), status=303)
            return self._page(request, "login", form, next=self._next(request, request.query, default=""))
        sent = await form.read(request, besides=("next",))
        goes_to = self._next(request, sent, default="")
        if not form.is_valid:
            return self._refuse(request, "login", form, next=goes_to)
        try:
            user = await logins.authenticate(form["email"], form["password"])
        except TooManyRequests as refusal:
            return self._refuse(request, "login", form, refusal, next=goes_to)
        if user is None:
            wrong = Unauthorized(_("This e-mail address and password do not go together."))
            return self._refuse(request, "login", form, wrong, next=goes_to)
        if self.auth.signup == "verify" and not user.is_verified:
            # Who knows the password may know that the address was never confirmed.
            await self._send_link(request, "verify", user)
            early = Forbidden(_("Confirm your e-mail address first. We have sent you the link again."))
            return self._refuse(request, "login", form, early, next=goes_to)
        await logins.log_in(user, remember=form["remember"])
        return self._done(request, goes_to or self._home(request), user)

    async def logout(self, request: Request) -> Any:
        """Log out; a GET asks first, since any page could hold a link here (Any: as above)."""
        if request.method != "POST":
            return self._page(request, "logout", AccountForm())
        await logins.log_out()
        if not wants_page(request):
            return Response(b"", 204)
        flash(_("You are logged out."), "success")
        return redirect(self._home(request), status=303)

    # -- a new account -------------------------------------------------------------------------------------------------

    async def signup(self, request: Request) -> Any:
        """Make an account; whether there is one already is told by mail alone (Any: as above)."""
        extra = self.auth.signup_questions()
        form = AccountForm(
            _email(),
            *(_extra(name, field) for name, field in extra.items()),
            _password("new-password", help=self.auth.passwords.rules.help),
        )
        if request.method != "POST":
            return self._page(request, "signup", form)
        await form.read(request)
        values = await self._signup_values(form, extra)
        if not form.is_valid:
            return self._refuse(request, "signup", form)
        try:
            await self.auth.throttle.ask(request)
        except TooManyRequests as refusal:
            return self._refuse(request, "signup", form, refusal)
        hashed = await self.auth.passwords.hasher.hash(form["password"])
        known = await self.auth.model.find_by_email(values["email"])
        user = None
        if known is None:
            user, errors = await records_of(self.auth.model).write({**values, "password_hash": hashed})
            if user is None:  # somebody was quicker, or the model refused it
                known = await self.auth.model.find_by_email(values["email"])
                if known is None:
                    form.add(errors)
                    return self._refuse(request, "signup", form)
        elif self.auth.signup == "verify":
            # As much is written for an address that is known, so that the time does not tell.
            model = self.auth.model
            await model.where(email=known.email).update(session_stamp=model.session_stamp)
        if self.auth.signup == "open":
            if user is None:
                form.questions["email"].errors.append(_("There is an account with this e-mail address."))
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

    async def _signup_values(self, form: AccountForm, extra: Mapping[str, Field]) -> dict[str, Any]:
        """Return the values of a new user; what is wrong with them is noted, whoever has the address."""
        records = records_of(self.auth.model)
        email = form.convert("email", records.fields["email"])
        values = {name: form.convert(name, field) for name, field in extra.items()}
        if form.is_valid and values:
            form.add(await records.taken(values))
        about = [value for value in (email, *values.values()) if isinstance(value, str)]
        self._judge(form, "password", about)
        return {**values, "email": normalize_email(email) if email else ""}

    async def verify_again(self, request: Request) -> Any:
        """Send the link that confirms an address once more (Any: as above)."""
        return await self._by_mail(request, "verify_again", "verify")

    async def verify(self, request: Request, token: str) -> Any:
        """Confirm an address; a GET asks first, since programs follow links in mails (Any: as above)."""
        user = await self.links.find("verify", token, self.auth.model, lock=request.method == "POST")
        if user is None:
            return self._bad_link(request, _url("auth.verify_again"))
        if request.method != "POST":
            return self._page(request, "verify", AccountForm(), email=user.email)
        user.email_verified_at = now()
        await user.save()
        logins.send("email-verified", user)
        if not wants_page(request):
            return Response(b"", 204)
        flash(_("Your e-mail address is confirmed."), "success")
        return redirect(self._home(request) if await logins.current_user() else url_for("auth.login"), status=303)

    # -- passwords -----------------------------------------------------------------------------------------------------

    async def password_change(self, request: Request) -> Any:
        """Change the password of who is logged in; all their other sessions end (Any: as above)."""
        user: User = await current.resolve(self.auth.model)
        form = AccountForm(
            _password("current-password", name="current", label=_("Current password")),
            _password("new-password", label=_("New password"), help=self.auth.passwords.rules.help),
        )
        if request.method != "POST":
            return self._page(request, "password_change", form, email=user.email)
        await form.read(request)
        self._judge(form, "password", self.auth.about(user))
        if form.is_valid:
            try:
                await self.auth.throttle.attempt(request, f"change:{user.email}", life=user.session_stamp)
            except TooManyRequests as refusal:
                return self._refuse(request, "password_change", form, refusal, email=user.email)
            if not await user.check_password(form["current"]):
                await self.auth.throttle.fail(request)
                form.questions["current"].errors.append(_("This is not your password."))
        if not form.is_valid:
            return self._refuse(request, "password_change", form, email=user.email)
        await user.set_password(form["password"])
        await user.save()
        await logins.keep_session(user)
        logins.send("password-changed", user)
        await self._send(request, "password-changed", user, link=_url("auth.password_reset"))
        if not wants_page(request):
            return Response(b"", 204)
        flash(_("Your password is changed. All other sessions have ended."), "success")
        return redirect(self._home(request), status=303)

    async def password_reset(self, request: Request) -> Any:
        """Send a link to a new password; the answer is the same for whatever address (Any: as above)."""
        return await self._by_mail(request, "password_reset", "reset")

    async def password_new(self, request: Request, token: str) -> Any:
        """Set a new password by a link, once; all sessions end (Any: as above)."""
        form = AccountForm(_password("new-password", label=_("New password"), help=self.auth.passwords.rules.help))
        user = await self.links.find("reset", token, self.auth.model)
        if user is None:
            return self._bad_link(request, _url("auth.password_reset"))
        if request.method != "POST":
            return self._page(request, "password_new", form, email=user.email)
        await form.read(request)
        self._judge(form, "password", self.auth.about(user))
        if not form.is_valid:
            return self._refuse(request, "password_new", form, email=user.email)
        hashed = await self.auth.passwords.hasher.hash(form["password"])
        # Of two that use the link at once, the second finds the row changed.
        user = await self.links.find("reset", token, self.auth.model, lock=True)
        if user is None:
            return self._bad_link(request, _url("auth.password_reset"))
        await user.assign(password_hash=hashed, session_stamp=self.auth.new_stamp()).save()
        if not user.is_verified:
            user.email_verified_at = now()  # the link came by mail
            await user.save()
        logins.send("password-reset", user)
        await self._send(request, "password-changed", user, link=_url("auth.password_reset"))
        if not wants_page(request):
            return Response(b"", 204)
        flash(_("Your password is set. Log in with it."), "success")
        return redirect(url_for("auth.login"), status=303)

    # -- what they share -----------------------------------------------------------------------------------------------

    async def _by_mail(self, request: Request, name: str, purpose: Purpose) -> Any:
        form = AccountForm(_email())
        if request.method != "POST":
            return self._page(request, name, form)
        await form.read(request)
        email = form.convert("email", records_of(self.auth.model).fields["email"])
        if not form.is_valid:
            return self._refuse(request, name, form)
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

    async def _send(self, request: Request, template: str, user: User | None, *, link: str) -> None:
        somebody = user or self.auth.stand_in
        mail = await current.resolve(Mail)
        message: Message = mail.render(
            f"auth/mail/{template}",
            {"user": somebody, "link": link, "site": request.host},
            to=somebody.email,
            headers=_AUTOMATIC,
        )
        allowed = await self.auth.throttle.may_mail(request, f"{template}:{somebody.email}")
        if user is not None and allowed:
            await mail.send(message)
        else:  # what sending costs before the mail leaves in the background
            message.with_sender(mail.sender).as_email()

    def _judge(self, form: AccountForm, name: str, about: list[str]) -> None:
        question = form.questions[name]
        if not question.errors:
            question.errors += self.auth.passwords.rules.problems(question.value, about)

    def _home(self, request: Request) -> str:
        """Return where people go who came from nowhere; a path is one of this app, wherever that lives."""
        home = str(self.auth.home)
        return request.root_path + home if home.startswith("/") else home

    def _next(self, request: Request, sent: Mapping[str, Any], default: str | None = None) -> str:
        wanted = sent.get("next")
        if isinstance(wanted, str) and wanted.startswith("/") and is_safe_path(wanted) and len(wanted) < 2000:
            return wanted
        return self._home(request) if default is None else default

    def _page(self, request: Request, name: str, form: AccountForm, *, status: int = 200, **context: Any) -> Page:
        context["can_sign_up"] = self.auth.signup != "closed"
        return Page(f"auth/{name}.html", status=status, headers=_SECRET, form=form, **context)

    def _refuse(
        self, request: Request, name: str, form: AccountForm, refusal: HTTPError | None = None, **context: Any
    ) -> Page:
        """Show the form again with what is wrong; a client of JSON gets it as a problem."""
        if not wants_page(request):
            raise refusal or form.failure()
        status = 422
        if refusal is not None:
            form.errors.append(refusal.detail or "")
            status = refusal.status if isinstance(refusal, TooManyRequests) else 422
        page = self._page(request, name, form, status=status, **context)
        for header, value in refusal.headers if refusal is not None else ():
            page.headers[header] = value
        return page

    def _told(self, request: Request, name: str, text: str, **context: Any) -> Any:
        if not wants_page(request):
            return Response(_json({"detail": text}), 202, _SECRET, content_type="application/json")
        return self._page(request, name, AccountForm(), text=text, **context)

    def _done(self, request: Request, goes_to: str, user: User) -> Any:
        if not wants_page(request):
            return user
        return redirect(goes_to, status=303)

    def _bad_link(self, request: Request, again: str) -> Any:
        text = _("This link has been used, is too old, or is not complete.")
        if not wants_page(request):
            raise NotFound(text)
        return self._page(request, "bad_link", AccountForm(), status=404, text=text, again=again)


def _json(value: Any) -> bytes:
    from demijohn.schema import to_json

    return to_json(value)


def _url(name: str, **params: Any) -> str:
    return url_for(name, _external=True, **params)


def _email() -> Question:
    return Question("email", _("E-mail address"), kind="email", autocomplete="email", max_length=254)


def _password(
    autocomplete: str,
    *,
    name: str = "password",
    label: str = "",
    help: str = "",  # noqa: A002 - the name in forms
) -> Question:
    return Question(name, label or _("Password"), kind="password", autocomplete=autocomplete, help=help)


def _remember() -> Question:
    return Question("remember", _("Stay logged in on this device"), kind="checkbox", required=False)


def _extra(name: str, field: Field) -> Question:
    label = str(field.label or name.replace("_", " ").capitalize())
    kind = {"email": "email", "url": "url"}.get(field.format or "", "text")
    return Question(name, label, kind=kind, help=str(field.help or ""), max_length=field.max_length)
