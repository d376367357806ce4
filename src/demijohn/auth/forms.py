"""The forms of the pages of accounts: what is asked, what was said, and what is wrong with it."""

from collections.abc import Iterable, Mapping
from typing import Any

from demijohn._lib.translation import gettext as _
from demijohn.errors import FieldError, ValidationFailed
from demijohn.http import Accept, Request
from demijohn.schema import Field, converter

__all__ = ["AccountForm", "Question", "wants_page"]

_BOXES = ("remember",)


class Question:
    """One field of a form, with what was said and what is wrong with it."""

    def __init__(
        self,
        name: str,
        label: str,
        *,
        kind: str = "text",
        autocomplete: str = "",
        help: str = "",  # noqa: A002 - the name in forms and in Django
        required: bool = True,
        max_length: int | None = None,
    ) -> None:
        self.name = name
        self.label = label
        self.kind = kind
        self.autocomplete = autocomplete
        self.help = help
        self.required = required
        self.max_length = max_length
        self.value: Any = False if kind == "checkbox" else ""
        self.errors: list[str] = []

    @property
    def described_by(self) -> str:
        """The ids of what is said about it."""
        ids = [f"{self.name}-error"] if self.errors else []
        return " ".join([*ids, *([f"{self.name}-help"] if self.help else [])])


class AccountForm:
    """The questions of one page, answered by a form or by JSON."""

    def __init__(self, *questions: Question) -> None:
        self.questions = {question.name: question for question in questions}
        self.errors: list[str] = []

    def __getitem__(self, name: str) -> Any:
        return self.questions[name].value

    @property
    def is_valid(self) -> bool:
        """Whether nothing is wrong, as far as that was looked at."""
        return not self.errors and not any(question.errors for question in self.questions.values())

    async def read(self, request: Request, *, besides: Iterable[str] = ()) -> Mapping[str, Any]:
        """Read the answers, and return what else was sent.

        Args:
            request: The request with the form or the JSON document.
            besides: Names that may be there too.

        Raises:
            ValidationFailed: A JSON document is no object of these fields.
        """
        sent: dict[str, Any]
        if request.content_type is not None and request.content_type.essence == "application/json":
            document = await request.json()
            if not isinstance(document, dict):
                raise ValidationFailed([FieldError(("body",), "type", _("Expected an object."))])
            unknown = [name for name in document if name not in self.questions and name not in besides]
            if unknown:
                raise ValidationFailed(
                    [FieldError(("body", name), "unknown", _("There is no such field.")) for name in unknown]
                )
            sent = document
        else:
            form = await request.form()
            sent = {name: value for name, value in form.items() if isinstance(value, str)}
            for name in _BOXES:
                if name in self.questions:
                    sent[name] = name in sent
        for question in self.questions.values():
            self._answer(question, sent.get(question.name))
        return sent

    def _answer(self, question: Question, value: Any) -> None:
        expected = bool if question.kind == "checkbox" else str
        if value is None:
            value = expected()
        if not isinstance(value, expected):
            question.errors.append(_("Expected another type."))
            return
        question.value = value
        if isinstance(value, str) and question.kind != "password":
            question.value = value = value.strip()
        if question.required and not value and expected is str:
            question.errors.append(_("This is needed."))

    def convert(self, name: str, field: Field) -> Any:
        """Return an answer as the value of a field; what is wrong with it is noted (Any: of the field's type)."""
        question = self.questions[name]
        if question.errors:
            return None
        try:
            from typing import Annotated

            return converter(Annotated[field.type, field], text=True)(question.value)
        except ValidationFailed as failed:
            question.errors += [error.message for error in failed.errors]
            return None

    def add(self, errors: Iterable[FieldError]) -> None:
        """Note errors of fields, each beside its question, others above all."""
        for error in errors:
            question = self.questions.get(str(error.place[-1])) if error.place else None
            (self.errors if question is None else question.errors).append(error.message)

    def failure(self, status: int = 422) -> ValidationFailed:
        """Return what is wrong as the answer for a client of JSON."""
        found = [FieldError(("body",), "invalid", message) for message in self.errors]
        for question in self.questions.values():
            found += [FieldError(("body", question.name), "invalid", message) for message in question.errors]
        failed = ValidationFailed(found)
        failed.status = status
        return failed


def wants_page(request: Request) -> bool:
    """Return whether a browser asks, which is shown a page; others get JSON."""
    accept = Accept(request.headers.get("accept"))
    return accept.quality("text/html") > accept.quality("application/json")
