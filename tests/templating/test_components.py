"""Components: declared by a function, checked when the page that uses them is compiled."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, Optional, Protocol

import pytest

from demijohn.templating import components as module
from demijohn.templating.attributes import Attributes
from demijohn.templating.components import ComponentMistake, ScopedSlot, Slot, component, make_component
from demijohn.templating.environment import Environment
from demijohn.templating.failures import ComponentError, TemplateSyntaxError, UndefinedError

CARD = "<section {{ attributes.merge(class=css) }}><h2>{{ title }}</h2>{{ content }}{% if footer %}<footer>{{ footer }}</footer>{% endif %}</section>"


@pytest.fixture(autouse=True)
def _no_leftovers() -> Iterator[None]:
    """Components that a test declares are forgotten at its end."""
    before = dict(module._declared)
    yield
    module._declared.clear()
    module._declared.update(before)


@pytest.fixture
def shop(environment: Environment) -> Environment:
    """An environment with a card, a table, an icon and a button."""

    def card(
        title: str,
        content: Slot = "",
        tone: Literal["info", "danger"] = "info",
        footer: Slot | None = None,
        **attributes: str,
    ) -> dict[str, Any]:
        return {"css": f"card {tone}"}

    def data_table(rows: list[Any], row: ScopedSlot, empty: Slot = "-") -> None: ...

    def icon(name: str, size: int = 16) -> None: ...

    table = "<table>{% for item in rows %}<tr>{{ row(item) }}</tr>{% else %}{{ empty }}{% endfor %}</table>"
    environment.components.add(make_component(card, None, CARD))
    environment.components.add(make_component(data_table, None, table))
    environment.components.add(make_component(icon, None, "<svg data-{{ name }} width={{ size }}/>"))
    return environment


def test_tag_with_content_and_slots(shop: Environment) -> None:
    """The body is the content, slots are named, and both see the names of the page around them."""
    text = (
        "{% for n in [1, 2] %}{% card title='A & ' ~ n, tone='danger' id='c' %}Hello {{ name }}{% slot footer %}"
        "<i>{{ n }}</i>{% endslot %}{% endcard %}{% endfor %}"
    )
    one = (
        '<section class="card danger" id="c"><h2>A &amp; {n}</h2>Hello &lt;Bob&gt;<footer><i>{n}</i></footer></section>'
    )
    assert shop.render_text(text, {"name": "<Bob>"}) == one.format(n=1) + one.format(n=2)


def test_call_and_self_closed_tag_are_the_same(shop: Environment) -> None:
    """`{{ icon(...) }}`, `{% icon ... /%}` and an empty body give the same."""
    expected = "<svg data-home width=16/>"
    for text in (
        "{{ icon('home') }}",
        "{{ icon(name='home') }}",
        "{% icon name='home' /%}",
        "{% icon name='home' %} {% endicon %}",
    ):
        assert shop.render_text(text, {}) == expected


def test_a_call_gives_markup_and_escapes_arguments(shop: Environment) -> None:
    """What a component returns is not escaped again; its arguments are escaped inside, slots given as text too."""
    text = "{% set made = card(title='<b>', content='<script>') %}{{ made }}"
    assert shop.render_text(text, {}) == '<section class="card info"><h2>&lt;b&gt;</h2>&lt;script&gt;</section>'


def test_scoped_slots_get_values(shop: Environment) -> None:
    """A slot with parameters is rendered as often as the component calls it, with the page's names beside."""
    text = "{% data_table rows=people %}{% slot row(p) %}<td>{{ p.name }}{{ mark }}</td>{% end %}{% enddata_table %}"
    people = [{"name": "<Ann>"}, {"name": "Bo"}]
    assert shop.render_text(text, {"people": people, "mark": "!"}) == (
        "<table><tr><td>&lt;Ann&gt;!</td></tr><tr><td>Bo!</td></tr></table>"
    )
    assert shop.render_text(text, {"people": []}) == "<table>-</table>"


