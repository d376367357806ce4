"""The rows of one form: the children of its record.

As they are and as they were typed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from demijohn._lib.sentinels import MISSING
from demijohn._lib.translation import gettext as _
from demijohn.app import current
from demijohn.errors import FieldError
from demijohn.forms.markup import attributes_of, render
from demijohn.forms.plans import RowsPlan
from demijohn.http import Markup, UploadFile
from demijohn.schema import Records

__all__ = ["FormRows"]


class Parent(Protocol):
    """The form that rows stand in."""

    @property
    def key(self) -> str:
        """What tells the ids of two forms on one page apart."""
        raise NotImplementedError

    def make_row(self, rows: "FormRows", number: int, *, key: str) -> Any:
        """Return a form for one child (Any: its class stands above this module)."""
        raise NotImplementedError


class FormRows:
    """The rows of one form: those of the children that are there, and new ones."""

    def __init__(self, form: Parent, plan: RowsPlan, *, parents: Records[Any] | None) -> None:
        self.form = form
        self.plan = plan
        self._parents = parents
        self._pattern = re.compile(rf"{re.escape(plan.name)}-(\d{{1,4}})-(\w+)")
        self.rows: list[Any] = []
        self.was_sent = False
        self._messages: list[FieldError] = []
        self._known: dict[str, Any] = {}
        for _number in range(min(plan.options.extra, plan.options.maximum)):
            self.add()

    @property
    def name(self) -> str:
        """The name of the relation."""
        return self.plan.name

    @property
    def id(self) -> str:
        """The id of the group."""
        return f"id_{self.form.key}{self.name}"

    @property
    def label(self) -> str:
        """What people call them."""
        return str(self._parents.fields[self.name].title) if self._parents is not None else self.name

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def can_add(self) -> bool:
        """Whether there is room for one more."""
        return sum(not row.is_removed for row in self.rows) < self.plan.options.maximum

    @property
    def can_move(self) -> bool:
        """Whether rows have a place that can be changed."""
        return bool(self.plan.options.order)

    @property
    def htmx(self) -> Markup:
        """The attributes that let htmx do what a button asks for.

        And change these rows alone.
        """
        return attributes_of(
            {
                "hx_post": current.request.url.path_and_query,
                "hx_target": f"#{self.id}",
                "hx_select": f"#{self.id}",
                "hx_swap": "outerHTML",
            }
        )

    @property
    def messages(self) -> list[str]:
        """What is wrong with the rows as a whole."""
        return [error.message for error in self._messages]

    @property
    def errors(self) -> dict[str, list[str]]:
        """What is wrong, by the names of the controls."""
        found = {self.name: self.messages} if self._messages else {}
        for row in self.rows:
            found.update({f"{row.prefix}{name}".rstrip("-"): messages for name, messages in row.errors.items()})
        return found

    def field_errors(self) -> list[FieldError]:
        """Return every error with its place and code."""
        return [*self._messages, *(error for row in self.rows for error in row.field_errors())]

    def summary(self) -> list[tuple[str, str, str]]:
        """Return every error with the id and the label of what it belongs to."""
        found = [(self.id, self.label, message) for message in self.messages]
        for row in self.rows:
            where = f"{self.label} {row.number + 1}"
            found += [(self.id, where, message) for message in row.messages_of("")]
            found += [(field.id, f"{where}, {field.label}", message) for field in row for message in field.errors]
        return found

    def add(self, key: str = "") -> Any:
        """Add a row, empty (Any: a form of the child)."""
        row = self.form.make_row(self, len(self.rows), key=key)
        self.rows.append(row)
        return row

    def fill(self, children: Sequence[Any]) -> None:
        """Show the children that are there, then the empty rows (Any: records)."""
        extra = self.rows
        self.rows = []
        records = self.plan.records
        if self.can_move:
            children = sorted(children, key=lambda child: getattr(child, self.plan.options.order) or 0)
        for child in children:
            row = self.add(records.key_of(child))
            row.child = child
            for bound in row:
                bound.value = _loaded(child, bound.name)
        room = max(0, self.plan.options.maximum - len(self.rows))
        for _row in extra[:room]:
            self.add()

    # -- reading -----------------------------------------------------------------------------------------------------

    def take(self, sent: Mapping[str, Sequence[str | UploadFile]]) -> None:
        """Read which rows were sent, and what was typed into them."""
        numbers = sorted({int(match[1]) for name in sent if (match := self._pattern.fullmatch(name))})
        self.was_sent = True
        self.rows = []
        for number in numbers[: self.plan.options.maximum + 1]:
            key = sent.get(f"{self.name}-{number}-_key", ())
            row = self.add(str(key[-1]) if key else "")
            row.take_numbered(sent, number)

    def knows(self, name: str) -> bool:
        """Return whether a control of a row has a name."""
        match = self._pattern.fullmatch(name)
        return match is not None and (match[2] in self.plan.form.fields or match[2].startswith("_"))

    def act(self, verb: str, place: str) -> bool:
        """Do what a button asks for: add a row, remove one, move one.

        Return whether that is known.
        """
        if verb == "add" and not place:
            if self.can_add:
                self.add().is_filled_in = False
            return True
        if not place.isdecimal() or int(place) >= len(self.rows):
            return False
        index = int(place)
        row = self.rows[index]
        if verb == "remove" and (not row.row_key or self.plan.options.can_delete):
            row.is_removed = not row.is_removed
            if not row.row_key:
                self.rows.pop(index)
        elif verb in ("up", "down") and self.can_move:
            other = index + (1 if verb == "down" else -1)
            if 0 <= other < len(self.rows):
                self.rows[index], self.rows[other] = self.rows[other], self.rows[index]
        else:
            return False
        for number, one in enumerate(self.rows):
            one.number = number
        return True

    async def check(self) -> None:
        """Read and check every row that is not empty and not removed."""
        kept = 0
        for row in self.rows:
            if row.is_ignored:
                continue
            kept += 1
            row.values = await row.check_fields()
        options = self.plan.options
        if kept < options.minimum:
            self._note("min_length", _("At least %(limit)s of these are needed.", limit=options.minimum))
        if kept > options.maximum:
            self._note("max_length", _("At most %(limit)s of these are allowed.", limit=options.maximum))

    def _note(self, code: str, message: str) -> None:
        self._messages.append(FieldError(("form", self.name), code, message))

    async def offer_choices(self) -> None:
        """Load the records that relations of the rows offer."""
        for row in self.rows:
            await row.offer_choices()

    # -- writing -----------------------------------------------------------------------------------------------------

    async def match(self, parent: Any) -> None:
        """Find the children that the rows name.

        What is no child of the parent is refused (Any: a record, or None).
        """
        records = self.plan.records
        children: Sequence[Any] = []
        if parent is not None and self._parents is not None:
            children = await self.plan.options.known(await self._parents.load(parent, self.name))
        self._known = {records.key_of(child): child for child in children}
        seen: set[str] = set()
        for row in self.rows:
            if row.row_key and (row.row_key not in self._known or row.row_key in seen):
                row.note(
                    "",
                    [FieldError(("form", row.prefix.rstrip("-")), "foreign_key", _("This row is not there any more."))],
                )
            seen.add(row.row_key)
            row.child = self._known.get(row.row_key)
            if row.child is not None and row.is_removed and not self.plan.options.may_delete(row.child):
                row.note("", [FieldError(("form", row.prefix.rstrip("-")), "value", _("This row cannot be removed."))])
            if not row.is_ignored and not row.errors:
                row.refuse(await records.taken(row.values, record=row.child))

    async def write(self, parent: Any) -> None:
        """Write every row for a parent.

        Delete those that were removed, make and change the others (Any: a record).
        """
        records = self.plan.records
        place = 0
        for row in self.rows:
            if row.child is not None and row.is_removed:
                message = await records.delete(row.child)
                if message is not None:
                    row.note("", [FieldError(("form", row.prefix.rstrip("-")), "foreign_key", message)])
        for row in self.rows:
            if row.is_ignored:
                continue
            values = {**row.values, self.plan.back: parent}
            if self.can_move:
                values[self.plan.options.order] = place
                place += 1
            _saved, refused = await records.write(values, record=row.child)
            row.refuse(refused)

    def __html__(self) -> Markup:
        return render("demijohn/forms/rows.html", rows=self)

    def __str__(self) -> str:
        return str(self.__html__())


def _loaded(child: Any, name: str) -> Any:
    return getattr(child, name, MISSING)
