"""The app: its database, its pages, its API."""

from demijohn import App

from .api import api
from .database import db
from .pages import pages

app = App()
app.use(db)
app.include(pages)
app.include(api, prefix="/api")
