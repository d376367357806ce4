"""Generic views: list, detail, create, update and delete over a model.

By one class.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from inspect import isawaitable, iscoroutine
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar

from demijohn._lib.text import did_you_mean, listing
from demijohn._lib.translation import gettext as _
from demijohn.app import Blueprint, Fields, Page, flash, url_for
from demijohn.errors import Forbidden, NotFound
from demijohn.forms.battery import Forms
from demijohn.forms.cells import Cell, cell_of
from demijohn.forms.faults import FormMistake
from demijohn.forms.modelform import ModelForm
from demijohn.forms.rows import Rows
from demijohn.http import Request, redirect
from demijohn.schema import Field, Records, has_records, records_of

__all__ = ["ModelViews"]

M = TypeVar("M")
ACTIONS = ("list", "detail", "create", "update", "delete")
Guarding = Callable[[Any], Any]
_made: dict[Any, Any] = {}


class ModelViews(Generic[M]):
    """Pages to list, show, make, change and delete the records of a model.

    `class Posts(ModelViews[Post], fields=("title", "body"))` says what the form shows; `Posts.blueprint()` has the
    routes, which an app includes. Attributes and methods say the rest; every template can be replaced.

    Example:
        ```python notest
        class Posts(ModelViews[Post], fields=("title", "slug", "body")):
            list_display = ("title", "author", "created_at")
            search_fields = ("title", "body")

            def values(self, request):
                return {"author": current.get(User)}


        app.include(Posts.blueprint(), prefix="/posts")
        ```
    """

    if not TYPE_CHECKING:

        def __class_getitem__(cls, model: Any) -> Any:
            if isinstance(model, TypeVar):
                return super().__class_getitem__(model)
            key = (cls, model)
            if key not in _made:
                name = f"{cls.__name__}[{getattr(model, '__name__', model)}]"
                _made[key] = type(name, (cls,), {"model": model, "__module__": cls.__module__})
            return _made[key]

    model: ClassVar[Any] = None
    """The model (Any: a class of the room that keeps it)."""
    fields: ClassVar[tuple[str, ...]] = ()
    form: ClassVar[Any] = None
    """A form of your own, in place of one of `fields` (Any: a class of forms)."""
    rows: ClassVar[tuple[Rows, ...]] = ()
    actions: ClassVar[Sequence[str]] = ACTIONS
    """Which of the five there are."""
    lookup: ClassVar[str] = ""
    """The unique column that stands in URLs; the key where nothing is said."""
    list_display: ClassVar[Sequence[str]] = ()
    """The columns of the list; the first fields of the model where nothing is said."""
    detail_display: ClassVar[Sequence[str]] = ()
    """What the page of a record shows; all that is public where nothing is said."""
    search_fields: ClassVar[Sequence[str]] = ()
    """The columns that are searched; short public texts where nothing is said."""
    ordering: ClassVar[Sequence[str]] = ()
    """The order of the list, as `("-created_at",)`; the model's where nothing is said."""
    per_page: ClassVar[int] = 20
    guards: ClassVar[Mapping[str, Guarding]] = {}
    """Decorators by action, `"*"` for all: `{"delete": requires("post.delete")}`."""
    templates: ClassVar[str] = "demijohn/views"
    """The folder of `list.html`, `detail.html`, `form.html` and `delete.html`."""

    def __init_subclass__(
        cls, *, fields: Iterable[str] | None = None, rows: Iterable[Rows] | None = None, **options: Any
    ) -> None:
        super().__init_subclass__(**options)
        if fields is not None:
            cls.fields = tuple(fields)
        if rows is not None:
            cls.rows = tuple(rows)

    # -- what you override; each may be `async def` ------------------------------------------------------------------

    def query(self, request: Request) -> Any:
        """Return the records that there are for this visitor, as a query of the model.

        None is all of them.

        What is not among them is neither listed nor found (Any: a query of the room that keeps the model).
        """
        return None

    def values(self, request: Request) -> Mapping[str, Any] | Awaitable[Mapping[str, Any]]:
        """Return values of a new record that the visitor does not choose.

        Any: of the types of the fields.
        """
        return {}

    def allows(self, action: str, request: Request, *, record: M | None = None) -> bool | Awaitable[bool]:
        """Return whether this visitor may do it.

        Links to what may not be done are left out.
        """
        return True

    def context(self, action: str, request: Request) -> Mapping[str, Any] | Awaitable[Mapping[str, Any]]:
        """Return more names for the template (Any: templates print anything)."""
        return {}

    # -- routes ------------------------------------------------------------------------------------------------------

    @classmethod
    def blueprint(cls, name: str = "") -> Blueprint:
        """Return the routes of these views.

        `/`, `/new`, `/{record}`, `/{record}/edit`, `/{record}/delete`.

        Raises:
            FormMistake: DJN-910, they cannot be made as they were declared.
        """
        views = cls()
        views.check()
        blueprint = Blueprint(name or views.records.plural.replace(" ", "_"), import_name=__name__)
        blueprint.template_folder = blueprint.static_folder = None
        record = f"{{record:{cls.lookup}}}" if cls.lookup else "{record}"
        patterns = {
            "list": "/",
            "create": "/new",
            "detail": f"/{record}",
            "update": f"/{record}/edit",
            "delete": f"/{record}/delete",
        }
        for action in sorted(cls.actions, key=list(patterns).index):
            methods = ["GET"] if action in ("list", "detail") else ["GET", "POST"]
            blueprint.add_route(patterns[action], views.handler(action), methods=methods, name=action)
        return blueprint

    def handler(self, action: str) -> Callable[..., Awaitable[Any]]:
        """Return the handler of an action, for a route of your own.

        Its pattern names `{record}` but for list and create.

        Any: it returns what handlers return.
        """
        made: Any = {
            "list": self._list,
            "detail": self._detail,
            "create": self._create,
            "update": self._update,
            "delete": self._delete,
        }[action]()
        made.__name__ = made.__qualname__ = f"{type(self).__name__}.{action}"
        for key in (action, "*"):
            if key in self.guards:
                made = self.guards[key](made)
        return made  # type: ignore[no-any-return]

    def check(self) -> None:
        """Find mistakes before the first request.

        Raises:
            FormMistake: DJN-910, a name that there is not, or nothing to write.
        """
        name = type(self).__name__
        if not has_records(self.model):
            raise FormMistake(
                f"{name} shows {self.model!r}.",
                why="Generic views are made for a model.",
                fix=f"class {name}(ModelViews[Post]): ...",
                code="DJN-910",
            )
        known = self.records.fields
        for option in ("list_display", "detail_display", "search_fields"):
            for field in getattr(self, option):
                if field not in known and not (option != "search_fields" and hasattr(self.model, field)):
                    raise FormMistake(
                        f"{name}.{option} names {field!r}, and {self.model.__name__} has nothing of that name."
                        f"{did_you_mean(field, known)}",
                        why=f"Its fields are {listing(known, last='and')}.",
                        fix=f'{option} = ("{next(iter(known))}", ...)',
                        code="DJN-910",
                    )
        for action in self.actions:
            if action not in ACTIONS:
                raise FormMistake(
                    f"{name}.actions names {action!r}.{did_you_mean(action, ACTIONS)}",
                    why=f"There are {listing(ACTIONS, last='and')}.",
                    fix='actions = ("list", "detail")',
                    code="DJN-910",
                )
        if {"create", "update"} & set(self.actions) and not self.fields and self.form is None:
            raise FormMistake(
                f"{name} makes and changes records, and nothing says which fields a visitor may set.",
                why="What a form shows anybody who sends it may set.",
                fix=f'class {name}(ModelViews[{self.model.__name__}], fields=("title", ...))\n'
                'or, where nobody does:  actions = ("list", "detail")',
                code="DJN-910",
            )

    # -- what templates use ------------------------------------------------------------------------------------------

    @property
    def records(self) -> Records[Any]:
        """How the records are handled."""
        return records_of(self.model)

    @property
    def columns(self) -> list[Field]:
        """The columns of the list."""
        names = self.list_display or self._public()[:4]
        return [self._described(name) for name in names]

    def label_of(self, record: M) -> str:
        """Return what people call a record."""
        return self.records.label_of(record)

    def cell(self, record: M, field: Field) -> Cell:
        """Return the value of a field as it is shown."""
        return cell_of(getattr(record, field.name), field)

    def cells(self, record: M) -> list[tuple[Field, Cell]]:
        """Return what the page of a record shows."""
        names = self.detail_display or self._public(with_lists=True)
        return [(field, self.cell(record, field)) for field in map(self._described, names)]

    def url(self, action: str, record: M | None = None) -> str:
        """Return the URL of another of these views."""
        return url_for(f".{action}") if record is None else url_for(f".{action}", record=record)

    def can_sort(self, field: Field) -> bool:
        """Return whether the list can be put in the order of a column."""
        known = self.records.fields.get(field.name)
        return known is not None and not known.private and field.name not in self.records.relations

    def _public(self, *, with_lists: bool = False) -> list[str]:
        relations = self.records.relations
        return [
            name
            for name, field in self.records.fields.items()
            if not field.private
            and "key_of" not in field.extra
            and name != "id"
            and (name not in relations or not relations[name].is_many or (with_lists and relations[name].writable))
            and (with_lists or field.format != "textarea")
        ]

    def _described(self, name: str) -> Field:
        field = self.records.fields.get(name)
        return Field(name=name) if field is None else field

    # -- handlers ----------------------------------------------------------------------------------------------------

    async def _enter(self, action: str, request: Request, record: M | None = None) -> None:
        """Let the visitor in, or not.

        Raises:
            NotFound: The record is none of theirs.
            Forbidden: They may not do it.
        """
        query = await _settled(self.query(request))
        if record is not None and query is not None:
            found = await self.records.find(self.records.key_of(record), query=query)
            if found is None:
                raise NotFound
        if not await self._may(action, request, record):
            raise Forbidden(_("You may not do this."))

    async def _may(self, action: str, request: Request, record: M | None = None) -> bool:
        if action not in self.actions:
            return False
        allowed = self.allows(action, request, record=record)
        return await allowed if isawaitable(allowed) else allowed

    async def _page(self, action: str, request: Request, *, status: int = 200, block: str = "", **names: Any) -> Page:
        record = names.get("record")
        # An object, since a dict has an `update` of its own.
        may = SimpleNamespace(**{one: await self._may(one, request, record) for one in ACTIONS})
        template = "form" if action in ("create", "update") else action
        return Page(
            f"{self.templates}/{template}.html{block}",
            status=status,
            views=self,
            action=action,
            may=may,
            **{**names, **await _settled(self.context(action, request))},
        )

    # Each handler asks for the battery, so that an app with these views alone has its templates.

    def _list(self) -> Any:
        async def show(request: Request, forms: Forms, page: int = 1, q: str = "", sort: str = "") -> Any:
            await self._enter("list", request)
            sortable = {field.name for field in self.columns if self.can_sort(field)}
            if sort and sort.removeprefix("-") not in sortable:
                raise NotFound(_("The list has no such order."))
            found = await self.records.page(
                page,
                size=self.per_page,
                search=q[:200],
                search_fields=self.search_fields,
                order=(sort,) if sort else self.ordering,
                query=await _settled(self.query(request)),
            )
            return await self._page("list", request, block="#results", page=found, search=q, sort=sort)

        return show

    def _detail(self) -> Any:
        async def show(request: Request, record: Any, forms: Forms) -> Any:
            await self._enter("detail", request, record)
            return await self._page("detail", request, record=record)

        show.__annotations__["record"] = self.model
        return show

    def _form(self) -> Any:
        if self.form is not None:
            return self.form
        return Annotated[(ModelForm[self.model], Fields(*self.fields), *self.rows)]  # type: ignore[name-defined]

    def _create(self) -> Any:
        async def make(request: Request, form: Any) -> Any:
            await self._enter("create", request)
            record = await form.save_if_valid(**await _settled(self.values(request)))
            if record is not None:
                return self._done(_("Made: %(label)s.", label=self.label_of(record)), record)
            return await self._page("create", request, form=form)

        make.__annotations__["form"] = self._form()
        return make

    def _update(self) -> Any:
        async def change(request: Request, record: Any, form: Any) -> Any:
            await self._enter("update", request, record)
            if await form.save_if_valid(record):
                return self._done(_("Changed: %(label)s.", label=self.label_of(record)), record)
            return await self._page("update", request, form=form, record=record)

        change.__annotations__.update(record=self.model, form=self._form())
        return change

    def _delete(self) -> Any:
        async def remove(request: Request, record: Any, forms: Forms) -> Any:
            await self._enter("delete", request, record)
            if request.method != "POST":
                return await self._page("delete", request, record=record, refusal="")
            label = self.label_of(record)
            refusal = await self.records.delete(record)
            if refusal is None:
                return self._done(_("Deleted: %(label)s.", label=label))
            return await self._page("delete", request, status=409, record=record, refusal=refusal)

        remove.__annotations__["record"] = self.model
        return remove

    def _done(self, message: str, record: M | None = None) -> Any:
        flash(message, "success")
        if record is not None and "detail" in self.actions:
            return redirect(self.url("detail", record), status=303)
        return redirect(self.url("list") if "list" in self.actions else "/", status=303)


async def _settled(value: Any) -> Any:
    """Return what a method gave, a coroutine's result where it was `async def` (Any: a query can be awaited too)."""
    return await value if iscoroutine(value) else value
