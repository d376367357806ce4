"""The code that templates become: Jinja2's generator, with the two things that pages do most made short.

A page prints values and reads attributes. Jinja2 wraps each printed value in a `Markup` object and calls a Python
method for each attribute; here a value is escaped to a plain string, and an attribute is read by the built-in function.
"""

from types import CodeType
from typing import Any, ClassVar

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame, optimizeconst
from jinja2.runtime import Context
from markupsafe import escape

try:
    from markupsafe import _escape_inner as escape_text  # type: ignore[attr-defined]
except ImportError:  # the name is not public, and may go

    def escape_text(s: str, /) -> str:
        """Escape a string, without marking it."""
        return str(escape(s))


__all__ = ["Generator", "Template", "html_text"]


def html_text(value: Any) -> str:
    """Return a value of any type as text that is safe inside of HTML; markup stays as it is."""
    if type(value) is str:
        return escape_text(value)
    if type(value) is int:
        return str(value)
    if hasattr(value, "__html__"):
        return str(value.__html__())
    return escape_text(str(value))


class Generator(CodeGenerator):
    """Writes the Python code of a template."""

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if frame.eval_ctx.volatile or not frame.eval_ctx.autoescape:
            super()._output_child_pre(node, frame, finalize)
            return
        self.write("html_text(")
        if finalize.src is not None:
            self.write(finalize.src)

    @optimizeconst
    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802 - Jinja2's name
        """Write the reading of an attribute, which may be an item."""
        if self.environment.is_async:
            super().visit_Getattr(node, frame)
            return
        self.write("(_value if (_value := getattr((_owner := ")
        self.visit(node.node, frame)
        self.write(f"), {node.attr!r}, missing)) is not missing else get_item(environment, _owner, {node.attr!r}))")


def get_item(environment: jinja2.Environment, owner: Any, name: str) -> Any:
    """Return the item of that name where there is no such attribute, or an undefined value."""
    try:
        return owner[name]
    except (TypeError, LookupError, AttributeError):
        return environment.undefined(obj=owner, name=name)


class Template(jinja2.Template):
    """A compiled template; what it exports to `import` is made once."""

    names: ClassVar[dict[str, Any]] = {"html_text": html_text, "get_item": get_item}

    @classmethod
    def from_code(cls, environment: Any, code: CodeType, globals: Any, uptodate: Any = None) -> "Template":  # noqa: A002
        """Return the template of compiled code (types and names as in Jinja2)."""
        namespace = {"environment": environment, "__file__": code.co_filename, **cls.names}
        exec(code, namespace)  # noqa: S102 - the code that this module wrote
        made: Template = cls._from_namespace(environment, namespace, globals)  # type: ignore[assignment]
        made._uptodate = uptodate
        return made

    def _get_default_module(self, ctx: Context | None = None) -> Any:
        # Jinja2 compares the globals of both templates at every import; here all templates have the same.
        if self.environment.is_async:
            return super()._get_default_module(ctx)
        module = self._module
        if module is None:
            module = self._module = self.make_module()
        return module
