"""Sending: after the commit, in the background, by a real SMTP server, and again where it failed for now."""

import asyncio
import io
import ssl
import stat
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from aiosmtpd.smtp import Session as Peer

from demijohn import App, Secret, Settings, abort
from demijohn.db import Database
from demijohn.errors import ConfigurationError
from demijohn.mail import SMTP, Console, InvalidMessage, Mail, Mailbox, MailFolder, MailUnavailable, Message
from demijohn.mail.battery import backend_for
from demijohn.mail.outbox import Outbox
from demijohn.testing import AsyncClient

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


def letter(to: str = "ann@example.org", **values: Any) -> Message:
    """A message."""
    return Message(**{"to": to, "subject": "Hello", "text": "Hello there", "sender": "site@example.org", **values})


class Post:
    """An SMTP server's handler: keeps what it took, refuses who is called so."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], Any]] = []
        self.connections: set[Any] = set()
        self.encrypted: list[bool] = []
        self.refuse = 0

    async def handle_RCPT(
        self, server: Server, session: Peer, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, unless it is to be refused."""
        if address.startswith("nobody"):
            return "550 no such user"
        if address.startswith("later") and self.refuse > 0:
            self.refuse -= 1
            return "451 later, please"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Server, session: Peer, envelope: Envelope) -> str:
        """Keep a message."""
        assert isinstance(envelope.content, bytes)
        self.connections.add(session.peer)
        self.encrypted.append(session.ssl is not None)
        self.taken.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 OK"


@pytest.fixture
def post() -> Post:
    """What the server does."""
    return Post()


