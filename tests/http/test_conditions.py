"""Dates, tags and conditions as RFC 9110 has them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.errors import ConfigurationError, PreconditionFailed
from demijohn.http import (
    HTMX,
    Authorization,
    BadHeader,
    ETag,
    ETags,
    Headers,
    Request,
    Response,
    StreamResponse,
    check_preconditions,
    conditional,
    format_http_date,
    is_current,
    parse_http_date,
)

NOON = datetime(2024, 5, 6, 12, 0, 0, tzinfo=UTC)


def ask(method: str = "GET", **headers: str) -> Request:
    """Build a request with headers; an underscore stands for a dash."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(method, "/", b"/", b"", raw)


@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 1, 1)))
def test_dates_come_back(moment: datetime) -> None:
    """Written and read again, to the second."""
    assert parse_http_date(format_http_date(moment)) == moment.replace(microsecond=0, tzinfo=UTC)


@given(st.text(max_size=40))
def test_any_text_as_a_date(text: str) -> None:
    """A date or None."""
    assert parse_http_date(text) is None or isinstance(parse_http_date(text), datetime)


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " sun, 06 nov 1994 08:49:37 GMT ",
    ],
)
def test_three_forms_of_dates(text: str) -> None:
    """All that RFC 9110 lists."""
    assert parse_http_date(text) == datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@pytest.mark.parametrize("text", ["Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "", "1994-11-06"])
def test_what_is_no_date(text: str) -> None:
    """None, and never an error."""
    assert parse_http_date(text) is None


def test_dates_of_other_zones_are_written_in_utc() -> None:
    """GMT it says, GMT it is; seconds since 1970 will do."""
    zone = timezone(timedelta(hours=2))
    assert format_http_date(datetime(2024, 5, 6, 14, 0, 0, tzinfo=zone)) == format_http_date(NOON)
    assert format_http_date(NOON.timestamp()) == "Mon, 06 May 2024 12:00:00 GMT"


@given(st.text(max_size=40))
def test_any_text_as_tags(text: str) -> None:
    """Read or skipped."""
    for tag in ETags(text).tags:
        assert ETag.find(str(tag)) == tag


def test_tags() -> None:
    """Weak and strong, lists, the star, rubbish between them."""
    tags = ETags('"a", W/"b" , x, "c,d", "')
    assert [str(tag) for tag in tags.tags] == ['"a"', 'W/"b"', '"c,d"']
    assert tags.has_same(ETag("a"))
    assert not tags.has_same(ETag("a", weak=True))
    assert tags.has_like(ETag("b"))
    assert ETags("*").has_same(ETag("z"))
    for bad in ('a"b', "a b", "é", "a\nb"):
        with pytest.raises(BadHeader):
            ETag(bad)


def tagged() -> Response:
    """A response with a tag and a date."""
    response = Response("body", headers={"Cache-Control": "max-age=1", "Content-Language": "de"})
    response.set_etag("v1")
    response.last_modified = NOON
    return response


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if_none_match": '"v1"'}, 304),
        ({"if_none_match": 'W/"v1"'}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"v2"'}, 200),
        ({"if_none_match": '"v2"', "if_modified_since": format_http_date(NOON)}, 200),
        ({"if_modified_since": format_http_date(NOON)}, 304),
        ({"if_modified_since": format_http_date(NOON - timedelta(seconds=1))}, 200),
        ({"if_modified_since": "nonsense"}, 200),
        ({"if_match": '"v1"'}, 200),
        ({"if_match": "*"}, 200),
        ({"if_match": '"v2"'}, 412),
        ({"if_match": 'W/"v1"'}, 412),
        ({"if_unmodified_since": format_http_date(NOON)}, 200),
        ({"if_unmodified_since": format_http_date(NOON - timedelta(days=1))}, 412),
        ({"if_match": '"v1"', "if_unmodified_since": format_http_date(NOON - timedelta(days=1))}, 200),
        ({}, 200),
    ],
)
def test_conditions_in_their_order(headers: dict[str, str], status: int) -> None:
    """RFC 9110, section 13.2.2, line by line."""
    request = ask(**headers)
    if status == 412:
        with pytest.raises(PreconditionFailed):
            conditional(request, tagged())
        return
    response = conditional(request, tagged())
    assert response.status == status
    if status == 304:
        names = [name for name, _ in response.header_lines()]
        assert names == [b"cache-control", b"etag", b"last-modified"]
        assert response.body == b""
        assert is_current(request, etag="v1", last_modified=NOON)


def test_only_a_plain_answer_to_a_reader_becomes_304() -> None:
    """Not an error, not the answer to a POST."""
    response = tagged()
    response.status = 404
    assert conditional(ask(if_none_match="*"), response).status == 404
    assert conditional(ask("POST", if_none_match='"v1"'), tagged()).status == 200


def test_writers_do_not_overwrite_each_other() -> None:
    """A PUT with an old version is refused, a new thing is made only once."""
    check_preconditions(ask("PUT", if_match='"v2"'), etag="v2")
    check_preconditions(ask("PUT"), etag="v2")
    for request in (ask("PUT", if_match='"v1"'), ask("PUT", if_none_match="*")):
        with pytest.raises(PreconditionFailed):
            check_preconditions(request, etag="v2")
    check_preconditions(ask("PUT", if_none_match="*"), etag=None)
    with pytest.raises(PreconditionFailed):
        check_preconditions(ask("PUT", if_match="*"), etag=None)


def test_a_tag_made_of_the_body() -> None:
    """The same for the same body, and kept where there is one."""
    one, two, other = Response("a"), Response("a"), Response("b")
    for response in (one, two, other):
        response.add_etag()
    assert one.etag == two.etag != other.etag
    one.body = b"changed"
    one.add_etag()
    assert one.etag == two.etag
    one.last_modified = NOON
    one.last_modified = None
    assert one.last_modified is None


async def test_a_stream_has_no_tag_of_its_own() -> None:
    """A tag of nothing would make all streams the same."""
    response = StreamResponse(["a"])
    response.add_etag()
    assert response.etag is None
    await response.aclose()


def test_cache_control() -> None:
    """Written in one call, contradictions refused."""
    response = Response()
    response.set_cache_control(private=True, max_age=timedelta(minutes=1))
    assert response.headers["cache-control"] == "private, max-age=60"
    with pytest.raises(ConfigurationError):
        response.set_cache_control(public=True, private=True)


@given(st.text(max_size=40))
def test_any_text_as_credentials(text: str) -> None:
    """Read or None, and never shown."""
    found = Authorization.find(text)
    if found is not None:
        assert repr(found) == f"<Authorization {found.scheme}>"


def test_credentials() -> None:
    """Basic and Bearer by their parts."""
    basic = ask(authorization="basic YW5uOnM6w6k=").authorization
    assert basic is not None
    assert (basic.username, basic.password, basic.token) == ("ann", "s:é", None)
    bearer = ask(authorization="Bearer abc").authorization
    assert bearer is not None
    assert (bearer.token, bearer.username) == ("abc", None)
    broken = ask(authorization="Basic !!!").authorization
    assert broken is not None
    assert broken.username is None
    assert ask().authorization is None
    assert ask(authorization="").authorization is None


def test_htmx() -> None:
    """Versions 2 and 4 under the same names."""
    two = HTMX(Headers({"HX-Request": "true", "HX-Target": "rows", "HX-Trigger": "save", "HX-Boosted": "true"}))
    assert two
    assert (two.target_id, two.source, two.boosted, two.wants_page) == ("rows", "save", True, True)
    four = ask(
        hx_request="true", hx_target="table#rows", hx_source="button#save", hx_request_type="partial",
        hx_current_url="/a%20b", hx_current_url_uri_autoencoded="true",
    )  # fmt: skip
    assert four.is_htmx
    assert (four.htmx.target_id, four.htmx.source, four.htmx.wants_page) == ("rows", "button#save", False)
    assert four.htmx.current_url == "/a b"
    assert not ask().htmx
    assert ask().htmx.wants_page
    assert ask().htmx.target_id is None
