"""The page of a failure, for people: everything in it is escaped, nothing is loaded from elsewhere."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from demijohn.debug.codes import find_explanation
from demijohn.debug.documents import as_markdown
from demijohn.debug.editor import Editor
from demijohn.debug.frames import Frame, Line, Local
from demijohn.debug.markup import coloured, escaped
from demijohn.debug.redaction import HIDDEN
from demijohn.debug.report import Failure, Report, Section
from demijohn.debug.script import SCRIPT
from demijohn.debug.style import STYLE

__all__ = ["Action", "Link", "Page", "Panel", "rows"]


class Panel(NamedTuple):
    """What a battery tells of the request: HTML that is safe already."""

    title: str
    html: str


class Action(NamedTuple):
    """Something that can be done about the failure: its name, what the button says, and the signature of both."""

    name: str
    label: str
    signature: str


class Link(NamedTuple):
    """How the page talks to the debugger."""

    path: str = ""
    token: str = ""
    trace: str = ""
    has_console: bool = False
    unlocked: bool = False
    watch: str = ""
    """The failure that a page for an app that cannot be loaded waits to see mended."""
    safe: bool = True
    """Whether the page may be asked for again."""


class Page:
    """Makes the page of one report.

    Args:
        report: What is told.
        editor: Where lines are opened.
        link: How the page talks to the debugger.
        panels: What batteries tell.
        actions: What can be done.
    """

    def __init__(
        self,
        report: Report,
        *,
        editor: Editor,
        link: Link,
        panels: Sequence[Panel] = (),
        actions: Sequence[Action] = (),
    ) -> None:
        self.report = report
        self.editor = editor
        self.link = link
        self.panels = panels
        self.actions = actions
        self.nonce = secrets.token_urlsafe(16)
        self._stacks = 0

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the response: a strict policy of its own, and nothing is kept."""
        nonce = f"'nonce-{self.nonce}'"
        return {
            "content-security-policy": (
                f"default-src 'none'; script-src {nonce}; style-src {nonce}; connect-src 'self'; img-src 'self' data:; "
                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            ),
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "x-robots-tag": "noindex",
        }

    def render(self) -> str:
        """Return the page."""
        report, link = self.report, self.link
        data = {
            "path": link.path,
            "token": link.token,
            "trace": link.trace,
            "unlocked": "yes" if link.unlocked else "",
            "watch": link.watch,
            "safe": "yes" if link.safe else "",
        }
        attributes = "".join(f' data-{name}="{escaped(value)}"' for name, value in data.items() if value)
        nonce = escaped(self.nonce)
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f'<meta name="color-scheme" content="light dark"><title>{escaped(report.title[:200])}</title>'
            f'<link rel="icon" href="data:,"><style nonce="{nonce}">{STYLE}</style></head><body{attributes}>'
            f"{self._bar()}<main>{self._head(report.failure)}{self._body(report.failure)}"
            f"{self._causes(report.failure)}{self._panels()}{self._sections()}{self._foot()}</main>"
            f'<textarea id="markdown" hidden readonly aria-label="As Markdown">{escaped(as_markdown(report))}</textarea>'
            f'<script nonce="{nonce}">{SCRIPT}</script></body></html>\n'
        )

    # -- the head -----------------------------------------------------------------------------------------------------

    def _bar(self) -> str:
        report = self.report
        what = (
            f'<span class="verb">{escaped(report.method)}</span><span class="url" title="{escaped(report.url)}">'
            f"{escaped(report.url)}</span>"
            if report.method
            else '<span class="verb">start</span><span class="url">The app cannot be loaded</span>'
        )
        main = report.failure.main
        link = self.editor.link(main.file, main.line) if main is not None else ""
        editor = f'<a class="tool" href="{escaped(link)}">Open in editor</a>' if link else ""
        return (
            f'<div class="bar"><div>{what}{editor}<button class="tool" id="copy">Copy as Markdown</button></div></div>'
        )

    def _head(self, failure: Failure) -> str:
        report = self.report
        out = [f"<header>{_kind(failure)}"]
        message = failure.message
        css = ' class="long"' if len(message) > 400 or message.count("\n") > 6 else ""
        out.append(f"<h1{css}>{escaped(message) if message else 'It says nothing more.'}</h1>")
        out.append(self._beats(failure))
        main = failure.main
        parts = []
        if main is not None:
            parts.append(f"at <code>{escaped(main.short)}:{main.line}</code>")
        if report.handler:
            parts.append(
                f"in <code>{escaped(report.handler)}</code>, which answers <code>{escaped(report.route)}</code>"
            )
        if parts:
            out.append(f'<p class="where">{" ".join(parts)}</p>')
        if report.method == "" and self.link.watch:
            out.append('<p class="where">This page comes back to life as soon as the mistake is mended and saved.</p>')
        if self.actions:
            buttons = "".join(
                f'<button class="action" data-name="{escaped(action.name)}" data-signature="{escaped(action.signature)}">'
                f"{escaped(action.label)}</button>"
                for action in self.actions
            )
            out.append(f'<div class="actions">{buttons}<span class="said" role="status"></span></div>')
        return "".join([*out, "</header>"])

    def _beats(self, failure: Failure) -> str:
        out = []
        if failure.hint:
            out.append(f'<p class="hint">{escaped(failure.hint)}</p>')
        if failure.why:
            out.append(f'<p class="why">{escaped(failure.why)}</p>')
        if failure.fix:
            out.append(f'<div class="fix"><b>How to mend it</b><pre>{escaped(failure.fix)}</pre></div>')
        out += [f'<p class="note">{escaped(note)}</p>' for note in failure.notes]
        explanation = find_explanation(failure.code) if failure.code else None
        if explanation is not None:
            out.append(
                f'<details class="explain"><summary>What {escaped(failure.code)} means</summary>'
                f"<div>{explanation}</div></details>"
            )
        return "".join(out)

    # -- exceptions ---------------------------------------------------------------------------------------------------

    def _body(self, failure: Failure, *, heading: str = "Traceback") -> str:
        out = []
        if failure.syntax is not None:
            syntax = failure.syntax
            link = self.editor.link(syntax.file, syntax.line)
            editor = f'<a class="editor" href="{escaped(link)}">Open in editor</a>' if link else ""
            out.append(
                f"<h2>{escaped(syntax.file)}, line {syntax.line}</h2>"
                f'<div class="card">{_source(syntax.source)}{editor}</div>'
            )
        if failure.members:
            count = len(failure.members)
            out.append(f'<h2>{count} exception{"s" if count != 1 else ""} in this group</h2><div class="card">')
            out.append(self._members(failure.members) + "</div>")
        if failure.frames:
            out.append(self._stack(failure, heading))
        return "".join(out)

    def _members(self, members: Sequence[Failure]) -> str:
        out = ['<ul class="tree">']
        for member in members:
            first = member.message.partition("\n")[0]
            inner = self._beats(member) + self._body(member) + self._causes(member)
            out.append(
                f'<li class="member"><details><summary>{_kind(member)}<span class="say">{escaped(first[:300])}</span>'
                f'</summary><div class="inside">{inner}</div></details></li>'
            )
        return "".join([*out, "</ul>"])

    def _causes(self, failure: Failure) -> str:
        out = []
        younger = failure
        for cause in failure.chain()[1:]:
            if younger.link.startswith("was the direct"):
                told = f"{cause.name} was the direct cause of {younger.name}"
            else:
                told = f"{younger.name} was raised while {cause.name} was being handled"
            out.append(
                f'<p class="cause">{escaped(told)}</p><section class="sub">{_kind(cause)}'
                f"<h3>{escaped(cause.message)}</h3>{self._beats(cause)}{self._body(cause)}</section>"
            )
            younger = cause
        return "".join(out)

    def _stack(self, failure: Failure, heading: str) -> str:
        self._stacks += 1
        name = f"stack-{self._stacks}"
        out = [
            (
                f'<h2>{escaped(heading)} <span class="small">the last call comes last</span>'
                f'<button data-unfold="{name}">Unfold all</button></h2><div class="card" id="{name}">'
            )
        ]
        main = failure.main
        folded: list[Frame] = []

        def close() -> None:
            if folded:
                packages = dict.fromkeys(frame.package for frame in folded)
                count = f"{len(folded)} library frame{'s' if len(folded) > 1 else ''}"
                inner = "".join(self._frame(frame) for frame in folded)
                out.append(
                    f'<details class="fold"><summary>{count}: {escaped(", ".join(packages))}</summary>'
                    f"<div>{inner}</div></details>"
                )
                folded.clear()

        for frame in failure.frames:
            if frame.left_out:
                close()
                out.append(f'<div class="gap">… {frame.left_out:,} frames left out …</div>')
            if frame.is_library and frame is not main:
                folded.append(frame)
                continue
            close()
            out.append(self._frame(frame, is_main=frame is main))
        close()
        return "".join([*out, "</div>"])

    def _frame(self, frame: Frame, *, is_main: bool = False) -> str:
        css = "frame" + (" main" if is_main else "") + (" lib" if frame.is_library else "")
        folder, _, name = frame.short.rpartition("/")
        place = f"{escaped(folder + '/') if folder else ''}<b>{escaped(name)}:{frame.line}</b>"
        tag = f'<span class="tag">{escaped(frame.package)}</span>' if frame.is_library else ""
        out = [
            (
                f'<details class="{css}"{" open" if is_main else ""}><summary><span class="fn">{escaped(frame.function)}</span>'
                f'{tag}<span class="at">{place}</span></summary>'
            )
        ]
        link = self.editor.link(frame.file, frame.line)
        if link:
            out.append(f'<a class="editor" href="{escaped(link)}">Open in editor</a>')
        if frame.source:
            out.append(_source(frame.source, python=not frame.file.endswith((".html", ".txt", ".xml", ".jinja"))))
        else:
            out.append('<div class="gap">There is no source to show.</div>')
        if frame.locals:
            out.append(f'<div class="vars">{_variables(frame.locals)}</div>')
        if self.link.has_console and self.link.trace:
            out.append(f'<div class="console" data-frame="{frame.index}" data-name="{escaped(frame.function)}"></div>')
        return "".join([*out, "</details>"])

    # -- what surrounds it --------------------------------------------------------------------------------------------

    def _panels(self) -> str:
        if not self.panels:
            return ""
        inner = "".join(
            f'<details class="more" open><summary>{escaped(panel.title)}</summary><div>{panel.html}</div></details>'
            for panel in self.panels
        )
        return f'<h2>Until then</h2><div class="card">{inner}</div>'

    def _sections(self) -> str:
        opened = {"Route", "Query", "Form", "JSON body"}
        inner = "".join(_section(section, is_open=section.title in opened) for section in self.report.sections)
        return f'<h2>Request</h2><div class="card">{inner}</div>' if inner else ""

    def _foot(self) -> str:
        console = (
            "<span>A prompt stands in every frame; it works on a copy of the variables.</span>"
            if self.link.has_console
            else "<span><code>demijohn run --console</code> puts a prompt into every frame.</span>"
        )
        keys = '<span class="keys"><kbd>j</kbd> <kbd>k</kbd> frames &nbsp; <kbd>c</kbd> copy</span>'
        return f"<footer><span>{escaped(self.report.versions)}</span>{console if self.link.path else ''}{keys}</footer>"


