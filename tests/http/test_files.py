"""Files go out whole, in parts, or not at all, and never from where they should not."""

import os
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.errors import NotFound, PreconditionFailed
from demijohn.http import (
    ETag,
    FileResponse,
    Range,
    Request,
    content_disposition,
    format_http_date,
    guess_content_type,
    send_from_directory,
)

DATA = bytes(range(256)) * 8


def ask(method: str = "GET", **headers: str) -> Request:
    """Build a request with headers; an underscore stands for a dash."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(method, "/f", b"/f", b"", raw)


async def send(response: FileResponse, request: Request) -> tuple[int, dict[str, str], bytes]:
    """Do what a transport does."""
    final = response.for_request(request)
    lines = {name.decode(): value.decode() for name, value in final.header_lines(method=request.method)}
    body = b"".join([piece async for piece in response.body_iterator])
    await response.aclose()
    return final.status, lines, body


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of 2048 bytes that was changed on a known day."""
    path = tmp_path / "data.bin"
    path.write_bytes(DATA)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


async def test_a_whole_file(file: Path) -> None:
    """Length, tag, date and the promise of ranges."""
    status, headers, body = await send(FileResponse(file), ask())
    assert (status, body) == (200, DATA)
    assert headers["content-length"] == "2048"
    assert headers["accept-ranges"] == "bytes"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert ETag.find(headers["etag"]) is not None


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("0-0", 0, 1),
        ("10-19", 10, 20),
        ("2040-", 2040, 2048),
        ("-5", 2043, 2048),
        ("0-99999", 0, 2048),
        ("-9999", 0, 2048),
    ],
)
async def test_one_range(file: Path, asked: str, start: int, stop: int) -> None:
    """206 with the bytes that were asked for."""
    status, headers, body = await send(FileResponse(file), ask(range=f"bytes={asked}"))
    assert (status, body) == (206, DATA[start:stop])
    assert headers["content-range"] == f"bytes {start}-{stop - 1}/2048"
    assert headers["content-length"] == str(stop - start)


async def test_several_ranges(file: Path) -> None:
    """multipart/byteranges, its length announced exactly, overlapping ranges joined."""
    status, headers, body = await send(FileResponse(file), ask(range="bytes=0-1,5-6,6-8,-2"))
    assert status == 206
    assert headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert headers["content-length"] == str(len(body))
    boundary = headers["content-type"].partition("boundary=")[2].encode()
    parts = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in body.split(b"--" + boundary)[1:-1]]
    assert parts == [DATA[0:2], DATA[5:9], DATA[-2:]]


@pytest.mark.parametrize("asked", ["bytes=2048-", "bytes=9999-10000", "bytes=-0"])
async def test_a_range_beyond_the_end(file: Path, asked: str) -> None:
    """416 with the size."""
    status, headers, body = await send(FileResponse(file), ask(range=asked))
    assert (status, body) == (416, b"")
    assert headers["content-range"] == "bytes */2048"
    assert headers["content-length"] == "0"


@pytest.mark.parametrize(
    "asked", ["bytes=", "bytes=a-b", "items=0-1", "bytes=5-1", "bytes", "bytes=" + ",".join(["0-0"] * 11), "bytes=--1"]
)
async def test_a_range_that_makes_no_sense_is_ignored(file: Path, asked: str) -> None:
    """The whole file, as RFC 9110 has it; so for a bomb of ranges."""
    status, _, body = await send(FileResponse(file), ask(range=asked))
    assert (status, body) == (200, DATA)


async def test_not_modified(file: Path) -> None:
    """304 by tag or by date, without a body, and the tag counts more."""
    _, headers, _ = await send(FileResponse(file), ask())
    for request in (
        ask(if_none_match=headers["etag"]),
        ask(if_none_match="W/" + headers["etag"]),
        ask(if_none_match="*"),
        ask(if_modified_since=headers["last-modified"]),
        ask("HEAD", if_none_match=headers["etag"]),
    ):
        status, lines, body = await send(FileResponse(file), request)
        assert (status, body) == (304, b"")
        assert "content-length" not in lines
        assert "content-type" not in lines
        assert lines["etag"] == headers["etag"]
    status, _, _ = await send(
        FileResponse(file), ask(if_none_match='"other"', if_modified_since=headers["last-modified"])
    )
    assert status == 200


async def test_conditions_that_fail(file: Path) -> None:
    """412 when the client insists on another version."""
    with pytest.raises(PreconditionFailed):
        FileResponse(file).for_request(ask(if_match='"other"'))
    with pytest.raises(PreconditionFailed):
        FileResponse(file).for_request(ask(if_unmodified_since=format_http_date(datetime(2020, 1, 1, tzinfo=UTC))))


