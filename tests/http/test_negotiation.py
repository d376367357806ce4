"""The client gets what it wants most, and nonsense is skipped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.http import Accept, AcceptEncodings, AcceptLanguages, Request

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
ODD = st.text('abc*/;,=q.01 \t"\\-é', max_size=60)


@given(ODD, st.lists(st.sampled_from(["text/html", "application/json", "a/b", "*/*", "x", "a/b;q=c", ""])))
def test_nonsense_never_raises(header: str, offers: list[str]) -> None:
    """Any header, any offers: a quality from 0 to 1, and the best match is an accepted offer."""
    for kind in (Accept, AcceptLanguages, AcceptEncodings):
        accepted = kind(header)
        for offer in offers:
            assert 0 <= accepted.quality(offer) <= 1
        best = accepted.best_match(offers)
        assert best is None or best in offers
        if best is not None:
            assert accepted.quality(best) == max(accepted.quality(offer) for offer in offers)
            assert accepted.ranked(offers)[0] == best


@pytest.mark.parametrize(
    ("header", "offers", "best"),
    [
        (BROWSER, ["application/json", "text/html"], "text/html"),
        (BROWSER, ["application/json"], "application/json"),
        ("*/*", ["application/json", "text/html"], "application/json"),
        ("application/json", ["text/html"], None),
        ("text/*;q=0.5, application/json;q=0.4", ["application/json", "text/csv"], "text/csv"),
        ("text/*, text/plain;q=0", ["text/plain", "text/html"], "text/html"),
        ("text/html;q=0, */*", ["text/html", "a/b"], "a/b"),
        ("text/html;level=1, text/html;q=0.4", ["text/html", "text/html;level=1"], "text/html;level=1"),
        ("TEXT/HTML", ["text/html"], "text/html"),
        ("text/html;q=5, a/b;q=0.1", ["text/html", "a/b"], "a/b"),
        ("text/html;q=nan, a/b;q=-1", ["text/html", "a/b"], "text/html"),
        ('a/b;x="1,2;q=0";q=0.3, c/d;q=0.2', ["c/d", 'a/b;x="1,2;q=0"'], 'a/b;x="1,2;q=0"'),
        ("", ["text/html"], "text/html"),
    ],
)
def test_media_types(header: str, offers: list[str], best: str | None) -> None:
    """Quality first, the most specific entry decides, then the order of the offers."""
    assert Accept(header).best_match(offers) == best


@pytest.mark.parametrize(
    ("header", "offers", "best"),
    [
        ("de-CH, en;q=0.7", ["en", "de"], "de"),
        ("de-CH, de;q=0.9, en;q=0.7", ["de", "de-CH"], "de-CH"),
        ("en", ["de", "en-GB"], "en-GB"),
        ("fr", ["de", "en"], None),
        ("fr, *;q=0.1", ["de", "en"], "de"),
        ("zh-Hant-TW", ["zh-Hans", "zh-Hant"], "zh-Hant"),
        ("pt_BR", ["pt-br"], "pt-br"),
        ("de;q=0, *", ["de", "en"], "en"),
        ("de-CH;q=0, de", ["de"], "de"),
        (None, ["de"], "de"),
    ],
)
def test_languages(header: str | None, offers: list[str], best: str | None) -> None:
    """Exact tags first, then the language without its region, then any."""
    assert AcceptLanguages(header).best_match(offers) == best


@pytest.mark.parametrize(
    ("header", "offers", "best"),
    [
        ("gzip, deflate, br, zstd", ["zstd", "br", "gzip"], "zstd"),
        ("gzip;q=0.5, br;q=0.1", ["br", "gzip", "identity"], "gzip"),
        ("", ["gzip", "identity"], "identity"),
        ("identity;q=0, gzip", ["identity", "gzip"], "gzip"),
        ("*;q=0", ["identity", "gzip"], None),
        ("*", ["gzip", "identity"], "gzip"),
        ("gzip;q=0, *", ["gzip", "br"], "br"),
        ("x-gzip", ["gzip"], "gzip"),
        (None, ["gzip", "identity"], "identity"),
    ],
)
def test_encodings(header: str | None, offers: list[str], best: str | None) -> None:
    """Only what the client names, and `identity` unless it is refused."""
    assert AcceptEncodings(header).best_match(offers) == best


def test_what_is_asked_for_by_name() -> None:
    """A browser asks for HTML, a script for JSON, `curl` for neither."""
    assert Accept(BROWSER).names_html
    assert not Accept(BROWSER).names_json
    assert Accept("application/problem+json").names_json
    assert not Accept("*/*").names_html
    assert not Accept("text/html;q=0").names_html


def test_a_bomb_of_entries_is_cut() -> None:
    """At most 64 entries are read."""
    assert len(Accept(",".join("a/b" for _ in range(5000))).preferences) == 64


def test_requests_have_them() -> None:
    """Each header has its attribute."""
    request = Request(
        "GET", "/", b"/", b"",
        [(b"accept", b"a/b"), (b"accept-language", b"de"), (b"accept-encoding", b"br")],
    )  # fmt: skip
    assert "a/b" in request.accept
    assert "de" in request.accept_languages
    assert "br" in request.accept_encodings
    assert bool(Request("GET", "/", b"/", b"", []).accept) is False


@pytest.mark.parametrize(
    ("header", "page", "data"),
    [
        (BROWSER, True, False),
        ("text/html", True, False),
        ("application/json", False, True),
        ("application/problem+json, text/html;q=0.5", False, True),
        ("application/json, text/html;q=0.5", False, True),
        ("text/html, application/json", False, False),
        ("*/*", False, False),
        ("text/plain", False, False),
        ("text/html;q=nonsense, application/json;q=0.1", False, True),
        (None, False, False),
    ],
)
def test_a_page_or_data(header: str | None, page: bool, data: bool) -> None:
    """Browsers prefer a page, whoever names JSON prefers data, and who takes everything alike prefers neither."""
    accept = Accept(header)
    assert (accept.prefers_page, accept.prefers_data) == (page, data)
