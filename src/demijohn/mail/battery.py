"""`Mail`: the battery that sends."""

import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from demijohn.app import CheckMessage, Secret
from demijohn.app.context import find_unit
from demijohn.app.debug_door import is_open
from demijohn.errors import ConfigurationError
from demijohn.mail.console import Console
from demijohn.mail.failures import InvalidMessage, MailUnavailable
from demijohn.mail.folder import MailFolder
from demijohn.mail.mailbox import Mailbox
from demijohn.mail.message import Attachment, Message, Recipients
from demijohn.mail.outbox import Outbox
from demijohn.mail.outgoing import Outgoing
from demijohn.mail.protocols import MailBackend
from demijohn.mail.smtp import SMTP, Encryption
from demijohn.types import CommitHooks, Renderer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demijohn.app import App

__all__ = ["Mail"]

logger = logging.getLogger("demijohn.mail")


class Mail:
    """Sends mail from handlers, commands and tasks.

    A message that is sent in a unit of work leaves after its commit, and not at all where that is rolled back.
    It goes by a queue, so that no request waits for a server; what the server does not take for now is tried again.

    Args:
        url: How it is sent; the setting `MAIL_URL` otherwise. `smtp://user:password@host:587` (STARTTLS),
            `smtps://host:465` (TLS), `file:///var/mail` (a file each), `console:`, `memory:`.
        sender: Who messages are from; the setting `MAIL_SENDER` otherwise.
        backend: A backend of your own, in place of the URL.

    Without any of them messages are printed in development, kept in memory under test, and refused in production.

    Raises:
        ConfigurationError: The URL cannot be read (`DJN-992`).

    Example:
        ```python notest
        mail = app.use(Mail())

        @app.post("/invite")
        async def invite(email: str, mail: Mail):
            await mail.send(Message(to=email, subject="Come in", text="There is a place for you."))
        ```
    """

    name = "mail"
    requires: tuple[str, ...] = ()
    __battery__: ClassVar[str] = "mail"

    def __init__(
        self, url: str | Secret | None = None, *, sender: str = "", backend: MailBackend | None = None
    ) -> None:
        self._url = Secret(url) if isinstance(url, str) else url
        self._sender = sender
        self._backend = backend
        if backend is None and self._url is not None:
            self._backend = backend_for(self._url.reveal())
        self._app: Any = None
        self.outbox = Outbox(lambda: self.backend)
        self._outgoing: Outgoing | None = None

    def install(self, app: "App") -> None:
        """Plug into the app: the service, the queue's life, the check, the test helper."""
        self._app = app
        app.provide(Mail, value=self)
        app.lifespan.add(self._life)
        app.checks.add(self._check, deploy=True)
        app.test_helpers.add("mailbox", self._test_mailbox)
        if is_open(app):
            self._outgoing = Outgoing()
            self._outgoing.install(app)

    @property
    def backend(self) -> MailBackend:
        """What sends.

        Raises:
            MailUnavailable: The app is in production, and nobody said how mail is sent.
        """
        if self._backend is None:
            self._backend = self._default()
        return self._backend

    @property
    def sender(self) -> str:
        """Who messages are from, where they do not say it."""
        if self._sender or self._app is None:
            return self._sender or "noreply@localhost.localdomain"
        settings = self._app.settings
        if settings.mail_sender:
            return str(settings.mail_sender)
        hosts = [host.lstrip("*.") for host in self._app.protect().hosts if "." in host.lstrip("*.")]
        return f"noreply@{hosts[0].partition(':')[0] if hosts else 'localhost.localdomain'}"

    async def send(self, message: Message) -> None:
        """Send a message after the commit of the present unit of work.

        It goes by the queue, in the background.

        Raises:
            InvalidMessage: Its sender is no address.
        """
        complete = message.with_sender(self.sender)
        complete.as_email()  # what cannot be written is told here, and not in the background
        if self._app is not None:
            self._app.note("Mail", {"to": ", ".join(map(str, complete.to)), "subject": complete.subject})
        database = None if self._app is None else self._app.batteries.get("db")
        if find_unit() is not None and isinstance(database, CommitHooks):
            database.on_commit(lambda: self._leave(complete))
        else:
            await self._leave(complete)

    async def send_now(self, message: Message) -> None:
        """Send a message and wait until it was taken.

        It is sent whatever becomes of the unit of work.

        Raises:
            MailUnavailable: It was not taken (`DJN-993`).
        """
        (failure,) = await self.backend.send([message.with_sender(self.sender)])
        if failure is not None:
            raise MailUnavailable(
                f"A message was not taken: {failure}",
                why="The server of mail is away, or refused it.",
                fix="Use `send`, which tries again in the background.",
                code="DJN-993",
            ) from failure

    def render(
        self,
        template: str,
        context: Mapping[str, Any],
        *,
        to: Recipients,
        reply_to: Recipients = (),
        attachments: "Sequence[Attachment]" = (),
        headers: Mapping[str, str] | None = None,
    ) -> Message:
        """Return a message from templates: `welcome.txt` and `welcome.html`.

        The HTML may be missing. The first line of the text is `Subject: ...`, with an empty line behind it. The text is
        plain, the HTML is escaped. Context processors have no part in it.

        Args:
            template: The name without its ending: `"mail/welcome"`.
            context: The names that both see (Any: templates print anything).
            to, reply_to, attachments, headers: As in `Message`.

        Raises:
            InvalidMessage: The text has no subject (`DJN-990`).
        """
        renderer = self._renderer()
        head, _, text = renderer.render_alone(f"{template}.txt", context).lstrip().partition("\n")
        name, colon, subject = head.partition(":")
        if not colon or name.strip().lower() != "subject":
            raise InvalidMessage(
                f"The template {template}.txt begins with {head[:60]!r}.",
                why="The subject of the message is its first line.",
                fix="Subject: Welcome, {{ name }}",
            )
        html = f"{template}.html"
        return Message(
            to=to,
            subject=" ".join(subject.split()),
            text=text.lstrip("\n"),
            html=renderer.render_alone(html, context) if renderer.has_template(html) else None,
            reply_to=reply_to,
            attachments=attachments,
            headers=headers or {},
        )

    @contextmanager
    def recorded(self) -> Iterator[Mailbox]:
        """Keep what is sent in a list for a `with` block, instead of sending it."""
        before, mailbox = self._backend, Mailbox()
        self._backend = mailbox
        try:
            yield mailbox
        finally:
            self._backend = before

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _leave(self, message: Message) -> None:
        try:
            backend = self.backend
        except MailUnavailable:
            # Whether somebody gets a mail must not show in the answer; it is in the log.
            logger.exception("A message was not sent")
            return
        if self._outgoing is not None:
            self._outgoing.add(message)
        if backend.is_immediate:
            await backend.send([message])
        else:
            self.outbox.put(message)

    def _default(self) -> MailBackend:
        app = self._app
        settings = None if app is None else app.settings
        if settings is not None and settings.mail_url:
            return backend_for(settings.mail_url.reveal())
        env = None if settings is None else settings.env
        if env == "test":
            return Mailbox()
        if env == "production":
            raise MailUnavailable(
                "A message was to be sent, and MAIL_URL is not set.",
                why="In production mail is neither printed nor thrown away without being asked to.",
                fix="MAIL_URL=smtp://user:password@smtp.example.org:587",
            )
        return Console()

    def _renderer(self) -> Renderer:
        if self._app is None:
            raise MailUnavailable(
                "A message was to be rendered by a `Mail` that belongs to no app.",
                why="Templates are found by the app.",
                fix="mail = app.use(Mail())",
            )
        renderer = self._app.need("templating")
        if not isinstance(renderer, Renderer):
            raise MailUnavailable(
                f"The battery {renderer.name!r} renders no template by name.",
                why="A message from templates needs one that does.",
                fix="app.use(Templates())",
            )
        return renderer

    @asynccontextmanager
    async def _life(self, app: Any) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.outbox.drain()

    def _check(self, app: Any) -> Iterator[CheckMessage]:
        if self._backend is None and not app.settings.mail_url:
            yield CheckMessage(
                level="warning",
                id="mail.url",
                text="MAIL_URL is not set, so that no mail can be sent.",
                hint="MAIL_URL=smtp://user:password@smtp.example.org:587  See: demijohn explain DJN-991",
            )

    def _test_mailbox(self, test: Any) -> Any:
        """Let a test look at what is sent (Any: the harness; what is entered)."""
        return self.recorded()


