"""Fields of a form: as they are declared, prepared once.

And as they stand in one form, with value and errors.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any, Literal, Protocol, get_args, get_origin

from demijohn._lib.sentinels import MISSING
from demijohn._lib.text import bytes_as_text
from demijohn._lib.translation import gettext as _
from demijohn.app.signatures import stripped
from demijohn.errors import FieldError, ValidationFailed
from demijohn.forms.markup import attributes_of, render
from demijohn.forms.widgets import FileInput, Option, RelationBoxes, RelationSelect, Select, Widget, text_of, widget_for
from demijohn.http import Markup, UploadFile
from demijohn.schema import Choice, Choices, Field, Relation, converter, field_error
from demijohn.schema.field import split
from demijohn.schema.reading import typed

__all__ = ["BoundField", "FormField"]

_LISTS = (list, set, frozenset, tuple)


class FormField:
    """One field of a form as it was declared.

    What it is, how it is shown, and how its text is read.
    """

    __slots__ = ("_read", "field", "is_many", "is_text", "name", "options", "query", "relation", "required", "widget")

    def __init__(
        self,
        name: str,
        field: Field,
        *,
        relation: Relation | None = None,
        widget: Widget | None = None,
        query: Any = None,
    ) -> None:
        self.name = name
        self.relation = relation
        self.query = query
        self._read: Any = None
        if relation is not None:
            self.field = field
            self.options: tuple[tuple[Any, str], ...] | None = None
            self.is_many = relation.is_many
            self.widget = widget or (RelationBoxes() if relation.is_many else RelationSelect())
            self.required = relation.required
            self.is_text = False
            return
        self.field = field = _flat(field)
        tp = stripped(field.type)
        self.is_many = get_origin(tp) in _LISTS
        self.options = _options(field, tp, many=self.is_many)
        self.widget = widget or widget_for(field, self.options, many=self.is_many)
        self.is_text = tp is str
        self.required = field.required and not field.nullable and not self.is_many and tp is not bool
        if self.is_many and (field.min_length or 0) > 0:
            self.required = True
        if not self.widget.takes_file:
            self._read = converter(typed(field), text=True, place=("form", name))

    def read(self, raw: Any, place: tuple[str | int, ...]) -> tuple[Any, list[FieldError]]:
        """Return the value of what was typed, or `MISSING` for the default.

        Returned with it is what is wrong.

        Any: what a widget read, and values of all types.
        """
        if raw is None or raw == []:
            return self._blank(place)
        if self.widget.takes_file:
            return raw, self._wrong_files(raw, place)
        try:
            return self._read(raw), []
        except ValidationFailed as failed:
            return MISSING, [
                FieldError((*place, *error.place[2:]), error.code, self._worded(error)) for error in failed.errors
            ]

    def _blank(self, place: tuple[str | int, ...]) -> tuple[Any, list[FieldError]]:
        field = self.field
        if self.is_many:
            if (field.min_length or 0) > 0:
                return MISSING, [field_error(place, "missing")]
            return (get_origin(stripped(field.type)) or list)(), []
        if field.nullable:
            return None, []
        if self.required:
            return MISSING, [field_error(place, "missing")]
        if self.is_text and (field.min_length or 0) == 0 and field.pattern is None and field.format is None:
            return "", []
        # A control that was emptied means the default, for a record that is changed too.
        if field.default_factory is not None:
            return field.default_factory(), []
        return field.default, []

    def _worded(self, error: FieldError) -> str:
        """Return the sentence for people who choose from a list.

        What they chose is not on it.
        """
        return _("Choose one of those that are offered.") if error.code == "choice" and self.options else error.message

    def _wrong_files(self, raw: Any, place: tuple[str | int, ...]) -> list[FieldError]:
        errors = []
        widget = self.widget
        for upload in raw if isinstance(raw, list) else [raw]:
            if not isinstance(widget, FileInput) or not isinstance(upload, UploadFile):
                continue
            if widget.max_size is not None and upload.size > widget.max_size:
                limit = bytes_as_text(widget.max_size)
                errors.append(FieldError(place, "max_size", _("The file may have %(limit)s at most.", limit=limit)))
            if not widget.allows(upload):
                errors.append(
                    FieldError(
                        place,
                        "accept",
                        _("Files of this kind are not taken. Allowed: %(accept)s.", accept=widget.accept),
                    )
                )
        return errors


def _flat(field: Field) -> Field:
    """Return a field with what stands inside of `X | None` taken out.

    `Annotated[str, Field(...)] | None`.
    """
    inner, metadata = split(stripped(field.type))
    return (
        Field.read(metadata)
        .merge(field)
        .replace(type=inner | None if field.nullable and isinstance(inner, type) else inner)
        if metadata
        else field
    )


def _options(field: Field, tp: Any, *, many: bool) -> tuple[tuple[Any, str], ...] | None:
    if field.choices is not None:
        found: tuple[tuple[Any, str], ...] = field.choices
        return found
    if many:
        arguments = get_args(tp)
        tp = split(arguments[0])[0] if arguments else None
    if isinstance(tp, type) and issubclass(tp, Enum):
        return Field(choices=tp).choices  # type: ignore[no-any-return]
    if get_origin(tp) is Literal:
        return tuple((value, str(value)) for value in get_args(tp))
    if tp is bool and field.nullable:
        return ((True, _("Yes")), (False, _("No")))
    return None


class Holder(Protocol):
    """What a field asks of its form."""

    is_filled_in: bool

    @property
    def prefix(self) -> str:
        """What stands before the names of its controls."""
        raise NotImplementedError

    @property
    def key(self) -> str:
        """What tells the ids of two forms on one page apart."""
        raise NotImplementedError

    @property
    def may_be_empty(self) -> bool:
        """Whether it may be sent with nothing in it."""
        raise NotImplementedError

    def messages_of(self, name: str) -> list[str]:
        """Return what is wrong with a field."""
        raise NotImplementedError


class BoundField:
    """A field in one form: its value, its errors, its markup.

    Printed, it is all of it: label, help, control, errors. `field.input` is the control alone.
    """

    __slots__ = ("chosen", "form", "offered", "raw", "search", "spec", "value")

    def __init__(self, form: Holder, spec: FormField) -> None:
        self.form = form
        self.spec = spec
        self.raw: Any = None
        """What was typed, as the widget read it (Any: a text, a list of them, a file)."""
        self.value: Any = MISSING
        """The value: what was read, or what the form is filled with.

        Any: values of all types.
        """
        self.offered: Choices | None = None
        """The records that are offered, for a relation."""
        self.chosen: Sequence[Choice] = ()
        """The records that are chosen, whether they are offered or not."""
        self.search = ""

    @property
    def name(self) -> str:
        """The name of the field."""
        return self.spec.name

    @property
    def wire(self) -> str:
        """The name that the control sends."""
        return f"{self.form.prefix}{self.spec.name}"

    @property
    def id(self) -> str:
        """The id of the control."""
        return f"id_{self.form.key}{self.wire}"

    @property
    def label(self) -> str:
        """What people call it."""
        return str(self.spec.field.title)

    @property
    def help(self) -> str:
        """The sentence beside it, or nothing."""
        return str(self.spec.field.help or "")

    @property
    def widget(self) -> Widget:
        """What shows it."""
        return self.spec.widget

    @property
    def required(self) -> bool:
        """Whether it has to be filled in."""
        return self.spec.required

    @property
    def errors(self) -> list[str]:
        """What is wrong with it, as sentences."""
        return self.form.messages_of(self.spec.name)

    @property
    def is_searched(self) -> bool:
        """Whether there are more records than can be offered, so that one looks for them."""
        return bool(self.search) or (self.offered is not None and self.offered.has_more)

    @property
    def shown(self) -> Any:
        """What the control shows: a text, or a list of texts (Any: either)."""
        widget = self.widget
        if self.form.is_filled_in:
            if not widget.refills:
                return ""
            return widget.show(self.raw)
        value = self.value
        if value is MISSING:
            field = self.spec.field
            value = field.default if field.default is not MISSING else None
            if value is None and field.default_factory is not None:
                value = field.default_factory()
        return widget.show(value) if widget.refills else ""

    @property
    def options(self) -> list[Option]:
        """The choices, those that are chosen marked."""
        if self.spec.relation is not None:
            items = self.offered.items if self.offered is not None else ()
            offered = [Option(key, label, any(key == one.key for one in self.chosen)) for key, label in items]
            known = {option.value for option in offered}
            return [Option(key, label, True) for key, label in self.chosen if key not in known] + offered
        shown = self.shown
        chosen = set(shown) if isinstance(shown, list) else {shown}
        found = [(text_of(value), str(_(str(label)) if label else label)) for value, label in self.spec.options or ()]
        return [Option(value, label, value in chosen) for value, label in found]

    @property
    def has_blank(self) -> bool:
        """Whether nothing can be chosen: where that is allowed, or nothing was chosen yet."""
        return (
            isinstance(self.widget, Select)
            and not self.spec.is_many
            and (not self.required or not any(option.selected for option in self.options))
        )

    def attributes(self, **more: Any) -> Markup:
        """Return the attributes of the control.

        Constraints and what a screen reader needs among them.

        Any: what prints.
        """
        widget = self.widget
        found: dict[str, Any] = {"name": self.wire, "id": self.id}
        found.update(widget.attributes(self.spec.field))
        required = self.required and not widget.is_check and not widget.is_group
        if required and not self.form.may_be_empty:
            found["required"] = True
        if self.spec.field.placeholder:
            found["placeholder"] = str(self.spec.field.placeholder)
        found["aria_describedby"] = self.described_by or None
        if self.errors:
            found["aria_invalid"] = "true"
        found.update(widget.given_attributes)
        found.update(self.spec.field.extra.get("attributes", {}))
        found.update(more)
        return attributes_of(found)

    @property
    def described_by(self) -> str:
        """The ids of the help and of the errors, as far as there are any."""
        ids = [f"{self.id}_help"] if self.help else []
        ids += [f"{self.id}_errors"] if self.errors else []
        return " ".join(ids)

    @property
    def input(self) -> Markup:
        """The control alone."""
        return render(self.widget.template_name, field=self, widget=self.widget)

    def __html__(self) -> Markup:
        return self.input if self.widget.is_hidden else render("demijohn/forms/field.html", field=self)

    def __str__(self) -> str:
        return str(self.__html__())

    def __repr__(self) -> str:
        return f"<BoundField {self.wire}>"
