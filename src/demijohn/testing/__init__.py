"""Tests of an app: clients straight into it or over a socket, a pytest plugin, cases for unittest.

Everything is imported at first use, because pytest imports this package in every project where it is installed.
"""

import typing

if typing.TYPE_CHECKING:
    from demijohn.app.blocking import allow_blocking
    from demijohn.testing.assertions import assert_errors, assert_redirects, assert_status
    from demijohn.testing.cases import AsyncTestCase, TestCase
    from demijohn.testing.client import AsyncClient, TestClient
    from demijohn.testing.commands import CommandResult, CommandRunner
    from demijohn.testing.harness import Harness
    from demijohn.testing.live import LiveServer
    from demijohn.testing.portal import Portal
    from demijohn.testing.sockets import AsyncSocketSession, SocketRefused, SocketSession

__all__ = [
    "AsyncClient",
    "AsyncSocketSession",
    "AsyncTestCase",
    "CommandResult",
    "CommandRunner",
    "Harness",
    "LiveServer",
    "Portal",
    "SocketRefused",
    "SocketSession",
    "TestCase",
    "TestClient",
    "allow_blocking",
    "assert_errors",
    "assert_redirects",
    "assert_status",
]


def __getattr__(name: str) -> object:
    # Spelled out: modules are not imported by string.
    if name in ("AsyncClient", "TestClient"):
        from demijohn.testing import client as module
    elif name in ("AsyncTestCase", "TestCase"):
        from demijohn.testing import cases as module  # type: ignore[no-redef]
    elif name in ("CommandResult", "CommandRunner"):
        from demijohn.testing import commands as module  # type: ignore[no-redef]
    elif name == "Harness":
        from demijohn.testing import harness as module  # type: ignore[no-redef]
    elif name == "LiveServer":
        from demijohn.testing import live as module  # type: ignore[no-redef]
    elif name == "Portal":
        from demijohn.testing import portal as module  # type: ignore[no-redef]
    elif name in ("AsyncSocketSession", "SocketRefused", "SocketSession"):
        from demijohn.testing import sockets as module  # type: ignore[no-redef]
    elif name == "allow_blocking":
        from demijohn.app import blocking as module  # type: ignore[no-redef]
    elif name in ("assert_errors", "assert_redirects", "assert_status"):
        from demijohn.testing import assertions as module  # type: ignore[no-redef]
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
