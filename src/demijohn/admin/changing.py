"""The pages that add and change an object."""

import secrets
from typing import Any

from demijohn import Page, Request, Response, flash, redirect
from demijohn._lib.translation import gettext as _
from demijohn.admin.access import Visit
from demijohn.admin.editing import Editor, rows_seen
from demijohn.admin.finding import get_object, visit_of
from demijohn.admin.history import changes_of, difference, entries_of, hidden_names, record, snapshot, version_of
from demijohn.admin.models import LogEntry
from demijohn.admin.naming import battery_of, label_of, text_key
from demijohn.admin.options import ModelAdmin, Site
from demijohn.admin.showing import show_fields
from demijohn.db import UniqueViolation
from demijohn.forms import receive
from demijohn.http import Markup

__all__ = ["Changing"]


class Changing:
    """The handlers that show and take the forms of objects."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def add(self, request: Request) -> Page | Response:
        """Show the form of a new object, or save it."""
        visit, admin = visit_of(request), self.site.get(request.path_params["model"])
        visit.require(admin, "add")
        editor = Editor(visit, admin)
        if request.method != "POST":
            await editor.fill()
            return await self._page(request, editor, once=secrets.token_urlsafe(18))
        form = await request.form()
        once = str(form.get("_once", ""))[:40]
        before = await self._saved_before(once)
        if before is not None:
            return self._already(visit, admin, before)
        await receive(editor.form, request)
        try:
            saved = await self._save(request, editor, once=once)
        except UniqueViolation:
            before = await self._saved_before(once)
            if before is None:
                raise
            return self._already(visit, admin, before)
        if saved is None:
            return await self._page(request, editor, once=once)
        return self._leave(visit, admin, saved, form, _("“%(label)s” was added.", label=label_of(saved)), is_new=True)

    async def change(self, request: Request) -> Page | Response:
        """Show an object, in a form where the user may change it, or save what was sent."""
        visit, admin = visit_of(request), self.site.get(request.path_params["model"])
        sent = request.method == "POST"
        obj = await get_object(visit, admin, request.path_params["key"], lock=sent)
        visit.require(admin, "change" if sent else "view", obj)
        if not visit.may(admin, "change", obj):
            return await self._view(request, admin, obj)
        editor = Editor(visit, admin, obj)
        if not sent:
            await editor.fill()
            return await self._page(request, editor, version=version_of(admin, obj))
        form = await request.form()
        await receive(editor.form, request)
        present = version_of(admin, obj)
        given = str(form.get("_version", ""))
        if editor.form.is_submitted and given != present:
            await editor.form.edit(obj)
            hidden = hidden_names(visit, admin, obj)
            entries = [(entry, changes_of(entry, hidden=hidden)) for entry in await entries_of(admin, obj, limit=3)]
            page = await self._page(request, editor, version=present, conflict=entries or True)
            page.status = 409
            return page
        saved = await self._save(request, editor)
        if saved is None:
            await editor.form.edit(obj)
            return await self._page(request, editor, version=given or present)
        return self._leave(visit, admin, saved, form, _("“%(label)s” was saved.", label=label_of(saved)), is_new=False)

    # -- saving -------------------------------------------------------------------------------------------------------

    async def _save(self, request: Request, editor: Editor, *, once: str = "") -> Any:
        """Save what was sent, with its history, in one transaction; return None where something is wrong."""
        visit, admin, obj = editor.visit, editor.admin, editor.obj
        if not editor.form.is_submitted:
            return None
        before = {} if obj is None else {**snapshot(admin, obj), **await editor.children()}
        database: Any = request.app.batteries[battery_of(admin.model)]
        async with database.transaction():
            saved = await editor.form.save_if_valid(obj, **admin.values(visit.user, obj))
            if saved is None:
                return None
            await admin.saved(saved, visit.user, is_new=obj is None)
            editor.obj = saved
            await saved.reload()
            after = {**snapshot(admin, saved), **await editor.children()}
            changes = difference(admin, before, after)
            if changes or obj is None:
                action = "add" if obj is None else "change"
                await record(visit, admin, saved, action=action, changes=changes, token=once)
        return saved

    async def _saved_before(self, once: str) -> LogEntry | None:
        return await LogEntry.where(token=once).one_or_none() if once else None

    def _already(self, visit: Visit, admin: ModelAdmin, entry: LogEntry) -> Response:
        flash(_("“%(label)s” was saved already.", label=entry.object_label), "warning")
        return redirect(visit.url(admin.slug, entry.object_key), status=303)

    def _leave(self, visit: Visit, admin: ModelAdmin, obj: Any, form: Any, said: str, *, is_new: bool) -> Response:
        url = visit.url(admin.slug)
        own = visit.url(admin.slug, text_key(obj))
        goes_on = own + admin.after_adding if is_new and admin.after_adding and "_another" not in form else ""
        if goes_on or "_continue" in form:
            flash(said, "success")
            return redirect(goes_on or own, status=303)
        flash(Markup('{} <a href="{}">{}</a>').format(said, own, _("Open it")), "success")
        return redirect(visit.url(admin.slug, "add") if "_another" in form else url, status=303)

    # -- showing ------------------------------------------------------------------------------------------------------

    async def _page(
        self, request: Request, editor: Editor, *, version: str = "", once: str = "", conflict: Any = None
    ) -> Page:
        visit, admin, obj = editor.visit, editor.admin, editor.obj
        url = visit.url(admin.slug)
        return Page(
            "admin/form.html",
            admin=admin,
            obj=obj,
            form=editor.form,
            groups=editor.groups(),
            inlines=editor.shown_inlines(),
            other_rows=await editor.other_rows(),
            related=editor.related(),
            prepopulated=editor.prepopulated(),
            version=version,
            once=once,
            conflict=conflict,
            label=_("New %(noun)s", noun=admin.noun) if obj is None else label_of(obj),
            list_url=url,
            object_url="" if obj is None else visit.url(admin.slug, text_key(obj)),
            may_add=visit.may(admin, "add"),
            may_delete=obj is not None and visit.may(admin, "delete", obj),
            site_page="" if obj is None else admin.page_url(obj),
        )

    async def _view(self, request: Request, admin: ModelAdmin, obj: Any) -> Page:
        visit = visit_of(request)
        return Page(
            "admin/view.html",
            admin=admin,
            obj=obj,
            label=label_of(obj),
            object_url=visit.url(admin.slug, text_key(obj)),
            shown=show_fields(visit, admin, obj),
            other_rows=await rows_seen(visit, admin, obj),
            may_delete=visit.may(admin, "delete", obj),
            site_page=admin.page_url(obj),
        )