def test_components_inside_of_slots(shop: Environment) -> None:
    """Components nest, in content, in slots and in scoped slots."""
    text = (
        "{% card title='o' %}{% card title='i' %}{% icon name='a' /%}{% endcard %}{% slot footer %}"
        "{% data_table rows=[1] %}{% slot row(x) %}{{ icon(name='r' ~ x) }}{% endslot row %}{% enddata_table %}"
        "{% endslot footer %}{% endcard %}"
    )
    assert shop.render_text(text, {}) == (
        '<section class="card info"><h2>o</h2><section class="card info"><h2>i</h2><svg data-a width=16/></section>'
        "<footer><table><tr><svg data-r1 width=16/></tr></table></footer></section>"
    )


def test_a_component_sees_its_arguments_and_globals_only(shop: Environment, write: Callable[..., Path]) -> None:
    """The page's names are not seen by the component's template, what context processors gave is."""
    shop.globals["site"] = "G"

    def box(title: str) -> None: ...

    shop.components.add(make_component(box, "box.html", None))
    write(
        {
            "box.html": "{{ title }}{{ site }}{{ user or 'nobody' }}{{ secret or 'hidden' }}",
            "m.html": "{{ box(title='t') }}",
        }
    )
    base = {**shop.globals, "user": "ann"}
    text = "{% for x in [1] %}{{ box(title='t') }}{% include 'm.html' %}{% block b %}{{ box(title='b') }}{% endblock %}{% endfor %}"
    assert shop.render_text(text, {"secret": 1}, base=base) == "tGannhidden" * 2 + "bGannhidden"
    assert shop.render_name("m.html", {"user": "ann"}) == "tGnobodyhidden"


def test_works_in_fragments(shop: Environment, write: Callable[..., Path]) -> None:
    """A component in a block is there when the block is rendered alone."""
    write({"p.html": "{% set n = 'home' %}{% block part %}{% icon name=n /%}{% endblock %}"})
    assert shop.render_name("p.html#part", {}) == "<svg data-home width=16/>"


def test_extra_attributes_are_passed_on(shop: Environment) -> None:
    """Where the function takes `**attributes`, any HTML attribute may be given, with hyphens and colons."""
    text = "{% card title='t' class='wide' hx-get='/x?a=1&b=2' hx-on:click='go()' hidden data-id=5 /%}"
    assert shop.render_text(text, {}) == (
        '<section class="card info wide" hx-get="/x?a=1&amp;b=2" hx-on:click="go()" hidden data-id="5"><h2>t</h2></section>'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{% card titel='x' /%}", r"has no argument|needs"),
        ("{% icon nam='x' /%}", r"has no argument 'nam'.*\n.*\nDid you mean 'name'"),
        ("{{ icon(nam='x') }}", r"has no argument 'nam'"),
        ("{% icon /%}", r"needs 'name'"),
        ("{{ icon() }}", r"needs 'name'"),
        ("{% icon name='a' name='b' /%}", r"'name' twice"),
        ("{{ icon('a', name='b') }}", r"'name' twice"),
        ("{{ icon('a', 1, 2) }}", r"takes 2 positional arguments and was given 3"),
        (
            "{% card title='t' tone='dangr' /%}",
            r"one of 'info' or 'danger' as 'tone' and was given 'dangr'.*\n.*\nDid you mean 'danger'",
        ),
        ("{{ card(title=5) }}", r"takes str as 'title' and was given 5"),
        ("{% icon name='x' size='big' /%}", r"takes int as 'size'"),
        ("{% icon name='x' size=true /%}", r"takes int as 'size'"),
        ("{% icon name='x' %}body{% endicon %}", r"has no content between its tags"),
        ("{% card title='x' %}{% slot foter %}{% endslot %}{% endcard %}", r"has no slot 'foter'"),
        (
            "{% card title='x' %}{% slot footer %}{% endslot %}{% slot footer %}{% endslot %}{% endcard %}",
            r"'footer' twice",
        ),
        ("{% card title='x' footer='y' %}{% slot footer %}{% endslot %}{% endcard %}", r"'footer' twice"),
        (
            "{% card title='x' %}{% if 1 %}{% slot footer %}{% endslot %}{% endif %}{% endcard %}",
            r"slot stands inside of \{% if",
        ),
        ("{% slot footer %}{% endslot %}", r"slot stands inside of \{% if"),
        ("{% data_table rows=[] %}{% slot row %}{% endslot %}{% enddata_table %}", r"gives values to its slot 'row'"),
        ("{% card title='x' %}{% slot footer(x) %}{% endslot %}{% endcard %}", r"gives no values to its slot 'footer'"),
        ("{% data_table rows=[] /%}", r"needs 'row'"),
    ],
)
def test_wrong_uses_are_found_while_compiling(
    shop: Environment, write: Callable[..., Path], text: str, message: str
) -> None:
    """Names, required arguments, slots and constants are checked before anything is rendered, even in dead branches."""
    write({"p.html": f"\n{{% if false %}}{text}{{% endif %}}"})
    with pytest.raises(ComponentError, match=message) as caught:
        shop.render_name("p.html", {})
    assert caught.value.code == "DJN-705"
    assert "p.html:2: " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ icon(name=value) }}", r"takes str as 'name' and was given 5"),
        ("{% icon name=value /%}", r"takes str as 'name' and was given 5"),
        ("{{ icon(**{'nam': 1}) }}", r"has no argument 'nam'"),
        ("{{ icon(*[1, 2, 3]) }}", r"positional"),
        ("{{ icon(**{}) }}", r"needs 'name'"),
    ],
)
def test_values_are_checked_when_rendered(shop: Environment, text: str, message: str) -> None:
    """What is computed is checked at the call, and told with the line of the page."""
    with pytest.raises(ComponentError, match=message) as caught:
        shop.render_text(f"\n\n{text}", {"value": 5})
    assert caught.value.line == 3


