"""Fields that are changed in the list itself: a small form for each row."""

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from demijohn._lib.translation import gettext as _
from demijohn.admin.access import Visit
from demijohn.admin.finding import with_keys
from demijohn.admin.history import difference, record, snapshot, version_of
from demijohn.admin.naming import NoSuchKey, label_of, read_key, text_key
from demijohn.admin.options import ModelAdmin, fixed_names
from demijohn.errors import BadRequest
from demijohn.forms import FormPlan, ModelForm
from demijohn.http import Markup, UploadFile
from demijohn.schema import records_of

__all__ = ["RowForms", "check_editable"]

_made: WeakKeyDictionary[ModelAdmin, dict[tuple[str, ...], tuple[type[ModelForm[Any]], FormPlan]]] = WeakKeyDictionary()


class _RowForm(ModelForm[Any]):
    """A form whose controls carry the key of its row."""

    row = ""

    @property
    def prefix(self) -> str:
        """What stands before the names of its controls."""
        return f"edit-{self.row}-"


def check_editable(admin: ModelAdmin) -> None:
    """Look at the fields that are to be changed in the list.

    Raises:
        ConfigurationError: One of them cannot be (`DJN-951`).
    """
    records = records_of(admin.model)
    for name in admin.list_editable:
        field = records.fields.get(name)
        if field is None or field.readonly or field.private or name in records.relations:
            raise admin.wrong(
                "list_editable",
                name,
                why="A list changes plain fields; relations are chosen on the page of the object.",
                fix='list_editable = ["published"]',
            )


def _form_of(admin: ModelAdmin, names: tuple[str, ...]) -> tuple[type[ModelForm[Any]], FormPlan]:
    made = _made.setdefault(admin, {})
    known = made.get(names)
    if known is None:
        model: Any = admin.model
        cls: Any = type(
            f"{model.__name__}RowForm",
            (_RowForm,),
            {"__module__": __name__, "target": model},
            fields=names,
        )
        known = made[names] = (cls, cls.plan(where=f"{type(admin).__name__}.list_editable"))
    return known


class RowForms:
    """The forms of the rows of one page (Any: objects of the model)."""

    def __init__(self, visit: Visit, admin: ModelAdmin) -> None:
        self.visit = visit
        self.admin = admin
        self.forms: dict[str, Any] = {}

    def controls(self, obj: Any) -> Mapping[str, Markup]:
        """Return the controls of a row by field, none for an object that the user may not change."""
        if not self.admin.list_editable or not self.visit.may(self.admin, "change", obj):
            return {}
        names = self._names(obj)
        if not names:
            return {}
        key = text_key(obj)
        form = self.forms.get(key)
        if form is None:
            form = self._form(key, names)
            for bound in form:
                bound.value = getattr(obj, bound.name)
        label = label_of(obj)
        found = {}
        for index, bound in enumerate(form):
            errors = Markup('<span class="bad">{}</span>').format(" ".join(bound.errors)) if bound.errors else ""
            hidden = (
                Markup(
                    '<input type="hidden" name="edited" value="{}"><input type="hidden" name="edit-{}-_version" '
                ).format(key, key)
                + Markup('value="{}">').format(version_of(self.admin, obj))
                if not index
                else ""
            )
            found[bound.name] = Markup('<label><span class="hidden">{}: {}</span>{}</label>{}{}').format(
                bound.label, label, bound.input, errors, hidden
            )
        for message in form.messages_of(""):
            first = next(iter(found))
            found[first] += Markup('<span class="bad">{}</span>').format(message)
        return found

    def _names(self, obj: Any) -> tuple[str, ...]:
        """Return the fields of a row that the user may set: who may change an object may not set all of it."""
        fixed = fixed_names(self.admin, self.visit.user, obj)
        return tuple(name for name in self.admin.list_editable if name not in fixed)

    def _form(self, key: str, names: tuple[str, ...]) -> Any:
        cls, plan = _form_of(self.admin, names)
        form: Any = cls(plan)
        form.row = key
        return form

    async def save(self, sent: Mapping[str, Sequence[str | UploadFile]]) -> int | None:
        """Save what was changed and return how many objects that were, None where something is wrong."""
        keys = [str(key) for key in sent.get("edited", ())][:500]
        try:
            wanted = [read_key(self.admin.model, key) for key in keys]
        except NoSuchKey:
            self.visit.note("edited")
            raise BadRequest(_("There is no such object; it may have been deleted.")) from None
        if not wanted:
            return 0
        query = with_keys(self.admin, self.admin.query(self.visit.user), wanted)
        done, bad = 0, False
        for obj in await query.for_update(of=self.admin.model).all():
            self.visit.require(self.admin, "change", obj)
            names = self._names(obj)
            if not names:
                self.visit.refuse(f"change {self.admin.name} in the list", obj)
            form = self.forms[text_key(obj)] = self._form(text_key(obj), names)
            form.take(sent)
            form.is_submitted = True
            await form.check()
            done += await self._save_one(form, obj, str((sent.get(f"{form.prefix}_version") or [""])[-1]))
            bad = bad or bool(form.errors)
        return None if bad else done

    async def _save_one(self, form: Any, obj: Any, version: str) -> int:
        if form.errors:
            return 0
        if all(form.data[name] == getattr(obj, name) for name in form.data):
            return 0
        if version != version_of(self.admin, obj):
            form.add_error(None, _("Somebody changed this meanwhile."))
            return 0
        before = snapshot(self.admin, obj)
        saved = await form.save_if_valid(obj, **self.admin.values(self.visit.user, obj))
        if saved is None:
            return 0
        await self.admin.saved(saved, self.visit.user, is_new=False)
        changes = difference(self.admin, before, snapshot(self.admin, saved))
        await record(self.visit, self.admin, saved, action="change", changes=changes)
        return 1
