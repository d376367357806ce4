"""The page of one request of the toolbar, beside the list of the last fifty."""

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from demijohn.debug.markup import escaped
from demijohn.debug.page import rows
from demijohn.debug.panels import cell, panel_html
from demijohn.debug.redaction import shown
from demijohn.debug.style import STYLE
from demijohn.http import Response

__all__ = ["Told", "request_page"]


class Told(NamedTuple):
    """What a panel tells of a request (Any: mappings, pairs, lists of them, text or markup)."""

    title: str
    value: Any

    @property
    def seconds(self) -> float:
        """The seconds that its rows took, where they say so in `ms`."""
        if not isinstance(self.value, list):
            return 0.0
        return sum(float(row.get("ms", 0)) for row in self.value if isinstance(row, Mapping)) / 1000


_LAYOUT = """
body{display:grid;grid-template-columns:minmax(220px,300px) 1fr;min-height:100vh}
nav{border-inline-end:1px solid var(--line);background:var(--card);overflow:auto;max-height:100vh;position:sticky;top:0}
nav a{display:grid;grid-template-columns:auto 1fr auto;gap:8px;padding:8px 12px;border-bottom:1px solid var(--line);color:inherit;
font:12.5px var(--mono);align-items:baseline}
nav a:hover{background:var(--sunk);text-decoration:none}nav a[aria-current]{background:var(--accent-soft)}
nav .p{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}nav .t{color:var(--faint)}
nav .x{font-size:11px;color:var(--accent)}
.c2{color:var(--good)}.c3{color:var(--accent)}.c4,.c5{color:var(--red)}
main{padding-block:20px 40px;min-width:0}
h1{font:600 17px var(--mono)}
.parts{display:flex;height:10px;border-radius:5px;overflow:hidden;background:var(--line);margin:14px 0 6px}
.parts i{display:block;height:100%}.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;color:var(--soft)}
.legend b{display:inline-block;width:9px;height:9px;border-radius:2px;margin-inline-end:6px}
.q{background:#8b5cf6}.r{background:#f59e0b}.h{background:#3b82f6}
table{table-layout:auto}
@media(max-width:760px){body{display:block}nav{position:static;max-height:200px}}
"""


def request_page(entry: Any, entries: Sequence[Any], told: Sequence[Told], *, base: str) -> Response:
    """Return the page of a request, or of none (Any: an `Entry` of the toolbar, which imports this module)."""
    nonce = secrets.token_urlsafe(16)
    links = "".join(_link(each, base, is_current=each is entry) for each in entries)
    content = _details(entry, told) if entry is not None else "<p>This request is no longer kept.</p>"
    body = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><title>Requests</title>'
        f'<style nonce="{escaped(nonce)}">{STYLE}{_LAYOUT}{_bars(entry, told)}</style></head>'
        f'<body><nav aria-label="The last requests">{links}</nav><main>{content}</main></body></html>\n'
    )
    headers = {
        "content-security-policy": (
            f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'self'"
        ),
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "SAMEORIGIN",
        "cross-origin-resource-policy": "same-origin",
    }
    return Response(body.encode("utf-8", "replace"), 200, headers, content_type="text/html; charset=utf-8")


def _link(entry: Any, base: str, *, is_current: bool) -> str:
    request = entry.request
    current = ' aria-current="page"' if is_current else ""
    kind = ' <span class="x">htmx</span>' if entry.is_partial else ""
    return (
        f'<a href="{escaped(base)}/requests?id={escaped(entry.name)}"{current}>'
        f'<span class="c{entry.status // 100}">{entry.status}</span>'
        f'<span class="p">{escaped(request.method)} {escaped(request.path)}{kind}</span>'
        f'<span class="t">{entry.seconds * 1000:.1f} ms</span></a>'
    )


def _parts(entry: Any, told: Sequence[Told]) -> list[tuple[str, str, float]]:
    """Return the parts of the time of a request: a class, a name, and seconds."""
    of = {each.title: each.seconds for each in told}
    queries, templates = of.get("Queries", 0.0), of.get("Templates", 0.0)
    rest = max(0.0, entry.seconds - queries - templates)
    return [("h", "handler and the rest", rest), ("q", "queries", queries), ("r", "templates", templates)]


def _bars(entry: Any, told: Sequence[Told]) -> str:
    if entry is None:
        return ""
    whole = entry.seconds or 1.0
    widths = [(css, min(100.0, seconds / whole * 100)) for css, _, seconds in _parts(entry, told)]
    return "".join(f".parts .{css}{{width:{width:.2f}%}}" for css, width in widths)


def _details(entry: Any, told: Sequence[Told]) -> str:
    request, route = entry.request, entry.request.route
    at = time.strftime("%H:%M:%S", time.localtime(entry.at))
    parts = _parts(entry, told)
    bar = "".join(f'<i class="{css}"></i>' for css, *_ in parts)
    legend = "".join(
        f'<span><b class="{css}"></b>{escaped(name)} {seconds * 1000:.2f} ms</span>' for css, name, seconds in parts
    )
    handler = "" if route is None else getattr(route.endpoint, "__qualname__", "")
    facts = [
        ("route", "none matched" if route is None else route.pattern),
        ("handler", f"{handler}  {route.place}" if route is not None else ""),
        ("response", f"{entry.status}, {entry.kind or 'no content type'}, {entry.size:,} bytes"),
        ("at", at),
    ]
    sections = [
        ("Path", [(name, shown(value)) for name, value in (request.path_params or {}).items()]),
        ("Query", [cell(name, value) for name, value in request.query.multi_items()]),
        ("Request headers", [_line(name, value) for name, value in request.raw_headers]),
        ("Response headers", [_line(name, value) for name, value in entry.head]),
    ]
    happened = "".join(
        f'<details class="more" open><summary>{escaped(each.title)}</summary>'
        f"<div>{panel_html(each.value)}</div></details>"
        for each in told
    )
    below = "".join(
        f'<details class="more"><summary>{escaped(title)}<span class="small">{len(pairs)}</span></summary>'
        f"<div>{rows(pairs)}</div></details>"
        for title, pairs in sections
        if pairs
    )
    return (
        f'<h1>{escaped(request.method)} {escaped(request.path)}</h1><div class="parts">{bar}</div>'
        f'<div class="legend">{legend}<span>together {entry.seconds * 1000:.2f} ms</span></div>'
        f'<h2>Request</h2><div class="card">{rows([pair for pair in facts if pair[1]])}</div>'
        f"{'<h2>What happened</h2><div class=card>' + happened + '</div>' if happened else ''}"
        f'<h2>Details</h2><div class="card">{below}</div>'
    )


def _line(name: bytes, value: bytes) -> tuple[str, str]:
    return cell(name.decode("latin-1"), value.decode("latin-1"))
