"""`ModelAdmin`: how one model is shown, searched, filtered and changed. Names are Django's where they mean the same."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias, TypeVar, overload

from demijohn.admin.access import Access
from demijohn.admin.naming import capitalize, humanize, pluralize, section_of, words_of
from demijohn.db import Model, QuerySet
from demijohn.db.declarative import table_name
from demijohn.db.descriptions import describe
from demijohn.errors import ConfigurationError
from demijohn.forms import ModelForm
from demijohn.http import Request

__all__ = ["Action", "Columnlike", "Display", "ModelAdmin", "OwnPage", "Site", "action", "display", "fixed_names"]

F = TypeVar("F", bound=Callable[..., Any])

Columnlike: TypeAlias = Any
"""A field's name (`"title"`, `"author__email"`), an attribute of a model (`Post.title`), or a function of the object.

Any: attributes of models have types of their own.
"""


class Display:
    """What `@display` says of a method that makes a column."""

    __slots__ = ("boolean", "empty", "label", "ordering")

    def __init__(self, label: str | None, ordering: Columnlike, boolean: bool, empty: str | None) -> None:
        self.label = label
        self.ordering = ordering
        self.boolean = boolean
        self.empty = empty


class Action:
    """What `@action` says of a function that does something to many objects."""

    __slots__ = ("confirm", "danger", "label", "name", "permission")

    def __init__(self, name: str, label: str, permission: str, confirm: str, danger: bool) -> None:
        self.name = name
        self.label = label
        self.permission = permission
        self.confirm = confirm
        self.danger = danger


def display(
    *, label: str | None = None, ordering: Columnlike = None, boolean: bool = False, empty: str | None = None
) -> Callable[[F], F]:
    """Describe a function that makes a column of a list.

    Args:
        label: The heading.
        ordering: The field that the column is sorted by; it is not sorted without one. `-` turns it round.
        boolean: Show a mark for yes and no.
        empty: What is shown for None.

    Example:
        @display(label="Words", ordering="body")
        def words(self, post): return len(post.body.split())
    """

    def mark(function: F) -> F:
        function.__demijohn_display__ = Display(label, ordering, boolean, empty)  # type: ignore[attr-defined]
        return function

    return mark


@overload
def action(function: F, /) -> F: ...
@overload
def action(
    *, label: str | None = None, permission: str = "change", confirm: str | bool = False, danger: bool = False
) -> Callable[[F], F]: ...
def action(
    function: F | None = None,
    /,
    *,
    label: str | None = None,
    permission: str = "change",
    confirm: str | bool = False,
    danger: bool = False,
) -> F | Callable[[F], F]:
    """Describe a function that does something to the chosen objects of a list.

    It takes the query of the chosen objects, and the request if it has a second parameter; it may be async. A text that
    it returns is shown, a response is sent.

    Args:
        function: The function, where nothing else is said.
        label: What the button says; the function's name otherwise.
        permission: What the user has to be allowed: `view`, `add`, `change`, `delete`, or a permission's full name.
        confirm: Ask first: `True`, or the question.
        danger: Mark it as something to be careful with.

    Example:
        @action(label="Publish", confirm=True)
        async def publish(self, posts): return f"{await posts.update(published=True)} published."
    """

    def mark(function: F) -> F:
        name = function.__name__
        question = confirm if isinstance(confirm, str) else ("?" if confirm else "")
        about = Action(name, label or humanize(name), permission, question, danger)
        function.__demijohn_action__ = about  # type: ignore[attr-defined]
        return function

    return mark if function is None else mark(function)


class OwnPage(NamedTuple):
    """A page of the site's own in the admin (Any: a handler)."""

    path: str
    title: str
    permission: str
    section: str
    handler: Callable[..., Any]


class Site(Protocol):
    """What options and pages know of the `Admin` that they belong to."""

    prefix: str
    title: str
    site_url: str
    count_limit: int
    access: Access
    pages: list[OwnPage]

    @property
    def admins(self) -> "Mapping[str, ModelAdmin]":
        """The options of each model by the model's name in URLs."""
        raise NotImplementedError

    def get(self, slug: str, /) -> "ModelAdmin":
        """Return the options of a model by its name in URLs, or answer 404."""
        raise NotImplementedError

    def find_for(self, model: type[Any], /) -> "ModelAdmin | None":
        """Return the options of a model, or None where it has no page here."""
        raise NotImplementedError

    def admin_for(self, model: type[Any], /) -> "ModelAdmin":
        """Return the options of a model, plain ones where it has no page here."""
        raise NotImplementedError

    def plan(self, admin: "ModelAdmin", /) -> Any:
        """Return what the options of a model mean (Any: a `Plan`)."""
        raise NotImplementedError


