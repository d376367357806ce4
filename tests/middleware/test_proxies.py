"""Trusted proxies: what they say is believed, what clients say is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.errors import BadRequest, ConfigurationError
from demijohn.http import Request
from demijohn.middleware import HostGuard, TrustedProxies
from demijohn.middleware.proxies import parse_forwarded
from tests.middleware.conftest import HeadersGiven, build

PROXY = ("10.0.0.1", 999)
X = TrustedProxies(["10.0.0.0/8", "2001:db8:ffff::/48"], host=True)
F = TrustedProxies(["10.0.0.0/8"], headers="forwarded", host=True)


def seen(
    headers: HeadersGiven, *, by: TrustedProxies = X, client: tuple[str, int] | None = PROXY, **more: str
) -> Request:
    request = build(headers=headers, client=client, scheme=more.get("scheme", "http"))
    by(request)
    return request


def test_a_client_is_not_believed() -> None:
    """Forwarded headers of a peer that is no proxy change nothing, in either family."""
    headers = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=203.0.113.9;proto=https;host=evil.example",
    }
    for by in (X, F):
        request = seen(headers, by=by, client=("198.51.100.1", 1))
        assert request.client == ("198.51.100.1", 1)
        assert (request.scheme, request.host) == ("http", "example.org")


def test_one_proxy() -> None:
    """Scheme, host and client are those that the proxy saw, in all that is computed from them."""
    request = build(
        headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "Site.example"},
        client=PROXY,
        scheme="http",
        path="/a?b=1",
    )
    assert str(request.url) == "http://example.org/a?b=1"
    X(request)
    assert request.client == ("203.0.113.9", 0)
    assert request.is_secure
    assert str(request.url) == "https://site.example/a?b=1"
    assert request.headers["host"] == "Site.example"


def test_what_the_client_wrote_itself_is_left_out() -> None:
    """Of a chain the right-most address that is no proxy is the client, whatever stands left of it."""
    spoofed = {"X-Forwarded-For": "127.0.0.1, 10.0.0.9, 203.0.113.9, 10.0.0.2"}
    assert seen(spoofed).client == ("203.0.113.9", 0)
    lines = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "10.0.0.2")]
    assert seen(lines).client == ("203.0.113.9", 0)


def test_scheme_and_host_of_the_same_hop() -> None:
    """Where proxies append, scheme and host are taken from the hop of the client; where they overwrite, the last."""
    appended = {
        "X-Forwarded-For": "6.6.6.6, 203.0.113.9, 10.0.0.2",
        "X-Forwarded-Proto": "gopher, https, http",
        "X-Forwarded-Host": "spoof.example, site.example, inner.example",
    }
    request = seen(appended)
    assert (request.scheme, request.host) == ("https", "site.example")
    overwritten = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9, 10.0.0.2", "X-Forwarded-Proto": "https"}
    assert seen(overwritten).scheme == "https"


@pytest.mark.parametrize("garbage", ["unknown", "_hidden", "", "1.2.3", "evil.example", "<script>", "1.2.3.4.5", "é"])
def test_garbage_ends_the_chain(garbage: str) -> None:
    """An entry that is no address ends the chain: the client is the nearest address that could be read."""
    assert seen({"X-Forwarded-For": f"203.0.113.9, {garbage}"}).client == PROXY
    assert seen({"X-Forwarded-For": f"203.0.113.9, {garbage}, 10.0.0.5"}).client == ("10.0.0.5", 0)


@pytest.mark.parametrize(
    ("written", "client"),
    [
        ("203.0.113.9:5000", ("203.0.113.9", 5000)),
        ("[2001:db8::1]:443", ("2001:db8::1", 443)),
        ("[2001:db8::1]", ("2001:db8::1", 0)),
        ("2001:db8::1", ("2001:db8::1", 0)),
        ("::ffff:203.0.113.9", ("203.0.113.9", 0)),
    ],
)
def test_addresses_with_ports_and_brackets(written: str, client: tuple[str, int]) -> None:
    """The forms in which proxies write addresses are all read."""
    assert seen({"X-Forwarded-For": written}).client == client


def test_mapped_peers() -> None:
    """A proxy that is seen as an IPv4 address inside IPv6 is still that proxy."""
    assert X.trusts("::ffff:10.1.2.3")
    assert X.trusts("2001:db8:ffff::7")
    assert not X.trusts("::ffff:11.1.2.3")
    assert not X.trusts("not an address")


def test_only_the_chosen_family_is_read() -> None:
    """The other family passes through the proxy unchanged, so it is the client's word."""
    both = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=198.51.100.7;proto=https"}
    assert seen(both, by=X).client == ("203.0.113.9", 0)
    assert seen(both, by=X).scheme == "http"
    assert seen(both, by=F).client == ("198.51.100.7", 0)
    assert seen({"X-Forwarded-For": "203.0.113.9"}, by=F).client == PROXY


def test_forwarded() -> None:
    """RFC 7239: the element of the client gives scheme and host."""
    header = (
        'for=6.6.6.6;proto=http, for="[2001:db8::1]:4711";proto=https;host="site.example:8443", for=10.0.0.3;proto=http'
    )
    request = seen({"Forwarded": header}, by=F)
    assert request.client == ("2001:db8::1", 4711)
    assert str(request.url) == "https://site.example:8443/"
    assert seen({"Forwarded": "for=_secret;proto=https"}, by=F).client == PROXY