def test_a_slot_outside_of_a_component(shop: Environment) -> None:
    """A slot that belongs to nothing is told."""
    with pytest.raises(ComponentError, match="stands outside of a component"):
        shop.render_text("{% slot footer %}{% endslot %}", {})


def test_undefined_as_an_argument_is_told_as_such(shop: Environment) -> None:
    """A name that is not there is not told as a wrong type."""
    with pytest.raises(UndefinedError, match="uses 'nmae'.*Did you mean 'name'"):
        shop.render_text("{% icon name=nmae /%}", {"name": 1})


def test_names_of_the_page_hide_a_component(shop: Environment) -> None:
    """A macro, an import or a `set` of the same name is what the template calls."""
    assert shop.render_text("{% macro icon(x) %}mine{{ x }}{% endmacro %}{{ icon(1) }}", {}) == "mine1"
    assert shop.render_text("{{ card.title }}", {"card": {"title": "T"}}) == "T"


def test_unknown_tags_name_near_components(shop: Environment) -> None:
    """A tag that is misspelled is told with the component that is near."""
    with pytest.raises(TemplateSyntaxError, match="unknown tag 'crd'. Did you mean 'card'"):
        shop.render_text("{% crd title='x' %}{% endcrd %}", {})


def test_declared_components_are_known_without_registration(environment: Environment) -> None:
    """What `@component` declares is there in every environment, before and after it was made."""

    @component(source="<p>{{ word }}</p>")
    def paragraph(word: str) -> None: ...

    later = Environment()
    for each in (environment, later):
        assert each.render_text("{{ paragraph(word='<') }}{% paragraph word='x' /%}", {}) == "<p>&lt;</p><p>x</p>"


