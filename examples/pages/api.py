"""The same documents for programs."""

from datetime import datetime
from typing import Annotated

import msgspec

from demijohn import Blueprint, Body, abort
from demijohn.auth import requires

from .models import Document, User

api = Blueprint("api")


class DocumentRead(msgspec.Struct):
    path: str
    title: str
    body: str
    published_at: datetime | None
    updated_at: datetime


@api.get("/documents")
async def documents() -> list[DocumentRead]:
    return msgspec.convert(await Document.public(), list[DocumentRead], from_attributes=True)


@api.get("/documents/{path:path}")
async def document(path: str) -> DocumentRead:
    found = await Document.at(path)
    if found is None or not found.is_public:
        abort(404)
    return msgspec.convert(found, DocumentRead, from_attributes=True)


@api.post("/documents", status=201)
@requires("document.edit")
async def create(
    document: Annotated[Document, Body(include=["title", "slug", "body", "parent", "published_at"])], user: User
) -> DocumentRead:
    if await Document.where(slug=document.slug, parent=document.parent).first():
        abort(409, "There is such a page already.")
    await document.save()
    await document.keep(user)
    return msgspec.convert(document, DocumentRead, from_attributes=True)
