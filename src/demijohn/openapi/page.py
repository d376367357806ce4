"""The page that shows a document: made on the server, readable without JavaScript, under a strict policy."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from demijohn._lib.translation import get_direction, get_language
from demijohn._lib.translation import gettext as _
from demijohn.app.urls import place
from demijohn.http import Markup, html
from demijohn.openapi.responses import phrase_of
from demijohn.openapi.schemas import Schema
from demijohn.schema import to_json

if TYPE_CHECKING:
    from demijohn.app import App

__all__ = ["render_page"]

_DEEPEST = 4


def render_page(document: Schema, *, app: "App", path: str, docs: str) -> Markup:
    """Return the page of a document.

    Args:
        document: The document.
        app: For the URLs of the stylesheet and the script.
        path: Where the document is, without its suffix.
        docs: Where the page itself is, below the app.
    """
    info = document["info"]
    language, direction = get_language(), get_direction()
    groups = _groups(document)
    return html(
        """<!doctype html>
<html lang="{language}" dir="{direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="stylesheet" href="{style}">
<script src="{script}" defer></script>
</head>
<body data-docs="{docs}">
<a class="skip" href="#content">{skip}</a>
<header>
<h1>{title} <small>{version}</small></h1>
<p class="files"><a href="{path}.json">openapi.json</a> <a href="{path}.yaml">openapi.yaml</a></p>
</header>
<nav aria-label="{contents}">
<input type="search" id="filter" placeholder="{find}" aria-label="{find}" hidden>
{menu}
</nav>
<main id="content">
{about}
{operations}
{classes}
</main>
</body>
</html>
""",
        language=language,
        direction=direction,
        title=info["title"],
        version=info["version"],
        style=place(app.static_url("docs.css", namespace="demijohn.openapi")),
        script=place(app.static_url("docs.js", namespace="demijohn.openapi")),
        skip=_("Skip to the content"),
        contents=_("Contents"),
        find=_("Find"),
        path=path,
        docs=docs,
        about=_prose(info.get("description", "")),
        menu=_join(_menu(groups, document)),
        operations=_join(_group(name, operations, document) for name, operations in groups.items())
        or html('<p class="empty">{}</p>', _("This app has no operations to describe.")),
        classes=_classes(document),
    )


def _join(parts: Iterable[Markup]) -> Markup:
    return Markup("\n").join(parts)


def _groups(document: Schema) -> dict[str, list[tuple[str, str, Schema]]]:
    groups: dict[str, list[tuple[str, str, Schema]]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            groups.setdefault((operation.get("tags") or [""])[0], []).append((path, method, operation))
    return groups


def _menu(groups: dict[str, list[tuple[str, str, Schema]]], document: Schema) -> Iterator[Markup]:
    for name, operations in groups.items():
        if name:
            yield html("<h2>{}</h2>", name)
        links = _join(
            html(
                '<li><a href="#{}" class="{}"><b class="method {}">{}</b> <span>{}</span></a></li>',
                operation["operationId"],
                "old" if operation.get("deprecated") else "",
                method,
                method.upper(),
                path,
            )
            for path, method, operation in operations
        )
        yield html("<ul>{}</ul>", links)
    schemas = document.get("components", {}).get("schemas", {})
    if schemas:
        yield html("<h2>{}</h2>", _("Schemas"))
        yield html("<ul>{}</ul>", _join(html('<li><a href="#schema-{0}">{0}</a></li>', name) for name in schemas))


def _group(name: str, operations: list[tuple[str, str, Schema]], document: Schema) -> Markup:
    about = next((tag.get("description", "") for tag in document.get("tags", ()) if tag["name"] == name), "")
    heading = html("<h2>{}</h2>{}", name, _prose(about)) if name else Markup()
    return heading + _join(_operation(path, method, operation) for path, method, operation in operations)


def _operation(path: str, method: str, operation: Schema) -> Markup:
    parts = [
        html(
            '<header><h3><b class="method {}">{}</b> <code>{}</code></h3><p class="summary">{}</p></header>',
            method,
            method.upper(),
            path,
            operation["summary"],
        )
    ]
    if operation.get("deprecated"):
        parts.append(html('<p class="warning">{}</p>', _("Deprecated: do not use it for anything new.")))
    parts.append(_prose(operation.get("description", "")))
    if operation.get("security"):
        names = ", ".join(name for one in operation["security"] for name in one)
        parts.append(html('<p class="security">{}: {}</p>', _("Needs"), names))
    if operation.get("parameters"):
        parts.append(_parameters(operation["parameters"]))
    body = operation.get("requestBody")
    if body is not None:
        parts.append(html("<h4>{}</h4>{}", _("Body"), _contents(body["content"])))
    parts.append(html('<h4>{}</h4><dl class="answers">{}</dl>', _("Answers"), _answers(operation["responses"])))
    parts.append(_trial(path, method, operation))
    return html('<article id="{}" class="operation">{}</article>', operation["operationId"], _join(parts))


def _parameters(parameters: list[Schema]) -> Markup:
    rows = _join(
        html(
            '<tr><th scope="row"><code>{}</code>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>',
            one["name"],
            Markup(' <abbr title="{}">*</abbr>').format(_("required")) if one.get("required") else "",
            one["in"],
            _inline(one["schema"]),
            one.get("description") or one["schema"].get("description", ""),
        )
        for one in parameters
    )
    return html(
        '<h4>{}</h4><div class="scroll"><table><thead><tr><th>{}</th><th>{}</th><th>{}</th><th>{}</th></tr></thead>'
        "<tbody>{}</tbody></table></div>",
        _("Parameters"),
        _("Name"),
        _("Where"),
        _("Type"),
        _("Meaning"),
        rows,
    )


def _answers(responses: Schema) -> Markup:
    return _join(
        html(
            '<dt class="status s{}"><b>{}</b> {}</dt><dd>{}</dd>',
            status[:1],
            status,
            _phrase(int(status), answer["description"]),
            _contents(answer.get("content", {})),
        )
        for status, answer in responses.items()
    )


def _phrase(status: int, said: str) -> str:
    """Return what is said of an answer; the standard phrase in the language of the reader."""
    return _(said) if said == phrase_of(status) else said


def _contents(content: Schema) -> Markup:
    return _join(
        html('<p class="media"><code>{}</code> {}</p>', media, _inline(about["schema"]) if "schema" in about else "")
        for media, about in content.items()
    )


def _classes(document: Schema) -> Markup:
    schemas = document.get("components", {}).get("schemas", {})
    if not schemas:
        return Markup()
    parts = [html("<h2>{}</h2>", _("Schemas"))]
    for name, schema in schemas.items():
        rows = _join(
            html(
                '<tr><th scope="row"><code>{}</code>{}</th><td>{}</td><td>{}</td></tr>',
                key,
                Markup(' <abbr title="{}">*</abbr>').format(_("required")) if key in schema.get("required", ()) else "",
                _inline(inner),
                inner.get("description", ""),
            )
            for key, inner in schema.get("properties", {}).items()
        )
        shown = html('<div class="scroll"><table><tbody>{}</tbody></table></div>', rows) if rows else _inline(schema)
        parts.append(
            html(
                '<article id="schema-{0}" class="schema"><h3>{0}</h3>{1}{2}</article>',
                name,
                _prose(schema.get("description", "")),
                shown,
            )
        )
    return _join(parts)


def _inline(schema: Schema, depth: int = 0) -> Markup:
    """Return a schema as a few words, names of classes as links."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return html('<a href="#schema-{0}"><code>{0}</code></a>', name)
    if depth > _DEEPEST:
        return Markup("&hellip;")
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return Markup(" | ").join(_inline(part, depth + 1) for part in schema[word]) + _limits(schema)
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return Markup(" | ").join(html("<code>{}</code>", _json(value)) for value in values)
    kind = schema.get("type", "")
    if isinstance(kind, list):
        kind = " | ".join(kind)
    if kind == "array" and "items" in schema:
        return html("[{}]{}", _inline(schema["items"], depth + 1), _limits(schema))
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return html("{{* : {}}}", _inline(schema["additionalProperties"], depth + 1))
    if kind == "object" and "properties" in schema:
        required = schema.get("required", ())
        inner = Markup(", ").join(
            html("<code>{}{}</code>: {}", key, "" if key in required else "?", _inline(value, depth + 1))
            for key, value in schema["properties"].items()
        )
        return html("{{ {} }}", inner)
    word = schema.get("format") or kind or _("anything")
    return html("<code>{}</code>{}", word, _limits(schema))


