"""The flows: in and out, a new account, a lost password, by pages and by JSON, on each database."""

import asyncio
import re
from datetime import timedelta

import httpx2
import pytest

from demijohn import App
from demijohn.auth import LoginRequired, fresh_login_required, links
from demijohn.auth import log_in as log_in_user
from demijohn.db import Database, now
from demijohn.mail import Mailbox
from demijohn.testing import AsyncClient
from tests.auth.site import PASSWORD, User, make_app

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
NEW = "another bottle, unopened"


async def submit(visitor: AsyncClient, path: str, **fields: str) -> httpx2.Response:
    """Fill in the form of a page in a browser and send it."""
    page = await visitor.get(path, headers=HTML)
    assert page.status_code == 200, page.text
    controls = re.findall(r'<input [^>]*type="hidden"[^>]*>', page.text)
    hidden = {re.findall(r'name="([^"]+)"', one)[0]: re.findall(r'value="([^"]*)"', one)[0] for one in controls}
    return await visitor.post(path.partition("?")[0], data={**hidden, **fields}, headers=HTML)


async def log_in(visitor: AsyncClient, password: str = PASSWORD, email: str = "ann@example.org") -> httpx2.Response:
    """Log in by the page."""
    return await submit(visitor, "/login", email=email, password=password)


def session_line(answer: httpx2.Response) -> str:
    """The line that sets the cookie of the session."""
    (line,) = [line for line in answer.headers.get_list("set-cookie") if line.startswith("session=")]
    return line.lower()


async def user_of(database: Database, email: str = "ann@example.org") -> User | None:
    """The user as the database has them."""
    async with database.unit():
        return await User.find_by_email(email)


def path_of(mailbox: Mailbox) -> str:
    """The path of the link in the last mail."""
    assert mailbox[-1].links[0].startswith("http://localhost/")
    return mailbox[-1].links[0].removeprefix("http://localhost")


