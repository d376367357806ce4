"""TLS by the server itself: certificates, ALPN, HTTP/2 beside HTTP/1.1."""

import datetime as dt
import socket
import ssl
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.sync.client import connect

from demijohn.errors import ConfigurationError
from demijohn.serving import TLS, Server, ServerConfig
from demijohn.serving.server import make_context
from tests.serving.running import get, running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> TLS:
    """A certificate for localhost that signs itself."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "site.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "site.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return TLS(certificate=str(folder / "site.pem"), key=str(folder / "site.key"))


def trusting(tls: TLS) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=tls.certificate)


def test_https_is_served(certificate: TLS) -> None:
    """Requests of every kind go over TLS, and the app sees the scheme."""
    with running(tls=certificate) as server:
        assert server.server.url == f"https://127.0.0.1:{server.port}"
        with httpx2.Client(base_url=f"https://localhost:{server.port}", verify=trusting(certificate)) as client:
            assert client.get("/").text == "Hello, World!"
            assert client.get("/about").text.split("\n")[4] == "https"
            assert client.get("/numbers").text == "0\n1\n2\n"
            assert client.post("/count", content=bytes(500_000)).text == "500000"
        with connect(f"wss://localhost:{server.port}/ws", ssl=trusting(certificate)) as chat:
            chat.send("x")
            assert chat.recv() == "X"
        assert any(event.endswith(" wss") for event in server.app.events)


def test_a_refusal_over_tls_arrives(certificate: TLS) -> None:
    """An early answer is read although the body was not, and the connection ends."""
    with running(tls=certificate) as server:
        raw = socket.create_connection(("127.0.0.1", server.port), 30)
        with trusting(certificate).wrap_socket(raw, server_hostname="localhost") as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_plain_http_to_a_tls_port_is_no_crash(certificate: TLS) -> None:
    """A client that speaks HTTP without TLS is cut off, and the server serves on."""
    with running(tls=certificate) as server:
        server.ask(get())
        with httpx2.Client(base_url=f"https://localhost:{server.port}", verify=trusting(certificate)) as client:
            assert client.get("/").status_code == 200


def test_old_versions_are_refused(certificate: TLS) -> None:
    """TLS 1.2 is the oldest version that is spoken."""
    assert make_context(certificate).minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("broken", ["missing", "garbage", "other key"])
def test_what_is_no_certificate_is_told(certificate: TLS, broken: str, tmp_path: Path) -> None:
    """A missing file, one that is no PEM, and a key of another certificate are errors at the start."""
    tls = certificate
    if broken == "missing":
        tls = TLS(certificate=str(tmp_path / "none.pem"))
    elif broken == "garbage":
        (tmp_path / "site.pem").write_text("garbage")
        tls = TLS(certificate=str(tmp_path / "site.pem"))
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        (tmp_path / "other.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        tls = TLS(certificate=certificate.certificate, key=str(tmp_path / "other.key"))
    with pytest.raises(ConfigurationError) as caught:
        make_context(tls)
    assert caught.value.code == "DJN-507"


def test_the_password_is_never_shown() -> None:
    """The password of the key is in no representation."""
    config = ServerConfig(tls=TLS(certificate="a.pem", password="hunter2"))
    assert "hunter2" not in repr(config)
    assert "hunter2" not in str(config.tls)


async def test_http2_without_its_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP/2 is an error with the line to type where the package is not there."""
    import sys

    monkeypatch.setitem(sys.modules, "uvicorn.protocols.http.zttp_h2_impl", None)
    with pytest.raises(ConfigurationError, match="zttp"):
        await Server(_Asgi(), ServerConfig(bind="127.0.0.1:0", http2=True)).start()


class _Asgi:
    def handle(self, request: object, send: object) -> None:
        raise AssertionError

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        raise AssertionError


def test_http2_beside_http1(certificate: TLS) -> None:
    """With HTTP/2 on, ALPN decides; in the clear the preface does; HTTP/1.1 is served as ever."""
    pytest.importorskip("zttp")
    h2 = pytest.importorskip("h2.connection")
    for tls in (certificate, None):
        with running(_Answering(), tls=tls, http2=True) as server:
            raw = socket.create_connection(("127.0.0.1", server.port), 30)
            if tls is not None:
                context = trusting(tls)
                context.set_alpn_protocols(["h2"])
                client: socket.socket = context.wrap_socket(raw, server_hostname="localhost")
                assert client.selected_alpn_protocol() == "h2"  # type: ignore[attr-defined]
            else:
                client = raw
            with client:
                assert _ask_http2(client, h2) == (b"200", b"over HTTP/2")
            verify = trusting(tls) if tls else True
            base = f"{'https' if tls else 'http'}://localhost:{server.port}"
            with httpx2.Client(base_url=base, verify=verify) as http1:
                assert http1.get("/").text == "Hello, World!"


class _Answering:
    default_headers: list[tuple[bytes, bytes]] = []

    def handle(self, request: object, send: object) -> object:
        from tests.serving.running import small_app

        return small_app().handle(request, send)  # type: ignore[arg-type]

    async def __call__(self, scope: dict[str, object], receive: object, send: object) -> None:
        assert scope["http_version"] == "2"
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"over HTTP/2"})  # type: ignore[operator]


def _ask_http2(client: socket.socket, h2: object) -> tuple[bytes, bytes]:
    connection = h2.H2Connection()  # type: ignore[attr-defined]
    connection.initiate_connection()
    headers = [(":method", "GET"), (":path", "/"), (":authority", "localhost"), (":scheme", "https")]
    connection.send_headers(1, headers, end_stream=True)
    client.sendall(connection.data_to_send())
    status, body = b"", b""
    while True:
        data = client.recv(65536)
        assert data, "closed"
        for event in connection.receive_data(data):
            name = type(event).__name__
            if name == "ResponseReceived":
                found = dict(event.headers)
                status = found.get(b":status") or found[":status"].encode()
            elif name == "DataReceived":
                body += event.data
            elif name == "StreamEnded":
                return status, body
        client.sendall(connection.data_to_send())
