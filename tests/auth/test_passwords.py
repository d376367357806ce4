"""Passwords: what their hashes are, whose hashes verify, and what a new one has to be."""

import asyncio
import base64
import hashlib
import time

import pytest
from django.conf import settings
from django.contrib.auth import hashers
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.security import generate_password_hash

from demijohn.auth import PasswordHasher, PasswordRules
from demijohn.auth.hashing import LONGEST
from tests.auth.site import WEAK

SECRET = "a bottle in the cellar"


def of_django(kind: str) -> str:
    """A hash as Django writes it."""
    if not settings.configured:
        settings.configure()
    with_kind = {
        "pbkdf2_sha256": hashers.PBKDF2PasswordHasher,
        "pbkdf2_sha1": hashers.PBKDF2SHA1PasswordHasher,
        "argon2": hashers.Argon2PasswordHasher,
        "scrypt": hashers.ScryptPasswordHasher,
    }
    return str(with_kind[kind]().encode(SECRET, "saltsaltsaltsalt"))


async def test_our_hash() -> None:
    """It is argon2id at what OWASP names as the least, with a salt of its own each time."""
    hasher = PasswordHasher()
    first, second = await hasher.hash(SECRET), await hasher.hash(SECRET)
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second
    assert await hasher.verify(SECRET, first) == (True, None)
    assert await hasher.verify(SECRET + "x", first) == (False, None)


@pytest.mark.parametrize("kind", ["pbkdf2_sha256", "pbkdf2_sha1", "argon2", "scrypt"])
async def test_hashes_of_django(kind: str) -> None:
    """They verify, and are replaced by ours; a wrong password changes nothing."""
    hashed = of_django(kind)
    assert await WEAK.verify(SECRET + "x", hashed) == (False, None)
    good, better = await WEAK.verify(SECRET, hashed)
    assert good
    assert better is not None
    assert better.startswith("$argon2id$")
    assert await WEAK.verify(SECRET, better) == (True, None)


@pytest.mark.parametrize("kind", ["bcrypt", "bcrypt_sha256"])
async def test_hashes_of_django_by_bcrypt(kind: str) -> None:
    """They verify where the extra is installed."""
    bcrypt = pytest.importorskip("bcrypt")
    secret = SECRET.encode()
    if kind == "bcrypt_sha256":
        secret = hashlib.sha256(secret).hexdigest().encode()
    hashed = f"{kind}${bcrypt.hashpw(secret, bcrypt.gensalt(4)).decode()}"
    good, better = await WEAK.verify(SECRET, hashed)
    assert good
    assert better is not None
    assert await WEAK.verify("other", hashed) == (False, None)


@pytest.mark.parametrize("method", ["scrypt", "scrypt:16384:8:1", "pbkdf2", "pbkdf2:sha512:1000", "pbkdf2:sha1:1000"])
async def test_hashes_of_werkzeug(method: str) -> None:
    """They verify, and are replaced by ours."""
    hashed = generate_password_hash(SECRET, method)
    good, better = await WEAK.verify(SECRET, hashed)
    assert good
    assert better is not None
    assert await WEAK.verify("other", hashed) == (False, None)


async def test_older_costs_are_replaced() -> None:
    """A hash of ours with other costs verifies and is made anew."""
    hashed = await PasswordHasher(time_cost=1, memory_cost=128).hash(SECRET)
    good, better = await WEAK.verify(SECRET, hashed)
    assert good
    assert better is not None
    assert "m=64,t=1" in better


