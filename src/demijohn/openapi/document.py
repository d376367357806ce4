"""The OpenAPI 3.1 document of an app, from the same types that bind, validate and encode."""

import inspect
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from demijohn._lib.sentinels import MISSING
from demijohn.app import App, Input, Operation, operations_of
from demijohn.app.streaming import items_of
from demijohn.openapi.describing import Description, description_of
from demijohn.openapi.naming import distinct_ids
from demijohn.openapi.responses import PROBLEM, VALIDATION, answers_of, has_annotation, is_page, phrase_of
from demijohn.openapi.schemas import Schema, Schemas
from demijohn.schema import Field, fields_of, has_fields
from demijohn.schema.field import split

__all__ = ["Document", "build_document"]

_PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"
_METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH")
_SECTION = re.compile(
    r"^(?:Args|Arguments|Parameters|Returns|Raises|Yields|Example|Examples|Note|Notes):\s*$", re.MULTILINE
)
_PARAMETER = re.compile(r"\{([A-Za-z_]\w*)[^{}]*\}")


class Document:
    """A document as it is built: plain data, and what could not be told."""

    def __init__(
        self,
        data: Schema,
        *,
        undescribed: Sequence[tuple[Operation, Any]],
        unsaid: Sequence[Operation],
        guessed: Sequence[Operation],
    ) -> None:
        self.data = data
        self.undescribed = undescribed
        """Operations with a type that has no schema."""
        self.unsaid = unsaid
        """Operations whose handler does not say what it returns."""
        self.guessed = guessed
        """Operations that were left out, since their handler says nothing and builds a page."""


def build_document(
    app: App,
    *,
    info: Schema,
    only: Sequence[str] = (),
    servers: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
) -> Document:
    """Return the document of a built app.

    Args:
        app: The app.
        info: Title, version and description.
        only: Beginnings of paths; all others are left out.
        servers: URLs that the API is reached at.
        tags: Descriptions of the groups.
    """
    # Twice, since all names have to be known before one is written.
    first = _Builder(app, info=info, only=tuple(only), schemas=Schemas())
    first.build(servers=servers, tags=tags or {})
    schemas = Schemas(names=first.schemas.distinct_names(reserved=("Problem", "ValidationProblem")))
    return _Builder(app, info=info, only=tuple(only), schemas=schemas).build(servers=servers, tags=tags or {})


