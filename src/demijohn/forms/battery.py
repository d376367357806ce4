"""`Forms`: the battery that binds forms to the parameters of handlers."""

import logging
import re
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from demijohn.app import Binder, Fields, HandlerParameter, Input, Query
from demijohn.app.signatures import name_of, read_parameters, stripped
from demijohn.errors import FieldError, ValidationFailed
from demijohn.forms.faults import FormMistake
from demijohn.forms.form import BaseForm
from demijohn.forms.plans import FormPlan
from demijohn.forms.rows import Rows
from demijohn.http import Request, Response, UploadFile
from demijohn.schema import field_error

if TYPE_CHECKING:
    from demijohn.app import App

__all__ = ["Forms", "receive"]

logger = logging.getLogger("demijohn.forms")

TEMPLATES = Path(__file__).parent / "templates"
_SENDING = frozenset(("POST", "PUT", "PATCH"))
Sent = dict[str, list[str | UploadFile]]


class Forms:
    """Binds `Form[...]` and `ModelForm[...]` to the parameters of handlers.

    An app in which a handler asks for a form has it by itself.
    """

    __battery__: ClassVar[str] = "forms"
    name = "forms"
    requires: tuple[str, ...] = ()

    def install(self, app: "App") -> None:
        """Plug into the app: the binder, and the templates of forms and generic views."""
        app.provide(Forms, value=self)
        app.binders.add(BaseForm, bind_form)
        app.templates.folders.append((TEMPLATES, "forms"))


def _form_class(tp: Any) -> type[BaseForm] | None:
    bare = stripped(tp)
    return bare if isinstance(bare, type) and issubclass(bare, BaseForm) else None


def bind_form(parameter: HandlerParameter) -> Binder | None:
    """Return the binder of a parameter that is a form.

    Raises:
        FormMistake: It cannot be made as it was declared.
    """
    cls = _form_class(parameter.type)
    if cls is None:
        return None
    where = f"`{parameter.name}` of {name_of(parameter.function)}"
    if cls.target is None:
        raise FormMistake(
            f"{where} is a {cls.__name__} of nothing.",
            why="A form has the fields of a class.",
            fix=f"{parameter.name}: {cls.__name__}[Contact]",
        )
    listed = parameter.find(Fields)
    rows = [item for item in parameter.metadata if isinstance(item, Rows)]
    plan = cls.plan(listed.names if listed is not None else None, rows=rows, where=where)
    forms = [one for one in read_parameters(parameter.function) if _form_class(one.type) is not None]
    alone = len(forms) == 1
    by_query = parameter.find(Query) is not None
    sends = bool(parameter.methods & _SENDING)
    offers = any(field.relation is not None for field in plan.fields.values()) or bool(plan.rows)

    async def read(request: Request) -> BaseForm:
        form = cls(plan, name=parameter.name, alone=alone)
        await receive(form, request)
        return form

    async def show(request: Request) -> BaseForm:
        form = cls(plan, name=parameter.name, alone=alone)
        await form.offer_choices()
        return form

    def make(request: Request) -> BaseForm:
        return cls(plan, name=parameter.name, alone=alone)

    async def search(request: Request) -> BaseForm:
        form = cls(plan, name=parameter.name, alone=alone, by_query=True)
        await receive_query(form, request)
        return form

    if by_query:
        return Binder(search, inputs=tuple(_inputs(plan, source="query")))
    if sends:
        return Binder(read, inputs=tuple(_inputs(plan)), reads_body=True)
    return Binder(show if offers else make, is_async=offers)


def _inputs(plan: FormPlan, *, source: str = "form") -> list[Input]:
    media = (
        ("multipart/form-data",) if plan.takes_files else ("application/x-www-form-urlencoded", "multipart/form-data")
    )
    return [
        Input(
            source,
            name,
            type=(list[str] if field.is_many else str) if field.relation is not None else field.field.type,
            required=field.required,
            field=field.field,
            media_types=media if source == "form" else (),
        )
        for name, field in plan.fields.items()
    ]


