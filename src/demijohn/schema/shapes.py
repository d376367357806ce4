"""What a type looks like from outside: a tree that reads a value and gathers every error.

msgspec reads what is right, at C speed, and stops at the first error. This tree is walked for the rest: for input
that msgspec refused, for the text of forms and queries, and for types that msgspec does not know.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from typing import Any

import msgspec

from demijohn._lib.sentinels import MISSING
from demijohn._lib.translation import gettext_lazy as _
from demijohn.errors import FieldError
from demijohn.schema.classes import Member
from demijohn.schema.messages import field_error
from demijohn.schema.rules import Rule, unit_of
from demijohn.schema.scalars import Scalar

__all__ = ["FAILED", "Shape", "TooManyErrors", "Walk"]

Place = tuple[str | int, ...]
MAX_ERRORS = 100


class _Failed:
    def __repr__(self) -> str:
        return "FAILED"


FAILED: Any = _Failed()
"""Stands where a value could not be read; the reason is among the errors of the walk."""


class TooManyErrors(Exception):
    """The walk gave up: a hundred errors say enough, and an answer must not outgrow its question."""


class Walk:
    """One pass over one value: whether it is text, and the errors found so far."""

    __slots__ = ("errors", "form", "text")

    def __init__(self, *, text: bool, form: bool = False) -> None:
        self.text = text
        self.form = form  # a check box that was not ticked is not sent
        self.errors: list[FieldError] = []

    def add(self, error: FieldError) -> Any:
        self.errors.append(error)
        if len(self.errors) >= MAX_ERRORS:
            raise TooManyErrors
        return FAILED

    def fail(self, place: Place, code: str, /, **values: Any) -> Any:
        return self.add(field_error(place, code, **values))


class Shape:
    """How values of one type are read. Subclasses say `takes` and `parse`."""

    family = "other"
    expected = _("a value")
    blank = True
    """Whether an empty text means that nothing was given."""
    many = False
    """Whether a repeated key of a form or query belongs to one value."""
    nested = False
    """Whether the text form of this value is spread over several keys (`address.city`)."""
    nullable = False
    rules: tuple[Rule, ...] = ()
    checked: tuple[Rule, ...] = ()
    """Those of the rules that msgspec does not hold by itself."""
    native = True
    """Whether msgspec reads this type exactly as this shape does."""

    def takes(self, value: Any) -> bool:
        """Return whether a value is of the right kind, without looking inside."""
        raise NotImplementedError

    def parse(self, value: Any, place: Place, walk: Walk) -> Any:
        raise NotImplementedError

    def parts(self) -> Iterable["Shape"]:
        """Return the shapes inside this one."""
        return ()

    def read(self, value: Any, place: Place, walk: Walk) -> Any:
        """Return the value read, or `FAILED` with the reasons added to the walk."""
        found = self.parse(value, place, walk)
        if found is FAILED:
            return found
        return self.keep(found, place, walk) if self.rules else found

    def keep(self, value: Any, place: Place, walk: Walk) -> Any:
        result = value
        for rule in self.rules:
            try:
                held = rule.holds(value)
            except ValueError as error:
                result = walk.add(FieldError(place, "value", str(error) or field_error(place, "value").message))
                continue
            if not held:
                result = walk.add(rule.error(place))
        return result

    def constrained(self, rules: Iterable[Rule], *, held: bool) -> "Shape":
        """Return a copy with more rules; `held` says that msgspec keeps them itself."""
        found = copy.copy(self)
        rules = tuple(rules)
        found.rules = (*self.rules, *rules)
        if not held:
            found.checked = (*self.checked, *rules)
        return found


class AnyShape(Shape):
    """Whatever comes."""

    blank = False

    def takes(self, value: Any) -> bool:
        return True

    def parse(self, value: Any, place: Place, walk: Walk) -> Any:
        return value


class NoneShape(Shape):
    """`None`, or nothing in a text."""

    expected = _("null")
    nullable = True

    def takes(self, value: Any) -> bool:
        return value is None

    def parse(self, value: Any, place: Place, walk: Walk) -> Any:
        if value is None or (walk.text and isinstance(value, str) and value.strip() in ("", "null")):
            return None
        return walk.fail(place, "type", expected=self.expected)


class ScalarShape(Shape):
    """A string, number, date, enumeration, ... (see `scalars`)."""

    def __init__(self, scalar: Scalar) -> None:
        self.scalar = scalar
        self.family = scalar.family
        self.expected = (
            scalar.expected if scalar.family != "choice" else _("one of %(choices)s", choices=scalar.expected)
        )
        self.blank = scalar.tp is not str and not _reads_blank(scalar)
        if scalar.tp.__class__ is type and scalar.tp.__name__ == "Decimal":
            from demijohn.schema.scalars import decimal_is_sane

            self.checked = (Rule("range", decimal_is_sane),)

    def takes(self, value: Any) -> bool:
        kinds = self.scalar.kinds
        return bool in kinds if isinstance(value, bool) else isinstance(value, kinds)

    def parse(self, value: Any, place: Place, walk: Walk) -> Any:
        scalar = self.scalar
        try:
            if walk.text and isinstance(value, str):
                return scalar.from_text(value)
            return scalar.from_json(value)
        except TypeError:
            pass
        except (ValueError, OverflowError):
            if scalar.family == "choice":
                return walk.fail(place, "choice", choices=scalar.expected)
            if isinstance(value, str) and scalar.family != "flag" and scalar.tp not in (int, float):
                return walk.fail(place, "format", expected=self.expected)
            if isinstance(value, int | float) and scalar.family == "number":
                return walk.fail(place, "range")
        if scalar.family == "choice":
            return walk.fail(place, "choice", choices=scalar.expected)
        return walk.fail(place, "type", expected=self.expected)


class SequenceShape(Shape):
    """A list, set, frozenset or tuple of any length."""

    family = "collection"
    expected = _("a list")
    many = True
    blank = False

    def __init__(self, item: Shape, make: Callable[[list[Any]], Any]) -> None:
        self.item = item
        self.make = make
        self.nested = item.nested

    def parts(self) -> Iterable[Shape]:
        return (self.item,)

    def takes(self, value: Any) -> bool:
        return isinstance(value, list | tuple | set | frozenset)

    def parse(self, value: Any, place: Place, walk: Walk) -> Any:
        if walk.text:
            value = _as_list(value, blank=self.item.blank)
        elif not self.takes(value):
            return walk.fail(place, "type", expected=self.expected)
        item, failed = self.item, False
        found: list[Any] = []
        for index, part in enumerate(value):
            read = item.read(part, (*place, index), walk)
            failed = failed or read is FAILED
            found.append(read)
        if failed:
            return FAILED
        try:
            return self.make(found)
        except TypeError:  # a set of what cannot be hashed
            return walk.fail(place, "type", expected=_("distinct simple values"))


class TupleShape(Shape):
    """A tuple of a fixed length, each place of its own type."""

    family = "collection"
    many = True
    blank = False

    def __init__(self, items: tuple[Shape, ...]) -> None:
        self.items = items
        self.expected = _("a list of %(count)s", count=len(items))

    def parts(self) -> Iterable[Shape]:
        return self.items

    def takes(self, value: Any) -> bool:
        return isinstance(value, list | tuple)

    def parse(self, value: Any, place: Place, walk: Walk) -> Any:
        if walk.text:
            value = _as_list(value, blank=False)
        elif not self.takes(value):
            return walk.fail(place, "type", expected=self.expected)
        if len(value) != len(self.items):
            return walk.fail(place, "length", limit=len(self.items))
        pairs = enumerate(zip(self.items, value, strict=True))
        found = tuple(item.read(part, (*place, index), walk) for index, (item, part) in pairs)
        return FAILED if FAILED in found else found


class MappingShape(Shape):
    """A mapping of keys of one type to values of another."""

    family = "collection"
    expected = _("an object")
    nested = True
    blank = False

    def __init__(self, key: Shape, item: Shape, make: Callable[[dict[Any, Any]], Any] | None = None) -> None:
        self.key = key
        self.item = item
        self.many_items = item.many or isinstance(item, AnyShape)
        self.make = make

    def parts(self) -> Iterable[Shape]:
        return (self.key, self.item)

    def takes(self, value: Any) -> bool:
        return isinstance(value, Mapping)

    def parse(self, value: Any, place: Place, walk: Walk) -> Any:
        if not isinstance(value, Mapping):
            return walk.fail(place, "type", expected=self.expected)
        found: dict[Any, Any] = {}
        failed = False
        keys = Walk(text=True)
        keys.errors = walk.errors
        for raw in value:
            inner = (*place, raw if isinstance(raw, str | int) else str(raw))
            key = self.key.read(raw, inner, keys if isinstance(raw, str) else walk)
            part = fetch(value, raw, many=self.many_items) if walk.text else value[raw]
            if walk.text and self.item.blank and is_blank(part):
                part = None if self.item.nullable else part
            read = self.item.read(part, inner, walk)
            if key is FAILED or read is FAILED:
                failed = True
            else:
                found[key] = read
        if failed:
            return FAILED
        return self.make(found) if self.make is not None else found


class UnionShape(Shape):
    """One of several types."""

    def __init__(self, members: tuple[Shape, ...]) -> None:
        self.nullable = any(isinstance(member, NoneShape) for member in members)
        self.members = tuple(member for member in members if not isinstance(member, NoneShape))
        self.family = self.members[0].family if len(self.members) == 1 else "other"
        names = [member.expected for member in self.members] + ([NoneShape.expected] if self.nullable else [])
        self.expected = reduce(_either, dict.fromkeys(names))
        self.blank = all(member.blank for member in self.members)
        self.many = any(member.many for member in self.members)
        self.nested = any(member.nested for member in self.members)
        self.tag = _common_tag(self.members)

    def parts(self) -> Iterable[Shape]:
        return self.members

    def takes(self, value: Any) -> bool:
        return (value is None and self.nullable) or any(member.takes(value) for member in self.members)

    def parse(self, value: Any, place: Place, walk: Walk) -> Any:
        if self.nullable and (value is None or (walk.text and self.blank and is_blank(value))):
            return None
        if len(self.members) == 1:
            return self.members[0].read(value, place, walk)
        if self.tag is not None and isinstance(value, Mapping):
            return self._by_tag(self.tag, value, place, walk)
        if walk.text:
            # Text fits a string always, so a string is asked last.
            return self._first(sorted(self.members, key=lambda member: member.family == "text"), value, place, walk)
        fitting = [member for member in self.members if member.takes(value)]
        if not fitting:
            return walk.fail(place, "type", expected=self.expected)
        if len(fitting) == 1:
            return fitting[0].read(value, place, walk)
        return self._first(fitting, value, place, walk)

    def _first(self, members: Iterable[Shape], value: Any, place: Place, walk: Walk) -> Any:
        best: Walk | None = None
        for member in members:
            attempt = Walk(text=walk.text, form=walk.form)
            try:
                found = member.read(value, place, attempt)
            except TooManyErrors:
                found = FAILED
            if found is not FAILED:
                return found
            # Errors from the inside, or of a bound, say more than "wrong type".
            if best is None or _depth(attempt) > _depth(best):
                best = attempt
        if best is not None and _depth(best) > (len(place), 0):
            for error in best.errors:
                walk.add(error)
            return FAILED
        return walk.fail(place, "type", expected=self.expected)

    def _by_tag(self, tag: str, value: Mapping[Any, Any], place: Place, walk: Walk) -> Any:
        given = value.get(tag, MISSING)
        if isinstance(given, list) and walk.text:
            given = given[-1] if given else MISSING
        if given is MISSING:
            return walk.fail((*place, tag), "missing")
        for member in self.members:
            if isinstance(member, ObjectShape) and (member.tag == given or (walk.text and str(member.tag) == given)):
                return member.read(value, place, walk)
        tags = [str(member.tag) for member in self.members if isinstance(member, ObjectShape)]
        return walk.fail((*place, tag), "choice", choices=", ".join(tags))


class ObjectShape(Shape):
    """A Struct, dataclass, attrs class, TypedDict or NamedTuple."""

    expected = _("an object")
    blank = False
    nested = True

    def __init__(self, cls: Any, kind: str) -> None:
        self.cls = cls
        self.kind = kind
        self.members: tuple[tuple[Member, Shape], ...] = ()
        config = getattr(cls, "__struct_config__", None)
        self.tag_field: str | None = config.tag_field if config is not None else None
        self.tag: Any = config.tag if config is not None else None
        self.strict: bool = config is not None and config.forbid_unknown_fields
        self.positional: bool = kind == "namedtuple" or (config is not None and config.array_like)
        if self.positional:
            self.expected = "a list"

    def parts(self) -> Iterable[Shape]:
        return (shape for _, shape in self.members)

    def takes(self, value: Any) -> bool:
        if self.kind != "typeddict" and isinstance(value, self.cls):
            return True
        return isinstance(value, list | tuple) if self.positional else isinstance(value, Mapping)

    def parse(self, value: Any, place: Place, walk: Walk) -> Any:
        if self.kind != "typeddict" and isinstance(value, self.cls):
            return value
        if self.positional and isinstance(value, list | tuple):
            value = self._named(value, place, walk)
            if value is FAILED:
                return FAILED
        elif not isinstance(value, Mapping) or (self.positional and not walk.text):
            return walk.fail(place, "type", expected=self.expected)
        elif walk.text and any(shape.nested for _, shape in self.members):
            value = unfold(value)
        found: dict[str, Any] = {}
        failed = False
        if self.tag_field is not None and self.tag_field in value:
            given = value[self.tag_field]
            if given != self.tag and not (walk.text and given in (str(self.tag), [str(self.tag)])):
                failed = walk.fail((*place, self.tag_field), "choice", choices=str(self.tag)) is FAILED
        for member, shape in self.members:
            if not member.settable:
                continue
            inner = (*place, member.wire)
            part = fetch(value, member.wire, many=shape.many) if walk.text else value.get(member.wire, MISSING)
            if walk.text and part is not MISSING and shape.blank and is_blank(part):
                part = None if shape.nullable else MISSING
            if part is MISSING:
                if walk.form and shape.family == "flag" and member.required:
                    found[member.name] = False
                elif member.required:
                    failed = walk.fail(inner, "missing") is FAILED
                continue
            read = shape.read(part, inner, walk)
            failed = failed or read is FAILED
            found[member.name] = read
        if self.strict:
            known = {member.wire for member, _ in self.members} | {self.tag_field}
            for name in value:
                if name not in known:
                    failed = walk.fail((*place, name), "unknown") is FAILED
        return FAILED if failed else self._make(found, place, walk)

    def _make(self, found: dict[str, Any], place: Place, walk: Walk) -> Any:
        if self.kind == "typeddict":
            return found
        if self.kind == "attrs":
            aliases = {field.name: field.alias for field in self.cls.__attrs_attrs__}
            found = {aliases[name]: value for name, value in found.items()}
        try:
            return self.cls(**found)
        except msgspec.ValidationError as error:
            return walk.add(FieldError(place, "value", str(error)))
        except (ValueError, TypeError) as error:
            return walk.add(FieldError(place, "value", str(error) or field_error(place, "value").message))

    def _named(self, value: Any, place: Place, walk: Walk) -> Any:
        parts = list(value)
        if self.tag is not None:
            if not parts or parts[0] != self.tag:
                return walk.fail((*place, 0), "choice", choices=str(self.tag))
            del parts[0]
        if (self.strict or self.kind == "namedtuple") and len(parts) > len(self.members):
            return walk.fail(
                place, "max_length", limit=len(self.members), unit=unit_of("collection", len(self.members))
            )
        return {member.wire: part for (member, _), part in zip(self.members, parts, strict=False)}


class CustomShape(Shape):
    """A class with a decoder of its own, from a registry or from pydantic."""

    def __init__(self, cls: Any, decode: Callable[[Any], Any], expected: str = "") -> None:
        self.cls = cls
        self.decode = decode
        if expected:
            self.expected = expected

    def takes(self, value: Any) -> bool:
        return value is not None

    def parse(self, value: Any, place: Place, walk: Walk) -> Any:
        if isinstance(value, self.cls):
            return value
        try:
            return self.decode(value)
        except (ValueError, TypeError, ArithmeticError) as error:
            return walk.add(FieldError(place, "value", str(error) or field_error(place, "value").message))


def _either(first: str, second: str) -> str:
    return _("%(first)s or %(second)s", first=first, second=second)


def _reads_blank(scalar: Scalar) -> bool:
    """Return whether the empty text is a value: one of the choices, as a rule."""
    if scalar.family != "choice":
        return False
    try:
        scalar.from_text("")
    except (ValueError, TypeError):
        return False
    return True


def _depth(walk: Walk) -> tuple[int, int]:
    if not walk.errors:
        return (1000, 0)
    return (
        max(len(error.place) for error in walk.errors),
        int(walk.errors[0].code not in ("type", "format", "choice")),
    )


def _common_tag(members: tuple[Shape, ...]) -> str | None:
    tags = {member.tag_field for member in members if isinstance(member, ObjectShape)}
    return tags.pop() if len(tags) == 1 else None


def is_blank(value: Any) -> bool:
    if isinstance(value, list):
        return all(is_blank(part) for part in value)
    return isinstance(value, str) and not value.strip()


def _as_list(value: Any, *, blank: bool) -> list[Any]:
    if isinstance(value, Mapping):  # items[0].name, by number
        numbered = sorted((key for key in value if str(key).isdecimal()), key=int)
        return [value[key] for key in numbered]
    parts = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
    return [part for part in parts if not is_blank(part)] if blank else parts


def fetch(source: Mapping[Any, Any], key: Any, *, many: bool) -> Any:
    """Take what a form or query holds for a key: all values where a list is wanted, the last one otherwise."""
    getlist = getattr(source, "getlist", None)
    if getlist is not None:
        values = getlist(key)
        if not values:
            return MISSING
        return values if many else values[-1]
    value = source.get(key, MISSING)
    if isinstance(value, list) and not many:
        return value[-1] if value else MISSING
    return value


MAX_NESTING = 16


def unfold(source: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the flat names of a form (`address.city`, `items[0][name]`) into nested dicts."""
    found: dict[str, Any] = {}
    getlist = getattr(source, "getlist", None)
    for name in dict.fromkeys(source):
        value = getlist(name) if getlist is not None else source[name]
        path = list(_steps(name))
        if not 1 < len(path) <= MAX_NESTING:
            if not isinstance(found.get(name), dict):
                found[name] = value
            continue
        level = found
        for step in path[:-1]:
            deeper = level.get(step)
            if not isinstance(deeper, dict):
                deeper = level[step] = {}
            level = deeper
        if not isinstance(level.get(path[-1]), dict):
            level[path[-1]] = value
    return found


def _steps(name: str) -> Iterator[str]:
    for step in name.replace("]", "").replace("[", ".").split("."):
        if step:
            yield step
