"""What a template needs, read from its syntax tree: names, parents, parts, blocks and URLs."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from jinja2 import nodes

__all__ = ["Facts", "Part", "Use", "facts_of"]

# An expression right behind `name=` inside of a tag: the value can end the attribute and begin another.
_UNQUOTED = re.compile(r"<[A-Za-z][^<>]*[\s\"'][\w:.-]+=\s*$")


@dataclass(frozen=True, slots=True)
class Use:
    """Something that a template names, and where."""

    name: str
    line: int
    arguments: frozenset[str] | None = None
    """The arguments of a call; `None` where they are not all written out."""


@dataclass(slots=True)
class Part:
    """The names that a block, or what stands outside of all blocks, needs."""

    needed: dict[str, int] = field(default_factory=dict)
    """Names that are printed, iterated or read, with the first line."""
    tested: set[str] = field(default_factory=set)
    """Names that are tested somewhere, so that they may be absent."""
    calls_super: bool = False


@dataclass(slots=True)
class Facts:
    """What is known of one template."""

    extends: str | None = None
    is_open: bool = False
    """Whether it extends or includes something whose name is computed."""
    top: Part = field(default_factory=Part)
    blocks: dict[str, Part] = field(default_factory=dict)
    defined: set[str] = field(default_factory=set)
    """Names that its top level sets, imports or defines."""
    parts: list[Use] = field(default_factory=list)
    """Templates that it includes with its context."""
    references: list[Use] = field(default_factory=list)
    """Every template that has to be there."""
    urls: list[Use] = field(default_factory=list)
    unquoted: list[int] = field(default_factory=list)


def facts_of(tree: nodes.Template) -> Facts:
    """Return what a template needs."""
    facts = Facts()
    reader = _Reader(facts)
    reader.read(tree.body, facts.top, facts.defined)
    for block in list(tree.find_all(nodes.Block)):
        part = facts.blocks.setdefault(block.name, Part())
        reader.read(block.body, part, set(reader.scopes.get(block.name, ())))
    # Outside of the blocks of a child only what is computed for them counts: nothing there is printed.
    if facts.extends is not None:
        facts.top = Part(tested=facts.top.tested)
        silent = _Reader(Facts())
        silent.read([node for node in tree.body if not isinstance(node, nodes.Output)], facts.top, set())
    return facts


class _Reader:
    """Walks statements in their order with the names that are defined so far."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.scopes: dict[str, set[str]] = {}

    def read(self, body: Iterable[nodes.Node], part: Part, known: set[str]) -> None:
        for node in body:
            self._statement(node, part, known)

    def _statement(self, node: nodes.Node, part: Part, known: set[str]) -> None:
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is not None:
            method(node, part, known)
        elif isinstance(node, nodes.Stmt):
            for child in node.iter_child_nodes():
                if isinstance(child, nodes.Stmt):
                    self._statement(child, part, known)
                else:
                    self._expression(child, part, known)
        else:
            self._expression(node, part, known)

    # -- statements -------------------------------------------------------------------------------------------------

    def _output(self, node: nodes.Output, part: Part, known: set[str]) -> None:
        before = ""
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                before += child.data
            else:
                if _UNQUOTED.search(before):
                    self.facts.unquoted.append(child.lineno)
                before += "x"
                self._expression(child, part, known)

    def _assign(self, node: nodes.Assign, part: Part, known: set[str]) -> None:
        self._expression(node.node, part, known)
        known |= _targets(node.target)

    def _assignblock(self, node: nodes.AssignBlock, part: Part, known: set[str]) -> None:
        self.read(node.body, part, set(known))
        if node.filter is not None:
            self._expression(node.filter, part, known)
        known |= _targets(node.target)

    def _for(self, node: nodes.For, part: Part, known: set[str]) -> None:
        self._expression(node.iter, part, known)
        inside = known | _targets(node.target) | {"loop"}
        if node.test is not None:
            self._expression(node.test, part, inside)
        self.read(node.body, part, inside)
        self.read(node.else_, part, set(known))

    def _if(self, node: nodes.If, part: Part, known: set[str]) -> None:
        self._test(node.test, part, known)
        # What one branch sets may be there afterwards; a name that is there in some cases only is not told here.
        for body in (node.body, node.else_):
            self.read(body, part, known)
        for branch in node.elif_:
            self._if(branch, part, known)

    def _with(self, node: nodes.With, part: Part, known: set[str]) -> None:
        for value in node.values:
            self._expression(value, part, known)
        inside = set(known)
        for target in node.targets:
            inside |= _targets(target)
        self.read(node.body, part, inside)

    def _macro(self, node: nodes.Macro, part: Part, known: set[str]) -> None:
        known.add(node.name)
        self._macro_body(node, part, known)

    def _callblock(self, node: nodes.CallBlock, part: Part, known: set[str]) -> None:
        self._expression(node.call, part, known)
        self._macro_body(node, part, known)

    def _macro_body(self, node: nodes.Macro | nodes.CallBlock, part: Part, known: set[str]) -> None:
        for default in node.defaults:
            self._expression(default, part, known)
        names = {argument.name for argument in node.args}
        self.read(node.body, part, known | names | {"caller", "varargs", "kwargs"})

    def _block(self, node: nodes.Block, part: Part, known: set[str]) -> None:
        self.scopes[node.name] = set(known)

    def _import(self, node: nodes.Import, part: Part, known: set[str]) -> None:
        known.add(node.target)
        self._template(node.template, node.lineno, part, known)

    def _fromimport(self, node: nodes.FromImport, part: Part, known: set[str]) -> None:
        known |= {name[1] if isinstance(name, tuple) else name for name in node.names}
        self._template(node.template, node.lineno, part, known)

    def _include(self, node: nodes.Include, part: Part, known: set[str]) -> None:
        if node.ignore_missing:
            self.facts.is_open = True
            self._expression(node.template, part, known)
            return
        name = self._template(node.template, node.lineno, part, known)
        if name is not None and node.with_context:
            self.facts.parts.append(Use(name, node.lineno, frozenset(known)))

    def _extends(self, node: nodes.Extends, part: Part, known: set[str]) -> None:
        name = self._template(node.template, node.lineno, part, known)
        if name is None or self.facts.extends is not None:
            self.facts.is_open = True
        else:
            self.facts.extends = name

    def _template(self, node: nodes.Expr, line: int, part: Part, known: set[str]) -> str | None:
        if isinstance(node, nodes.Const) and isinstance(node.value, str):
            self.facts.references.append(Use(node.value, line))
            return node.value
        self.facts.is_open = True
        self._expression(node, part, known)
        return None

    # -- expressions --------------------------------------------------------------------------------------------------

    def _expression(self, node: nodes.Node, part: Part, known: set[str]) -> None:
        if isinstance(node, nodes.Name):
            if node.ctx == "load" and node.name not in known:
                part.needed.setdefault(node.name, node.lineno)
            part.calls_super = part.calls_super or node.name == "super"
            return
        if isinstance(node, nodes.Call):
            self._call(node)
        elif isinstance(node, nodes.CondExpr):
            self._test(node.test, part, known)
            self._expression(node.expr1, part, known)
            if node.expr2 is not None:
                self._expression(node.expr2, part, known)
            return
        elif isinstance(node, nodes.And | nodes.Or):
            self._test(node.left, part, known)
            self._expression(node.right, part, known)
            return
        elif isinstance(node, nodes.Not) or (
            isinstance(node, nodes.Test) and node.name in ("defined", "undefined", "none")
        ):
            self._test(node.node, part, known)
            return
        elif isinstance(node, nodes.Filter) and node.name in ("default", "d") and node.node is not None:
            self._test(node.node, part, known)
            for argument in node.args:
                self._expression(argument, part, known)
            return
        for child in node.iter_child_nodes():
            self._expression(child, part, known)

    def _test(self, node: nodes.Node, part: Part, known: set[str]) -> None:
        """Read an expression whose value is only asked for its truth."""
        if isinstance(node, nodes.Name):
            if node.name not in known:
                part.tested.add(node.name)
        elif isinstance(node, nodes.And | nodes.Or):
            self._test(node.left, part, known)
            self._test(node.right, part, known)
        elif isinstance(node, nodes.Not):
            self._test(node.node, part, known)
        else:
            self._expression(node, part, known)

    def _call(self, node: nodes.Call) -> None:
        if (
            isinstance(node.node, nodes.Name)
            and node.node.name == "url_for"
            and node.args
            and isinstance(node.args[0], nodes.Const)
            and isinstance(node.args[0].value, str)
        ):
            written = node.dyn_kwargs is None and node.dyn_args is None
            arguments = frozenset(keyword.key for keyword in node.kwargs) if written else None
            self.facts.urls.append(Use(node.args[0].value, node.lineno, arguments))


def _targets(node: nodes.Node) -> set[str]:
    if isinstance(node, nodes.Name):
        return {node.name}
    return {name.name for name in node.find_all(nodes.Name)}
