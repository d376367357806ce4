"""One block of a template alone, with the imports and settings of its top level and nothing else of the page.

A page renders its child template's top level, then its parent's, which prints the blocks. For a fragment, the same
chain is walked without printing, and of each top level only those statements run that the block's names depend on.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, cast

from jinja2 import BaseLoader, Environment, Template, nodes
from jinja2.runtime import Context

from demijohn.templating.failures import block_not_found

__all__ = ["Plan", "plan_fragment"]

RenderFunction: TypeAlias = Callable[[Context], Iterator[str]]

_PARENT = "_demijohn_parent"
_EVERYTHING = "*"
"""Stands in a set of names for all of them: no identifier."""

_DEFINITIONS = (nodes.Assign, nodes.AssignBlock, nodes.Import, nodes.FromImport, nodes.Macro)
_BODIES = (nodes.If, nodes.For, nodes.With, nodes.Scope, nodes.ScopedEvalContextModifier)


class Plan:
    """How one block is rendered: what runs before it, and the blocks of the chain from the child to the last parent.

    A plan is open where a template extends one whose name is computed; the rest of the chain is then planned as it is
    met.
    """

    __slots__ = ("block", "blocks", "is_open", "name", "preludes", "templates")

    def __init__(self, name: str, block: str) -> None:
        self.name = name
        self.block = block
        self.blocks: dict[str, list[RenderFunction]] = {}
        self.preludes: list[RenderFunction] = []
        self.templates: list[Template] = []
        self.is_open = False

    def is_current(self, environment: Environment) -> bool:
        """Whether none of the templates has changed since the plan was made."""
        return all(environment.get_template(cast("str", template.name)) is template for template in self.templates)

    def render(self, environment: Environment, parent: dict[str, Any]) -> str:
        """Render the block with these names (Any: templates see anything)."""
        context = Context(environment, parent, self.name, {})
        context.blocks = self.blocks
        for prelude in self.preludes:
            for _ in prelude(context):
                pass
        if self.is_open:
            self._open(environment, context)
        functions = context.blocks.get(self.block)
        if functions is None:
            raise block_not_found(self.name, self.block, context.blocks)
        return "".join(functions[0](context))

    def _open(self, environment: Environment, context: Context) -> None:
        context.blocks = {name: list(functions) for name, functions in self.blocks.items()}
        above = context.vars.pop(_PARENT, None)
        while above is not None:
            name = above.name if isinstance(above, Template) else environment.get_template(above).name
            plan = _plan(environment, cast("str", name), self.block, {_EVERYTHING})
            for prelude in plan.preludes:
                for _ in prelude(context):
                    pass
            for block, functions in plan.blocks.items():
                context.blocks.setdefault(block, []).extend(functions)
            above = context.vars.pop(_PARENT, None)


def plan_fragment(environment: Environment, name: str, block: str) -> Plan:
    """Return the plan for one block of a template.

    Raises:
        jinja2.TemplateNotFound: The template, or one that it extends, is not there.
        jinja2.TemplateSyntaxError: One of them cannot be read.
    """
    return _plan(environment, name, block, set())


def _plan(environment: Environment, name: str, block: str, needed: set[str]) -> Plan:
    plan = Plan(name, block)
    trees: list[tuple[Template, nodes.Template]] = []
    above: str | None = name
    while above is not None:
        template = environment.get_template(above)
        if template in plan.templates:
            break  # a template that extends itself; rendering the page says so
        tree = _tree(environment, above)
        plan.templates.append(template)
        trees.append((template, tree))
        for known, function in template.blocks.items():
            plan.blocks.setdefault(known, []).append(function)
        above, is_open = _parent_of(tree)
        plan.is_open = plan.is_open or is_open
    needed = set(needed)
    if plan.is_open:
        needed.add(_EVERYTHING)
    for wanted in _reached(block, [tree for _, tree in trees]):
        _add_loads(wanted.body, needed)
    for template, tree in reversed(trees):
        kept = _kept(tree.body, needed, is_open=plan.is_open)
        if kept:
            plan.preludes.insert(0, _compile(environment, template, kept))
    return plan


def _tree(environment: Environment, name: str) -> nodes.Template:
    loader = cast("BaseLoader", environment.loader)
    source, filename, _ = loader.get_source(environment, name)
    return environment.parse(source, name, filename)


def _parent_of(tree: nodes.Template) -> tuple[str | None, bool]:
    """Return the name that a template extends, and whether it has to be found out while rendering."""
    found = list(tree.find_all(nodes.Extends))
    if not found:
        return None, False
    if len(found) == 1 and found[0] in tree.body:
        target = found[0].template
        if isinstance(target, nodes.Const) and isinstance(target.value, str):
            return target.value, False
    return None, True


def _reached(block: str, trees: list[nodes.Template]) -> list[nodes.Block]:
    """Return every version of the block, and of those that it contains or calls by `self`."""
    versions: dict[str, list[nodes.Block]] = {}
    for tree in trees:
        for node in tree.find_all(nodes.Block):
            versions.setdefault(node.name, []).append(node)
    reached: dict[str, list[nodes.Block]] = {}
    waiting = [block]
    while waiting:
        name = waiting.pop()
        if name in reached or name not in versions:
            continue
        reached[name] = versions[name]
        for version in versions[name]:
            waiting.extend(inner.name for inner in version.find_all(nodes.Block))
            if any(used.name == "self" for used in version.find_all(nodes.Name)):
                waiting.extend(versions)
    return [version for found in reached.values() for version in found]


def _add_loads(body: Iterable[nodes.Node], names: set[str]) -> None:
    for node in body:
        if isinstance(node, nodes.Name):
            if node.ctx == "load":
                names.add(node.name)
        elif isinstance(node, nodes.NSRef):
            names.add(node.name)
        elif isinstance(node, nodes.Include | nodes.Import | nodes.FromImport) and node.with_context:
            names.add(_EVERYTHING)
        _add_loads(node.iter_child_nodes(), names)


def _stored(node: nodes.Node) -> set[str]:
    if isinstance(node, nodes.Assign | nodes.AssignBlock):
        target = node.target
        names = {name.name for name in target.find_all(nodes.Name)} | {ref.name for ref in target.find_all(nodes.NSRef)}
        if isinstance(target, nodes.Name | nodes.NSRef):
            names.add(target.name)
        return names
    if isinstance(node, nodes.Import):
        return {node.target}
    if isinstance(node, nodes.FromImport):
        return {name[1] if isinstance(name, tuple) else name for name in node.names}
    if isinstance(node, nodes.Macro):
        return {node.name}
    return set()


def _kept(body: list[nodes.Node], needed: set[str], *, is_open: bool) -> list[nodes.Node]:
    """Return what of a top level has to run; the names that it needs are added to `needed`, last statement first."""
    kept: list[nodes.Node] = []
    for node in reversed(body):
        if isinstance(node, nodes.Extends):
            if is_open:
                target = nodes.Name(_PARENT, "store", lineno=node.lineno)
                kept.append(nodes.Assign(target, node.template, lineno=node.lineno))
                _add_loads([node.template], needed)
        elif isinstance(node, _DEFINITIONS):
            if _EVERYTHING in needed or _stored(node) & needed:
                kept.append(node)
                _add_loads([node], needed)
        elif isinstance(node, nodes.ExprStmt):
            used: set[str] = set()
            _add_loads([node], used)
            if _EVERYTHING in needed or used & needed:
                kept.append(node)
                needed |= used
        elif isinstance(node, _BODIES):
            smaller = _smaller(node, needed, is_open=is_open)
            if smaller is not None:
                kept.append(smaller)
    kept.reverse()
    return kept


def _smaller(node: nodes.Node, needed: set[str], *, is_open: bool) -> nodes.Node | None:
    """Return a statement with bodies, with only what has to run in them; None where nothing has to."""
    if isinstance(node, nodes.For):
        # A name that is set in a loop ends with it; namespaces and `do` reach out.
        if not (_EVERYTHING in needed or _reached_names(node) & needed):
            return None
        inside = {_EVERYTHING}
        node.body = _kept(node.body, inside, is_open=False)
        node.else_ = _kept(node.else_, inside, is_open=False)
        if not node.body and not node.else_:
            return None
        needed |= inside - ({_EVERYTHING} - needed)
        _add_loads([node.iter, *([node.test] if node.test else [])], needed)
        return node
    if isinstance(node, nodes.If):
        node.else_ = _kept(node.else_, needed, is_open=is_open)
        for branch in reversed(node.elif_):
            _smaller(branch, needed, is_open=is_open)
        node.body = _kept(node.body, needed, is_open=is_open)
        if not node.body and not node.else_ and not any(branch.body for branch in node.elif_):
            return None
        _add_loads([node.test, *(branch.test for branch in node.elif_)], needed)
        return node
    inner = cast("nodes.With | nodes.Scope | nodes.ScopedEvalContextModifier", node)
    inner.body = _kept(inner.body, needed, is_open=is_open)
    if not inner.body:
        return None
    if isinstance(inner, nodes.With):
        _add_loads(inner.values, needed)
    return inner


def _reached_names(loop: nodes.For) -> set[str]:
    names = {ref.name for ref in loop.find_all(nodes.NSRef)}
    _add_loads(loop.find_all(nodes.ExprStmt), names)
    return names


def _compile(environment: Environment, template: Template, body: list[nodes.Node]) -> RenderFunction:
    tree = nodes.Template(body, lineno=1)
    tree.set_environment(environment)
    code = environment.compile(tree, template.name, template.filename)
    made = type(template).from_code(environment, code, environment.make_globals(None))
    return made.root_render_func
