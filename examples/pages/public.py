"""What visitors see."""

from demijohn import Blueprint, Page, abort, url_for
from demijohn.auth import current_user
from demijohn.http import Sitemap, SitemapEntry, send_from_directory

from .models import Document
from .settings import Site

public = Blueprint("public")


@public.get("/")
async def home():
    return await show("home")


@public.get("/pictures/{name}")
async def picture(name: str, site: Site):
    return send_from_directory(site.uploads, name, untrusted=True, max_age=86400)


@public.get("/sitemap.xml")
async def sitemap():
    return Sitemap(
        [
            SitemapEntry(url=url_for(".show", path=document.path, _external=True), changed=document.updated_at)
            for document in await Document.public()
        ]
    ).response()


@public.get("/{path:path}")
async def show(path: str):
    document = await Document.at(path) or abort(404)
    if not document.is_public:
        user = await current_user()
        if user is None or not user.can("document.edit"):
            abort(404)
    children = await Document.public().where(parent_id=document.id)
    return Page("pages/show.html", document=document, children=children)
