"""Idempotency keys: a request that is sent twice is done once, and both get the same answer.

The key stands in the header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header), or in a hidden field of a
form. Its row is written at the beginning of the transaction that does the work, and the answer into it at the end: both
are there, or neither is, whatever dies in between.
"""

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, overload

import msgspec
from sqlalchemy import BigInteger, Column, Index, SmallInteger, String, Table, delete, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from demijohn._lib.source import place_of
from demijohn._lib.translation import gettext
from demijohn.app import current
from demijohn.db.declarative import Declarative
from demijohn.db.outages import LockNotAvailable
from demijohn.db.storage import type_for
from demijohn.db.units import Unit, current_unit
from demijohn.errors import BadRequest, ConfigurationError, Conflict, DemijohnError, HTTPError
from demijohn.http import Markup, Request, Response, StreamResponse, UploadFile, html
from demijohn.middleware import Answered, mark

__all__ = ["Idempotency", "NotRepeatable", "idempotent"]

F = TypeVar("F", bound=Callable[..., Any])
Who = Callable[[Request], str | Awaitable[str]]

FIELD = "idempotency_key"
REPLAYED = "idempotent-replayed"
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\]){1,255})"\Z')
_TOKEN = re.compile(r"[!#-~]{1,255}\Z")
_SWEEP = 600.0
_BATCH = 500
# Whatever belongs to one exchange or one visitor, and not to the answer.
_LEFT_OUT = {b"set-cookie", b"content-length", b"date", b"connection"}


class NotRepeatable(DemijohnError):
    """An answer that cannot be kept for those who send the same request again."""

    code = "DJN-859"


class Answer(msgspec.Struct, frozen=True):
    """What was answered, and to which request."""

    fingerprint: str
    status: int | None
    content_type: str | None
    headers: list[tuple[str, str]]
    body: bytes

    def response(self) -> Response:
        """Return it as a response of its own."""
        response = Response(self.body, self.status or 200, self.headers)
        response.content_type = self.content_type
        response.headers[REPLAYED] = "true"
        return response


def _table(metadata: Any) -> Table:
    known: Table | None = metadata.tables.get("idempotency_key")
    if known is not None:
        return known
    return Table(
        "idempotency_key",
        metadata,
        Column("digest", String(64), primary_key=True),
        Column("fingerprint", String(64), nullable=False),
        Column("status", SmallInteger, nullable=True),
        Column("head", type_for(bytes), nullable=True),
        Column("body", type_for(bytes), nullable=True),
        Column("expires_at", BigInteger, nullable=False),
        Index("ix_idempotency_key_expires_at", "expires_at"),
    )


