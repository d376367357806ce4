"""What editors do: write, look, take back, bring pictures."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from demijohn import Blueprint, Page, flash, redirect, url_for
from demijohn.auth import requires
from demijohn.forms import FileInput, Form, ModelForm
from demijohn.http import UploadFile
from demijohn.schema import Field

from .models import Document, Picture, Revision, User
from .settings import Site

editor = Blueprint("editor")
KINDS = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif"}


class DocumentForm(
    ModelForm[Document], fields=("title", "slug", "parent", "position", "in_menu", "published_at", "body")
):
    async def check_place(self, document: Document | None) -> None:
        """Refuse an address that is taken, and a page below itself."""
        above: Document | None = self.data["parent"]
        there = await Document.where(slug=self.data["slug"], parent=above).first()
        if there is not None and there is not document:
            self.add_error("slug", "There is such a page already.")
        while above is not None:
            if above is document:
                self.add_error("parent", "A page cannot stand below itself.")
            above = above.parent


@editor.get("/")
@requires("document.edit")
async def index():
    documents = sorted(await Document.query(), key=lambda document: document.path)
    return Page("pages/index.html", documents=documents)


@editor.route("/new", methods=["GET", "POST"])
@requires("document.edit")
async def new(form: DocumentForm, user: User):
    return await save(form, None, user)


@editor.route("/{document:int}", methods=["GET", "POST"])
@requires("document.edit")
async def edit(document: Document, form: DocumentForm, user: User):
    return await save(form, document, user)


async def save(form: DocumentForm, document: Document | None, user: User):
    if form.is_valid:
        await form.check_place(document)
    if saved := await form.save_if_valid(document):
        await saved.keep(user)
        flash("Saved.", "success")
        return redirect(saved)
    return Page("pages/edit.html", form=form, document=document)


@editor.get("/{document:int}/revisions")
@requires("document.edit")
async def revisions(document: Document):
    kept = await Revision.where(document_id=document.id).order_by("-id")
    return Page("pages/revisions.html", document=document, revisions=kept)


@editor.post("/revisions/{revision:int}/restore")
@requires("document.edit")
async def restore(revision: Revision, user: User):
    document = revision.document
    await document.assign(title=revision.title, body=revision.body).save()
    await document.keep(user)
    flash("It says again what it said then.", "success")
    return redirect(url_for(".revisions", document=document))


@dataclass
class Upload:
    title: Annotated[str, Field(max_length=120)]
    file: Annotated[UploadFile, Field(extra={"widget": FileInput(accept="image/*", max_size=2_000_000)})]


@editor.route("/pictures", methods=["GET", "POST"])
@requires("document.edit")
async def pictures(form: Form[Upload], site: Site):
    if form.is_valid:
        start = await form.data.file.read(8)
        await form.data.file.seek(0)
        suffix = next((suffix for first, suffix in KINDS.items() if start.startswith(first)), None)
        if suffix is None:
            form.add_error("file", "This is no picture.")
        else:
            picture = await Picture.create(name=f"{uuid4().hex}{suffix}", title=form.data.title)
            folder = Path(site.uploads)
            await asyncio.to_thread(folder.mkdir, exist_ok=True)
            await form.data.file.save(folder / picture.name)
            return redirect(url_for(".pictures"))
    return Page("pages/pictures.html", form=form, pictures=await Picture.query().order_by("-id"))
