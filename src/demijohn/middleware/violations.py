"""Reports that browsers send when a page breaks its content security policy."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from demijohn._lib.later import logger_of
from demijohn.errors import BadRequest, ContentTooLarge
from demijohn.http import Request, Response

__all__ = ["REPORT_PATH", "Violation", "ViolationReports"]

REPORT_PATH = "/__demijohn__/csp-report"
"""Where pages report to in development."""

_MOST_BYTES = 64 * 1024
_MOST_REPORTS = 50
_MOST_TOLD = 500
_MOST_TEXT = 500

logger = logger_of("demijohn.security")


class Violation(NamedTuple):
    """One thing that a policy stopped in a browser; written by a client, all of it."""

    page: str
    directive: str
    blocked: str
    """A URL, or `inline`, `eval`, `data`, ..."""
    source: str
    """`file:line:column` of the code that did it, where the browser knows it."""
    sample: str
    disposition: str
    """`enforce` or `report`."""

    def advice(self) -> str:
        """Return the line to write so that it is allowed."""
        name = self.directive.replace("-", "_")
        if self.directive == "script-src-attr":
            return "Handlers in attributes (onclick=...) take no nonce: use addEventListener() in a script."
        if self.directive == "style-src-attr":
            return "Styles in attributes (style=...) take no nonce: use a class and a style sheet."
        if name in ("script_src_elem", "style_src_elem"):
            name = name.removesuffix("_elem")
        if self.blocked == "inline":
            tag = "style" if name == "style_src" else "script"
            return f'Write the nonce into the tag:  <{tag} nonce="{{{{ csp_nonce() }}}}">'
        if self.blocked in ("eval", "wasm-eval"):
            word = "unsafe-eval" if self.blocked == "eval" else "wasm-unsafe-eval"
            return f'Better do without eval. If it has to be:  SecurityHeaders().allow({name}="{word}")'
        parts = urlsplit(self.blocked)
        source = f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{(parts.scheme or self.blocked).strip(':')}:"
        return f'Allow it:  App(security=Security(headers=SecurityHeaders().allow({name}="{source}")))'

    def __str__(self) -> str:
        where = f" ({self.source})" if self.source else ""
        seen = f" {self.sample!r}" if self.sample else ""
        did = "would be" if self.disposition == "report" else "was"
        return f"{self.blocked}{seen} {did} stopped by {self.directive} on {self.page}{where}"


class ViolationReports:
    """A handler that takes violation reports, of `report-uri` and of `report-to`.

    Nothing in a report can be trusted: anyone may send one. Text is cut and stripped of control characters, bodies are
    read up to 64 KiB, and no more than `per_minute` violations are told in a minute.

    Args:
        development: Tell each violation once, with the line to write.
        on_violation: Called for each one instead of the log.
        per_minute: The most that are told in a minute.

    Example:
        ```python notest
        app.post("/csp-reports")(csrf_exempt(ViolationReports()))
        ```
    """

    __slots__ = ("__dict__", "_count", "_development", "_minute", "_on_violation", "_per_minute", "_told")

    def __init__(
        self,
        *,
        development: bool = False,
        on_violation: Callable[[Violation], None] | None = None,
        per_minute: int = 120,
    ) -> None:
        self._development = development
        self._on_violation = on_violation
        self._per_minute = per_minute
        self._minute, self._count = -1, 0
        self._told: set[tuple[str, str, str]] = set()

    async def __call__(self, request: Request) -> Response:
        """Take one request of reports and answer 204.

        Raises:
            ContentTooLarge: It is over 64 KiB.
            BadRequest: It is no report.
        """
        length = request.content_length
        if length is not None and length > _MOST_BYTES:
            raise ContentTooLarge("A report has at most 64 KiB.")
        body = await request.body()
        if len(body) > _MOST_BYTES:
            raise ContentTooLarge("A report has at most 64 KiB.")
        for violation in read_reports(body):
            self.tell(violation)
        return Response(status=204)

    def tell(self, violation: Violation) -> None:
        """Log a violation, or give it to `on_violation`, unless there were too many."""
        if self._development:
            key = (violation.page, violation.directive, violation.blocked)
            if key in self._told:
                return
            if len(self._told) >= _MOST_TOLD:
                self._told.clear()
            self._told.add(key)
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._count = minute, 0
        self._count += 1
        if self._count > self._per_minute:
            return
        if self._on_violation is not None:
            self._on_violation(violation)
        elif self._development:
            logger.warning("Content Security Policy: %s\n  %s", violation, violation.advice())
        else:
            logger.warning("Content Security Policy: %s", violation)


def read_reports(body: bytes) -> list[Violation]:
    """Read a body of either form; reports of other kinds are left out.

    Raises:
        BadRequest: It is not JSON, or not of a form that browsers send.
    """
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("The report is not JSON.") from None
    if isinstance(content, dict) and isinstance(content.get("csp-report"), dict):
        return [_old_form(content["csp-report"])]
    if isinstance(content, list):
        reports = [report for report in content[:_MOST_REPORTS] if isinstance(report, dict)]
        return [
            _new_form(report["body"])
            for report in reports
            if report.get("type") == "csp-violation" and isinstance(report.get("body"), dict)
        ]
    raise BadRequest("The report has no form that is known here.")


def _old_form(report: dict[str, Any]) -> Violation:
    directive = _text(report.get("effective-directive") or report.get("violated-directive"))
    return Violation(
        page=_text(report.get("document-uri")),
        directive=directive.partition(" ")[0],
        blocked=_text(report.get("blocked-uri")) or "inline",
        source=_place(report, "source-file", "line-number", "column-number"),
        sample=_text(report.get("script-sample"))[:80],
        disposition=_text(report.get("disposition")) or "enforce",
    )


def _new_form(body: dict[str, Any]) -> Violation:
    return Violation(
        page=_text(body.get("documentURL")),
        directive=_text(body.get("effectiveDirective")),
        blocked=_text(body.get("blockedURL")) or "inline",
        source=_place(body, "sourceFile", "lineNumber", "columnNumber"),
        sample=_text(body.get("sample"))[:80],
        disposition=_text(body.get("disposition")) or "enforce",
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(letter if letter.isprintable() else "?" for letter in value[:_MOST_TEXT])


def _place(report: dict[str, Any], file: str, line: str, column: str) -> str:
    parts = [_text(report.get(file))]
    parts += [str(value) for value in (report.get(line), report.get(column)) if isinstance(value, int) and value]
    return ":".join(parts) if parts[0] else ""
