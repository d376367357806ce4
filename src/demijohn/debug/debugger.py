"""The debugger of one app: from an exception to an answer, and the calls that its pages make."""

import asyncio
import contextvars
import hmac
import inspect
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec

from demijohn.app.debug_door import DEBUG_PATH, is_open
from demijohn.debug.console import make_namespace, run_code
from demijohn.debug.documents import as_markdown, as_problem
from demijohn.debug.editor import Editor
from demijohn.debug.grant import Grant, find_grant
from demijohn.debug.missing import missing_page
from demijohn.debug.page import Action, Link, Page, Panel, rows
from demijohn.debug.panels import panel_html
from demijohn.debug.redaction import redact, text_of
from demijohn.debug.report import describe, make_report
from demijohn.debug.rules import COOKIE, Refused, check_call, check_peer, check_token, log_refusal
from demijohn.debug.shelf import Kept, Shelf
from demijohn.debug.toolbar import toolbar_of
from demijohn.errors import HTTPError, NotFound
from demijohn.http import Request, Response
from demijohn.schema import to_json

__all__ = ["Debugger", "debugger_of"]

logger = logging.getLogger("demijohn.debug")

_HTML: Final = "text/html; charset=utf-8"
_MOST_BODY: Final = 100_000
_PANEL_SECONDS: Final = 2.0


class _Call(msgspec.Struct):
    """What a page sends."""

    token: str = ""
    trace: str = ""
    pin: str = ""
    code: str = ""
    frame: int = -1
    name: str = ""
    signature: str = ""


