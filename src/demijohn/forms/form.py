"""`Form` and `ModelForm`: what a visitor typed, read, checked and shown again."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import msgspec

from demijohn._lib.sentinels import MISSING
from demijohn._lib.translation import gettext as _
from demijohn._lib.translation import ngettext
from demijohn.errors import FieldError, ValidationFailed
from demijohn.forms.choosing import offer, read_related
from demijohn.forms.faults import FormError
from demijohn.forms.fields import BoundField
from demijohn.forms.formrows import FormRows
from demijohn.forms.markup import attributes_of, render
from demijohn.forms.plans import FormPlan, plan_form
from demijohn.forms.rows import Rows
from demijohn.forms.widgets import Widget
from demijohn.http import Markup, UploadFile
from demijohn.schema import convert, fields_of, register_encoder
from demijohn.schema.classes import is_pydantic, kind_of

__all__ = ["BaseForm", "Form", "Row", "no_data", "subclass_for"]

T = TypeVar("T")
M = TypeVar("M")

_made: dict[Any, Any] = {}


class BaseForm:
    """What all forms have: bound fields by name, rows, errors, and their markup.

    `form.title` is the field of that name, as `form["title"]` is; iterating gives all of them in order.
    """

    __battery__: ClassVar[str] = "forms"
    target: ClassVar[Any] = None
    """The class whose fields it has (Any: a class with fields, or a model)."""
    own_fields: ClassVar[tuple[str, ...] | None] = None
    own_widgets: ClassVar[Mapping[str, Widget]] = {}
    own_queries: ClassVar[Mapping[str, Callable[[], Any]]] = {}
    own_rows: ClassVar[Mapping[str, Rows]] = {}

    def __init_subclass__(
        cls,
        *,
        fields: Iterable[str] | None = None,
        widgets: Mapping[str, Widget] | None = None,
        queries: Mapping[str, Callable[[], Any]] | None = None,
        rows: Iterable[Rows] = (),
        **options: Any,
    ) -> None:
        super().__init_subclass__(**options)
        if fields is not None:
            cls.own_fields = tuple(fields)
        if widgets is not None:
            cls.own_widgets = {**cls.own_widgets, **widgets}
        if queries is not None:
            cls.own_queries = {**cls.own_queries, **queries}
        given = {one.name: one for one in rows}
        if given:
            cls.own_rows = {**cls.own_rows, **given}

    def __init__(self, plan: FormPlan, *, name: str = "form", alone: bool = True, by_query: bool = False) -> None:
        self._plan = plan
        self.by_query = by_query
        """Whether it is sent by GET, in the query: to search or to filter."""
        self._name = name
        self._alone = alone
        self._errors: dict[str, list[FieldError]] = {}
        self._values: dict[str, Any] = {}
        self.action = ""
        """The value of the button that sent it, where that is called `_action`."""
        self.is_submitted = False
        """Whether it was sent, and meant to be: not to add a row, or to search."""
        self.is_filled_in = False
        """Whether it shows what was typed, and not what it is filled with."""
        self.bound_fields = {field.name: BoundField(self, field) for field in plan.fields.values()}
        self.row_sets = {rows.name: FormRows(self, rows, parents=plan.records) for rows in plan.rows.values()}

    def make_row(self, rows: FormRows, number: int, *, key: str) -> "Row":
        """Return a form for one child."""
        return Row(rows, number, key)

    @classmethod
    def plan(cls, names: Sequence[str] | None = None, *, rows: Iterable[Rows] = (), where: str = "") -> FormPlan:
        """Return what a form of this class is made of; with `names`, of these fields.

        Raises:
            FormMistake: It cannot be made.
        """
        return plan_form(
            cls.target,
            names if names is not None else cls.own_fields,
            where=where or cls.__name__,
            widgets=cls.own_widgets,
            queries=cls.own_queries,
            rows={**cls.own_rows, **{one.name: one for one in rows}},
        )

    # -- fields and errors -------------------------------------------------------------------------------------------

    @property
    def prefix(self) -> str:
        """What stands before the names of its controls: nothing, but in rows."""
        return ""

    @property
    def key(self) -> str:
        """What tells the ids of two forms on one page apart."""
        return "" if self._alone else f"{self._name}-"

    @property
    def may_be_empty(self) -> bool:
        """Whether it may be sent with nothing in it, as a new row.

        So that the browser does not insist.
        """
        return False

    @property
    def form_id(self) -> str:
        """The id of the form."""
        return f"id_{self.key}form"

    def __getattr__(self, name: str) -> BoundField:
        fields = self.__dict__.get("bound_fields", {})
        if name in fields:
            found: BoundField = fields[name]
            return found
        raise AttributeError(f"{type(self).__name__} has no field {name!r}; it has {', '.join(fields)}.")

    def __getitem__(self, name: str) -> BoundField:
        return self.bound_fields[name]

    def __iter__(self) -> Iterator[BoundField]:
        return iter(self.bound_fields.values())

    def __contains__(self, name: object) -> bool:
        return name in self.bound_fields

    def __len__(self) -> int:
        return len(self.bound_fields)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        state = "valid" if self.is_valid else f"{len(self.errors)} errors" if self.is_submitted else "not sent"
        return f"<{type(self).__name__} {', '.join(self.bound_fields)}: {state}>"

    @property
    def errors(self) -> dict[str, list[str]]:
        """What is wrong, as sentences by field.

        Under the empty name what belongs to none, rows as `lines-0-text`.
        """
        found = {name: [error.message for error in errors] for name, errors in self._errors.items()}
        for rows in self.row_sets.values():
            found.update(rows.errors)
        return found

    @property
    def is_valid(self) -> bool:
        """Whether it was sent, and nothing is wrong."""
        return self.is_submitted and not self.errors

    def messages_of(self, name: str) -> list[str]:
        """Return what is wrong with a field; with the empty name, what belongs to none."""
        return [error.message for error in self._errors.get(name, ())]

    def add_error(self, field: str | None, message: str, *, code: str = "value") -> None:
        """Say that something is wrong.

        With a field, or with the form as a whole where it is None.
        """
        if field is not None and field not in self.bound_fields:
            raise FormError(
                f"add_error({field!r}, ...) was called, and {type(self).__name__} has no such field.",
                why=f"It has {', '.join(self.bound_fields)}.",
                fix=f'self.add_error(None, "{message}") says it of the whole form.',
                code="DJN-904",
            )
        self.note(field or "", [FieldError(("form", *((field,) if field else ())), code, message)])

    def note(self, name: str, errors: Sequence[FieldError]) -> None:
        """Add errors of a field, or with the empty name of the whole form.

        Each sentence once.
        """
        known = self._errors.setdefault(name, [])
        known += [error for error in errors if error.message not in {one.message for one in known}]
        if not known:
            del self._errors[name]

    def field_errors(self) -> list[FieldError]:
        """Return every error with its place and code, as a problem document has them."""
        found = [error for errors in self._errors.values() for error in errors]
        for rows in self.row_sets.values():
            found += rows.field_errors()
        return found

    # -- reading -----------------------------------------------------------------------------------------------------

    def take(self, sent: Mapping[str, Sequence[str | UploadFile]]) -> None:
        """Keep what was typed."""
        self.is_filled_in = True
        for bound in self:
            bound.raw = bound.widget.read(sent.get(bound.wire, ()))
            search = sent.get(f"_search_{bound.wire}", ())
            bound.search = search[-1].strip()[:200] if search and isinstance(search[-1], str) else ""

    def knows(self, name: str) -> bool:
        """Return whether a control of this form, or of its rows, has a name."""
        return name in self.bound_fields or any(rows.knows(name) for rows in self.row_sets.values())

    def is_part(self, element_id: str) -> bool:
        """Return whether an element of the page is this form, or a part of it.

        Parts are its rows, and what a relation offers.
        """
        if element_id == self.form_id or any(rows.id == element_id for rows in self.row_sets.values()):
            return True
        forms = (self, *(row for rows in self.row_sets.values() for row in rows))
        return any(f"{bound.id}_options" == element_id for form in forms for bound in form)

    def act(self) -> bool:
        """Do what the button asks for that sent the form: search, or change rows.

        Return whether that was all.
        """
        verb, _colon, rest = self.action.partition(":")
        name, _colon, place = rest.partition(":")
        if verb == "search":
            return rest in self.bound_fields or any(rows.knows(rest) for rows in self.row_sets.values())
        return name in self.row_sets and self.row_sets[name].act(verb, place)

    async def check(self) -> None:
        """Read and check what was typed."""
        raise NotImplementedError

    async def check_fields(self) -> dict[str, Any]:
        """Read every field and return the values by name.

        Those in error and those left to their default aside.

        Any: values of all types.
        """
        values: dict[str, Any] = {}
        for bound in self:
            place = ("form", bound.wire)
            value, errors = (
                await read_related(bound, place) if bound.spec.relation else bound.spec.read(bound.raw, place)
            )
            if not errors and value is not MISSING:
                value, errors = await self._cleaned(bound, value, place)
            if errors:
                self.note(bound.name, errors)
            elif value is not MISSING:
                bound.value = values[bound.name] = value
        return values

    async def _cleaned(self, bound: BoundField, value: Any, place: tuple[str, ...]) -> tuple[Any, list[FieldError]]:
        clean = getattr(type(self), f"clean_{bound.name}", None)
        if clean is None:
            return value, []
        try:
            found = clean(self, value)
            return (await found if inspect.isawaitable(found) else found), []
        except ValueError as error:
            return MISSING, [FieldError(place, "value", str(error))]

    async def offer_choices(self) -> None:
        """Load the records that relations offer, as far as they are shown."""
        for bound in self:
            if bound.spec.relation is not None:
                await offer(bound)
        for rows in self.row_sets.values():
            await rows.offer_choices()

    def validate(self, data: Any) -> Awaitable[None] | None:
        """Check what concerns several fields.

        Overridden by your form, which may be `async def`.

        Called where each field is right. Say what is wrong by `self.add_error`, or raise `ValueError`
        (Any: `form.data`).
        """
        return None

    async def run_validators(self, data: Any) -> None:
        """Call `validate`, and take a `ValueError` for an error of the whole form.

        Any: `form.data`.
        """
        try:
            found = self.validate(data)
            if inspect.isawaitable(found):
                await found
        except ValueError as error:
            self.add_error(None, str(error))

    # -- markup ------------------------------------------------------------------------------------------------------

    @property
    def error_summary(self) -> Markup:
        """What is wrong, at the top of the form, each sentence a link to its field.

        Empty where nothing is.
        """
        if not self.errors:
            return Markup()
        items = [("", "", message) for message in self.messages_of("")]
        items += [(field.id, field.label, message) for field in self for message in field.errors]
        for rows in self.row_sets.values():
            items += rows.summary()
        title = ngettext("One thing has to be mended", "%(num)s things have to be mended", len(items))
        return render("demijohn/forms/summary.html", form=self, title=title, items=items)

    def opening(self, *, action: str = "", htmx: bool = False, **attributes: Any) -> Markup:
        """Return `<form>` with all that is not seen, and the errors.

        Any: more attributes of the form.

        Args:
            action: Where it is sent; the page's own URL where nothing is said.
            htmx: Send it by htmx, and put the form of the answer in the place of this one.
            attributes: More HTML attributes.
        """
        return render("demijohn/forms/opening.html", form=self, action=action, htmx=htmx, attributes=attributes)

    def closing(self) -> Markup:
        """Return `</form>`."""
        return Markup("</form>")

    def render(self, *, submit: str = "", action: str = "", htmx: bool = False, **attributes: Any) -> Markup:
        """Return the whole form (Any: more attributes of the form).

        Args:
            submit: What stands on the button; "Save" where nothing is said.
            action, htmx, attributes: As in `opening`.
        """
        return render(
            "demijohn/forms/form.html",
            form=self,
            submit=submit or _("Save"),
            action=action,
            htmx=htmx,
            attributes=attributes,
        )

    def attributes_of(self, more: Mapping[str, Any]) -> Markup:
        """Return more HTML attributes of the form (Any: what prints)."""
        return attributes_of(more)

    @property
    def has_actions(self) -> bool:
        """Whether it has buttons that do not save.

        So that Enter needs one that does before them.
        """
        return bool(self.row_sets) or any(bound.is_searched for bound in self)

    @property
    def takes_files(self) -> bool:
        """Whether it has to be sent as `multipart/form-data`."""
        return self._plan.takes_files

    @property
    def hidden_name(self) -> str:
        """What tells two forms of one page apart when they are sent.

        Empty where there is one.
        """
        return "" if self._alone else self._name

    def __html__(self) -> Markup:
        return self.render()

    def __str__(self) -> str:
        return str(self.render())


class Row(BaseForm):
    """A child in the form of its parent.

    Attributes:
        number: Its place among the rows, which its controls are named by.
        key: The key of the child, empty for a new one.
        child: The child itself, once it is known (Any: a record).
        is_removed: Whether it is to be deleted.
        is_blank: Whether nothing was typed into it.
    """

    def __init__(self, rows: FormRows, number: int, key: str = "") -> None:
        self.row_set = rows
        self.number = number
        self.row_key = key
        self.child: Any = None
        self.is_removed = False
        self.is_blank = True
        self.values: dict[str, Any] = {}
        super().__init__(rows.plan.form)

    @property
    def prefix(self) -> str:
        """What stands before the names of its controls."""
        return f"{self.row_set.name}-{self.number}-"

    @property
    def key(self) -> str:
        """What tells the ids of two forms on one page apart."""
        return self.row_set.form.key

    @property
    def may_be_empty(self) -> bool:
        """Whether it may be sent with nothing in it: a new row."""
        return not self.row_key

    @property
    def is_ignored(self) -> bool:
        """Whether it is not to be written: removed, or new and empty."""
        return self.is_removed or (not self.row_key and self.is_blank)

    def take_numbered(self, sent: Mapping[str, Sequence[str | UploadFile]], number: int) -> None:
        """Keep what was typed into the row that was sent under a number.

        Rows are numbered anew without gaps.
        """
        own, self.number = self.number, number
        self.take(sent)
        self.is_blank = all(
            bound.raw in (None, [], "")
            or (bound.widget.is_check and bound.raw == "false")
            or bound.raw == _initial(bound)
            for bound in self
        )
        self.is_removed = "_removed" in {
            name.removeprefix(self.prefix) for name in sent if name.startswith(self.prefix)
        }
        self.number = own

    def refuse(self, errors: Iterable[FieldError]) -> None:
        """Put what the model or the database refused beside its field, or above the row."""
        for error in errors:
            name = str(error.place[1]) if len(error.place) > 1 else ""
            shown = name in self.bound_fields
            place = ("form", f"{self.prefix}{name}" if shown else self.prefix.rstrip("-"))
            self.note(name if shown else "", [error._replace(place=place)])


def _initial(bound: Any) -> Any:
    """Return what the control of an empty row shows, such as a default.

    Any: as a widget reads it.
    """
    typed, bound.form.is_filled_in = bound.form.is_filled_in, False
    try:
        return bound.shown
    finally:
        bound.form.is_filled_in = typed


def subclass_for(cls: Any, target: Any) -> Any:
    """Return the class of forms for one target, the same one each time.

    Any: a generic class with its argument.
    """
    key = (cls, target)
    made = _made.get(key)
    if made is None:
        name = f"{cls.__name__}[{getattr(target, '__name__', target)}]"
        made = _made[key] = type(name, (cls,), {"target": target, "__module__": cls.__module__})
    return made


def no_data(form: BaseForm) -> FormError:
    state = f"has errors in {', '.join(filter(None, form.errors)) or 'itself'}" if form.is_submitted else "was not sent"
    return FormError(
        f"`data` of {form!r} was read, and the form {state}.",
        why="There is data once all of it is right.",
        fix="Write  if form.is_valid:  before it.",
    )


class Form(BaseForm, Generic[T]):
    """A form with the fields of any class that has some.

    Struct, dataclass, TypedDict, attrs, pydantic.

    A handler asks for it by annotation. On GET it is empty, on POST it was read and checked.

    Example:
        ```python notest
        @app.route("/contact", methods=["GET", "POST"])
        async def contact(form: Form[Contact]):
            if form.is_valid:
                send(form.data)  # a Contact
                return redirect("/thanks")
            return Page("contact.html", form=form)
        ```
    """

    if not TYPE_CHECKING:

        def __class_getitem__(cls, target: Any) -> Any:
            return super().__class_getitem__(target) if isinstance(target, TypeVar) else subclass_for(cls, target)

    _data: Any = MISSING

    @property
    def data(self) -> T:
        """What was typed, as an object of the class.

        Raises:
            FormError: The form is not valid, so that there is none.
        """
        if self._data is MISSING or not self.is_valid:
            raise no_data(self)
        return self._data  # type: ignore[no-any-return]

    def fill(self, values: "T | Mapping[str, Any]") -> Self:
        """Show these values where nothing was typed.

        An object of the class, or values by name.

        Any: values of the types of the fields.
        """
        for bound in self:
            found = (
                values.get(bound.name, MISSING) if isinstance(values, Mapping) else getattr(values, bound.name, MISSING)
            )
            if found is not MISSING and not self.is_filled_in:
                bound.value = found
        return self

    async def check(self) -> None:
        """Read and check what was typed."""
        values = await self.check_fields()
        if self.errors:
            return
        try:
            data = self._make(values)
        except ValidationFailed as failed:
            for error in failed.errors:
                name = str(error.place[-1]) if error.place else ""
                self.note(name if name in self.bound_fields else "", [error])
            return
        except (ValueError, msgspec.ValidationError) as error:
            self.add_error(None, str(error))
            return
        self._data = data
        await self.run_validators(data)

    def _make(self, values: dict[str, Any]) -> Any:
        if is_pydantic(self.target):
            return convert(values, self.target)
        kind = kind_of(self.target)
        if kind != "typeddict":
            return self.target(**values)
        defaults = {
            name: field.default for name, field in fields_of(self.target).items() if field.default is not MISSING
        }
        return {**defaults, **values}


def _as_data(form: BaseForm) -> dict[str, Any]:
    """Return a form as data, for a route that offers its page in other formats: what it shows, and what is wrong."""
    fields = {field.name: {"label": field.label, "value": field.shown, "errors": field.errors} for field in form}
    return {"fields": fields, "errors": form.errors}


register_encoder(BaseForm, _as_data)