async def test_if_range(file: Path) -> None:
    """A part only of the version that the client knows, else the whole."""
    _, headers, _ = await send(FileResponse(file), ask())
    for known in (headers["etag"], headers["last-modified"]):
        assert (await send(FileResponse(file), ask(range="bytes=0-0", if_range=known)))[0] == 206
    for unknown in ('"other"', "W/" + headers["etag"], "Mon, 13 Nov 2023 22:13:20 GMT", "nonsense"):
        assert (await send(FileResponse(file), ask(range="bytes=0-0", if_range=unknown)))[0] == 200


async def test_an_open_file(file: Path) -> None:
    """A file object goes out as well, and is closed."""
    source = BytesIO(DATA)
    status, headers, body = await send(FileResponse(source, download_name="a.csv"), ask(range="bytes=1-2"))
    assert (status, body) == (206, DATA[1:3])
    assert headers["content-type"] == "text/csv; charset=utf-8"
    assert source.closed


async def test_a_file_that_shrinks_does_not_end_well(file: Path) -> None:
    """The transport is told, so that the client sees a broken answer and not a short one."""
    response = FileResponse(file)
    response.for_request(ask())
    file.write_bytes(b"short")
    with pytest.raises(EOFError):
        _ = [piece async for piece in response.body_iterator]
    await response.aclose()


async def test_a_response_that_is_never_sent_leaves_no_file_open(file: Path) -> None:
    """`aclose` closes what `for_request` opened."""
    before = len(os.listdir("/proc/self/fd"))
    response = FileResponse(file)
    response.for_request(ask())
    assert len(os.listdir("/proc/self/fd")) == before + 1
    await response.aclose()
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_file(tmp_path: Path) -> None:
    """A missing file and a folder are errors at once."""
    with pytest.raises(FileNotFoundError):
        FileResponse(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        FileResponse(tmp_path)


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "a/../../secret",
        "/etc/passwd",
        "",
        ".",
        "..",
        "a//b",
        "link",
        "folder",
        "none",
        "nul\0",
        "sub/../ok",
        "x" * 5000,
    ],
)
def test_nothing_outside_of_the_folder(tmp_path: Path, path: str) -> None:
    """Dots, absolute paths, links that lead out, folders, and what is not there: 404."""
    (tmp_path / "secret").write_text("s")
    root = tmp_path / "public"
    (root / "folder").mkdir(parents=True)
    (root / "ok").write_text("ok")
    (root / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(NotFound):
        send_from_directory(root, path)
    assert send_from_directory(root, "ok").size == 2


def test_uploads_of_strangers_do_not_run() -> None:
    """What a browser could run is an attachment in a sandbox; a picture is shown."""
    page = FileResponse(BytesIO(b"<script>"), download_name="a.html", untrusted=True)
    assert page.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in page.headers["content-security-policy"]
    picture = FileResponse(BytesIO(b""), download_name="a.png", untrusted=True)
    assert picture.headers["content-disposition"].startswith("inline")
    svg = FileResponse(BytesIO(b""), download_name="a.svg", untrusted=True)
    assert svg.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a.txt", 'attachment; filename="a.txt"'),
        ('a"b.txt', "attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt"),
        ("a\r\nb: c", 'attachment; filename="a__b: c"'),
        ("../é/..\\x", "attachment; filename=\".._e_.._x\"; filename*=UTF-8''.._%C3%A9_.._x"),
        ("a／é", "attachment; filename=\"a_e\"; filename*=UTF-8''a%EF%BC%8F%C3%A9"),
        ("a\u202etxt.exe", 'attachment; filename="a_txt.exe"'),
        ("日本.pdf", "attachment; filename=\"download.pdf\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.pdf"),
        ("100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
    ],
)
def test_download_names(name: str, value: str) -> None:
    """Any name can be sent, and none breaks out."""
    assert content_disposition("attachment", name) == value


@given(st.text(max_size=40))
def test_any_download_name_is_a_clean_header(name: str) -> None:
    """Printable ASCII whatever the name."""
    value = content_disposition("attachment", name)
    assert value.isascii()
    assert value.isprintable()


@given(
    st.text(max_size=60) | st.from_regex(r"bytes=([0-9]{0,3}-[0-9]{0,3},?){0,9}", fullmatch=True), st.integers(0, 300)
)
def test_ranges_hold_whatever_is_asked(header: str, size: int) -> None:
    """Resolved ranges lie within the file, do not overlap, and nothing raises."""
    found = Range.find(header)
    if found is None:
        return
    taken: set[int] = set()
    for start, stop in found.resolve(size):
        assert 0 <= start < stop <= size
        assert taken.isdisjoint(range(start, stop))
        taken.update(range(start, stop))


def test_types_are_the_same_on_every_machine() -> None:
    """By our own table, not by the system's."""
    assert guess_content_type("a.js") == "text/javascript"
    assert guess_content_type("a.tar.gz") == "application/gzip"
    assert guess_content_type("noext") == guess_content_type("a.unknown") == "application/octet-stream"
