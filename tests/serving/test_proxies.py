"""Whose word about the client is believed (`Proxies`)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.errors import ConfigurationError
from demijohn.serving import Proxies
from demijohn.serving.proxies import ProxyReader
from tests.serving.running import get, running

ALL = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")


def read(*headers: tuple[str, str], trusted: tuple[str, ...] = ("10.0.0.0/8",), names: tuple[str, ...] = ALL):  # type: ignore[no-untyped-def]
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return ProxyReader(Proxies(trusted=trusted, headers=names)).read(raw)


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("1.2.3.4, 203.0.113.7", "203.0.113.7"),
        ("1.2.3.4, 203.0.113.7, 10.0.0.1", "203.0.113.7"),
        ("10.0.0.2, 10.0.0.1", "10.0.0.2"),
        ("203.0.113.7:5000", "203.0.113.7"),
        ("[2001:db8::1]:5000", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("nonsense, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, nonsense", None),
        ("203.0.113.7, nonsense, 10.0.0.1", "10.0.0.1"),
        ("", None),
        ("<script>", None),
    ],
)
def test_the_client_is_the_nearest_address_that_is_no_proxy(value: str, client: str | None) -> None:
    """From the right: trusted proxies are passed over; what stands left of a stranger or of nonsense is not read."""
    assert read(("x-forwarded-for", value))[0] == client


def test_several_lines_are_one_list() -> None:
    """A header that comes twice is read as one list, so that a client's own line cannot win."""
    assert read(("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.7"))[0] == "203.0.113.7"


def test_scheme_and_host_are_checked() -> None:
    """Only known schemes and well-formed hosts are taken."""
    assert read(("x-forwarded-proto", "https"), ("x-forwarded-host", "shop.example:8443"))[1:] == (
        "https",
        b"shop.example:8443",
    )
    assert read(("x-forwarded-proto", "javascript"), ("x-forwarded-host", "a/b"))[1:] == (None, None)
    assert read(("x-forwarded-host", "evil.example, shop.example"))[2] == b"shop.example"


def test_headers_that_were_not_named_are_not_read() -> None:
    """The host is not taken from a proxy unless that is asked for: many pass on what the client sent."""
    found = read(("x-forwarded-host", "evil.example"), ("forwarded", "for=1.1.1.1"), names=("x-forwarded-for",))
    assert found == (None, None, None)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("for=203.0.113.7;proto=https;host=shop.example", ("203.0.113.7", "https", b"shop.example")),
        ('For="[2001:db8:cafe::17]:4711"', ("2001:db8:cafe::17", None, None)),
        ("for=1.1.1.1, for=203.0.113.7;proto=http, for=10.0.0.1;proto=https", ("203.0.113.7", "https", None)),
        ("for=_hidden, for=unknown", (None, None, None)),
        ('for="203.0.113.7, for=1.1.1.1"', (None, None, None)),
        ('for="a\\"b"', (None, None, None)),
        ("garbage", (None, None, None)),
    ],
)
def test_forwarded(value: str, found: tuple[object, ...]) -> None:
    """RFC 7239, its quoting included."""
    assert read(("forwarded", value), names=("forwarded",)) == found


@given(st.lists(st.sampled_from(["x-forwarded-for", "forwarded", "x-forwarded-proto", "x-forwarded-host"])), st.text())
def test_any_text_is_survived(names: list[str], text: str) -> None:
    """Whatever stands in the headers, the answer is an address, a scheme and a host, or nothing."""
    raw = [(name.encode(), text.encode("latin-1", "replace")) for name in names]
    client, scheme, host = ProxyReader(Proxies(trusted=("*",), headers=(*ALL, "forwarded"))).read(raw)
    assert client is None or "/" not in client
    assert scheme in (None, "http", "https")
    assert host is None or b" " not in host


@pytest.mark.parametrize(
    "options", [{"trusted": ("10.0.0.0/99",)}, {"trusted": ("proxy",)}, {"headers": ("x-real-ip",)}]
)
def test_what_cannot_be_read_is_refused(options: dict[str, tuple[str, ...]]) -> None:
    """Names and mistyped networks are an error at the start, not silently nobody."""
    with pytest.raises(ConfigurationError) as caught:
        ProxyReader(Proxies(**{"trusted": ("10.0.0.1",), **options}))
    assert caught.value.code == "DJN-504"


def test_only_trusted_peers_are_believed() -> None:
    """The same request has another client, scheme and host, depending on who passes it on."""
    extra = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n"
    for trusted, expected in (
        (("127.0.0.1",), [b"shop.example", b"https", b"", b"203.0.113.7"]),
        (("192.0.2.1",), [b"example.org", b"http", b"", b"127.0.0.1"]),
        ((), [b"example.org", b"http", b"", b"127.0.0.1"]),
    ):
        with running(proxies=Proxies(trusted=trusted, headers=ALL)) as server, server.connect() as client:
            for _ in range(2):
                client.send(get("/about", extra=extra))
                assert client.response()[2].split(b"\n")[3:7] == expected


def test_the_root_path_is_taken_off_where_the_proxy_leaves_it_on() -> None:
    """Both kinds of proxies work: those that strip the prefix and those that do not."""
    with running(root_path="/shop") as server, server.connect() as client:
        for path in ("/shop/about", "/about"):
            client.send(get(path))
            lines = client.response()[2].split(b"\n")
            assert (lines[1], lines[5]) == (b"/about", b"/shop")
        client.send(get("/shopping"))
        assert client.response()[0] == 404
        client.send(get("/shop"))
        assert client.response()[2] == b"Hello, World!"
