"""Catalogs: whose words win, how plurals are chosen, when files are read again, and what is wrong with them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from demijohn import App, Blueprint
from demijohn.errors import ConfigurationError
from demijohn.i18n import Translations, gettext, ngettext, pgettext
from demijohn.i18n.catalogs import compile_po
from demijohn.i18n.checking import placeholders_of
from demijohn.testing import TestClient

from .conftest import write_catalog

Make = Callable[..., tuple[App, Translations]]


class Shop:
    """A battery with texts of its own."""

    name = "shop"
    requires = ()

    def __init__(self, folder: Path) -> None:
        self.translations = folder

    def install(self, app: App) -> None:
        """Add nothing."""


def test_the_app_overrides_its_parts(tmp_path: Path) -> None:
    """A text is looked for in the app, then in its blueprints, its batteries and the framework."""
    app = App()
    blog = Blueprint("blog")
    app.root_path, blog.root_path = tmp_path, tmp_path / "blog"
    write_catalog(tmp_path / "translations", "de", {"A": "app A", "This field is required.": "Pflicht!"})
    write_catalog(tmp_path / "blog" / "translations", "de", {"A": "blog A", "B": "blog B"})
    write_catalog(tmp_path / "shop", "de", {"A": "shop A", "B": "shop B", "C": "shop C"})
    app.include(blog)
    app.use(Shop(tmp_path / "shop"))
    battery = app.use(Translations(["en", "de"]))
    with battery.language("de"):
        assert [gettext(text) for text in "ABCD"] == ["app A", "blog B", "shop C", "D"]
        assert gettext("This field is required.") == "Pflicht!"
        assert gettext("Not Found") == "Nicht gefunden"


def test_each_catalog_has_its_own_rule_for_plurals(tmp_path: Path) -> None:
    """Catalogs are not poured together: three forms of one beside two forms of another are both right."""
    app = App()
    app.root_path = tmp_path
    words = {("%(num)s file", "%(num)s files"): ("%(num)s plik", "%(num)s pliki", "%(num)s plików")}
    write_catalog(tmp_path / "translations", "pl", words)
    write_catalog(tmp_path / "shop", "pl", {("one", "many"): ("%(num)s jeden", "%(num)s wiele")}, extra="").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\nPlural-Forms: nplurals=2; plural=n>1;\\n"\n\n'
        'msgid "one"\nmsgid_plural "many"\nmsgstr[0] "jeden"\nmsgstr[1] "wiele"\n'
    )
    app.use(Shop(tmp_path / "shop"))
    battery = app.use(Translations(["en", "pl"]))
    with battery.language("pl"):
        found = [ngettext("%(num)s file", "%(num)s files", number) for number in (1, 3, 5)]
        assert found == ["1 plik", "3 pliki", "5 plików"]
        assert [ngettext("one", "many", number) for number in (0, 1, 2)] == ["jeden", "jeden", "wiele"]


def test_a_region_falls_back_to_its_language(tmp_path: Path) -> None:
    """What the Swiss catalog lacks comes from the German one, in the app and in the framework."""
    write_catalog(tmp_path, "de", {"Street": "Straße", "Home": "Start"})
    write_catalog(tmp_path, "de_CH", {"Street": "Strasse"})
    battery = Translations(["en", "de-CH"], folder=tmp_path)
    App().use(battery)
    with battery.language("de-CH"):
        assert (gettext("Street"), gettext("Home"), gettext("Not Found")) == ("Strasse", "Start", "Nicht gefunden")


def test_contexts_and_fuzzy_messages(tmp_path: Path) -> None:
    """A context keeps words apart, and what is marked fuzzy is not shown."""
    extra = '\nmsgctxt "month"\nmsgid "May"\nmsgstr "Mai"\n\n#, fuzzy\nmsgid "Doubt"\nmsgstr "Zweifel"\n'
    write_catalog(tmp_path, "de", {"May": "Darf"}, extra=extra)
    battery = Translations(["en", "de"], folder=tmp_path)
    App().use(battery)
    with battery.language("de"):
        assert (pgettext("month", "May"), gettext("May"), gettext("Doubt")) == ("Mai", "Darf", "Doubt")


def test_in_development_a_change_is_seen_at_the_next_request(folder: Path) -> None:
    """A catalog that is edited is compiled and read again, without a command and without a restart."""
    app = App(debug=True)
    app.use(Translations(["en", "de"], folder=folder))

    @app.get("/")
    async def hello() -> str:
        return gettext("Hello, World!")

    with TestClient(app) as client:
        headers = {"accept-language": "de"}
        assert client.get("/", headers=headers).text == "Hallo, Welt!"
        path = write_catalog(folder, "de", {"Hello, World!": "Moin!"})
        os.utime(path, (4_000_000_000, 4_000_000_000))
        assert client.get("/", headers=headers).text == "Moin!"
        assert path.with_suffix(".mo").is_file()


def test_in_production_the_compiled_catalog_counts(make_app: Make, folder: Path) -> None:
    """The compiled file is read once; where there is none, the other one is compiled in memory."""
    app, _battery = make_app()

    @app.get("/")
    async def hello() -> str:
        return gettext("Hello, World!")

    path = folder / "de" / "LC_MESSAGES" / "messages.po"
    path.with_suffix(".mo").write_bytes(compile_po(path))
    write_catalog(folder, "de", {"Hello, World!": "Moin!"})
    with TestClient(app) as client:
        assert client.get("/", headers={"accept-language": "de"}).text == "Hallo, Welt!"
        assert client.get("/", headers={"accept-language": "ar"}).text == "مرحبا بالعالم"
    assert not (folder / "ar" / "LC_MESSAGES" / "messages.mo").exists()


@pytest.mark.parametrize("text", ["nonsense", 'msgid "a"\nmsgstr[x] "b"', "\udc80"])
def test_a_broken_catalog_is_named(tmp_path: Path, text: str) -> None:
    """A file that is no catalog is told with its name, by the check and where it is read."""
    path = write_catalog(tmp_path, "de", {})
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    app = App()
    battery = app.use(Translations(["en", "de"], folder=tmp_path))
    with pytest.raises(ConfigurationError, match=r"messages\.po") as caught:
        battery.messages("de")
    assert caught.value.code == "DJN-972"
    assert [message.id for message in app.run_checks()] == ["DJN-972"]


def test_checks_tell_what_catalogs_lack(make_app: Make, folder: Path) -> None:
    """Missing and fuzzy messages are warnings, wrong placeholders errors, each with its place."""
    extra = '\nmsgid "New"\nmsgstr ""\n\n#, fuzzy\nmsgid "Old"\nmsgstr "Alt"\n'
    path = write_catalog(
        folder, "de", {"Hello %(name)s": "Hallo", "{limit} of %(n)s": "{limits} von %(n)s"}, extra=extra
    )
    path.with_suffix(".mo").write_bytes(b"")
    os.utime(path.with_suffix(".mo"), (1, 1))
    (folder / "ar" / "LC_MESSAGES" / "messages.po").unlink()
    app, _battery = make_app()
    found = {(message.level, message.id): message for message in app.run_checks()}
    assert set(found) == {
        ("error", "i18n.placeholder"),
        ("warning", "i18n.missing"),
        ("warning", "i18n.fuzzy"),
        ("warning", "i18n.stale"),
        ("warning", "i18n.catalog"),
    }
    assert "'New'" in found["warning", "i18n.missing"].text
    assert found["warning", "i18n.fuzzy"].place.endswith("messages.po:17")
    texts = [message.text for message in app.run_checks() if message.id == "i18n.placeholder"]
    assert sorted(texts) == [
        "%(name)s is missing in 'Hello %(name)s'.",
        "{limits} is not there in the message in '{limit} of %(n)s'.",
        "{limit} is missing in '{limit} of %(n)s'.",
    ]


def test_placeholders_are_found_in_odd_texts() -> None:
    """Doubled signs and lone braces are no placeholders."""
    assert placeholders_of("100%% of %(x)5.2f { and {y}") == {"%(x)5.2f"}
    assert placeholders_of("{{no}} {yes}") == {"{yes}"}
