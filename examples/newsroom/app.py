"""The newsroom: everything that Demijohn has, in one site.

demijohn run examples/newsroom/app.py
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:  # it may be run from anywhere
    sys.path.insert(0, str(ROOT))

from demijohn_guestbook import Guestbook  # noqa: E402

from demijohn import App, redirect, url_for  # noqa: E402
from demijohn.admin import Admin  # noqa: E402
from demijohn.auth import Auth, log_in  # noqa: E402
from demijohn.db import Database  # noqa: E402
from demijohn.errors import NotFound  # noqa: E402
from demijohn.i18n import Prefix, Translations  # noqa: E402
from demijohn.monitoring import Health, Metrics  # noqa: E402
from demijohn.openapi import OpenAPI  # noqa: E402
from examples.newsroom.legacy import django_site, flask_site  # noqa: E402
from examples.newsroom.models import User  # noqa: E402
from examples.newsroom.rows import rows  # noqa: E402
from examples.newsroom.seed import seed  # noqa: E402
from examples.newsroom.views import desk, news  # noqa: E402

app = App()
db = app.use(Database("sqlite:///newsroom.db"))
auth = app.use(Auth(User))
admin = app.use(Admin(title="The Demijohn Post"))
translations = app.use(
    Translations(
        ["en", "de", "es", "ar"],
        prefix=Prefix(exempt=("/admin", "/metrics", "/livez", "/readyz", "/openapi.json")),
    )
)
app.use(Guestbook())
app.use(OpenAPI())
app.use(Health())
app.use(Metrics())

app.include(rows)
app.include(news)
app.include(desk)
app.mount("/archive", flask_site())
app.mount("/letters", django_site())
app.spa("web", prefix="/app")
app.post("/language", name="language")(translations.set_language)

from examples.newsroom import admin as _admin  # noqa: E402, F401 - it says how models look in the admin


@app.on_startup
async def prepare() -> None:
    """Make the tables and fill them, so that there is something to read."""
    await db.run(seed(db))


@app.post("/demo-login/{name}", name="demo_login")
async def demo_login(name: str):
    """Be somebody, for the demo: never in production."""
    if app.settings.env == "production":
        raise NotFound
    user = await User.where(User.email == f"{name}@example.org").first()
    if user is None:
        raise NotFound
    await log_in(user)
    return redirect("/admin/" if name == "editor" else url_for("desk.drafts"))
