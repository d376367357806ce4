"""Translated texts in templates: `_()` and its like for texts, `{% trans %}` for HTML.

What `_("...")` returns is text and is escaped where it is printed, as every string is. What stands between
`{% trans %}` and `{% endtrans %}` is written in the template and is HTML, in every language; the values in it are
escaped.
"""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, nodes, pass_eval_context
from jinja2.ext import InternationalizationExtension
from jinja2.nodes import EvalContext
from markupsafe import Markup, escape

from demijohn._lib import translation

__all__ = ["Translations"]


def _filled(eval_context: EvalContext, message: str, text: str, values: Mapping[str, Any]) -> str:
    """Return a translation of a message with its values: HTML where the message is, or one of the values."""
    if eval_context.autoescape:
        if isinstance(message, Markup):
            text = Markup(text)  # noqa: S704 - written between {% trans %} and {% endtrans %}
        elif any(hasattr(value, "__html__") for value in values.values()):
            text, message = escape(text), escape(message)
    elif isinstance(message, Markup):
        message = str(message)
    return translation.fill(text, message, values) if values else text


@pass_eval_context
def _gettext(eval_context: EvalContext, message: str, /, **values: Any) -> str:
    return _filled(eval_context, message, translation.gettext(str(message)), values)


@pass_eval_context
def _pgettext(eval_context: EvalContext, context: str, message: str, /, **values: Any) -> str:
    return _filled(eval_context, message, translation.pgettext(str(context), str(message)), values)


@pass_eval_context
def _ngettext(eval_context: EvalContext, singular: str, plural: str, number: int, /, **values: Any) -> str:
    catalog = translation.find_catalog()
    source = singular if number == 1 else plural
    text = str(source) if catalog is None else catalog.ngettext(str(singular), str(plural), number)
    return _filled(eval_context, source, text, {"num": number, **values})


@pass_eval_context
def _npgettext(
    eval_context: EvalContext, context: str, singular: str, plural: str, number: int, /, **values: Any
) -> str:
    catalog = translation.find_catalog()
    source = singular if number == 1 else plural
    text = str(source) if catalog is None else catalog.npgettext(str(context), str(singular), str(plural), number)
    return _filled(eval_context, source, text, {"num": number, **values})


FUNCTIONS: dict[str, Callable[..., str]] = {
    "_": _gettext,
    "gettext": _gettext,
    "ngettext": _ngettext,
    "pgettext": _pgettext,
    "npgettext": _npgettext,
}


class Translations(InternationalizationExtension):
    """Jinja2's `{% trans %}`, without a step in which translations are installed: the present catalog is looked up."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        # `{% trans %}` then hands its variables to the function, which escapes them.
        environment.newstyle_gettext = True  # type: ignore[attr-defined]
        environment.globals.update(FUNCTIONS)

    def _make_node(
        self,
        singular: str,
        plural: str | None,
        context: str | None,
        variables: dict[str, nodes.Expr],
        plural_expr: nodes.Expr | None,
        vars_referenced: bool,
        num_called_num: bool,
    ) -> nodes.Output:
        if not vars_referenced and plural is None:
            # Nothing is filled in, so that a percent sign is one in the catalog too.
            singular = singular.replace("%%", "%")
            variables = {}
        return super()._make_node(
            Markup(singular),  # noqa: S704 - the source of a template
            None if plural is None else Markup(plural),  # noqa: S704
            context,
            variables,
            plural_expr,
            vars_referenced,
            num_called_num,
        )
