"""The present page in other languages: for menus, and for search engines."""

from demijohn.app import current
from demijohn.errors import OutsideContext
from demijohn.http import Markup
from demijohn.i18n.locales import LanguageChoice, direction_of, name_of, parse_locale
from demijohn.i18n.present import find_messages

__all__ = ["hreflang", "language_url", "languages"]


def language_url(tag: str, *, external: bool = False) -> str:
    """Return the URL of the present page in another language.

    Where the language stands in the path, that is another path; elsewhere it is the same one, and the visitor's choice
    is kept by `set_language`.

    Raises:
        OutsideContext: No request is running.
    """
    request = current.request
    battery = request.app.batteries.get("i18n")
    path = request.raw_path.decode("latin-1")
    root: str = request.root_path
    if battery is not None and battery.paths is not None:
        path = battery.paths.adjust(root + path, root=root, tag=tag)
    else:
        path = root + path
    if external:
        return f"{request.scheme}://{request.host}{path}"
    if path[1:2] in ("/", "\\"):  # a browser would take it for another host
        path = "/" + path.lstrip("/\\")
    if request.query_string:
        path += f"?{request.query_string.decode('latin-1')}"
    return path


def languages() -> list[LanguageChoice]:
    """Return the languages of the running app with their names and URLs, for a menu.

    Example:
        In a template: `{% for language in languages() %}<a href="{{ language.url }}" hreflang="{{ language.tag }}">
        {{ language.name }}</a>{% endfor %}`
    """
    request = current.request
    battery = request.app.batteries.get("i18n")
    if battery is None:
        return []
    present = find_messages()
    found = []
    for tag in battery.locales:
        locale = parse_locale(tag)
        found.append(
            LanguageChoice(
                tag=tag,
                name=name_of(locale),
                direction=direction_of(locale),
                url=language_url(tag),
                is_present=present is not None and present.language == tag,
            )
        )
    return found


def hreflang() -> Markup:
    """Return the `<link rel="alternate">` lines of the present page.

    They tell search engines of the page in other languages. Empty where the language does not stand in the path: then
    there is one URL for all of them.
    """
    try:
        request = current.request
    except OutsideContext:
        return Markup()
    battery = request.app.batteries.get("i18n")
    if battery is None or battery.paths is None or battery.paths.prefix.is_exempt(request.path):
        return Markup()
    lines = [(tag, language_url(tag, external=True)) for tag in battery.locales]
    lines.append(("x-default", language_url(battery.default, external=True)))
    return Markup("\n").join(
        Markup('<link rel="alternate" hreflang="{}" href="{}">').format(tag, url) for tag, url in lines
    )