@asynccontextmanager
async def serving(post: Post, *, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[int]:
    """A server on a port of its own, for an `async with` block: its port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(post, hostname="localhost", **options), "localhost", 0, ssl=tls)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.fixture
async def server(post: Post) -> AsyncIterator[int]:
    """A server that takes mail in the clear: its port."""
    async with serving(post) as port:
        yield port


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody signed, with its key in the same file."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run([*command.split(), "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


async def test_a_server_takes_a_message(server: int, post: Post) -> None:
    """Everybody is a recipient of the envelope; who is in bcc stands in no header."""
    verdicts = await backend_for(f"smtp://localhost:{server}").send([letter(bcc="ben@example.org")])
    assert verdicts == [None]
    recipients, email = post.taken[0]
    assert recipients == ["ann@example.org", "ben@example.org"]
    assert (email["subject"], email["to"], email["bcc"]) == ("Hello", "ann@example.org", None)


async def test_messages_share_a_connection(server: int, post: Post) -> None:
    """Five messages go through one connection, and one that is refused keeps no other from going."""
    names = ["a", "b", "nobody", "c", "d"]
    verdicts = await backend_for(f"smtp://localhost:{server}").send([letter(f"{name}@example.org") for name in names])
    assert [verdict is None for verdict in verdicts] == [True, True, False, True, True]
    assert len(post.taken) == 4
    assert len(post.connections) == 1


def contexts(certificate: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's side of TLS, and that of a client who knows its certificate."""
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(certificate)
    return theirs, ssl.create_default_context(cafile=str(certificate))


async def test_starttls_or_nothing(certificate: Path, post: Post) -> None:
    """With STARTTLS the message is encrypted; a server that cannot, or whose certificate is unknown, gets nothing."""
    theirs, ours = contexts(certificate)
    async with serving(post, tls_context=theirs) as port:
        assert await SMTP("localhost", port=port, tls_context=ours, timeout=5).send([letter()]) == [None]
        assert post.encrypted == [True]
        (failure,) = await SMTP("localhost", port=port, timeout=5).send([letter()])
        assert "certificate" in str(failure)
    async with serving(post) as port:
        (failure,) = await SMTP("localhost", port=port, timeout=5).send([letter()])
        assert "STARTTLS" in str(failure)
    assert len(post.taken) == 1


async def test_tls_from_the_start(certificate: Path, post: Post) -> None:
    """`smtps` is encrypted from the first byte."""
    theirs, ours = contexts(certificate)
    async with serving(post, tls=theirs) as port:
        backend = SMTP("localhost", port=port, encryption="tls", tls_context=ours, timeout=5)
        assert await backend.send([letter()]) == [None]
    assert len(post.taken) == 1


async def test_a_password(post: Post) -> None:
    """Name and password come from the URL; a wrong one is final, and is in no message of the failure."""

    def authenticate(server: Server, session: Peer, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"site", b"p@ss/word")
        return AuthResult(success=good, handled=False)

    async with serving(post, authenticator=authenticate, auth_required=True, auth_require_tls=False) as port:
        url = f"smtp://site:p%40ss%2Fword@localhost:{port}"
        assert await backend_for(url).send([letter()]) == [None]
        backend = backend_for(url.replace("word", "WRONG"))
        (failure,) = await backend.send([letter()])
        assert failure is not None
        assert not backend.is_temporary(failure)
        assert "WRONG" not in str(failure) + repr(backend)


async def test_the_outbox_tries_again(server: int, post: Post) -> None:
    """451 and a server that is away are tried again, 550 is not; nothing is sent twice."""
    post.refuse = 2
    outbox = Outbox(lambda: backend_for(f"smtp://localhost:{server}"), again=(0.01, 0.01, 0.01))
    for name in ("later", "nobody", "ann"):
        outbox.put(letter(f"{name}@example.org"))
    for _ in range(200):
        if len(post.taken) == 2:
            break
        await asyncio.sleep(0.01)
    assert sorted(recipients[0] for recipients, _ in post.taken) == ["ann@example.org", "later@example.org"]
    assert await outbox.drain(2) == 0


async def test_a_server_that_is_away(unused_tcp_port: int, post: Post, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be sent at the end of the app is tried once more, counted and logged, without its text."""
    outbox = Outbox(lambda: backend_for(f"smtp://127.0.0.1:{unused_tcp_port}"), again=(60,))
    outbox.put(letter(text="secret link"))
    for _ in range(200):
        if outbox._later:
            break
        await asyncio.sleep(0.01)
    assert len(outbox) == 1
    assert await outbox.drain(2) == 0
    assert "was not sent" in caplog.text
    assert "secret link" not in caplog.text


async def test_a_full_outbox_refuses(caplog: pytest.LogCaptureFixture) -> None:
    """No more messages wait than it may hold."""
    outbox = Outbox(lambda: Mailbox(), most=2, at_once=0)
    for _ in range(4):
        outbox.put(letter())
    assert len(outbox) == 2
    assert "dropped" in caplog.text


async def test_sent_after_the_commit(tmp_path: Path) -> None:
    """A handler that fails sends nothing; one that returns does, once, after its commit."""
    app = App(settings=Settings(env="test"))
    app.use(Database(f"sqlite:///{tmp_path}/app.db"))
    mail = app.use(Mail())
    seen: list[int] = []

    @app.post("/send")
    async def send(fail: bool = False) -> str:
        await mail.send(letter())
        seen.append(len(mailbox))
        if fail:
            abort(409)
        return "sent"

    async with AsyncClient(app) as client:
        with mail.recorded() as mailbox:
            assert (await client.post("/send?fail=1")).status_code == 409
            assert mailbox == []
            assert (await client.post("/send")).text == "sent"
            assert [message.to for message in mailbox] == ["ann@example.org"]
    assert seen == [0, 0]


async def test_no_request_waits_for_smtp(server: int, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow server costs the request nothing, and the message is there when the app has ended."""

    async def slow(server: Server, session: Peer, envelope: Envelope) -> str:
        await asyncio.sleep(0.5)
        post.taken.append((envelope.rcpt_tos, None))
        return "250 OK"

    monkeypatch.setattr(post, "handle_DATA", slow)
    app = App()
    mail = app.use(Mail(f"smtp://localhost:{server}"))

    @app.post("/send")
    async def send() -> str:
        await mail.send(letter())
        return "sent"

    async with AsyncClient(app) as client:
        begun = asyncio.get_running_loop().time()
        assert (await client.post("/send")).text == "sent"
        assert asyncio.get_running_loop().time() - begun < 0.4
    await app.shutdown()
    assert len(post.taken) == 1


async def test_send_now(server: int, unused_tcp_port: int, post: Post) -> None:
    """It waits until the server has the message, and tells where it did not take it."""
    await Mail(f"smtp://localhost:{server}").send_now(letter())
    assert len(post.taken) == 1
    with pytest.raises(MailUnavailable) as caught:
        await Mail(f"smtp://127.0.0.1:{unused_tcp_port}").send_now(letter())
    assert caught.value.code == "DJN-993"


async def test_where_mail_goes(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Printed in development, kept in tests, refused and logged in production; the setting decides over all."""
    for env, expected in (("development", Console), ("test", Mailbox)):
        app = App(settings=Settings(env=env))  # type: ignore[arg-type]
        assert isinstance(app.use(Mail()).backend, expected)
    app = App(settings=Settings(env="production", secret_key=Secret("x" * 40)))
    mail = app.use(Mail())
    with pytest.raises(MailUnavailable):
        _ = mail.backend
    await mail.send(letter())
    assert "DJN-991" in caplog.text
    assert [message.id for message in app.run_checks(deploy=True) if message.id.startswith("mail")] == ["mail.url"]
    settings = Settings.load({"MAIL_URL": "smtps://u:p@mail.example.org", "MAIL_SENDER": "x@example.org"}, files=())
    mail = App(settings=settings).use(Mail())
    assert repr(mail.backend) == "SMTP('mail.example.org', port=465, encryption='tls')"
    assert mail.sender == "x@example.org"
    assert "p@mail" not in repr(settings)


def test_the_sender_is_of_the_site() -> None:
    """Without a setting the sender is of the first host of the site."""
    app = App(settings=Settings(allowed_hosts=("localhost", "*.example.org:8000")))
    assert app.use(Mail()).sender == "noreply@example.org"
    assert App().use(Mail(sender="Us <us@example.org>")).sender == "Us <us@example.org>"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.org", "SMTP('mail.example.org', port=587, encryption='starttls')"),
        ("smtp://localhost:25", "SMTP('localhost', port=25, encryption='none')"),
        ("smtp://mail.example.org?tls=none", "SMTP('mail.example.org', port=25, encryption='none')"),
    ],
)
def test_urls(url: str, expected: str) -> None:
    """A server is spoken to in the clear only where it is here, or where that was said."""
    assert repr(backend_for(url)) == expected


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org",
        "http://mail.example.org",
        "smtp://",
        "smtp://host:port",
        "smtp://host?tls=maybe",
        "smtp://host?timeout=x",
        "smtp://host?x=1",
        "file:",
        "smtp://u:p@mail.example.org?tls=none",
    ],
)
def test_urls_that_are_none(url: str) -> None:
    """What cannot be read is told at the start, without the password."""
    with pytest.raises(ConfigurationError) as caught:
        Mail(url)
    assert caught.value.code == "DJN-992"
    assert "u:p" not in str(caught.value)


async def test_a_folder(tmp_path: Path) -> None:
    """Each message is a file that only its owner reads."""
    folder = MailFolder(tmp_path / "mail")
    assert await folder.send([letter(), letter("ben@example.org")]) == [None, None]
    files = sorted((tmp_path / "mail").iterdir())
    assert [message_from_bytes(file.read_bytes())["to"] for file in files] == ["ann@example.org", "ben@example.org"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    (failure,) = await MailFolder("/proc/nowhere").send([letter()])
    assert failure is not None


async def test_a_console() -> None:
    """A message is printed, and what would command the terminal is shown instead."""
    stream = io.StringIO()
    await Console(stream).send([letter(text="Click \x1b[31mhere", html="<p>Click")])
    assert "To: ann@example.org" in stream.getvalue()
    assert "Click \\x1b[31mhere" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


async def test_a_message_from_templates(tmp_path: Path) -> None:
    """The text is plain, the HTML escaped, the subject one line; context processors of pages have no part in it."""
    (tmp_path / "templates" / "mail").mkdir(parents=True)
    (tmp_path / "templates" / "mail" / "hi.txt").write_text("Subject: Hi {{ name }}\n\nDear {{ name }}\n")
    (tmp_path / "templates" / "mail" / "hi.html").write_text("<p>Dear {{ name }}</p>")
    (tmp_path / "templates" / "mail" / "none.txt").write_text("Dear {{ name }}\n")
    app = App(templates=tmp_path / "templates")

    async def processor() -> dict[str, str]:
        raise AssertionError

    app.context_processors.append(processor)
    mail = app.use(Mail())
    app.freeze()
    message = mail.render("mail/hi", {"name": "<Ann>\nBcc: b@example.org"}, to="ann@example.org")
    assert message.subject == "Hi <Ann>"
    assert message.text.startswith("Bcc: b@example.org") is True
    message = mail.render("mail/hi", {"name": "<Ann>"}, to="ann@example.org")
    assert (message.subject, message.text) == ("Hi <Ann>", "Dear <Ann>")
    assert message.html == "<p>Dear &lt;Ann&gt;</p>"
    with pytest.raises(InvalidMessage, match=r"none\.txt"):
        mail.render("mail/none", {"name": "Ann"}, to="ann@example.org")


def test_a_test_looks_into_the_mailbox(tmp_path: Path) -> None:
    """`mailbox` holds what the app under test sent; a handler gets `Mail` without any set-up."""
    app = App()

    @app.post("/send")
    async def send(mail: Mail) -> str:
        await mail.send(letter())
        return "sent"

    from demijohn.testing import TestClient

    with TestClient(app) as client, client.helper("mailbox") as mailbox:
        assert client.post("/send").text == "sent"
        assert isinstance(mailbox, Mailbox)
        assert mailbox[-1].subject == "Hello"
        assert mailbox.sent_to("ann@example.org") == list(mailbox)


async def test_the_page_of_sent_mail() -> None:
    """In development the messages are listed and shown as text with links; elsewhere it is not there."""
    app = App(settings=Settings(env="development"), debug=True)
    mail = app.use(Mail("memory:"))

    @app.post("/send")
    async def send() -> str:
        await mail.send(letter(subject="<b>Hi", text="Go to https://example.org/x?a=1&b=2 <script>", html="<p>Go"))
        return "sent"

    async with AsyncClient(app) as client:
        assert "Nothing was sent" in (await client.get("/__demijohn__/mail")).text
        await client.post("/send")
        assert '<a href="mail/1">&lt;b&gt;Hi</a>' in (await client.get("/__demijohn__/mail")).text
        page = await client.get("/__demijohn__/mail/1")
        assert '<a href="https://example.org/x?a=1&amp;b=2">' in page.text
        assert "<script>" not in page.text
        assert "&lt;p&gt;Go" in page.text
        assert (await client.get("/__demijohn__/mail/2")).status_code == 404
        for headers in (
            {"x-forwarded-for": "203.0.113.9"},
            {"forwarded": "for=203.0.113.9"},
            {"via": "1.1 tunnel"},
            {"x-real-ip": "203.0.113.9"},
        ):
            for path in ("/__demijohn__/mail", "/__demijohn__/mail/1"):
                answer = await client.get(path, headers=headers)
                assert answer.status_code == 404, headers
                assert "Hi" not in answer.text
    for other in (App(settings=Settings(env="test")), App(settings=Settings(env="production"), debug=True)):
        other.use(Mail("memory:"))
        other.use_test_keys()
        async with AsyncClient(other) as client:
            assert (await client.get("/__demijohn__/mail")).status_code == 404
