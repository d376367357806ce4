"""Keys derived from the secret of an app: one per purpose, rotated, never printed."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn._lib.keys import KeyRing, WeakSecret, hkdf

SECRET = "a7c1f09e5b2d48836e4f0c9b1d75a2e8"
OTHER = "0f8d3b6e21c94a57bb60d1e2f3a48c95"


def test_hkdf_gives_the_vectors_of_the_rfc() -> None:
    """RFC 5869, appendix A.1 and A.2: the derived bytes are those of the specification."""
    first = hkdf(
        bytes.fromhex("0b" * 22),
        bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"),
        length=42,
        salt=bytes.fromhex("000102030405060708090a0b0c"),
    )
    assert first.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    second = hkdf(bytes(range(0x50)), bytes(range(0xB0, 0x100)), length=82, salt=bytes(range(0x60, 0xB0)))
    assert second.hex().startswith("b11e398dc80327a1c8e7f78c596a4934")
    assert second.hex().endswith("cc30c58179ec3e87c14c01d5c1f3434f1d87")


@pytest.mark.parametrize("length", [0, -1, 8161])
def test_hkdf_refuses_lengths_it_cannot_give(length: int) -> None:
    """A length outside of 1 to 8,160 is an error, not a short key."""
    with pytest.raises(ValueError, match="8160"):
        hkdf(b"secret", b"info", length=length)


def test_each_purpose_has_its_own_key() -> None:
    """Two purposes never share a key, and the same purpose always has the same."""
    ring = KeyRing(SECRET)
    assert ring.key("csrf") != ring.key("session")
    assert ring.key("csrf") == KeyRing(SECRET.encode()).key("csrf")
    assert len(ring.key("csrf", length=64)) == 64


def test_rotation_signs_with_the_first_and_verifies_with_all() -> None:
    """What the old secret signed is still accepted; what the new one signs is not accepted by the old ring."""
    old, new = KeyRing(SECRET), KeyRing([OTHER, SECRET])
    assert new.verify("x", b"m", old.sign("x", b"m"))
    assert not old.verify("x", b"m", new.sign("x", b"m"))
    assert not KeyRing(OTHER).verify("x", b"m", old.sign("x", b"m"))


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_only_the_signature_of_the_message_verifies(message: bytes, other: bytes) -> None:
    """A signature holds for its own message and purpose, and for no other."""
    ring = KeyRing(SECRET)
    signature = ring.sign("a", message)
    assert ring.verify("a", message, signature)
    assert not ring.verify("b", message, signature)
    assert ring.verify("a", other, signature) is (other == message)
    assert not ring.verify("a", message, other)


@pytest.mark.parametrize(
    ("secrets", "reason"),
    [("", "0 bytes"), ("short", "5 bytes"), ("x" * 31, "31 bytes"), ("a" * 64, "repeats 1"), ([], "No secret")],
)
def test_a_weak_secret_is_refused_and_not_shown(secrets: str | list[str], reason: str) -> None:
    """Short, regular and missing secrets are refused, and the message does not hold them."""
    with pytest.raises(WeakSecret, match=reason) as caught:
        KeyRing(secrets)
    if isinstance(secrets, str) and secrets:
        assert secrets not in str(caught.value)


def test_a_weak_secret_further_down_names_its_place() -> None:
    """The message says which of the rotation list is weak."""
    with pytest.raises(WeakSecret, match="place 2"):
        KeyRing([SECRET, "old"])


def test_secrets_never_print_or_pickle() -> None:
    """`repr` hides the secrets, and a ring cannot be pickled into a cache or another process."""
    ring = KeyRing([SECRET, OTHER])
    assert SECRET not in repr(ring)
    assert "2 secrets" in repr(ring)
    assert len(ring) == 2
    assert ring.fingerprint() not in SECRET
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(ring)
