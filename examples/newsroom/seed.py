"""Something to read: sections, people and articles, written once into an empty database."""

from datetime import timedelta

from demijohn.auth import Group
from demijohn.db import Database, now
from examples.newsroom.models import Article, Comment, Section, Status, Tag, User

SECTIONS = [("World", "world"), ("Science", "science"), ("Crafts", "crafts"), ("Letters", "letters")]
PEOPLE = [
    ("editor@example.org", "Ada Lindqvist", True),
    ("writer@example.org", "Amir Haddad", False),
    ("reader@example.org", "Rosa Delgado", False),
]
ARTICLES = [
    (
        "The bottle that outlived its ship",
        "world",
        "Fishermen off Cádiz have raised a glass vessel of forty litres, whole, from a wreck of 1802.",
        "It came up in a net, grey with silt and heavier than the catch. Inside its wicker coat the glass was whole, and so was its cork.\n\n"
        "Vessels of this kind carried wine, oil and acid across oceans because they were large enough to be worth the trip and small enough for one person to lift. "
        "The museum in Cádiz will show it from spring on, beside the manifest that lists it as number eleven of thirty.",
        ["history", "glass"],
    ),
    (
        "Why fermentation sounds like rain",
        "science",
        "A microphone under an airlock hears how far the yeast has come.",
        "Every brewer knows the tick of an airlock. A group in Lyon has listened to four hundred of them and can tell from the rhythm alone when sugar runs out.\n\n"
        "The bubbles come in bursts, since gas collects in the narrow neck before it goes. The more sugar is left, the shorter the pauses; at the end they grow like the gaps between drops after a shower.",
        ["physics"],
    ),
    (
        "Basket makers find apprentices again",
        "crafts",
        "The willow is cut in January, and for the first time in years there are hands enough.",
        "A demijohn without its basket is a demijohn in pieces. The baskets were nearly gone; plastic was cheaper. Now three workshops in the hills have waiting lists, and two of them teach.\n\n"
        "It takes a winter to learn the base and two more to learn the neck.",
        ["willow", "work"],
    ),
    (
        "A letter about lids",
        "letters",
        "Our reader has closed jars for sixty years and has an opinion.",
        "Sir, the recent piece on corks omits the lid. I have closed jars since I was nine. A lid tells you when it is tight; a cork lets you believe it.\n\nYours, R. D.",
        [],
    ),
    (
        "The island that counts its wells twice",
        "world",
        "Once in spring, once in autumn, and the difference is the harvest.",
        "On an island without rivers the wells are counted by walking. The walk takes four days. What the second count lacks was drunk by the vines, and the price of wine is set by it.",
        ["water"],
    ),
    (
        "Glass remembers how it was cooled",
        "science",
        "Polarised light shows the hour in which a bottle was made badly.",
        "Between two polarising sheets a bottle that was cooled too fast lights up in colours. Glassmakers have used the trick for a century; a camera now does it at the speed of a belt, and throws out one in nine hundred.",
        ["glass", "physics"],
    ),
]
COMMENTS = ["I have seen it. It is larger than one thinks.", "Does it still smell of oil?"]


async def seed(db: Database) -> None:
    """Make the tables, and fill them where they are empty."""
    await db.create_all()
    if await Section.query().exists():
        return
    sections = {
        slug: await Section.create(name=name, slug=slug, position=at) for at, (name, slug) in enumerate(SECTIONS)
    }
    writers = await Group.create(name="Writers", permissions=["article.add", "article.edit", "article.view"])
    people = []
    for email, name, is_editor in PEOPLE:
        user = User(email=email, display_name=name, is_staff=is_editor, is_superuser=is_editor)
        await user.save()
        people.append(user)
    people[1].groups.append(writers)
    await people[1].save()
    tags: dict[str, Tag] = {}
    for number, (title, section, summary, body, words) in enumerate(ARTICLES):
        for word in words:
            if word not in tags:
                tags[word] = await Tag.create(name=word)
        article = Article(
            title=title,
            slug="-".join(word.strip(",.").lower() for word in title.split()),
            summary=summary,
            body=body,
            status=Status.PUBLISHED,
            section=sections[section],
            author=people[number % 2],
            published_at=now() - timedelta(hours=7 * number + 1),
        )
        article.tags = [tags[word] for word in words]
        await article.save()
        for text in COMMENTS[: 2 - number % 3]:
            await Comment.create(text=text, article=article, author=people[2])
    await Article.create(
        title="A draft about corks",
        slug="a-draft-about-corks",
        summary="It waits for an editor.",
        body="Cork is bark, and bark is patience.",
        status=Status.REVIEW,
        section=sections["crafts"],
        author=people[1],
    )