class Idempotency:
    """Does a request once that is sent twice, for the routes that say `@idempotent`.

    It brings its table by a migration: run `demijohn makemigrations` and `demijohn migrate`.

    Args:
        keep: How long an answer is kept for those who ask again.
        wait: How long, in seconds, a double waits for the first one before it gets 409.
        max_body: The largest answer that is kept, in bytes.
        who: Returns whom a key belongs to, so that nobody gets the answer of another. The user where the app has
            accounts; else what the header `Authorization` says; else all visitors share one room, in which a key has
            to be hard to guess, as a UUID is.

    Raises:
        ConfigurationError: A limit is no positive number (`DJN-858`).

    Example:
        app.use(Idempotency(keep=timedelta(hours=48)))
    """

    name = "idempotency"
    requires: tuple[str, ...] = ("db",)
    migrations = Path(__file__).parent / "migrations"

    def __init__(
        self,
        *,
        keep: timedelta = timedelta(hours=24),
        wait: float = 2.0,
        max_body: int = 1 << 20,
        who: Who | None = None,
    ) -> None:
        if keep.total_seconds() < 1 or wait <= 0 or max_body < 1:
            raise ConfigurationError(
                f"Idempotency(keep={keep!r}, wait={wait!r}, max_body={max_body!r}) keeps nothing.",
                why="Each limit has to be more than nothing.",
                fix="Idempotency(keep=timedelta(hours=24), wait=2.0)",
                code="DJN-858",
            )
        self.keep = int(keep.total_seconds())
        self.wait = wait
        self.max_body = max_body
        self.who = who
        self.table = _table(Declarative.metadata)
        self._database: Any = None
        self._running: dict[tuple[int, str], asyncio.Future[Answer | None]] = {}
        self._swept = 0.0

    def install(self, app: Any) -> None:
        """Plug in: the hidden field of forms (Any: the app)."""
        self._database = app.batteries["db"]
        app.templates.globals["idempotency_field"] = idempotency_field

    def belongs_to(self, who: Who) -> None:
        """Say whom a key belongs to, unless that was said by hand.

        It is for batteries that know the user.
        """
        if self.who is None:
            self.who = who

    # -- one request ---------------------------------------------------------------------------------------------------

    async def claim(self, request: Request, *, required: bool) -> None:
        """Take the key of a request, or give the answer again that it got before.

        Raises:
            BadRequest: The key is missing or cannot be read.
            HTTPError: 422, the key was used for another request.
            Conflict: The first request is not over yet.
        """
        key = await _key_of(request)
        if key is None:
            if required:
                raise BadRequest(gettext("This needs the header Idempotency-Key, with a value that is new each time."))
            return
        digest = _hash(*await self._owner(request), key)
        fingerprint = await _fingerprint(request)
        loop = asyncio.get_running_loop()
        place = id(loop), digest
        deadline = loop.time() + self.wait
        while (first := self._running.get(place)) is not None:
            done, _ = await asyncio.wait([first], timeout=deadline - loop.time())
            if not done:
                raise _busy()
            answer = first.result()
            if answer is not None:
                _compare(answer, fingerprint)
                raise Answered(answer.response())
        mine = self._running[place] = loop.create_future()
        kept: list[Answer] = []

        def release(answer: Answer | None = None) -> None:
            if self._running.get(place) is mine:
                del self._running[place]
            if not mine.done():
                mine.set_result(answer)

        def settle() -> None:  # after the commit
            release(kept[0] if kept else None)

        request.at_end(release)  # where it is rolled back, or cancelled
        try:
            unit = await self._insert(digest, fingerprint)
        except BaseException:
            release()
            raise

        async def keep(response: Response) -> None:
            if settle not in unit.hooks:
                return  # it was rolled back: nothing was done, and whoever asks again begins anew
            kept.append(await self._keep(request, digest, fingerprint, response))

        unit.hooks.append(settle)
        if time.monotonic() - self._swept > _SWEEP:
            self._swept = time.monotonic()
            unit.hooks.append(self.sweep)
        request.after = [*(request.after or ()), keep]

    async def _owner(self, request: Request) -> tuple[str, str]:
        """Return how the owner is known, and who it is: what a client writes in a header is never a user."""
        found = self.who(request) if self.who is not None else ""
        owner = found if isinstance(found, str) else await found
        return ("who", owner) if owner else ("authorization", request.headers.get("authorization", ""))

    async def _insert(self, digest: str, fingerprint: str) -> Unit:
        table, now = self.table, int(time.time())
        row = {"digest": digest, "fingerprint": fingerprint, "expires_at": now + self.keep}
        try:
            if await self._is_new(row):
                return current_unit(self._database)
            query = select(table).where(table.c.digest == digest)
            found = (await self._database.execute(query)).one_or_none()
            if found is None:  # it was swept this moment
                raise _busy()
            if found.expires_at <= now:
                again = update(table).where(table.c.digest == digest, table.c.expires_at == found.expires_at)
                changed = await self._database.execute(again.values(**row, status=None, head=None, body=None))
                if changed.rowcount != 1:
                    raise _busy()
                return current_unit(self._database)
        except LockNotAvailable as error:
            raise _busy() from error
        if found.status is None and found.fingerprint == fingerprint:
            # The handler committed by hand, and died before its answer was kept.
            raise Conflict(gettext("This was begun before, and nobody knows how it ended."))
        head = msgspec.json.decode(found.head or b"[null, []]", type=tuple[str | None, list[tuple[str, str]]])
        answer = Answer(found.fingerprint, found.status, *head, found.body or b"")
        _compare(answer, fingerprint)
        raise Answered(answer.response())

    async def _is_new(self, row: dict[str, Any]) -> bool:
        """Write the row of a key; return whether there was none. It waits for a transaction that writes the same."""
        execute, backend, limit = self._database.execute, self._database.backend, int(self.wait * 1000)
        if backend == "postgresql":
            await execute(text(f"SET LOCAL lock_timeout = {limit}"))
            result = await execute(postgresql.insert(self.table).values(row).on_conflict_do_nothing())
            await execute(text("SET LOCAL lock_timeout TO DEFAULT"))
            return bool(result.rowcount)
        if backend == "sqlite":
            return bool((await execute(sqlite.insert(self.table).values(row).on_conflict_do_nothing())).rowcount)
        if backend in {"mysql", "mariadb"}:
            return bool((await execute(insert(self.table).prefix_with("IGNORE").values(row))).rowcount)
        try:
            # The inner one is a savepoint: the transaction goes on where the row is there.
            async with self._database.transaction(), self._database.transaction():
                await execute(insert(self.table).values(row))
        except IntegrityError:
            return False
        return True

    async def _keep(self, request: Request, digest: str, fingerprint: str, response: Response) -> Answer:
        if isinstance(response, StreamResponse) or len(response.body) > self.max_body:
            size = "a stream" if isinstance(response, StreamResponse) else f"{len(response.body)} bytes"
            raise NotRepeatable(
                f"{request.method} {request.path} is idempotent and answered with {size}.",
                why=f"An answer is kept to be given again: a whole one, of at most {self.max_body} bytes.",
                fix="Answer with the address of what was made:  return redirect(url_for(...))",
            )
        lines = [(key.decode(), value.decode("latin-1")) for key, value in response._headers or ()]
        lines = [line for line in lines if line[0].encode() not in _LEFT_OUT]
        answer = Answer(fingerprint, response.status, response.content_type, lines, response.body)
        head = msgspec.json.encode((answer.content_type, answer.headers))
        change = update(self.table).where(self.table.c.digest == digest)
        await self._database.execute(change.values(status=answer.status, head=head, body=answer.body))
        return answer

    async def sweep(self) -> int:
        """Delete what is no longer kept, at most 500 rows; return how many.

        It happens by itself, every ten minutes in each process that is used, and at each request while there is more.
        """
        key, end = self.table.c.digest, self.table.c.expires_at
        async with self._database.independent():
            query = select(key).where(end < int(time.time())).limit(_BATCH)
            old = (await self._database.execute(query)).scalars().all()
            if old:
                await self._database.execute(delete(self.table).where(key.in_(old)))
        if len(old) == _BATCH:
            self._swept = -_SWEEP  # there is more of it: the next request goes on
        return len(old)