def _limits(schema: Schema) -> Markup:
    told = []
    for low, high, sign in (
        ("minLength", "maxLength", ""),
        ("minItems", "maxItems", ""),
        ("minimum", "maximum", ""),
        ("exclusiveMinimum", "exclusiveMaximum", "<"),
    ):
        if low in schema or high in schema:
            told.append(f"{schema.get(low, '')}{sign}…{sign}{schema.get(high, '')}")
    if "pattern" in schema:
        told.append(schema["pattern"])
    if "default" in schema:
        told.append(f"= {_json(schema['default'])}")
    return html(' <span class="limits">{}</span>', " ".join(told)) if told else Markup()


def _json(value: Any) -> str:
    return to_json(value).decode()


def _prose(text: str) -> Markup:
    """Return a text as paragraphs; `code` between backticks is all of Markdown that is read."""
    paragraphs = []
    for block in text.split("\n\n"):
        if block.strip():
            pieces = block.strip().split("`")
            parts = [html("<code>{}</code>", one) if place % 2 else html("{}", one) for place, one in enumerate(pieces)]
            paragraphs.append(html("<p>{}</p>", Markup("").join(parts)))
    return _join(paragraphs)


def _trial(path: str, method: str, operation: Schema) -> Markup:
    """Return the form that sends a request; hidden until the script is there."""
    fields = [
        html(
            '<label>{name}{mark} <input name="{name}" data-in="{place}"{required}></label>',
            name=one["name"],
            mark=" *" if one.get("required") else "",
            place=one["in"],
            required=Markup(" required") if one.get("required") else "",
        )
        for one in operation.get("parameters", ())
        if one["in"] in ("path", "query", "header")
    ]
    body = operation.get("requestBody", {}).get("content", {})
    media = next((kind for kind in body if kind in ("application/json", "application/x-www-form-urlencoded")), None)
    if media is not None:
        fields.append(
            html(
                '<label>{} <textarea name="body" rows="6" spellcheck="false" data-media="{}">{}</textarea></label>',
                _("Body"),
                media,
                _json_example(media),
            )
        )
    return html(
        '<details class="trial" hidden><summary>{}</summary><form data-path="{}" data-method="{}">{}'
        '<button>{}</button></form><output aria-live="polite"></output></details>',
        _("Try it"),
        path,
        method.upper(),
        _join(fields),
        _("Send"),
    )


def _json_example(media: str) -> str:
    return "{\n  \n}" if media == "application/json" else ""