class _Builder:
    def __init__(self, app: App, *, info: Schema, only: tuple[str, ...], schemas: Schemas) -> None:
        self.app = app
        self.info = info
        self.only = only
        self.schemas = schemas
        self.security: dict[str, Mapping[str, Any]] = {}
        self.problems: set[str] = set()
        self.undescribed: list[tuple[Operation, Any]] = []
        self.unsaid: list[Operation] = []
        self.guessed: list[Operation] = []

    def build(self, *, servers: Sequence[str], tags: Mapping[str, str]) -> Document:
        paths: dict[str, Schema] = {}
        used: dict[str, None] = {}
        wanted: dict[tuple[str, str], tuple[Operation, Description]] = {}
        for operation in operations_of(self.app):
            about = description_of(operation.function)
            if self._is_wanted(operation, about):
                path = _PARAMETER.sub(r"{\1}", operation.route.pattern)
                wanted.setdefault((path, operation.method), (operation, about))
        ids = distinct_ids(list(wanted.values()))
        for ((path, method), (operation, about)), name in zip(wanted.items(), ids, strict=True):
            before = len(self.schemas.undescribed)
            made = self._operation(operation, about, name=name)
            self.undescribed += [(operation, tp) for tp in self.schemas.undescribed[before:]]
            used.update(dict.fromkeys(made.get("tags", ())))
            paths.setdefault(path, {})[method.lower()] = made
        data: Schema = {"openapi": "3.1.1", "info": self.info}
        if servers:
            data["servers"] = [{"url": url} for url in servers]
        data["paths"] = paths
        components = self._components()
        if components:
            data["components"] = components
        if used:
            data["tags"] = [{"name": name, **({"description": tags[name]} if name in tags else {})} for name in used]
        return Document(data, undescribed=self.undescribed, unsaid=self.unsaid, guessed=self.guessed)

    def _is_wanted(self, operation: Operation, about: Description) -> bool:
        route = operation.route
        if operation.method not in _METHODS or route.namespace.partition(".")[0] == "demijohn":
            return False
        if about.hidden is not None:
            return not about.hidden
        if operation.plan is None or route.name.startswith("demijohn.") or route.pattern.startswith("/__"):
            return False
        code = getattr(inspect.unwrap(operation.function), "__code__", None)
        if code is not None and code.co_filename.startswith(_PACKAGE):
            return False  # pages of batteries: of models, of accounts, of the admin
        if self.only and not route.pattern.startswith(self.only):
            return False
        if not is_page(operation):
            return True
        if not has_annotation(operation.function):
            self.guessed.append(operation)
        return False

    def _components(self) -> Schema:
        schemas = dict(self.schemas.components)
        if "problem" in self.problems or "validation" in self.problems:
            schemas["Problem"] = PROBLEM
        if "validation" in self.problems:
            schemas["ValidationProblem"] = VALIDATION
        found: Schema = {}
        if schemas:
            found["schemas"] = dict(sorted(schemas.items()))
        if self.security:
            found["securitySchemes"] = dict(self.security)
        return found

    # -- one operation ------------------------------------------------------------------------------------------------

    def _operation(self, operation: Operation, about: Description, *, name: str) -> Schema:
        summary, text = _texts(operation.function)
        made: Schema = {"operationId": name}
        group = operation.route.namespace.partition(".")[0]
        tags = about.tags if about.tags is not None else (group,) if group else ()
        if tags:
            made["tags"] = list(tags)
        made["summary"] = about.summary or summary or _spoken(operation)
        description = about.description if about.description is not None else text
        if description:
            made["description"] = description
        if about.deprecated or getattr(operation.function, "__deprecated__", None) is not None:
            made["deprecated"] = True
        parameters = self._parameters(operation)
        if parameters:
            made["parameters"] = parameters
        body = self._body(operation)
        if body is not None:
            made["requestBody"] = body
        requirements = self._security(operation)
        made["responses"] = self._responses(operation, about, has_body=body is not None, secured=bool(requirements))
        if requirements:
            made["security"] = requirements
        return made

    # -- what a client gives ------------------------------------------------------------------------------------------

    def _parameters(self, operation: Operation) -> list[Schema]:
        given = {one.name: one for one in operation.inputs if one.source == "path"}
        found: dict[tuple[str, str], Schema] = {}
        for parameter in operation.route.parsed.parameters:
            one = given.get(parameter.name)
            schema = self._of_input(one) if one is not None else self._of_converter(operation, parameter.name)
            found["path", parameter.name] = {"name": parameter.name, "in": "path", "required": True, "schema": schema}
        for one in operation.inputs:
            if one.source not in ("query", "header", "cookie"):
                continue
            for name, field, required, schema in self._spread(one):
                made: Schema = {"name": name, "in": one.source}
                if required:
                    made["required"] = True
                text = schema.pop("description", None)
                if text:
                    made["description"] = text
                if field is not None and field.deprecated:
                    made["deprecated"] = True
                made["schema"] = schema
                found.setdefault((one.source, name), made)
        return list(found.values())

    def _spread(self, one: Input) -> Iterable[tuple[str, Field | None, bool, Schema]]:
        """Yield the parameters that a value is made of: itself, or the fields of its class."""
        tp = split(one.type)[0]
        if has_fields(tp):
            for name, field in fields_of(tp).items():
                yield field.alias or name, field, field.required, self.schemas.field(field, "in")
        elif one.name:
            yield one.name, one.field, one.required, self._of_input(one)

    def _of_input(self, one: Input) -> Schema:
        schema = self.schemas.of(one.type, "in")
        if one.field is not None:
            schema = self.schemas.described(schema, one.field)
        if one.default is not MISSING and one.default is not None:
            schema = self.schemas.described(schema, Field(default=one.default))
        return schema

    def _of_converter(self, operation: Operation, name: str) -> Schema:
        """Return the schema of a path parameter that a battery binds: of the column that a model is found by."""
        converter = operation.route.converters.get(name)
        model, key = getattr(converter, "model", None), getattr(converter, "column_key", None)
        if model is not None and key is not None:
            field = fields_of(model).get(key)
            if field is not None:
                return self.schemas.field(field.replace(readonly=False, default=MISSING), "in")
        return {"type": "string"}

    def _body(self, operation: Operation) -> Schema | None:
        bodies = [one for one in operation.inputs if one.source == "body"]
        forms = [one for one in operation.inputs if one.source == "form"]
        if not bodies and not forms:
            return None
        schema = self._joined(bodies or forms)
        media = [kind for one in (bodies or forms) for kind in one.media_types] or ["application/json"]
        if any("multipart/form-data" in one.media_types and len(one.media_types) == 1 for one in forms):
            media = ["multipart/form-data"]
        made: Schema = {"content": {kind: {"schema": schema} for kind in dict.fromkeys(media)}}
        if any(one.required for one in (bodies or forms)):
            made["required"] = True
        return made

    def _joined(self, given: list[Input]) -> Schema:
        if len(given) == 1 and not given[0].name:
            return self._of_input(given[0])
        properties: dict[str, Schema] = {}
        required: list[str] = []
        for one in given:
            if one.source == "form" and has_fields(split(one.type)[0]):
                for name, field, needed, schema in self._spread(one):
                    del field
                    properties[name] = schema
                    required += [name] if needed else []
            else:
                properties[one.name] = self._of_input(one)
                required += [one.name] if one.required else []
        return {"type": "object", "properties": properties, **({"required": required} if required else {})}

    # -- who may, and what comes back ---------------------------------------------------------------------------------

    def _security(self, operation: Operation) -> list[dict[str, list[str]]]:
        things: list[Any] = [*operation.marks.guards, *operation.services]
        found: dict[str, None] = {}
        for battery in self.app.batteries.values():
            tell = getattr(battery, "security_of", None)
            if tell is None:
                continue
            for thing in things:
                for name, scheme in (tell(thing) or {}).items():
                    self.security[name] = scheme
                    found[name] = None
        return [{name: []} for name in found]

    def _responses(self, operation: Operation, about: Description, *, has_body: bool, secured: bool) -> Schema:
        found: dict[str, Schema] = answers_of(operation, self.schemas)
        if not has_said(operation):
            self.unsaid.append(operation)
        if secured:
            self._problem(found, 401)
            self._problem(found, 403)
        if has_body:
            self._problem(found, 400)
        if operation.route.parsed.parameters:
            self._problem(found, 404)
        if has_body or any(one.source in ("query", "header", "cookie") for one in operation.inputs):
            self._problem(found, 422)
        for status, said in about.responses.items():
            self._said(found, status, said)
        return dict(sorted(found.items()))

    def _problem(self, found: dict[str, Schema], status: int) -> None:
        name = "ValidationProblem" if status == 422 else "Problem"
        self.problems.add("validation" if status == 422 else "problem")
        found.setdefault(
            str(status),
            {
                "description": phrase_of(status),
                "content": {"application/problem+json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
            },
        )

    def _said(self, found: dict[str, Schema], status: int, said: Any) -> None:
        text, tp = said if isinstance(said, tuple) else (said, MISSING) if isinstance(said, str) else (None, said)
        if status >= 400 and tp is MISSING:
            self._problem(found, status)
        made = found.setdefault(str(status), {"description": phrase_of(status)})
        if text:
            made["description"] = text
        if tp is not MISSING and tp is not None:
            made["content"] = {"application/json": {"schema": self.schemas.of(tp, "out")}}


def has_said(operation: Operation) -> bool:
    """Return whether what an operation answers is known: by an annotation, or since it yields or lists formats."""
    return has_annotation(operation.function) or items_of(operation.function) is not None or operation.status == 204


def _texts(function: Any) -> tuple[str, str]:
    """Return the first line of a docstring, and the rest up to its first section."""
    text = inspect.unwrap(function).__doc__ if callable(function) else None
    if not text:
        return "", ""
    cleaned = inspect.cleandoc(text)
    found = _SECTION.search(cleaned)
    if found is not None:
        cleaned = cleaned[: found.start()]
    summary, _, rest = cleaned.strip().partition("\n\n")
    return " ".join(summary.split()).removesuffix("."), rest.strip()


def _spoken(operation: Operation) -> str:
    words = operation.route.name.rpartition(".")[2].replace("_", " ")
    return words[:1].upper() + words[1:]
