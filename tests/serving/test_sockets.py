"""Where a server listens: addresses, Unix sockets, descriptors, systemd."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from demijohn.serving import CannotListen, ServerConfig
from demijohn.serving.sockets import describe, open_sockets, remove_unix_sockets
from tests.serving.running import Client, Running, get, small_app


def close(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "localhost:0", ":0", "[::1]:0"])
def test_addresses(bind: str) -> None:
    """Host and port in each form; port 0 takes a free one."""
    sockets = open_sockets(ServerConfig(bind=bind))
    try:
        assert sockets[0].getsockname()[1] > 0
        assert describe(sockets[0]).startswith("http://[::1]:" if "[" in bind else "http://127.0.0.1:")
    finally:
        close(sockets)


def test_an_address_in_use_says_so() -> None:
    """Two listeners on one port: the second is told which, and what to do."""
    first = open_sockets(ServerConfig(bind="127.0.0.1:0"))
    port = first[0].getsockname()[1]
    try:
        with pytest.raises(CannotListen, match=rf"127\.0\.0\.1:{port} is in use") as caught:
            open_sockets(ServerConfig(bind=("127.0.0.1:0", f"127.0.0.1:{port}")))
        assert f"127.0.0.1:{port + 1}" in caught.value.fix
        assert caught.value.code == "DJN-501"
    finally:
        close(first)


@pytest.mark.parametrize(
    "bind", ["127.0.0.1:99999", "a b:80:90", "no-such-host.invalid:80", "fd:999", "fd:x", "192.0.2.1:0"]
)
def test_what_cannot_be_listened_on(bind: str) -> None:
    """Each is told in three beats."""
    with pytest.raises(CannotListen) as caught:
        open_sockets(ServerConfig(bind=bind))
    assert caught.value.seen
    assert caught.value.why
    assert caught.value.fix


def test_a_unix_socket_is_served_and_removed(tmp_path: Path) -> None:
    """The file has the permissions asked for, is taken over from a dead server, and is gone after the stop."""
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    config = ServerConfig(bind=f"unix:{path}", unix_mode=0o600)
    server = Running(small_app(), config).start()
    try:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with pytest.raises(CannotListen, match="in use"):
            open_sockets(config)
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(30)
        sock.connect(str(path))
        with Client(sock) as client:
            client.send(get("/about"))
            assert client.response()[2].split(b"\n")[6] == b"None"
        assert server.server.urls == [f"unix:{path}"]
    finally:
        server.stop()
    assert not path.exists()


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    """A path that holds no socket is never deleted."""
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(CannotListen, match="no socket"):
        open_sockets(ServerConfig(bind=f"unix:{path}"))
    assert path.read_text() == "data"
    remove_unix_sockets(ServerConfig(bind=f"fd:{path}"))
    assert path.exists()


def test_a_descriptor_is_adopted() -> None:
    """A socket that a parent opened is listened on, and the parent's own stays open."""
    with socket.create_server(("127.0.0.1", 0)) as parent:
        adopted = open_sockets(ServerConfig(bind=f"fd:{parent.fileno()}"))
        assert adopted[0].getsockname() == parent.getsockname()
        close(adopted)
        assert parent.fileno() > 0


def test_systemd_without_sockets_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets for another process, or none at all, are an error with its own code."""
    for environment in (
        {},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "x", "LISTEN_PID": str(os.getpid())},
    ):
        for name in ("LISTEN_FDS", "LISTEN_PID"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(CannotListen) as caught:
            open_sockets(ServerConfig(bind="systemd"))
        assert caught.value.code == "DJN-502"


def test_systemd_hands_its_sockets_over() -> None:
    """Descriptors from three on are taken, as sd_listen_fds(3) says, and the variables are cleared."""
    program = """
import os, socket, sys
from demijohn.serving import ServerConfig
from demijohn.serving.sockets import open_sockets
os.environ["LISTEN_PID"] = str(os.getpid())
a = socket.create_server(("127.0.0.1", 0)); b = socket.create_server(("127.0.0.1", 0))
wanted = [a.getsockname(), b.getsockname()]
fds = os.dup(a.fileno()), os.dup(b.fileno())
a.close(); b.close()
for place, fd in zip((3, 4), fds): os.dup2(fd, place)
os.environ["LISTEN_FDS"] = "2"
found = [sock.getsockname() for sock in open_sockets(ServerConfig(bind="systemd"))]
assert found == wanted, (found, wanted)
assert "LISTEN_FDS" not in os.environ
print("fine")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "fine\n", done.stderr
