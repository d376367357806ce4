"""Formats: which one a client gets, what each writes, and what is read back."""

import csv
import datetime as dt
import io
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.app.formats import Format, Formats, Offer, is_partial
from demijohn.app.reading import BodyReader
from demijohn.app.tables import NoRows, csv_rows, from_csv, to_csv
from demijohn.app.xml import from_xml, to_xml
from demijohn.errors import ConfigurationError, MalformedBody, NotAcceptable, UnsupportedMediaType, ValidationFailed
from demijohn.http import Request

ALL = ["html", "json", "xml", "csv", "yaml", "msgpack"]


def ask(accept: str | None = None, query: str = "", **headers: str) -> Request:
    """A GET request with these headers."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    if accept is not None:
        raw.append((b"accept", accept.encode()))
    return Request("GET", "/posts", b"/posts", query.encode(), raw)


def chosen(offer: Offer, request: Request, suffix: str | None = None) -> str:
    """The name of the format that is chosen."""
    return offer.choose(request, suffix=suffix)[0].name


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "html"),
        ("*/*", "html"),
        (BROWSER, "html"),
        ("application/json", "json"),
        ("application/json, text/html;q=0.9", "json"),
        ("text/html;q=0.5, application/json;q=0.6", "json"),
        ("text/csv", "csv"),
        ("text/xml", "xml"),
        ("application/x-yaml", "yaml"),
        ("application/vnd.msgpack", "msgpack"),
        ("application/*", "json"),
        ("text/*;q=0.3, application/yaml;q=0.2", "html"),
        ("text/html;q=0, */*", "json"),
        ("nonsense, ;;;, application/json", "json"),
        ("application/json;q=nonsense, text/csv", "csv"),
    ],
)
def test_accept_decides_by_quality(accept: str | None, expected: str) -> None:
    """The format with the highest quality is chosen, the first of the list among equals."""
    assert chosen(Formats().offer(ALL), ask(accept)) == expected


def test_the_first_listed_is_the_default() -> None:
    """Who has no wish gets the first format of the route."""
    assert chosen(Formats().offer(["json", "html"]), ask("*/*")) == "json"
    assert chosen(Formats().offer(["xml", "json"]), ask("application/*")) == "xml"


def test_suffix_and_query_come_before_accept() -> None:
    """A suffix wins over the query, the query over `Accept`; neither answer varies by `Accept`."""
    offer = Formats().offer(ALL)
    request = ask("text/html", "format=csv")
    assert chosen(offer, request) == "csv"
    assert offer.choose(request, suffix="json") == (offer.find("json"), ())
    assert offer.choose(request)[1] == ()
    assert offer.find("exe") is None


def test_what_the_answer_varies_by() -> None:
    """An answer chosen by `Accept` says so; where only one format exists nothing varies."""
    assert Formats().offer(["json", "xml"]).choose(ask("*/*"))[1] == ("accept",)
    assert Formats().offer(["json"]).choose(ask("*/*"))[1] == ()
    assert Formats().offer(["html", "json"]).choose(ask("*/*"))[1] == ("accept", "hx-request")


def test_htmx_gets_html() -> None:
    """htmx sends `Accept: */*`; it gets HTML also where JSON stands first."""
    offer = Formats().offer(["json", "html"])
    assert chosen(offer, ask("*/*", hx_request="true")) == "html"
    assert chosen(Formats().offer(["json", "xml"]), ask("*/*", hx_request="true")) == "json"


@pytest.mark.parametrize(
    ("accept", "query"), [("image/png", ""), ("text/html;q=0", ""), ("*/*", "format=pdf"), ("*/*", "format=")]
)
def test_406_says_what_is_possible(accept: str, query: str) -> None:
    """What nobody offers is refused with the media types that are."""
    with pytest.raises(NotAcceptable) as caught:
        Formats().offer(["html", "csv"] if query else ["html"]).choose(ask(accept, query))
    problem = caught.value.problem()
    assert problem["status"] == 406
    assert problem["available"][0] == "text/html"
    assert ("vary", "accept") in caught.value.headers


@given(st.text(max_size=200))
def test_no_accept_header_breaks_it(accept: str) -> None:
    """Whatever a client sends as `Accept`, it gets a format or 406."""
    request = Request("GET", "/", b"/", b"", [(b"accept", accept.encode("utf-8", "replace"))])
    try:
        assert chosen(Formats().offer(ALL), request) in ALL
    except NotAcceptable:
        pass


def test_unknown_formats_are_found_at_the_start() -> None:
    """A route that lists a format that nobody knows is told with near names."""
    with pytest.raises(ConfigurationError, match="Did you mean 'json'") as caught:
        Formats().offer(["jsn"])
    assert caught.value.code == "DJN-430"
    with pytest.raises(ConfigurationError, match="lists no format"):
        Formats().offer([])


def test_own_formats() -> None:
    """An app adds a format by name, media types and a function; one that is only read cannot be offered."""
    formats = Formats()
    formats.add(Format("lines", ["text/x-lines"], encode=lambda value: "\n".join(value).encode(), suffix="txt"))
    offer = formats.offer(["json", "lines"])
    known, _ = offer.choose(ask("text/x-lines"))
    assert known.encode is not None
    assert (known.encode(["a", "b"]), known.content_type) == (b"a\nb", "text/x-lines; charset=utf-8")
    assert offer.find("txt") is known
    formats.add(Format("in", ["application/in"], decode=lambda data: data))
    with pytest.raises(ConfigurationError, match="only be read"):
        formats.offer(["in"])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"hx_request": "true"}, True),
        ({"hx_request": "true", "hx_boosted": "true"}, False),
        ({"hx_request": "true", "hx_history_restore_request": "true"}, False),
        ({"hx_request": "true", "hx_request_type": "partial"}, True),
        ({"hx_request": "true", "hx_request_type": "full"}, False),
        ({"hx_request": "true", "hx_request_type": "nonsense"}, False),
        ({"hx_request_type": "partial"}, False),
        ({"hx_request": "false"}, False),
    ],
)
def test_partial_requests_of_htmx(headers: dict[str, str], expected: bool) -> None:
    """A request for a part is told from one for the page, by the headers of htmx 2 and 4."""
    assert is_partial(ask(**headers)) is expected


class Item(msgspec.Struct):
    """What bodies are read into."""

    name: str
    count: int
    tags: list[str] = []
    on: dt.date | None = None


BODIES = {
    "application/json": b'{"name": "a", "count": 2, "tags": ["x"]}',
    "application/vnd.api+json": b'{"name": "a", "count": 2, "tags": ["x"]}',
    "application/xml; charset=utf-8": b"<item><name>a</name><count>2</count><tags><item>x</item></tags></item>",
    "application/yaml": b"name: a\ncount: 2\ntags: [x]\n",
    "application/msgpack": msgspec.msgpack.encode({"name": "a", "count": 2, "tags": ["x"]}),
}


def read_body(tp: Any, kind: str | None, body: bytes, formats: Formats | None = None) -> Any:
    """What a body of a content type is read into, as a handler's parameter is."""
    reader = BodyReader(tp, formats=formats)
    decode = reader.known.get(kind.encode() if kind else None) or reader.choose((kind or "").encode())
    value, errors = reader(body, decode, None)
    if errors:
        raise ValidationFailed(errors)
    return value


