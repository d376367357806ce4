"""Models as parameters of handlers: loaded by the path, or made of a body that may set listed fields only."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, get_args, get_origin

import msgspec
from sqlalchemy import inspect as sql_inspect
from sqlalchemy.orm import Mapper

from demijohn._lib.sentinels import MISSING
from demijohn._lib.translation import gettext as _
from demijohn.app.binders import Binder
from demijohn.app.parameters import Body, HandlerParameter, Input
from demijohn.app.reading import BodyReader
from demijohn.app.signatures import name_of, optional, read_parameters, stripped
from demijohn.db.converters import ModelConverter
from demijohn.db.declarative import Declarative
from demijohn.db.descriptions import describe, python_type, typed
from demijohn.db.faults import unknown
from demijohn.db.models import Model
from demijohn.db.relations import Link, key_of, links_of
from demijohn.db.violations import ValueRefused
from demijohn.errors import ConfigurationError, FieldError, NotFound, ValidationFailed
from demijohn.http import Request
from demijohn.routing import Converter, Parameter, Route
from demijohn.routing.converters import CONVERTERS, StrConverter
from demijohn.schema import Field, converter, field_error

__all__ = ["bind_model", "bind_models", "is_list_of_models", "is_model", "resolve_converter"]


# -- by the path -----------------------------------------------------------------------------------------------------


def resolve_converter(parameter: Parameter, route: Route) -> Converter[Any] | None:
    """Return the converter of a path parameter whose handler asks for a model.

    All others get None.
    """
    endpoint = route.endpoint
    if not callable(endpoint) or isinstance(endpoint, type):
        return None
    try:
        found = [one for one in read_parameters(endpoint) if one.name == parameter.name]
    except ConfigurationError:
        return None  # binding says what is wrong with it
    model = _model_of(found[0].type) if found else None
    if model is None:
        return None
    key = column_of(model, parameter)
    column = model.__mapper__.columns[key]
    tp = python_type(model, key, column)
    name = {int: "int", float: "float", bool: "bool"}.get(tp) or getattr(tp, "__name__", "str").lower()
    inner = CONVERTERS[name]() if name in CONVERTERS and name not in {"str", "path"} else StrConverter()
    return ModelConverter(model, key, inner)


def column_of(model: type[Model], parameter: Any) -> str:
    """Return the attribute that `{post}` or `{post:slug}` names.

    That is the key, or that column (Any: routing's `Parameter`).

    Raises:
        ConfigurationError: The key has several columns, so that one text cannot hold it.
    """
    mapper: Mapper[Any] = model.__mapper__
    wanted = getattr(parameter, "converter", None)
    if wanted and wanted in mapper.column_attrs:
        return str(wanted)
    if len(mapper.primary_key) != 1:
        raise ConfigurationError(
            f"{{{parameter.name}}} stands for a {model.__name__}, whose key has {len(mapper.primary_key)} columns.",
            why="One part of a path holds one value.",
            fix=f"Name a column:  {{{parameter.name}:slug}}",
            code="DJN-811",
        )
    return str(mapper.get_property_by_column(mapper.primary_key[0]).key)


def _model_of(tp: Any) -> type[Model] | None:
    bare = stripped(tp)
    return bare if isinstance(bare, type) and issubclass(bare, Model) else None


def is_model(parameter: HandlerParameter) -> bool:
    """Return whether a parameter asks for a model, or for one or None."""
    return _model_of(parameter.type) is not None


def _loader(model: type[Model], parameter: HandlerParameter) -> Callable[[Request], Awaitable[Any]]:
    name = parameter.name
    key = column_of(model, parameter.path)
    mapper = model.__mapper__
    is_key = mapper.columns[key].primary_key and len(mapper.primary_key) == 1
    may_be_none = optional(parameter.type)

    async def load(request: Request) -> Any:
        value = request.path_params[name]
        query = model.query()
        try:
            found = await (query.get(value) if is_key else query.where(**{key: value}).one_or_none())
        except ValueRefused:  # no row can have it
            found = None
        if found is None and not may_be_none:
            raise NotFound(_("No such %(name)s.", name=model.__name__))
        return found

    return load


def bind_model(parameter: HandlerParameter) -> Binder | None:
    """Return the binder of a parameter whose type is a model.

    Raises:
        ConfigurationError: It is a body without the list of fields that a client may set.
    """
    model = _model_of(parameter.type)
    if model is None:
        return None
    load = _loader(model, parameter) if parameter.path is not None else None
    body = parameter.find(Body)
    if body is None:
        if load is not None:
            return Binder(load, is_async=True)
        raise _no_fields(model, parameter)
    return _body_binder(model, body, parameter, load)


# -- by the body -----------------------------------------------------------------------------------------------------


def is_list_of_models(parameter: HandlerParameter) -> bool:
    """Return whether a parameter asks for a list of models."""
    return get_origin(parameter.type) is list and _model_of(get_args(parameter.type)[0]) is not None


def bind_models(parameter: HandlerParameter) -> Binder | None:
    """Return the binder of a parameter that is a list of models, read from a body."""
    model = _model_of(get_args(parameter.type)[0])
    if model is None:
        return None
    body = parameter.find(Body)
    if body is None:
        raise _no_fields(model, parameter)
    return _body_binder(model, body, parameter, None, many=True)


def _no_fields(model: type[Model], parameter: HandlerParameter) -> ConfigurationError:
    fields = [
        name
        for name, field in describe(model).items()
        if not field.readonly and not field.private and name != "id" and "key_of" not in field.extra
    ]
    shown = ", ".join(f'"{name}"' for name in fields[:4])
    return ConfigurationError(
        f"`{parameter.name}: {model.__name__}` of {name_of(parameter.function)} would be read from the body, and "
        "nothing "
        "says which fields a client may set.",
        why="A client could set every column, those of other people and of the admin included.",
        fix=f"{parameter.name}: Annotated[{model.__name__}, Body(include=[{shown}])]",
        code="DJN-810",
    )


def _body_binder(
    model: type[Model],
    body: Body,
    parameter: HandlerParameter,
    load: Callable[[Request], Awaitable[Any]] | None,
    *,
    many: bool = False,
) -> Binder:
    if body.include is None and body.exclude is None:
        raise _no_fields(model, parameter)
    partial = body.partial or load is not None
    names = _allowed(model, body, parameter, partial=partial)
    struct = _struct(model, names, partial=partial)
    read_as: Any = list[struct] if many else struct  # type: ignore[valid-type]
    if body.embed:
        wire = body.alias or parameter.name
        read_as = msgspec.defstruct("Body", [(wire, read_as)], forbid_unknown_fields=True)
    reader = BodyReader(read_as)
    place: tuple[str | int, ...] = ("body", body.alias or parameter.name) if body.embed else ("body",)

    async def get(request: Request) -> Any:
        existing = await load(request) if load is not None else None
        value, errors = await _read(reader, request, form=body.form)
        if errors:
            raise ValidationFailed(errors)
        if body.embed:
            value = getattr(value, body.alias or parameter.name)
        if many:
            return [await _made(model, one, None, (*place, index)) for index, one in enumerate(value)]
        return await _made(model, value, existing, place)

    given = Input("body", "", type=read_as, required=parameter.default is MISSING, media_types=("application/json",))
    return Binder(get, is_async=True, inputs=(given,), reads_body=True)


async def _read(reader: BodyReader, request: Request, *, form: bool) -> tuple[Any, list[FieldError] | None]:
    kind = request.headers.line(b"content-type")
    if form and kind and kind.lower().startswith((b"multipart/form-data", b"application/x-www-form-urlencoded")):
        # A form holds more than its fields: the token against forgery, the name of the button.
        data = await request.form()
        known = getattr(reader.tp, "__struct_fields__", ())
        fields = {name: data.getlist(name) for name in data if name in known}
        try:
            return converter(reader.tp, text=True, form=True, place=("body",))(fields), None
        except ValidationFailed as failed:
            return None, failed.errors
    return await reader.read(request, None)


def _split(names: Iterable[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the names of a model's own fields, and by relation those of what is nested (`lines.pieces`)."""
    own: dict[str, None] = {}
    nested: dict[str, list[str]] = {}
    for name in names:
        head, dot, rest = name.partition(".")
        own[head] = None
        if dot:
            nested.setdefault(head, []).append(rest)
    return list(own), nested


def _allowed(model: type[Model], body: Body, parameter: HandlerParameter, *, partial: bool) -> list[str]:
    fields = describe(model)
    if body.include is not None:
        names = list(body.include)
    else:
        left_out = set(body.exclude or ())
        names = [
            name
            for name, field in fields.items()
            if name not in left_out and not field.readonly and not field.private and "key_of" not in field.extra
        ]
    for name in body.exclude or ():
        _known(model, name, parameter)
    _check_fields(model, names, parameter, partial=partial)
    return names


def _known(model: type[Declarative], name: str, parameter: HandlerParameter) -> Field:
    fields = describe(model)
    if name not in fields:
        raise ConfigurationError(
            f"Body(...) of `{parameter.name}` in {name_of(parameter.function)} names {name!r}, and "
            f"{model.__name__} has no such field.{unknown(name, fields)}",
            why=f"Its fields are {', '.join(fields)}.",
            fix="Name fields of the model.",
            code="DJN-810",
        )
    return fields[name]


def _check_fields(model: type[Declarative], names: list[str], parameter: HandlerParameter, *, partial: bool) -> None:
    own, nested = _split(names)
    for name in own:
        field = _known(model, name, parameter)
        link: Link | None = field.extra.get("relation")
        if name in nested:
            _check_nested(model, name, link, parameter, partial=partial)
            if link is not None:
                _check_fields(link.cls, nested[name], parameter, partial=False)
            continue
        if field.readonly or field.private:
            kind = "readonly" if field.readonly else "private"
            raise ConfigurationError(
                f"Body(include=[..., {name!r}]) of `{parameter.name}` in {name_of(parameter.function)} lets a client "
                f"set a {kind} field.",
                why=f"{model.__name__}.{name} is {kind}: no client may write it.",
                fix=f"Take {name!r} out of the list, and set it in the handler.",
                code="DJN-810",
            )


def _check_nested(
    model: type[Declarative], name: str, link: Link | None, parameter: HandlerParameter, *, partial: bool
) -> None:
    where = f"Body(include=[..., '{name}. ...']) of `{parameter.name}` in {name_of(parameter.function)}"
    if link is None or link.kind == "many_to_many":
        raise ConfigurationError(
            f"{where} goes into {model.__name__}.{name}, which is no relation that owns its rows.",
            why="Only rows that are made with the object can be nested; rows that are there come by key.",
            fix=f"Name it without a dot: {name!r}",
            code="DJN-810",
        )
    if partial and link.kind != "belongs_to" and not link.options.get("orphans"):
        raise ConfigurationError(
            f"{where} would replace the rows of {model.__name__}.{name}.",
            why="Nobody has said that those which are left out may be deleted.",
            fix=f"{name}: Mapped[...] = {link.kind}(..., delete_orphans=True)",
            code="DJN-810",
        )


def _key_type(model: type[Declarative]) -> Any:
    keys = key_of(model)
    types = [python_type(model, model.__mapper__.get_property_by_column(key).key, key) for key in keys]
    return types[0] if len(types) == 1 else tuple[tuple(types)]  # type: ignore[misc]


def _struct(model: type[Declarative], names: list[str], *, partial: bool) -> type[msgspec.Struct]:
    """Make the Struct that a body is read into: fields in the types of the model, relations as keys or nested."""
    fields: list[Any] = []
    described = describe(model)
    own, nested = _split(names)
    for name in own:
        field = described[name]
        link: Link | None = field.extra.get("relation")
        if link is None:
            tp: Any = typed(field)
        elif name in nested:
            inner = _struct(link.cls, nested[name], partial=False)
            many = link.kind == "has_many"
            tp = list[inner] if many else inner | None if field.nullable else inner  # type: ignore[valid-type]
        else:
            key = _key_type(link.cls)
            tp = list[key] if link.kind == "many_to_many" else key | None if field.nullable else key  # type: ignore[valid-type]
        if partial or not field.required:
            # What is not sent is left as it is, or to the constructor, which knows the defaults.
            fields.append((name, _or_unset(tp), msgspec.UNSET))
        else:
            fields.append((name, tp))
    return msgspec.defstruct(f"{model.__name__}Body", fields, kw_only=True, forbid_unknown_fields=True)


def _or_unset(tp: Any) -> Any:
    from typing import Union

    return Union[tp, msgspec.UnsetType]  # noqa: UP007 - made at run time


async def _made(model: type[Declarative], body: Any, existing: Any, place: tuple[str | int, ...]) -> Any:
    values: dict[str, Any] = {}
    errors: list[FieldError] = []
    links = links_of(model)
    for name in body.__struct_fields__:
        value = getattr(body, name)
        if value is msgspec.UNSET:
            continue
        link = links.get(name)
        if link is not None and value is not None:
            if existing is not None and name in sql_inspect(existing).unloaded:
                await existing.load(name)  # the difference is written, so what is there has to be known
            try:
                value = await _value(link, value, existing, (*place, name), errors)
            except ValidationFailed as failed:
                errors += failed.errors
        values[name] = value
    if errors:
        raise ValidationFailed(errors)
    return model(**values) if existing is None else existing.assign(values)


async def _value(link: Link, value: Any, existing: Any, place: tuple[str | int, ...], errors: list[FieldError]) -> Any:
    """Return the object or objects of a relation: new ones where they are nested, else those with the keys."""
    if isinstance(value, msgspec.Struct):
        current = None if existing is None else getattr(existing, link.name)
        return await _made(link.cls, value, current, place)
    if link.kind == "has_many":
        return [await _made(link.cls, one, None, (*place, index)) for index, one in enumerate(value)]
    return await _related(link, value, place, errors)


async def _related(link: Link, value: Any, place: tuple[str | int, ...], errors: list[FieldError]) -> Any:
    target: type[Model] = link.cls
    if link.kind != "many_to_many":
        found = await target.get(value)
        if found is None:
            errors.append(field_error(place, "foreign_key", target=target.__name__))
        return found
    known = await target.query().in_bulk(value)
    for index, key in enumerate(value):
        if key not in known:
            errors.append(field_error((*place, index), "foreign_key", target=target.__name__))
    return [known[key] for key in dict.fromkeys(value) if key in known]
