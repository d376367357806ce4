"""What people are told, and how it reaches their open pages."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Annotated

from demijohn import Blueprint, Header, Page, ServerSentEvent, current
from demijohn.db import now

from .database import db
from .models import Happening, Notification, Post, User

news = Blueprint("news")


class Bell:
    """Wakes the open pages of a person in this process; other processes look every few seconds."""

    def __init__(self) -> None:
        self.waiting: defaultdict[int, set[asyncio.Event]] = defaultdict(set)

    def ring(self, user_id: int) -> None:
        for event in self.waiting.get(user_id, ()):
            event.set()

    async def wait(self, user_id: int, seconds: float) -> None:
        event = asyncio.Event()
        self.waiting[user_id].add(event)
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            self.waiting[user_id].discard(event)
            if not self.waiting[user_id]:
                del self.waiting[user_id]


async def tell(user: User, actor: User, kind: Happening, post: Post | None = None) -> None:
    """Note that something happened to somebody; their pages hear of it once it is committed."""
    if user.id != actor.id:
        await Notification.create(user=user, actor=actor, kind=kind, post=post)
        bell = await current.resolve(Bell)
        db.on_commit(lambda: bell.ring(user.id))


@news.get("/notifications", name="list")
async def listed(user: User):
    """Show what is new, and note that it was seen."""
    notes = await Notification.where(user=user).order_by("-id").limit(50).load(Notification.actor)
    await Notification.where(user=user, read_at=None).update(read_at=now())
    return Page("notifications.html", notes=notes)


@news.get("/notifications/stream")
async def stream(user: User, bell: Bell, last_event_id: Annotated[int, Header()] = 0) -> AsyncIterator[ServerSentEvent]:
    """Send the number of unread notifications whenever there is another one."""
    last = last_event_id
    while True:
        async with db.unit():  # a page stays open for hours: the connection goes back between two looks
            unread = await Notification.where(user_id=user.id, read_at=None).order_by("id").scalars(Notification.id)
        if unread and unread[-1] > last:
            last = unread[-1]
            yield ServerSentEvent({"unread": len(unread)}, event="unread", id=last)
        await bell.wait(user.id, 5)