@pytest.mark.parametrize("kind", [*BODIES, None])
def test_bodies_in_every_format(kind: str | None) -> None:
    """The same body is read from each format, JSON where none is named."""
    body = BODIES[kind or "application/json"]
    if kind is not None and "xml" in kind:
        body = body.replace(b"<tags>", b'<tags type="list">')
    assert read_body(Item, kind, body) == Item("a", 2, ["x"])


def test_csv_bodies_are_lists() -> None:
    """Rows of CSV become a list, with numbers and dates converted."""
    rows = read_body(list[Item], "text/csv", b"name,count,on\r\na,2,2026-01-02\r\n'=b,3,\r\n")
    assert rows == [Item("a", 2, on=dt.date(2026, 1, 2)), Item("=b", 3)]


def test_415_says_what_is_read() -> None:
    """A body of another type is refused with the types that are read, as a list and as `Accept`."""
    for kind in ("text/plain", "image/png", "nonsense", "application/x-www-form-urlencoded"):
        with pytest.raises(UnsupportedMediaType) as caught:
            read_body(Item, kind, b"{}")
        accepted = caught.value.problem()["accepted"]
        assert accepted == ["application/json", "application/xml", "application/yaml", "application/msgpack"]
        assert ("accept", ", ".join(accepted)) in caught.value.headers


