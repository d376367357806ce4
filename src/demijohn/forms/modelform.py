"""`ModelForm`: a form that makes or changes a record."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from demijohn.app import current
from demijohn.errors import FieldError, ValidationFailed
from demijohn.forms.form import BaseForm, no_data, subclass_for
from demijohn.schema import Records, records_of

__all__ = ["ModelForm"]

M = TypeVar("M")


class ModelForm(BaseForm, Generic[M]):
    """A form that makes or changes a record of a model.

    Which fields it shows has to be said, by `Fields` or in a class of your own; nothing else is taken.

    Example:
        ```python notest
        @app.route("/posts/new", methods=["GET", "POST"])
        async def new(form: Annotated[ModelForm[Post], Fields("title", "body")], user: User):
            if post := await form.save_if_valid(author=user):
                return redirect(post)
            return Page("posts/form.html", form=form)
        ```
    """

    if not TYPE_CHECKING:

        def __class_getitem__(cls, target: Any) -> Any:
            return super().__class_getitem__(target) if isinstance(target, TypeVar) else subclass_for(cls, target)

    instance: M | None = None
    """The record that it changes."""

    @property
    def data(self) -> dict[str, Any]:
        """What was typed, by name.

        Records for relations (Any: values of the types of the fields).

        Raises:
            FormError: The form is not valid, so that there is nothing.
        """
        if not self.is_valid:
            raise no_data(self)
        return dict(self._values)

    async def edit(self, record: M) -> Self:
        """Change this record, and show it where nothing was typed."""
        records: Records[M] = records_of(type(record))
        self.instance = record
        if not self.is_filled_in:
            for bound in self:
                related = bound.spec.relation is not None
                bound.value = await records.load(record, bound.name) if related else getattr(record, bound.name)
            for rows in self.row_sets.values():
                rows.fill(await rows.plan.options.known(await records.load(record, rows.name)))
        await self.offer_choices()
        return self

    def fill(self, values: Mapping[str, Any]) -> Self:
        """Show these values where nothing was typed.

        Any: values of the types of the fields.
        """
        for name, value in values.items():
            if name in self.bound_fields and not self.is_filled_in:
                self.bound_fields[name].value = value
        return self

    async def check(self) -> None:
        """Read and check what was typed.

        As far as that can be done without knowing which record it changes.
        """
        self._values = await self.check_fields()
        for rows in self.row_sets.values():
            await rows.check()
        if not self.errors:
            await self.run_validators(self._values)

    async def save_if_valid(self, record: M | None = None, /, **values: Any) -> M | None:
        """Save what was typed and return the record.

        Or return None where there is nothing to save.

        That is so before the form was sent, where it only adds a row or searches, and where something is wrong: show it
        again. It is saved with the unit of work; nothing is saved where any row is refused.

        Args:
            record: The record to change; a new one is made otherwise.
            values: More values, which the visitor does not choose (Any: of the types of the fields).

        Raises:
            ValidationFailed: Something is wrong, and the client prefers data to a page.
        """
        if record is not None:
            await self.edit(record)
        if not self.is_submitted:
            return None
        if not self.errors:
            saved = await self._save(values)
            if saved is not None:
                return saved
        await self.refuse()
        return None

    async def refuse(self) -> None:
        """Make ready to be shown again, or tell a client that wants data.

        Raises:
            ValidationFailed: The client prefers data to a page.
        """
        if current.request.accept.prefers_data:
            raise ValidationFailed(self.field_errors())
        await self.offer_choices()

    async def _save(self, values: Mapping[str, Any]) -> M | None:
        records: Records[M] = records_of(self.target)
        wanted = {**self._values, **values}
        self._tell(await records.taken(wanted, record=self.instance))
        for rows in self.row_sets.values():
            await rows.match(self.instance)
        if self.errors:
            return None
        saved: M | None = None
        try:
            async with records.transaction():
                saved, refused = await records.write(wanted, record=self.instance)
                self._tell(refused)
                for rows in self.row_sets.values():
                    if saved is not None and not self.errors:
                        await rows.write(saved)
                if self.errors:
                    raise _Undone
        except _Undone:
            return None
        return saved

    def _tell(self, errors: Iterable[FieldError]) -> None:
        """Put what the model or the database refused beside its field.

        Or above all where that is not shown.
        """
        for error in errors:
            name = str(error.place[1]) if len(error.place) > 1 else ""
            if name in self.bound_fields:
                self.note(name, [error._replace(place=("form", *error.place[1:]))])
                continue
            field = self._plan.records.fields.get(name) if self._plan.records is not None else None
            message = f"{field.title}: {error.message}" if field is not None else error.message
            self.note("", [FieldError(("form",), error.code, message)])


class _Undone(Exception):
    """Takes the savepoint back; caught where it is raised."""
