"""The app: its batteries, its pages, its API."""

from demijohn import App
from demijohn.admin import Admin
from demijohn.auth import Auth, current_user
from demijohn.i18n import Translations
from demijohn.i18n import gettext_lazy as _
from demijohn.mail import Mail
from demijohn.openapi import OpenAPI

from .admin import register
from .api import api
from .commands import commands
from .database import db
from .models import User
from .pages import pages

app = App()
app.use(db)
app.use(Mail())
app.use(Auth(User, signup="closed"))
register(app.use(Admin(title=_("Office"))))
translations = app.use(Translations(["en", "de"], timezone="Europe/Berlin"))
app.use(OpenAPI("Office", version="1.0", only=["/api"]))
app.include(pages)
app.include(api, prefix="/api")
app.include(commands)
app.post("/language", name="language")(translations.set_language)


@app.context_processor
async def visitor():
    """Give every page the visitor."""
    return {"user": await current_user()}