async def receive(form: BaseForm, request: Request) -> None:
    """Read what a form sent, do what its button asks for, or check it.

    For code that makes its form itself, since it is no parameter of a handler; a parameter was read already.

    Example:
        ```python notest
        form = ContactForm(plan)  # plan = ContactForm.plan(), once
        if request.method == "POST":
            await receive(form, request)
        ```

    Raises:
        ValidationFailed: Something is wrong, and the client prefers data to a page.
    """
    data = await request.form()
    sent: Sent = {name: data.getlist(name) for name in data}
    if form.hidden_name and _last(sent, "_form") != form.hidden_name:
        await form.offer_choices()  # the other form of the page was sent
        return
    form.take(sent)
    for rows in form.row_sets.values():
        rows.take(sent)
    form.action = _last(sent, "_action")
    if request.after is None:
        request.after = []
    request.after.append(lambda response: _finish(form, request, response))
    if form.act():
        await form.offer_choices()
        return
    form.is_submitted = True
    form.note("", _unknown(form, request, sent))
    await form.check()
    if form.errors:
        if request.accept.prefers_data:
            raise ValidationFailed(form.field_errors())
        await form.offer_choices()


async def receive_query(form: BaseForm, request: Request) -> None:
    """Read a form from the query, where any of its fields is there; other names belong to somebody else."""
    query = request.query
    sent: Sent = {name: list(query.getlist(name)) for name in query}
    if not any(form.knows(name) for name in sent):
        await form.offer_choices()
        return
    form.take(sent)
    form.is_submitted = True
    await form.check()
    await form.offer_choices()


def _last(sent: Sent, name: str) -> str:
    values = sent.get(name)
    return values[-1] if values and isinstance(values[-1], str) else ""


def _unknown(form: BaseForm, request: Request, sent: Sent) -> Sequence[FieldError]:
    """Return an error for each field that the form does not have.

    Names that begin with `_` belong to buttons.
    """
    guard = request.app.csrf
    token = guard.form_field if guard is not None else "csrf_token"
    unknown = [name for name in sent if name != token and not name.startswith("_") and not form.knows(name)]
    if unknown:
        logger.warning(
            "%s %s was sent fields that its form does not have: %s",
            request.method,
            request.path,
            ", ".join(repr(name[:80]) for name in unknown[:10]),
        )
    errors = [field_error(("form", name[:80]), "unknown") for name in unknown[:10]]
    return [error._replace(message=f"“{error.place[1]}”: {error.message}") for error in errors]


def _finish(form: BaseForm, request: Request, response: Response) -> Response | None:
    """Send a page with errors as 422; give htmx the form alone, or have it go where the answer leads."""
    if (response.content_type or "").startswith("text/html") and isinstance(response.body, bytes):
        if form.errors and response.status == 200:
            response.status = 422
        if request.htmx and form.is_part(request.htmx.target_id or ""):
            response.body = _cut_out(response.body, form.form_id) or response.body
    elif 300 <= response.status < 400 and request.htmx.target_id == form.form_id and "location" in response.headers:
        # The script would follow by itself and look for the form in that page.
        return Response(b"", 204, {"HX-Redirect": response.headers["location"]})
    return None


def _cut_out(page: bytes, form_id: str) -> bytes | None:
    """Return a form out of the page that it was rendered in, or None where it is not in there.

    Forms do not nest: it ends at the first end tag that is one. What only looks like a tag (in a comment, a script, the
    value of an attribute) is none.
    """
    start = -1
    for found in _TAGS.finditer(page):
        tag = found["attributes"]
        if tag is None:
            continue
        if found["end"]:
            if start >= 0:
                return page[start : found.end()]
        elif start < 0 and _id_of(tag) == form_id:
            start = found.start()
    return None


_INSIDE = rb"""(?:[^>"']|"[^"]*"|'[^']*')*+"""
_TAGS = re.compile(
    rb"<!--.*?-->"
    rb"|<(?P<raw>script|style|textarea|title)(?=[\s/>])" + _INSIDE + rb">.*?</(?P=raw)(?=[\s/>])"
    rb"|<(?P<end>/?)form(?=[\s/>])(?P<attributes>" + _INSIDE + rb")>",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTES = re.compile(rb"""([^\s=/>"']+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?""")


def _id_of(attributes: bytes) -> str | None:
    """Return the `id` among the attributes of a tag; the first counts, as in browsers."""
    for name, *values in _ATTRIBUTES.findall(attributes):
        if name.lower() == b"id":
            return unescape(b"".join(values).decode("utf-8", "replace"))
    return None
