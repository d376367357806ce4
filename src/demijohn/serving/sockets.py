"""Listening sockets: addresses, Unix sockets, and those that systemd or a parent process hands over."""

import errno
import os
import re
import socket
import stat
from typing import Final

from demijohn.errors import DemijohnError
from demijohn.serving.config import ServerConfig

__all__ = ["CannotListen", "describe", "open_sockets", "remove_unix_sockets"]

_FIRST_SYSTEMD: Final = 3
_UNSENT: Final = 128 * 1024
_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:]*))(?::(?P<port>\d+))?")


class CannotListen(DemijohnError, OSError):
    """An address cannot be listened on."""

    code = "DJN-501"

    def __str__(self) -> str:
        return DemijohnError.__str__(self)


def open_sockets(config: ServerConfig) -> list[socket.socket]:
    """Open a listening socket for each address of a configuration.

    Raises:
        CannotListen: An address is taken, not allowed, malformed, or not there.
    """
    opened: list[socket.socket] = []
    try:
        for bind in config.binds:
            opened += _open(bind, config)
    except BaseException:
        for sock in opened:
            sock.close()
        raise
    return opened


def _open(bind: str, config: ServerConfig) -> list[socket.socket]:
    if bind.startswith("unix:"):
        return [_open_unix(bind.removeprefix("unix:"), config)]
    if bind.startswith("fd:"):
        return [_adopt(bind.removeprefix("fd:"), bind)]
    if bind == "systemd":
        return _from_systemd()
    return _open_address(bind, config)


def _open_address(bind: str, config: ServerConfig) -> list[socket.socket]:
    match = _ADDRESS.fullmatch(bind)
    port = int(match["port"]) if match and match["port"] else 8000
    if match is None or port > 65535:
        raise CannotListen(
            f"The address {bind!r} was given.",
            why="An address is `host:port`, `[::1]:port`, `unix:/path`, `fd:3` or `systemd`.",
            fix='Write:  ServerConfig(bind="127.0.0.1:8000")',
        )
    host = match["v6"] or match["host"] or "127.0.0.1"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise CannotListen(
            f"The host {host!r} cannot be found ({error.strerror}).",
            why="A server listens on an address of this machine.",
            fix='Write:  ServerConfig(bind="127.0.0.1:8000")     or "0.0.0.0:8000" for all addresses',
        ) from error
    family, kind, number, _, address = found[0]
    sock = socket.socket(family, kind, number)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if config.reuse_port and hasattr(socket, "SO_REUSEPORT"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6 and host != "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _tune(sock)
        sock.bind(address)
        sock.listen(config.capacity.backlog)
    except OSError as error:
        sock.close()
        raise _explain(error, bind, port) from error
    sock.setblocking(False)
    return [sock]


def _tune(sock: socket.socket) -> None:
    """Let the kernel take no more for a slow client than a little beyond what is on its way; connections inherit it."""
    if sock.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        except OSError:
            pass


def _explain(error: OSError, bind: str, port: int) -> CannotListen:
    if error.errno == errno.EADDRINUSE:
        return CannotListen(
            f"The address {bind} is in use.",
            why="Another process listens there; often it is this server, started before.",
            fix=f'End it, or take another port:  --port {port + 1}   or  ServerConfig(bind="127.0.0.1:{port + 1}")',
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return CannotListen(
            f"Listening on {bind} is not allowed.",
            why="Ports below 1024 are for root; a Unix socket needs a folder that may be written.",
            fix='Take a port above:  ServerConfig(bind="0.0.0.0:8000")     and let a proxy or systemd own port 80',
        )
    return CannotListen(
        f"Listening on {bind} failed: {error.strerror or error}.",
        why="The system refused the address.",
        fix='Try:  ServerConfig(bind="127.0.0.1:8000")',
    )


def _open_unix(path: str, config: ServerConfig) -> socket.socket:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        pass
    else:
        if not stat.S_ISSOCK(mode):
            raise CannotListen(
                f"The path {path!r} is taken by a file that is no socket.",
                why="It would have to be deleted first, and that is not the server's to decide.",
                fix='Take another path:  ServerConfig(bind="unix:/run/app/app.sock")',
            )
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(path)
            except OSError:
                os.unlink(path)  # left behind by a process that is gone
            else:
                raise _explain(OSError(errno.EADDRINUSE, ""), f"unix:{path}", 8000)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The file must not be open to all even for a moment.
    before = os.umask(0o777 & ~config.unix_mode)
    try:
        sock.bind(path)
        sock.listen(config.capacity.backlog)
    except OSError as error:
        sock.close()
        raise _explain(error, f"unix:{path}", 8000) from error
    finally:
        os.umask(before)
    sock.setblocking(False)
    return sock


def _adopt(text: str, bind: str) -> socket.socket:
    try:
        sock = socket.socket(fileno=os.dup(int(text)))
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            sock.listen(128)
        _tune(sock)
    except (OSError, ValueError) as error:
        raise CannotListen(
            f"The file descriptor of {bind!r} is no listening socket ({error}).",
            why="A parent process has to open the socket and leave it open for this one.",
            fix='Or let the server open one:  ServerConfig(bind="127.0.0.1:8000")',
        ) from error
    sock.setblocking(False)
    return sock


def _from_systemd() -> list[socket.socket]:
    count = os.environ.get("LISTEN_FDS", "")
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdigit() or not int(count):
        raise CannotListen(
            "Sockets of systemd were asked for, and there are none (LISTEN_FDS, LISTEN_PID).",
            why="They come from a .socket unit of the same name as the service.",
            fix='Enable it:  systemctl enable --now app.socket     or write ServerConfig(bind="127.0.0.1:8000")',
            code="DJN-502",
        )
    sockets = [_adopt(str(_FIRST_SYSTEMD + index), "systemd") for index in range(int(count))]
    for index in range(int(count)):
        os.close(_FIRST_SYSTEMD + index)
    for name in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    return sockets


def remove_unix_sockets(config: ServerConfig) -> None:
    """Delete the files of the Unix sockets that were opened for a configuration."""
    for bind in config.binds:
        if bind.startswith("unix:"):
            try:
                os.unlink(bind.removeprefix("unix:"))
            except OSError:
                pass


def describe(sock: socket.socket, *, scheme: str = "http") -> str:
    """Return the URL of a listening socket, or the path of a Unix one."""
    name = sock.getsockname()
    if isinstance(name, str | bytes):
        return f"unix:{os.fsdecode(name)}"
    host, port = name[0], name[1]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
