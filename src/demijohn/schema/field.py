"""What is known about one field beyond its type: said once, read by every room."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

import msgspec

from demijohn._lib.sentinels import MISSING
from demijohn._lib.translation import LazyString
from demijohn.errors import ConfigurationError

__all__ = ["Field"]

# What a caller may set to merge two descriptions; the rest is filled in by `fields_of`.
_BOUNDS = ("min_length", "max_length", "gt", "ge", "lt", "le", "multiple_of", "timezone")


class Field(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, repr_omit_defaults=True):
    """One immutable description of a field, for tables, validation, forms and docs.

    Put it into `Annotated`; `fields_of` returns the descriptions of a whole class with `name`, `type`, `required`,
    `nullable` and `default` filled in. `msgspec.Meta` and the constraints of `annotated_types` are read as well, and
    several of them in one `Annotated` are merged, the last one winning.

    Args:
        label: What people call it; made from the name otherwise.
        help: One sentence below the input.
        placeholder: An example in the empty input.
        min_length, max_length: Bounds of the length of a string (code points), bytes or collection.
        pattern: A regular expression that the **whole** string has to match.
        gt, ge, lt, le: Bounds of a number, date or time.
        multiple_of: The value is a multiple of this number.
        decimal_places: How many digits a `Decimal` may have behind the point.
        choices: The allowed values: values, `(value, label)` pairs, a mapping of values to labels, or an `Enum`.
        format: What kind of string: `email`, `url`, `slug`, `hostname`, `ipv4`, `ipv6`, `color` are checked, any other
            (`password`, `textarea`, ...) is for those who draw the input.
        timezone: `True`: a date and time needs a UTC offset; `False`: it must have none.
        check: A function that returns whether the value is right, or raises `ValueError` with the message.
        readonly: Shown, never taken from a client.
        private: Neither shown nor taken: for hashes and keys.
        default: The value where none is given.
        examples: Values for the documentation.
        deprecated: Still there, no longer recommended.
        extra: Anything a battery of your own reads.
        name, alias, type, required, nullable, default_factory: Filled in by `fields_of`; `alias` is the name on
            the wire.

    Raises:
        ConfigurationError: DJN-010, a pattern or bound that cannot be.

    Example:
        >>> Field(label="Title", max_length=200).max_length
        200
    """

    label: str | None = None
    help: str | None = None
    placeholder: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    # Any: numbers, decimals, dates and times are all bounds
    gt: Any = None
    ge: Any = None
    lt: Any = None
    le: Any = None
    multiple_of: Any = None
    decimal_places: int | None = None
    # Any: given in one of four forms, held as a tuple of (value, label)
    choices: Any = None
    format: str | None = None
    timezone: bool | None = None
    check: Callable[[Any], bool] | None = None
    readonly: bool = False
    private: bool = False
    default: Any = MISSING
    default_factory: Callable[[], Any] | None = None
    examples: tuple[Any, ...] = ()
    deprecated: bool = False
    extra: Mapping[str, Any] = {}
    name: str = ""
    alias: str = ""
    type: Any = MISSING
    required: bool = True
    nullable: bool = False

    def __post_init__(self) -> None:
        if self.choices is not None:
            msgspec.structs.force_setattr(self, "choices", tuple(_pairs(self.choices)))
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ConfigurationError(
                    f"Field(pattern={self.pattern!r}) is not a regular expression: {error}.",
                    why="Each value is matched against it.",
                    fix='Write it as a raw string:  Field(pattern=r"[a-z0-9-]+")',
                    code="DJN-010",
                ) from None
        shortest, longest = self.min_length, self.max_length
        if (shortest or 0) < 0 or (longest is not None and longest < (shortest or 0)):
            raise ConfigurationError(
                f"Field(min_length={shortest}, max_length={longest}) admits no value.",
                why="A length is zero or more, and the upper bound is not below the lower one.",
                fix="Mend the bounds:  Field(min_length=1, max_length=200)",
                code="DJN-010",
            )

    def __hash__(self) -> int:
        # Bounds and defaults may be unhashable, and `Annotated` needs a hash.
        return hash((self.name, self.label, self.min_length, self.max_length, self.pattern, self.format, self.help))

    @property
    def title(self) -> str:
        """The label, or one made from the name: `created_at` becomes `Created at`."""
        if self.label is not None:
            return self.label
        words = self.name.removesuffix("_id").replace("_", " ").strip()
        return words[:1].upper() + words[1:]

    def replace(self, **changes: Any) -> "Field":
        """Return a copy with some attributes changed (Any: each has its own type)."""
        return msgspec.structs.replace(self, **changes)

    def merge(self, other: "Field") -> "Field":
        """Return this description with everything that `other` sets laid over it."""
        changes = {
            name: value
            for name in other.__struct_fields__
            if (value := getattr(other, name)) is not getattr(_EMPTY, name) and value != getattr(_EMPTY, name)
        }
        return msgspec.structs.replace(self, **changes) if changes else self

    @classmethod
    def read(cls, metadata: Iterable[Any]) -> "Field":
        """Merge what stands in an `Annotated` into one description.

        Reads `Field`, `msgspec.Meta` and the constraints of `annotated_types`, and passes over all else (Any:
        anything may stand there).
        """
        found = _EMPTY
        for item in metadata:
            if isinstance(item, Field):
                found = item if found is _EMPTY else found.merge(item)
            elif isinstance(item, msgspec.Meta):
                found = found.merge(_of_meta(item))
            elif type(item).__module__ == "annotated_types":
                found = found.merge(_of_constraint(item))
        return found


def _pairs(choices: Any) -> Iterable[tuple[Any, str]]:
    if isinstance(choices, type):
        yield from _enum_pairs(choices)
        return
    if isinstance(choices, Mapping):
        choices = choices.items()
    for choice in choices:
        if isinstance(choice, tuple) and len(choice) == 2:
            yield choice[0], _shown(choice[1])
        else:
            yield choice, str(choice)


def _shown(label: Any) -> Any:
    # A label that is looked up when it is shown stays so.
    return label if isinstance(label, LazyString) else str(label)


def _enum_pairs(choices: Any) -> Iterable[tuple[Any, str]]:
    for member in choices:
        # A label may be an attribute of the member.
        yield member, _shown(getattr(member, "label", None) or member.name.replace("_", " ").capitalize())


def _of_meta(meta: msgspec.Meta) -> Field:
    given = {name: getattr(meta, "tz" if name == "timezone" else name) for name in _BOUNDS}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if meta.pattern is not None:
        # msgspec searches; a field matches the whole string.
        values["pattern"] = rf"(?s:.*?)(?:{meta.pattern})(?s:.*)"
    if meta.title is not None:
        values["label"] = meta.title
    if meta.description is not None:
        values["help"] = meta.description
    if meta.examples:
        values["examples"] = tuple(meta.examples)
    return Field(**values)


def _of_constraint(item: Any) -> Field:
    # Duck-typed, so that the package is not needed: Gt(gt=), Len(min_length=, max_length=), Interval(...), ...
    values = {name: value for name in _BOUNDS if (value := getattr(item, name, None)) is not None}
    if callable(func := getattr(item, "func", None)):
        values["check"] = func
    if hasattr(item, "tz"):
        values["timezone"] = item.tz is not None
    return Field(**values)


_EMPTY = Field()


def split(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Take `Annotated` apart into the type and its metadata, outermost last."""
    metadata: tuple[Any, ...] = ()
    while hasattr(annotation, "__metadata__"):
        metadata = (*annotation.__metadata__, *metadata)
        annotation = get_args(annotation)[0]
    return annotation, metadata