async def test_in_and_out(visitor: AsyncClient, ann: User) -> None:
    """Login leads back to where one came from, logout asks first and forgets the session."""
    sent = await visitor.get("/me", headers=HTML)
    answer = await submit(visitor, sent.headers["location"], email=" ANN@example.org ", password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/me")
    assert (await visitor.get("/me")).json() == {"email": "ann@example.org"}
    assert (await visitor.get("/login", headers=HTML)).headers["location"] == "/"
    assert "Log out?" in (await visitor.get("/logout", headers=HTML)).text
    assert (await visitor.get("/me")).status_code == 200
    assert (await submit(visitor, "/logout")).headers["location"] == "/"
    assert (await visitor.get("/me")).status_code == 401


async def test_in_and_out_as_json(visitor: AsyncClient, ann: User) -> None:
    """The same handlers take and give JSON: the user, 401 for a wrong password, 422 for what is no such document."""
    wrong = await visitor.post("/login", json={"email": "ann@example.org", "password": "x"})
    assert (wrong.status_code, wrong.headers["content-type"]) == (401, "application/problem+json")
    for document in ([], {"email": 1, "password": PASSWORD}, {"email": "a@x.org"}, {"email": "a", "user": 1}):
        assert (await visitor.post("/login", json=document)).status_code == 422
    answer = await visitor.post("/login", json={"email": "ann@example.org", "password": PASSWORD})
    assert answer.json()["email"] == "ann@example.org"
    assert "password_hash" not in answer.json()
    assert "session_stamp" not in answer.json()
    assert (await visitor.get("/me")).status_code == 200
    assert (await visitor.post("/logout")).status_code == 204
    assert (await visitor.get("/me")).status_code == 401


async def test_a_wrong_password(visitor: AsyncClient, ann: User) -> None:
    """The form comes back with the address and the message, and never with the password."""
    answer = await log_in(visitor, "not the password")
    assert answer.status_code == 422
    assert "do not go together" in answer.text
    assert 'value="ann@example.org"' in answer.text
    assert "not the password" not in answer.text
    assert answer.headers["cache-control"].startswith("no-store")


async def test_remember(visitor: AsyncClient, ann: User) -> None:
    """Without the tick the session ends with the browser; with it the cookie has an age."""
    assert "max-age" not in session_line(await log_in(visitor))
    await visitor.post("/logout")
    answer = await submit(visitor, "/login", email="ann@example.org", password=PASSWORD, remember="on")
    assert "max-age=1209600" in session_line(answer)


async def test_a_new_account(visitor: AsyncClient, mailbox: Mailbox, database: Database) -> None:
    """The account is there, no login before the link in the mail was followed, and after it one is."""
    page = await visitor.get("/signup", headers=HTML)
    assert 'name="display_name"' in page.text
    assert "is_superuser" not in page.text
    answer = await submit(visitor, "/signup", email="Ben@Example.org", password=NEW, display_name="Ben <b>")
    assert "Look into your mail" in answer.text
    assert (await user_of(database, "ben@example.org")).display_name == "Ben <b>"  # type: ignore[union-attr]
    assert mailbox[-1].to == "ben@example.org"
    early = await log_in(visitor, NEW, "ben@example.org")
    assert "Confirm your e-mail address first" in early.text
    assert (await visitor.get("/me")).status_code == 401
    answer = await submit(visitor, path_of(mailbox))
    assert answer.headers["location"] == "/login"
    assert (await visitor.get(path_of(mailbox), headers=HTML)).status_code == 404  # once
    assert (await log_in(visitor, NEW, "ben@example.org")).status_code == 303
    assert (await visitor.get("/me")).json() == {"email": "ben@example.org"}


async def test_a_new_account_as_json(visitor: AsyncClient, mailbox: Mailbox) -> None:
    """A client gets 202, and all that is wrong at once; a field that is not asked for is refused."""
    wrong = await visitor.post("/signup", json={"email": "no", "password": "short", "display_name": ""})
    assert wrong.status_code == 422
    assert {error["place"][-1] for error in wrong.json()["errors"]} == {"email", "password", "display_name"}
    more = {"email": "ben@example.org", "password": NEW, "display_name": "Ben", "is_superuser": True}
    assert (await visitor.post("/signup", json=more)).json()["errors"][0]["place"] == ["body", "is_superuser"]
    del more["is_superuser"]
    assert (await visitor.post("/signup", json=more)).status_code == 202
    assert len(mailbox) == 1


async def test_fields_that_nobody_asked_for(visitor: AsyncClient, mailbox: Mailbox, database: Database) -> None:
    """A form with fields that the page does not have is refused, and says so."""
    fields = {"email": "ben@example.org", "password": NEW, "display_name": "Ben"}
    answer = await submit(visitor, "/signup", **fields, is_superuser="on", email_verified_at="2020-01-01T00:00:00Z")
    assert answer.status_code == 422
    assert "is_superuser" in answer.text
    assert await user_of(database, "ben@example.org") is None
    assert mailbox == []


async def test_an_open_site(database: Database) -> None:
    """With `signup="open"` a new account is in at once, and a taken address is an error beside its field."""
    app = make_app(database, signup="open")
    async with AsyncClient(app) as visitor:
        async with visitor.harness.open("mailbox") as mailbox:
            fields = {"email": "ben@example.org", "password": NEW, "display_name": "Ben"}
            assert (await submit(visitor, "/signup", **fields)).status_code == 303
            assert (await visitor.get("/me")).json() == {"email": "ben@example.org"}
            assert len(mailbox) == 1
            await visitor.post("/logout")
            answer = await submit(visitor, "/signup", **fields)
            assert answer.status_code == 422
            assert "There is an account with this e-mail address" in answer.text
            assert 'aria-describedby="id_email_errors"' in answer.text


async def test_a_closed_site(database: Database) -> None:
    """With `signup="closed"` there is no such page, no link to it, and nothing that a check could find."""
    app = make_app(database, signup="closed")
    async with AsyncClient(app) as visitor:
        assert (await visitor.get("/signup")).status_code == 404
        assert "/signup" not in (await visitor.get("/login", headers=HTML)).text
    assert not [message for message in app.run_checks() if message.id == "templates.url"]


async def test_pages_below_a_prefix(database: Database, ann: User) -> None:
    """A prefix moves all pages; without pages a browser hears 401 too."""
    async with AsyncClient(make_app(database, prefix="/accounts")) as visitor:
        assert (await visitor.get("/me", headers=HTML)).headers["location"] == "/accounts/login?next=%2Fme"
        assert (await visitor.get("/accounts/login", headers=HTML)).status_code == 200
    async with AsyncClient(make_app(database, prefix=None)) as visitor:
        assert (await visitor.get("/me", headers=HTML)).status_code == 401
        assert (await visitor.get("/login")).status_code == 404


async def test_a_lost_password(visitor: AsyncClient, mailbox: Mailbox, database: Database, ann: User) -> None:
    """A link in a mail sets a new password, once; the old one is gone, and whoever was in is out."""
    await log_in(visitor)
    answer = await submit(visitor, "/password-reset", email="ANN@example.org")
    assert "If there is an account" in answer.text
    link = path_of(mailbox)
    assert link.startswith("/password-reset/")
    weak = await submit(visitor, link, password="short")
    assert weak.status_code == 422
    assert (await submit(visitor, link, password=NEW)).headers["location"] == "/login"
    assert mailbox[-1].subject == "Your password at localhost was changed"
    assert (await visitor.get("/me")).status_code == 401
    again = await visitor.get(link, headers=HTML)
    assert (again.status_code, "no longer good" in again.text) == (404, True)
    assert (await visitor.post(link, json={"password": PASSWORD})).status_code == 404
    assert (await log_in(visitor)).status_code == 422
    assert (await log_in(visitor, NEW)).status_code == 303


async def test_links_that_are_not_good(
    app: App, visitor: AsyncClient, mailbox: Mailbox, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is cut, changed, of another purpose, too old, or older than a login does nothing."""
    await submit(visitor, "/password-reset", email="ann@example.org")
    link = path_of(mailbox)
    token = link.rpartition("/")[2]
    for bad in (token[:-1], token[:-1] + ("A" if token[-1] != "A" else "B"), "x", token.swapcase(), f"{token}."):
        assert (await visitor.get(f"/password-reset/{bad}", headers=HTML)).status_code == 404
    assert (await visitor.get(f"/verify/{token}", headers=HTML)).status_code == 404
    assert (await visitor.get(link, headers=HTML)).status_code == 200
    with monkeypatch.context() as patch:
        patch.setitem(links.LIFE, "reset", timedelta(seconds=-1))
        assert (await visitor.get(link, headers=HTML)).status_code == 404
    await log_in(visitor)
    assert (await visitor.get(link, headers=HTML)).status_code == 404


async def test_a_link_is_used_once_even_at_once(visitor: AsyncClient, mailbox: Mailbox, ann: User) -> None:
    """Of four that post the same link at the same time one sets the password."""
    await submit(visitor, "/password-reset", email="ann@example.org")
    link = path_of(mailbox)
    answers = await asyncio.gather(*(visitor.post(link, json={"password": f"{NEW} {n}"}) for n in range(4)))
    assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404]


async def test_a_new_password(app: App, visitor: AsyncClient, mailbox: Mailbox, ann: User) -> None:
    """The present session goes on under a new id, all others end; the old password is asked for."""
    other = AsyncClient(app)
    await log_in(visitor)
    await log_in(other)
    assert (await other.get("/me")).status_code == 200
    wrong = await submit(visitor, "/password-change", current="wrong", password=NEW)
    assert wrong.status_code == 422
    assert "This is not your password" in wrong.text
    before = dict(visitor.cookies)
    answer = await submit(visitor, "/password-change", current=PASSWORD, password=NEW)
    assert answer.status_code == 303
    assert dict(visitor.cookies) != before
    assert (await visitor.get("/me")).status_code == 200
    assert (await other.get("/me")).status_code == 401
    assert (await log_in(other)).status_code == 422
    assert (await log_in(other, NEW)).status_code == 303
    assert mailbox[-1].subject == "Your password at localhost was changed"
    await other.aclose()


async def test_a_password_that_is_not_good(visitor: AsyncClient, ann: User) -> None:
    """What is too short, common, or like the address is refused, with the reason beside the field."""
    await log_in(visitor)
    for password, reason in (
        ("short", "at least 12 characters"),
        ("password123456", "tried first"),
        ("ann@example.org", "too much like"),
    ):
        answer = await submit(visitor, "/password-change", current=PASSWORD, password=password)
        assert reason in answer.text


async def test_a_link_again(visitor: AsyncClient, mailbox: Mailbox, database: Database) -> None:
    """Who lost the mail gets another; who is confirmed already gets none, and the page says the same."""
    fields = {"email": "ben@example.org", "password": NEW, "display_name": "Ben"}
    await submit(visitor, "/signup", **fields)
    first = await submit(visitor, "/verify", email="ben@example.org")
    assert len(mailbox) == 2
    assert (await submit(visitor, path_of(mailbox))).status_code == 303
    second = await submit(visitor, "/verify", email="ben@example.org")
    assert len(mailbox) == 2
    assert first.text == second.text


async def test_signals(app: App, visitor: AsyncClient, ann: User) -> None:
    """Whoever listens is told of logins, failed ones too, and of logouts."""
    heard: list[tuple[str, object]] = []
    for name in ("user-logged-in", "user-login-failed", "user-logged-out"):

        def hear(sender: object, *, user: User | None, name: str = name, **more: object) -> None:
            heard.append((name, user.email if user else more))

        app.signals.signal(name).connect(hear, weak=False)
    await log_in(visitor, "wrong")
    await log_in(visitor)
    await visitor.post("/logout")
    assert heard == [
        ("user-login-failed", {"email": "ann@example.org"}),
        ("user-logged-in", "ann@example.org"),
        ("user-logged-out", "ann@example.org"),
    ]


async def test_a_page_is_overridden(tmp_path: object, database: Database) -> None:
    """A template of the app takes the place of ours, and may extend it."""
    from pathlib import Path

    folder = Path(str(tmp_path)) / "templates"
    (folder / "auth").mkdir(parents=True)
    (folder / "auth" / "login.html").write_text(
        '{% extends "auth:auth/login.html" %}{% block intro %}<p>Members only.</p>{% endblock %}'
    )
    app = make_app(database)
    app.template_folder = folder
    async with AsyncClient(app) as visitor:
        page = (await visitor.get("/login", headers=HTML)).text
        assert "<p>Members only.</p>" in page
        assert 'name="password"' in page


async def _age_login(visitor: AsyncClient, minutes: float) -> None:
    """Let the login of a visitor have been some time ago."""
    async with visitor.harness.open("session_transaction") as transaction, transaction() as session:
        key, stamp, when = session["_auth"]
        session["_auth"] = [key, stamp, int(when - minutes * 60)]


async def test_another_address(visitor: AsyncClient, mailbox: Mailbox, database: Database, ann: User) -> None:
    """The new address confirms, the old one hears of it twice, and only then the account has the new one."""
    await log_in(visitor)
    page = await visitor.get("/email-change", headers=HTML)
    assert "ann@example.org" in page.text
    assert "your address already" in (await submit(visitor, "/email-change", email="ANN@example.org")).text
    done = await submit(visitor, "/email-change", email="Anna@Example.org")
    assert "Look into your mail" in done.text
    assert [message.to for message in mailbox] == ["anna@example.org", "ann@example.org"]
    assert "anna@example.org" in mailbox[1].text
    assert await user_of(database, "anna@example.org") is None
    link = mailbox[0].links[0].removeprefix("http://localhost")
    assert "anna@example.org" in (await visitor.get(link, headers=HTML)).text
    assert await user_of(database) is not None  # a GET changes nothing
    assert (await submit(visitor, link)).headers["location"] == "/"
    changed = await user_of(database, "anna@example.org")
    assert changed is not None
    assert changed.id == ann.id
    assert (mailbox[-1].to, len(mailbox)) == ("ann@example.org", 3)
    assert (await visitor.get("/me")).json() == {"email": "anna@example.org"}
    assert (await visitor.get(link, headers=HTML)).status_code == 404


async def test_a_used_link_to_an_address_stays_used(visitor: AsyncClient, mailbox: Mailbox, ann: User) -> None:
    """Where the old address comes back, the link to the wrong one is good no longer: a stranger may read it."""
    await log_in(visitor)
    for address in ("typo@example.org", "ann@example.org"):
        await submit(visitor, "/email-change", email=address)
        link = [message for message in mailbox if message.to == address][-1].links[0].removeprefix("http://localhost")
        assert (await submit(visitor, link)).headers["location"] == "/"
        assert (await visitor.get("/me")).json() == {"email": address}
    first = mailbox[0].links[0].removeprefix("http://localhost")
    assert (await visitor.get(first, headers=HTML)).status_code == 404
    assert (await visitor.post(first, headers=HTML)).status_code == 404
    assert (await visitor.get("/me")).json() == {"email": "ann@example.org"}


async def test_only_its_user_changes_an_address(
    visitor: AsyncClient, mailbox: Mailbox, database: Database, ann: User
) -> None:
    """Who follows the link without a login, or with another, is not led into the account that asked for it."""
    await log_in(visitor)
    await submit(visitor, "/email-change", email="victim@example.org")
    link = mailbox[0].links[0].removeprefix("http://localhost")
    await visitor.post("/logout", headers=HTML)
    sent = await visitor.get(link, headers=HTML)
    assert (sent.status_code, sent.headers["location"].startswith("/login?next=%2Femail-change%2F")) == (303, True)
    way_in = await visitor.get(sent.headers["location"], headers=HTML)
    assert "Log in to the account that is to have the new e-mail address." in way_in.text
    assert "ann@example.org" not in way_in.text
    late = await visitor.post(link, headers=HTML)  # the session ended while the page was open
    assert late.headers["location"] == sent.headers["location"]
    refused = await visitor.post(link, json={})
    assert (refused.status_code, "that is to have the new" in refused.json()["detail"]) == (401, True)
    hashed = ann.password_hash
    async with database.unit():
        await User.create(email="ben@example.org", display_name="Ben", password_hash=hashed, email_verified_at=now())
    await log_in(visitor, email="ben@example.org")
    for answer in (await visitor.get(link, headers=HTML), await visitor.post(link, headers=HTML)):
        assert (answer.status_code, "It belongs to another account" in answer.text) == (403, True)
        assert "ann@example.org" not in answer.text
    refused = await visitor.post(link, json={})
    assert (refused.status_code, "another account" in refused.json()["detail"]) == (403, True)
    assert await user_of(database) is not None
    assert await user_of(database, "victim@example.org") is None
    (way_out,) = re.findall(r'action="(/logout[^"]*)"', answer.text)
    out = await visitor.post(way_out, headers=HTML)
    assert out.headers["location"] == link
    way_in = (await visitor.get(link, headers=HTML)).headers["location"]
    back = await submit(visitor, way_in, email="ann@example.org", password=PASSWORD)
    assert back.headers["location"] == link
    assert (await submit(visitor, link)).status_code == 303
    assert await user_of(database, "victim@example.org") is not None


async def test_a_new_address_ends_the_other_sessions(
    app: App, visitor: AsyncClient, mailbox: Mailbox, ann: User
) -> None:
    """Where the address changes, the browser that confirms stays in under a new id, and every other one is out."""
    async with AsyncClient(app) as other:
        for browser in (visitor, other):
            await log_in(browser)
            assert (await browser.get("/me")).status_code == 200
        await submit(visitor, "/email-change", email="anna@example.org")
        assert (await other.get("/me")).status_code == 200  # to ask changes nothing
        before = dict(visitor.cookies)
        assert (await submit(visitor, mailbox[0].links[0].removeprefix("http://localhost"))).status_code == 303
        assert dict(visitor.cookies) != before
        assert (await visitor.get("/me")).json() == {"email": "anna@example.org"}
        assert (await other.get("/me")).status_code == 401
        assert (await other.get("/me", headers=HTML)).headers["location"] == "/login?next=%2Fme"
        assert (await log_in(other, email="anna@example.org")).status_code == 303


async def test_logout_leads_on_within_the_site(visitor: AsyncClient, ann: User) -> None:
    """What is named by `next` is where one goes then, unless it is another site."""
    for wanted, goes_to in (("/me", "/me"), ("//elsewhere.example", "/"), ("https://elsewhere.example/", "/")):
        await log_in(visitor)
        answer = await visitor.post("/logout", params={"next": wanted}, headers=HTML)
        assert (answer.status_code, answer.headers["location"]) == (303, goes_to)


async def test_a_link_is_read_once(database: Database, ann: User) -> None:
    """The texts of a link come with its user, and none come with a link that is not good."""
    mail_links = links.MailLinks(make_app(database))
    async with database.unit():
        token = mail_links.make("email", ann, "anna@example.org")
        user, texts = await mail_links.find("email", token, User)
        assert user is not None
        assert (user.id, texts) == (ann.id, ["anna@example.org"])
        assert await mail_links.find("verify", token, User) == (None, [])
        assert await mail_links.find("email", f"{token}x", User) == (None, [])


async def test_an_address_that_is_taken(visitor: AsyncClient, mailbox: Mailbox, database: Database, ann: User) -> None:
    """The page says the same, the owner gets a mail without a link to it, and one taken meanwhile is refused."""
    hashed = ann.password_hash
    async with database.unit():
        await User.create(email="ben@example.org", display_name="Ben", password_hash=hashed)
    await log_in(visitor)
    taken = await submit(visitor, "/email-change", email="ben@example.org")
    free = await submit(visitor, "/email-change", email="zoe@example.org")
    assert taken.text.replace("ben@", "zoe@") == free.text
    assert [message.to for message in mailbox] == [
        "ben@example.org", "ann@example.org", "zoe@example.org", "ann@example.org"
    ]  # fmt: skip
    assert "/email-change/" not in mailbox[0].text
    async with database.unit():
        await User.create(email="zoe@example.org", display_name="Zoe")
    assert (await visitor.post(mailbox[2].links[0], headers=HTML)).status_code == 404
    assert (await visitor.get("/me")).json() == {"email": "ann@example.org"}


async def test_a_link_to_an_address_ends_with_the_password(visitor: AsyncClient, mailbox: Mailbox, ann: User) -> None:
    """Who sets a new password makes the link worthless that somebody else asked for; so does forging one."""
    await log_in(visitor)
    await submit(visitor, "/email-change", email="mallory@example.org")
    link = mailbox[0].links[0].removeprefix("http://localhost")
    token = link.rpartition("/")[2]
    for path in (f"/verify/{token}", f"/password-reset/{token}", f"/email-change/{token}x"):
        assert (await visitor.get(path, headers=HTML)).status_code == 404
    await submit(visitor, "/password-change", current=PASSWORD, password=NEW)
    assert (await visitor.post(link, headers=HTML)).status_code == 404


async def test_the_password_again(visitor: AsyncClient, ann: User) -> None:
    """A login of long ago gives the password again before it changes the address, and comes back."""
    await log_in(visitor)
    await _age_login(visitor, 16)
    sent = await visitor.get("/email-change", headers=HTML)
    assert sent.headers["location"] == "/password-confirm?next=%2Femail-change"
    assert (await visitor.post("/email-change", json={"email": "x@example.org"})).status_code == 401
    late = await visitor.post("/email-change", data={"email": "x@example.org"}, headers=HTML)
    assert late.headers["location"] == sent.headers["location"]
    assert "This is not your password" in (await submit(visitor, "/password-confirm", password="x")).text
    assert (await visitor.get("/email-change", headers=HTML)).status_code == 303
    done = await submit(visitor, sent.headers["location"], password=PASSWORD)
    assert done.headers["location"] == "/email-change"
    assert (await visitor.get("/email-change", headers=HTML)).status_code == 200
    for _ in range(4):
        await visitor.post("/password-confirm", json={"password": "x"})
    assert (await visitor.post("/password-confirm", json={"password": PASSWORD})).status_code == 429


async def test_a_handler_that_wants_a_fresh_login(app: App, visitor: AsyncClient, ann: User) -> None:
    """The decorator asks by its own measure, for data with 401, and nobody at all to log in first."""

    @app.get("/keys")
    @fresh_login_required(minutes=5)
    async def keys(user: User) -> str:
        return "keys"

    @app.get("/any")
    @fresh_login_required
    def any_time() -> str:
        return "any"

    assert (await visitor.get("/keys", headers=HTML)).headers["location"] == "/login?next=%2Fkeys"
    await log_in(visitor)
    assert (await visitor.get("/keys")).text == "keys"
    await _age_login(visitor, 6)
    assert (await visitor.get("/any")).text == "any"
    refused = await visitor.get("/keys")
    assert (refused.status_code, refused.json()["detail"]) == (401, "Give your password again first.")
    assert (await visitor.post("/password-confirm", json={"password": PASSWORD})).status_code == 204
    assert (await visitor.get("/keys")).text == "keys"


async def test_a_new_password_is_a_fresh_login(app: App, visitor: AsyncClient, ann: User) -> None:
    """The form asks for the old password, so a login of long ago may use it, and is fresh again afterwards."""
    await log_in(visitor)
    await _age_login(visitor, 60 * 24)
    assert (await visitor.get("/email-change", headers=HTML)).status_code == 303
    assert (await submit(visitor, "/password-change", current="x", password=NEW)).status_code == 422
    assert (await visitor.get("/email-change", headers=HTML)).status_code == 303
    assert (await submit(visitor, "/password-change", current=PASSWORD, password=NEW)).status_code == 303
    assert (await visitor.get("/email-change", headers=HTML)).status_code == 200


async def test_a_new_password_after_one_of_another_framework(
    visitor: AsyncClient, database: Database, ann: User
) -> None:
    """A hash that came with the user is the old password of the form, too."""
    from werkzeug.security import generate_password_hash

    await log_in(visitor)
    async with database.unit():
        await User.where(id=ann.id).update(password_hash=generate_password_hash(PASSWORD, "pbkdf2:sha256:1000"))
    await _age_login(visitor, 60)
    assert (await submit(visitor, "/password-confirm", password=PASSWORD)).status_code == 303
    assert (await user_of(database)).password_hash.startswith("$argon2id$")  # type: ignore[union-attr]
    async with database.unit():
        await User.where(id=ann.id).update(password_hash=generate_password_hash(PASSWORD, "pbkdf2:sha256:1000"))
    assert (await submit(visitor, "/password-change", current="x", password=NEW)).status_code == 422
    assert (await submit(visitor, "/password-change", current=PASSWORD, password=NEW)).status_code == 303


@pytest.mark.parametrize("nothing", ["", "!aBcDeF", "!"])
async def test_who_has_no_password(app: App, visitor: AsyncClient, database: Database, ann: User, nothing: str) -> None:
    """Who came in another way is not asked for a password that does not exist, and gets the first one by mail."""

    @app.post("/by-key")
    async def by_key() -> str:
        found = await User.find_by_email("ann@example.org")
        assert found is not None
        await log_in_user(found)
        return "in"

    async with database.unit():
        await User.where(id=ann.id).update(password_hash=nothing)
    assert (await visitor.post("/by-key")).text == "in"
    await _age_login(visitor, 60)
    sent = await visitor.get("/email-change", headers=HTML)
    page = await visitor.get(sent.headers["location"], headers=HTML)
    assert "Your account has no password." in page.text
    assert 'href="/logout?next=%2Femail-change"' in page.text
    assert 'type="password"' not in page.text
    refused = await visitor.post("/password-confirm", json={"password": nothing})
    assert (refused.status_code, refused.json()["detail"]) == (403, "Your account has no password.")
    assert (await visitor.post("/password-change", json={"current": nothing, "password": NEW})).status_code == 422
    assert (await visitor.post("/password-change", data={"password": NEW}, headers=HTML)).status_code == 422
    assert (await user_of(database)).password_hash == nothing  # type: ignore[union-attr]
    async with visitor.harness.open("mailbox") as mailbox:
        done = await submit(visitor, "/password-change")
        assert "Look into your mail" in done.text
        assert [message.to for message in mailbox] == ["ann@example.org"]
        assert (await submit(visitor, path_of(mailbox), password=NEW)).headers["location"] == "/login"
    assert (await visitor.get("/me")).status_code == 401
    assert (await log_in(visitor, NEW)).status_code == 303
    assert 'name="current"' in (await visitor.get("/password-change", headers=HTML)).text


async def test_a_reason_to_log_in(app: App, visitor: AsyncClient, ann: User) -> None:
    """A handler says why one has to log in, and the login page says it; without a reason it says nothing."""

    @app.get("/answers")
    async def answers(user: User | None) -> str:
        if user is None:
            raise LoginRequired("Log in to see the <answers>.")
        return "answers"

    page = await visitor.get("/answers", headers=HTML, follow_redirects=True)
    assert "Log in to see the &lt;answers&gt;." in page.text
    assert "Log in to see" not in (await visitor.get("/login", headers=HTML)).text
    plain = await visitor.get("/me", headers=HTML, follow_redirects=True)
    assert 'class="message ' not in plain.text
    assert (await visitor.get("/answers")).json()["detail"] == "Log in to see the <answers>."