def test_rows_are_taken_where_there_may_be_many() -> None:
    """CSV and lines of JSON are always lists: for a single object they are 415, not a puzzle of errors."""
    for kind, data in (("text/csv", b"name,count\r\na,1\r\n"), ("application/jsonl", b'{"name": "a", "count": 1}\n')):
        assert read_body(list[Item], kind, data) == [Item("a", 1)]
        for tp in (Item, dict[str, str]):
            with pytest.raises(UnsupportedMediaType):
                read_body(tp, kind, data)
    with pytest.raises(UnsupportedMediaType) as caught:
        read_body(list[Item], "image/png", b"x")
    assert {"text/csv", "application/jsonl"} <= set(caught.value.problem()["accepted"])


def test_bodies_in_own_formats() -> None:
    """A format that the app added reads bodies as well."""
    formats = Formats()
    formats.add(Format("lines", ["text/x-lines"], decode=lambda data: data.decode().split(), is_text=True))
    assert read_body(list[int], "text/x-lines; charset=utf-8", b"1 2", formats) == [1, 2]
    with pytest.raises(ValidationFailed):
        read_body(list[int], "text/x-lines", b"1 x", formats)


@pytest.mark.parametrize("kind", [kind for kind in BODIES if kind != "application/vnd.api+json"])
def test_errors_of_bodies_are_told_together(kind: str) -> None:
    """Wrong values in any format give all errors at once, with their places."""
    wrong = {"application/json": b'{"count": "x", "tags": 5}', "application/yaml": b"count: x\ntags: 5\n"}
    wrong["application/xml; charset=utf-8"] = b"<a><count>x</count><tags><b><c/></b></tags></a>"
    wrong["application/msgpack"] = msgspec.msgpack.encode({"count": "x", "tags": 5})
    with pytest.raises(ValidationFailed) as caught:
        read_body(Item, kind, wrong[kind])
    places = {error.place[:2] for error in caught.value.errors}
    assert {("body", "name"), ("body", "count")} <= places


def test_html_of_plain_data_is_escaped() -> None:
    """Plain data for a browser is its JSON in a page, and nothing in it is markup."""
    encode = Formats().get("html").encode
    assert encode is not None
    page = encode({"a": "</pre><script>alert(1)</script>"}).decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


# -- XML ---------------------------------------------------------------------------------------------------------------

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)
)
DATA = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=20
)


def as_read(value: Any) -> Any:
    """What XML gives back for a value: leaves are strings, and what it cannot carry is replaced."""
    if value is None:
        return None
    if isinstance(value, dict):
        return {_carried(key): as_read(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_read(item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return _carried(str(value))


def _carried(text: str) -> str:
    def ok(char: str) -> bool:
        code = ord(char)
        return char in "\t\n\r" or (code >= 32 and not 0xD800 <= code <= 0xDFFF and code not in (0xFFFE, 0xFFFF))

    return "".join(char if ok(char) else "\ufffd" for char in text)


@given(DATA)
def test_xml_is_well_formed_and_read_back(value: Any) -> None:
    """Any data is written as XML that another parser reads, and comes back with strings as its leaves."""
    written = to_xml(value)
    ET.fromstring(written)
    expected = as_read(value)
    if not _loses_keys(value):
        assert from_xml(written) == expected


def _loses_keys(value: Any) -> bool:
    """Whether two keys of one mapping become the same text."""
    if isinstance(value, dict):
        return len({_carried(key) for key in value}) < len(value) or any(map(_loses_keys, value.values()))
    return isinstance(value, list) and any(map(_loses_keys, value))


def test_xml_mapping() -> None:
    """The documented mapping, names that XML does not have included."""
    value = {
        "id": 1,
        "first name": "A & <B>",
        "xmlns": "x",
        "a:b": True,
        "none": None,
        "empty": {},
        "list": [1, [2]],
        "1": "",
    }
    assert to_xml(value).decode().partition("\n")[2] == (
        '<response><id>1</id><entry name="first name">A &amp; &lt;B&gt;</entry><entry name="xmlns">x</entry>'
        '<entry name="a:b">true</entry><none nil="true"/><empty type="map"/>'
        '<list type="list"><item>1</item><item type="list"><item>2</item></item></list><entry name="1"></entry></response>\n'
    )
    assert to_xml([], root="bad root").decode().partition("\n")[2] == '<response type="list"></response>\n'
    assert to_xml({"x": dt.date(2026, 1, 2)}, root="post").decode().endswith("<post><x>2026-01-02</x></post>\n")


BOMB = b'<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;">]><a>&y;</a>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"text",
        b"<a>&undefined;</a>",
        b"\xff\xfe<a",
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b"<a>\x00</a>",
        b"<a><b>1</b><b>2</b><c/></a>",
        BOMB,
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>" * 5000 + b"</a>" * 5000,
    ],
)
def test_bad_xml_is_refused(body: bytes) -> None:
    """Broken, ambiguous and dangerous XML is 400; no document type is read and no entity expanded."""
    with pytest.raises(MalformedBody):
        from_xml(body)


def test_xml_lists_without_a_mark() -> None:
    """An element that repeats one name is a list."""
    assert from_xml(b"<a><tag>1</tag><tag>2</tag></a>") == ["1", "2"]
    assert from_xml(b"<a><b> x </b><c/></a>") == {"b": " x ", "c": ""}


# -- CSV ---------------------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "b", "=c"]),
            st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
            min_size=1,
        ),
        min_size=1,
    )
)
def test_csv_is_read_back(rows: list[dict[str, str]]) -> None:
    """Text comes back as it was, absent cells as empty ones, whatever it contains."""
    names = list({name: None for row in rows for name in row})
    read = from_csv(to_csv(rows))
    expected = [{name: row.get(name, "") for name in names} for row in rows]
    if len(names) > 1:  # a single empty cell is an empty line, which is no row
        assert read == expected


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\tx", "\r=1", "＝1", '=HYPERLINK("http://x")']
)
def test_formulas_are_made_text(text: str) -> None:
    """Text that a spreadsheet would run gets a quote in front, in cells and in the header."""
    cells = next(csv.reader(io.StringIO(to_csv([[text]]).decode(), newline="")))
    assert cells == [f"'{text}"]
    assert to_csv([{text: 1}]).decode().lstrip('"').startswith("'")


