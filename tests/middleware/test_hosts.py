"""Allowed hosts: what is no host of ours is answered with 400."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.errors import BadRequest, ConfigurationError
from demijohn.middleware import HostGuard, guards_for, hosts
from demijohn.middleware.hosts import Host, HostPatterns, is_loopback, parse_host
from tests.middleware.conftest import build


@pytest.mark.parametrize(
    ("raw", "host"),
    [
        ("example.org", Host("example.org", None)),
        ("EXAMPLE.org:80", Host("example.org", 80)),
        ("example.org.", Host("example.org", None)),
        ("example.org.:8000", Host("example.org", 8000)),
        ("example.org:", Host("example.org", None)),
        ("my_service", Host("my_service", None)),
        ("xn--bcher-kva.example", Host("xn--bcher-kva.example", None)),
        ("127.0.0.1:0", Host("127.0.0.1", 0)),
        ("[::1]", Host("[::1]", None)),
        ("[2001:DB8:0:0::1]:65535", Host("[2001:db8::1]", 65535)),
    ],
)
def test_hosts_are_read(raw: str, host: Host) -> None:
    """Names, addresses and ports are read, and written one way."""
    assert parse_host(raw) == host
    assert parse_host(raw.encode()) == host


@pytest.mark.parametrize(
    "raw",
    [
        "",
        ".",
        "..",
        ".example.org",
        "example..org",
        "a" * 64 + ".org",
        "a." * 130 + "org",
        "exa mple.org",
        "example.org\n",
        "example.org\t",
        "example.org/path",
        "example.org#x",
        "example.org?x",
        "user@example.org",
        "user:pass@example.org",
        "example.org:80:80",
        "example.org:x",
        "example.org:-1",
        "example.org:+80",
        "example.org:65536",
        "example.org:000080",
        "example.org, evil.example",
        "ex%61mple.org",
        "bücher.example",
        "example.org\x00",
        "[::1",
        "::1",
        "[::1]x",
        "[::1]80",
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[127.0.0.1]",
        "[]",
        "256.0.0.1",
        "1.2.3",
        "0x7f.1",
        "a.b.123",
        "012.0.0.1",
        "\\example.org",
        "*",
    ],
)
def test_nonsense_is_no_host(raw: str) -> None:
    """What no browser sends, and what parsers read in two ways, is no host."""
    assert parse_host(raw) is None
    assert parse_host(raw.encode("utf-8")) is None


@given(st.text() | st.binary())
def test_reading_a_host_never_raises(raw: str | bytes) -> None:
    """Any text is read or refused; what is read holds nothing that ends a header, a URL's host or a line."""
    host = parse_host(raw)
    if host is not None:
        assert not set(host.name) & set(" \t\r\n/\\@#?%,;'\"<>")
        assert parse_host(host.name) == Host(host.name, None)


