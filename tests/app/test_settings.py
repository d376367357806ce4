"""Settings: typed, from several places, all mistakes at once, and secrets that stay secret."""

import json
import logging
import pickle
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn import App, Secret, Settings
from demijohn.app.sources import read_env_file
from demijohn.errors import ConfigurationError
from demijohn.schema import to_json
from demijohn.testing import TestClient


class Database(msgspec.Struct, frozen=True):
    url: str = "sqlite:///shop.db"
    pool: int = 5


class Shop(Settings):
    currency: str = "EUR"
    api_key: Secret
    countries: list[str] = []
    limit: int | None = None
    database: Database = Database()


def load(environment: dict[str, str], **more: object) -> Shop:
    return Shop.load({"API_KEY": "k-1", **environment}, files=(), secrets="/nowhere", **more)


def test_types_are_read_from_text() -> None:
    """Numbers, switches, lists, nested groups and secrets are what their annotations say."""
    shop = load(
        {
            "DEMIJOHN_DEBUG": "yes",
            "DEMIJOHN_THREADS": "8",
            "COUNTRIES": "de, ch ,at",
            "LIMIT": "3",
            "DATABASE__POOL": "9",
            "ALLOWED_HOSTS": "example.com,.example.org",
        }
    )
    assert shop.debug is True
    assert (shop.threads, shop.countries, shop.limit) == (8, ["de", "ch", "at"], 3)
    assert shop.database == Database(pool=9)
    assert shop.allowed_hosts == ("example.com", ".example.org")
    assert shop.api_key.reveal() == "k-1"


def test_every_mistake_is_told_at_once() -> None:
    """Unknown, missing and ill-typed settings come together, with what may be meant, and without values."""
    with pytest.raises(ConfigurationError) as caught:
        Shop.load({"DEMIJOHN_THREDS": "8", "LIMIT": "hunter2", "DATABASE__POOL": "x"}, files=(), secrets="/nowhere")
    text = str(caught.value)
    assert "DEMIJOHN_THREDS (the environment) is not known. Did you mean 'THREADS'" in text
    assert "LIMIT: " in text
    assert "DATABASE__POOL: " in text
    assert "API_KEY is missing." in text
    assert "hunter2" not in text
    assert caught.value.code == "DJN-760"


def test_names_of_others_are_left_alone() -> None:
    """`DEBUG` in the environment belongs to somebody else; only the prefix makes it ours."""
    assert load({"DEBUG": "everything", "THREADS": "many"}).debug is False


def test_the_strongest_place_wins(tmp_path: Path) -> None:
    """The program, the environment, secret files, `.env`, TOML: in this order."""
    (tmp_path / "settings.toml").write_text('currency = "TOML"\nlimit = 1\ncountries = ["a"]\n[database]\nurl = "toml"')
    (tmp_path / ".env").write_text('CURRENCY=ENVFILE\nLIMIT=2\nAPI_KEY="from the file"\nUNRELATED=1\n')
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "api_key").write_text("from the secrets\n")
    shop = Shop.load(
        {"CURRENCY": "ENVIRONMENT"}, files=(tmp_path / ".env", tmp_path / "settings.toml"), secrets=secrets, limit=9
    )
    assert (shop.currency, shop.limit, shop.countries, shop.database.url) == ("ENVIRONMENT", 9, ["a"], "toml")
    assert shop.api_key.reveal() == "from the secrets"
    origins = {origin.name: (origin.shown, origin.source) for origin in shop.origins()}
    assert origins["CURRENCY"] == ("'ENVIRONMENT'", "the environment")
    assert origins["API_KEY"] == ("***", "the secret files in secrets")
    assert origins["DATABASE__URL"] == ("'toml'", "settings.toml")
    assert origins["DEMIJOHN_THREADS"] == ("32", "default")
    (tmp_path / "settings.toml").write_text('curency = "x"')
    with pytest.raises(ConfigurationError, match=r"CURENCY \(settings.toml\) is not known. Did you mean 'CURRENCY'"):
        Shop.load({"API_KEY": "x"}, files=(tmp_path / "settings.toml",), secrets="/nowhere")


def test_a_variable_may_name_a_file(tmp_path: Path) -> None:
    """`API_KEY_FILE` names the file that holds the value, as containers do it."""
    (tmp_path / "key").write_text("in a file\n")
    shop = Shop.load({"API_KEY_FILE": str(tmp_path / "key")}, files=(), secrets="/nowhere")
    assert shop.api_key.reveal() == "in a file"