def test_two_of_one_name_are_nobodys_until_given(environment: Environment) -> None:
    """Two declarations of one name are told at use; giving one to the environment settles it."""

    def declare(text: str) -> Any:
        @component(source=text)
        def label() -> None: ...

        return label

    declare("one")
    second = declare("two")
    with pytest.raises(ComponentError, match=r"declared twice.*\n.*\nSay which"):
        environment.render_text("{% label /%}", {})
    environment.components.add(second)
    assert environment.render_text("{% label /%}{{ label() }}", {}) == "twotwo"
    with pytest.raises(ComponentMistake, match="Two components are called 'label'"):
        environment.components.add(declare("three"))


def test_declaring_mistakes() -> None:
    """A signature that cannot be a component's is refused where it stands."""

    def positional(*values: str) -> None: ...
    def only(value: str, /) -> None: ...
    async def later(value: str) -> None: ...
    def endless(value: str) -> Iterator[dict[str, Any]]:
        yield {}

    for function in (positional, only, later, endless):
        with pytest.raises(ComponentMistake) as caught:
            component(source="x")(function)  # type: ignore[arg-type]
        assert caught.value.code == "DJN-706"
    for name in ("for", "slot", "endcard", "block"):
        function = lambda: None  # noqa: E731
        function.__name__ = name
        with pytest.raises(ComponentMistake, match=f"called '{name}'"):
            component(source="x")(function)  # type: ignore[arg-type]

    def fine() -> None: ...

    with pytest.raises(ComponentMistake, match="no template"):
        component()(fine)
    with pytest.raises(ComponentMistake, match="a template and a source"):
        component("a.html", source="x")(fine)


def test_a_function_that_returns_nonsense_is_told(environment: Environment) -> None:
    """A component's function returns names or nothing."""

    def odd() -> Any:
        return "text"

    environment.components.add(make_component(odd, None, "x"))
    with pytest.raises(ComponentError, match="returned str"):
        environment.render_text("{{ odd() }}", {})


class HasName(Protocol):
    name: str


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (str, ["x"], [1, None, b"x"]),
        (int, [1], [True, 1.5, "1"]),
        (float, [1, 1.5], [True, "1"]),
        (bool, [True], [1, "yes"]),
        (Literal["a", 1, None], ["a", 1, None], ["b", True, 1.0]),  # noqa: PYI061
        (Optional[int], [1, None], ["x"]),  # noqa: UP045 - the older spelling is accepted too
        (int | str, [1, "x"], [None, 1.5]),
        (list[int], [[1], ["not looked into"]], [(1,), "x"]),
        (dict[str, int], [{}], [[]]),
        (Any, [1, None, object()], []),
        (HasName, [object(), 1], []),
        (Callable[..., str], [len], [1]),
        (Path, [Path()], ["x"]),
    ],
)
def test_types_that_are_checked(annotation: Any, good: list[Any], bad: list[Any]) -> None:
    """Plain types, literals, unions and the outside of containers are checked; what cannot be is taken."""

    def sample(value: Any) -> None: ...

    sample.__annotations__["value"] = annotation
    made = make_component(sample, None, "x")
    for value in good:
        made.values({"value": value})
    for value in bad:
        with pytest.raises(ComponentError):
            made.values({"value": value})


@pytest.mark.parametrize("name", ["a b", 'a"', "a>", "a=b", "a/b", "on\x00", "", "a'"])
def test_attribute_names_cannot_break_out(name: str) -> None:
    """A name that HTML does not allow is refused, not printed."""
    with pytest.raises(ValueError, match="cannot be the name"):
        str(Attributes({name: "x"}))


def test_attributes_print_and_merge() -> None:
    """Values are escaped, booleans bare or absent, classes and styles joined."""
    attributes = Attributes(
        {"class": {"on": True, "off": False}, "title": '"<', "for_": "x", "style": "color: red", "no": None}
    )
    merged = attributes.merge({"class": "button", "style": "top: 0;"}, type="submit", title="default")
    assert merged.__html__() == ('class="button on" style="top: 0; color: red" type="submit" title="&#34;&lt;" for="x"')
    assert merged.without("class", "style", "type", "title").__html__() == 'for="x"'
    assert (attributes["for_"], attributes.get("nope"), len(attributes)) == ("x", None, 5)
