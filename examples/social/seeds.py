"""Four people who know each other, and what they wrote: `demijohn -A examples.social.app db seed`."""

from datetime import timedelta

from demijohn.db import now

from .models import Comment, Follow, Like, Post, User

PASSWORD = "a bottle in the cellar"
PEOPLE = [
    ("ann", "Ann Keller", "Grows grapes on a slope."),
    ("ben", "Ben Okafor", "Glassblower."),
    ("cho", "Cho Min", "Writes about tea."),
    ("dee", "Dee Marsh", "Keeps to herself."),
]
TEXTS = [
    "First frost on the slope this morning.",
    "A new demijohn, fifty litres, green glass.",
    "Oolong, third infusion. Still good.",
    "Does anybody know who still weaves the baskets?",
    "Pruning until it gets dark.",
    "The furnace is at 1100 degrees and so am I.",
    "A kettle is a small demijohn for impatient people.",
    "Nobody reads this, and that is how I like it.",
]


async def seed() -> None:
    """Make them, once."""
    if await User.query().exists():
        return
    people = []
    for handle, name, bio in PEOPLE:
        address, is_private = f"{handle}@example.org", handle == "dee"
        people.append(
            await User.create_user(
                email=address, password=PASSWORD, handle=handle, display_name=name, bio=bio, is_private=is_private
            )
        )
    ann, ben, cho, dee = people
    ann.is_staff = ann.is_superuser = True
    for follower, followed in [(ann, ben), (ann, cho), (ben, ann), (cho, ann), (ann, dee)]:
        await Follow.create(follower=follower, followed=followed)
    for number in range(40):
        text = TEXTS[number % len(TEXTS)]
        post = await Post.create(author=people[number % 4], text=text, created_at=now() - timedelta(hours=5 * number))
        for reader in people[: number % 5]:
            await Like.create(user=reader, post=post)
        if number % 3 == 0:
            await Comment.create(post=post, author=people[(number + 1) % 4], text="Good to hear.")