def test_numbers_stay_numbers() -> None:
    """Negative numbers, as numbers or as text, are left alone."""
    rows = [{"a": -5, "b": "-5", "c": "+1.5e3", "d": True, "e": None, "f": [1], "g": dt.date(2026, 1, 2), "h": -0.5}]
    assert to_csv(rows).decode() == "a,b,c,d,e,f,g,h\r\n-5,-5,+1.5e3,true,,[1],2026-01-02,-0.5\r\n"


def test_rows_are_found_in_the_context() -> None:
    """The one list of a page's names is the table; a page of results is its `items`; two lists are told."""
    row = Item("x", 1)
    line = "name,count,tags,on\r\nx,1,[],\r\n"
    assert to_csv({"title": "T", "posts": [row]}).decode() == line
    assert to_csv({"title": "T", "posts": {"items": [row], "total": 1}}).decode() == line
    assert to_csv({"items": [row], "tags": []}).decode() == line
    for value in ({"a": [1], "b": [2]}, {"a": 1}, "text", 5, {}):
        with pytest.raises(NoRows) as caught:
            to_csv(value)
        assert caught.value.code == "DJN-335"
    assert to_csv([]) == b""
    assert to_csv([[1, 2], [3]]) == b"1,2\r\n3\r\n"


def test_csv_rows_one_by_one() -> None:
    """With the columns named, rows are written as they come."""
    asked = []

    def rows() -> Any:
        for number in range(3):
            asked.append(number)
            yield {"n": number, "other": 1}

    lines = csv_rows(rows(), columns=["n"])
    assert next(lines) == "n\r\n0\r\n"
    assert asked == [0]
    assert list(lines) == ["1\r\n", "2\r\n"]
    assert list(csv_rows([], columns=["n"])) == ["n\r\n"]


@pytest.mark.parametrize(
    "body",
    [b"a,b\r\n1\r\n", b"a,b\r\n1,2,3\r\n", b"a,a\r\n1,2\r\n", b'a\r\n"x', b"\xff\xfe", b"a\r\n" + b"x" * 200_000],
)
def test_bad_csv_is_refused(body: bytes) -> None:
    """Ragged rows, doubled columns, open quotes and endless cells are 400."""
    with pytest.raises(MalformedBody):
        from_csv(body)


def test_csv_with_a_byte_order_mark() -> None:
    """What spreadsheets save is read, mark and blank lines included."""
    assert from_csv("\ufeffname;x,b\r\n\r\nä,2\r\n".encode()) == [{"name;x": "ä", "b": "2"}]
    assert from_csv(b"") == []
