"""`Translations`: the battery that finds the language of a request, its messages, its formats and its time zone."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from babel import Locale

from demijohn._lib.text import did_you_mean, listing
from demijohn._lib.translation import look_up_by
from demijohn.app import Unit, current
from demijohn.app.scaffold import Hook
from demijohn.errors import ConfigurationError
from demijohn.http import Request, Response, is_safe_path, redirect
from demijohn.i18n.catalogs import FRAMEWORK, Catalogs, Messages, Source
from demijohn.i18n.choosing import choose, presence_key
from demijohn.i18n.formats import filters
from demijohn.i18n.links import hreflang, language_url, languages
from demijohn.i18n.locales import find_offered, parse_locale, tag_of
from demijohn.i18n.offer import Origin
from demijohn.i18n.prefixes import Paths, Prefix
from demijohn.i18n.present import find_messages, find_zone, get_locale, language, zone_of

if TYPE_CHECKING:
    from demijohn.app import App, CheckMessage

__all__ = ["Translations"]

F = TypeVar("F", bound=Callable[..., str | Awaitable[str | None] | None])
_ORIGINS = get_args(Origin)
_YEAR = 365 * 24 * 3600


class _WantedLanguage:
    """The service that a locale selector makes."""


class _WantedZone:
    """The service that a time zone selector makes."""


class Translations:
    """Makes an app speak several languages.

    Args:
        locales: The languages that the app offers, by their tags.
        default: The language where nothing else is known, and that of the texts in the code; the first where nothing
            is said.
        folder: Where the catalogs are, relative to the app and to each of its blueprints.
        prefix: Whether the path names the language: `True`, or a `Prefix` with the details. What the path says goes
            before everything else.
        order: Where the language is looked for, the first that says one the app offers. `selector` is a function of
            the app (`locale_selector`), `query` and `session` are the value `language` in each.
        cookie: The cookie that `set_language` keeps the choice in.
        timezone: The time zone where nothing else is known, by its name.
        domain: The name of the catalogs' files.

    Raises:
        ConfigurationError: DJN-970, a language is not known; DJN-971, the default is none of them, or `order` names a
            place that there is not; DJN-974, the time zone is not known.

    Example:
        >>> from demijohn import App
        >>> app = App()
        >>> translations = app.use(Translations(["en", "de"]))
        >>> with translations.language("de"):
        ...     print(translations.default)
        en
    """

    name = "i18n"
    requires: tuple[str, ...] = ()

    def __init__(
        self,
        locales: Sequence[str] = ("en",),
        *,
        default: str | None = None,
        folder: str | Path = "translations",
        prefix: bool | Prefix = False,
        order: Sequence[Origin] = ("selector", "cookie", "header"),
        cookie: str = "language",
        timezone: str = "UTC",
        domain: str = "messages",
    ) -> None:
        if isinstance(locales, str) or not locales:
            raise ConfigurationError(
                f"Translations({locales!r}) was written.",
                why="It takes a list of language tags, with at least one.",
                fix='Write:  Translations(["en", "de"])',
                code="DJN-971",
            )
        self.locales = tuple(dict.fromkeys(tag_of(parse_locale(tag)) for tag in locales))
        """The tags of the languages."""
        self.default = self.locales[0] if default is None else tag_of(parse_locale(default))
        self._offered(self.default, f"default={default!r}")
        for origin in order:
            if origin not in _ORIGINS:
                raise ConfigurationError(
                    f"Translations(order=...) names {origin!r}.{did_you_mean(origin, _ORIGINS)}",
                    why=f"A language can be read from {listing(_ORIGINS)}.",
                    fix='Write:  order=["selector", "cookie", "header"]',
                    code="DJN-971",
                )
        self.folder = Path(folder)
        self.domain = domain
        self.order: tuple[Origin, ...] = tuple(order)
        self.cookie = cookie
        self.timezone = zone_of(timezone)
        self.paths: Paths | None = None
        if prefix:
            self.paths = Paths(prefix if isinstance(prefix, Prefix) else Prefix(), self.locales, self.default)
        self._app: App | None = None
        self._catalogs: Catalogs | None = None
        self._selectors: dict[Any, Callable[..., Any]] = {}
        self._leading = Hook(self._lead_to_prefix, inline=True)

    def install(self, app: "App") -> None:
        """Plug into the app: look-ups, paths, names for templates, commands, checks."""
        self._app = app
        look_up_by(find_messages)
        if self.paths is not None:
            app.before_routing.append(self._take_prefix)
            app.url_adjusters.append(self._adjust)
            if self.paths.prefix.default:
                app.before.append(self._leading)
        for service in self._selectors:
            self._ask_early(app, service)
        app.templates.filters.update(filters())
        app.templates.globals.update(language_url=language_url, languages=languages, hreflang=hreflang)
        app.provide(Locale, get_locale)
        app.commands.add_source(self._commands)
        app.checks.add(self._check)

    # -- what an app says about its people ----------------------------------------------------------------------------

    def locale_selector(self, function: F) -> F:
        """Have a function say which language a visitor prefers.

        That is the user's own setting, as a rule. It is bound as a handler is, so it may ask for the user by
        annotation; it may be async, and returns a tag or
        `None`. Another `order` than the usual decides whether it goes before the cookie.

        Example:
            ```python notest
            @translations.locale_selector
            def of_user(user: User | None) -> str | None:
                return user.language if user else None
            ```
        """
        return self._select(_WantedLanguage, function)

    def timezone_selector(self, function: F) -> F:
        """Have a function say which time zone a visitor lives in.

        It is bound as that of `locale_selector` is, and returns a name or `None`.
        """
        return self._select(_WantedZone, function)

    def _select(self, service: Any, function: F) -> F:
        self._selectors[service] = function
        if self._app is not None:
            self._ask_early(self._app, service)
        return function

    def _ask_early(self, app: "App", service: Any) -> None:
        """Ask before the handler runs: a text is looked up where nothing can be awaited."""
        app.provide(service, self._selectors[service])

        async def ask(connection: Any) -> None:
            said = await app.scope_of(connection).get(service)
            presence = presence_key.get(connection)
            if service is _WantedLanguage:
                presence.selected = said
                presence.messages = None  # a text that was looked up before did not know it
            else:
                presence.zone = find_zone(said) if said else None

        app.before_request(ask)
        if self._leading in app.before:  # where it leads to is for the selectors to say
            app.before.remove(self._leading)
            app.before.append(self._leading)

    # -- what is present ----------------------------------------------------------------------------------------------

    def messages(self, tag: str) -> Messages:
        """Return the messages of a language of the app.

        Raises:
            ConfigurationError: DJN-971, the app does not offer it.
        """
        found = find_offered(tag, self.locales)
        return self._all_catalogs().messages(found if found is not None else self._offered(tag, repr(tag)))

    def messages_of(self, unit: Any) -> Messages:
        """Return the messages of what is running.

        Any: a request, socket, command or task.
        """
        if isinstance(unit, Unit):
            return self._all_catalogs().messages(self.default)
        presence = presence_key.get(unit)
        if presence.messages is None:
            presence.messages = self.messages(choose(self, unit, presence))
        return presence.messages

    def zone_of(self, unit: Any) -> tzinfo:
        """Return the time zone of what is running.

        Any: a request, socket, command or task.
        """
        if isinstance(unit, Unit):
            return self.timezone
        return presence_key.get(unit).zone or self.timezone

    def language(self, tag: str) -> AbstractContextManager[Locale]:
        """Make a language the present one inside of a `with` block.

        Also where no app is running.
        """
        return language(tag, self)

    # -- paths --------------------------------------------------------------------------------------------------------

    def _take_prefix(self, connection: Any) -> None:
        if self.paths is not None:
            tag = self.paths.take(connection)
            if tag is not None:
                presence_key.get(connection).prefix = tag

    def _adjust(self, unit: Any, url: str, root: str) -> str:
        if self.paths is None:
            return url
        messages = find_messages()
        tag = self.default if messages is None else messages.language
        return self.paths.adjust(url, root=root, tag=tag, files=unit.app.static_prefixes)

    def _lead_to_prefix(self, request: Request) -> Response | None:
        """Redirect from a page without a language to that of the visitor's."""
        paths = self.paths
        if paths is None or request.method not in ("GET", "HEAD") or presence_key.get(request).prefix is not None:
            return None
        route = request.route
        if paths.prefix.is_exempt(request.path) or route is None or route.name.startswith("demijohn."):
            return None
        if request.path.startswith(request.app.static_prefixes):
            return None
        tag = self.messages_of(request).language
        query = f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
        raw = request.raw_path.decode("latin-1")
        return redirect(f"{request.root_path}{paths.segment(tag)}{raw}{query}")

    # -- the choice of a visitor --------------------------------------------------------------------------------------

    def remember(self, response: Response, tag: str, *, request: Request | None = None) -> Response:
        """Keep the choice of a language in the cookie, for a year.

        Raises:
            ConfigurationError: DJN-971, the app does not offer it.
        """
        self._offered(tag, repr(tag))
        secure = (request or current.request).is_secure
        response.set_cookie(self.cookie, tag, max_age=_YEAR, path="/", httponly=True, secure=secure, samesite="lax")
        return response

    async def set_language(self, request: Request) -> Response:
        """Take the choice of a visitor: a handler for POST.

        The form has the fields `language` and `next`.

        Example:
            ```python notest
            app.post("/language", name="set_language")(translations.set_language)
            ```
        """
        form = await request.form()
        tag = find_offered(str(form.get("language", "")), self.locales)
        following = str(form.get("next", "/"))
        response = redirect(following if is_safe_path(following) else "/", status=303)
        return response if tag is None else self.remember(response, tag, request=request)

    # -- catalogs -----------------------------------------------------------------------------------------------------

    def sources(self) -> list[Source]:
        """Return where catalogs are looked for, the first that knows a text winning.

        These are the folders of the app, its blueprints, its batteries, and the framework's own.
        """
        app = self._app
        if app is None:
            return [FRAMEWORK]
        found = [
            Source(scaffold.root_path / self.folder, self.domain, _owner(scaffold)) for scaffold in app.scaffolds()
        ]
        for battery in app.batteries.values():
            folder = getattr(battery, "translations", None)
            if isinstance(folder, str | Path):
                found.append(Source(Path(folder), self.domain, battery.name))
        folders = {source.folder: source for source in reversed(found)}  # the first owner of a folder names it
        return [*(source for source in dict.fromkeys(found) if folders[source.folder] is source), FRAMEWORK]

    @property
    def is_reloading(self) -> bool:
        """Whether catalogs are compiled and read again when they change: in debug mode."""
        return self._app is not None and self._app.debug

    def _all_catalogs(self) -> Catalogs:
        if self._catalogs is None:
            self._catalogs = Catalogs(self.sources(), reload=self.is_reloading)
        return self._catalogs

    def _offered(self, tag: str, written: str) -> str:
        if tag in self.locales:
            return tag
        raise ConfigurationError(
            f"The language {written} is none of this app.{did_you_mean(tag, self.locales)}",
            why=f"It offers {listing(self.locales, last='and')}.",
            fix=f"Add it:  Translations([{', '.join(map(repr, (*self.locales, tag)))}])",
            code="DJN-971",
        )

    def _commands(self) -> Iterable[tuple[str | None, Any]]:
        from demijohn.i18n.commands import commands_for

        return [(None, commands_for(self, self._app))]

    def _check(self, app: Any) -> "Iterable[CheckMessage]":
        from demijohn.i18n.checking import check_catalogs

        return check_catalogs(self)


def _owner(scaffold: Any) -> str:
    return getattr(scaffold, "name", "") or "the app"