def backend_for(url: str) -> MailBackend:
    """Return the backend that a URL names.

    Raises:
        ConfigurationError: It names none (`DJN-992`).
    """
    scheme = url.partition(":")[0].lower()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        scheme, parts, port = "", urlsplit(""), None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if scheme == "console":
        return Console()
    if scheme == "memory":
        return Mailbox()
    if scheme == "file" and parts.path:
        return MailFolder(Path(unquote(parts.path)))
    known = options.keys() <= {"tls", "timeout"} and options.get("tls", "none") == "none"
    timeout = options.get("timeout", "10")
    if scheme not in ("smtp", "smtps") or not parts.hostname or not known or not timeout.isdecimal():
        raise ConfigurationError(
            f"MAIL_URL is no URL of mail: it begins with {scheme or '?'!r}.",
            why="Known are smtp, smtps, file, console and memory; the options of SMTP are `tls=none` and `timeout=10`.",
            fix="MAIL_URL=smtp://user:password@smtp.example.org:587",
            code="DJN-992",
        )
    encryption: Encryption = "tls" if scheme == "smtps" else "none" if "tls" in options else "starttls"
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if encryption == "starttls" and local:
        encryption = "none"  # nobody listens in between
    if encryption == "none" and parts.password and not local:
        raise ConfigurationError(
            f"MAIL_URL has a password and tls=none for {parts.hostname}.",
            why="The password would be sent for everybody on the way to read.",
            fix="Remove tls=none.",
            code="DJN-992",
        )
    return SMTP(
        parts.hostname,
        port=port,
        user=unquote(parts.username or ""),
        password=Secret(unquote(parts.password)) if parts.password else None,
        encryption=encryption,
        timeout=float(timeout),
    )
