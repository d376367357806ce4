"""What the tests of the i18n room share: catalogs in a folder, and an app that reads them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from demijohn import App
from demijohn.i18n import Translations

WORDS = {
    "de": {
        "Hello, World!": "Hallo, Welt!",
        "Home": "Start",
        ("%(num)s post", "%(num)s posts"): ("%(num)s Beitrag", "%(num)s Beiträge"),
        "Hello %(name)s": "Hallo %(nmae)s",
    },
    "ar": {"Hello, World!": "مرحبا بالعالم"},
}

Words = Mapping[str | tuple[str, str], str | tuple[str, ...]]
PLURALS = {"de": "nplurals=2; plural=(n != 1);", "pl": "nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 ? 1 : 2);"}


def write_catalog(folder: Path, tag: str, words: Words, *, domain: str = "messages", extra: str = "") -> Path:
    """Write a catalog as a translator would."""
    path = folder / tag / "LC_MESSAGES" / f"{domain}.po"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ['msgid ""', 'msgstr ""', f'"Language: {tag}\\n"', '"Content-Type: text/plain; charset=utf-8\\n"']
    lines += [f'"Plural-Forms: {PLURALS.get(tag, "nplurals=1; plural=0;")}\\n"', ""]
    for message, text in words.items():
        if isinstance(message, tuple):
            lines += [f'msgid "{message[0]}"', f'msgid_plural "{message[1]}"']
            lines += [f'msgstr[{number}] "{form}"' for number, form in enumerate(text)]
        else:
            lines += [f'msgid "{message}"', f'msgstr "{text}"']
        lines.append("")
    path.write_text("\n".join(lines) + extra)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of catalogs in German and Arabic."""
    made = tmp_path / "translations"
    for tag, words in WORDS.items():
        write_catalog(made, tag, words)
    return made


@pytest.fixture
def make_app(folder: Path) -> Callable[..., tuple[App, Translations]]:
    """Makes an app in English, German and Arabic; options go to the battery."""

    def make(**options: object) -> tuple[App, Translations]:
        app = App(debug=False)
        return app, app.use(Translations(["en", "de", "ar"], **{"folder": folder, **options}))  # type: ignore[arg-type]

    return make
