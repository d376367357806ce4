"""What can go wrong in a template, told with the template, the line and the name."""

import linecache
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, NoReturn, cast

import jinja2
from jinja2.debug import get_template_locals, rewrite_traceback_stack
from jinja2.utils import object_type_repr

from demijohn._lib.text import did_you_mean, listing
from demijohn.errors import DemijohnError
from demijohn.templating.folders import Folders
from demijohn.templating.undefined import Undefined, UndefinedUse

__all__ = [
    "AwaitableInTemplate",
    "BlockNotFound",
    "ComponentError",
    "ComponentTagError",
    "TemplateError",
    "TemplateNotFound",
    "TemplateSyntaxError",
    "UndefinedError",
    "block_not_found",
    "raise_explained",
    "template_not_found",
]


class TemplateError(DemijohnError):
    """Something is wrong with a template; `template` and `line` say where."""

    code = "DJN-700"

    def __init__(
        self,
        seen: str,
        *,
        why: str = "",
        fix: str = "",
        code: str | None = None,
        template: str | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(seen, why=why, fix=fix, code=code)
        self.template = template
        self.line = line

    def located(self, template: str | None, line: int | None) -> None:
        """Add where it happened, once that is known."""
        self.template, self.line = template, line
        self.seen = f"{place(template, line)}: {self.seen}"


class TemplateNotFound(TemplateError):
    """No folder has a template of that name."""

    code = "DJN-701"


class BlockNotFound(TemplateError):
    """Neither the template nor one that it extends has a block of that name."""

    code = "DJN-702"


class TemplateSyntaxError(TemplateError):
    """The template cannot be read."""

    code = "DJN-703"


class UndefinedError(TemplateError):
    """A name that is not there was used for more than a test."""

    code = "DJN-704"


class ComponentError(TemplateError):
    """A component was called with arguments that it does not take."""

    code = "DJN-705"


class AwaitableInTemplate(TemplateError):
    """A value has to be awaited, and the template is rendered where nothing can be."""

    code = "DJN-707"


class ComponentTagError(jinja2.TemplateSyntaxError):
    """Raised while a template is compiled, where Jinja2 expects an error of its own; `error` is what people see."""

    def __init__(self, error: ComponentError, lineno: int, name: str | None, filename: str | None) -> None:
        super().__init__(error.seen, lineno, name, filename)
        self.error = error


def place(template: str | None, line: int | None) -> str:
    """Return `template:line`, or what is known of it."""
    return f"{template or 'a template'}:{line}" if line else template or "a template"


def template_not_found(
    name: str, environment: jinja2.Environment, *, asked_by: str | None = None, line: int | None = None
) -> TemplateNotFound:
    """Return the error for a template that no folder has, with near names and the folders searched."""
    folders = _folders(environment).described()
    asked = f"{place(asked_by, line)} asks for" if asked_by else "There is no"
    return TemplateNotFound(
        f"{asked} template {name!r}{', which is not there' if asked_by else ''}."
        f"{did_you_mean(name, _folders(environment).names())}",
        why=f"Searched: {', '.join(folders)}." if folders else "No template folder exists.",
        fix=f"Make the file {folders[0]}/{name}" if folders else "Make a folder `templates` beside the app.",
        template=asked_by,
        line=line,
    )


def _folders(environment: jinja2.Environment) -> Folders:
    return cast("Folders", environment.loader)


def _tag_names(environment: jinja2.Environment) -> set[str]:
    return {tag for extension in environment.extensions.values() for tag in extension.tags}


def block_not_found(template: str, block: str, known: Iterable[str]) -> BlockNotFound:
    """Return the error for a block that the template does not have."""
    names = sorted(known)
    return BlockNotFound(
        f"{template!r} has no block {block!r}.{did_you_mean(block, names)}",
        why=f"Its blocks are {listing(names, last='and')}." if names else "It has no blocks.",
        fix=f"Write  {{% block {block} %}}...{{% endblock %}}  around the part that is asked for alone.",
        template=template,
    )


def raise_explained(error: Exception, environment: jinja2.Environment) -> NoReturn:
    """Raise what happened in a template with its place; must be called in the `except` block.

    Jinja2's own errors become a `TemplateError`; others keep their type and get a note. The traceback shows the lines
    of the templates.
    """
    frames = list(_template_frames(error.__traceback__))
    rewritten = rewrite_traceback_stack()
    if isinstance(error, TemplateError):
        if error.template is None and frames:
            _, template, line = frames[-1]
            error.located(template.name, line)
        raise rewritten
    explained = _explain(error, environment, frames)
    if explained is None:
        if frames:
            _, template, line = frames[-1]
            error.add_note(
                f"In template {place(template.name, line)}: {_source_line(template.filename, line)}".rstrip(": ")
            )
        raise rewritten
    raise explained.with_traceback(rewritten.__traceback__) from None


def _explain(
    error: Exception, environment: jinja2.Environment, frames: list[tuple[Mapping[str, Any], jinja2.Template, int]]
) -> TemplateError | None:
    name: str | None = None
    line: int | None = None
    if frames:
        _, template, line = frames[-1]
        name = template.name
    if isinstance(error, ComponentTagError):
        error.error.located(error.name, error.lineno)
        return error.error
    if isinstance(error, jinja2.TemplateSyntaxError):
        return _syntax(error, environment)
    if isinstance(error, UndefinedUse):
        return _undefined(error, environment, frames)
    if isinstance(error, jinja2.UndefinedError):
        return UndefinedError(f"{place(name, line)}: {_sentence(error.message)}", template=name, line=line)
    if isinstance(error, jinja2.TemplatesNotFound):
        names = listing([str(name) for name in error.templates])
        return TemplateNotFound(
            f"{place(name, line)} asks for one of the templates {names}; none is there.",
            why=f"Searched: {', '.join(_folders(environment).described())}.",
            fix=f"Make one of them, or write  {{% include [{names}] ignore missing %}}.",
            template=name,
            line=line,
        )
    if isinstance(error, jinja2.TemplateNotFound):
        return template_not_found(str(error.name), environment, asked_by=name, line=line)
    if isinstance(error, jinja2.TemplateError):
        message = _sentence(error.message) + _near_callable(error.message, environment)
        return TemplateError(f"{place(name, line)}: {message}", template=name, line=line)
    return None


def _syntax(error: jinja2.TemplateSyntaxError, environment: jinja2.Environment) -> TemplateSyntaxError:
    shown = _source_line(error.filename, error.lineno)
    if not shown and error.source:
        lines = error.source.splitlines()
        shown = lines[error.lineno - 1].strip() if 0 < error.lineno <= len(lines) else ""
    message = _sentence(error.message)
    return TemplateSyntaxError(
        f"{place(error.name, error.lineno)}: {message}{_near_callable(error.message, environment)}",
        why=f"The line is:  {shown}" if shown else "",
        template=error.name,
        line=error.lineno,
    )


def _near_callable(message: str | None, environment: jinja2.Environment) -> str:
    text = message or ""
    quoted = text.split("'")[1] if text.count("'") >= 2 else ""
    if text.startswith(("No filter named", "no filter named")):
        return did_you_mean(quoted, environment.filters)
    if text.startswith(("No test named", "no test named")):
        return did_you_mean(quoted, environment.tests)
    if "unknown tag" in text:
        known = ("for", "if", "block", "extends", "macro", "include", "import", "from", "set", "call", "filter", "with")
        ends = ("else", "elif", "endfor", "endif", "endblock", "endmacro", "endset", "endcall", "endfilter", "endwith")
        return did_you_mean(quoted, (*known, *ends, *_tag_names(environment)))
    return ""


def _undefined(
    error: UndefinedUse, environment: jinja2.Environment, frames: list[tuple[Mapping[str, Any], jinja2.Template, int]]
) -> UndefinedError:
    undefined = error.undefined
    name: str | None = None
    line: int | None = None
    shown = ""
    if frames:
        _, template, line = frames[-1]
        name = template.name
        shown = _source_line(template.filename, line)
    where = place(name, line)
    why = f"The line is:  {shown}" if shown else ""
    if undefined.is_name:
        word = undefined.missing_name or "?"
        return UndefinedError(
            f"{where} uses {word!r}, which is not defined.{did_you_mean(word, _names_seen(frames))}",
            why=why or "The page was not given that name, and the template does not set it.",
            fix=f"Give it:  Page(..., {word}=...)   or test it:  {{% if {word} %}}, {{{{ {word} or '' }}}}",
            template=name,
            line=line,
        )
    if _has_owner(undefined):
        owner = undefined.owner
        missing = undefined.missing_name
        return UndefinedError(
            f"{where} reads {missing!r} of {_named(owner)}, which has no such attribute or item."
            f"{did_you_mean(str(missing), _members(owner))}",
            why=why,
            fix=f"Mend the name, or test it first:  {{% if thing.{missing} %}}",
            template=name,
            line=line,
        )
    return UndefinedError(f"{where}: {_sentence(error.message)}", why=why, template=name, line=line)


def _has_owner(undefined: Undefined) -> bool:
    return not undefined.is_name and undefined._undefined_hint is None


def _named(owner: Any) -> str:
    kind = object_type_repr(owner)
    return kind if kind.startswith(("None", "a ", "an ")) else f"a {kind.removesuffix(' object')}"


def _members(owner: Any) -> list[str]:
    names = {name for name in dir(type(owner)) if not name.startswith("_")}
    names.update(name for name in getattr(owner, "__dict__", ()) if not name.startswith("_"))
    if isinstance(owner, Mapping):
        names.update(key for key in owner if isinstance(key, str))
    return sorted(names)


def _names_seen(frames: list[tuple[Mapping[str, Any], jinja2.Template, int]]) -> set[str]:
    names: set[str] = set()
    for local, _, _ in frames:
        names.update(key for key in get_template_locals(local) if key.isidentifier())
    return names


def _template_frames(
    traceback: TracebackType | None,
) -> Iterator[tuple[Mapping[str, Any], jinja2.Template, int]]:
    while traceback is not None:
        frame = traceback.tb_frame
        template = frame.f_globals.get("__jinja_template__")
        if template is not None:
            yield frame.f_locals, template, template.get_corresponding_lineno(traceback.tb_lineno)
        traceback = traceback.tb_next


def _source_line(filename: str | None, line: int | None) -> str:
    if not filename or not line:
        return ""
    linecache.checkcache(filename)
    return linecache.getline(filename, line).strip()


def _sentence(message: str | None) -> str:
    text = (message or "Something is wrong.").strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