@pytest.mark.parametrize(
    ("header", "hops"),
    [
        ("", []),
        ("for=1.2.3.4", [{"for": "1.2.3.4"}]),
        ('For="[::1]"; Proto=https ; by=_x', [{"for": "[::1]", "proto": "https", "by": "_x"}]),
        ("for=1.1.1.1,for=2.2.2.2", [{"for": "1.1.1.1"}, {"for": "2.2.2.2"}]),
        ('for="a,b;c"', [{"for": "a,b;c"}]),
        (r'for="a\"b"', [{"for": 'a"b'}]),
        ("for", [{}]),
        ("for=", [{}]),
        ('for="', [{}]),
        ('for="x', [{}]),
        ("for=1.1.1.1;for=2.2.2.2", [{}]),
        ("=x", [{}]),
        ("for=a b", [{}]),
    ],
)
def test_forwarded_is_read_by_the_letter(header: str, hops: list[dict[str, str]]) -> None:
    """Quotes, spaces and case are read as RFC 7239 has them; a broken element is an empty one."""
    assert parse_forwarded(header) == hops


@given(st.text(max_size=300))
def test_reading_forwarded_never_raises(header: str) -> None:
    """Any text is read, in at most 64 elements."""
    assert len(parse_forwarded(header)) <= 64


@given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n\x00"), max_size=200))
def test_a_chain_behind_a_proxy_never_raises(chain: str) -> None:
    """Whatever the client wrote left of the proxy's entry, the client is what the proxy wrote."""
    assert seen({"X-Forwarded-For": f"{chain}, 203.0.113.9"}).client == ("203.0.113.9", 0)
    assert seen({"X-Forwarded-For": chain}).client is not None


def test_a_long_chain_is_read_from_the_near_end() -> None:
    """Of thousands of entries only the nearest 64 are looked at."""
    chain = ", ".join(["203.0.113.9"] + ["10.0.0.2"] * 3000)
    assert seen({"X-Forwarded-For": chain}).client == ("10.0.0.2", 0)


@pytest.mark.parametrize("host", ["a b", "evil.example/x", "", "a,b\x00", "user@host"])
def test_a_forwarded_host_must_be_one(host: str) -> None:
    """A host that a proxy passes on without checking is refused by the guard of hosts, whatever it allows."""
    if host:
        with pytest.raises(BadRequest):
            HostGuard(["*"])(seen({"X-Forwarded-Host": host}))
    else:
        assert seen({"X-Forwarded-Host": host}).host == "example.org"


def test_the_forwarded_port() -> None:
    """A port is added to a host that has none, unless it is the usual one."""
    common = {"X-Forwarded-Host": "site.example", "X-Forwarded-Proto": "https"}
    assert seen(common | {"X-Forwarded-Port": "443"}).host == "site.example"
    assert seen(common | {"X-Forwarded-Port": "8443"}).host == "site.example:8443"
    assert seen({"X-Forwarded-Port": "8443"}).host == "example.org:8443"
    assert seen(common | {"X-Forwarded-Port": "-1"}).host == "site.example"
    assert seen({"X-Forwarded-Host": "site.example:1", "X-Forwarded-Port": "2"}).host == "site.example:1"


def test_it_runs_once() -> None:
    """A request that passes through two apps is read once: the client's address is not read as a proxy's."""
    wide = TrustedProxies(["0.0.0.0/0"])
    request = build(headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}, client=PROXY)
    X(request)
    assert request.client == ("203.0.113.9", 0)
    wide(request)
    assert request.client == ("203.0.113.9", 0)


def test_sockets_keep_their_scheme() -> None:
    """A WebSocket behind TLS is `wss`; an unknown scheme changes nothing."""
    assert seen({"X-Forwarded-Proto": "https"}, scheme="ws").scheme == "wss"
    assert seen({"X-Forwarded-Proto": "javascript"}).scheme == "http"


def test_host_and_prefix_are_choices() -> None:
    """Host and prefix are believed only where asked for, the prefix only as a path."""
    headers = {"X-Forwarded-Host": "site.example", "X-Forwarded-Prefix": "/app/"}
    assert seen(headers, by=TrustedProxies(["10.0.0.0/8"])).host == "example.org"
    assert seen({"X-Forwarded-Port": "8443"}, by=TrustedProxies(["10.0.0.0/8"])).host == "example.org"
    forwarded = TrustedProxies(["10.0.0.0/8"], headers="forwarded")
    assert seen({"Forwarded": "for=203.0.113.9;host=site.example"}, by=forwarded).host == "example.org"
    assert seen(headers).root_path == ""
    prefixed = TrustedProxies(["10.0.0.0/8"], prefix=True)
    assert seen(headers, by=prefixed).root_path == "/app"
    assert seen({"X-Forwarded-Prefix": "//evil.example"}, by=prefixed).root_path == ""


def test_names_of_networks() -> None:
    """`loopback`, `private` and `unix` name what they say."""
    proxies = TrustedProxies(["loopback", "private", "unix"])
    for address in ("127.0.0.1", "::1", "192.168.1.1", "172.16.9.9", "10.1.1.1", "fd00::1", None):
        assert proxies.trusts(address)
    for address in ("172.32.0.1", "8.8.8.8", "2001:db8::1"):
        assert not proxies.trusts(address)
    assert not TrustedProxies().trusts(None)


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "proxy.example", "", "*", "10.0.0.0/33"])
def test_entries_must_be_networks(entry: str) -> None:
    """A name, a star or a network with host bits is refused at start-up."""
    with pytest.raises(ConfigurationError, match="DJN-745"):
        TrustedProxies([entry])


def test_the_family_must_be_one() -> None:
    """A family of headers that there is not is refused at start-up."""
    with pytest.raises(ConfigurationError, match="DJN-745"):
        TrustedProxies(headers="x-real-ip")  # type: ignore[arg-type]
