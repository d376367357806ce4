"""The app: its batteries, its pages, and what every page knows of the visitor."""

import os
from pathlib import Path

from demijohn import App
from demijohn.admin import Admin
from demijohn.auth import Auth, current_user

from .admin import register
from .database import db
from .models import Notification, User
from .news import Bell, news
from .people import people
from .pictures import Pictures
from .timeline import timeline

app = App()
app.use(db)
app.use(Auth(User, home="/", signup="open"))
register(app.use(Admin(title="Cork board")))
app.provide(Pictures, value=Pictures(Path(os.environ.get("MEDIA", "media"))))
app.provide(Bell, scope="app")
app.include(timeline)
app.include(people)
app.include(news)


@app.context_processor
async def visitor():
    """Give every page the visitor, and how much is new for them."""
    user = await current_user()
    unread = await Notification.where(user=user, read_at=None).count() if user else 0
    return {"user": user, "unread": unread}
