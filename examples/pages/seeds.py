"""What the site begins with: `demijohn -A examples/pages/app.py db seed`."""

from demijohn.auth import Group
from demijohn.db import now

from .models import Document, User


async def seed() -> None:
    editors = await Group.create(name="Editors", permissions=["document.view", "document.add", "document.edit"])
    ann = await User.create_user(email="ann@example.org", password="a bottle in the cellar", display_name="Ann")
    await ann.load("groups")
    ann.groups.append(editors)
    await ann.save()
    home = await Document.create(
        title="Welcome", slug="home", body="A cellar in *Rüdesheim*, open on Saturdays.", published_at=now()
    )
    about = await Document.create(
        title="About us",
        slug="about",
        body="Four people and **nine thousand** bottles.",
        in_menu=True,
        published_at=now(),
    )
    history = await Document.create(
        title="History", slug="history", parent=about, body="Since 1903.", published_at=now()
    )
    visit = await Document.create(
        title="Visit",
        slug="visit",
        body="| day | from | to |\n|---|---|---|\n| Saturday | 10 | 16 |",
        in_menu=True,
        position=1,
        published_at=now(),
    )
    harvest = await Document.create(title="Harvest", slug="harvest", body="Not yet.")
    for document in (home, about, history, visit, harvest):
        await document.keep(ann)
