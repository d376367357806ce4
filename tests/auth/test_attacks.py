"""Attacks on accounts, each tried as an attacker would, each refused."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from demijohn import App
from demijohn.auth import PasswordHasher, Passwords, Throttle
from demijohn.auth.logins import KEY
from demijohn.db import Database
from demijohn.mail import Mailbox
from demijohn.sessions import Session
from demijohn.testing import AsyncClient
from tests.auth.site import PASSWORD, User, make_app
from tests.auth.test_flows import HTML, NEW, log_in, path_of, submit, user_of


@asynccontextmanager
async def session_of(visitor: AsyncClient) -> AsyncIterator[Session]:
    """The session of a visitor, to be looked into and changed."""
    async with visitor.harness.open("session_transaction") as transaction, transaction() as session:
        yield session


FAR = {"origin": "https://evil.example", "sec-fetch-site": "cross-site", **HTML}


@pytest.mark.parametrize(
    "path", ["/login", "/logout", "/signup", "/password-reset", "/password-change", "/verify", "/email-change"]
)
async def test_no_form_is_posted_by_another_site(visitor: AsyncClient, ann: User, mailbox: Mailbox, path: str) -> None:
    """A cross-site post of each form is refused, also one with a session, and nothing is sent or changed."""
    await log_in(visitor)
    fields = {"email": "ann@example.org", "password": PASSWORD, "current": PASSWORD, "display_name": "x"}
    assert (await visitor.post(path, data=fields, headers=FAR)).status_code == 403
    assert (await visitor.post(path, json=fields, headers={**FAR, "accept": "*/*"})).status_code == 403
    assert (await visitor.get("/me")).status_code == 200
    assert mailbox == []


async def test_a_session_cannot_be_planted(visitor: AsyncClient, ann: User) -> None:
    """The session of before the login is not the one behind it: who knows the old cookie is nobody."""
    await visitor.get("/login", headers=HTML)
    async with session_of(visitor) as session:
        session["basket"] = ["bottle"]
        before = session.id
    planted = dict(visitor.cookies)
    await log_in(visitor)
    async with session_of(visitor) as session:
        assert session.id != before
        assert session["basket"] == ["bottle"]
    assert (await visitor.get("/me", headers={"cookie": _line(planted)})).status_code == 401


async def test_a_token_of_before_the_login_is_worth_nothing(visitor: AsyncClient, ann: User) -> None:
    """The secret of the forms is a new one after login and logout."""
    kept = []
    for step in (None, lambda: log_in(visitor), lambda: visitor.post("/logout")):
        if step is not None:
            await step()
        await visitor.get("/login" if len(kept) != 1 else "/password-change", headers=HTML)
        kept.append({name: value for name, value in visitor.cookies.items() if "csrf" in name})
    assert all(kept)
    assert kept[0] != kept[1] != kept[2]


async def test_another_user_gets_no_leftovers(visitor: AsyncClient, ann: User, mailbox: Mailbox) -> None:
    """Who logs in where somebody else was logged in gets nothing of their session."""
    await submit(visitor, "/signup", email="ben@example.org", password=NEW, display_name="Ben")
    await submit(visitor, path_of(mailbox))
    await log_in(visitor)
    async with session_of(visitor) as session:
        session["basket"] = ["Ann's bottle"]
    # The login page sends who is logged in away; a client of JSON may post.
    await visitor.post("/login", json={"email": "ben@example.org", "password": NEW})
    async with session_of(visitor) as session:
        assert "basket" not in session


async def test_an_old_cookie_ends_with_the_password(visitor: AsyncClient, ann: User) -> None:
    """A cookie that was copied before a change of the password is worth nothing after it."""
    await log_in(visitor)
    stolen = _line(dict(visitor.cookies))
    await submit(visitor, "/password-change", current=PASSWORD, password=NEW)
    assert (await visitor.get("/me")).status_code == 200
    assert (await AsyncClient(visitor.harness.app).get("/me", headers={"cookie": stolen})).status_code == 401


@pytest.mark.parametrize(
    "kept", [[1], [1, 2], "1", [1, "0" * 32, 0], [None, "", 0], [{"id": 1}, "x", 0], ["1 or 1=1", "", 0]]
)
async def test_forged_sessions(visitor: AsyncClient, ann: User, kept: object) -> None:
    """Whatever else stands where the user should be is nobody, and no error."""
    async with session_of(visitor) as session:
        session[KEY] = kept
    assert (await visitor.get("/maybe")).json() == {"email": None}
    cookies = {"cookie": "session=" + "A" * 200}
    assert (await visitor.get("/maybe", headers=cookies)).json() == {"email": None}


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "evil",
        "\\\\e",
        "/" * 3000,
    ],
)
async def test_no_login_leads_away(visitor: AsyncClient, ann: User, to: str) -> None:
    """`next` leads to a path of this site or is left out, in the page and behind the login."""
    page = await visitor.get("/login", params={"next": to}, headers=HTML)
    assert "evil" not in page.text
    answer = await visitor.post(
        "/login", data={"email": "ann@example.org", "password": PASSWORD, "next": to}, headers=HTML
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert (await visitor.get("/login", params={"next": to}, headers=HTML)).headers["location"] == "/"


async def test_markup_stays_text(visitor: AsyncClient, ann: User, mailbox: Mailbox) -> None:
    """Markup in every field comes back as text, in pages and in mails."""
    evil = '"><script>alert(1)</script>'
    for path in ("/login", "/signup", "/password-reset", "/verify"):
        answer = await submit(visitor, path, email=evil, password=evil, display_name=evil)
        assert answer.status_code == 422
        assert "<script>alert" not in answer.text
    page = await visitor.get("/login", params={"next": f"/{evil}"}, headers=HTML)
    assert "<script>alert" not in page.text
    assert mailbox == []


def _line(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def _bare(text: str, email: str) -> str:
    """A page without what differs anyway: tokens and the address itself."""
    return re.sub(r'value="[^"]*"', "", text).replace(email, "")


async def test_no_answer_tells_who_has_an_account(visitor: AsyncClient, ann: User, mailbox: Mailbox) -> None:
    """Login, reset, sign-up and the link again answer the same for an address that is known and one that is not."""
    for path, fields in (
        ("/login", {"password": "wrong password"}),
        ("/password-reset", {}),
        ("/verify", {}),
        ("/signup", {"password": NEW, "display_name": "Somebody"}),
    ):
        known = await submit(visitor, path, email="ann@example.org", **fields)
        unknown = await submit(visitor, path, email="zoe@example.org", **fields)
        assert known.status_code == unknown.status_code
        assert _bare(known.text, "ann@example.org") == _bare(unknown.text, "zoe@example.org")
        assert set(known.headers) == set(unknown.headers)
    assert [message.to for message in mailbox] == ["ann@example.org", "ann@example.org", "zoe@example.org"]
    assert mailbox[1].subject == "Your account at localhost"


async def test_a_sign_up_changes_no_account(
    visitor: AsyncClient, ann: User, mailbox: Mailbox, database: Database
) -> None:
    """Signing up with an address that is taken changes neither password nor name of who has it."""
    await submit(visitor, "/signup", email="ann@example.org", password=NEW, display_name="Mallory")
    after = await user_of(database)
    assert after is not None
    assert (after.display_name, after.password_hash) == ("Ann", ann.password_hash)
    assert (await log_in(visitor)).status_code == 303


async def test_no_time_tells_who_has_an_account(database: Database, ann: User) -> None:
    """With hashes of full cost login, reset and sign-up take the same CPU time for both, by the quickest of nine."""
    hashed = await PasswordHasher().hash(PASSWORD)
    async with database.unit():
        await User.where(id=ann.id).update(password_hash=hashed)
    throttle = Throttle(account="1000/minute", network="1000/minute", mails="1000/minute", signups="1000/minute")
    app = make_app(database, passwords=Passwords(), throttle=throttle)
    async with AsyncClient(app) as visitor, visitor.harness.open("mailbox"):
        for path, fields in (
            ("/login", {"password": "wrong"}),
            ("/password-reset", {}),
            ("/signup", {"password": NEW, "display_name": "S"}),
        ):
            times: dict[str, list[float]] = {"ann": [], "new": []}
            for number in range(9):
                for who, email in (("ann", "ann@example.org"), ("new", f"new{number}@example.org")):
                    begun = time.process_time()
                    await visitor.post(path, json={"email": email, **fields})
                    times[who].append(time.process_time() - begun)
            known, unknown = (min(found) for found in times.values())
            assert abs(known - unknown) < 0.35 * max(known, unknown) + 0.003, (path, known, unknown)


async def test_guessing_ends_after_five(visitor: AsyncClient, ann: User) -> None:
    """The sixth attempt in a quarter of an hour is refused, the right password too, for unknown accounts as well."""
    for email in ("ann@example.org", "zoe@example.org"):
        for _ in range(5):
            assert (await log_in(visitor, "wrong", email)).status_code == 422
        answer = await log_in(visitor, PASSWORD, email)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 60
        assert "Too many attempts" in answer.text
    refused = await visitor.post("/login", json={"email": "ann@example.org", "password": PASSWORD})
    assert refused.status_code == 429


async def test_guessing_at_once_ends_after_five(visitor: AsyncClient, ann: User) -> None:
    """Twenty guesses at the same time are no way around: five are looked at."""
    answers = await asyncio.gather(
        *(visitor.post("/login", json={"email": "ann@example.org", "password": f"guess {n}"}) for n in range(20))
    )
    assert [answer.status_code for answer in answers].count(401) == 5


async def test_guessing_at_many_ends_after_fifty(visitor: AsyncClient, ann: User) -> None:
    """One network that tries one password at many accounts is refused after fifty."""
    for number in range(50):
        answer = await visitor.post("/login", json={"email": f"u{number}@example.org", "password": "summer"})
        assert answer.status_code == 401
    assert (await visitor.post("/login", json={"email": "u99@example.org", "password": "summer"})).status_code == 429


async def test_a_login_begins_the_count_anew(visitor: AsyncClient, ann: User) -> None:
    """Who knows the password is not locked out by having used it often."""
    for _ in range(8):
        assert (await log_in(visitor)).status_code == 303
        await visitor.post("/logout")


async def test_nobody_is_flooded(visitor: AsyncClient, ann: User, mailbox: Mailbox) -> None:
    """An address gets three mails of a kind in a quarter of an hour; the page does not tell."""
    for _ in range(6):
        assert "If there is an account" in (await submit(visitor, "/password-reset", email="ann@example.org")).text
    assert len(mailbox) == 3


async def test_a_session_guesses_no_password(visitor: AsyncClient, ann: User) -> None:
    """Who has a session and no password tries five times."""
    await log_in(visitor)
    for _ in range(5):
        assert (await submit(visitor, "/password-change", current="x", password=NEW)).status_code == 422
    assert (await submit(visitor, "/password-change", current=PASSWORD, password=NEW)).status_code == 429


async def test_one_address_is_signed_up_once(visitor: AsyncClient, mailbox: Mailbox, database: Database) -> None:
    """Six sign-ups with one address at the same time, in two spellings, make one account and no error."""
    answers = await asyncio.gather(
        *(
            visitor.post("/signup", json={"email": email, "password": NEW, "display_name": "Ben"})
            for email in ("ben@example.org", "BEN@example.org") * 3
        )
    )
    assert {answer.status_code for answer in answers} == {202}
    async with database.unit():
        assert await User.where(email="ben@example.org").count() == 1


async def test_a_double_click_on_an_open_site(database: Database) -> None:
    """Two posts of one sign-up: one is in, the other an error beside the field."""
    app = make_app(database, signup="open")
    async with AsyncClient(app) as visitor, visitor.harness.open("mailbox"):
        fields = {"email": "ben@example.org", "password": NEW, "display_name": "Ben"}
        answers = await asyncio.gather(*(visitor.post("/signup", json=fields) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [200, 422, 422]


async def test_values_that_are_too_long(visitor: AsyncClient, ann: User) -> None:
    """Megabytes in a field are refused with words or a status, never with an error of ours."""
    long = "x" * 100_000
    for path in ("/login", "/signup", "/password-reset", "/verify"):
        answer = await visitor.post(path, json={"email": f"{long}@example.org"})
        assert answer.status_code in (401, 422)
    answer = await visitor.post("/login", json={"email": "ann@example.org", "password": long})
    assert answer.status_code == 401


async def test_an_inactive_user_gets_no_link(
    visitor: AsyncClient, ann: User, mailbox: Mailbox, database: Database
) -> None:
    """Who was deactivated neither logs in nor resets the password, and the pages say what they always say."""
    async with database.unit():
        await User.where(id=ann.id).update(is_active=False)
    assert "do not go together" in (await log_in(visitor)).text
    assert "If there is an account" in (await submit(visitor, "/password-reset", email="ann@example.org")).text
    assert mailbox == []


async def test_a_mail_leads_to_a_host_of_ours(app: App, visitor: AsyncClient, ann: User, mailbox: Mailbox) -> None:
    """A forged `Host` is refused, so that no mail holds a link to it."""
    answer = await visitor.post("/password-reset", json={"email": "ann@example.org"}, headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert mailbox == []


async def test_a_store_of_limits_that_fails(app: App, visitor: AsyncClient, ann: User) -> None:
    """Without its store the limit still holds: the process counts for itself."""

    class Broken:
        def hit(self, key: str, /, *, quota: int, window: float, cost: int = 1) -> object:
            raise ConnectionError

    app.rate_limits = Broken()  # type: ignore[assignment]
    for _ in range(5):
        assert (await visitor.post("/login", json={"email": "a@example.org", "password": "x"})).status_code == 401
    assert (await visitor.post("/login", json={"email": "a@example.org", "password": "x"})).status_code == 429


async def test_a_token_from_before_the_login(visitor: AsyncClient, ann: User) -> None:
    """A token of a form that was known before somebody logged in is worth nothing afterwards."""
    page = await visitor.get("/login", headers=HTML)
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0]
    old_browser = {"sec-fetch-site": "", **HTML}
    fields = {"email": "ann@example.org", "password": PASSWORD, "csrf_token": token}
    assert (await visitor.post("/login", data=fields, headers=old_browser)).status_code == 303
    assert (await visitor.post("/logout", data={"csrf_token": token}, headers=old_browser)).status_code == 403
    assert (await visitor.get("/me")).status_code == 200


@pytest.mark.parametrize("signup", ["verify", "open"])
async def test_a_prepared_account_is_not_followed_into(database: Database, signup: str) -> None:
    """Who confirms an address that a stranger signed up with chooses the password; the stranger's is worth nothing."""
    app = make_app(database, signup=signup)
    stranger, owner = AsyncClient(app), AsyncClient(app)
    async with stranger, stranger.harness.open("mailbox") as mailbox:
        await submit(stranger, "/signup", email="ben@example.org", password=PASSWORD, display_name="Ben")
        link = path_of(mailbox)
        # The owner signs up too, which changes nothing of the account and does not count as knowing its password.
        await submit(owner, "/signup", email="ben@example.org", password=NEW, display_name="Ben")
        page = await owner.get(link, headers=HTML)
        assert 'name="password"' in page.text
        assert (await owner.post(link)).status_code == 422
        assert (await submit(owner, link, password="short")).status_code == 422
        assert (await user_of(database, "ben@example.org")).email_verified_at is None  # type: ignore[union-attr]
        assert (await submit(owner, link, password=NEW)).headers["location"] == "/login"
        assert (await stranger.get("/me")).status_code == 401
        assert (await log_in(stranger, PASSWORD, "ben@example.org")).status_code == 422
        assert (await owner.get(link, headers=HTML)).status_code == 404
        assert (await log_in(owner, NEW, "ben@example.org")).status_code == 303
        assert (await owner.get("/me")).json() == {"email": "ben@example.org"}
    await owner.aclose()


async def test_a_link_of_a_stranger_asks_who_never_chose(visitor: AsyncClient, mailbox: Mailbox, app: App) -> None:
    """Only the browser that chose the password confirms by a button; one that gave another password does not."""
    await submit(visitor, "/signup", email="ben@example.org", password=NEW, display_name="Ben")
    link = path_of(mailbox)
    assert 'name="password"' not in (await visitor.get(link, headers=HTML)).text
    other = AsyncClient(app)
    assert "do not go together" in (await log_in(other, "a guess", "ben@example.org")).text
    assert 'name="password"' in (await other.get(link, headers=HTML)).text
    assert (await log_in(other, NEW, "ben@example.org")).status_code == 422  # right, and not confirmed yet
    assert 'name="password"' not in (await other.get(path_of(mailbox), headers=HTML)).text
    await other.aclose()