def _busy() -> Conflict:
    return Conflict(
        gettext("The same request is being worked on. Ask again in a moment."), headers=[("retry-after", "1")]
    )


def _compare(answer: Answer, fingerprint: str) -> None:
    if answer.fingerprint != fingerprint:
        raise HTTPError(gettext("This Idempotency-Key was used for another request. Take a new one."), status=422)


def _hash(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8))
        digest.update(data)
    return digest.hexdigest()


async def _key_of(request: Request) -> str | None:
    lines = request.headers.getlist("idempotency-key")
    if not lines:
        if request.content_type is None or not request.content_type.is_form:
            return None
        value = (await request.form()).get(FIELD)
        if value is None or value == "":
            return None
        lines = [value] if isinstance(value, str) else []
    if len(lines) == 1:
        line = lines[0].strip()
        quoted = _STRING.match(line)
        if quoted:
            return re.sub(r"\\(.)", r"\1", quoted[1])
        if _TOKEN.match(line):
            return line
    raise BadRequest(gettext("The Idempotency-Key cannot be read: it is one word of at most 255 characters."))


async def _fingerprint(request: Request) -> str:
    """Name what is asked for; a form by its fields, as its boundary and its CSRF token differ each time."""
    parts: list[str | bytes] = [request.method, request.path, request.query_string]
    if request.content_type is None or not request.content_type.is_form:
        return _hash(*parts, str(request.content_type or ""), await request.body())
    csrf = request.app.csrf
    without = {FIELD, csrf.form_field if csrf is not None else ""}
    for name, value in (await request.form()).multi_items():
        if name in without:
            continue
        if isinstance(value, UploadFile):
            parts += [name, value.filename, await value.read()]
            await value.seek(0)
        else:
            parts += [name, value]
    return _hash(*parts)


def idempotency_field() -> Markup:
    """Return the hidden field that makes a form count once, however often it is sent.

    A page that is rendered anew has a new one.
    """
    current.request.app.batteries.required("idempotency")
    return html('<input type="hidden" name="{}" value="{}">', FIELD, secrets.token_urlsafe(18))


class IdempotencyGuard:
    """Takes the key of a request, after all other guards let it pass.

    Args:
        required: Whether a request without a key is refused.
        place: Where the function stands.
    """

    __slots__ = ("_battery", "place", "required")

    name = "idempotency"
    late = True

    def __init__(self, *, required: bool, place: str) -> None:
        self.required = required
        self.place = place
        self._battery: Idempotency | None = None

    def applies(self, methods: frozenset[str], /) -> bool:
        """Only routes that change something."""
        return bool(methods & _UNSAFE)

    def prepare(self, app: Any) -> None:
        """Find the battery (Any: the app).

        Raises:
            ConfigurationError: The app does not have it (`DJN-858`).
        """
        self._battery = app.batteries.get("idempotency")
        if self._battery is None:
            raise ConfigurationError(
                f"{self.place} is marked `@idempotent`, and the app keeps no answers.",
                why="Their table comes with a battery, whose migration is yours to run.",
                fix="app.use(Idempotency())   # from demijohn.db import Idempotency",
                code="DJN-858",
            )

    def __call__(self, request: Request, /) -> Awaitable[None] | None:
        """Take the key, where the request changes something."""
        if request.method not in _UNSAFE or self._battery is None:
            return None
        return self._battery.claim(request, required=self.required)


@overload
def idempotent(function: F, /) -> F: ...
@overload
def idempotent(*, required: bool = False) -> Callable[[F], F]: ...
def idempotent(function: F | None = None, /, *, required: bool = False) -> F | Callable[[F], F]:
    """Do a request once that is sent twice, and answer both alike.

    What the handler writes is one transaction, begun before it is called. A double that comes meanwhile waits a moment
    and gets the first one's answer, or 409; the same key with another body is 422; what was rolled back may be sent
    again. Put mails and other effects that no database can undo into `db.on_commit`.

    Args:
        function: The handler.
        required: Answer 400 to a request without a key; without this it is done as ever.

    Example:
        ```python notest
        @app.post("/orders", status=201)
        @idempotent(required=True)
        async def order(wanted: Wanted): ...
        ```
    """

    def decorate(function: F) -> F:
        mark(function).guards.append(IdempotencyGuard(required=required, place=place_of(function)))
        return function

    return decorate if function is None else decorate(function)
