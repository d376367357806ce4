"""Feeds and sitemaps: plain values that become responses (RSS 2.0, Atom by RFC 4287, the sitemap protocol 0.9)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal

from demijohn._lib.xml import xml_attribute, xml_text
from demijohn.errors import DemijohnError
from demijohn.http.dates import format_http_date
from demijohn.http.response import Response

__all__ = ["BadFeed", "Enclosure", "Feed", "FeedItem", "Sitemap", "SitemapEntry"]

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
_MOST_URLS = 50_000


class BadFeed(DemijohnError, ValueError):
    """A feed or sitemap that readers would refuse."""

    code = "DJN-323"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """A file that belongs to an item, such as the recording of a podcast."""

    url: str
    length: int
    """In bytes."""
    type: str
    """Its media type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedItem:
    """One entry of a feed.

    Args:
        title: Plain text.
        link: The full URL of its page.
        id: What names it for ever; the link where nothing is said.
        summary: Plain text.
        content: Its text as HTML.
        published: When it came out.
        updated: When it was changed last; `published` where nothing is said.
        author: A name.
        categories: Words.
        enclosure: A file that belongs to it.
    """

    title: str
    link: str
    id: str = ""
    summary: str = ""
    content: str = ""
    published: datetime | None = None
    updated: datetime | None = None
    author: str = ""
    categories: tuple[str, ...] = ()
    enclosure: Enclosure | None = None

    @property
    def changed(self) -> datetime | None:
        """When it was changed last, as far as is known."""
        return self.updated or self.published


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed: return `.rss()` or `.atom()` from a handler.

    Args:
        title: Plain text.
        link: The full URL of the site or page that it is about.
        items: The newest first.
        description: Plain text.
        self_link: The full URL of the feed itself.
        language: A language tag, such as `en`.
        author: A name, for items that have none.
        id: What names it for ever (Atom); the link where nothing is said.
        updated: When it was changed last; that of its newest item where nothing is said.

    Example:
        >>> feed = Feed(title="News", link="https://example.org/", items=[])
        >>> feed.rss().content_type
        'application/rss+xml; charset=utf-8'
    """

    title: str
    link: str
    items: Iterable[FeedItem]
    description: str = ""
    self_link: str = ""
    language: str = ""
    author: str = ""
    id: str = ""
    updated: datetime | None = None

    def rss(self) -> Response:
        """Return the feed as RSS 2.0.

        Raises:
            BadFeed: A link is not a full URL.
        """
        items = list(self.items)
        parts = [
            (
                f'{_DECLARATION}<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" '
                'xmlns:content="http://purl.org/rss/1.0/modules/content/">\n<channel>\n'
            ),
            _element("title", self.title),
            _element("link", _full(self.link)),
            _element("description", self.description or self.title),
            _element("language", self.language),
            _element("lastBuildDate", _rfc822(self._changed(items))),
        ]
        if self.self_link:
            link = xml_attribute(_full(self.self_link))
            parts.append(f'<atom:link rel="self" type="application/rss+xml" href="{link}"/>\n')
        for item in items:
            parts.extend(_rss_item(item))
        parts.append("</channel>\n</rss>\n")
        return self._response(parts, "application/rss+xml; charset=utf-8", items)

    def atom(self) -> Response:
        """Return the feed as Atom (RFC 4287).

        Raises:
            BadFeed: A link is not a full URL, or nothing says when the feed or an item was changed.
        """
        items = list(self.items)
        changed = self._changed(items)
        language = f' xml:lang="{xml_attribute(self.language)}"' if self.language else ""
        parts = [
            f'{_DECLARATION}<feed xmlns="http://www.w3.org/2005/Atom"{language}>\n',
            _element("id", self.id or _full(self.link)),
            _element("title", self.title),
            _element("subtitle", self.description),
            _element("updated", _rfc3339(changed, self.title)),
            _link("alternate", self.link),
        ]
        if self.self_link:
            parts.append(_link("self", self.self_link))
        parts.append(f"<author>{_element('name', self.author or self.title).strip()}</author>\n")
        for item in items:
            parts.extend(_atom_entry(item))
        parts.append("</feed>\n")
        return self._response(parts, "application/atom+xml; charset=utf-8", items)

    def _changed(self, items: list[FeedItem]) -> datetime | None:
        known = [_aware(item.changed) for item in items if item.changed is not None]
        return self.updated or max(known, default=None)

    def _response(self, parts: list[str], kind: str, items: list[FeedItem]) -> Response:
        response = Response("".join(parts).encode(), content_type=kind)
        changed = self._changed(items)
        if changed is not None:
            response.headers["last-modified"] = format_http_date(_aware(changed))
        return response


def _rss_item(item: FeedItem) -> Iterator[str]:
    yield "<item>\n"
    yield _element("title", item.title)
    yield _element("link", _full(item.link))
    yield f'<guid isPermaLink="{"false" if item.id else "true"}">{xml_text(item.id or item.link)}</guid>\n'
    yield _element("pubDate", _rfc822(item.published or item.updated))
    yield _element("description", item.summary)
    if item.content:
        yield f"<content:encoded>{xml_text(str(item.content))}</content:encoded>\n"
    for category in item.categories:
        yield _element("category", category)
    if item.enclosure is not None:
        url, kind = xml_attribute(_full(item.enclosure.url)), xml_attribute(item.enclosure.type)
        yield f'<enclosure url="{url}" length="{item.enclosure.length}" type="{kind}"/>\n'
    yield "</item>\n"


def _atom_entry(item: FeedItem) -> Iterator[str]:
    yield "<entry>\n"
    yield _element("id", item.id or _full(item.link))
    yield _element("title", item.title)
    yield _element("updated", _rfc3339(item.changed, item.title))
    if item.published is not None:
        yield _element("published", _rfc3339(item.published, item.title))
    yield _link("alternate", item.link)
    if item.author:
        yield f"<author>{_element('name', item.author).strip()}</author>\n"
    yield _element("summary", item.summary)
    if item.content:
        yield f'<content type="html">{xml_text(str(item.content))}</content>\n'
    for category in item.categories:
        yield f'<category term="{xml_attribute(category)}"/>\n'
    if item.enclosure is not None:
        url, kind = xml_attribute(_full(item.enclosure.url)), xml_attribute(item.enclosure.type)
        yield f'<link rel="enclosure" href="{url}" length="{item.enclosure.length}" type="{kind}"/>\n'
    yield "</entry>\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SitemapEntry:
    """One page of a sitemap; `alternates` are its other languages, by language tag."""

    url: str
    changed: date | None = None
    frequency: Literal["always", "hourly", "daily", "weekly", "monthly", "yearly", "never"] | None = None
    priority: float | None = None
    alternates: dict[str, str] = field(default_factory=dict)


class Sitemap:
    """The pages of a site for search engines: return `.response()` from a handler.

    Args:
        entries: Full URLs, or entries; at most 50,000.

    Example:
        >>> Sitemap(["https://example.org/"]).response().content_type
        'application/xml; charset=utf-8'
    """

    def __init__(self, entries: Iterable[SitemapEntry | str]) -> None:
        self.entries = [entry if isinstance(entry, SitemapEntry) else SitemapEntry(url=entry) for entry in entries]

    def response(self) -> Response:
        """Return the sitemap.

        Raises:
            BadFeed: There are more than 50,000 pages, one is no full URL, or a priority is not between 0 and 1.
        """
        if len(self.entries) > _MOST_URLS:
            raise BadFeed(
                f"A sitemap has {len(self.entries)} pages.",
                why=f"Search engines read {_MOST_URLS} of one sitemap.",
                fix="Make several, and return Sitemap.index([...]) of their URLs.",
            )
        parts = [
            (
                f'{_DECLARATION}<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
                'xmlns:xhtml="http://www.w3.org/1999/xhtml">\n'
            )
        ]
        for entry in self.entries:
            parts.append("<url>\n" + _element("loc", _full(entry.url)))
            if entry.changed is not None:
                parts.append(_element("lastmod", _day_or_time(entry.changed)))
            parts.append(_element("changefreq", entry.frequency or ""))
            if entry.priority is not None:
                if not 0 <= entry.priority <= 1:
                    raise BadFeed(
                        f"{entry.url} has the priority {entry.priority}.",
                        why="It is a share of the site, from 0 to 1.",
                        fix="SitemapEntry(url=..., priority=0.5)",
                    )
                parts.append(_element("priority", f"{entry.priority:g}"))
            for language, url in entry.alternates.items():
                code, link = xml_attribute(language), xml_attribute(_full(url))
                parts.append(f'<xhtml:link rel="alternate" hreflang="{code}" href="{link}"/>\n')
            parts.append("</url>\n")
        parts.append("</urlset>\n")
        return Response("".join(parts).encode(), content_type="application/xml; charset=utf-8")

    @staticmethod
    def index(urls: Iterable[str]) -> Response:
        """Return the index of several sitemaps, by their full URLs.

        Raises:
            BadFeed: One is no full URL.
        """
        parts = [f'{_DECLARATION}<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n']
        parts += [f"<sitemap>{_element('loc', _full(url)).strip()}</sitemap>\n" for url in urls]
        parts.append("</sitemapindex>\n")
        return Response("".join(parts).encode(), content_type="application/xml; charset=utf-8")


def _element(name: str, text: str) -> str:
    return f"<{name}>{xml_text(str(text))}</{name}>\n" if text else ""


def _link(kind: str, url: str) -> str:
    return f'<link rel="{kind}" href="{xml_attribute(_full(url))}"/>\n'


def _full(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise BadFeed(
            f"A feed or sitemap names the URL {url[:100]!r}.",
            why="It is read far from its site, so that every URL in it is a full one.",
            fix='url_for("post", id=3, _external=True)',
        )
    return url


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _rfc822(moment: datetime | None) -> str:
    if moment is None:
        return ""
    from email.utils import format_datetime

    return format_datetime(_aware(moment))


def _rfc3339(moment: datetime | None, what: str) -> str:
    if moment is None:
        raise BadFeed(
            f"Nothing says when {what!r} was changed.",
            why="Atom asks for it (RFC 4287, section 4.2.15).",
            fix="FeedItem(..., updated=post.updated_at)",
        )
    return _aware(moment).isoformat(timespec="seconds")


def _day_or_time(moment: date) -> str:
    return _aware(moment).isoformat(timespec="seconds") if isinstance(moment, datetime) else moment.isoformat()
