"""The server: our HTTP/1.1 protocol, an embeddable server, a supervisor for workers, and reload for development."""

from demijohn.serving.config import TLS, Capacity, Recycling, ServerConfig, Timeouts
from demijohn.serving.launching import run_development, serve
from demijohn.serving.protocol import HTTPProtocol
from demijohn.serving.server import Server
from demijohn.serving.sockets import CannotListen

__all__ = [
    "TLS",
    "CannotListen",
    "Capacity",
    "HTTPProtocol",
    "Recycling",
    "Server",
    "ServerConfig",
    "Timeouts",
    "run_development",
    "serve",
]
