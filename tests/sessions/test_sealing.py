"""The box: nobody reads, nobody changes, and only for its purpose."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn._lib.keys import KeyRing
from demijohn.sessions import sealing
from demijohn.sessions.sealing import Box

from .conftest import OTHER_SECRET, SECRET

DAY = 86_400


def box(*secrets: str, purpose: str = "session") -> Box:
    """A box under these secrets, the newest first."""
    return Box(lambda: KeyRing(secrets or (SECRET,)), purpose)


@given(st.binary(max_size=5000))
def test_what_is_sealed_is_opened(payload: bytes) -> None:
    """Any payload comes back, and its text is safe in a cookie and a URL."""
    sealed = box().seal(payload)
    assert box().open(sealed, max_age=60) == payload
    assert box().open(sealed.encode(), max_age=60) == payload
    assert set(sealed) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_nothing_can_be_read_from_it() -> None:
    """No part of the payload stands in the sealed value, in any of the ways bytes are written as text."""
    payload = b"user=ann@example.com;role=admin;" * 4
    sealed = box().seal(payload)
    raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    for piece in (b"ann", b"example", b"admin", b"user"):
        assert piece not in raw
        assert piece not in sealed.encode()
    assert len({box().seal(payload) for _ in range(50)}) == 50


@given(st.binary(min_size=1, max_size=200), st.data())
def test_no_change_goes_unseen(payload: bytes, data: st.DataObject) -> None:
    """Every changed bit, every cut and every addition makes it nothing."""
    sealed = box().seal(payload)
    raw = bytearray(base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4)))
    position = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[position // 8] ^= 1 << position % 8
    changed = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert box().open(changed, max_age=10 * 365 * DAY) is None
    cut = data.draw(st.integers(0, len(sealed) - 1))
    assert box().open(sealed[:cut], max_age=60) is None
    assert box().open(sealed + "AAAA", max_age=60) is None


@given(st.one_of(st.text(max_size=300), st.binary(max_size=300)))
def test_rubbish_is_nothing(rubbish: str | bytes) -> None:
    """Whatever a client sends, opening it never fails."""
    assert box().open(rubbish, max_age=60) is None


def test_purposes_and_secrets_do_not_mix() -> None:
    """A value made for one purpose or under another secret is nothing here."""
    sealed = box().seal(b"x")
    assert box(purpose="other").open(sealed, max_age=60) is None
    assert box(OTHER_SECRET).open(sealed, max_age=60) is None


def test_rotation() -> None:
    """The newest secret seals, all open; when the old one is gone, what it made is nothing."""
    old = box(SECRET).seal(b"x")
    both = box(OTHER_SECRET, SECRET)
    assert both.open(old, max_age=60) == b"x"
    assert box(SECRET).open(both.seal(b"y"), max_age=60) is None
    assert box(OTHER_SECRET).open(both.seal(b"y"), max_age=60) == b"y"
    assert box(OTHER_SECRET).open(old, max_age=60) is None


def test_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each day has its own key; values open up to their age, not beyond, and not from the future."""
    start = 1_800_000_000
    monkeypatch.setattr(sealing.time, "time", lambda: start)
    one = box()
    sealed = one.seal(b"x")
    for days, found in ((0, b"x"), (1, b"x"), (14, b"x"), (17, None), (400, None), (-1, b"x"), (-3, None)):
        monkeypatch.setattr(sealing.time, "time", lambda days=days: start + days * DAY)
        assert one.open(sealed, max_age=14 * DAY) == found, days
    monkeypatch.setattr(sealing.time, "time", lambda: start + 65_536 * DAY)
    assert one.open(sealed, max_age=14 * DAY) is None


def test_day_cannot_be_forged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing today's date on an old value does not make it young."""
    start = 1_800_000_000
    monkeypatch.setattr(sealing.time, "time", lambda: start)
    raw = bytearray(base64.urlsafe_b64decode(box().seal(b"x" * 30) + "=="))
    monkeypatch.setattr(sealing.time, "time", lambda: start + 100 * DAY)
    today = (start + 100 * DAY) // DAY
    raw[1:3] = bytes((today >> 8 & 0xFF, today & 0xFF))
    assert box().open(base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), max_age=14 * DAY) is None


def test_nonces_differ_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every value has a nonce of its own, and forged dates do not fill the memory with keys."""
    one = box()
    asked: list[int] = []
    monkeypatch.setattr(sealing, "urandom", lambda size: (asked.append(size), os.urandom(size))[1])
    for _ in range(10):
        one.seal(b"x")
    assert asked == [12] * 10
    sealed = bytearray(base64.urlsafe_b64decode(one.seal(b"x" * 30) + "=="))
    for forged in range(3000):
        sealed[1:3] = forged.to_bytes(2, "big")
        one.open(base64.urlsafe_b64encode(sealed).rstrip(b"="), max_age=200 * 365 * DAY)
    assert len(one._days) <= 512


def test_it_shows_no_secret() -> None:
    """The representation has the purpose alone."""
    assert repr(box()) == "Box('session')"
