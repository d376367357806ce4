"""Markup of forms: HTML attributes.

And templates rendered by the battery that renders the app's pages.
"""

from collections.abc import Mapping
from typing import Any

from demijohn.app import current
from demijohn.http import Markup, escape

__all__ = ["attributes_of", "render"]


def attributes_of(values: Mapping[str, Any]) -> Markup:
    """Return HTML attributes, escaped and quoted, each with a space before it.

    `True` is the bare name, `False` and `None` leave the attribute out; underscores become hyphens (Any: what prints).
    """
    parts = []
    for name, value in values.items():
        if value is None or value is False:
            continue
        spelled = name.removesuffix("_").replace("_", "-")
        parts.append(f" {spelled}" if value is True else f' {spelled}="{escape(value)}"')
    return Markup("".join(parts))


def render(template: str, /, **context: Any) -> Markup:
    """Render a template of this room, or the one that the app puts in its place.

    Any: templates print anything.
    """
    templates: Any = current.app.need("templating")
    return Markup(templates.render_alone(template, context))
