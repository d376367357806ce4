"""The Jinja2 environment of an app: everything is prepared once, a render is a merge and a join."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.runtime import Context
from markupsafe import Markup

from demijohn.schema import register_encoder, to_json
from demijohn.templating.compiler import Generator, Template
from demijohn.templating.components import Component, Registry, caller_of
from demijohn.templating.failures import block_not_found, raise_explained
from demijohn.templating.folders import Folders
from demijohn.templating.fragments import Plan, plan_fragment
from demijohn.templating.tags import ComponentTags, check_calls
from demijohn.templating.translations import Translations
from demijohn.templating.undefined import Undefined

__all__ = ["BASE", "ByteCode", "Environment", "is_text"]

BASE = " base"
"""Where a context keeps the names that components see too; no template can write it as a name."""

_MOST_LOADED = 1000
_MOST_TEXTS = 200


def is_text(name: str | None) -> bool:
    """Whether a template makes plain text, which is neither escaped nor ever taken for markup."""
    if not name:
        return False
    lower = name.lower()
    return lower.endswith((".txt", ".txt.j2", ".txt.jinja"))


def _dump_json(value: object, *, indent: int | None = None) -> str:
    return to_json(value, indent=indent).decode()


# Inside of a value that is written as JSON, an undefined name raises as it does when it is printed.
register_encoder(Undefined, str)


def _autoescape(name: str | None) -> bool:
    return not is_text(name)


class ByteCode(jinja2.FileSystemBytecodeCache):
    """Compiled templates, kept between processes in a folder that only this user can write.

    Args:
        folder: Where; a private folder below the system's temporary one otherwise.
        fingerprint: Whatever the compiled code depends on besides its source.
    """

    def __init__(self, folder: str | None, fingerprint: Callable[[], str]) -> None:
        super().__init__(folder, pattern="%s.template")
        self._fingerprint = fingerprint

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """Return the key of a template: its name, its file, and the fingerprint."""
        return super().get_cache_key(f"{self._fingerprint()}|{name}", filename)


class Environment(jinja2.Environment):
    """Jinja2 with the rules of this room.

    Args:
        folders: Where templates are.
        reload: Whether to look at each use if a file has changed.
        byte_code: Where compiled templates are kept between processes, if anywhere.
        extensions: More Jinja2 extensions.
        options: More options of `jinja2.Environment`, such as `trim_blocks` (Any: they have many types).
    """

    code_generator_class = Generator
    template_class = Template

    def __init__(
        self,
        folders: Folders | None = None,
        *,
        reload: bool = False,
        byte_code: jinja2.BytecodeCache | None = None,
        extensions: Iterable[str | type[Extension]] = (),
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.folders = folders if folders is not None else Folders()
        self.components = Registry()
        self._loaded: dict[str, jinja2.Template] = {}
        self._plans: dict[tuple[str, str], Plan] = {}
        self._texts: OrderedDict[str, jinja2.Template] = OrderedDict()
        self._streaming: Environment | None = None
        self.callers: dict[str, Any] = {}
        """What templates call for each component (Any: functions of any arguments)."""
        super().__init__(
            **{
                "loader": self.folders,
                "autoescape": _autoescape,
                "undefined": Undefined,
                "auto_reload": reload,
                "bytecode_cache": byte_code,
                "extensions": ["jinja2.ext.do", "jinja2.ext.loopcontrols", Translations, *extensions, ComponentTags],
                **(options or {}),
            }
        )
        self.policies["json.dumps_function"] = _dump_json
        self.policies["json.dumps_kwargs"] = {}
        self.components.on_new(self._learn)

    def _learn(self, component: Component[...]) -> None:
        if component.source is not None:
            self.folders.texts[component.template] = component.source
        for environment in (self, self._streaming):
            if environment is None:
                continue
            known = environment.globals.get(component.name)
            if known is None or getattr(known, "is_component", False):
                caller = environment.callers[component.name] = caller_of(component, environment.render_in)
                environment.globals[component.name] = caller

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        check_calls(tree, self, name=name, filename=filename)
        return tree

    def _load_template(self, name: str, globals: MutableMapping[str, Any] | None) -> jinja2.Template:  # noqa: A002
        if self.auto_reload:
            return super()._load_template(name, globals)
        template = self._loaded.get(name)
        if template is None:
            template = super()._load_template(name, globals)
            if len(self._loaded) >= _MOST_LOADED:
                # Names that a template computes are not bounded: `./x`, `././x`, ...
                self._loaded.clear()
            self._loaded[name] = template
        return template

    def render_name(self, name: str, values: Mapping[str, Any], *, base: Mapping[str, Any] | None = None) -> str:
        """Render a template and return its text, marked as HTML or not by nobody yet.

        Args:
            name: The template's name, with `#block` at the end for one block alone.
            values: The names it sees.
            base: The names that components see too: globals and what context processors gave; the globals otherwise.

        Raises:
            TemplateError: Something is wrong with the template; the message names it, the line and the name.
        """
        parent = {**self.globals, **values} if base is None else {**base, **values, BASE: base}
        try:
            template_name, hash_, block = name.partition("#")
            if hash_:
                return self._plan(template_name, block).render(self, parent)
            template = self._loaded.get(name) or self.get_template(name)
            return "".join(template.root_render_func(Context(self, parent, template.name, template.blocks)))
        except Exception as error:
            raise_explained(error, self)

    def render_text(self, source: str, values: Mapping[str, Any], *, base: Mapping[str, Any] | None = None) -> str:
        """Render a template that is given as text; the most recent are kept compiled."""
        parent = {**self.globals, **values} if base is None else {**base, **values, BASE: base}
        try:
            template = self._texts.get(source)
            if template is None:
                template = self.from_string(source)
                self._texts[source] = template
                if len(self._texts) > _MOST_TEXTS:
                    self._texts.popitem(last=False)
            return "".join(template.root_render_func(Context(self, parent, None, template.blocks)))
        except Exception as error:
            raise_explained(error, self)

    def render_in(self, context: Context, component: Component[...], *, given: Mapping[str, Any]) -> Any:
        """Render a component in a template (Any: markup, or its awaitable in a stream)."""
        base = context.parent.get(BASE)
        if self.is_async:
            return self._render_later(component, component.values(given), base)
        return self.render_component(component, component.values(given), base=base)

    async def _render_later(
        self, component: Component[...], values: Mapping[str, Any], base: Mapping[str, Any] | None
    ) -> str:
        parent = {**self.globals, **values} if base is None else {**base, **self.callers, **values, BASE: base}
        template = self.get_template(component.template)
        context = Context(self, parent, template.name, template.blocks)
        text = "".join([piece async for piece in template.root_render_func(context)])  # type: ignore[attr-defined]
        return text if is_text(component.template) else Markup(text)  # noqa: S704 - what a template rendered

    def streaming(self) -> "Environment":
        """Return the environment for streams: the same one, compiled to async code."""
        if self._streaming is None:
            made = self.overlay(enable_async=True)
            made.globals = dict(self.globals)
            made.bytecode_cache = None  # the same source becomes other code here
            made._loaded, made._plans, made._texts = {}, {}, OrderedDict()
            made.callers = {}
            self._streaming = made
            for name in self.components.names():
                known = self.components.find(name)
                if known is not None:
                    self._learn(known)
        return self._streaming

    def render_component(
        self, component: Component[...], values: Mapping[str, Any], *, base: Mapping[str, Any] | None = None
    ) -> str:
        """Render the template of a component, marked as HTML unless it is a text."""
        text = self.render_name(component.template, values, base=base)
        return text if is_text(component.template) else Markup(text)  # noqa: S704 - what a template rendered

    def _plan(self, name: str, block: str) -> Plan:
        key = (name, block)
        plan = self._plans.get(key)
        if plan is None or (self.auto_reload and not plan.is_current(self)):
            plan = plan_fragment(self, name, block)
            if block not in plan.blocks and not plan.is_open:
                raise block_not_found(name, block, plan.blocks)
            if len(self._plans) >= _MOST_LOADED:
                self._plans.clear()
            self._plans[key] = plan
        return plan