def test_secrets_never_show(caplog: pytest.LogCaptureFixture) -> None:
    """Printing, formatting, logging, JSON and pickling give nothing away."""
    shop = load({"API_KEY": "hunter2"})
    logging.getLogger("test").warning("%s %r %s", shop.api_key, shop, f"{shop.api_key:>5}" if False else shop.api_key)
    texts = [str(shop.api_key), repr(shop), f"{shop.api_key}", to_json({"key": shop.api_key}).decode(), caplog.text]
    assert not any("hunter2" in text for text in texts)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(shop.api_key)


def test_settings_are_frozen_and_tests_may_replace_them() -> None:
    """Nothing changes a setting; `override_settings` puts others in place for a block."""
    app = App(settings=load({}))
    with pytest.raises(AttributeError):
        app.settings.debug = True  # type: ignore[misc]
    with app.override_settings(currency="USD", threads=3):
        assert app.settings.threads == 3
    assert app.settings.threads == 32


def test_a_handler_asks_for_the_settings_by_their_type() -> None:
    """The settings of the app come by their class and by what it extends, those of `override_settings` within it."""
    app = App(settings=load({}))

    @app.get("/")
    def home(shop: Shop, settings: Settings) -> dict[str, object]:
        return {"currency": shop.currency, "threads": settings.threads}

    class Till:
        def __init__(self, shop: Shop) -> None:
            self.currency = shop.currency

    app.provide(Till, scope="app")

    @app.get("/till")
    def till(till: Till) -> str:
        return till.currency

    with TestClient(app) as client:
        assert client.get("/").json() == {"currency": "EUR", "threads": 32}
        assert client.get("/till").text == "EUR"
        with app.override_settings(currency="USD", threads=3):
            assert client.get("/").json() == {"currency": "USD", "threads": 3}
        assert client.get("/").json()["currency"] == "EUR"


def test_settings_of_another_class_are_no_body() -> None:
    """A handler that asks for settings that the app does not have is told where they come from, on every method."""
    app = App(settings=load({}))

    class Other(Settings):
        colour: str = "red"

    @app.post("/")
    def home(other: Other) -> str:
        return other.colour

    with pytest.raises(ConfigurationError, match=r"asks for settings(.|\n)*App\(settings=Other.load\(\)\)"):
        app.freeze()


def test_debug_never_starts_in_production() -> None:
    """`demijohn serve` says production, and then DEMIJOHN_DEBUG stops the start."""
    with pytest.raises(ConfigurationError) as caught:
        load({"DEMIJOHN_ENV": "production", "DEMIJOHN_DEBUG": "1"})
    assert caught.value.code == "DJN-763"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("export A = two words # comment", "two words"),
        ("A='it\\n is # as it is'", "it\\n is # as it is"),
        ('A="line\\nbreak \\"quoted\\""', 'line\nbreak "quoted"'),
        ('A="over\nlines" # end', "over\nlines"),
        ("A=", ""),
        ("A=x#y", "x#y"),
    ],
)
def test_env_files(tmp_path: Path, line: str, value: str) -> None:
    """Quotes, comments, `export` and values over several lines are read as people write them."""
    file = tmp_path / ".env"
    file.write_text(f"# a comment\n\n{line}\n")
    assert read_env_file(file) == {"A": value}


@pytest.mark.parametrize("line", ["no equals", "A='open", 'A="x" y', "1A=x"])
def test_env_files_that_cannot_be_read(tmp_path: Path, line: str) -> None:
    """The line is named by its number and not shown: it may hold a secret."""
    file = tmp_path / ".env"
    file.write_text(f"B=1\n{line}\n")
    with pytest.raises(ConfigurationError, match=r"Line 2 of \.env") as caught:
        read_env_file(file)
    assert line not in str(caught.value)


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=50))
def test_any_value_can_be_quoted(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    """Whatever a value holds, JSON-like double quotes bring it back."""
    file = tmp_path_factory.getbasetemp() / "any.env"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    # splitlines breaks at more than line feeds; those stand for themselves within quotes only as line feeds
    if len(value.splitlines()) > 1:
        return
    file.write_text(f'A="{escaped}"\n', encoding="utf-8")
    assert read_env_file(file) == {"A": value}
    assert json.loads(to_json(value)) == value
