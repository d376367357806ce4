"""The app: its database, its people, and who comes by which door."""

from demijohn import App, redirect
from demijohn.admin import Admin, ModelAdmin
from demijohn.auth import Auth, current_user
from demijohn.db import Database

from .api import api
from .editor import editor
from .legacy import old
from .models import Document, User
from .public import public
from .settings import Site

site = Site.load()
app = App(settings=site)
db = app.use(Database(site.database_url))
auth = app.use(Auth(User, signup="closed"))
admin = app.use(Admin())


@admin.register(Document)
class DocumentAdmin(ModelAdmin):
    list_display = ["title", "path", "is_public", "updated_at"]
    search_fields = ["title", "body"]


app.include(api, prefix="/api")
app.include(editor, prefix="/edit")
app.include(public)
app.mount("/old", old)


@app.get("/old/history")
async def history():
    """This one has moved over: a route goes before a mount."""
    return redirect("/about/history", status=301)


@app.context_processor
async def around():
    menu = await Document.public().where(Document.in_menu)
    return {"menu": menu, "user": await current_user()}
