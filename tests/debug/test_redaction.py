"""Secrets are not shown, whatever they are wrapped in; everything else is."""

import os
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn import Secret
from demijohn.debug import is_secret, redact, shown


@pytest.mark.parametrize(
    "name",
    [
        "password", "db_password", "PASSWORD", "passwd", "pwd", "secret", "SECRET_KEY", "client_secret", "token",
        "csrf_token", "accessToken", "key", "api_key", "apikey", "privateKey", "keys", "auth", "Authorization",
        "X-Auth-Token", "cookie", "Set-Cookie", "session", "session_id", "dsn", "SENTRY_DSN", "credentials",
    ],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    """These names are those of secrets, as text and as bytes."""
    assert is_secret(name)
    assert is_secret(name.encode())


@pytest.mark.parametrize("name", ["author", "authors", "author_id", "monkey", "keyboard", "name", "user", "x", ""])
def test_names_of_others(name: str) -> None:
    """These are not."""
    assert not is_secret(name)


class Login(msgspec.Struct):
    """A struct with a secret."""

    user: str
    password: str


@dataclass
class Connection:
    """A dataclass with a secret."""

    host: str
    api_key: str


HIDING: list[Any] = [
    {"password": "hunter2"},
    {"a": [{"b": {"token": "hunter2"}}]},
    Login("ann", "hunter2"),
    [Connection("db", "hunter2")],
    [(b"authorization", b"hunter2"), (b"host", b"x")],
    ("cookie", "hunter2"),
    Secret("hunter2"),
    {"x": Secret("hunter2")},
    "postgresql://ann:hunter2@db/shop",
    "redis://:hunter2@cache",
    "Authorization: hunter2",
    "password='hunter2'",
    "Bearer hunter2hunter2",
    type("Thing", (), {"__repr__": lambda self: "Thing(secret='hunter2')"})(),
]


@pytest.mark.parametrize("value", HIDING, ids=lambda value: type(value).__name__)
def test_values_hide_secrets(value: object) -> None:
    """A secret inside of a mapping, a struct, a dataclass, a header line, a URL or a repr is not shown."""
    assert "hunter2" not in shown(value)


def test_environment_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is never shown, whatever its names."""
    monkeypatch.setenv("HARMLESS", "hunter2")
    assert "hunter2" not in shown(os.environ)
    assert "hunter2" not in shown({"environ": os.environ})


def test_others_are_shown() -> None:
    """What is no secret is shown as Python writes it."""
    assert shown({"user": "ann", "n": [1, 2.5, None]}) == "{'user': 'ann', 'n': [1, 2.5, None]}"
    assert shown(Login("ann", "x")) == "Login(user='ann', password=••••••)"
    assert redact("https://example.org/a@b?c=d") == "https://example.org/a@b?c=d"


@given(st.recursive(st.text() | st.integers() | st.binary() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=60))  # fmt: skip
def test_text_is_bounded(value: object) -> None:
    """Any value gives a text that ends."""
    assert len(shown(value, limit=50)) < 600


@given(st.text(min_size=8, max_size=30, alphabet=st.characters(categories=["L", "N"])), st.sampled_from(["password", "token", "X-Api-Key"]))  # fmt: skip
def test_no_value_under_a_secret_name_is_shown(value: str, name: str) -> None:
    """Whatever a secret is, nothing of it is in the text."""
    assert value not in shown({name: value, "other": {name: [value, {"x": value}]}})
