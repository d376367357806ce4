"""Feeds and sitemaps: well-formed, escaped, and with what readers ask for."""

import datetime as dt
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.http import BadFeed, Enclosure, Feed, FeedItem, Markup, Response, Sitemap, SitemapEntry

ATOM = "{http://www.w3.org/2005/Atom}"
MAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
WHEN = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)

ITEM = FeedItem(
    title="A & <B>",
    link="https://example.org/a?x=1&y=2",
    summary='"short"',
    content=Markup("<p>text &amp; more</p>"),
    published=WHEN,
    author="Ann",
    categories=("one", 'two"'),
    enclosure=Enclosure(url="https://example.org/a.mp3", length=5, type="audio/mpeg"),
)
FEED = Feed(
    title="News & more",
    link="https://example.org/",
    items=[ITEM],
    self_link="https://example.org/feed",
    language="en",
)


def root(response: Response) -> ET.Element:
    """The parsed document of a response."""
    return ET.fromstring(response.body)


def test_rss() -> None:
    """A feed as RSS 2.0 has its channel and items, escaped once."""
    response = FEED.rss()
    channel = root(response).find("channel")
    assert channel is not None
    assert channel.findtext("title") == "News & more"
    assert channel.findtext("description") == "News & more"
    assert channel.findtext("lastBuildDate") == "Fri, 02 Jan 2026 03:04:05 +0000"
    item = channel.find("item")
    assert item is not None
    assert item.findtext("title") == "A & <B>"
    assert item.findtext("link") == item.findtext("guid") == "https://example.org/a?x=1&y=2"
    assert item.findtext("{http://purl.org/rss/1.0/modules/content/}encoded") == "<p>text &amp; more</p>"
    assert [category.text for category in item.findall("category")] == ["one", 'two"']
    enclosure = item.find("enclosure")
    assert enclosure is not None
    assert enclosure.attrib == {"url": "https://example.org/a.mp3", "length": "5", "type": "audio/mpeg"}
    assert response.content_type == "application/rss+xml; charset=utf-8"
    assert response.headers["last-modified"] == "Fri, 02 Jan 2026 03:04:05 GMT"


def test_atom() -> None:
    """A feed as Atom has ids, times and links of its feed and entries."""
    response = FEED.atom()
    feed = root(response)
    assert feed.findtext(f"{ATOM}id") == "https://example.org/"
    assert feed.findtext(f"{ATOM}updated") == "2026-01-02T03:04:05+00:00"
    assert {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")} == {
        "alternate": "https://example.org/",
        "self": "https://example.org/feed",
    }
    entry = feed.find(f"{ATOM}entry")
    assert entry is not None
    assert entry.findtext(f"{ATOM}title") == "A & <B>"
    assert entry.findtext(f"{ATOM}author/{ATOM}name") == "Ann"
    content = entry.find(f"{ATOM}content")
    assert content is not None
    assert (content.get("type"), content.text) == ("html", "<p>text &amp; more</p>")
    assert response.content_type == "application/atom+xml; charset=utf-8"


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_any_text_is_well_formed(title: str, summary: str, categories: list[str]) -> None:
    """Whatever titles and summaries contain, both kinds can be read."""
    item = FeedItem(title=title, link="https://x.org/", summary=summary, categories=tuple(categories), updated=WHEN)
    feed = Feed(title=title, link="https://x.org/", items=[item], description=summary)
    root(feed.rss())
    root(feed.atom())


def test_what_is_missing() -> None:
    """RSS does without times, Atom does not; naive times are UTC; an own id is no link."""
    item = FeedItem(title="x", link="https://x.org/1", id="urn:x:1")
    feed = Feed(title="x", link="https://x.org/", items=[item])
    guid = root(feed.rss()).find("channel/item/guid")
    assert guid is not None
    assert (guid.text, guid.get("isPermaLink")) == ("urn:x:1", "false")
    assert "last-modified" not in feed.rss().headers
    with pytest.raises(BadFeed, match="when 'x' was changed"):
        feed.atom()
    naive = Feed(title="x", link="https://x.org/", items=[], updated=dt.datetime(2026, 1, 2))
    assert root(naive.atom()).findtext(f"{ATOM}updated") == "2026-01-02T00:00:00+00:00"


@pytest.mark.parametrize("url", ["/relative", "example.org", "javascript:alert(1)", "", "//example.org/"])
def test_urls_are_full(url: str) -> None:
    """A URL that means nothing away from its site is refused, in feeds and in sitemaps."""
    item = FeedItem(title="x", link=url, updated=WHEN)
    for make in (
        Feed(title="x", link=url, items=[]).rss,
        Feed(title="x", link="https://x.org/", items=[item]).rss,
        Feed(title="x", link="https://x.org/", items=[item]).atom,
        Sitemap([url]).response,
        lambda: Sitemap.index([url]),
    ):
        with pytest.raises(BadFeed) as caught:
            make()
        assert caught.value.code == "DJN-323"


def test_sitemap() -> None:
    """Pages with their times, frequencies, priorities and languages."""
    response = Sitemap(
        [
            "https://x.org/?a=1&b=2",
            SitemapEntry(
                url="https://x.org/en",
                changed=dt.date(2026, 1, 2),
                frequency="daily",
                priority=0.5,
                alternates={"de": "https://x.org/de"},
            ),
            SitemapEntry(url="https://x.org/t", changed=WHEN),
        ]
    ).response()
    urls = root(response).findall(f"{MAP}url")
    assert [url.findtext(f"{MAP}loc") for url in urls] == [
        "https://x.org/?a=1&b=2",
        "https://x.org/en",
        "https://x.org/t",
    ]
    assert [url.findtext(f"{MAP}lastmod") for url in urls] == [None, "2026-01-02", "2026-01-02T03:04:05+00:00"]
    assert (urls[1].findtext(f"{MAP}changefreq"), urls[1].findtext(f"{MAP}priority")) == ("daily", "0.5")
    link = urls[1].find("{http://www.w3.org/1999/xhtml}link")
    assert link is not None
    assert link.get("hreflang") == "de"
    assert len(root(Sitemap.index(["https://x.org/1.xml", "https://x.org/2.xml"]))) == 2


def test_limits_of_a_sitemap() -> None:
    """More pages than search engines read, and a priority beyond one, are told."""
    with pytest.raises(BadFeed, match="50001 pages"):
        Sitemap(["https://x.org/"] * 50_001).response()
    with pytest.raises(BadFeed, match="priority 2"):
        Sitemap([SitemapEntry(url="https://x.org/", priority=2)]).response()
