"""The permission to have a console: given by the development server when it starts, never by a setting."""

import hmac
import ipaddress
import mmap
import multiprocessing
import os
import secrets
from collections.abc import Sequence

from demijohn.errors import ConfigurationError

__all__ = ["ConsoleRefused", "Grant", "find_grant", "grant_console", "revoke_console"]

_MOST_FAILURES = 5


class ConsoleRefused(ConfigurationError):
    """The console was asked for where it would not be safe."""

    code = "DJN-770"


class Grant:
    """What a start of the development server allows: a PIN, and who may use it.

    It is made before the serving process is forked, so that it outlives a reload; the count of wrong PINs lies in
    memory that all of these processes share.

    Attributes:
        pin: Nine random digits, told in the terminal once.
        networks: Whose consoles are answered beside this machine's own.
    """

    def __init__(self, networks: Sequence[str] = ()) -> None:
        digits = f"{secrets.randbelow(10**9):09}"
        self.pin = f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"
        self.networks = [ipaddress.ip_network(network, strict=False) for network in networks]
        self.process = os.getpid()
        self._cookie = secrets.token_urlsafe(32)
        self._failures = mmap.mmap(-1, 1)

    @property
    def cookie(self) -> str:
        """The value of the cookie that a right PIN gives: 256 random bits."""
        return self._cookie

    @property
    def is_locked(self) -> bool:
        """Whether five wrong PINs were tried; only a new start of the server helps."""
        return self._failures[0] >= _MOST_FAILURES

    @property
    def failures(self) -> int:
        """How many wrong PINs were tried."""
        return self._failures[0]

    @property
    def is_here(self) -> bool:
        """Whether this is the development server, or the process that it forked."""
        return self.process in (os.getpid(), os.getppid()) and multiprocessing.parent_process() is None

    def try_pin(self, pin: str) -> bool:
        """Return whether a PIN is the right one; a wrong one is counted."""
        if self.is_locked:
            return False
        given = "".join(filter(str.isdigit, pin[:40])).encode()
        if hmac.compare_digest(given, self.pin.replace("-", "").encode()):
            self._failures[0] = 0
            return True
        self._failures[0] += 1
        return False

    def knows(self, cookie: str) -> bool:
        """Return whether a cookie was given for the right PIN."""
        return not self.is_locked and hmac.compare_digest(cookie.encode(), self._cookie.encode())

    def allows(self, address: str) -> bool:
        """Return whether a peer may have a console: this machine, or one that was named."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        parsed = mapped or parsed
        return parsed.is_loopback or any(parsed in network for network in self.networks)


_granted: Grant | None = None


def find_grant() -> Grant | None:
    """Return the permission of this process, or None where consoles are off."""
    return _granted if _granted is not None and _granted.is_here else None


def grant_console(*, hosts: Sequence[str], workers: int = 1, allow: Sequence[str] = ()) -> Grant:
    """Allow consoles in this process and those that it forks.

    Only the development server calls this.

    Args:
        hosts: The addresses that are listened on.
        workers: How many processes serve.
        allow: Addresses and networks that may use it beside this machine.

    Raises:
        ConsoleRefused: More than one worker (DJN-771), or an address that others can reach (DJN-770).
    """
    global _granted
    if workers != 1:
        raise ConsoleRefused(
            f"The console was asked for with {workers} workers.",
            why="A traceback lives in one process, and the next request may reach another.",
            fix="Serve with one:  demijohn run --console",
            code="DJN-771",
        )
    if os.environ.get("DEMIJOHN_ENV") == "production":
        raise ConsoleRefused(
            "The console was asked for in production.",
            why="Whoever reaches it runs any code as you.",
            fix="Unset DEMIJOHN_ENV, or leave out --console.",
        )
    open_hosts = [host for host in hosts if not _is_own(host)]
    if open_hosts and not allow:
        raise ConsoleRefused(
            f"The console was asked for while the server listens on {', '.join(open_hosts)}.",
            why="Others could reach it, and whoever has a console runs any code as you.",
            fix="Listen on 127.0.0.1, or name who may:  --console-allow-ip 192.168.1.7",
        )
    try:
        _granted = Grant(allow)
    except ValueError as error:
        raise ConsoleRefused(
            f"--console-allow-ip is not an address or network: {error}",
            why="It names the machines that may run code here.",
            fix="Write an address, or a network:  --console-allow-ip 192.168.1.0/28",
        ) from None
    return _granted


def revoke_console() -> None:
    """Take the permission back, as tests do."""
    global _granted
    _granted = None


def _is_own(host: str) -> bool:
    if host in ("localhost", "") or host.endswith(".localhost") or host.startswith("unix:"):
        return host != ""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