class ModelAdmin:
    """How one model appears in the admin.

    All options may be left out: what a field is says how it is shown.

    Attributes:
        label, label_plural: What one object and many are called; `__label__` and `__label_plural__` of the model, or
            words made from its name, otherwise. Lazy texts are looked up in the language of the visitor.
        section: The heading of the sidebar that the model stands under; made from its module otherwise.
        list_display: Columns: fields, paths (`author__email`), methods of this class, functions of the object.
        list_display_links: The columns that lead to the object; the first one otherwise.
        list_editable: Fields that can be changed in the list.
        list_filter: Fields, paths and `Filter` classes (Any: filters are made above this module); a pair
            `("field", NullFilter)` chooses the filter.
        search_fields: Fields and paths that the search looks at; `^title` from the beginning, `=slug` as a whole.
        search_help: A sentence below the search.
        date_hierarchy: A date field to go through by year, month and day.
        ordering: The order at first: `["-created_at"]`.
        list_per_page: Rows on a page.
        fields, exclude: The fields of the form, or those to leave out. Two in a tuple stand side by side.
        fieldsets: Groups of fields: `[("Text", {"fields": ["title", "body"], "description": "", "collapse": True})]`.
        readonly_fields: Fields and methods that the form shows and does not take.
        form: A `ModelForm` with validators and widgets of your own; which fields it has is said here.
        inlines: `Inline` classes (Any: made above this module): related objects that are changed on the same page.
        autocomplete_fields: Relations that are searched from the first row on; others are when they have many.
        radio_fields: Fields whose choices are radio buttons.
        prepopulated_fields: Fields that follow others while one types: `{"slug": ["title"]}`.
        actions: What can be done to chosen objects: functions and names of methods; the delete comes by itself.
        after_adding: Where to go on once an object was added, below its address: `"password/"`.
        save_on_top: Show the buttons above the form too.
        empty_value: What is shown for None.

    Example:
        @admin.register(Post)
        class PostAdmin(ModelAdmin):
            list_display = ["title", "author", "published"]
    """

    label: ClassVar[str] = ""
    label_plural: ClassVar[str] = ""
    section: ClassVar[str | None] = None
    list_display: ClassVar[Sequence[Columnlike]] = ()
    list_display_links: ClassVar[Sequence[str] | None] = ()
    list_editable: ClassVar[Sequence[str]] = ()
    list_filter: ClassVar[Sequence[Columnlike | type[Any] | tuple[Columnlike, type[Any]]] | None] = None
    search_fields: ClassVar[Sequence[Columnlike] | None] = None
    search_help: ClassVar[str] = ""
    date_hierarchy: ClassVar[str] = ""
    ordering: ClassVar[Sequence[Columnlike]] = ()
    list_per_page: ClassVar[int] = 100
    fields: ClassVar[Sequence[str | tuple[str, ...]] | None] = None
    exclude: ClassVar[Sequence[str]] = ()
    fieldsets: ClassVar[Sequence[tuple[str | None, Mapping[str, Any]]] | None] = None
    readonly_fields: ClassVar[Sequence[Columnlike]] = ()
    form: ClassVar[type[ModelForm[Any]] | None] = None
    inlines: ClassVar[Sequence[type[Any]]] = ()
    autocomplete_fields: ClassVar[Sequence[str]] = ()
    radio_fields: ClassVar[Sequence[str]] = ()
    prepopulated_fields: ClassVar[Mapping[str, Sequence[str]]] = {}
    actions: ClassVar[Sequence[Callable[..., Any] | str]] = ()
    after_adding: ClassVar[str] = ""
    save_on_top: ClassVar[bool] = False
    empty_value: ClassVar[str] = "–"

    def __init__(self, model: type[Model], site: Site) -> None:
        self.model = model
        self.site = site
        self.name = table_name(model.__name__)
        self.slug = str(model.__tablename__).replace("_", "-")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.model.__name__}>"

    # -- what it is called, in the language of now --------------------------------------------------------------------

    @property
    def noun(self) -> str:
        """Return what one object is called."""
        return str(self.label or getattr(self.model, "__label__", "") or words_of(self.model.__name__))

    @property
    def nouns(self) -> str:
        """Return what many objects are called."""
        said = self.label_plural or ("" if self.label else getattr(self.model, "__label_plural__", ""))
        return str(said) if said else pluralize(self.noun)

    @property
    def heading(self) -> str:
        """Return what many objects are called, with a capital."""
        return capitalize(self.nouns)

    @property
    def group(self) -> str:
        """Return the heading of the sidebar that the model stands under."""
        return section_of(self.model) if self.section is None else str(self.section)

    # -- hooks --------------------------------------------------------------------------------------------------------

    def query(self, user: Any) -> QuerySet[Any]:
        """Return the objects that exist for a user.

        Lists, searches, choices and pages know no others. Any: users and models are of any class.
        """
        return self.model.query()

    def has_view_permission(self, user: Any, obj: Any = None) -> bool:
        """Return whether a user may see the objects, or this one (Any: of any class)."""
        return bool(self.site.access.may(user, f"{self.name}.view", obj=obj))

    def has_add_permission(self, user: Any, obj: Any = None) -> bool:
        """Return whether a user may add objects (Any: of any class)."""
        return bool(self.site.access.may(user, f"{self.name}.add"))

    def has_change_permission(self, user: Any, obj: Any = None) -> bool:
        """Return whether a user may change the objects, or this one (Any: of any class)."""
        return bool(self.site.access.may(user, f"{self.name}.edit", obj=obj))

    def has_delete_permission(self, user: Any, obj: Any = None) -> bool:
        """Return whether a user may delete the objects, or this one (Any: of any class)."""
        return bool(self.site.access.may(user, f"{self.name}.delete", obj=obj))

    def readonly_for(self, user: Any, obj: Any = None) -> Sequence[Columnlike]:
        """Return the fields that this user sees and may not set (Any: of any class)."""
        return self.readonly_fields

    def fields_for(self, user: Any, obj: Any = None) -> Sequence[str | tuple[str, ...]] | None:
        """Return the fields of the form for this user, None for all (Any: of any class)."""
        return self.fields

    def form_for(self, user: Any, obj: Any = None) -> type[ModelForm[Any]] | None:
        """Return the class of the form (Any: of any class)."""
        return self.form

    def fieldsets_for(self, user: Any, obj: Any = None) -> Sequence[tuple[str | None, Mapping[str, Any]]] | None:
        """Return the groups of fields for this user, None for one group.

        Any: of any class.
        """
        return self.fieldsets

    def choices_for(self, name: str) -> Sequence[str] | None:
        """Return the texts that a field offers, where the model does not say them.

        None for a field that takes what the model says.
        """
        return None

    def initial(self, request: Request) -> Mapping[str, Any]:
        """Return the values that a new object begins with (Any: of the fields' types)."""
        return {}

    def values(self, user: Any, obj: Any = None) -> Mapping[str, Any]:
        """Return more values to save, which the form does not ask for.

        Any: users and objects of any class, None for a new one; values of the fields' types.

        Example:
            def values(self, user, obj=None): return {} if obj else {"author": user}
        """
        return {}

    async def saved(self, obj: Any, user: Any, *, is_new: bool) -> None:
        """Do more once an object was written, in the same transaction (Any: of any class)."""

    async def delete(self, obj: Any, user: Any) -> None:
        """Delete an object (Any: of any class)."""
        await obj.delete()

    def page_url(self, obj: Any) -> str:
        """Return the page of an object on the site.

        An empty text where it has none (Any: of the model).
        """
        if type(obj).page_url is Model.page_url:
            return ""
        return str(obj.page_url())

    def object_pages(self, obj: Any, user: Any) -> Sequence[tuple[str, str]]:
        """Return more tabs of an object's page.

        Each with what it says and its address below that of the object (Any: of any class).
        """
        return ()

    # -- what follows from the model ----------------------------------------------------------------------------------

    def field(self, name: str) -> Any:
        """Return the description of a field, or None (Any: a `schema.Field`)."""
        return describe(self.model).get(name)

    def wrong(self, option: str, given: object, *, why: str, fix: str) -> ConfigurationError:
        """Return the error for an option that cannot work."""
        return ConfigurationError(
            f"{type(self).__name__}.{option} of {self.model.__name__} has {given!r}.", why=why, fix=fix, code="DJN-951"
        )


def fixed_names(admin: ModelAdmin, user: Any, obj: Any = None) -> set[str]:
    """Return the names of what a user may not set of an object, or of a new one (Any: of any class)."""
    given = admin.readonly_for(user, obj)
    return {name if isinstance(name, str) else str(getattr(name, "key", name)) for name in given}