@pytest.mark.parametrize(
    "hashed",
    [
        "",
        "!",
        "!unusable",
        "plain",
        SECRET,
        "$argon2id$",
        "$argon2id$v=19$m=19456,t=2,p=1$x$y",
        "pbkdf2_sha256$",
        "pbkdf2_sha256$x$salt$aGFzaA==",
        "pbkdf2_sha256$99999999999$salt$aGFzaA==",
        "pbkdf2:sha256:99999999999$salt$00",
        "pbkdf2:nothing:1000$salt$00",
        "scrypt$1073741824$salt$8$1$aGFzaA==",
        "scrypt:1073741824:8:1$salt$00",
        "scrypt:3:8:1$salt$00",
        "argon2$",
        "argon2$argon2id$v=19$m=1,t=1,p=1$x$y",
    ],
)
async def test_what_is_no_hash(hashed: str) -> None:
    """A hash that is none, was cut, or asks for more work than anybody's, is no password's, and breaks nothing."""
    assert await WEAK.verify(SECRET, hashed) == (False, None)
    assert await WEAK.verify("", hashed) == (False, None)


async def test_nothing_is_cut() -> None:
    """Two passwords of a thousand signs that differ in the last are two; one that is too long, or no text, is wrong."""
    hashed = await WEAK.hash("x" * LONGEST)
    assert await WEAK.verify("x" * LONGEST, hashed) == (True, None)
    assert await WEAK.verify("x" * (LONGEST - 1) + "y", hashed) == (False, None)
    assert await WEAK.verify("x" * (LONGEST + 1), hashed) == (False, None)
    assert await WEAK.verify("\ud800", hashed) == (False, None)
    assert await WEAK.verify("a\x00b", await WEAK.hash("a\x00c")) == (False, None)


async def test_the_loop_goes_on() -> None:
    """Eight hashes at once keep the loop from turning for no long time."""
    hasher = PasswordHasher()
    late: list[float] = []

    async def tick() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - begun)

    ticking = asyncio.create_task(tick())
    await asyncio.gather(*(hasher.hash(SECRET) for _ in range(8)))
    ticking.cancel()
    assert len(late) > 10


async def test_nobody_costs_as_much_as_somebody() -> None:
    """An empty hash, and one of other costs, take the CPU time of a wrong password."""
    hasher = PasswordHasher(threads=1)
    times: dict[str, list[float]] = {await hasher.hash(SECRET): [], await WEAK.hash(SECRET): [], "": [], "!x": []}
    await hasher.verify("wrong password", "")
    for _ in range(9):
        for hashed, taken in times.items():
            begun = time.thread_time()
            hasher._verify("wrong password", hashed)
            taken.append(time.thread_time() - begun)
    quickest = [min(taken) for taken in times.values()]
    assert max(quickest) < 1.4 * min(quickest)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "at least 12"),
        ("password", "tried first"),
        ("Password2024!", "tried first"),
        ("aaaaaaaaaaaaaaaa", "tried first"),
        ("abcabcabcabcabc", "tried first"),
        ("qwertyqwerty", "tried first"),
        ("1q2w3e4r5t6y", "tried first"),
        ("ann.bottle@example.org", "too much like"),
        ("annbottle2024", "too much like"),
        ("x" * 2000, "at most 1024"),
        ("\ud800" * 20, "cannot be written"),
    ],
)
def test_rules(password: str, reason: str) -> None:
    """What is short, common, made of one thing, or like the address or the name is refused, in words."""
    found = PasswordRules().problems(password, ["ann.bottle@example.org", "Ann Bottle"])
    assert any(reason in text for text in found), found


@pytest.mark.parametrize(
    "password", ["a bottle in the cellar", "hunter2hunter", "Tr0ub4dor&3xyz", "日本語のパスワードはこれです"]
)
def test_good_passwords(password: str) -> None:
    """Words in a row, other scripts and signs of one kind are good."""
    assert PasswordRules().problems(password, ["ann@example.org", "Ann"]) == []


@given(st.text(max_size=1200), st.lists(st.text(max_size=300), max_size=3))
def test_rules_judge_whatever_comes(password: str, about: list[str]) -> None:
    """No text breaks the rules, and what they refuse they refuse in words."""
    assert all(PasswordRules().problems(password, about)) or PasswordRules().problems(password, about) == []


def test_base64_of_django_is_as_we_read_it() -> None:
    """The digest that we compare is the last part of Django's hash."""
    digest = of_django("pbkdf2_sha256").rpartition("$")[2]
    assert len(base64.b64decode(digest)) == 32
