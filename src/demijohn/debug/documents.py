"""A report without a page: Markdown for terminals and coding agents, problem+json for API clients."""

from collections.abc import Iterator
from typing import Any

from demijohn.debug.report import Failure, Report

__all__ = ["as_markdown", "as_problem"]

_MOST_FRAMES = 30


def as_markdown(report: Report) -> str:
    """Return a report as Markdown: what failed, where, with source and variables; library frames in one line each."""
    out = [f"# {report.failure.full_name}", ""]
    out += _failure(report.failure, level=2)
    if report.method:
        out += ["## Request", "", f"`{report.method} {report.url}`"]
        if report.handler:
            out += [f"handled by `{report.handler}` ({report.place}) for `{report.route}`"]
        out.append("")
    for section in report.sections:
        if section.title in ("Query", "Form", "JSON body", "Headers"):
            out += [f"### {section.title}", ""]
            out += [f"- `{name}`: {_code(value)}" for name, value in section.rows]
            out.append("")
    out.append(report.versions)
    return "\n".join(out).rstrip() + "\n"


def _failure(failure: Failure, *, level: int) -> Iterator[str]:
    yield from failure.message.splitlines() or [""]
    for beat in (failure.why, failure.hint):
        if beat:
            yield from ("", beat)
    if failure.fix:
        yield from ("", *_block(failure.fix))
    if failure.code:
        yield from ("", f"Code {failure.code}: `demijohn explain {failure.code}`")
    for note in failure.notes:
        yield from ("", f"> {note}".replace("\n", "\n> "))
    yield ""
    if failure.syntax is not None:
        yield f"{failure.syntax.file}:{failure.syntax.line}"
        yield from ("", *_block("\n".join(_source(failure.syntax.source))), "")
    if failure.frames:
        yield f"{'#' * level} Traceback (the last call comes last)"
        yield ""
    main = failure.main
    for frame in failure.frames[-_MOST_FRAMES:]:
        if frame.left_out:
            yield f"- … {frame.left_out} frames left out"
        yield f"- {frame.short}:{frame.line} in `{frame.function}`" + (" (library)" if frame.is_library else "")
        if not frame.is_library and frame.source:
            yield ""
            yield from (f"  {line}" for line in _block("\n".join(_source(frame.source)), "python"))
            if frame is main and frame.locals:
                yield ""
                yield from (f"  - `{local.name}` = {_code(local.text)}" for local in frame.locals)
            yield ""
    yield ""
    for index, member in enumerate(failure.members, 1):
        yield from (f"{'#' * level} Exception {index} of {len(failure.members)}: {member.full_name}", "")
        yield from _failure(member, level=min(level + 1, 6))
    if failure.cause is not None:
        yield from (f"{'#' * level} {failure.cause.full_name} {failure.link} {failure.name}", "")
        yield from _failure(failure.cause, level=level)


def _source(lines: list[Any]) -> Iterator[str]:
    for line in lines:
        yield f"{'>' if line.current else ' '} {line.number:4} {line.text}"
        if line.current and line.start is not None and line.end is not None and line.end > line.start:
            yield f"       {' ' * line.start}{'^' * (line.end - line.start)}"


def _block(text: str, language: str = "") -> list[str]:
    fence = "```"
    while fence in text:
        fence += "`"
    return [f"{fence}{language}", *text.splitlines(), fence]


def _code(text: str) -> str:
    text = text.replace("\n", "\\n")
    ticks = "`"
    while ticks in text:
        ticks += "`"
    return f"{ticks}{text}{ticks}" if len(ticks) == 1 else f"{ticks} {text} {ticks}"


def as_problem(report: Report, *, debug_url: str = "") -> dict[str, Any]:
    """Return a report as a problem document of RFC 9457 (Any: what JSON holds).

    Beside the members of the RFC: `exception`, `traceback`, `locals` of the frame to look at, `notes`, `causes`,
    `exceptions` of a group, `code` and `fix` for a mistake that the framework knows, `debug_url` of the page.
    """
    document: dict[str, Any] = {"type": "about:blank", "title": "Internal Server Error", "status": 500}
    document["detail"] = f"{report.failure.full_name}: {report.failure.message}"
    if debug_url:
        document["debug_url"] = debug_url
    if report.handler:
        document["handler"] = f"{report.handler} ({report.place})"
    return document | _members(report.failure)


def _members(failure: Failure) -> dict[str, Any]:
    members: dict[str, Any] = {"exception": failure.full_name, "message": failure.message}
    for name in ("hint", "code", "why", "fix", "notes"):
        value = getattr(failure, name)
        if value:
            members[name] = value
    if failure.syntax is not None:
        members["syntax"] = {"file": failure.syntax.file, "line": failure.syntax.line}
    members["traceback"] = [
        {
            "file": frame.short,
            "line": frame.line,
            "function": frame.function,
            "library": frame.is_library,
            "source": next((line.text.strip() for line in frame.source if line.current), ""),
        }
        for frame in failure.frames[-_MOST_FRAMES:]
    ]
    main = failure.main
    if main is not None and main.locals:
        members["locals"] = {local.name: local.text for local in main.locals}
    if failure.members:
        members["exceptions"] = [_members(member) for member in failure.members]
    if failure.cause is not None:
        members["cause"] = _members(failure.cause) | {"link": f"{failure.cause.name} {failure.link} {failure.name}"}
    return members
