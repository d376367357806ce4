"""The chunked coding, held against llhttp."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.serving.chunks import ChunkDecoder
from demijohn.serving.refusal import Refusal

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Oracle:
    """What llhttp makes of a chunked message."""

    def __init__(self) -> None:
        self.body = b""
        self.is_done = False

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.is_done = True


def encode(pieces: list[bytes], trailer: bytes = b"") -> bytes:
    return b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]) + b"0\r\n" + trailer + b"\r\n"


@given(st.lists(st.binary(min_size=1, max_size=50)), st.binary(max_size=20), st.data())
def test_pieces_in_any_cut_come_out_whole(pieces: list[bytes], rest: bytes, data: st.DataObject) -> None:
    """However the network cuts the bytes, body and rest are the same."""
    wire = encode(pieces, b"X-A: 1\r\n") + rest
    decoder = ChunkDecoder()
    body, behind, at = b"", b"", 0
    while at < len(wire):
        size = data.draw(st.integers(1, len(wire) - at))
        if decoder.is_done:
            behind += wire[at : at + size]
        else:
            part, behind = decoder.feed(wire[at : at + size])
            body += part
        at += size
    assert decoder.is_done
    assert (body, behind) == (b"".join(pieces), rest)


def decode(wire: bytes) -> tuple[bytes, bool] | None:
    decoder = ChunkDecoder()
    try:
        body, _ = decoder.feed(wire)
    except Refusal:
        return None
    return body, decoder.is_done


ALPHABET = st.sampled_from(
    [
        b"0",
        b"1",
        b"3",
        b"a",
        b"F",
        b"\r\n",
        b"\r",
        b"\n",
        b" ",
        b";",
        b"x",
        b"=",
        b'"',
        b":",
        b"-",
        b"+",
        b"\t",
        b"\x00",
        b"\xff",
    ]
)


@given(st.lists(ALPHABET, max_size=12).map(b"".join), st.sampled_from([b"", b"3\r\nabc\r\n"]))
def test_nothing_is_accepted_that_llhttp_refuses(noise: bytes, before: bytes) -> None:
    """Where a whole body is read here, llhttp reads the same one: no two readings, nothing to smuggle through."""
    wire = before + noise + b"0\r\n\r\n"
    ours = decode(wire)
    if ours is None or not ours[1]:
        return
    oracle = Oracle()
    parser = httptools.HttpRequestParser(oracle)
    try:
        parser.feed_data(HEAD + wire)
    except httptools.HttpParserError:
        assert oracle.is_done, wire  # an error behind the end is about the next request
    assert oracle.is_done, wire
    assert oracle.body == ours[0], wire


@pytest.mark.parametrize("extension", [b'"', b'a="', b'a="x', b"=", b"a=", b"a b", b'a="\\"', b'a"b"', b"a;", b"a=b=c"])
def test_extensions_are_whole(extension: bytes) -> None:
    """A quote that is not closed, or what is no name and value, is refused: another reader may see another end."""
    assert decode(b"1;" + extension + b"\r\na\r\n0\r\n\r\n") is None


@pytest.mark.parametrize("extension", [b"a", b"a=b", b'a="x y"', b'a="\\""', b"a;b;c=1", b'a=""'])
def test_extensions_are_ignored(extension: bytes) -> None:
    """Names with and without values, quoted or not, change nothing."""
    assert decode(b"1;" + extension + b"\r\na\r\n0\r\n\r\n") == (b"a", True)


def test_chunks_of_one_byte_are_bounded() -> None:
    """A body whose chunks carry next to nothing is refused before it costs much."""
    with pytest.raises(Refusal, match="next to nothing"):
        ChunkDecoder().feed((b"1;" + b"x" * 100 + b"\r\na\r\n") * 1000)
    assert decode(encode([b"0123456789"] * 100_000)) == (b"0123456789" * 100_000, True)
