"""Widgets: how a field is shown and how its text is read.

Chosen by what the field says of itself.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, NamedTuple

from demijohn.app.context import find_unit
from demijohn.http import UploadFile
from demijohn.schema import Field

__all__ = [
    "CheckBox",
    "CheckBoxes",
    "DateInput",
    "DateTimeInput",
    "FileInput",
    "Hidden",
    "MultiSelect",
    "NumberInput",
    "Option",
    "PasswordInput",
    "Radios",
    "RelationBoxes",
    "RelationSelect",
    "Select",
    "TextArea",
    "TextInput",
    "TextList",
    "TimeInput",
    "Widget",
]

Sent = Sequence[str | UploadFile]
"""The values that a form sent under one name."""


class Option(NamedTuple):
    """One thing to choose."""

    value: str
    label: str
    selected: bool = False


class Widget:
    """How a field is shown, and how what it sends is read.

    A widget of your own names a template, which sees `field` (a `BoundField`) and `widget`.

    Args:
        template: Another template than that of the class.
        attributes: More HTML attributes of the control: `TextArea(rows=12)` (Any: what prints).
    """

    template: ClassVar[str] = "demijohn/forms/widgets/input.html"
    type: ClassVar[str] = "text"
    is_group: ClassVar[bool] = False
    """Whether it is several controls, so that the label is the legend of a group."""
    is_check: ClassVar[bool] = False
    """Whether the label stands behind the control."""
    is_many: ClassVar[bool] = False
    """Whether it sends any number of values."""
    takes_file: ClassVar[bool] = False
    is_hidden: ClassVar[bool] = False
    trims: ClassVar[bool] = True
    """Whether spaces around the text are taken away."""
    refills: ClassVar[bool] = True
    """Whether what was typed is shown again."""

    def __init__(self, *, template: str | None = None, **attributes: Any) -> None:
        self.given_attributes = attributes
        self.template_name = template or self.template

    def attributes(self, field: Field) -> dict[str, Any]:
        """Return the HTML attributes that the field asks for (Any: what prints)."""
        return {"type": self.type}

    def read(self, sent: Sent) -> Any:
        """Return what was typed: a text, a list of them, a file, or None for nothing.

        Any: one of these.
        """
        for value in reversed(sent):
            if isinstance(value, str):
                text = value.replace("\r\n", "\n")
                text = text.strip() if self.trims else text
                return text or None
        return None

    def show(self, value: Any) -> Any:
        """Return a value as the control has it: a text, or a list of texts.

        Any: values of all types.
        """
        return text_of(value)


def text_of(value: Any) -> str:
    """Return a value as the text of a form (Any: values of all types)."""
    if value is None:
        return ""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)


class TextInput(Widget):
    """An `<input>` of a line of text: text, email, url, tel, search, color."""

    def __init__(self, type: str = "text", /, *, template: str | None = None, **attributes: Any) -> None:  # noqa: A002 - the name in HTML
        super().__init__(template=template, **attributes)
        self.kind = type

    def attributes(self, field: Field) -> dict[str, Any]:
        """Return the constraints that HTML knows."""
        found: dict[str, Any] = {"type": self.kind}
        found.update(_lengths(field))
        if field.pattern is not None and self.kind in ("text", "email", "url", "tel", "search"):
            found["pattern"] = html_pattern(field.pattern)
        if self.kind in _COMPLETED:
            found["autocomplete"] = _COMPLETED[self.kind]
        if self.kind in ("text", "search"):
            found["dir"] = "auto"  # a name may be written from right to left on a page that is not
        if self.kind in ("email", "url"):
            found["spellcheck"] = "false"
        return found


_FOREIGN = re.compile(r"\(\?(?![:=!])|\\[AZbBzG]|\\\d|[*+?}][+]|\^|\$(?!$)")
_CLASS = re.compile(r"(?<!\\)(?:\\\\)*\[(\^?)((?:\\.|[^\]\\])*)\]", re.DOTALL)


def html_pattern(pattern: str) -> str | None:
    """Return a pattern as browsers read it (the flag `v` of ECMAScript).

    Or None where the two differ.

    In a class they want `-` and brackets that mean themselves escaped, and pass over the whole pattern otherwise.
    """
    bare = _CLASS.sub("", pattern)
    if _FOREIGN.search(bare) or "[[" in pattern or "--" in pattern or "&&" in pattern:
        return None
    return _CLASS.sub(lambda match: f"[{match[1]}{_class(match[2])}]", pattern)


def _class(inside: str) -> str:
    found: list[str] = []
    at = 0
    parts = re.findall(r"\\.|.", inside, re.DOTALL)
    while at < len(parts):
        part = parts[at]
        if part == "-" and (at == 0 or at == len(parts) - 1 or found[-1].endswith("\0")):
            found.append("\\-")
        elif part == "-":
            # A range: what ends it begins no other.
            found.append(f"-{_literal(parts[at + 1])}\0")
            at += 1
        else:
            found.append(_literal(part))
        at += 1
    return "".join(found).replace("\0", "")


def _literal(part: str) -> str:
    return f"\\{part}" if part in "()[]{}/|-" and len(part) == 1 else part


_COMPLETED = {"email": "email", "url": "url", "tel": "tel"}


def _lengths(field: Field) -> dict[str, Any]:
    return {"minlength": field.min_length or None, "maxlength": field.max_length}


class Hidden(TextInput):
    """An `<input type="hidden">`."""

    is_hidden = True

    def __init__(self) -> None:
        super().__init__("hidden")

    def attributes(self, field: Field) -> dict[str, Any]:
        """Return the type alone: nobody types here."""
        return {"type": "hidden"}


class PasswordInput(TextInput):
    """A password: it is never shown again, and no space of it is taken away."""

    trims = False
    refills = False

    def __init__(self, *, new: bool = False, **attributes: Any) -> None:
        super().__init__("password", **attributes)
        self.new = new

    def attributes(self, field: Field) -> dict[str, Any]:
        """Return the lengths, and what a password manager wants to know."""
        return {**super().attributes(field), "autocomplete": "new-password" if self.new else "current-password"}


class TextArea(Widget):
    """A `<textarea>` of several lines."""

    template = "demijohn/forms/widgets/textarea.html"
    trims = False

    def attributes(self, field: Field) -> dict[str, Any]:
        """Return the lengths."""
        return {"rows": 6, "dir": "auto", **_lengths(field)}


class NumberInput(Widget):
    """A number, with its bounds and its step."""

    type = "number"

    def attributes(self, field: Field) -> dict[str, Any]:
        """Return the bounds; HTML knows no exclusive ones.

        So that those of whole numbers are moved by one.
        """
        whole = field.type is int or _bare(field.type) is int
        low, high = field.ge, field.le
        if whole:
            low = field.gt + 1 if low is None and field.gt is not None else low
            high = field.lt - 1 if high is None and field.lt is not None else high
        step: Any = None if whole else "any"
        if field.multiple_of is not None:
            step = field.multiple_of
        elif field.decimal_places is not None:
            step = Decimal(1).scaleb(-field.decimal_places)
        return {"type": "number", "min": low, "max": high, "step": step, "inputmode": "numeric" if whole else "decimal"}


class DateInput(Widget):
    """A date."""

    type = "date"

    def attributes(self, field: Field) -> dict[str, Any]:
        """Return the first and the last day."""
        return {"type": self.type, "min": field.ge, "max": field.le}


class TimeInput(Widget):
    """A time of the day."""

    type = "time"

    def attributes(self, field: Field) -> dict[str, Any]:
        """Return the bounds; seconds are left to the browser."""
        return {"type": self.type, "min": text_of(field.ge) or None, "max": text_of(field.le) or None}

    def show(self, value: Any) -> Any:
        """Return hours and minutes, and seconds where there are any."""
        if isinstance(value, time):
            return value.isoformat("seconds" if value.second else "minutes")
        return text_of(value)


class DateTimeInput(Widget):
    """A date and time, read and shown in the time zone of the visitor."""

    type = "datetime-local"

    def attributes(self, field: Field) -> dict[str, Any]:
        """Return the bounds in local time."""
        return {"type": self.type, "min": self.show(field.ge) or None, "max": self.show(field.le) or None}

    def read(self, sent: Sent) -> Any:
        """Return the text with the offset of the zone, where it has none."""
        text = super().read(sent)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return text
        return text if moment.tzinfo is not None else moment.replace(tzinfo=_zone()).isoformat()

    def show(self, value: Any) -> Any:
        """Return the moment as the browser wants it, in local time."""
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                return value
        if not isinstance(value, datetime):
            return text_of(value)
        local = value if value.tzinfo is None else value.astimezone(_zone())
        return local.replace(tzinfo=None, microsecond=0).isoformat("T", "seconds" if local.second else "minutes")


def _zone() -> tzinfo:
    """Return the time zone of the visitor: what a battery says that knows it, else UTC."""
    unit = find_unit()
    to_local = None if unit is None else unit.app.templates.filters.get("to_local")
    zone = None if to_local is None else to_local(datetime.now(UTC)).tzinfo
    return zone or UTC


class CheckBox(Widget):
    """Yes or no."""

    template = "demijohn/forms/widgets/check.html"
    type = "checkbox"
    is_check = True

    def read(self, sent: Sent) -> Any:
        """Return the text that the box sends.

        A box without a tick sends none, which is no.
        """
        return super().read(sent) or "false"

    def show(self, value: Any) -> Any:
        """Return whether the box is ticked."""
        return value is True or (isinstance(value, str) and value not in ("", "false"))


class Select(Widget):
    """One of several, in a list that opens."""

    template = "demijohn/forms/widgets/select.html"

    def attributes(self, field: Field) -> dict[str, Any]:
        """Return nothing: the choices are the constraint."""
        return {}


class Radios(Select):
    """One of a few, all in sight."""

    template = "demijohn/forms/widgets/options.html"
    type = "radio"
    is_group = True


class MultiSelect(Select):
    """Any number of many."""

    is_many = True

    def attributes(self, field: Field) -> dict[str, Any]:
        """Return that several may be chosen."""
        return {"multiple": True, "size": 8}

    def read(self, sent: Sent) -> Any:
        """Return every value that was sent."""
        return list(dict.fromkeys(value for value in sent if isinstance(value, str) and value))

    def show(self, value: Any) -> Any:
        """Return the texts of the values."""
        return [text_of(one) for one in value or ()] if not isinstance(value, str) else [value]


class CheckBoxes(MultiSelect):
    """Any number of a few, all in sight."""

    template = "demijohn/forms/widgets/options.html"
    type = "checkbox"
    is_group = True

    def attributes(self, field: Field) -> dict[str, Any]:
        """Return nothing: each box stands by itself."""
        return {}


class TextList(MultiSelect):
    """Several texts in one line, with commas between them."""

    template = "demijohn/forms/widgets/input.html"

    def attributes(self, field: Field) -> dict[str, Any]:
        """Return the type."""
        return {"type": "text"}

    def read(self, sent: Sent) -> Any:
        """Return the parts between commas."""
        text = ",".join(value for value in sent if isinstance(value, str))
        return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))

    def show(self, value: Any) -> Any:
        """Return the texts with commas between them."""
        return value if isinstance(value, str) else ", ".join(text_of(one) for one in value or ())


class RelationSelect(Select):
    """One record of a model.

    A list while there are few, with a search where there are many.

    Args:
        limit: How many records are offered at once.
    """

    template = "demijohn/forms/widgets/relation.html"

    def __init__(self, *, limit: int = 100, template: str | None = None, **attributes: Any) -> None:
        super().__init__(template=template, **attributes)
        self.limit = limit


class RelationBoxes(RelationSelect):
    """Any number of records of a model."""

    is_many = True
    is_group = True

    def read(self, sent: Sent) -> Any:
        """Return every key that was sent."""
        return list(dict.fromkeys(value for value in sent if isinstance(value, str) and value))

    def show(self, value: Any) -> Any:
        """Return the keys."""
        return [text_of(one) for one in value or ()]


class FileInput(Widget):
    """A file, or several.

    Args:
        accept: What may be chosen, as HTML says it: `image/*`, `.pdf`. It is checked by what the client says and by the
            name, neither of which may be trusted: look at the bytes before you believe them.
        max_size: The most bytes of one file.
        multiple: Whether there may be several.
    """

    template = "demijohn/forms/widgets/file.html"
    type = "file"
    takes_file = True
    refills = False

    def __init__(
        self, *, accept: str = "", max_size: int | None = None, multiple: bool = False, **attributes: Any
    ) -> None:
        super().__init__(**attributes)
        self.accept = accept
        self.max_size = max_size
        self.multiple = multiple

    def attributes(self, field: Field) -> dict[str, Any]:
        """Return what may be chosen."""
        return {"type": "file", "accept": self.accept or None, "multiple": self.multiple}

    def read(self, sent: Sent) -> Any:
        """Return the file, or all of them."""
        files = [value for value in sent if isinstance(value, UploadFile)]
        return files if self.multiple else files[-1] if files else None

    def allows(self, upload: UploadFile) -> bool:
        """Return whether a file is of a kind that may be chosen.

        By its name and by what the client says.
        """
        wanted = [part.strip().lower() for part in self.accept.split(",") if part.strip()]
        kind = upload.content_type.partition(";")[0].strip().lower()
        name = upload.filename.lower()
        return not wanted or any(
            name.endswith(part)
            if part.startswith(".")
            else kind == part or (part.endswith("/*") and kind.startswith(part[:-1]))
            for part in wanted
        )


_FORMATS: Mapping[str, Callable[[], Widget]] = {
    "email": lambda: TextInput("email"),
    "url": lambda: TextInput("url"),
    "tel": lambda: TextInput("tel"),
    "search": lambda: TextInput("search"),
    "color": lambda: TextInput("color"),
    "password": PasswordInput,
    "new-password": lambda: PasswordInput(new=True),
    "textarea": TextArea,
    "hidden": Hidden,
    "radio": Radios,
    "select": Select,
    "checkboxes": CheckBoxes,
}
_FEW = 12
"""Up to so many choices of which several may be taken are shown as boxes."""


def widget_for(field: Field, options: Sequence[tuple[Any, str]] | None, *, many: bool) -> Widget:
    """Return the widget that a field asks for by its format, its choices or its type."""
    wanted = field.extra.get("widget")
    if isinstance(wanted, Widget):
        return wanted
    make = _FORMATS.get(field.format or "")
    if make is not None:
        return make()
    tp = _bare(field.type)
    if many:
        if options is None:
            return FileInput(multiple=True) if _item(field.type) is UploadFile else TextList()
        return CheckBoxes() if len(options) <= _FEW else MultiSelect()
    if options is not None:
        return Select()
    return _by_type(tp)()


def _by_type(tp: Any) -> type[Widget]:
    if tp is bool:
        return CheckBox
    if tp in (int, float, Decimal):
        return NumberInput
    known: dict[Any, type[Widget]] = {date: DateInput, datetime: DateTimeInput, time: TimeInput, UploadFile: FileInput}
    return known.get(tp, TextInput)


def _bare(tp: Any) -> Any:
    from demijohn.app.signatures import stripped

    return stripped(tp)


def _item(tp: Any) -> Any:
    from typing import get_args

    arguments = get_args(_bare(tp))
    return arguments[0] if arguments else None
