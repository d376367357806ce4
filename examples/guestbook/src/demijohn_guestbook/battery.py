"""The battery: what it adds to an app, and nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from demijohn import App, Blueprint, Fields, Page, flash, redirect, url_for
from demijohn.app import CheckMessage
from demijohn.forms import ModelForm
from demijohn_guestbook.models import Entry


class Guestbook:
    """A guestbook below a prefix.

    Args:
        prefix: Where it lives.
        moderated: Whether entries wait to be approved.
    """

    name = "guestbook"
    requires = ("db",)
    migrations = Path(__file__).parent / "migrations"

    def __init__(self, *, prefix: str = "/guestbook", moderated: bool = True) -> None:
        self.prefix = prefix
        self.moderated = moderated

    def install(self, app: App) -> None:
        """Add the pages, a command, a check, and the options of the admin where there is one."""
        app.include(self._pages())
        app.commands.add(approve_entries)
        app.checks.add(self._check, deploy=True)
        app.when("admin", show_in_admin)

    def _pages(self) -> Blueprint:
        pages = Blueprint("guestbook", prefix=self.prefix)

        @pages.route("/", methods=["GET", "POST"], name="entries")
        async def entries(form: Annotated[ModelForm[Entry], Fields("name", "message")], page: int = 1) -> Any:
            if await form.save_if_valid(approved=not self.moderated):
                flash("Thank you. Your entry waits to be read." if self.moderated else "Thank you.", "success")
                return redirect(url_for("guestbook.entries"))
            found = await Entry.where(Entry.approved).order_by(Entry.written_at.desc()).paginate(page)
            return Page("guestbook/entries.html", entries=found, form=form)

        return pages

    def _check(self, app: App) -> Iterator[CheckMessage]:
        if not self.moderated:
            yield CheckMessage(
                level="warning",
                id="guestbook.unmoderated",
                text="The guestbook shows whatever anybody writes.",
                hint="Write  Guestbook(moderated=True)",
            )


async def approve_entries() -> str:
    """Approve every entry of the guestbook that waits."""
    count = await Entry.where(Entry.approved.is_(False)).update(approved=True)
    return f"{count} approved"


def show_in_admin(admin: Any) -> None:
    """Say how entries are shown; called with the admin of the app (Any: it is not imported where there is none)."""
    from demijohn.admin import ModelAdmin

    @admin.register(Entry)
    class EntryAdmin(ModelAdmin):
        list_display = ("name", "message", "approved", "written_at")
        list_filter = ("approved",)
        search_fields = ("name", "message")
        list_editable = ("approved",)