def _kind(failure: Failure) -> str:
    module = "" if failure.full_name == failure.name else f"<span>{escaped(failure.module)}.</span>"
    code = f" <span>{escaped(failure.code)}</span>" if failure.code else ""
    return f'<p class="kind">{module}{escaped(failure.name)}{code}</p>'


def _source(lines: Sequence[Line], *, python: bool = True) -> str:
    out = ['<div class="source">']
    for line in lines:
        css = ' class="hit"' if line.current else ""
        out.append(f"<div{css}><u>{line.number}</u><span>{coloured(line, python=python)}</span></div>")
    return "".join([*out, "</div>"])


def _variables(variables: Sequence[Local]) -> str:
    return rows([(variable.name, variable.text) for variable in variables])


def rows(pairs: Sequence[tuple[str, str]]) -> str:
    """Return names and values as a table."""
    cells = "".join(
        f'<tr><th scope="row">{escaped(name)}</th>'
        f"<td{' class=hidden' if value == HIDDEN else ''}>{escaped(value)}</td></tr>"
        for name, value in pairs
    )
    return f"<table><tbody>{cells}</tbody></table>"


def _section(section: Section, *, is_open: bool) -> str:
    return (
        f'<details class="more"{" open" if is_open else ""}><summary>{escaped(section.title)}'
        f'<span class="small">{len(section.rows)}</span></summary><div>{rows(section.rows)}</div></details>'
    )