class Debugger:
    """Shows the failures of one app to its developer.

    Made at the first failure in debug mode, and in no other case (Any: the app).

    Attributes:
        delay: Seconds that the answer to a wrong PIN waits, more with each.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.token = secrets.token_urlsafe(32)
        self.shelf = Shelf()
        self.delay = 0.5
        self._key = secrets.token_bytes(32)

    # -- answering a failure ------------------------------------------------------------------------------------------

    async def respond(self, request: Request, error: BaseException) -> Response | None:
        """Return the answer for an exception, in the form that the client asked for.

        A 404 or 405 has a page that lists the routes, for browsers; other clients get what production sends.
        """
        if not is_open(self.app):
            return None
        if isinstance(error, HTTPError):
            page = missing_page(self.app, request, error).encode("utf-8", "replace")
            return Response(page, error.status, error.headers, content_type=_HTML)
        failure, steps = describe(error)
        report = make_report(failure, request, self.app)
        kept = Kept(report, panels=await self._panels(request), actions=[])
        kept.actions += self._actions(error, kept.name)
        if find_grant() is not None:
            kept.error, kept.steps = error, steps
            kept.context = contextvars.copy_context()
        self.shelf.put(kept)
        accept = request.accept
        if accept.prefers_page and not request.is_htmx:
            return self._page(kept, request)
        url = (
            f"{request.scheme}://{request.headers.get('host', 'localhost')}{request.root_path}{DEBUG_PATH}/{kept.name}"
        )
        headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        if accept.names_json:
            body = to_json(as_problem(report, debug_url=url))
            return Response(body, 500, headers, content_type="application/problem+json")
        kind = "text/markdown" if accept.quality("text/markdown") and "text/markdown" in str(accept) else "text/plain"
        text = f"{as_markdown(report)}\nThe page: {url}\n"
        return Response(text.encode("utf-8", "replace"), 500, headers, content_type=f"{kind}; charset=utf-8")

    def _page(self, kept: Kept, request: Request, *, status: int = 500) -> Response:
        grant = find_grant()
        page = Page(
            kept.report,
            editor=Editor(),
            link=Link(
                path=f"{request.root_path}{DEBUG_PATH}",
                token=self.token,
                trace=kept.name,
                has_console=grant is not None and kept.error is not None and not grant.is_locked,
                unlocked=grant is not None and grant.knows(request.cookies.get(COOKIE, "")),
            ),
            panels=kept.panels,
            actions=kept.actions,
        )
        return Response(page.render().encode("utf-8", "replace"), status, page.headers, content_type=_HTML)

    async def _panels(self, request: Request) -> list[Panel]:
        found = []
        for title, show in self.app.panels.items():
            try:
                told = show(request)
                if inspect.isawaitable(told):
                    async with asyncio.timeout(_PANEL_SECONDS):
                        told = await told
                if told is None:
                    continue
                found.append(Panel(title, panel_html(told)))
            except Exception as error:
                logger.warning("The debug panel %s failed", title, exc_info=error)
                found.append(Panel(title, rows([("failed", f"{type(error).__name__}: {text_of(error)}")])))
        return found

    def _actions(self, error: BaseException, trace: str) -> list[Action]:
        found = []
        for name, function in self.app.actions.items():
            wanted = getattr(function, "applies_to", None)
            try:
                applies = wanted is None or (
                    isinstance(error, wanted) if isinstance(wanted, type | tuple) else bool(wanted(error))
                )
            except Exception as second:
                logger.warning("Whether the debug action %s applies cannot be told", name, exc_info=second)
                continue
            if applies:
                label = (inspect.getdoc(function) or name).partition("\n")[0].rstrip(".")
                found.append(Action(name, label, self._sign(name, trace)))
        return found

    def _sign(self, name: str, trace: str) -> str:
        return hmac.new(self._key, f"{name}\0{trace}".encode(), "sha256").hexdigest()

    # -- the calls of pages -------------------------------------------------------------------------------------------

    async def serve(self, request: Request) -> Response:
        """Answer a call of a page, or show a page again.

        Raises:
            NotFound: The debugger is off, or has nothing of that name.
        """
        if not is_open(self.app):
            raise NotFound
        name = request.path_params["name"]
        try:
            check_peer(request, self.app, find_grant())
            if request.method == "GET":
                return await self._again(name, request)
            check_call(request)
            answer = self._calls().get(name)
            if answer is None:
                raise NotFound
            body = await request.body()
            if len(body) > _MOST_BODY:
                raise Refused("the call is too long", status=413)
            try:
                call = msgspec.json.decode(body, type=_Call)
            except msgspec.MsgspecError:
                raise Refused("the call cannot be read", status=400) from None
            check_token(call.token, self.token)
            response: Response = await answer(call, request)
            return response
        except Refused as refused:
            log_refusal(request, refused)
            told = f"Refused: {refused.reason}. {refused.fix}".rstrip()
            return _json({"error": told}, refused.status)

    def _calls(self) -> dict[str, Callable[[_Call, Request], Any]]:
        return {"action": self._act, "unlock": self._unlock, "console": self._evaluate}

    async def _again(self, name: str, request: Request) -> Response:
        kept = self.shelf.find(name)
        if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            raise Refused("another site asked for a page of the debugger")
        if name in self._calls():
            raise Refused("only POST is answered here", status=405)
        if self.app.notes is not None:
            shown = await toolbar_of(self.app).serve(name, request)
            if shown is not None:
                return shown
        if kept is None:
            raise NotFound("That failure is no longer kept: the code was reloaded, or ten minutes are over.")
        return self._page(kept, request, status=200)

    def _find(self, call: _Call) -> Kept:
        kept = self.shelf.find(call.trace)
        if kept is None:
            raise Refused("this failure is no longer kept", status=410, fix="Reload the page to meet it again.")
        return kept

    async def _act(self, call: _Call, request: Request) -> Response:
        kept = self._find(call)
        if not hmac.compare_digest(call.signature.encode(), self._sign(call.name, kept.name).encode()):
            raise Refused(f"the action {call.name[:60]!r} is not signed by this page")
        function = self.app.actions.get(call.name)
        if function is None:
            raise Refused(f"there is no action {call.name[:60]!r}", status=404)
        logger.info("Running the debug action %s", call.name)
        try:
            given = inspect.signature(function).parameters
            result = function(self.app) if given else function()
            if inspect.isawaitable(result):
                result = await result
        except Exception as error:
            logger.exception("The debug action %s failed", call.name)
            return _json({"error": redact(f"{type(error).__name__}: {text_of(error)}")[:2000]}, 500)
        return _json({"message": redact(text_of(result)) if isinstance(result, str) else "Done."})

    def _granted(self) -> Grant:
        grant = find_grant()
        if grant is None:
            raise Refused("the console is off", fix="Start with  demijohn run --console")
        if grant.is_locked:
            raise Refused("five wrong PINs were tried, so that the console is locked", fix="Start the server anew.")
        return grant

    async def _unlock(self, call: _Call, request: Request) -> Response:
        grant = self._granted()
        if not grant.try_pin(call.pin):
            await asyncio.sleep(self.delay * grant.failures)
            if grant.is_locked:
                raise Refused("five wrong PINs were tried, so that the console is locked", fix="Start the server anew.")
            raise Refused(f"that is not the PIN ({5 - grant.failures} tries are left)", fix="The terminal shows it.")
        response = _json({"message": "Unlocked."})
        response.set_cookie(
            COOKIE, grant.cookie, path=f"{request.root_path}{DEBUG_PATH}", secure=request.is_secure, samesite="strict"
        )
        logger.info("The console was unlocked")
        return response

    async def _evaluate(self, call: _Call, request: Request) -> Response:
        grant = self._granted()
        if not grant.knows(request.cookies.get(COOKIE, "")):
            return _json({"error": "The PIN is wanted first."}, 401)
        kept = self._find(call)
        if kept.error is None or not 0 <= call.frame < len(kept.steps):
            raise Refused("that frame is not kept", status=410, fix="Reload the page to meet the failure again.")
        names = kept.namespaces.get(call.frame)
        if names is None:
            frame = kept.steps[call.frame].tb_frame
            names = kept.namespaces[call.frame] = make_namespace(frame, self.app, kept.error)
        logger.info("Console: %s", " ".join(redact(call.code).split())[:200])
        outcome = await run_code(call.code, names, app=self.app, context=kept.context)
        return _json(msgspec.to_builtins(outcome))


def _json(document: Mapping[str, Any], status: int = 200) -> Response:
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(to_json(dict(document)), status, headers, content_type="application/json")


_debuggers: "WeakKeyDictionary[Any, Debugger]" = WeakKeyDictionary()


def debugger_of(app: Any) -> Debugger:
    """Return the debugger of an app, made when it is first needed (Any: the app)."""
    found = _debuggers.get(app)
    if found is None:
        found = _debuggers[app] = Debugger(app)
    return found
