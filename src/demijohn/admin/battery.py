"""`Admin`: the battery that shows all models to those who may."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from demijohn import Blueprint
from demijohn._lib.source import told_from
from demijohn.admin.access import Access
from demijohn.admin.accounts import Accounts
from demijohn.admin.checking import check_options
from demijohn.admin.listing import Plan
from demijohn.admin.naming import humanize
from demijohn.admin.options import ModelAdmin, OwnPage
from demijohn.admin.pages import add_routes
from demijohn.admin.people import options_for
from demijohn.db import Model
from demijohn.errors import ConfigurationError, NotFound

if TYPE_CHECKING:
    from demijohn.app import App, CheckMessage

__all__ = ["Admin"]

A = TypeVar("A", bound=type[ModelAdmin])
F = TypeVar("F", bound=Callable[..., Any])


class Admin:
    """Shows all models of an app to its staff: lists, forms, histories.

    Args:
        prefix: Where it lives.
        title: The name at the top of each page.
        models: The models that it shows, and bases whose models it shows; all that the app has otherwise.
        exclude: Models that it leaves out.
        access: Who may; the accounts of `demijohn.auth` otherwise.
        count_limit: Rows are counted up to this many; beyond it a list says "more than".
        site_url: Where the link to the site leads.

    Example:
        ```python notest
        admin = app.use(Admin())
        ```
    """

    name = "admin"

    def __init__(
        self,
        *,
        prefix: str = "/admin",
        title: str = "",
        models: Iterable[type[Model]] | None = None,
        exclude: Iterable[type[Model]] = (),
        access: Access | None = None,
        count_limit: int = 10_000,
        site_url: str = "/",
    ) -> None:
        self.prefix = prefix.rstrip("/")
        self.title = title
        self.models = None if models is None else list(models)
        self.exclude = set(exclude)
        self.access: Access = access or Accounts()
        needed = ("db", "sessions", "templating", "forms")
        self.requires: tuple[str, ...] = needed if access is not None else (*needed, "auth")
        self.count_limit = count_limit
        self.site_url = site_url
        self.pages: list[OwnPage] = []
        self._options: dict[type[Model], type[ModelAdmin]] = {}
        self._admins: dict[str, ModelAdmin] | None = None
        self._plain: dict[type[Any], ModelAdmin] = {}
        self._plans: dict[ModelAdmin, Plan] = {}
        self._app: App | None = None
        self._blueprint = Blueprint("admin", prefix=self.prefix)

    def install(self, app: "App") -> None:
        """Plug into the app: the pages below the prefix, and the checks."""
        self._app = app
        with told_from("demijohn.admin"):
            add_routes(self, self._blueprint)
        app.include(self._blueprint)
        app.checks.add(self._check)
        app.lifespan.on_startup(self.prepare)

    # -- registering --------------------------------------------------------------------------------------------------

    def register(self, *models: type[Model]) -> Callable[[A], A]:
        """Say how models are shown: a decorator of a `ModelAdmin`.

        Raises:
            ConfigurationError: One of them has options already (`DJN-952`).

        Example:
            ```python notest
            @admin.register(Post)
            class PostAdmin(ModelAdmin):
                list_display = ["title", "author"]
            ```
        """

        def decorate(cls: A) -> A:
            for model in models:
                if model in self._options:
                    raise ConfigurationError(
                        f"{model.__name__} was registered for {self._options[model].__name__} and {cls.__name__}.",
                        why="A model has one page of options.",
                        fix=f"Put the options together, or `admin.unregister({model.__name__})` first.",
                        code="DJN-952",
                    )
                self._options[model] = cls
            self._forget()
            return cls

        return decorate

    def unregister(self, *models: type[Model]) -> None:
        """Leave models out, and forget what was said of them; they may be registered anew."""
        for model in models:
            self._options.pop(model, None)
            self.exclude.add(model)
        self._forget()

    def _forget(self) -> None:
        """Make all anew that follows from what was registered."""
        self._admins = None
        self._plain.clear()
        self._plans.clear()

    def page(self, path: str, *, title: str = "", permission: str = "", section: str = "") -> Callable[[F], F]:
        """Add a page of your own, with its line in the sidebar.

        Its handler is like any other.

        Args:
            path: Where it is, below the prefix: `"/reports"`.
            title: What the sidebar says.
            permission: What a visitor has to be allowed: `"order.view"`. Staff come in otherwise.
            section: The heading that it stands under.

        Example:
            ```python notest
            @admin.page("/reports", title="Reports", permission="order.view")
            async def reports():
                return Page("reports.html", orders=await Order.query().count())
            ```
        """

        def decorate(function: F) -> F:
            self.pages.append(OwnPage(path, title or humanize(function.__name__), permission, section, function))
            self._blueprint.add_route(path, function, methods=["GET", "POST"])
            return function

        return decorate

    # -- what is there ------------------------------------------------------------------------------------------------

    @property
    def admins(self) -> dict[str, ModelAdmin]:
        """The options of each model by the model's name in URLs."""
        if self._admins is None:
            self._admins = self._collect()
        return self._admins

    def _collect(self) -> dict[str, ModelAdmin]:
        found: dict[str, ModelAdmin] = {}
        for model in self._shown():
            admin = options_for(model, self._options.get(model))(model, self)
            found[admin.slug] = admin
        return found

    def _shown(self) -> Iterable[type[Model]]:
        given = [Model] if self.models is None else self.models
        seen: dict[type[Model], None] = {}
        for one in given:
            if "__mapper__" in one.__dict__:
                seen[one] = None
                continue
            for mapper in one.registry.mappers:
                if issubclass(mapper.class_, one):
                    seen[mapper.class_] = None
        for model in self._options:
            seen[model] = None
        aliases = self._aliases()
        for model in sorted(seen, key=lambda model: (model.__module__, model.__name__)):
            if model not in self._options and (model in self.exclude or not self._has_accounts_for(model)):
                continue
            if aliases is None or model.__table__.info.get("database", "default") in aliases:  # type: ignore[attr-defined, unused-ignore]
                yield model

    def _has_accounts_for(self, model: type[Model]) -> bool:
        """Return whether the app has accounts, for a model that belongs to them."""
        return not model.__module__.startswith("demijohn.auth") or self._app is None or "auth" in self._app.batteries

    def _aliases(self) -> set[str] | None:
        if self._app is None:
            return None
        return {name.partition(":")[2] or "default" for name in self._app.batteries if name.partition(":")[0] == "db"}

    def get(self, slug: str) -> ModelAdmin:
        """Return the options of a model by its name in URLs.

        Raises:
            NotFound: There is no such model.
        """
        found = self.admins.get(slug)
        if found is None:
            raise NotFound
        return found

    def admin_for(self, model: type[Any]) -> ModelAdmin:
        """Return the options of a model, plain ones where it has no page here."""
        known = self.find_for(model)
        if known is None:
            known = self._plain.get(model)
        if known is None:
            known = self._plain[model] = ModelAdmin(model, self)
        return known

    def find_for(self, model: type[Any]) -> ModelAdmin | None:
        """Return the options of a model, or None where it has no page here."""
        for admin in self.admins.values():
            if admin.model is model:
                return admin
        return None

    def plan(self, admin: ModelAdmin) -> Plan:
        """Return what the options of a model mean.

        Raises:
            ConfigurationError: An option names what is not there (`DJN-951`).
        """
        known = self._plans.get(admin)
        if known is None:
            known = self._plans[admin] = Plan(admin)
        return known

    def prepare(self) -> None:
        """Compile the options of all models.

        So a mistake is told before anybody comes.

        Raises:
            ConfigurationError: An option names what is not there (`DJN-951`).
        """
        for admin in self.admins.values():
            self.plan(admin)
            check_options(admin)

    def _check(self, app: Any) -> "Sequence[CheckMessage]":
        from demijohn.app import CheckMessage

        try:
            self.prepare()
        except ConfigurationError as error:
            return [CheckMessage(level="error", id=error.code, text=f"{error.seen} {error.why}", hint=error.fix)]
        return []
