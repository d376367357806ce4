"""`demijohn messages`: from the texts of a project to its catalogs and back, in real processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from demijohn.errors import ConfigurationError
from demijohn.i18n.catalogs import read_catalog
from demijohn.i18n.extraction import extract_catalog

APP = """
from demijohn import App, Page
from demijohn.i18n import Translations, gettext as _, gettext_lazy, ngettext, npgettext, pgettext
from demijohn.schema import Field

app = App()
app.use(Translations(["en", "de", "pl"]))
LABEL = Field(label=gettext_lazy("Title"))

@app.get("/")
async def home():
    # Translators: the greeting of the front page
    _("Hello %(name)s", name="x")
    ngettext("One post", "%(num)s posts", 3)
    pgettext("month", "May")
    npgettext("menu", "Open", "Open all", 2)
    return Page("home.html", n=1)
"""
TEMPLATE = """{# Translators: above the list #}
<h1>{{ _("Posts") }}</h1>
{% trans n %}One entry{% pluralize %}{{ n }} entries{% endtrans %}
{% trans "menu" %}File{% endtrans %} {{ pgettext("month", "May") }} {{ _(n) }} {% trans %}100% of <b>it</b>{% endtrans %}
"""


def demijohn(*arguments: str, folder: Path) -> str:
    command = [sys.executable, "-m", "demijohn", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "home.html").write_text(TEMPLATE)
    for left_out in ("tests/test_app.py", "migrations/0001.py", ".venv/x.py"):
        (tmp_path / left_out).parent.mkdir()
        (tmp_path / left_out).write_text('_("Not this")')
    return tmp_path


def test_texts_go_all_the_way(project: Path) -> None:
    """Extract finds every kind of text, update keeps translations, compile makes what production reads."""
    assert "translations/messages.pot: 9 messages" in demijohn("messages", "extract", folder=project)
    template = read_catalog(project / "translations" / "messages.pot")
    found = {(message.context, message.id) for message in template if message.id}
    assert found == {
        (None, "Title"),
        (None, "Hello %(name)s"),
        (None, ("One post", "%(num)s posts")),
        ("month", "May"),
        ("menu", ("Open", "Open all")),
        (None, "Posts"),
        (None, ("One entry", "%(n)s entries")),
        ("menu", "File"),
        (None, "100% of <b>it</b>"),
    }
    greeting = template.get("Hello %(name)s")
    assert greeting is not None
    assert greeting.auto_comments == ["the greeting of the front page"]
    assert "python-format" in greeting.flags

    assert "German: 9 messages, 9 to translate" in demijohn("messages", "update", "de", folder=project)
    path = project / "translations" / "de" / "LC_MESSAGES" / "messages.po"
    assert not (project / "translations" / "pl").exists()
    path.write_text(path.read_text().replace('msgid "Posts"\nmsgstr ""', 'msgid "Posts"\nmsgstr "Beiträge"'))
    (project / "templates" / "home.html").write_text(TEMPLATE.replace("File", "Datei öffnen"))
    demijohn("messages", "update", folder=project)
    kept = read_catalog(path)
    message = kept.get("Posts")
    assert message is not None
    assert message.string == "Beiträge"
    assert kept.get("File", "menu") is None
    assert len(read_catalog(project / "translations" / "pl" / "LC_MESSAGES" / "messages.po").plural_forms) > 20
    assert "POT-Creation-Date" not in path.read_text()

    (project / "feature.py").write_text('from demijohn import Blueprint\nfeature = Blueprint("feature")\n')
    (project / "app.py").write_text(APP + "\nfrom feature import feature\napp.include(feature)\n")
    assert demijohn("messages", "compile", folder=project).count("de/LC_MESSAGES/messages.mo") == 1
    assert path.with_suffix(".mo").is_file()


def test_nothing_changes_when_nothing_changed(project: Path) -> None:
    """A second update writes the same bytes, so that a diff shows texts alone."""
    demijohn("messages", "update", folder=project)
    files = sorted((project / "translations").rglob("*.po*"))
    before = [path.read_bytes() for path in files]
    demijohn("messages", "update", folder=project)
    assert [path.read_bytes() for path in files] == before
    assert len(files) == 3


@pytest.mark.parametrize("line", ['_(f"Hello {name}")', "gettext_lazy(F'x')", '_( f"x")'])
def test_an_f_string_is_refused(tmp_path: Path, line: str) -> None:
    """A text that is filled in before it is looked up is told with its place."""
    path = tmp_path / "views.py"
    path.write_text(f"x = 1\n{line}\n")
    with pytest.raises(ConfigurationError, match=r"views\.py:2") as caught:
        extract_catalog([path])
    assert caught.value.code == "DJN-975"


def test_a_blueprint_with_catalogs_of_its_own_keeps_them(project: Path) -> None:
    """A feature whose folder has catalogs gets its texts there, and the app the rest."""
    blog = project / "blog"
    (blog / "translations").mkdir(parents=True)
    (blog / "__init__.py").write_text(
        'from demijohn import Blueprint\nfrom demijohn.i18n import gettext as _\nbp = Blueprint("blog")\n'
        '@bp.get("/x")\nasync def x():\n    return _("Blog text")\n'
    )
    (project / "app.py").write_text(APP + "\nfrom blog import bp\napp.include(bp)\n")
    demijohn("messages", "extract", folder=project)
    own = read_catalog(blog / "translations" / "messages.pot")
    assert [message.id for message in own if message.id] == ["Blog text"]
    assert read_catalog(project / "translations" / "messages.pot").get("Blog text") is None
