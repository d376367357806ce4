"""The pages: who comes in, and what each address answers."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from demijohn import Blueprint, Page, Request, Response, flash, redirect
from demijohn._lib.translation import gettext as _
from demijohn._lib.translation import ngettext
from demijohn.admin import actions
from demijohn.admin.access import Visit
from demijohn.admin.changing import Changing
from demijohn.admin.columns import moment
from demijohn.admin.deleting import preview_of
from demijohn.admin.editable import RowForms
from demijohn.admin.exporting import export
from demijohn.admin.filters import MOST_CHOICES
from demijohn.admin.finding import get_object, visit_key, visit_of, with_keys
from demijohn.admin.history import changes_of, difference, entries_of, hidden_names, record, snapshot
from demijohn.admin.listing import Listing
from demijohn.admin.models import LogEntry
from demijohn.admin.naming import (
    NoSuchKey,
    battery_of,
    key_of,
    label_of,
    read_key,
    text_key,
)
from demijohn.admin.options import ModelAdmin, Site
from demijohn.admin.passwords import Passwords
from demijohn.app.failures import problem_response
from demijohn.db import StillReferenced
from demijohn.errors import BadRequest, HTTPError, Unauthorized
from demijohn.http import is_safe_path

__all__ = ["Pages", "add_routes"]

_EDITS = "_edits"
_THEMES = ("auto", "light", "dark")
_COOKIE = "demijohn_admin_theme"
_MOST_CHOSEN = 500
_AT_ONCE = 500
_MOST = 5000


class Link(NamedTuple):
    """An entry of the sidebar."""

    label: str
    url: str
    is_here: bool
    add_url: str


class Pages:
    """The handlers of one `Admin`."""

    def __init__(self, site: Site) -> None:
        self.site = site

    # -- who comes in -------------------------------------------------------------------------------------------------

    async def enter(self, request: Request) -> Response | None:
        """Let staff pass; send others to the login page, and those who are no staff away."""
        access = self.site.access
        user = await access.user(request)
        if user is None:
            url = access.login_url(request)
            if not url or request.method not in ("GET", "HEAD") or request.accept.prefers_data:
                raise Unauthorized(_("Log in first."))  # a script follows to no page
            return redirect(url, status=303)
        visit = Visit(request, user, access, prefix=self.site.prefix)
        if not access.may_enter(user):
            visit.refuse("enter")
        for page in self.site.pages:
            if page.permission and request.route.endpoint is page.handler and not visit.has(page.permission):
                visit.refuse(page.title)
        visit_key.set(request, visit)
        return None

    def layout(self, request: Request) -> dict[str, Any]:
        """Return the names that the layout of every page needs (Any: templates print anything)."""
        visit = visit_key.find(request)
        if visit is None:
            return {}
        theme = request.cookies.get(_COOKIE, "auto")
        here = self.site.admins.get(request.path_params.get("model", ""))
        return {
            "site": self.site,
            "site_url": self._site_url(request),
            "admin_url": visit.url,
            "moment": moment,
            "site_title": self.site.title or _("Administration"),
            "user": visit.user,
            "theme": theme if theme in _THEMES else "auto",
            "sections": self._sections(visit, here),
            "here": here,
            "log_out_url": self._log_out(request),
        }

    def _log_out(self, request: Request) -> str:
        find = getattr(self.site.access, "logout_url", None)
        return str(find(request)) if find is not None else ""

    def _site_url(self, request: Request) -> str:
        url = self.site.site_url
        return request.root_path + url if url.startswith("/") and is_safe_path(url) else url

    def _sections(self, visit: Visit, here: ModelAdmin | None) -> Sequence[tuple[str, Sequence[Link]]]:
        found: dict[str, list[Link]] = {}
        here_url = visit.request.root_path + visit.request.path
        for page in self.site.pages:
            if not page.permission or visit.has(page.permission):
                url = visit.base + page.path
                found.setdefault(page.section, []).append(Link(page.title, url, here_url == url, ""))
        for admin in self.site.admins.values():
            if visit.may(admin, "view"):
                url = visit.url(admin.slug)
                add = visit.url(admin.slug, "add") if visit.may(admin, "add") else ""
                found.setdefault(admin.group, []).append(Link(admin.heading, url, admin is here, add))
        return [(name, sorted(links)) for name, links in sorted(found.items())]

    def _admin(self, request: Request) -> ModelAdmin:
        return self.site.get(request.path_params["model"])

    async def fail(self, request: Request, error: HTTPError) -> Page | Response:
        """Answer an error within the layout, for a browser of somebody who came in."""
        if not request.accept.prefers_page or visit_key.find(request) is None or error.status == 401:
            return problem_response(error, request)
        return Page("admin/error.html", status=error.status, error=error)

    # -- handlers -----------------------------------------------------------------------------------------------------

    async def index(self, request: Request) -> Page:
        """Answer with all models, and what was done last."""
        visit = visit_of(request)
        entries: Sequence[LogEntry] = ()
        log = self.site.find_for(LogEntry)
        if log is not None:
            query = log.query(visit.user)
            if not visit.may(log, "view"):
                query = query.where(user_key=visit.user_key)
            entries = await query.limit(12).all()
        recent = [(entry, self._entry_url(visit, entry)) for entry in entries]
        return Page("admin/index.html", recent=recent)

    def _entry_url(self, visit: Visit, entry: LogEntry) -> str:
        for admin in self.site.admins.values():
            if admin.name == entry.model and entry.action != "delete" and entry.object_key:
                return visit.url(admin.slug, entry.object_key)
        return ""

    async def list(self, request: Request) -> Page | Response:
        """Answer with a page of a list."""
        visit, admin = visit_of(request), self._admin(request)
        visit.require(admin, "view")
        listing = Listing(self.site.plan(admin), visit, request)
        return await self._list(listing)

    async def _list(self, listing: Listing, *, status: int = 200, rows: RowForms | None = None) -> Page:
        visit, admin = listing.visit, listing.admin
        shown = await listing.show()
        forms = rows or RowForms(visit, admin)
        edits = {row.key: forms.controls(row.obj) for row in shown.rows} if admin.list_editable else {}
        return Page(
            "admin/list.html",
            status=status,
            admin=admin,
            listing=listing,
            shown=shown,
            links=listing.plan.links,
            columns=listing.plan.columns,
            actions=actions.allowed(visit, admin, listing.plan.actions),
            may_add=visit.may(admin, "add"),
            label_of=label_of,
            edits=edits,
            may_edit=any(edits.values()),
            problem=status != 200,
        )

    async def export(self, request: Request) -> Response:
        """Answer with the list as CSV."""
        visit, admin = visit_of(request), self._admin(request)
        visit.require(admin, "view")
        listing = Listing(self.site.plan(admin), visit, request)
        listing.filtered()
        return export(listing)

    async def choices(self, request: Request) -> Response:
        """Answer a search for objects of a model, for those who may see them."""
        from demijohn import JSONResponse

        visit, admin = visit_of(request), self._admin(request)
        visit.require(admin, "view")
        query = self.site.plan(admin).search.apply(admin.query(visit.user), request.query.get("q", ""), visit=visit)
        found = await query.limit(MOST_CHOICES + 1).all()
        items = [{"key": text_key(one), "label": label_of(one)} for one in found[:MOST_CHOICES]]
        return JSONResponse({"items": items, "has_more": len(found) > MOST_CHOICES})

    async def act(self, request: Request) -> Page | Response:
        """Do something to the chosen objects of a list, asking first where that is wanted."""
        visit, admin = visit_of(request), self._admin(request)
        visit.require(admin, "view")
        form = await request.form()
        name = str(form.get("action", ""))
        if name == _EDITS:
            return await self._save_rows(request, Listing(self.site.plan(admin), visit, request))
        bound = self.site.plan(admin).actions.get(name)
        if bound is None:
            visit.note(f"action={name}")
            raise BadRequest(_("There is no action “%(name)s”.", name=name[:80]))
        if not actions.may(visit, admin, bound):
            visit.refuse(f"{name} {admin.name}")
        listing = Listing(self.site.plan(admin), visit, request)
        keys = [str(key) for key in form.getlist("selected")]
        everything = form.get("everything") == "1"
        if not keys and not everything:
            flash(_("Nothing was chosen."), "warning")
            return redirect(listing.url(), status=303)
        query = listing.filtered() if everything else self._chosen(visit, admin, keys)
        count = await query.limit(_MOST + 1).count()
        if count > _MOST:
            # Each object is asked for and noted, which a page does not do for more.
            flash(_("That is more than %(most)s at once; narrow the list first.", most=_MOST), "error")
            return redirect(listing.url(), status=303)
        if form.get("confirmed") != "1" and (bound.about.confirm or name == actions.DELETE):
            return await self._confirm(request, listing, bound, query, count=count, keys=keys, everything=everything)
        return await self._run(request, listing, bound, query, count=count)

    async def _save_rows(self, request: Request, listing: Listing) -> Page | Response:
        rows = RowForms(listing.visit, listing.admin)
        form = await request.form()
        done = await rows.save({name: form.getlist(name) for name in form})
        if done is None:
            return await self._list(listing, status=422, rows=rows)
        names = {"noun": listing.admin.noun, "nouns": listing.admin.nouns}
        flash(ngettext("%(num)s %(noun)s saved.", "%(num)s %(nouns)s saved.", done, **names), "success")
        return redirect(listing.url(), status=303)

    def _chosen(self, visit: Visit, admin: ModelAdmin, keys: Sequence[str]) -> Any:
        if len(keys) > _MOST_CHOSEN:
            raise BadRequest(_("That is too many at once."))
        try:
            found = [read_key(admin.model, key) for key in keys]
        except NoSuchKey:
            visit.note("selected")
            raise BadRequest(_("There is no such object; it may have been deleted.")) from None
        return with_keys(admin, admin.query(visit.user), found)

    async def _confirm(
        self,
        request: Request,
        listing: Listing,
        bound: actions.Bound,
        query: Any,
        *,
        count: int,
        keys: Sequence[str],
        everything: bool,
    ) -> Page:
        objects = await query.limit(_AT_ONCE).all()
        preview = None
        if bound.about.name == actions.DELETE:
            preview = await preview_of(listing.visit, listing.admin, objects)
        return Page(
            "admin/confirm.html",
            admin=listing.admin,
            listing=listing,
            bound=bound,
            question="" if bound.about.confirm == "?" else bound.about.confirm,
            objects=[(label_of(one), listing.visit.url(listing.admin.slug, text_key(one))) for one in objects[:20]],
            count=count,
            keys=[] if everything else keys,
            everything=everything,
            preview=preview,
        )

    async def _run(
        self, request: Request, listing: Listing, bound: actions.Bound, query: Any, *, count: int
    ) -> Page | Response:
        visit, admin = listing.visit, listing.admin
        if bound.about.name == actions.DELETE:
            done = await self._delete_all(visit, admin, query)
            if done is not None:
                flash(
                    ngettext("%(num)s %(noun)s deleted.", "%(num)s %(nouns)s deleted.", done, noun=admin.noun,
                             nouns=admin.nouns),
                    "success",
                )  # fmt: skip
            return redirect(listing.url(page=None, after=None), status=303)
        database = request.app.batteries[battery_of(admin.model)]
        async with database.transaction():
            touched = await query.limit(_MOST).all()
            for obj in touched:
                if not actions.may(visit, admin, bound, obj):
                    visit.refuse(f"{bound.about.name} {admin.name}", obj)
            before = {key_of(obj): snapshot(admin, obj) for obj in touched}
            # Those that were asked for, even when what the action does changes what the list would find.
            chosen = with_keys(admin, admin.query(visit.user), list(before))
            answer = await actions.run(bound, chosen, request)
            await self._note_changes(visit, admin, bound, before)
        if isinstance(answer, Response | Page):
            return answer
        flash(str(answer) if answer is not None else _("Done: %(label)s.", label=bound.label), "success")
        return redirect(listing.url(), status=303)

    async def _note_changes(
        self, visit: Visit, admin: ModelAdmin, bound: actions.Bound, before: Mapping[tuple[Any, ...], Any]
    ) -> None:
        keys = list(before)
        for start in range(0, len(keys), _AT_ONCE):
            part = with_keys(admin, admin.model.query(), keys[start : start + _AT_ONCE])
            for obj in await part.execution_options(populate_existing=True).all():
                changes = difference(admin, before[key_of(obj)], snapshot(admin, obj))
                await record(visit, admin, obj, action=bound.about.name[:40], changes=changes)

    async def _delete_all(self, visit: Visit, admin: ModelAdmin, query: Any) -> int | None:
        done = 0
        database = visit.request.app.batteries[battery_of(admin.model)]
        try:
            async with database.transaction():
                # Read once: a delete may keep its rows, and the query would find them again.
                keys = [key_of(obj) for obj in await query.limit(_MOST).all()]
                for start in range(0, len(keys), _AT_ONCE):
                    part = with_keys(admin, admin.query(visit.user), keys[start : start + _AT_ONCE])
                    objects = await part.all()
                    preview = await preview_of(visit, admin, objects)
                    if not preview.is_allowed:
                        visit.refuse(f"delete {admin.name} with what depends on it")
                    for obj in objects:
                        visit.require(admin, "delete", obj)
                        await record(visit, admin, obj, action="delete", changes=_gone(admin, obj))
                        await admin.delete(obj, visit.user)
                        done += 1
        except StillReferenced:
            flash(_("Other objects point to some of them, so nothing was deleted."), "error")
            return None
        return done

    async def delete(self, request: Request) -> Page | Response:
        """Delete one object, after showing what goes along."""
        visit, admin = visit_of(request), self._admin(request)
        sent = request.method == "POST"
        obj = await get_object(visit, admin, request.path_params["key"])
        visit.require(admin, "delete", obj)
        preview = await preview_of(visit, admin, [obj])
        url = visit.url(admin.slug, text_key(obj))
        if not sent or not preview.is_allowed:
            if sent:
                visit.note("delete of what is held")
            return Page(
                "admin/delete.html",
                status=409 if sent else 200,
                admin=admin,
                obj=obj,
                label=label_of(obj),
                object_url=url,
                preview=preview,
            )
        label = label_of(obj)
        database = visit.request.app.batteries[battery_of(admin.model)]
        try:
            async with database.transaction():
                await record(visit, admin, obj, action="delete", changes=_gone(admin, obj))
                await admin.delete(obj, visit.user)
        except StillReferenced:
            flash(_("Other objects point to it, so it was not deleted."), "error")
            return redirect(visit.url(admin.slug, text_key(obj), "delete"), status=303)
        flash(_("“%(label)s” was deleted.", label=label), "success")
        return redirect(visit.url(admin.slug), status=303)

    async def history(self, request: Request) -> Page:
        """Answer with what was done to an object."""
        visit, admin = visit_of(request), self._admin(request)
        obj = await get_object(visit, admin, request.path_params["key"])
        visit.require(admin, "view", obj)
        hidden = hidden_names(visit, admin, obj)
        entries = [(entry, changes_of(entry, hidden=hidden)) for entry in await entries_of(admin, obj)]
        return Page(
            "admin/history.html",
            admin=admin,
            obj=obj,
            label=label_of(obj),
            object_url=visit.url(admin.slug, text_key(obj)),
            entries=entries,
        )

    async def theme(self, request: Request) -> Response:
        """Remember whether the pages are light or dark, and go back."""
        visit, form = visit_of(request), await request.form()
        chosen, back = str(form.get("theme", "")), str(form.get("next", ""))
        response = redirect(back if is_safe_path(back) else visit.url(), status=303)
        if chosen in _THEMES:
            secure = request.scheme == "https"
            response.set_cookie(_COOKIE, chosen, max_age=31_536_000, path=visit.base or "/", secure=secure,
                                httponly=True, samesite="lax")  # fmt: skip
        return response


def _gone(admin: ModelAdmin, obj: Any) -> dict[str, list[str]]:
    """Return the values that go with an object, as its history keeps them."""
    whole = snapshot(admin, obj)
    turned = difference(admin, {}, whole)
    return {name: [label, new, ""] for name, (label, _old, new) in turned.items()}


def add_routes(site: Site, blueprint: Blueprint) -> None:
    """Add the pages of an admin to its blueprint."""
    pages, changing = Pages(site), Changing(site)
    add = partial(blueprint.add_route, place="demijohn.admin")
    blueprint.context_processors.append(pages.layout)
    blueprint.before_request(pages.enter)
    blueprint.add_error_handler(HTTPError, pages.fail)
    add("/", pages.index, name="index")
    add("/-/theme", pages.theme, methods=["POST"], name="theme")
    add("/{model}/", pages.list, name="list")
    add("/{model}/", pages.act, methods=["POST"], name="act")
    add("/{model}/export/", pages.export, name="export")
    add("/{model}/choices/", pages.choices, name="choices")
    add("/{model}/add/", changing.add, methods=["GET", "POST"], name="add")
    add("/{model}/{key}/", changing.change, methods=["GET", "POST"], name="change")
    add("/{model}/{key}/password/", Passwords(site).change, methods=["GET", "POST"], name="password")
    add("/{model}/{key}/delete/", pages.delete, methods=["GET", "POST"], name="delete")
    add("/{model}/{key}/history/", pages.history, name="history")
