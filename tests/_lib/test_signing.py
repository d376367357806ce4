"""Signed values: readable, unchangeable, dated, and good for one purpose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import TimestampSigner

from demijohn._lib import signing
from demijohn._lib.keys import KeyRing
from demijohn._lib.signing import BadSignature, ExpiredSignature, Signer

SECRET = "a7c1f09e5b2d48836e4f0c9b1d75a2e8"
OTHER = "0f8d3b6e21c94a57bb60d1e2f3a48c95"
RING = KeyRing(SECRET)


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    """What was signed is returned unchanged, for any text that UTF-8 can hold."""
    signer = Signer(RING, "x")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return
    assert signer.unsign(signer.sign(text), max_age=60) == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)


@given(json_values)
def test_any_json_value_comes_back(value: object) -> None:
    """`loads` gives what `dumps` took, and the text needs no escaping in a URL or a cookie."""
    signer = Signer(RING, "x")
    text = signer.dumps(value)
    assert signer.loads(text) == value
    assert all(letter.isalnum() or letter in "-_." for letter in text)


@given(st.text())
def test_nothing_made_up_is_accepted(text: str) -> None:
    """Random text is refused by both readers, with one kind of error."""
    signer = Signer(RING, "x")
    with pytest.raises(BadSignature):
        signer.unsign(text)
    with pytest.raises(BadSignature):
        signer.loads(text)


@given(st.data(), st.integers(1, 255))
def test_every_changed_character_is_noticed(data: st.DataObject, change: int) -> None:
    """A single changed character anywhere makes the value worthless."""
    signer = Signer(RING, "x")
    signed = signer.sign("value")
    place = data.draw(st.integers(0, len(signed) - 1))
    forged = signed[:place] + chr(ord(signed[place]) ^ change) + signed[place + 1 :]
    with pytest.raises(BadSignature):
        signer.unsign(forged)


def test_a_signature_has_one_spelling() -> None:
    """Characters that base64 reads alike or passes over are not: one value, one text."""
    signer = Signer(RING, "x")
    signed = next(each for n in range(1000) if "-" in (each := signer.sign(str(n))).rpartition(".")[2])
    head, _, signature = signed.rpartition(".")
    for other in (signature.replace("-", "+"), signature + "=", signature + "\n", signature[:5] + "%" + signature[5:]):
        with pytest.raises(BadSignature):
            signer.unsign(f"{head}.{other}")


def test_a_value_is_good_for_its_purpose_alone() -> None:
    """A link signed to unsubscribe does not reset a password, and text is not accepted as JSON."""
    signed = Signer(RING, "unsubscribe").sign("ann")
    with pytest.raises(BadSignature):
        Signer(RING, "reset").unsign(signed)
    with pytest.raises(BadSignature):
        Signer(RING, "unsubscribe").loads(signed)


def test_rotation() -> None:
    """A ring with a new secret in front still reads what the old one signed; one without it does not."""
    signed = Signer(RING, "x").sign("ann")
    dumped = Signer(RING, "x").dumps([1])
    rotated = Signer(KeyRing([OTHER, SECRET]), "x")
    assert rotated.unsign(signed) == "ann"
    assert rotated.loads(dumped) == [1]
    assert Signer(KeyRing(OTHER), "x").unsign(rotated.sign("bob")) == "bob"
    with pytest.raises(BadSignature):
        Signer(KeyRing(OTHER), "x").unsign(signed)


def test_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value is accepted up to its age, refused after it, and refused when dated in the future."""
    signer = Signer(RING, "x")
    made = 1_800_000_000
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: made)
    signed, dumped = signer.sign("ann"), signer.dumps(1)
    monkeypatch.setattr(signing.time, "time", lambda: made + 10.0)
    assert signer.unsign(signed, max_age=10) == "ann"
    with pytest.raises(ExpiredSignature, match="10 seconds"):
        signer.unsign(signed, max_age=9)
    with pytest.raises(ExpiredSignature):
        signer.loads(dumped, max_age=9)
    assert signer.unsign(signed) == "ann"
    monkeypatch.setattr(signing.time, "time", lambda: made - 30.0)
    assert signer.unsign(signed, max_age=9) == "ann"
    monkeypatch.setattr(signing.time, "time", lambda: made - 61.0)
    with pytest.raises(BadSignature, match="future"):
        signer.unsign(signed)


def test_sha256_is_used() -> None:
    """The signature has the 43 characters of SHA-256 in base64, not the 27 of SHA-1."""
    assert len(Signer(RING, "x").sign("a").rpartition(".")[2]) == 43


def test_a_signer_prints_its_purpose_alone() -> None:
    """`repr` shows what it is for and no key."""
    assert repr(Signer(RING, "x")) == "Signer('x')"
