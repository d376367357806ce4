"""`Message`: one mail as a value, which cannot be made to say more than it was given."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, make_msgid
from typing import Annotated, Any

import msgspec

from demijohn._lib.text import listing
from demijohn.errors import ValidationFailed
from demijohn.mail.failures import InvalidMessage
from demijohn.schema import Field, converter

__all__ = ["Attachment", "Message", "addresses"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,70}")
_CONTENT_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,80}", re.ASCII)
_OURS = frozenset(
    [
        "from",
        "to",
        "cc",
        "bcc",
        "sender",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
        "content-disposition",
        "content-id",
        "received",
        "return-path",
        "resent-to",
        "resent-from",
    ]
)
_address = converter(Annotated[str, Field(format="email")])
_URL = re.compile(r"https?://[^\s<>\"]+")

Recipients = str | Sequence[str]


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file that goes with a message.

    Args:
        name: What it is called there.
        content: Its bytes.
        content_type: Its media type.
        content_id: A name by which the HTML shows it: `<img src="cid:logo">`.

    Raises:
        InvalidMessage: The name or the type cannot be written into a header.
    """

    name: str
    content: bytes
    content_type: str = "application/octet-stream"
    content_id: str = ""

    def __post_init__(self) -> None:
        _refuse_control("name of an attachment", self.name)
        if not _CONTENT_TYPE.fullmatch(self.content_type):
            raise InvalidMessage(
                f"The attachment {self.name!r} has the type {self.content_type!r}.",
                why="A media type has two parts.",
                fix='content_type="image/png"',
            )
        if self.content_id and not _HEADER_NAME.fullmatch(self.content_id):
            raise InvalidMessage(
                f"The attachment {self.name!r} has the content id {self.content_id!r}.",
                why="It becomes part of a URL.",
                fix='content_id="logo"',
            )


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One mail.

    What stands in it is checked when it is made: no value reaches into another header, no address is two.

    Args:
        to: Who gets it: `"ann@example.org"`, `"Ann <ann@example.org>"`, or a list of such.
        subject: One line.
        text: The message as plain text.
        html: The message as HTML, for readers that show it; the text stays.
        cc, bcc: More who get it; those of `bcc` are seen by nobody.
        reply_to: Where answers go.
        sender: Who it is from; the sender of the `Mail` otherwise.
        attachments: Files.
        headers: More headers, `{"Auto-Submitted": "auto-generated"}`.

    Raises:
        InvalidMessage: An address, a header or a text cannot be sent (`DJN-990`).

    Example:
        >>> message = Message(to="Ann <ann@example.org>", subject="Hi", text="See https://example.org/x")
        >>> message.recipients, message.links
        (['ann@example.org'], ['https://example.org/x'])
    """

    to: Recipients
    subject: str
    text: str
    html: str | None = None
    cc: Recipients = ()
    bcc: Recipients = ()
    reply_to: Recipients = ()
    sender: str = ""
    attachments: Sequence[Attachment] = ()
    headers: Mapping[str, str] = {}

    def __post_init__(self) -> None:
        _refuse_control("subject", self.subject)
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS:
                raise InvalidMessage(
                    f"A message has the header {name!r}.",
                    why="It is written from the fields of the message." if name.lower() in _OURS else "It is no name.",
                    fix='Message(to=..., subject=..., headers={"X-Campaign": "spring"})',
                )
            _refuse_control(f"header {name}", value)
        for text in (self.text, self.html or ""):
            try:
                text.encode()
            except UnicodeEncodeError:
                raise InvalidMessage(
                    "The text of a message holds half of a surrogate pair.",
                    why="It cannot be written as UTF-8.",
                    fix='text.encode("utf-8", "replace").decode()',
                ) from None
        if not self.recipients:
            raise InvalidMessage(
                "A message has no recipient.", why="Nobody would get it.", fix="Message(to=user.email, ...)"
            )
        addresses(self.reply_to)
        if self.sender:
            addresses(self.sender)

    @property
    def recipients(self) -> list[str]:
        """The bare addresses of all who get it, each once."""
        found = [address.addr_spec for field in (self.to, self.cc, self.bcc) for address in addresses(field)]
        return list(dict.fromkeys(found))

    @property
    def links(self) -> list[str]:
        """The URLs in the text, in their order: what a test follows."""
        return [url.rstrip(".,;:!?)") for url in _URL.findall(self.text)]

    def with_sender(self, sender: str) -> "Message":
        """Return the message with a sender, where it has none."""
        return self if self.sender else msgspec.structs.replace(self, sender=sender)

    def as_email(self) -> EmailMessage:
        """Return it as the standard library's message, ready to be sent."""
        sender = addresses(self.sender)
        everybody = [address for field in (self.to, self.cc, self.reply_to) for address in addresses(field)]
        is_ascii = all(address.addr_spec.isascii() for address in [*sender, *everybody])
        email = EmailMessage(policy=SMTP if is_ascii else SMTPUTF8)
        email["From"] = sender
        for name, field in (("To", self.to), ("Cc", self.cc), ("Reply-To", self.reply_to)):
            found = addresses(field)
            if found:
                email[name] = found
        email["Subject"] = self.subject
        email["Date"] = format_datetime(datetime.now(UTC))
        domain = sender[0].domain if sender else "localhost"
        email["Message-ID"] = make_msgid(domain=domain.encode("idna").decode())
        for name, value in self.headers.items():
            email[name] = value
        email.set_content(self.text)
        shown = [file for file in self.attachments if file.content_id]
        if self.html is not None:
            email.add_alternative(self.html, subtype="html")
            if shown:
                part: Any = email.get_payload()[-1]  # type: ignore[index]  # the alternative that was just added
                for file in shown:
                    main, _, sub = file.content_type.partition("/")
                    cid = f"<{file.content_id}>"
                    part.add_related(file.content, main, sub, cid=cid, filename=file.name, disposition="inline")
        for file in self.attachments:
            if self.html is None or not file.content_id:
                main, _, sub = file.content_type.partition("/")
                email.add_attachment(file.content, main, sub, filename=file.name)
        return email


def addresses(field: Recipients) -> list[Address]:
    """Return the addresses of a field.

    Raises:
        InvalidMessage: One of them is none, or two.
    """
    found = []
    for text in [field] if isinstance(field, str) else field:
        _refuse_control("address", text)
        name, bracket, rest = text.rpartition("<")
        spec = rest.rstrip()
        if bracket:
            spec = spec[:-1] if spec.endswith(">") else ""
        else:
            name, spec = "", text.strip()
        try:
            _address(spec)
        except ValidationFailed:
            raise InvalidMessage(
                f"{text!r} is no e-mail address.",
                why="Each recipient is one address, with or without a name before it.",
                fix=f"to={listing(['ann@example.org', 'Ann <ann@example.org>'])}",
            ) from None
        local, _, domain = spec.rpartition("@")
        try:
            domain = domain.encode("idna").decode()
        except UnicodeError:
            raise InvalidMessage(
                f"The domain of {text!r} cannot be looked up.",
                why="It has no form in ASCII (IDNA).",
                fix='Check the address:  schema format "email"',
            ) from None
        found.append(Address(name.strip().strip('"').strip(), local, domain))
    return found


def _refuse_control(what: str, value: str) -> None:
    if _CONTROL.search(value):
        raise InvalidMessage(
            f"The {what} of a message has a line break or control character in it: {value[:80]!r}.",
            why="What follows it would be read as another header.",
            fix='" ".join(value.split())    where it comes from somebody else',
        )
