"""Components in templates: the tags, and the check of their arguments while a template is compiled."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, NoReturn, Protocol, cast

from jinja2 import Environment, nodes
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser
from jinja2.runtime import Context

from demijohn._lib.text import listing
from demijohn.templating.components import Component, Parameter, Registry
from demijohn.templating.failures import ComponentError, ComponentTagError

__all__ = ["ComponentTags", "check_calls"]

_SELF_CLOSED = "self_closed"


class WithComponents(Protocol):
    """What the tags need of an environment."""

    components: Registry

    def render_in(self, context: Context, component: Component[...], *, given: Mapping[str, Any]) -> Any:
        """Render a component (Any: markup, or an awaitable of it in a stream)."""


class ComponentTags(Extension):
    """The tags of all components, and `{% slot %}`.

    `{% card title="Hello" %}...{% slot footer %}...{% endslot %}{% endcard %}`, or `{% card title="Hello" /%}`.
    """

    NAME: ClassVar[str] = "demijohn.templating.tags.ComponentTags"
    # After Jinja2's own, so that none of its tags changes its meaning.
    priority = 200

    @property
    def tags(self) -> set[str]:  # type: ignore[override]
        """The names of all components; Jinja2 asks for them once per template."""
        return self._environment.components.names() | {"slot"}

    @property
    def _environment(self) -> WithComponents:
        return cast("WithComponents", self.environment)

    def render(self, context: Context, name: str, given: Mapping[str, Any]) -> Any:
        """Render a component where a compiled template uses it (Any: markup, or an awaitable of it in a stream)."""
        environment = self._environment
        return environment.render_in(context, environment.components.get(name), given=given)

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Make one token of the slash in `/%}`, which the expression before it would take for a division."""
        for token in stream:
            if token.type == "div" and stream.current.type == "block_end":
                yield Token(token.lineno, _SELF_CLOSED, "/")
            else:
                yield token

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """Compile the tag of a component, or a slot inside of one."""
        token = next(parser.stream)
        if token.value == "slot":
            return _parse_slot(parser, token)
        try:
            component = self._environment.components.get(token.value)
        except ComponentError as error:
            _fail(error, token.lineno, parser.name, parser.filename)
        return self._parse_component(parser, token, component)

    def _parse_component(self, parser: Parser, token: Token, component: Component[...]) -> list[nodes.Node]:
        lineno = token.lineno
        given: dict[str, nodes.Expr] = {}
        is_closed = False
        while parser.stream.current.type != "block_end":
            if parser.stream.skip_if(_SELF_CLOSED):
                is_closed = True
                break
            if given:
                parser.stream.skip_if("comma")
            name = _argument_name(parser)
            if name in given:
                _fail(component.misuse(f"was given {name!r} twice"), lineno, parser.name, parser.filename)
            given[name] = parser.parse_expression() if parser.stream.skip_if("assign") else nodes.Const(True)
        slots = _Slots(component, lineno)
        if not is_closed:
            stack = _stack(parser)
            stack.append(slots)
            body = parser.parse_statements((f"name:end{component.name}",), drop_needle=True)
            stack.pop()
            if not _is_blank(body):
                slots.take(parser, "content", lineno, body, None)
        for name, value in slots.values.items():
            if name in given:
                error = component.misuse(f"was given {name!r} twice, as an argument and as a slot")
                _fail(error, lineno, parser.name, parser.filename)
            given[name] = value
        try:
            _check(component, given, nodes.EvalContext(parser.environment, parser.name))
        except ComponentError as error:
            _fail(error, lineno, parser.name, parser.filename)
        call = _call(component, given, lineno)
        return [*slots.before, nodes.Output([call], lineno=lineno)]


class _Slots:
    """The slots of one use of a component, as its tag is read."""

    def __init__(self, component: Component[...], lineno: int) -> None:
        self.component = component
        self.lineno = lineno
        self.before: list[nodes.Node] = []
        self.values: dict[str, nodes.Expr] = {}

    def take(
        self, parser: Parser, name: str, lineno: int, body: list[nodes.Node], arguments: list[nodes.Name] | None
    ) -> None:
        """Keep the body of a slot, to be rendered before the component is."""
        parameter = self.component.parameters.get(name)
        error = self._error(name, parameter, arguments)
        if error is not None:
            _fail(error, lineno, parser.name, parser.filename)
        if arguments is None:
            target = parser.free_identifier(lineno=lineno)
            self.before.append(nodes.AssignBlock(target, None, body, lineno=lineno))
            self.values[name] = cast("nodes.Expr", target)
        else:
            macro = f"_slot_{parser.free_identifier().name}_{name}"
            self.before.append(nodes.Macro(macro, arguments, [], body, lineno=lineno))
            self.values[name] = nodes.Name(macro, "load", lineno=lineno)

    def _error(
        self, name: str, parameter: Parameter | None, arguments: list[nodes.Name] | None
    ) -> ComponentError | None:
        component = self.component
        if parameter is None or not parameter.is_slot:
            known = [known.name for known in component.parameters.values() if known.is_slot]
            what = "content between its tags" if name == "content" else f"slot {name!r}"
            return component.misuse(
                f"has no {what}",
                fix=f"Declare  {name}: Slot  in {component.place}.",
                why=f"Its slots are {listing(known, last='and')}." if known else "It has no slots.",
            )
        if name in self.values:
            return component.misuse(f"was given the slot {name!r} twice")
        if parameter.is_scoped and arguments is None:
            return component.misuse(f"gives values to its slot {name!r}", fix=f"Name them:  {{% slot {name}(item) %}}")
        if not parameter.is_scoped and arguments is not None:
            return component.misuse(
                f"gives no values to its slot {name!r}",
                fix=f"Write  {{% slot {name} %}}, or declare  {name}: ScopedSlot  in {component.place}.",
            )
        return None