@given(st.ip_addresses())
def test_every_address_is_a_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Every address of either kind is read, and loopback is what the standard library says it is."""
    text = f"[{address}]" if address.version == 6 else str(address)
    host = parse_host(text)
    assert host is not None
    mapped = address.version == 6 and address.ipv4_mapped is not None
    assert is_loopback(host.name) is (address.is_loopback and not mapped)


def test_exact_hosts() -> None:
    """An exact name matches itself in any case and with any port, and nothing else."""
    guard = HostGuard(["example.org"])
    for good in ("example.org", "EXAMPLE.ORG", "example.org:8443", "example.org."):
        guard(build(host=good))
    for bad in ("www.example.org", "example.org.evil.example", "evil.example", "exampleXorg", "example.com"):
        with pytest.raises(BadRequest) as caught:
            guard(build(host=bad))
        assert caught.value.extensions == {"code": "host_not_allowed"}


def test_a_domain_and_all_below() -> None:
    """`.example.org` is the domain and every name below it; `*.example.org` only the names below."""
    both, below = HostPatterns([".example.org"]), HostPatterns(["*.example.org"])
    for name, in_both, in_below in (
        ("example.org", True, False),
        ("a.example.org", True, True),
        ("a.b.example.org", True, True),
        ("aexample.org", False, False),
        ("example.org.evil.example", False, False),
    ):
        host = Host(name, None)
        assert both.matches(host) is in_both
        assert below.matches(host) is in_below


def test_ports_and_addresses_in_patterns() -> None:
    """A pattern with a port holds for that port; IPv6 addresses may be written with brackets or without."""
    patterns = HostPatterns(["example.org:8000", "::1", "[2001:db8::1]:80", "*.a.example:1"])
    assert patterns.matches(Host("example.org", 8000))
    assert not patterns.matches(Host("example.org", None))
    assert patterns.matches(Host("[::1]", 99))
    assert patterns.matches(Host("[2001:db8::1]", 80))
    assert not patterns.matches(Host("[2001:db8::1]", 81))
    assert patterns.matches(Host("x.a.example", 1))
    assert not patterns.matches(Host("x.a.example", 2))


def test_international_names() -> None:
    """A name beyond ASCII is configured as people write it and matched as browsers send it."""
    HostGuard(["bücher.example"])(build(host="xn--bcher-kva.example"))


def test_every_host_must_still_be_one() -> None:
    """`*` allows every host, and no nonsense."""
    guard = HostGuard(["*"])
    guard(build(host="anything.example"))
    for bad in ("a b", "evil.example/path", "x\r\ny", ""):
        with pytest.raises(BadRequest):
            guard(build(host=bad))


def test_missing_and_double_hosts() -> None:
    """A request without `Host` and one with two are refused, also when both are allowed."""
    guard = HostGuard(["example.org"])
    with pytest.raises(BadRequest, match="missing"):
        guard(build(host=None))
    with pytest.raises(BadRequest, match="twice"):
        guard(build(headers=[("host", "example.org")], host="example.org"))
    old = build(host=None)
    old.http_version = "1.0"
    with pytest.raises(BadRequest, match="missing"):
        guard(old)
    HostGuard(["*"])(old)


def test_development_allows_this_machine() -> None:
    """In development the names of this machine are allowed beside those that are named; others say what to write."""
    guard = HostGuard(["example.org"], development=True)
    for good in ("localhost:8000", "app.localhost", "127.0.0.1:5000", "[::1]:8000", "example.org"):
        guard(build(host=good))
    with pytest.raises(BadRequest, match=r"ALLOWED_HOSTS=dev\.lan:8000"):
        guard(build(host="dev.lan:8000"))
    with pytest.raises(BadRequest) as caught:
        guard(build(host='x"]); import os'))
    assert "import" not in str(caught.value)
    HostGuard(development=True)(build(host="localhost"))


def test_without_a_named_host_this_machine_alone_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    """An app that names no host answers for this machine; others are refused, and the log says what to write."""
    guard = HostGuard()
    guard(build(host="localhost:8000"))
    for _ in range(3):
        with pytest.raises(BadRequest) as caught:
            guard(build(host="example.org"))
        assert "ALLOWED_HOSTS" not in str(caught.value)
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [record.getMessage().count("ALLOWED_HOSTS=example.org") for record in warnings] == [1]
    for number in range(100):
        with pytest.raises(BadRequest):
            guard(build(host=f"flood{number}.example"))
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 3


def test_named_hosts_leave_this_machine_out() -> None:
    """In production the names of this machine are no longer answered once the site has a name."""
    with pytest.raises(BadRequest):
        HostGuard(["example.org"])(build(host="localhost"))


@pytest.mark.parametrize("pattern", ["https://example.org", "example.org/", "", " ", "a b", "*.", "exa*mple.org"])
def test_patterns_must_be_hosts(pattern: str) -> None:
    """What can never match is refused at start-up."""
    with pytest.raises(ConfigurationError, match="DJN-741"):
        HostPatterns([pattern])


def test_what_passed_is_remembered_within_bounds() -> None:
    """A client that makes up names below an allowed domain does not fill the memory."""
    guard = HostGuard([".example.org"])
    for number in range(5000):
        guard(build(host=f"h{number}.example.org"))
    assert len(guard._passed) <= 1024
    with pytest.raises(BadRequest):
        guard(build(host="evil.example"))


def test_the_guard_is_on_every_route() -> None:
    """Every route has the guard, unless it says otherwise."""
    guard = HostGuard(["example.org"])
    assert guards_for(["GET"], [guard]) == (guard,)


def test_what_was_read_is_remembered_within_bounds() -> None:
    """However many hosts clients make up, few are kept, and none that is too long to be one."""
    for number in range(3000):
        assert parse_host(f"h{number}.example.org") == (f"h{number}.example.org", None)
        assert not is_loopback(f"h{number}.example.org")
    before = hosts._read.cache_info()
    assert before.currsize <= 1024
    assert is_loopback.cache_info().currsize <= 1024
    assert parse_host("a." * 200) is None
    assert hosts._read.cache_info() == before
