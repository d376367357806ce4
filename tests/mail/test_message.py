"""Messages: what they say on the wire, and what cannot be put into them."""

import email
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.mail import Attachment, InvalidMessage, Message


def parsed(message: Message) -> EmailMessage:
    """The message as its reader gets it."""
    found = email.message_from_bytes(message.as_email().as_bytes(), policy=SMTP)
    assert isinstance(found, EmailMessage)
    return found


def test_a_message_on_the_wire() -> None:
    """Text and HTML, names outside of ASCII, copies and files arrive as they were given; bcc is in no header."""
    message = Message(
        to=["Ännchen <ann@example.org>", "ben@example.org"],
        cc="cleo@example.org",
        bcc="dora@example.org",
        reply_to="desk@example.org",
        sender="Our site <site@example.org>",
        subject="Grüße, und zwar sehr lange " * 6,
        text="Hello\nthere",
        html="<p>Hello <b>there</b> <img src='cid:logo'>",
        attachments=[
            Attachment(name="a “b”.txt", content=b"abc", content_type="text/x-thing"),
            Attachment(name="logo.png", content=b"\x89PNG", content_type="image/png", content_id="logo"),
        ],
        headers={"Auto-Submitted": "auto-generated"},
    )
    found = parsed(message)
    assert found["to"] == "Ännchen <ann@example.org>, ben@example.org"
    assert (found["cc"], found["bcc"], found["reply-to"]) == ("cleo@example.org", None, "desk@example.org")
    assert found["from"] == "Our site <site@example.org>"
    assert found["subject"].strip() == message.subject.strip()
    assert found["auto-submitted"] == "auto-generated"
    assert found["message-id"].endswith("@example.org>")
    assert found.get_body(("plain",)).get_content() == "Hello\r\nthere\r\n"  # type: ignore[union-attr]
    assert "cid:logo" in found.get_body(("html",)).get_content()  # type: ignore[union-attr]
    files = {part.get_filename(): part for part in found.walk() if part.get_filename()}
    assert files["a “b”.txt"].get_content_type() == "text/x-thing"
    assert files["logo.png"]["content-id"] == "<logo>"
    assert files["logo.png"].get_payload(decode=True) == b"\x89PNG"
    assert message.recipients == ["ann@example.org", "ben@example.org", "cleo@example.org", "dora@example.org"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "ann@example.org, ben@example.org",
        "ann@example.org\nBcc: ben@example.org",
        "Ann <ann@example.org> <ben@example.org",
        "Ann ann@example.org",
        "ann@example.org\x00",
        "Ann\r\n <ann@example.org>",
        "ann@example.org>",
        f"{'a' * 65}@example.org",
        "ann@-example.org",
    ],
)
def test_no_address_is_two(address: str) -> None:
    """What is not exactly one address is refused, in every field."""
    for field in ("to", "cc", "bcc", "reply_to", "sender"):
        values = {"to": "ann@example.org", field: [address] if field != "sender" else address or "x"}
        with pytest.raises(InvalidMessage):
            Message(subject="s", text="t", **values)  # type: ignore[arg-type]


def test_a_name_stays_a_name() -> None:
    """A display name with commas, quotes and angles names nobody else."""
    message = Message(to='Ann "the, <editor> <ann@example.org>', sender="a@example.org", subject="s", text="t")
    found = parsed(message)
    assert [address.addr_spec for address in found["to"].addresses] == ["ann@example.org"]
    assert message.recipients == ["ann@example.org"]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x00", "\x0b", "\x0c", "\x85", "\u2028"])
def test_no_header_becomes_two(end: str) -> None:
    """A line break of any kind is refused in a subject, a header, an address and the name of a file."""
    text = f"a{end}Bcc: b@example.org"
    fields: list[dict[str, object]] = [{"subject": text}, {"headers": {"X-A": text}}, {"to": f"{text} <a@example.org>"}]
    for field in fields:
        values: dict[str, object] = {"to": "a@example.org", "subject": "s", "text": "t", **field}
        with pytest.raises(InvalidMessage, match="line break"):
            Message(**values)  # type: ignore[arg-type]
    with pytest.raises(InvalidMessage):
        Attachment(name=text, content=b"")


@pytest.mark.parametrize("name", ["To", "bcc", "Content-Type", "Sender", "X A", "X:A", "", "Ä"])
def test_headers_of_the_message_are_its_fields(name: str) -> None:
    """A header that the message writes itself, and what is no name, cannot be given by hand."""
    with pytest.raises(InvalidMessage):
        Message(to="a@example.org", subject="s", text="t", headers={name: "x"})


def test_what_is_no_file_or_text() -> None:
    """A media type of one part, an id with a space, half of a surrogate pair and nobody to send to are refused."""
    with pytest.raises(InvalidMessage):
        Attachment(name="a", content=b"", content_type="png")
    with pytest.raises(InvalidMessage):
        Attachment(name="a", content=b"", content_type="image/png\nX: y")
    with pytest.raises(InvalidMessage):
        Attachment(name="a", content=b"", content_id="a b")
    with pytest.raises(InvalidMessage):
        Message(to="a@example.org", subject="s", text="\ud800")
    with pytest.raises(InvalidMessage):
        Message(to=[], subject="s", text="t")


def test_international_addresses() -> None:
    """A domain is written in its ASCII form; a local part outside of ASCII makes a message in UTF-8."""
    message = Message(to="ann@bücher.example", sender="a@example.org", subject="s", text="t")
    assert message.recipients == ["ann@xn--bcher-kva.example"]
    assert "xn--bcher-kva" in str(message.as_email()["to"])
    wide = Message(to="änn@example.org", sender="a@example.org", subject="s", text="t")
    assert "To: änn@example.org".encode() in wide.as_email().as_bytes()


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=200))
def test_whatever_is_said_stays_where_it_was_put(subject: str, name: str, text: str) -> None:
    """Any subject, name and text either is refused or arrives: no header, recipient or part is added."""
    try:
        message = Message(to=f"{name} <ann@example.org>", sender="s@example.org", subject=subject, text=text)
    except InvalidMessage:
        return
    found = parsed(message)
    assert sorted(key.lower() for key in found) == sorted(
        ["from", "to", "subject", "date", "message-id", "mime-version", "content-type", "content-transfer-encoding"]
    )
    assert [address.addr_spec for address in found["to"].addresses] == ["ann@example.org"]
    assert not found.is_multipart()


def test_links() -> None:
    """The links of a text are found without the full stop behind them."""
    message = Message(to="a@example.org", subject="s", text="See https://a.example/x?y=1. Or (http://b.example/)!")
    assert message.links == ["https://a.example/x?y=1", "http://b.example/"]