def _parse_slot(parser: Parser, token: Token) -> list[nodes.Node]:
    stack = _stack(parser)
    tags = parser._tag_stack
    owner = stack[-1] if stack else None
    if owner is None or len(tags) < 2 or tags[-2] != owner.component.name:
        inside = f"inside of {{% {tags[-2]} %}}" if len(tags) > 1 else "outside of a component"
        error = ComponentError(
            f"A slot stands {inside}.",
            why="A slot stands right inside of the component that it is for.",
            fix="Put the condition or loop into the slot:  {% slot footer %}{% if ... %}...{% endif %}{% endslot %}",
        )
        _fail(error, token.lineno, parser.name, parser.filename)
    name = parser.stream.expect("name").value
    arguments: list[nodes.Name] | None = None
    if parser.stream.skip_if("lparen"):
        arguments = []
        while parser.stream.current.type != "rparen":
            if arguments:
                parser.stream.expect("comma")
            target = parser.parse_assign_target(name_only=True)
            arguments.append(nodes.Name(target.name, "param", lineno=target.lineno))
        parser.stream.expect("rparen")
    body = parser.parse_statements(("name:endslot", "name:end"), drop_needle=True)
    parser.stream.skip_if("name:" + name)
    owner.take(parser, name, token.lineno, body, arguments)
    return []


def check_calls(tree: nodes.Template, environment: Environment, *, name: str | None, filename: str | None) -> None:
    """Check each `{{ card(...) }}` of a template that calls a component, and compile it to the same call as its tag.

    A name that the template itself sets, imports or takes as a parameter is not the component's.
    """
    components = cast("WithComponents", environment).components
    known = components.names()
    calls = [
        call
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.ctx == "load" and call.node.name in known
    ]
    if not calls:
        return
    own = _names_set(tree)
    for call in calls:
        called = cast("nodes.Name", call.node).name
        if called in own or call.dyn_args is not None or call.dyn_kwargs is not None:
            continue
        try:
            component = components.get(called)
            given = component.named(call.args, {keyword.key: keyword.value for keyword in call.kwargs})
            _check(component, given, nodes.EvalContext(environment, name))
        except ComponentError as error:
            _fail(error, call.lineno, name, filename)
        made = _call(component, given, call.lineno)
        made.set_environment(environment)
        call.node, call.args, call.kwargs = made.node, made.args, []


def _names_set(tree: nodes.Template) -> set[str]:
    names = {node.name for node in tree.find_all(nodes.Name) if node.ctx in ("store", "param")}
    for node in tree.find_all((nodes.Macro, nodes.Import, nodes.FromImport)):
        if isinstance(node, nodes.Macro):
            names.add(node.name)
        elif isinstance(node, nodes.Import):
            names.add(node.target)
        elif isinstance(node, nodes.FromImport):
            names.update(item[1] if isinstance(item, tuple) else item for item in node.names)
    return names


def _call(component: Component[...], given: Mapping[str, nodes.Expr], lineno: int) -> nodes.Call:
    pairs = [nodes.Pair(nodes.Const(name), value, lineno=lineno) for name, value in given.items()]
    arguments: list[nodes.Expr] = [
        nodes.ContextReference(),
        nodes.Const(component.name),
        nodes.Dict(pairs, lineno=lineno),
    ]
    target = nodes.ExtensionAttribute(ComponentTags.NAME, "render")
    return nodes.Call(target, arguments, [], None, None, lineno=lineno)


def _check(component: Component[...], given: Mapping[str, nodes.Expr], evaluation: nodes.EvalContext) -> None:
    """Raise for what is known to be wrong before anything runs: names, required arguments and slots, constants."""
    for name, expression in given.items():
        parameter = component.parameters.get(name)
        if parameter is None:
            if component.attributes is None:
                raise component.unknown(name)
            continue
        if parameter.accepts is not None and isinstance(
            expression, nodes.Const | nodes.List | nodes.Dict | nodes.Tuple
        ):
            try:
                value = expression.as_const(evaluation)
            except nodes.Impossible:
                continue
            if not parameter.accepts(value):
                raise component.wrong(parameter, value)
    lacking = component.required - given.keys()
    if lacking:
        raise component.lacking(lacking)


def _argument_name(parser: Parser) -> str:
    """Read the name of an argument; hyphens are allowed, for HTML attributes."""
    name = str(parser.stream.expect("name").value)
    while parser.stream.current.type in ("sub", "colon", "dot") and parser.stream.look().type == "name":
        joint = {"sub": "-", "colon": ":", "dot": "."}[next(parser.stream).type]
        name += joint + str(next(parser.stream).value)
    return name


def _stack(parser: Parser) -> list[_Slots]:
    stack: list[_Slots] | None = getattr(parser, "_demijohn_slots", None)
    if stack is None:
        stack = []
        parser._demijohn_slots = stack  # type: ignore[attr-defined]
    return stack


def _is_blank(body: Iterable[nodes.Node]) -> bool:
    return all(
        isinstance(node, nodes.Output)
        and all(isinstance(part, nodes.TemplateData) and not part.data.strip() for part in node.nodes)
        for node in body
    )


def _fail(error: ComponentError, lineno: int, name: str | None, filename: str | None) -> NoReturn:
    raise ComponentTagError(error, lineno, name, filename)
